"""Make training rows of a table, with the prompts of a suite.

A row is a chat: the suite's prompt for the row's text, and the answer from the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.files import write_atomic
from harness.schema import Case
from harness.suites.prompts import messages
from harness.suites.tables import Hub, TableRow, parted, rows_of
from harness.tabular.import_cases import Bad, InputColumns, filled, inputs_of, refuse_bad

if TYPE_CHECKING:
    from harness.suites.suite import Suite


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

    Raises UserError for invalid rows, and where `out` is `source`; nothing is written then.
    """
    from harness.scaffold.create import only_suite

    if out.resolve() == Path(parted(source)[0]).resolve():
        raise UserError(f"--out {out}: is the table itself, which would be lost. Name another file")
    suite = only_suite(folder)
    problems: list[tuple[str, str]] = []
    lines = [
        json.dumps(row, ensure_ascii=False)
        for row in _rows(rows_of(source, columns.names, hub), columns, suite, problems)
    ]
    refuse_bad(source, problems, len(lines), "cannot be training rows, and nothing was written")
    write_atomic(out, "".join(f"{line}\n" for line in lines), "Name another file with --out")
    return len(lines)


def _rows(
    table: Iterator[TableRow], columns: RowColumns, suite: Suite, problems: list[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """Yield chats with their clusters; an invalid row is added to `problems` with its line."""
    for row in table:
        try:
            if row.problem:
                raise Bad(row.problem)
            prompt_input = inputs_of(row.cells, columns)
            answer = filled(row.cells, columns.answer)
            source = {"cluster": filled(row.cells, columns.cluster)} if columns.cluster else {}
        except Bad as bad:
            problems.append((row.where, str(bad)))
            continue
        chat = messages(suite.template, Case(id=row.where, input=prompt_input, expected=[], cluster=row.where))
        yield {"messages": [*chat, {"role": "assistant", "content": answer}], **source}
