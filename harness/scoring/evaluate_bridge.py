"""Make a scorer of any text metric of the `evaluate` library (0.4.6); ROUGE and SQuAD's metrics by the same way.

evaluate_bridge.metric("./metrics/overlap", worst=0.0, best=1.0)
evaluate_bridge.metric("hub:owner/name", revision="<40 hex digits>", field="f1", worst=0.0, best=100.0)

A path is relative to the file that calls `metric`, as a suite's other files are. The metric is computed for one answer
at a time, with all references of its case, so that two variants can be paired. `worst` and `best` are the ends of its
range: a failed answer counts as the worst value, a baseline's as the best; a value outside the range is a failed score.

Inputs of the metric: `predictions` (or `data`) is the whole answer, unchanged, even if it is empty or cut; `references`
is the case's expected answers, or the tag that `reference=` names, and if the metric takes a single reference, each in
turn, the best value counting; `sources` is the document; any other input is the case's variable of that name. An empty
answer on which the metric fails, and text where it needs a number, are wrong: they have the worst value.

Nothing is written to disk: `keep_in_memory` is always on. The library takes one to two seconds to load, at the first
answer, and some milliseconds per answer, so this is far slower than the project's own scorers. Several fields of one
metric cost one call per answer.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from harness.errors import MissingExtra, Unavailable, UserError
from harness.files import digest
from harness.schema import Case, Completion, Metric, Score
from harness.scoring import evaluate_metrics
from harness.scoring.base import Scorer, scorer
from harness.scoring.evaluate_scripts import Script, find

ANSWER = ("predictions", "data")
"""Inputs of a metric that hold the answer."""
NUMBERS = {"int": int, "uint": int, "float": float}
"""How text is read for a numeric input, by the start of its type's name."""
TOLERANCE = 1e-9
"""Share of the range by which rounding may move a value outside it."""
CORPUS = (
    "per='suite' is not supported: a corpus-level metric has no score per case to pair or resample, so no gate may use "
    "it. Use per='case' (docs/decisions/0005-corpus-metrics.md)"
)


class Unreadable(ValueError):
    """The answer is not a number, and the metric takes numbers."""


class NoReference(ValueError):
    """The case expects nothing, and the metric compares with a reference."""


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
    """Make a scorer, with a metric of its name (the script's, with `field`) that is the mean over cases.

    `field` names the result if the metric gives several; `arguments` are passed to its `compute`. `reference` names a
    tag of the case to compare with instead of its expected answers. Lower is better if `worst` is greater than `best`.
    A second metric, `<name>_complete_rate`, is the share of whole, non-empty answers, unless `complete` is False.
    Raises UserError for options and scripts that cannot be used.
    """
    if per != "case":
        raise UserError(f"evaluate_bridge.metric: {CORPUS if per == 'suite' else f'per is {per!r}, expected case'}")
    if not (math.isfinite(worst) and math.isfinite(best)) or worst == best:
        raise UserError(f"evaluate_bridge.metric: worst is {worst}, best {best}; expected two different finite numbers")
    caller = sys._getframe(1).f_globals.get("__file__")
    script = find(str(source), revision, Path(caller).resolve().parent if caller else Path.cwd())
    family = name or "_".join([script.path.stem, *([field] if field else [])])
    if not family.isidentifier():
        raise UserError(
            f"evaluate_bridge.metric: {family!r} cannot name a metric. Give name= letters, digits and _ only"
        )
    given = dict(arguments or {})
    config = {
        "script": script.digest,
        "revision": revision,
        "field": field,
        "arguments": given,
        "range": [worst, best],
        "evaluate": version("evaluate") if find_spec("evaluate") else "",
        **({"reference": reference} if reference else {}),
    }
    try:
        digest(config)
    except TypeError as error:
        raise UserError(f"evaluate_bridge.metric: arguments must be plain data that JSON can hold: {error}") from None

    def measured(case: Case, text: str) -> float:
        """The metric's value for one answer: with one reference at a time, the value nearest to the best."""
        loaded = module(script)
        expected = case.expected if reference is None else [t for t in [case.tags.get(reference)] if t]
        results = [_computed(script, loaded, inputs, given) for inputs in _inputs(loaded, case, text, expected)]
        values = [_inside(_number(result, field, script.path.name), worst, best) for result in results]
        return min(values, key=lambda value: abs(value - best))

    @scorer(metrics=_metrics(family, worst, best)[: 2 if complete else 1], name=family, config=config, check=_installed)
    def bridged(case: Case, completion: Completion) -> Score:
        """The metric's value for one answer. A failed answer has the worst value."""
        value, unreadable = worst, []
        try:
            if completion.finish_reason != "error":
                value = measured(case, completion.text)
        except NoReference as error:
            return Score(name=family, value=None, reason=str(error))
        except Unreadable as error:
            unreadable = [str(error)]
        except UserError:
            raise
        except Exception as error:
            if completion.text.strip():
                raise
            unreadable = [f"empty answer, on which the metric fails: {type(error).__name__}"]
        whole = completion.finish_reason == "stop" and bool(completion.text.strip())
        return Score(name=family, value=value, extracted={"unreadable": unreadable}, counts={"complete": int(whole)})

    return bridged


