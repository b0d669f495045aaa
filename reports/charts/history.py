"""A metric over runs as inline SVG: its values, their intervals as a band, gate thresholds, and the accepted runs.

A line ends where cases, prompt or scorers changed: later values are not comparable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports import number_format, wording
from reports.charts import svg
from reports.charts.canvas import inline, lines_only, sheet
from reports.history.trends import Trend, TrendPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = (860, 250), (360, 230)
LEFT, RIGHT, TOP, BOTTOM = 52, 36, 18, 36
MOST_LABELS = {WIDE: 9, NARROW: 4}
BAND_ALPHA = 0.18


def draw(trend: Trend, name: str, narrow: bool = False) -> tuple[str, str]:
    """Draw a trend as (svg, css); `name` makes its IDs unique. Raises MissingExtra where matplotlib is missing."""
    size = NARROW if narrow else WIDE
    return inline(name, narrow, "curve", label(trend), lambda: _figure(trend, size))


def label(trend: Trend) -> str:
    """Return the alternative text of the chart."""
    of = f"{wording.metric(trend.metric, trend.shape)} of {trend.suite} over {wording.count(len(trend.points), 'run')}"
    drawn = "95% intervals and gate thresholds" if any(point.thresholds for point in trend.points) else "95% intervals"
    return f"{of}, with {drawn}. The same numbers are in the table below"


def _figure(trend: Trend, size: tuple[int, int]) -> Figure:
    across, down = size
    figure = sheet(across, down)
    box = (LEFT / across, BOTTOM / down, (across - LEFT - RIGHT) / across, (down - TOP - BOTTOM) / down)
    axes = figure.add_axes(box)
    at = {point.run: place for place, point in enumerate(trend.points)}
    for stretch in trend.stretches:
        _stretch(axes, stretch, [at[point.run] for point in stretch])
    for place, point in enumerate(trend.points):
        ends = (place - 0.5, place + 0.5)
        axes.hlines(point.thresholds, *ends, color=svg.CAUTION, linewidth=1.5, linestyle=(0, (5, 3)))
    for stretch in trend.stretches[1:]:
        axes.axvline(at[stretch[0].run] - 0.5, color=svg.MUTED, linewidth=1, linestyle=(0, (3, 3)))
    _style_axes(axes, trend, MOST_LABELS[size])
    return figure


def _stretch(axes: Axes, points: list[TrendPoint], x: list[int]) -> None:
    """Draw comparable points: a band from low to high, a line, and a diamond for each accepted run."""
    y, low, high = (list(ends) for ends in zip(*map(_ends, points), strict=True))
    if len(points) > 1:
        axes.fill_between(x, low, high, color=svg.ACCENT, alpha=BAND_ALPHA, linewidth=0)
    axes.vlines(x, low, high, color=svg.ACCENT, linewidth=1.2)
    axes.plot(x, y, "o-", color=svg.ACCENT, markersize=5, linewidth=1.8)
    marked = [(place, value) for place, value, point in zip(x, y, points, strict=True) if point.accepted]
    if marked:
        axes.plot(*zip(*marked, strict=True), "D", color=svg.GOOD, markerfacecolor=svg.PAPER, markersize=9, mew=2)


def _ends(point: TrendPoint) -> tuple[float, float, float]:
    """Return the value and both ends of its interval; the value itself where it has none."""
    estimate = point.estimate
    assert estimate.value is not None
    return (
        estimate.value,
        estimate.value if estimate.low is None else estimate.low,
        estimate.value if estimate.high is None else estimate.high,
    )


def _style_axes(axes: Axes, trend: Trend, most_labels: int) -> None:
    axes.set_axisbelow(True)
    lines_only(axes)
    axes.set_xlim(-0.5, len(trend.points) - 0.5)
    if trend.is_share:
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks(ticks := [0, 0.25, 0.5, 0.75, 1], [number_format.tick(at, "share") for at in ticks])
    every = -(-len(trend.points) // most_labels)
    shown = range((len(trend.points) - 1) % every, len(trend.points), every)
    axes.set_xticks(list(shown), [trend.points[place].started[:10] for place in shown])
