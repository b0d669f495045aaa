"""Generate docs/reference from the code, and the index of docs/decisions from their titles: `make reference`.

    python -m tools.reference

The description of each command, option, key, field, scorer and exit code comes from the code.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from harness import env, errors, schema, scoring
from harness.approval import policy
from harness.baseline import format as baseline_format
from harness.evaluation import noise_file
from harness.gates import config as gates_config
from harness.gates.rules import GATE_RULES
from harness.judges import rubric
from harness.runs import folder, redaction
from harness.scoring.base import Scorer
from harness.scoring.brand import style_guide
from harness.suites import suite
from reports import assumptions, model
from reports.ci import export
from reports.review import rubric as review_rubric
from tools import command_pages, documented, terminal_page
from tools.documented import Entry, entries, fields, keywords, one_line, own_doc, page, summary, table
from training import config
from training.sweep import config as sweep

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILES: list[tuple[str, type[Struct]]] = [
    ("a line of cases.jsonl", schema.Case),
    ("run.json", schema.Manifest),
    ("a line of records.jsonl", folder.RecordLine),
    ("a line of scores.jsonl, or of a batch below later/", schema.ScoreEvent),
    ("metrics.json", schema.Metrics),
    ("an entry of verdicts.json", schema.Verdict),
    ("baseline.json", baseline_format.Accepted),
    ("noise.json", noise_file.NoiseFile),
    ("report.json", model.ReportModel),
    ("the export of `tunegate ci export`", export.Export),
]
"""The files that tunegate reads and writes, by what their content is."""
BETTER: dict[schema.Better, str] = {"higher": "more", "lower": "fewer", "": "neither"}


def pages() -> dict[str, str]:
    """The text of every generated page, by its path below docs/."""
    made = {
        "commands": command_pages.commands(),
        "options": command_pages.options(),
        "configuration": configuration(),
        "scorers": scorers(),
        "schemas": schemas(),
        "exit-codes": exit_codes(),
    }
    return {f"reference/{name}.md": text for name, text in made.items()} | {"decisions/README.md": decisions()}


def configuration() -> str:
    """Every key of the files that a user writes, and every keyword of a suite."""
    return page(
        "Configuration",
        "Keys of the files that you write. Unknown keys are refused, all together.",
        "## Suite",
        summary(suite.Suite),
        entries(keywords(suite.Suite.__init__, suite.Suite.__doc__ or ""), "keyword of `Suite(...)`"),
        f"`@suite.case{_signature(suite.Suite.case)}`",
        one_line(suite.Suite.case.__doc__),
        "## gates.toml",
        *_gates(),
        "## approval.toml",
        "`evalsuites/approval.toml`, which `tunegate approval` writes. "
        "[What approves](../serving.md#what-approves) says how it is used.",
        entries(fields(policy.Policy, _name)),
        "### Each [[suite]]",
        entries(fields(policy.RequiredSuite, _name)),
        "## Training configuration",
        "`tunegate train CONFIG.toml`. [Training](../training.md) says when to change what.",
        *_tables(config.Config),
        "## Sweep file",
        "`tunegate sweep SWEEP.toml`. [Sweep](../training.md#sweep-several-settings-one-table) says how to resume.",
        entries(fields(sweep.SweepSettings, _name)),
        "`vary` may name: " + ", ".join(f"`{key}`" for key in sweep.settable()) + ".",
        table(("not", "why"), [(f"`{key}`", why) for key, why in sweep.REFUSED.items()]),
        "## Rubric of a judge",
        "`tunegate judge RUN --rubric FILE`. " + own_doc(rubric.JudgeRubric),
        entries(fields(rubric.JudgeRubric, _name)),
        "## Rubric of a review",
        "`tunegate review RUN --rubric FILE`. " + own_doc(review_rubric.ReviewRubric),
        entries(fields(review_rubric.ReviewRubric, _name)),
        "## Business estimate",
        "`tunegate report RUN --business FILE`. " + own_doc(assumptions.Assumptions),
        entries(fields(assumptions.Assumptions, _name)),
        "## Style guide",
        "`voice.in_style(FILE)` scores against it. A term matches only in its listed forms.",
        _example(style_guide),
        "## Redaction",
        "What is masked in records, in addition to [keys and tokens of known forms](../secrets.md).",
        _example(redaction),
        "## Environment variables",
        table(("variable", "what it is"), [(f"`{one.kind}`", one.says) for one in documented.constants(env)]),
    )


def _example(module: ModuleType) -> str:
    """The file that a module's docstring shows, which is what stands indented there."""
    shown = re.findall(r"(?m)^(?:    .*|[ ]*)$", module.__doc__ or "")
    return f"```toml\n{textwrap.dedent(chr(10).join(shown)).strip()}\n```"


def _name(struct: type[Struct]) -> str:
    return "table"


def _gates() -> Iterator[str]:
    yield "### [objective]"
    yield entries(fields(schema.Objective, _name))
    yield "### [[gate]]"
    yield entries(fields(schema.Gate, _name))
    rows = []
    for name, rule in GATE_RULES.items():
        marked = [", ".join(f"`{key}`" for key in named) for named in (rule.needs, rule.takes)]
        rows.append((f"`{name}`", *marked, one_line(rule.judge.__doc__)))
    yield table(("rule", "needs", "may have", "verdict"), rows)
    yield "Each rule also takes " + ", ".join(f"`{key}`" for key in gates_config.ALWAYS) + "."