def _installed(case: Case) -> tuple[str, ...]:
    """Raise Unavailable, which leaves out the suite, where the library is not installed; nothing is loaded."""
    if find_spec("evaluate") is None:
        raise Unavailable(str(MissingExtra("a metric of the library `evaluate`", "evaluate", "metrics")))
    return ()


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
            says=f"Share of the answers scored by {family} that are neither empty nor cut at the token limit.",
        ),
    ]


_last: list[tuple[tuple[Any, ...], Any]] = []
"""The newest call and its result: the scorers of several fields use it one after the other."""


def _computed(script: Script, loaded: Any, inputs: dict[str, list[Any]], arguments: Mapping[str, Any]) -> Any:
    call = (script, arguments, inputs)
    if not _last or _last[0][0] != call:
        try:
            result = loaded.compute(**inputs, **arguments)
        except Exception:
            # The module may still hold half of this answer; the next one starts with a new module.
            module.cache_clear()
            raise
        _last[:] = [(call, result)]
    return _last[0][1]


def _inside(value: float, worst: float, best: float) -> float:
    """The value, with rounding errors at the ends of the range removed. Raises ValueError for one outside the range."""
    low, high = min(worst, best), max(worst, best)
    slack = TOLERANCE * (high - low)
    if not math.isfinite(value) or not low - slack <= value <= high + slack:
        raise ValueError(f"the metric gave {value}, expected {low:g} to {high:g}")
    return min(max(value, low), high)


@lru_cache(maxsize=8)
def module(script: Script) -> Any:
    """Load a script as an `evaluate` module. Raises UserError if it has changed since its digest was taken."""
    evaluate = _library()
    if digest(script.path.read_text("utf-8")) != script.digest:
        raise UserError(f"{script.path}: changed after the suite was read. Run again")
    try:
        # By default, the seed of a metric that draws random numbers comes from numpy's global state: no two runs agree.
        loaded = evaluate.load(str(script.path), keep_in_memory=True, seed=0)
    except Exception as error:
        message = " ".join(str(error).split()) or "does the class of the script define _info?"
        raise UserError(f"{script.path}: evaluate cannot load it: {type(error).__name__}: {message}") from None
    if type(loaded).__module__.rpartition(".")[2] != script.path.stem:
        raise UserError(
            f"{script.path}: evaluate takes the imported class {type(loaded).__name__} as the metric. Import its "
            "module instead, so that the script's own class comes first"
        )
    return loaded


