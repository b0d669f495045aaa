"""Makes a scorer of any text metric of the `evaluate` library (0.4.6). Knows no metric of its own.

bridge.metric("./metrics/overlap", worst=0.0, best=1.0)
bridge.metric("hub:owner/name", revision="<40 hex digits>", field="f1", worst=0.0, best=100.0)

A path is relative to the file that calls `metric`, as a suite's other files are. The metric is asked about one answer
at a time, with all the references of its case, so that two variants can be paired. `worst` and `best` are the ends of
its range: a failed answer counts as the worst value, a baseline's as the best, and a value outside is a failed score.

What each input of the metric is given: `predictions` (or `data`) the whole answer, as it stands, also where it is empty
or was cut; `references` the case's expected answers, or the tag that `reference=` names, and where the metric takes one
reference only, each in turn, the best value counting; `sources` the document; any other input the case's variable of
that name. An empty answer on which the metric fails, and text where it wants a number, are wrong: the worst value.

Nothing is written to disk: `keep_in_memory` is always on. The library takes a second or two to load, which happens at
the first answer, and some milliseconds per answer, so this is far slower than the project's own scorers. Several fields
of one metric cost one call per answer.
"""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.errors import UserError, refuse_all
from harness.files import digest
from harness.schema import Case, Completion, Metric, Score
from harness.scoring.base import Scorer, scorer

HUB = "hub:"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"[0-9a-f]{40}")
BASES = ("Metric", "Measurement", "Comparison", "EvaluationModule")


class Script(NamedTuple):
    """A metric's script on this machine."""

    path: Path
    """Absolute path of the .py file."""
    digest: str
    """Digest of its text."""
    revision: str | None
    """Commit of the hub that it comes from, or None for a local one."""


def find(source: str, revision: str | None, beside: Path) -> Script:
    """The script that `source` names: a path, relative to the folder `beside`, or `hub:owner/name` at a commit.

    Refuses any name that might mean either, and a script that `evaluate` would not load.
    """
    if source.startswith(HUB):
        path = _from_hub(source, revision)
    elif Path(source).is_absolute() or source.startswith(("./", "../")):
        if revision is not None:
            raise UserError(f"bridge.metric: {source!r} is a local path, which has no revision; leave revision out")
        path = _local(source, beside)
    else:
        raise UserError(
            f"bridge.metric: {source!r} could be a path or a name on a hub. Start a path with ./ or /, and write a "
            "name as hub:owner/name with its revision"
        )
    text = path.read_text("utf-8")
    refuse_all([f"{path.name}: {problem}" for problem in problems(text, path)], f"{path}: evaluate cannot load it")
    return Script(path, digest(text), revision)


def _local(source: str, beside: Path) -> Path:
    path = (beside / source).resolve()
    script = path if path.suffix == ".py" else path / f"{path.name}.py"
    if not script.is_file():
        raise UserError(f"bridge.metric: {source}: no script {script} is there. Name it, or a folder of its name")
    return script


def _from_hub(source: str, revision: str | None) -> Path:
    """The script at a pinned commit, from the cache where it is there. Never the newest, nor a local folder's."""
    name = source.removeprefix(HUB)
    if not HUB_NAME.fullmatch(name):
        raise UserError(f"bridge.metric: {source!r}: expected {HUB}owner/name, such as {HUB}evaluate-metric/rouge")
    if revision is None or not REVISION.fullmatch(revision):
        raise UserError(
            f"bridge.metric: {source}: revision is {revision!r}, expected the 40 hex digits of a commit. A script of a "
            "hub is code that runs here: pin what you have read"
        )
    from huggingface_hub import hf_hub_download

    file = f"{name.split('/')[1]}.py"
    try:
        return Path(hf_hub_download(name, file, repo_type="space", revision=revision))
    except Exception as error:
        raise UserError(
            f"bridge.metric: {source}: {file} at {revision} is not in the cache and could not be fetched "
            f"({type(error).__name__}). Fetch it: hf download {name} {file} --repo-type space --revision {revision}"
        ) from None


