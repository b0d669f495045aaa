"""What a training run recorded, in the order of a reader's questions: result, tests on the way, data, settings.

What nobody foresaw here stands under the settings, so that nothing recorded is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from harness.schema import Estimate
from reports import figures, words
from reports.model import Block, Cell, Facts, Table, Tone

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


def blocks(record: Mapping[str, Any]) -> Iterator[Block]:
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
    return Cell(text=figures.percent(value)) if last == "mfu" else figures.setting(value, last)


def _asked(record: Mapping[str, Any]) -> Iterator[Block]:
    """What was asked while it learnt, of the base model and of the kept adapter."""
    forgetting = record.get("forgetting") or {}
    rows = []
    for use, asked in (("validation cases", record.get("selection")), ("general cases", forgetting.get("cases"))):
        if asked:
            note = f"{words.count(asked['cases'], 'case')} of {asked['suite']}, {use}"
            head = Cell(text=words.title(asked["metric"]), note=note)
            rows.append([head, _measured(asked["before"]), _measured(asked["best"])])
    if forgetting.get("before") is not None and forgetting.get("after") is not None:
        losses = [Cell(text=figures.exact(forgetting[when])) for when in ("before", "after")]
        rows.append([Cell(text="Loss on general text", note="nats per token; a rise is forgetting"), *losses])
    if rows:
        columns = ["", "Base model", "Kept adapter"]
        yield Table(caption="What it was asked while it learnt", columns=columns, rows=rows, numeric=[1, 2])


def _measured(found: Mapping[str, Any] | None) -> Cell:
    if found is None or found.get("value") is None:
        return Cell(text=figures.NOT_MEASURED, tone="muted")
    seen = msgspec.convert(found, Estimate, strict=False)
    return Cell(text=figures.number(found["value"]), note=figures.interval(seen, "number"), estimate=seen)


def _data(record: Mapping[str, Any]) -> Iterator[Block]:
    """The files it learnt from with their data cards, how much was in them, and whether a test leaked into them."""
    files = [(use, file) for use, some in (record.get("data") or {}).items() for file in some]
    if files:
        rows = [_file(use, file) for use, file in files]
        columns = ["File", "Use", "Rows", "SHA-256", "Data card"]
        yield Table(caption="Training data", columns=columns, rows=rows, numeric=[2])
    uses = [use for use in ("train", "validation") if record.get(use)]
    sizes = [
        [Cell(text=title), *(figures.setting(record[use].get(key)) for use in uses)]
        for title, key in SIZES
        if any(record[use].get(key) is not None for use in uses)
    ]
    if sizes:
        columns = ["", *map(words.title, uses)]
        yield Table(caption="What was in the rows", columns=columns, rows=sizes, numeric=list(range(1, len(columns))))
    if leaks := record.get("contamination"):
        yield Facts(caption="Text of test cases among the rows", pairs=list(_leaks(leaks)))


def _file(use: str, file: Mapping[str, Any]) -> list[Cell]:
    card = file.get("card")
    name = PurePath(file["file"])
    return [
        Cell(text=name.name, note=str(name.parent), code=True),
        Cell(text=words.title(use)),
        figures.setting(file.get("rows")),
        Cell(text=figures.short(file.get("sha256")), code=True),
        Cell(text=card, code=True) if card else Cell(text=figures.DASH, note=NO_CARD, tone="caution"),
    ]


def _leaks(found: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    rows = found.get("rows")
    tone: Tone = "good" if rows == 0 else "bad"
    yield "Rows with such text", Cell(text=figures.setting(rows).text, note="" if rows else CLEAN, tone=tone)
    yield "Cases looked for", figures.setting(found.get("cases"))
    if suites := found.get("suites"):
        yield "Of the suites", Cell(text=words.listing(suites))
    if found.get("allowed"):
        yield "Allowed because", Cell(text=str(found["allowed"]), tone="caution")


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Cell]]:
    """Nested settings, names joined, in their own order; what was left empty is left out."""
    for key, found in record.items():
        name = f"{prefix}{key}"
        if isinstance(found, Mapping):
            yield from flat(found, f"{name} / ")
        elif found not in (None, "", [], ()):
            yield words.title(name), figures.setting(found, key)
