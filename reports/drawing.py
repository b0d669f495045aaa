"""Draws interval plots as SVG without any style attribute. Places numbers on a line; words come ready-made.

Marks differ by shape, and each carries its numbers as text, so that neither colour nor sight of the line is needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from harness.visible import shown
from reports import words
from reports.model import Intervals, Mark, PlotRow

WIDTH, LEFT, RIGHT, TEXT_AT = 860, 232, 612, 628
MARK_STEP, ROW_GAP, BAR_STEP, TOP, AXIS = 20, 18, 13, 8, 26
LABEL_LENGTH = 34
"""Most characters of a row's label; the table twin has it whole."""
BASELINE_SHAPE = Markup('<rect class="shape hollow" x="{x0}" y="{y0}" width="9" height="9"/>')
TUNED_SHAPE = Markup('<circle class="shape full" cx="{x}" cy="{y}" r="5.5"/>')
FLOOR_SHAPE = Markup('<path class="shape hollow" d="M{x} {up} L{x1} {down} L{x0} {down} Z"/>')
OTHER_SHAPE = Markup('<path class="shape hollow" d="M{x} {up} L{x1} {y} L{x} {down} L{x0} {y} Z"/>')
SHAPES = {"baseline": BASELINE_SHAPE, "tuned": TUNED_SHAPE, "change": TUNED_SHAPE, "keyword_floor": FLOOR_SHAPE}
KNOWN = frozenset({"baseline", "tuned", "change", "keyword_floor"})


def svg(plot: Intervals) -> Markup:
    """The whole plot; its label names it and points to the table that says the same."""
    heights = [_height(row) for row in plot.rows]
    bottom = TOP + sum(heights)
    parts = [_grid(plot, bottom)]
    y = TOP
    for row, height in zip(plot.rows, heights, strict=True):
        parts.append(_row(plot, row, y, height))
        y += height
    parts += [_tick(plot, tick.at, tick.text, bottom) for tick in plot.ticks]
    return fill(
        '<svg class="intervals" id="{id}" role="img" aria-label="{label}" viewBox="0 0 {w} {h}"'
        ' width="{w}" height="{h}">{body}</svg>',
        id=plot.id,
        label=f"{plot.title}. The same numbers are in the table: {plot.twin}",
        w=WIDTH,
        h=bottom + AXIS,
        body=Markup("").join(parts),
    )


def fill(template: str, **values: object) -> Markup:
    """A template of our own with values escaped and their hidden characters shown; finished markup stays."""
    plain = {k: shown(v) if isinstance(v, str) and not isinstance(v, Markup) else v for k, v in values.items()}
    return Markup(template).format(**plain)


def glyph(variant: str) -> Markup:
    """A variant's mark alone, for a legend."""
    return fill(
        '<svg class="glyph {kind}" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">{body}</svg>',
        kind=_kind(variant),
        body=Markup('<line class="whisker" x1="2" x2="32" y1="7" y2="7"/>') + _shape(variant, 17, 7),
    )


def legend(plot: Intervals) -> list[str]:
    """Variants that the plot shows, in drawing order."""
    return list(dict.fromkeys(mark.variant for row in plot.rows for mark in row.marks))


def _height(row: PlotRow) -> int:
    return max(MARK_STEP * len(row.marks), 2 * MARK_STEP) + ROW_GAP + BAR_STEP * len(row.bars)


def _x(plot: Intervals, at: float) -> float:
    start, end = plot.ticks[0].at, plot.ticks[-1].at
    share = (min(max(at, start), end) - start) / (end - start)
    return round(LEFT + share * (RIGHT - LEFT), 1)


def _grid(plot: Intervals, bottom: int) -> Markup:
    return Markup("").join(
        fill(
            '<line class="{kind}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>',
            kind="zero" if tick.at == 0 and plot.ticks[0].at < 0 else "grid",
            x=_x(plot, tick.at),
            top=TOP,
            bottom=bottom,
        )
        for tick in plot.ticks
    )


def _tick(plot: Intervals, at: float, text: str, bottom: int) -> Markup:
    return fill('<text class="tick" x="{x}" y="{y}">{text}</text>', x=_x(plot, at), y=bottom + 17, text=text)


def _row(plot: Intervals, row: PlotRow, top: int, height: int) -> Markup:
    first = top + ROW_GAP // 2 + BAR_STEP * len(row.bars) + MARK_STEP // 2
    label = fill(
        '<text class="label" x="0" y="{y}">{text}</text><text class="note" x="0" y="{z}">{note}</text>',
        y=first + 4,
        z=first + 20,
        text=_short(row.label),
        note=_short(row.note),
    )
    rule = fill('<line class="rule" x1="0" x2="{w}" y1="{y}" y2="{y}"/>', w=WIDTH, y=top + height)
    bars = Markup("").join(_bar(plot, row, top, height))
    marks = Markup("").join(_mark(plot, mark, first + i * MARK_STEP) for i, mark in enumerate(row.marks))
    return fill("<g>{body}</g>", body=rule + label + bars + marks)


def _bar(plot: Intervals, row: PlotRow, top: int, height: int) -> Iterator[Markup]:
    for i, bar in enumerate(row.bars):
        x = _x(plot, bar.at)
        anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
        yield fill(
            '<line class="bar" x1="{x}" x2="{x}" y1="{a}" y2="{b}"/>'
            '<text class="bar-text" text-anchor="{anchor}" x="{t}" y="{c}">bar: {text}</text>',
            x=x,
            a=top + 4,
            b=top + height - 4,
            c=top + 14 + i * BAR_STEP,
            t=x + (-5 if anchor == "end" else 5),
            anchor=anchor,
            text=bar.text,
        )


def _mark(plot: Intervals, mark: Mark, y: int) -> Markup:
    low, high = _x(plot, mark.low), _x(plot, mark.high)
    name = words.variant(mark.variant)
    return fill(
        '<g class="{kind}"><title>{name}: {text}</title>'
        '<line class="whisker" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'
        '<path class="cap" d="M{low} {a}V{b}M{high} {a}V{b}"/>{shape}'
        '<text class="value" x="{at}" y="{base}">{text}</text></g>',
        kind=_kind(mark.variant),
        name=name,
        text=mark.text,
        low=low,
        high=high,
        y=y,
        a=y - 4,
        b=y + 4,
        shape=_shape(mark.variant, _x(plot, mark.value), y),
        at=TEXT_AT,
        base=y + 4,
    )


def _shape(variant: str, x: float, y: float) -> Markup:
    reach = 4.5 if variant == "baseline" else 5.5
    return SHAPES.get(variant, OTHER_SHAPE).format(
        x=x, y=y, x0=round(x - reach, 1), x1=round(x + reach, 1), y0=y - reach, up=y - reach, down=y + reach
    )


def _kind(variant: str) -> str:
    return f"v-{variant}" if variant in KNOWN else "v-other"


def _short(text: str) -> str:
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"