def problems(text: str, path: Path) -> list[str]:
    """Everything in a script that `evaluate` would trip over, in the order of its lines."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return [f"line {getattr(error, 'lineno', None) or 1}: not Python ({error.args[0]})"]
    found = [(node.lineno, said) for node in tree.body for said in _import_problems(node, tree, path.parent)]
    own = _metric_classes(tree)
    if len(own) > 1:
        said = f"several metric classes ({', '.join(c.name for c in own)}); evaluate takes the first, so keep one"
        found.append((own[1].lineno, said))
    if not own and not found:
        found.append(
            (1, "no class derives from evaluate.Metric. Write 'import evaluate', then class X(evaluate.Metric)")
        )
    return [f"line {line}: {said}" for line, said in sorted({*found})]


def _import_problems(node: ast.stmt, tree: ast.Module, folder: Path) -> Iterator[str]:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import) and len(names) > 1:
        yield f"'import {', '.join(names)}' is read as one odd name by evaluate. Write one import a line"
    elif sum(other.lineno == node.lineno for other in tree.body) > 1:
        yield "several statements on one line are read as one odd name by evaluate. Write one import a line"
    if isinstance(node, ast.ImportFrom):
        if node.level:
            yield f"the import of {node.module or names[0]!r} is relative. {_neighbour(node.module or names[0])}"
            return
        if (node.module or "").split(".")[0] == "evaluate" and {*names} & {*BASES, "*"}:
            yield (
                f"'from {node.module} import {', '.join(names)}' makes evaluate use its own class. Write 'import "
                "evaluate', then derive from evaluate.Metric"
            )
        names = [node.module or ""]
    for name in dict.fromkeys(name.split(".")[0] for name in names):
        if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
            yield f"{name!r} is a neighbour of the script. {_neighbour(name)}"
        elif find_spec(name) is None:
            yield f"{name!r} is imported and not installed. Install the package it comes from"


def _neighbour(name: str) -> str:
    return f"A script is copied and versioned alone: put what it needs of {name!r} into it, or install it as a package"


def _metric_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Classes that derive from one of evaluate's, or from another such class of the script."""
    found: list[ast.ClassDef] = []
    modules = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "evaluate"
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            known = {f"{module}.{base}" for module in modules for base in BASES} | {c.name for c in found}
            if bases & known:
                found.append(node)
    return found


ANSWER = ("predictions", "data")
"""Inputs that are the answer's text."""
NUMBERS = {"int": int, "uint": int, "float": float}
"""How text is read where an input is a number, by the start of its type's name."""
TOLERANCE = 1e-9
"""Share of the range by which rounding may carry a value outside it."""
CORPUS = (
    "per='suite' is not offered: a corpus-level metric has no score of a case to pair or resample, so no gate may use "
    "one. Use per='case' (docs/decisions/0005-corpus-metrics.md)"
)


class Unreadable(ValueError):
    """An answer that is no number where the metric takes numbers."""


class _Asked(NamedTuple):
    """What `metric` was given."""

    script: Script
    field: str | None
    arguments: dict[str, Any]
    reference: str | None
    worst: float
    best: float


class NoReference(ValueError):
    """A case that expects nothing, where the metric compares with a reference."""


def metric(
    source: str | Path,
    *,
    worst: float,
    best: float,
    field: str | None = None,
    per: Literal["case", "suite"] = "case",
    revision: str | None = None,
    name: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    reference: str | None = None,
    complete: bool = True,
) -> Scorer:
    """A scorer, and a metric of its name (the script's, with `field`) that is the mean over cases.

    `field` names the result where a metric gives several; `arguments` go to its `compute`. `reference` names a tag of
    the case to compare with instead of its expected answers. Fewer is better where `worst` is greater than `best`. A
    second metric, `<name>_complete_rate`, is the share of whole, non-empty answers, unless `complete` is False.
    """
    if per != "case":
        raise UserError(f"bridge.metric: {CORPUS if per == 'suite' else f'per is {per!r}, expected case'}")
    if not (math.isfinite(worst) and math.isfinite(best)) or worst == best:
        raise UserError(f"bridge.metric: worst is {worst}, best {best}; expected two different finite numbers")
    caller = sys._getframe(1).f_globals.get("__file__")
    script = find(str(source), revision, Path(caller).resolve().parent if caller else Path.cwd())
    family = _name(name or "_".join([script.path.stem, *([field] if field else [])]))
    given = dict(arguments or {})
    config = {
        "script": script.digest,
        "revision": revision,
        "field": field,
        "arguments": given,
        "range": [worst, best],
        "evaluate": version("evaluate"),
        **({"reference": reference} if reference else {}),
    }
    try:
        digest(config)
    except TypeError as error:
        raise UserError(f"bridge.metric: arguments must be plain data that JSON can hold: {error}") from None

    asked = _Asked(script, field, given, reference, worst, best)
    return _scorer(asked, family, config, _metrics(family, worst, best)[: 2 if complete else 1])


