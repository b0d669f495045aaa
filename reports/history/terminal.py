"""Past runs as a table for terminals, and as aligned lines for everything else. Knows no file.

Text is put into rich as plain `Text`, so that markup and control characters in it do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.runs.history import BROKEN, PastRun
from harness.sanitize import shown
from reports import number_format, wording
from reports.render.terminal import STYLES
from reports.run_data import FIRST_VARIANTS

COLUMNS = ("run", "kind", "status", "outcome", "gates", "checkpoints", "suites")
OUTCOME = COLUMNS.index("outcome")


STATUS = {"not sealed": "finished, not sealed", "changed": "changed after sealing"}


def status(run: PastRun) -> str:
    """How a run ended, and whether its folder is as it was sealed."""
    return STATUS.get(run.status, run.status)


def outcome(run: PastRun) -> str:
    """What the gates of an evaluation came to, in capitals; a dash for what has none."""
    return wording.outcome(run.outcome) if run.kind == "eval" else number_format.DASH


def checkpoints(run: PastRun) -> str:
    """`baseline vs tuned`, and any other variant after them."""
    known = [v for v in FIRST_VARIANTS if v in run.models]
    return " vs ".join(run.models[v].name for v in [*known, *sorted(set(run.models) - set(known))])


def row(run: PastRun) -> tuple[str, ...]:
    """One cell a column, each one line without hidden characters; why a folder cannot be read stands last."""
    last = run.problem or ", ".join(suite.name for suite in run.suites)
    cells = (run.name, run.kind, status(run), outcome(run), wording.outcomes(run.counts), checkpoints(run), last)
    return tuple(" ".join(shown(cell or number_format.DASH).split()) for cell in cells)


def lines(runs: Sequence[PastRun]) -> list[str]:
    """The table as aligned lines under a heading."""
    rows = [COLUMNS, *map(row, runs)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]


def table(runs: Sequence[PastRun]) -> Table:
    """The table for a terminal: a name is never cut, an outcome has its colour."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in COLUMNS:
        made.add_column(heading, overflow="fold", no_wrap=heading in ("run", "kind"))
    for run in runs:
        styles = [""] * len(COLUMNS)
        if run.kind == "eval":
            styles[OUTCOME] = STYLES[run.outcome]
        if run.status == BROKEN:
            styles = ["dim"] * len(COLUMNS)
        made.add_row(*(Text(cell, style=style) for cell, style in zip(row(run), styles, strict=True)))
    return made


def show(runs: Sequence[PastRun]) -> None:
    """Print the table to standard output."""
    Console().print(table(runs))
