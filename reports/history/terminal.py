"""Past runs as a table for terminals, and as aligned lines for everything else.

Text is passed to rich as plain `Text`, so that markup and control characters in it have no effect.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
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
    """Say how a run ended, and whether its folder changed after sealing."""
    return STATUS.get(run.status, run.status)


def outcome(run: PastRun) -> str:
    """Return the combined outcome of an evaluation's gates, in capitals; a dash for other runs."""
    return wording.outcome(run.outcome, run.no_merge) if run.kind == "eval" else number_format.DASH


def badge(run: PastRun) -> str:
    """Return the outcome by which to colour a run: none where its gates passed and it approves no merge."""
    return wording.tone(run.outcome, run.no_merge) if run.kind == "eval" else ""


def checkpoints(run: PastRun) -> str:
    """Name the checkpoints: `baseline vs tuned`, then any other variant."""
    known = [v for v in FIRST_VARIANTS if v in run.models]
    return " vs ".join(run.models[v].name for v in [*known, *sorted(set(run.models) - set(known))])


def row(run: PastRun) -> tuple[str, ...]:
    """Return one cell per column, each one line without hidden characters; the last may be why a run is unreadable."""
    last = run.problem or ", ".join(suite.name for suite in run.suites)
    cells = (run.name, run.kind, status(run), outcome(run), wording.outcomes(run.counts), checkpoints(run), last)
    return tuple(" ".join(shown(cell or number_format.DASH).split()) for cell in cells)


def lines(runs: Sequence[PastRun]) -> list[str]:
    """Format the table as aligned lines under a heading."""
    rows = [COLUMNS, *map(row, runs)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]


def table(runs: Sequence[PastRun], width: int) -> RenderableType:
    """Build the table for a terminal: names are never truncated, outcomes are coloured.

    Where its rows do not fit into `width`, gates, checkpoints and suites are on lines of their own below each run.
    """
    rows = [row(run) for run in runs]
    if max(map(len, lines(runs))) > width:
        return _stacked(runs, rows)
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in COLUMNS:
        grid.add_column(heading, no_wrap=True)
    for run, cells in zip(runs, rows, strict=True):
        grid.add_row(*map(Text, cells, _styles(run)))
    return grid


def _stacked(runs: Sequence[PastRun], rows: Sequence[Sequence[str]]) -> Group:
    short = len(COLUMNS[: OUTCOME + 1])
    widths = [max(len(cells[at]) for cells in (COLUMNS, *rows)) for at in range(short)]
    parts: list[RenderableType] = [_line(COLUMNS, widths, ["dim"] * short)]
    for run, cells in zip(runs, rows, strict=True):
        parts.append(_line(cells, widths, _styles(run)))
        below = [Text(cell, style) for cell, style in zip(cells[short:], _styles(run)[short:], strict=True)]
        parts += [Padding(text, (0, 0, 0, 2)) for text in below if text.plain != number_format.DASH]
    return Group(*parts)


def _line(cells: Sequence[str], widths: Sequence[int], styles: Sequence[str]) -> Text:
    padded = [Text(cell.ljust(width), style) for cell, width, style in zip(cells, widths, styles, strict=False)]
    return Text("  ").join(padded)


def _styles(run: PastRun) -> list[str]:
    """Return a style for each column."""
    if run.status == BROKEN:
        return ["dim"] * len(COLUMNS)
    return [STYLES.get(badge(run), "") if at == OUTCOME else "" for at in range(len(COLUMNS))]


def show(runs: Sequence[PastRun]) -> None:
    """Print the table to standard output."""
    console = Console()
    console.print(table(runs, console.width))
