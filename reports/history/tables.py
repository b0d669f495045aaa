"""Trends as tables and sentences. Formats no number itself, and knows no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports import figures, words
from reports.history.trend import Point, Trend
from reports.model import Cell, Table

SAME = "as the newest run"
OTHER = "others"
NOTE = (
    "Runs whose questions are others had other cases, prompts or scorers than the newest run: their numbers must not "
    "be compared with its own. Only finished, sealed runs of the whole suite are shown."
)
COLUMNS = ["Run", "Model", "Value", "Behind it", "Gates", "Questions"]


def unit(trend: Trend) -> figures.Unit:
    """How the trend's numbers are written."""
    return "share" if trend.is_share else "number"


def lead(found: Sequence[Trend]) -> str:
    """How many runs the trends of one suite are of."""
    runs = len({point.run for trend in found for point in trend.points})
    return f"Metrics that gates judge, over {words.count(runs, 'run')}."


def caption(trend: Trend) -> str:
    """How to read the chart of a trend."""
    said = [f"{words.capital(words.direction(trend.higher_is_better))}; the band is the 95% interval"]
    if any(point.accepted for point in trend.points):
        said.append("a diamond marks an accepted baseline")
    if len(trend.stretches) > 1:
        said.append("a dashed line marks where cases, prompt or scorers changed")
    return f"{'; '.join(said)}."


def table(trend: Trend, links: Mapping[str, str]) -> Table:
    """A trend as numbers, newest first; `links` lead from a run's name to more of it."""
    newest, of = trend.points[-1].questions, len(trend.points) + trend.left_out
    return Table(
        caption=f"{words.metric(trend.metric, trend.shape)} of {trend.suite}, as numbers",
        columns=COLUMNS,
        rows=[_row(trend, point, newest, links) for point in reversed(trend.points)],
        numeric=[2, 3],
        note=f"{NOTE} {words.capital(words.shown_of('run', len(trend.points), of))}." if trend.left_out else NOTE,
    )


def _row(trend: Trend, point: Point, newest: str, links: Mapping[str, str]) -> list[Cell]:
    is_same = point.questions == newest
    return [
        Cell(
            text=point.run, note="accepted baseline" if point.accepted else "", code=True, link=links.get(point.run, "")
        ),
        Cell(text=point.model or figures.DASH),
        value(point, unit(trend)),
        Cell(text=f"n {figures.number(point.estimate.n)}", note=words.count(point.estimate.clusters, trend.cluster)),
        Cell(text=words.outcome(point.outcome), badge=point.outcome),
        Cell(text=SAME if is_same else OTHER, tone="plain" if is_same else "caution"),
    ]


def value(point: Point, unit_: figures.Unit) -> Cell:
    """A level with its interval."""
    return Cell(
        text=figures.value(point.estimate, unit_), note=figures.interval(point.estimate, unit_), estimate=point.estimate
    )
