"""Section: how the tuned model was trained: its curves, their diagnosis and the training record."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from os.path import normpath
from pathlib import PurePath
from typing import Any

import msgspec

from harness.schema import Estimate, SuiteInfo
from reports import number_format, wording
from reports.model import Block, Cell, Curve, Facts, Line, Section, Table, Text, Tone
from reports.run_data import RunView

RESULT = (
    ("Steps", "steps"),
    ("Steps planned", "steps_planned"),
    ("Stopped early", "stopped_early"),
    ("Saved step", "best_step"),
    ("Chosen by", "chosen_by"),
    ("Lowest validation loss (nats per token)", "best_validation_loss"),
    ("Trained parameters", "trainable_parameters"),
    ("Device", "device"),
    ("Data type", "dtype"),
    ("Wall time", "wall_s"),
    ("CPU time", "cpu_s"),
    ("Peak memory (MiB)", "peak_memory_mib"),
    ("Tokens per second", "rates.tokens_per_s"),
    ("Answer tokens per second", "rates.answer_tokens_per_s"),
    ("Arithmetic (TFLOP per second)", "rates.tflops_per_s"),
    ("Share of the device's peak", "rates.mfu"),
)
"""Rows of the result, and their keys in the record."""
SIZES = (
    ("Rows", "rows"),
    ("Tokens", "tokens"),
    ("Answer tokens", "answer_tokens"),
    ("Truncated rows", "rows_cut"),
    ("Truncated tokens", "tokens_cut"),
)
SHOWN = ("name", "fingerprint", "data", "train", "validation", "contamination", "selection", "forgetting")
"""Parts of the record with a table of their own; the fingerprint repeats the settings."""
NO_CARD = "it has no data card"
CLEAN = "no row contains text of a suite's case"
SUITES_OUTSIDE = re.compile(r"^.*/(?=evalsuites/)")
UNCHECKED = "rows were not compared with any suite"
UNRECORDED = "the base is a merge that does not say what its adapter was trained on"
ONLY_VALIDATION = "rows were compared only with the suites of the validation cases"


def record_blocks(record: Mapping[str, Any], judged: Sequence[SuiteInfo] = ()) -> Iterator[Block]:
    """Build a block for every part of a training record; `judged` are the suites that the model was evaluated on."""
    result = [(title, cell) for title, key in RESULT if (cell := _at(record, key)) is not None]
    if result:
        yield Facts(caption="Result", pairs=result)
    yield from _evaluations(record)
    yield from _data(record, judged)
    shown = {key.split(".")[0] for _, key in RESULT} | set(SHOWN)
    rest = {key: value for key, value in record.items() if key not in shown}
    yield Facts(caption="Settings and files", pairs=list(flat(rest)), folded=True)


def _at(record: Mapping[str, Any], key: str) -> Cell | None:
    """Return one recorded value, or None."""
    *above, last = key.split(".")
    current: Any = record
    for name in above:
        current = current.get(name) or {}
    value = current.get(last)
    if value is None:
        return None
    return Cell(text=number_format.percent(value)) if last == "mfu" else number_format.setting(value, last)


def _evaluations(record: Mapping[str, Any]) -> Iterator[Block]:
    """Tabulate the evaluations during training, of the base model and of the saved adapter."""
    forgetting = record.get("forgetting") or {}
    rows = []
    for use, settings in (("validation cases", record.get("selection")), ("general cases", forgetting.get("cases"))):
        if settings:
            note = f"{wording.count(settings['cases'], 'case')} of {settings['suite']}, {use}"
            head = Cell(text=wording.title(settings["metric"]), note=note)
            rows.append([head, *(_measured(settings, when) for when in ("before", "best"))])
    if forgetting.get("before") is not None and forgetting.get("after") is not None:
        losses = [Cell(text=number_format.exact(forgetting[when])) for when in ("before", "after")]
        rows.append([Cell(text="Loss on general text", note="nats per token; a rise is forgetting"), *losses])
    if rows:
        columns = ["", "Base model", "Saved adapter"]
        yield Table(caption="Evaluations during training", columns=columns, rows=rows, numeric=[1, 2])


def _measured(settings: Mapping[str, Any], when: str) -> Cell:
    metrics = settings[when]
    if metrics is None or metrics.get("value") is None:
        return Cell(text=number_format.NOT_MEASURED, tone="muted")
    seen = msgspec.convert(metrics, Estimate, strict=False)
    return number_format.estimate_cell(seen, "share" if settings.get("is_share") else "number")


def _data(record: Mapping[str, Any], judged: Sequence[SuiteInfo]) -> Iterator[Block]:
    """Tabulate the training files with their data cards, their sizes, and test cases that leaked into them."""
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
        yield Table(
            caption="Size of the training data", columns=columns, rows=sizes, numeric=list(range(1, len(columns)))
        )
    leaks, caption = record.get("contamination"), "Text of test cases in the training data"
    while leaks is not None:
        yield Facts(caption=caption, pairs=list(_leaks(leaks, judged)))
        leaks, caption = leaks.get("base"), f"{caption} of the base"


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


def _leaks(leaks: Mapping[str, Any], judged: Sequence[SuiteInfo]) -> Iterator[tuple[str, Cell]]:
    rows = leaks.get("rows")
    if leaks.get("cases"):
        tone: Tone = "bad" if rows else "caution" if leaks.get("unchecked") else "good"
        note = ONLY_VALIDATION if leaks.get("unchecked") else "" if rows else CLEAN
        yield "Rows with such text", Cell(text=number_format.setting(rows).text, note=note, tone=tone)
    else:
        text, note = ("not known", UNRECORDED) if leaks.get("cases") is None else ("not checked", UNCHECKED)
        yield "Rows with such text", Cell(text=text, note=note, tone="bad")
    yield "Cases checked", number_format.setting(leaks.get("cases"))
    if uncompared := leaks.get("uncompared"):
        yield "Cases too short or too common to be checked", number_format.setting(sum(uncompared.values()))
    if suites := leaks.get("suites"):
        yield "Of the suites", Cell(text=wording.listing(suites))
        compared = Counter(suites) + Counter(leaks.get("uncompared"))
        if others := [suite.name for suite in judged if suite.cases > compared[suite.name]]:
            yield "Suites judged on cases that were not compared", Cell(text=wording.listing(others), tone="caution")
    if missing := leaks.get("missing"):
        yield "Suites that were not compared", Cell(text="; ".join(missing), tone="caution")
    if leaks.get("allowed"):
        yield "Reason to allow it", Cell(text=str(leaks["allowed"]), tone="caution")


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Cell]]:
    """Flatten nested settings in order, joining the names; leave out empty ones."""
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name} / ")
        elif value not in (None, "", [], ()):
            yield wording.title(name), number_format.setting(value, key)


GENERAL = "Loss on general text"
LOSSES = (("loss", "Training loss"), ("general_loss", GENERAL), ("validation_loss", "Validation loss"))
METRICS = (("task_metric", "Task metric on validation cases"), ("general_metric", "Metric on general cases"))
MOST_ROWS = 40


def section(evidence: RunView) -> Section | None:
    training = evidence.training
    if training is None:
        parent = evidence.run.manifest.parent_run_id
        text = f"This report includes no training run; the adapter comes from run {parent}."
        return Section(id="training", title="Training", lead=text) if parent else None
    record = dict(_inside(training.manifest.training or {}))
    blocks: list[Block] = _diagnosis(record.pop("diagnosis", None))
    losses = _lines(training.train_log, LOSSES)
    if losses:
        blocks.append(_curve("training-curve", "Loss by training step", "Loss (nats per token)", losses))
        learnt = [line for line in losses if line.name != GENERAL]
        blocks += [Text(text=f"Lowest {x.name.lower()}: {number_format.lowest(x.points)}.") for x in learnt[-1:]]
    else:
        blocks.append(Text(text="The training run recorded no losses.", tone="caution"))
    if metrics := _lines(training.train_log, METRICS):
        blocks.append(_curve("task-curve", "Answers by training step; step 0 is the base model", "Metric", metrics))
    blocks += record_blocks(record, evidence.run.manifest.suites)
    lead = f"Training run {training.manifest.run_id}, {training.manifest.status}."
    return Section(id="training", title="Training", lead=lead, blocks=blocks)


def _inside(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with paths in the folder that holds the folder of runs, as they are called from there."""
    runs = _at(record, "config.output.dir")
    if runs is None or not PurePath(runs.text).is_absolute():
        return record
    project = f"{normpath(PurePath(runs.text).parent)}/"

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shown(each) for key, each in value.items()}
        if isinstance(value, list):
            return [shown(each) for each in value]
        if not (isinstance(value, str) and value.startswith("/")):
            return value
        path = normpath(value)
        # Suites of another place, such as the installed ones, are named from their folder on.
        return path.removeprefix(project) if path.startswith(project) else SUITES_OUTSIDE.sub("", path)

    return {key: shown(value) for key, value in record.items()}


