"""Make training rows of a table, with the prompts of a suite.

A row is a chat: the suite's prompt for the row's text, and the answer from the table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import write_atomic
from harness.schema import Case
from harness.suites.prompts import messages
from harness.suites.tables import Hub, TableRow, parted, rows_of
from harness.tabular.import_cases import InputColumns, filled, inputs_of, refuse_bad, usable


class RowColumns(InputColumns, frozen=True, kw_only=True):
    """The columns of the parts of a training row."""

    answer: str
    """The expected answer."""
    cluster: str | None = None
    """The row's cluster."""

    @property
    def names(self) -> list[str]:
        """All columns that are read."""
        return [*self.input.values(), *self.files.values(), self.answer, *([self.cluster] if self.cluster else [])]


def write_rows(source: str, folder: Path, columns: RowColumns, hub: Hub, out: Path) -> int:
    """Write a training row for every row of `source`, with the prompt of the suite in `folder`; return their number.

    Raises UserError for invalid rows or none, and where `out` is `source`; nothing is written then.
    """
    from harness.scaffold.create import only_suite

    if out.resolve() == Path(parted(source)[0]).resolve():
        raise UserError(f"--out {out}: is the table itself, which would be lost. Name another file")
    suite = only_suite(folder)

    def make(row: TableRow) -> dict[str, Any]:
        """Make a chat with its cluster."""
        prompt_input = inputs_of(row.cells, columns)
        answer = filled(row.cells, columns.answer)
        by_source = {"cluster": filled(row.cells, columns.cluster)} if columns.cluster else {}
        chat = messages(suite.template, Case(id=row.where, input=prompt_input, expected=[], cluster=row.where))
        return {"messages": [*chat, {"role": "assistant", "content": answer}], **by_source}

    problems: list[tuple[str, str]] = []
    rows = usable(rows_of(source, columns.names, hub), make, problems)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    refuse_bad(source, problems, len(lines), "cannot be training rows, and nothing was written")
    if not lines:
        raise UserError(f"{source}: has no rows, and nothing was written. Expected one per example")
    write_atomic(out, "".join(f"{line}\n" for line in lines), "Name another file with --out")
    return len(lines)
