"""Makes training rows of a table, in the words in which a suite asks. Asks no model and curates nothing.

A row is a chat: the suite's prompt on the row's text, and the answer as the table has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from harness.files import write_atomic
from harness.schema import Case
from harness.suites.prompts import messages
from harness.suites.tables import Hub, TableRow, rows_of
from harness.tabular.import_cases import Bad, filled, refuse_bad

if TYPE_CHECKING:
    from harness.suites.suite import Suite


class RowColumns(Struct, frozen=True, kw_only=True):
    """Which column is what."""

    input: Mapping[str, str]
    """Variables of the suite's prompt, by name."""
    answer: str
    """What is to be answered, word for word."""
    cluster: str | None = None
    """What the row comes from."""

    @property
    def names(self) -> list[str]:
        """Every column that is read."""
        return [*self.input.values(), self.answer, *([self.cluster] if self.cluster else [])]


def write_rows(source: str, folder: Path, columns: RowColumns, hub: Hub, out: Path) -> int:
    """Write a training row for every row of `source`, asked as the suite in `folder` asks; returns their number.

    UserError where a row cannot be one; nothing is written then.
    """
    from harness.scaffold.create import only_suite

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
    """Chats with what they come from; a row that cannot be one goes to `problems` with its line."""
    for row in table:
        try:
            if row.problem:
                raise Bad(row.problem)
            asked = {name: filled(row.cells, column, whole=True) for name, column in columns.input.items()}
            answer = filled(row.cells, columns.answer)
            source = {"cluster": filled(row.cells, columns.cluster)} if columns.cluster else {}
        except Bad as bad:
            problems.append((row.where, str(bad)))
            continue
        chat = messages(suite.template, Case(id=row.where, input=asked, expected=[], cluster=row.where))
        yield {"messages": [*chat, {"role": "assistant", "content": answer}], **source}