def _library() -> Any:
    """Import `evaluate` without its pipelines, which no metric needs and which take seconds to load torch."""
    hidden = "transformers" not in sys.modules
    if hidden:
        sys.modules["transformers"] = None  # type: ignore[assignment]
    try:
        import evaluate
    finally:
        if hidden:
            sys.modules.pop("transformers", None)
    return evaluate


def _inputs(loaded: Any, case: Case, text: str, references: Sequence[str]) -> list[dict[str, list[Any]]]:
    """Inputs of each call: one call, or one per reference if the metric takes a single reference."""
    options = loaded.features if isinstance(loaded.features, list) else [loaded.features]
    features = max(options, key=lambda option: _depth(option.get("references")) == 1)
    inputs = {name: [_input(name, kind, case, text)] for name, kind in features.items() if name != "references"}
    if "references" not in features:
        return [inputs]
    if not references:
        raise NoReference("the case has no expected answer to compare with")
    kind = features["references"]
    if _depth(kind) == 1:
        return [inputs | {"references": [[_read("references", _within(kind), r) for r in references]]}]
    return [inputs | {"references": [_read("references", kind, r)]} for r in references]


def _within(kind: Any) -> Any:
    """Type of a list's items, in either form that a metric may declare; None if it is not a list."""
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
            f"evaluate_bridge.metric: the metric takes an input {name!r}, but case '{case.id}' has no variable of "
            "that name"
        )
    return _read(name, kind, case.input.get(name, case.document))


def _read(name: str, kind: Any, text: str) -> str | int | float:
    """Text as a metric's input: as it is, or as a number."""
    if _depth(kind) != 0:
        raise UserError(f"evaluate_bridge.metric: the metric takes {name} as {kind}; expected one text per answer")
    if "string" in kind.dtype:
        return text
    convert = next((c for start, c in NUMBERS.items() if kind.dtype.startswith(start)), None)
    if convert is None:
        raise UserError(f"evaluate_bridge.metric: the metric takes {name} as {kind.dtype}; expected text or a number")
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
            f"evaluate_bridge.metric: the metric takes {name} as {kind.dtype}, but a case has {text[:60]!r}"
        ) from None


def _number(result: Any, field: str | None, script: str) -> float:
    """One number of a result, which may be a list with one entry, for the one answer."""
    names = sorted(result) if isinstance(result, Mapping) else []
    if field is None and len(names) != 1:
        raise UserError(f"{script} gives {', '.join(names) or 'no named result'}: name one with field=")
    name = field or names[0]
    if name not in names:
        raise UserError(f"{script} gives {', '.join(names) or 'no named result'}, but no {name!r}: check field=")
    value = result[name]
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if isinstance(value, str) or not isinstance(value, int | float):
        raise ValueError(f"{script} gives {type(value).__name__} as {name!r}, expected one number")
    return float(value)


ROUGE_TYPES = ["rouge1", "rougeL"]


def rouge(reference: str | None = None) -> list[Scorer]:
    """Make `rouge1` and `rougeL`: F measures against the expected answers, or the text of the tag `reference`."""
    arguments = {"rouge_types": ROUGE_TYPES}
    return [_share("rouge", name, name, reference, arguments) for name in ROUGE_TYPES]


def squad(reference: str | None = None) -> list[Scorer]:
    """Make `exact_match` and `squad_f1` of SQuAD 1.1, against the expected answers or the tag `reference`."""
    return [_share("squad", field, name, reference) for field, name in (("exact_match",) * 2, ("f1", "squad_f1"))]


def _share(
    script: str, field: str, name: str, reference: str | None, arguments: Mapping[str, Any] | None = None
) -> Scorer:
    """A field from 0 to 1 of one of the project's own scripts: reported, ungated."""
    return metric(
        evaluate_metrics.script(script),
        field=field,
        name=name,
        worst=0.0,
        best=1.0,
        arguments=arguments,
        reference=reference,
        complete=False,
    )
