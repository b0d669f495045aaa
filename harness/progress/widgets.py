"""Widgets of the live views. Text is plain `Text`: markup and control characters in it have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.sanitize import shown

BETWEEN = " · "
LEVELS = "▁▂▃▄▅▆▇█"
PLAIN_LEVELS = "_.-~=+*#"


def line(text: str, style: str = "") -> Text:
    """Make one row of the terminal; text that does not fit is cut."""
    return Text(shown(text).replace("\n", " "), style=style, no_wrap=True, overflow="ellipsis")


def flow(facts: Iterable[str], columns: int, style: str = "") -> list[Text]:
    """Arrange facts side by side, in as many rows as they need."""
    rows: list[str] = []
    for fact in filter(None, facts):
        if rows and cell_len(rows[-1] + BETWEEN + fact) <= columns:
            rows[-1] += BETWEEN + fact
        else:
            rows.append(fact)
    return [line(row, style) for row in rows]


def trail(names: Sequence[str], now: int) -> Text:
    """Show the stages in order: done, current, to come."""
    text = line("")
    for place, name in enumerate(names):
        text.append(" > " if place else "", style="dim")
        text.append(name, style="bold" if place == now else "dim" if place < now else "")
    return text


def bar(done: int, total: int, unit: str) -> Table:
    """Make a bar with its numbers next to it."""
    row = Table.grid(padding=(0, 1, 0, 0), expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_row(ProgressBar(total=max(total, 1), completed=done), line(f"{done:,}/{total:,} {unit}"))
    return row


class Sparkline:
    """Numbers as one row of small bars, the latest at the right, as wide as the space."""

    def __init__(self, values: Sequence[float], most: int) -> None:
        self.values, self.most = values, most

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, min(self.most, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        levels = PLAIN_LEVELS if options.ascii_only else LEVELS
        yield Text(spark(self.values, min(self.most, options.max_width), levels), no_wrap=True)


def spark(values: Sequence[float], width: int, levels: str = LEVELS) -> str:
    """Draw all numbers in `width` characters: neighbours are averaged, and the lowest number is the lowest bar."""
    if not values:
        return ""
    groups = min(width, len(values))
    edges = [len(values) * n // groups for n in range(groups + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    step = (high - low) / (len(levels) - 1)
    return "".join(levels[round((mean - low) / step) if step else 0] for mean in means)


MOST = 1024


class Series:
    """Numbers in order; neighbours are averaged once there are too many."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self.last: float | None = None
        self._each = 1
        self._open: list[float] = []

    def add(self, value: float) -> None:
        """Add a number."""
        self.last = value
        self._open.append(value)
        if len(self._open) < self._each:
            return
        self.means.append(sum(self._open) / self._each)
        self._open = []
        if len(self.means) == MOST:
            self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
            self._each *= 2
