"""The fact sheets and letters of the suite: text, facts and tasks, read from `texts/train` and `texts/test`.

`ID.txt` is the sheet in its own layout. `ID.toml` next to it lists every figure as a row of entity, period, metric,
unit and value, the statements that must go with a report of it, and tasks with right answers.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from harness.errors import UserError
from harness.files import read_with_sidecar
from harness.scoring.finance.fact_sheet import read_sheet
from harness.scoring.text.quantities import figures_in

FOLDER = Path(__file__).with_name("texts")
SPLITS = ("train", "test")
EXPECTED = "Expected a sheet ID.txt with its facts and tasks in ID.toml"
LOOKED_UP = ("date", "duration")
"""Kinds of figures that the facts do not list: a date or span of time may be stated if the text has it."""


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked about a sheet, with a right answer; `absent` is a metric that is asked for and not reported."""

    kind: Literal["paragraph", "question", "comparison", "not reported"]
    ask: str
    answer: str
    absent: str = ""


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sidecar of a sheet holds."""

    layout: str
    fund: str
    facts: str
    """A table in the format of `harness.scoring.finance.fact_sheet`."""
    statements: tuple[tuple[str, ...], ...]
    """Wordings of each statement that must go with a report."""
    tasks: tuple[Task, ...]


class Sheet(NamedTuple):
    """One fact sheet or letter."""

    id: str
    text: str
    sidecar: Sidecar
    facts: str
    """What the scorer reads: the facts, the required statements, and the dates and spans of time in the text."""


@cache
def sheets(split: str) -> tuple[Sheet, ...]:
    """Read the sheets of `train` or `test`, by id. Raises UserError for a sidecar that cannot be used."""
    return tuple(read_file(file) for file in sorted((FOLDER / split).glob("*.txt")))


def read_file(file: Path) -> Sheet:
    """Read one sheet and its sidecar. Raises UserError with every fault of the sidecar, one a line."""
    text, sidecar = read_with_sidecar(file, Sidecar, EXPECTED)
    mixed = [task for task in sidecar.tasks if bool(task.absent) != (task.kind == "not reported")]
    if mixed:
        raise UserError("\n".join(f"{file}: task of kind {t.kind!r} with absent = {t.absent!r}" for t in mixed))
    facts = "\n".join([sidecar.facts.strip(), *_statements(sidecar), *_looked_up(text)])
    try:
        read_sheet(facts)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    return Sheet(file.stem, text, sidecar, facts)


def _statements(sidecar: Sidecar) -> Iterator[str]:
    if sidecar.statements:
        yield "Required statements, in either wording:"
    yield from (f"- {' / '.join(wordings)}" for wordings in sidecar.statements)


def _looked_up(text: str) -> Iterator[str]:
    figures = [text[figure.start : figure.end] for figure in figures_in(text) if figure.kind in LOOKED_UP]
    if figures:
        yield f"Dates and spans of time: {'; '.join(' '.join(figure.split()) for figure in dict.fromkeys(figures))}"