def _scorer(asked: _Asked, family: str, config: object, metrics: list[Metric]) -> Scorer:
    worst = asked.worst

    @scorer(metrics=metrics, name=family, config=config)
    def bridged(case: Case, completion: Completion) -> Score:
        """What the metric gives for one answer. A failed answer has the worst value."""
        if completion.finish_reason == "error":
            return _score(family, worst, False)
        text, left_out = completion.text, [type(r).__name__ for r in _references(asked, case) if not isinstance(r, str)]
        if not isinstance(text, str):
            return Score(name=family, value=None, reason=f"the answer is {type(text).__name__}, expected text")
        whole = completion.finish_reason == "stop" and bool(text.strip())
        try:
            return _score(family, _value(asked, case, text), whole, left_out)
        except NoReference as error:
            return Score(name=family, value=None, reason=f"{error}{_said(left_out)}")
        except Unreadable as error:
            return _score(family, worst, whole, left_out, [str(error)])
        except UserError:
            raise
        except Exception as error:
            if text.strip():
                raise
            return _score(family, worst, whole, left_out, [f"empty, where the metric fails: {type(error).__name__}"])

    return bridged


def _name(name: str) -> str:
    if not name.isidentifier():
        raise UserError(f"bridge.metric: {name!r} cannot name a metric. Give name= letters, digits and _ only")
    return name


def _metrics(family: str, worst: float, best: float) -> list[Metric]:
    return [
        Metric(
            name=family,
            scorer=family,
            numerator="",
            kind="mean",
            worst=worst,
            best=best,
            higher_is_better=best > worst,
            says=f"Mean over answers of the evaluate metric {family}, from {worst:g} (worst) to {best:g} (best).",
        ),
        Metric(
            name=f"{family}_complete_rate",
            scorer=family,
            numerator="complete",
            says=f"Share of the answers judged by {family} that are neither empty nor cut at the token limit.",
        ),
    ]


def _score(family: str, value: float, whole: bool, left_out: Sequence[str] = (), wrong: Sequence[str] = ()) -> Score:
    return Score(
        name=family,
        value=value,
        extracted={"unreadable": list(wrong), "left_out": list(left_out)},
        counts={"complete": int(whole), "left_out": len(left_out)},
    )


def _said(left_out: Sequence[str]) -> str:
    return f"; left out: {len(left_out)} of another type ({', '.join(left_out)})" if left_out else ""


def _value(asked: _Asked, case: Case, text: str) -> float:
    """The metric of one answer: of several references taken one by one, the value nearest to the best."""
    loaded = module(asked.script)
    values = []
    for inputs in _inputs(loaded, case, text, _references(asked, case)):
        result = _computed(asked, loaded, inputs)
        values.append(_inside(_number(result, asked.field, asked.script.path.name), asked))
    return min(values, key=lambda value: abs(value - asked.best))


_last: list[tuple[tuple[Any, ...], Any]] = []
"""The newest call and its result: the scorers of several fields ask it one after the other."""


def _computed(asked: _Asked, loaded: Any, inputs: dict[str, list[Any]]) -> Any:
    call = (asked.script, asked.arguments, inputs)
    if not _last or _last[0][0] != call:
        try:
            result = loaded.compute(**inputs, **asked.arguments)
        except Exception:
            # Half of this answer may still stand in the module's state; the next one starts with a new module.
            module.cache_clear()
            raise
        _last[:] = [(call, result)]
    return _last[0][1]


def _references(asked: _Asked, case: Case) -> Sequence[Any]:
    """What the answer is compared with."""
    if asked.reference is None:
        return case.expected
    return [text] if (text := case.tags.get(asked.reference)) else []


def _inside(value: float, asked: _Asked) -> float:
    """The value, without what rounding carried out of the range. Raises ValueError where it is not of the range."""
    low, high = min(asked.worst, asked.best), max(asked.worst, asked.best)
    slack = TOLERANCE * (high - low)
    if not math.isfinite(value) or not low - slack <= value <= high + slack:
        raise ValueError(f"the metric gave {value}, and its range is {low:g} to {high:g}")
    return min(max(value, low), high)


