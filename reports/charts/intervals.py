"""Charts of changes with their intervals: rows on one scale, or small multiples side by side.

Marks differ by shape and have a text, so that readers need neither colour nor the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

from harness.sanitize import shown
from reports import number_format, sentences
from reports.charts import svg
from reports.charts.canvas import LONGEST, Look, axes, rule, say, sheet
from reports.model import Block, Intervals, Mark, PlotRow, Tick
from reports.wording import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


READINGS = {
    "better": Look("^", svg.GOOD, True),
    "worse": Look("v", svg.BAD, True),
    "undecided": Look("D", svg.MUTED, False),
}
TEXT = 16
"""Height of a line of text."""
BAR = 15
"""Height of a line that names a gate's threshold."""
FOOT = 24
"""Height of the scale's labels."""
BRIEF = 100
"""Width of a mark's text in a panel."""


class Layout(NamedTuple):
    """Positions of the parts of a row, in units."""

    width: float
    """Width of the chart."""
    left: float
    """Left end of the scale."""
    scale: float
    """Length of the scale."""
    words: float
    """Left end of a mark's text."""
    step: float
    """Distance from one mark to the next."""
    named: float
    """Height of the label above the marks; 0 where it is next to them."""
    below: float
    """Distance from a mark down to its text; 0 where the text is next to it."""


WIDE = Layout(width=940, left=240, scale=450, words=708, step=24, named=0, below=0)
NARROW = Layout(width=324, left=15, scale=292, words=0, step=40, named=38, below=17)
PAD = 14


def rows(plot: Intervals, narrow: bool) -> Figure:
    """Draw rows of marks on one scale: labels on the left and text on the right, or each on lines of its own."""
    own = NARROW if narrow else WIDE
    heights = [_height(row, own) for row in plot.rows]
    head = 26
    figure = sheet(own.width, head + sum(heights) + FOOT + (TEXT if plot.unit else 0))
    scale = axes(figure, own.left, head, own.scale, sum(heights))
    _scale(scale, plot)
    top = 0.0
    for row, height in zip(plot.rows, heights, strict=True):
        rule(figure, head + top)
        _bars(figure, scale, plot, row, head, (top + own.named, top + height), own)
        _row(figure, scale, plot, row, head, top, own)
        top += height
    rule(figure, head + top)
    say(figure, own.left, head + top + FOOT + TEXT / 2, plot.unit, svg.MUTED, 11)
    return figure


def panels(plot: Intervals, narrow: bool) -> Figure:
    """Draw small multiples: one panel per metric, one line per label, on the same scale.

    In a narrow chart, label and text are above the mark.
    """
    names = list(dict.fromkeys(row.panel for row in plot.rows))
    labels = list(dict.fromkeys(row.label for row in plot.rows))
    rank = 1 if narrow else min(2, len(names))
    width, labelled, line, head = (NARROW.width, 0, NARROW.step, 50) if narrow else (WIDE.width, 176, 24, 50)
    each = (width - labelled) / rank
    height = line * len(labels) + 8
    own, marked = (10, 28) if narrow else (line / 2, line / 2)
    ranks = [names[i : i + rank] for i in range(0, len(names), rank)]
    figure = sheet(width, (head + height + FOOT + 10) * len(ranks) + TEXT)
    for number, some in enumerate(ranks):
        top = (head + height + FOOT + 10) * number + head
        for place, label in enumerate(labels):
            say(figure, 0, top + 4 + line * place + own, shortened(label, 32 if narrow else 24), over=narrow)
            rule(figure, top + 4 + line * place)
        for column, name in enumerate(some):
            left = labelled + each * column
            say(figure, left, top - 34, shortened(name, 34), bold=True)
            ends = (NARROW.left, NARROW.scale) if narrow else (left + 8, each - BRIEF - 20)
            scale = axes(figure, ends[0], top, ends[1], height)
            _scale(scale, plot)
            for row in (row for row in plot.rows if row.panel == name):
                y = 4 + line * labels.index(row.label)
                for mark in row.marks:
                    look = _mark(scale, plot, mark, y + marked, small=True)
                    words = left + each - (0 if narrow else BRIEF)
                    side = "right" if narrow else "left"
                    say(figure, words, top + y + own, mark.brief, look.colour, 11, look.full, side, over=narrow)
        rule(figure, top + 4 + line * len(labels))
    say(figure, labelled, (head + height + FOOT + 10) * len(ranks), plot.unit, svg.MUTED, 11)
    return figure


