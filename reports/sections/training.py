"""How the tuned model was trained: what its curves show, then what the run recorded of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from harness.schema import Estimate
from reports import number_format, wording
from reports.model import Block, Cell, Curve, Facts, Line, Section, Table, Text, Tone
from reports.run_data import RunView

RESULT = (
    ("Steps", "steps"),
    ("Steps planned", "steps_planned"),
    ("Stopped early", "stopped_early"),
    ("Kept step", "best_step"),
    ("Chosen by", "chosen_by"),
    ("Lowest validation loss (nats per token)", "best_validation_loss"),
    ("Trained parameters", "trainable_parameters"),
    ("Device", "device"),
    ("Data type", "dtype"),
    ("Wall time", "wall_s"),
    ("Processor time", "cpu_s"),
    ("Peak memory (MiB)", "peak_memory_mib"),
    ("Tokens per second", "rates.tokens_per_s"),
    ("Answer tokens per second", "rates.answer_tokens_per_s"),
    ("Arithmetic (TFLOP per second)", "rates.tflops_per_s"),
    ("Share of the device's peak", "rates.mfu"),
)
"""What came of it, and where the record says so."""
SIZES = (
    ("Rows", "rows"),
    ("Tokens", "tokens"),
    ("Tokens of answers", "answer_tokens"),
    ("Rows that were cut", "rows_cut"),
    ("Tokens that were cut", "tokens_cut"),
)
TOLD = ("name", "fingerprint", "data", "train", "validation", "contamination", "selection", "forgetting")
"""Parts of the record that are shown by themselves; the fingerprint repeats the settings."""
NO_CARD = "no data card lies beside it"
CLEAN = "no row holds text of a suite's case"


def record_blocks(record: Mapping[str, Any]) -> Iterator[Block]:
    """Every part that the record has."""
    result = [(title, cell) for title, key in RESULT if (cell := _at(record, key)) is not None]
    if result:
        yield Facts(caption="What came of it", pairs=result)
    yield from _asked(record)
    yield from _data(record)
    shown = {key.split(".")[0] for _, key in RESULT} | set(TOLD)
    rest = {key: value for key, value in record.items() if key not in shown}
    yield Facts(caption="Settings and files", pairs=list(flat(rest)))


def _at(record: Mapping[str, Any], key: str) -> Cell | None:
    """One recorded value, or None where there is none."""
    *above, last = key.split(".")
    found: Any = record
    for name in above:
        found = found.get(name) or {}
    value = found.get(last)
    if value is None:
        return None
    return Cell(text=number_format.percent(value)) if last == "mfu" else number_format.setting(value, last)


def _asked(record: Mapping[str, Any]) -> Iterator[Block]:
    """What was asked while it learnt, of the base model and of the kept adapter."""
    forgetting = record.get("forgetting") or {}
    rows = []
    for use, asked in (("validation cases", record.get("selection")), ("general cases", forgetting.get("cases"))):
        if asked:
            note = f"{wording.count(asked['cases'], 'case')} of {asked['suite']}, {use}"
            head = Cell(text=wording.title(asked["metric"]), note=note)
            rows.append([head, _measured(asked["before"]), _measured(asked["best"])])
    if forgetting.get("before") is not None and forgetting.get("after") is not None:
        losses = [Cell(text=number_format.exact(forgetting[when])) for when in ("before", "after")]
        rows.append([Cell(text="Loss on general text", note="nats per token; a rise is forgetting"), *losses])
    if rows:
        columns = ["", "Base model", "Kept adapter"]
        yield Table(caption="What it was asked while it learnt", columns=columns, rows=rows, numeric=[1, 2])


def _measured(found: Mapping[str, Any] | None) -> Cell:
    if found is None or found.get("value") is None:
        return Cell(text=number_format.NOT_MEASURED, tone="muted")
    seen = msgspec.convert(found, Estimate, strict=False)
    return Cell(text=number_format.number(found["value"]), note=number_format.interval(seen, "number"), estimate=seen)


def _data(record: Mapping[str, Any]) -> Iterator[Block]:
    """The files it learnt from with their data cards, how much was in them, and whether a test leaked into them."""
    files = [(use, file) for use, some in (record.get("data") or {}).items() for file in some]
    if files:
        rows = [_file(use, file) for use, file in files]
        columns = ["File", "Use", "Rows", "SHA-256", "Data card"]
        yield Table(caption="Training data", columns=columns, rows=rows, numeric=[2])
    uses = [use for use in ("train", "validation") if record.get(use)]
    sizes = [
        [Cell(text=title), *(number_format.setting(record[use].get(key)) for use in uses)]
        for title, key in SIZES
        if any(record[use].get(key) is not None for use in uses)
    ]
    if sizes:
        columns = ["", *map(wording.title, uses)]
        yield Table(caption="What was in the rows", columns=columns, rows=sizes, numeric=list(range(1, len(columns))))
    if leaks := record.get("contamination"):
        yield Facts(caption="Text of test cases among the rows", pairs=list(_leaks(leaks)))


def _file(use: str, file: Mapping[str, Any]) -> list[Cell]:
    card = file.get("card")
    name = PurePath(file["file"])
    return [
        Cell(text=name.name, note=str(name.parent), code=True),
        Cell(text=wording.title(use)),
        number_format.setting(file.get("rows")),
        Cell(text=number_format.short(file.get("sha256")), code=True),
        Cell(text=card, code=True) if card else Cell(text=number_format.DASH, note=NO_CARD, tone="caution"),
    ]


def _leaks(found: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    rows = found.get("rows")
    tone: Tone = "good" if rows == 0 else "bad"
    yield "Rows with such text", Cell(text=number_format.setting(rows).text, note="" if rows else CLEAN, tone=tone)
    yield "Cases looked for", number_format.setting(found.get("cases"))
    if suites := found.get("suites"):
        yield "Of the suites", Cell(text=wording.listing(suites))
    if found.get("allowed"):
        yield "Allowed because", Cell(text=str(found["allowed"]), tone="caution")


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Cell]]:
    """Nested settings, names joined, in their own order; what was left empty is left out."""
    for key, found in record.items():
        name = f"{prefix}{key}"
        if isinstance(found, Mapping):
            yield from flat(found, f"{name} / ")
        elif found not in (None, "", [], ()):
            yield wording.title(name), number_format.setting(found, key)


GENERAL = "Loss on general text"
LOSSES = (("loss", "Training loss"), ("general_loss", GENERAL), ("validation_loss", "Validation loss"))
METRICS = (("task_metric", "Task metric on validation cases"), ("general_metric", "Metric on general cases"))
MOST_ROWS = 40


def section(evidence: RunView) -> Section:
    training = evidence.training
    if training is None:
        said = "No training run was given to this report"
        parent = evidence.run.manifest.parent_run_id
        said += f"; the adapter comes from run {parent}." if parent else "."
        return Section(id="training", title="Training", lead=said)
    record = dict(training.manifest.training or {})
    blocks: list[Block] = _diagnosis(record.pop("diagnosis", None))
    losses = _lines(training.train_log, LOSSES)
    if losses:
        blocks.append(_curve("training-curve", "Loss by training step", "Loss (nats per token)", losses))
        learnt = [line for line in losses if line.name != GENERAL]
        blocks += [Text(text=f"Lowest {x.name.lower()}: {number_format.lowest(x.points)}.") for x in learnt[-1:]]
    else:
        blocks.append(Text(text="The training run kept no losses.", tone="caution"))
    if metrics := _lines(training.train_log, METRICS):
        blocks.append(_curve("task-curve", "Answers by training step; step 0 is the base model", "Metric", metrics))
    blocks += record_blocks(record)
    lead = f"Training run {training.manifest.run_id}, {training.manifest.status}."
    return Section(id="training", title="Training", lead=lead, blocks=blocks)


def _diagnosis(found: dict[str, Any] | None) -> list[Block]:
    """What the curves show, the numbers that say so and the next change; nothing where the run was not diagnosed."""
    if found is None:
        return []
    tone: Tone = "good" if found["name"] == "healthy" else "caution"
    also = [("Also", Cell(text=wording.listing(found["also"])))] if found["also"] else []
    pairs = [
        ("Diagnosis", Cell(text=found["name"], tone=tone)),
        ("Because", Cell(text=found["evidence"])),
        ("Next change", Cell(text=found["change"])),
        *also,
    ]
    return [Facts(caption="What the curves show", pairs=pairs)]


def _lines(log: list[dict[str, Any]], wanted: tuple[tuple[str, str], ...]) -> list[Line]:
    lines = [_line(log, key, name) for key, name in wanted]
    return [line for line in lines if line.points]


def _line(log: list[dict[str, Any]], key: str, name: str) -> Line:
    found = [(row["step"], number_format.finite(row[key])) for row in log if "step" in row and row.get(key) is not None]
    return Line(name=name, points=[(float(step), value) for step, value in found if value is not None])


def _curve(name: str, title: str, y: str, lines: list[Line]) -> Curve:
    steps = sorted({step for line in lines for step, _ in line.points})
    kept = _thinned(steps, {step for line in lines[1:] for step, _ in line.points})
    at = [dict(line.points) for line in lines]
    rows = [
        [
            Cell(text=number_format.number(step)),
            *(
                Cell(text=number_format.exact(v) if (v := found.get(step)) is not None else number_format.DASH)
                for found in at
            ),
        ]
        for step in kept
    ]
    twin = Table(
        caption=f"{title}, as numbers",
        columns=["Step", *(line.name for line in lines)],
        rows=rows,
        numeric=list(range(len(lines) + 1)),
        note=wording.shown_of("step", len(kept), len(steps)) + ".",
    )
    return Curve(
        id=name,
        title=title,
        x="Step",
        y=y,
        lines=lines,
        twin=twin,
    )


def _thinned(steps: list[float], wanted: set[float]) -> list[float]:
    """At most about 40 steps, evenly spread, with the last step and every step of a later line."""
    every = max(1, len(steps) // MOST_ROWS)
    return [s for i, s in enumerate(steps) if i % every == 0 or s in wanted or i == len(steps) - 1]
