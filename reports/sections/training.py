"""How the tuned model was trained: what its curves show, then what the run recorded of it."""

from __future__ import annotations

from typing import Any

from reports import figures, words
from reports.evidence import Evidence
from reports.model import Block, Cell, Curve, Facts, Line, Section, Table, Text, Tone
from reports.sections import training_record

GENERAL = "Loss on general text"
LOSSES = (("loss", "Training loss"), ("general_loss", GENERAL), ("validation_loss", "Validation loss"))
METRICS = (("task_metric", "Task metric on validation cases"), ("general_metric", "Metric on general cases"))
MOST_ROWS = 40


def section(evidence: Evidence) -> Section:
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
        blocks += [Text(text=f"Lowest {x.name.lower()}: {figures.lowest(x.points)}.") for x in learnt[-1:]]
    else:
        blocks.append(Text(text="The training run kept no losses.", tone="caution"))
    if metrics := _lines(training.train_log, METRICS):
        blocks.append(_curve("task-curve", "Answers by training step; step 0 is the base model", "Metric", metrics))
    blocks += training_record.blocks(record)
    lead = f"Training run {training.manifest.run_id}, {training.manifest.status}."
    return Section(id="training", title="Training", lead=lead, blocks=blocks)


def _diagnosis(found: dict[str, Any] | None) -> list[Block]:
    """What the curves show, the numbers that say so and the next change; nothing where the run was not diagnosed."""
    if found is None:
        return []
    tone: Tone = "good" if found["name"] == "healthy" else "caution"
    also = [("Also", Cell(text=words.listing(found["also"])))] if found["also"] else []
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
    found = [(row["step"], figures.finite(row[key])) for row in log if "step" in row and row.get(key) is not None]
    return Line(name=name, points=[(float(step), value) for step, value in found if value is not None])


def _curve(name: str, title: str, y: str, lines: list[Line]) -> Curve:
    steps = sorted({step for line in lines for step, _ in line.points})
    kept = _thinned(steps, {step for line in lines[1:] for step, _ in line.points})
    at = [dict(line.points) for line in lines]
    rows = [
        [
            Cell(text=figures.number(step)),
            *(Cell(text=figures.exact(v) if (v := found.get(step)) is not None else figures.DASH) for found in at),
        ]
        for step in kept
    ]
    twin = Table(
        caption=f"{title}, as numbers",
        columns=["Step", *(line.name for line in lines)],
        rows=rows,
        numeric=list(range(len(lines) + 1)),
        note=words.shown_of("step", len(kept), len(steps)) + ".",
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