def _scale(scale: Axes, plot: Intervals) -> None:
    """Draw the horizontal scale with its grid; 0 is emphasised and each side is labelled."""
    low, high = plot.ticks[0].at, plot.ticks[-1].at
    scale.set_xlim(low, high)
    scale.set_xticks([tick.at for tick in plot.ticks], [shown(tick.text) for tick in plot.ticks])
    scale.grid(axis="x", color=svg.GRID, linewidth=1)
    scale.axvline(0, color=svg.MUTED, linewidth=1.5)
    for end, side, away, room in zip(plot.ends, ("right", "left"), (-9, 9), (-low, high), strict=True):
        if end and room > 0.15 * (high - low):
            scale.annotate(
                shown(end),
                (0, 1),
                (away, 9),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha=side,
                fontsize=11,
                color=svg.MUTED,
            )


def _height(row: PlotRow, own: Layout) -> float:
    marks = own.step * len(row.marks)
    text_height = 0 if own.below else 2 * TEXT + 4
    return PAD + own.named + max(marks, text_height) + BAR * len(row.bars)


def _row(figure: Figure, scale: Axes, plot: Intervals, row: PlotRow, head: float, top: float, own: Layout) -> None:
    """Draw label, note, marks and text of one row."""
    first = top + PAD / 2 + own.named + BAR * len(row.bars) + (8 if own.below else 12)
    label = head + (top + PAD / 2 + 8 if own.below else first)
    say(figure, 0, label, shortened(row.label, LONGEST), bold=True)
    say(figure, 0, label + TEXT, shortened(row.note, 44), svg.MUTED, 11)
    for number, mark in enumerate(row.marks):
        y = first + own.step * number
        look, at, word = _mark(scale, plot, mark, y), head + y + own.below, sentences.READINGS[mark.reading]
        if own.below:
            say(figure, 0, at, f"{word}: {mark.text}", look.colour, bold=look.full, over=True)
        else:
            say(figure, own.words, at, word, look.colour, bold=True)
            say(figure, own.words, at + TEXT, mark.text, size_=11.5)


def _bars(
    figure: Figure, scale: Axes, plot: Intervals, row: PlotRow, head: float, ends: tuple[float, float], own: Layout
) -> None:
    """Draw the gate thresholds of a row as dashed lines between two heights, with labels."""
    top, bottom = ends
    low, high = plot.ticks[0].at, plot.ticks[-1].at
    for number, bar in enumerate(row.bars):
        at = min(max(bar.at, low), high)
        y = top + PAD / 2 + 4 + BAR * number
        scale.plot([at, at], [y - 6, bottom - 4], "--", color=svg.CAUTION, linewidth=1.5, clip_on=False)
        if own.below:
            say(figure, 0, head + y, f"gate: {bar.text}", svg.CAUTION, 11, over=True)
            continue
        on_left = at > (low + high) / 2
        scale.annotate(
            shown(f"gate: {bar.text}"),
            (at, y),
            (-7 if on_left else 7, 0),
            textcoords="offset points",
            ha="right" if on_left else "left",
            va="center_baseline",
            fontsize=11,
            color=svg.CAUTION,
        )


def _mark(scale: Axes, plot: Intervals, mark: Mark, y: float, small: bool = False) -> Look:
    """Draw a value with its interval, clipped to the ends of the scale."""
    look = READINGS[mark.reading]
    ends = plot.ticks[0].at, plot.ticks[-1].at
    low, at, high = (min(max(x, ends[0]), ends[1]) for x in (mark.low, mark.value, mark.high))
    scale.errorbar(
        [at],
        [y],
        xerr=[[max(at - low, 0.0)], [max(high - at, 0.0)]],
        fmt=look.shape,
        color=look.colour,
        markerfacecolor=look.colour if look.full else svg.PAPER,
        markeredgewidth=1.8,
        markersize=7 if small else 9,
        elinewidth=2,
        capsize=3 if small else 4,
        capthick=2,
        clip_on=False,
    )
    return look


STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 7


def changes_plot(name: str, title: str, rows: list[PlotRow], twin: str) -> list[Block]:
    """Return a chart of changes in points, mirrored where needed so that right is better; nothing without rows."""
    plot = Intervals(
        id=name,
        title=title,
        ticks=turned_ticks(rows),
        unit="Improvement in percentage points; right is better",
        ends=("◀ worse", "better ▶"),
        rows=rows,
        twin=twin,
    )
    return [plot] if rows else []


def turned_ticks(rows: Sequence[PlotRow]) -> list[Tick]:
    """Return signed ticks of percentage points from the lowest to the highest end of these marks and bars, with 0."""
    marks = [end for row in rows for mark in row.marks for end in (mark.low, mark.high)]
    ends = [0.0, *marks, *(bar.at for row in rows for bar in row.bars)]
    low, high = min(ends), max(ends)
    step = next((s for s in STEPS if floor(high / s) - floor(low / s) < MOST_TICKS - 1), 0.5)
    first = floor(low / step)
    places = range(first, max(ceil(high / step), first + 1) + 1)
    return [
        Tick(at=at, text=number_format.tick(at, "points")) for at in (number_format.clean(n * step) for n in places)
    ]