def _tables(whole: type[Struct]) -> Iterator[str]:
    """The keys of a configuration, and a part for each of its tables."""
    tables = {one.name: one for one in fields(whole, lambda struct: struct.__name__)}
    held = {struct.__name__: struct for struct in documented.reached([whole])[1:]}
    yield entries(one for one in tables.values() if one.kind not in held)
    for name, one in tables.items():
        if one.kind in held:
            yield f"### [{name}]"
            yield one.says
            yield entries(fields(held[one.kind], _name))


def scorers() -> str:
    """Every family of scorers: how it is named in a suite, and its metrics."""
    names = [m.name for m in pkgutil.walk_packages(scoring.__path__, f"{scoring.__name__}.") if not m.ispkg]
    found = [importlib.import_module(name) for name in names if ".evaluate_metrics." not in name]
    found.sort(key=lambda module: module.__name__.rpartition(".")[2])
    return page(
        "Scorers and metrics",
        "Written in a suite as `from harness.scoring.legal import clauses` and `scorers=[clauses.found]`; each heading "
        "names its module. [Scoring](../scoring.md) explains what each reads and what counts as wrong.",
        *(part for module in found for part in _family(module)),
    )


def _family(module: ModuleType) -> Iterator[str]:
    name = module.__name__.rpartition(".")[2]
    rows = [
        (f"`{name}.{one}{_signature(value)}`", one_line(value.__doc__))
        for one, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and _makes_scores(one, value)
    ]
    if rows:
        yield f"## {name}"
        yield f"`{module.__name__}`: {one_line(module.__doc__.partition(chr(10) * 2)[0])}"
        yield table(("scorer", "what it says"), rows)
        metrics = [(f"`{one.name}`", one.kind, BETTER[one.better], one.says) for one in getattr(module, "METRICS", [])]
        if metrics:
            yield table(("metric", "kind", "better", "what it is"), metrics)


def _makes_scores(name: str, value: Any) -> bool:
    """A scorer, or a function that makes one or several."""
    made = getattr(value, "__annotations__", {}).get("return") if inspect.isfunction(value) else None
    return not name.startswith("_") and (isinstance(value, Scorer) or made in ("Scorer", "list[Scorer]"))


def _signature(value: Any) -> str:
    """What a function takes, with its defaults; nothing for a scorer."""
    if isinstance(value, Scorer):
        return ""
    taken = []
    for one in inspect.signature(value).parameters.values():
        default = one.default.name if isinstance(one.default, Path) else one.default
        if one.kind is not one.POSITIONAL_ONLY:
            taken.append(one.name if one.default is one.empty else f"{one.name}={default!r}")
    return f"({', '.join(taken)})"


def schemas() -> str:
    """Every file with a fixed form, and every noun in it."""
    nouns = documented.reached([struct for _, struct in FILES])
    twice = [one.__name__ for one in nouns if sum(other.__name__ == one.__name__ for other in nouns) > 1]
    assert not twice, f"two structs of one name cannot be told apart on a page: {twice}"
    return page(
        "Schemas",
        "The content of tunegate's files. Other layouts and unknown fields are refused. Offsets count Unicode code "
        "points.",
        table(("file", "holds"), [(file, _link(struct)) for file, struct in FILES]),
        *(part for struct in nouns for part in (f"## {struct.__name__}", own_doc(struct), _fields(struct))),
    )


def _fields(struct: type[Struct]) -> str:
    tag = struct.__struct_config__.tag
    kind = [Entry("type", f"`{tag}`", documented.REQUIRED, "Distinguishes it from other blocks.")] if tag else []
    return entries([*kind, *fields(struct, _link)], "field")


def _link(struct: type[Struct]) -> str:
    return f"[{struct.__name__}](#{struct.__name__.lower()})"


def exit_codes() -> str:
    """The codes with which every command and every pytest session ends."""
    codes = documented.constants(errors, "EXIT_")
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.UserError)]
    return page(
        "Exit codes",
        "For every `tunegate` command and for pytest; 6 is tunegate's own, the others are pytest's. A failed gate "
        "takes precedence over one that was not judged.",
        table(("code", "when"), [(one.kind, one.says) for one in codes]),
        "Errors are one line on stderr, without a traceback:",
        table(("error", "code", "when"), [(f"`{one.__name__}`", str(one.exit_code), summary(one)) for one in kinds]),
    )


def decisions() -> str:
    """The decisions by their titles, newest last."""
    files = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    titles = [file.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(": ") for file in files]
    rows = [(f"[{number}]({file.name})", title) for file, (number, _, title) in zip(files, titles, strict=True)]
    return page(
        "Decisions",
        "Hard choices, and the reasons for them.",
        table(("number", "decision"), rows),
    )


def main() -> None:
    for path, text in {**pages(), "reference/terminal.md": terminal_page.text()}.items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(text, "utf-8")
        print(f"written: docs/{path}")


if __name__ == "__main__":
    main()