def _diagnosis(diagnosis: dict[str, Any] | None) -> list[Block]:
    """Build the diagnosis of the curves, its evidence and the next change; empty where there is no diagnosis."""
    if diagnosis is None:
        return []
    tone: Tone = "good" if diagnosis["name"] == "healthy" else "caution"
    also = [("Also", Cell(text=wording.listing(diagnosis["also"])))] if diagnosis["also"] else []
    pairs = [
        ("Diagnosis", Cell(text=diagnosis["name"], tone=tone)),
        ("Evidence", Cell(text=diagnosis["evidence"])),
        ("Next change", Cell(text=diagnosis["change"])),
        *also,
    ]
    return [Facts(caption="What the curves show", pairs=pairs)]


def _lines(log: list[dict[str, Any]], columns: tuple[tuple[str, str], ...]) -> list[Line]:
    """Return a line for each column of the log that has a number."""
    lines = []
    for key, name in columns:
        rows = [row for row in log if "step" in row and row.get(key) is not None and isfinite(row[key])]
        if rows:
            lines.append(Line(name=name, points=[(float(row["step"]), row[key]) for row in rows]))
    return lines


def _curve(name: str, title: str, y: str, lines: list[Line]) -> Curve:
    steps = sorted({step for line in lines for step, _ in line.points})
    shown_steps = _thinned(steps, {step for line in lines[1:] for step, _ in line.points})
    at = [dict(line.points) for line in lines]
    rows = [
        [
            Cell(text=number_format.number(step)),
            *(
                Cell(text=number_format.exact(v) if (v := values.get(step)) is not None else number_format.DASH)
                for values in at
            ),
        ]
        for step in shown_steps
    ]
    twin = Table(
        caption=f"{title}, as numbers",
        columns=["Step", *(line.name for line in lines)],
        rows=rows,
        numeric=list(range(len(lines) + 1)),
        note=wording.shown_of("step", len(shown_steps), len(steps)) + ".",
    )
    return Curve(id=name, title=title, x="Step", y=y, lines=lines, twin=twin)


def _thinned(steps: list[float], required: set[float]) -> list[float]:
    """Return about 40 evenly spaced steps at most, with the last one and every required one."""
    every = max(1, len(steps) // MOST_ROWS)
    return [s for i, s in enumerate(steps) if i % every == 0 or s in required or i == len(steps) - 1]