@lru_cache(maxsize=8)
def module(script: Script) -> Any:
    """The loaded `evaluate` module of a script. Refuses one that has changed since its digest was taken."""
    evaluate = _library()
    if digest(script.path.read_text("utf-8")) != script.digest:
        raise UserError(f"{script.path}: changed after the suite was read. Start again")
    try:
        # By default the seed of a metric that draws comes from numpy's global state, so that no two runs would agree.
        loaded = evaluate.load(str(script.path), keep_in_memory=True, seed=0)
    except Exception as error:
        said = " ".join(str(error).split()) or "is it the class of the script that has to define _info?"
        raise UserError(f"{script.path}: evaluate cannot load it: {type(error).__name__}: {said}") from None
    if type(loaded).__module__.rpartition(".")[2] != script.path.stem:
        raise UserError(
            f"{script.path}: evaluate takes the imported class {type(loaded).__name__} for the metric. Import its "
            "module instead, so that the script's own class is the first"
        )
    return loaded


def _library() -> Any:
    """`evaluate` without its pipelines, which no metric needs and which load torch and transformers for seconds."""
    hidden = "transformers" not in sys.modules
    if hidden:
        sys.modules["transformers"] = None  # type: ignore[assignment]
    try:
        import evaluate
    finally:
        if hidden:
            sys.modules.pop("transformers", None)
    return evaluate


def _inputs(loaded: Any, case: Case, text: str, expected: Sequence[Any]) -> list[dict[str, list[Any]]]:
    """Inputs of each call: one, or one a reference where the metric takes one reference only."""
    options = loaded.features if isinstance(loaded.features, list) else [loaded.features]
    features = max(options, key=lambda option: _depth(option.get("references")) == 1)
    references: Sequence[Any] = [r for r in expected if isinstance(r, str)]
    inputs = {name: [_input(name, kind, case, text)] for name, kind in features.items() if name != "references"}
    if "references" not in features:
        return [inputs]
    if not references:
        raise NoReference("the case expects nothing, so there is no reference to compare with")
    kind = features["references"]
    if _depth(kind) == 1:
        return [inputs | {"references": [[_read("references", _within(kind), r) for r in references]]}]
    return [inputs | {"references": [_read("references", kind, r)]} for r in references]


def _within(kind: Any) -> Any:
    """What a list holds, of either form in which a metric may declare one; None where it is no list."""
    return kind[0] if isinstance(kind, list) else getattr(kind, "feature", None)


def _depth(kind: Any) -> int:
    """0 for one value, 1 for a list of them, 2 for anything else."""
    inner = _within(kind)
    if inner is None:
        return 0 if hasattr(kind, "dtype") else 2
    return 1 if _depth(inner) == 0 else 2


def _input(name: str, kind: Any, case: Case, text: str) -> Any:
    if name in ANSWER:
        return _read(name, kind, text)
    if name not in case.input and name != "sources":
        raise UserError(
            f"bridge.metric: the metric takes an input {name!r}, and case '{case.id}' has no variable of that name"
        )
    return _read(name, kind, case.input.get(name, case.document))


def _read(name: str, kind: Any, text: str) -> str | int | float:
    """Text as a metric's input: itself, or the number it is."""
    if _depth(kind) != 0:
        raise UserError(f"bridge.metric: the metric takes {name} as {kind}; the bridge gives one text an answer")
    if "string" in kind.dtype:
        return text
    convert = next((c for start, c in NUMBERS.items() if kind.dtype.startswith(start)), None)
    if convert is None:
        raise UserError(f"bridge.metric: the metric takes {name} as {kind.dtype}; the bridge gives text or a number")
    import numpy as np

    try:
        number: int | float = np.dtype(kind.dtype).type(convert(text.strip())).item()
        if not math.isfinite(number):
            raise ValueError
        return number
    except (ValueError, OverflowError):
        if name in ANSWER:
            raise Unreadable(f"not a number ({kind.dtype})") from None
        raise UserError(
            f"bridge.metric: the metric takes {name} as {kind.dtype}, and a case has {text[:60]!r}"
        ) from None


def _number(result: Any, field: str | None, script: str) -> float:
    """One number of a result, which may be wrapped in a list with one entry for the one answer."""
    given = sorted(result) if isinstance(result, Mapping) else []
    if field is None and len(given) != 1:
        raise UserError(f"{script} gives {', '.join(given) or 'no named result'}: say which with field=")
    name = field or given[0]
    if name not in given:
        raise UserError(f"{script} gives {', '.join(given) or 'no named result'}, and no {name!r}: check field=")
    value = result[name]
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if isinstance(value, str) or not isinstance(value, int | float):
        raise ValueError(f"{script} gives {type(value).__name__} as {name!r}, expected one number")
    return float(value)
