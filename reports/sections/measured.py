"""Tables of measured numbers: of one task shape each. Knows no metric and no layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import UserError
from harness.schema import SuiteInfo
from reports import words
from reports.model import Cell, Table


def table(rows: Sequence[tuple[SuiteInfo, list[Cell]]], **named: Any) -> Table:
    """A table whose rows hold numbers of the suites named beside them.

    Raises UserError where the suites are of two task shapes: finding a clause in a whole contract and knowing one that
    is given are two skills, and a table is read as a comparison.
    """
    shapes = dict.fromkeys(suite.shape for suite, _ in rows)
    if len(shapes) > 1:
        raise UserError(
            f"one table would hold numbers of the task shapes {words.listing(shapes)}; give each shape its own table"
        )
    return Table(rows=[cells for _, cells in rows], **named)
