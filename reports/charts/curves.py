"""The charts of a report as inline SVG: training curves here, interval charts from `intervals`.

Each comes in two widths; a page shows the one that fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sanitize import shown
from reports import wording
from reports.charts import intervals, svg
from reports.charts.canvas import LONGEST, Look, inline, lines_only, sheet
from reports.model import Curve, Intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = (Look("", svg.MUTED, True), Look("o", svg.ACCENT, True), Look("s", svg.CAUTION, False))
"""Styles of the lines, in order: the many points of a training loss, then the few of an evaluation."""


def draw(block: Curve | Intervals, narrow: bool = False) -> tuple[str, str]:
    """Draw a chart as (svg, css). Raises MissingExtra where matplotlib is not installed."""
    if isinstance(block, Curve):
        return inline(block.id, narrow, "curve", block.title, lambda: _curve(block, narrow))
    drawn = intervals.panels if any(row.panel for row in block.rows) else intervals.rows
    label = f"{block.title}. The same numbers are in the table: {block.twin}"
    return inline(block.id, narrow, "intervals", label, lambda: drawn(block, narrow))


def _curve(curve: Curve, narrow: bool) -> Figure:
    """Draw lines over steps, with a legend."""
    across, down = (324, 250) if narrow else (860, 280)
    figure = sheet(across, down)
    axes = figure.add_axes((48 / across, 44 / down, (across - 60) / across, (down - 80) / down))
    for line, look in zip(curve.lines, (*SERIES, *[SERIES[-1]] * len(curve.lines)), strict=False):
        x, y = zip(*line.points, strict=True)
        axes.plot(
            x,
            y,
            f"{look.shape}-",
            color=look.colour,
            markerfacecolor=look.colour if look.full else svg.PAPER,
            label=wording.shortened(shown(line.name), LONGEST),
            linewidth=2 if look.shape else 1.2,
            markersize=5,
        )
    axes.set_xlabel(shown(curve.x), color=svg.MUTED, fontsize=11)
    axes.set_title(wording.shortened(shown(curve.y), 44), loc="left", color=svg.MUTED, fontsize=11, pad=8)
    axes.locator_params(axis="x", integer=True)
    lines_only(axes)
    axes.legend(
        loc="lower right" if narrow else "upper right",
        bbox_to_anchor=None if narrow else (1, 1.16),
        ncols=1 if narrow else len(curve.lines),
        frameon=False,
        fontsize=11,
        labelcolor=svg.INK,
    )
    return figure
