"""Read answers from the rows of a CSV, Excel or Parquet table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.answer_logs.logged import LoggedAnswer
from harness.errors import UserError
from harness.files import shown_path
from harness.suites.tables import Hub, as_shown, rows_of

NAMED = ("id", "answer", "model", "repeat", "error")
"""Columns with a meaning of their own; the cells of all others may be the prompt, or inputs of the case."""


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the answer of each row. Raises UserError for a row that cannot be read, as it may hold several answers."""
    for row in rows_of(str(path), (), Hub(), NAMED):
        if row.problem:
            raise UserError(f"{shown_path(path)}: {row.where}: {row.problem}")
        if "answer" not in row.cells:
            raise UserError(
                f"{shown_path(path)}: no column 'answer'. It has: {', '.join(map(repr, row.cells))}. Expected a column "
                "'answer' and a column 'id', or the prompt or all inputs in columns of any name"
            )
        cells = {name: "" if value is None else str(as_shown(value)) for name, value in row.cells.items()}
        repeat = cells.get("repeat", "").strip() or "1"
        if not (repeat.isdecimal() and int(repeat)):
            raise UserError(f"{shown_path(path)}: {row.where}: repeat is {repeat!r}, expected 1 for the first answer")
        yield LoggedAnswer(
            where=row.where,
            text=cells["answer"],
            ids=(cells["id"].strip(),) if cells.get("id", "").strip() else (),
            prompts=tuple(text for name, text in cells.items() if name not in NAMED and text.strip()),
            model=cells.get("model", "").strip(),
            repeat=int(repeat),
            error=cells.get("error", "").strip(),
        )
