"""Levels of a metric over runs, oldest first: what a trend is made of. Knows no drawing and no page.

Runs are comparable where cases, prompt and scorers were the same. A run that is not finished and sealed, or asked only
part of a suite, is no point of a trend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.baseline.format import BASELINE_FILE
from harness.runs.folder import UNREADABLE
from harness.runs.history import MetricLevel, PastRun, PastSuite
from harness.schema import CANDIDATE, Estimate, Outcome
from harness.schema.constants import combine_outcomes
from reports import number_format, wording
from reports.model import Cell, Table

Key = tuple[str, str]
MOST_POINTS = 200
"""Runs of a trend, the newest ones: more than that no reader tells apart."""


class TrendPoint(Struct, frozen=True, kw_only=True):
    run: str
    """Name of the run folder."""
    started: str
    """UTC time, ISO 8601."""
    model: str
    """What was judged."""
    estimate: Estimate
    """Its level."""
    outcome: Outcome
    """The suite's gates together, in that run."""
    questions: str
    """Digest of cases, prompt and scorers."""
    accepted: bool = False
    """The run's scores were accepted as a baseline."""


class Trend(Struct, frozen=True, kw_only=True):
    """One metric of one suite over runs."""

    suite: str
    """Suite name."""
    metric: str
    """Metric name."""
    shape: str
    """Task shape."""
    cluster: str
    """What a cluster is called."""
    is_share: bool
    """It lies in [0, 1] in every run."""
    higher_is_better: bool
    """Direction of improvement."""
    points: list[TrendPoint]
    """Oldest first; never empty."""
    left_out: int = 0
    """Older runs that are no points for their number."""

    @property
    def stretches(self) -> list[list[TrendPoint]]:
        """Neighbouring points that were asked the same questions."""
        found: list[list[TrendPoint]] = []
        for point in self.points:
            if found and found[-1][-1].questions == point.questions:
                found[-1].append(point)
            else:
                found.append([point])
        return found


def is_a_point(run: PastRun, suite: PastSuite) -> bool:
    """The run says what a model does on the whole suite."""
    return run.kind == "eval" and run.status == "finished" and suite.whole


def accepted_by(runs: Iterable[PastRun]) -> set[Key]:
    """Suite and run of every accepted baseline that a run was compared with."""
    return {(suite.name, suite.accepted_run) for run in runs for suite in run.suites if suite.accepted_run}


def trends(runs: Sequence[PastRun], levels: Iterable[MetricLevel], accepted: Collection[Key] = ()) -> list[Trend]:
    """A trend for each metric that a gate judges, suites and metrics in the order of the newest run that has them."""
    found: dict[tuple[str, str, str], MetricLevel] = {(level.run, level.suite, level.metric): level for level in levels}
    made = []
    for suite, metric in _judged(runs):
        known = [
            (run, own, level)
            for run in runs
            for own in run.suites
            if own.name == suite and is_a_point(run, own) and (level := found.get((run.name, suite, metric)))
        ]
        if known:
            made.append(_trend(suite, metric, known, accepted))
    return made


def _trend(
    suite: str, metric: str, known: Sequence[tuple[PastRun, PastSuite, MetricLevel]], accepted: Collection[Key]
) -> Trend:
    _, newest, last = known[-1]
    shown = known[-MOST_POINTS:]
    return Trend(
        suite=suite,
        metric=metric,
        shape=newest.shape,
        cluster=newest.cluster,
        is_share=all(level.is_share for _, _, level in known),
        higher_is_better=last.higher_is_better,
        points=[_point(run, own, level, (suite, run.name) in accepted) for run, own, level in shown],
        left_out=len(known) - len(shown),
    )


def _judged(runs: Sequence[PastRun]) -> list[Key]:
    """Suites with the metrics that gates judged in them, those of the newest run first."""
    suites: dict[str, dict[str, None]] = {}
    for run in reversed(runs):
        for suite in run.suites:
            suites.setdefault(suite.name, {}).update(dict.fromkeys(suite.gated))
    return [(suite, metric) for suite in sorted(suites) for metric in suites[suite]]


def _point(run: PastRun, suite: PastSuite, level: MetricLevel, accepted: bool) -> TrendPoint:
    judged = run.models.get(CANDIDATE)
    return TrendPoint(
        run=run.name,
        started=run.started,
        model=judged.name if judged else "",
        estimate=Estimate(value=level.value, low=level.low, high=level.high, n=level.n, clusters=level.clusters),
        outcome=combine_outcomes(suite.counts),
        questions=suite.questions,
        accepted=accepted,
    )


SAME = "as the newest run"
OTHER = "others"
NOTE = (
    "Runs whose questions are others had other cases, prompts or scorers than the newest run: their numbers must not "
    "be compared with its own. Only finished, sealed runs of the whole suite are shown."
)
COLUMNS = ["Run", "Model", "Value", "Behind it", "Gates", "Questions"]


def unit(trend: Trend) -> number_format.Unit:
    """How the trend's numbers are written."""
    return "share" if trend.is_share else "number"


def lead(found: Sequence[Trend]) -> str:
    """How many runs the trends of one suite are of."""
    runs = len({point.run for trend in found for point in trend.points})
    return f"Metrics that gates judge, over {wording.count(runs, 'run')}."


def caption(trend: Trend) -> str:
    """How to read the chart of a trend."""
    said = [f"{wording.capital(wording.direction(trend.higher_is_better))}; the band is the 95% interval"]
    if any(point.accepted for point in trend.points):
        said.append("a diamond marks an accepted baseline")
    if len(trend.stretches) > 1:
        said.append("a dashed line marks where cases, prompt or scorers changed")
    return f"{'; '.join(said)}."


def table(trend: Trend, links: Mapping[str, str]) -> Table:
    """A trend as numbers, newest first; `links` lead from a run's name to more of it."""
    newest, of = trend.points[-1].questions, len(trend.points) + trend.left_out
    return Table(
        caption=f"{wording.metric(trend.metric, trend.shape)} of {trend.suite}, as numbers",
        columns=COLUMNS,
        rows=[_row(trend, point, newest, links) for point in reversed(trend.points)],
        numeric=[2, 3],
        note=f"{NOTE} {wording.capital(wording.shown_of('run', len(trend.points), of))}." if trend.left_out else NOTE,
    )


def _row(trend: Trend, point: TrendPoint, newest: str, links: Mapping[str, str]) -> list[Cell]:
    is_same = point.questions == newest
    return [
        Cell(
            text=point.run, note="accepted baseline" if point.accepted else "", code=True, link=links.get(point.run, "")
        ),
        Cell(text=point.model or number_format.DASH),
        value(point, unit(trend)),
        Cell(
            text=f"n {number_format.number(point.estimate.n)}",
            note=wording.count(point.estimate.clusters, trend.cluster),
        ),
        Cell(text=wording.outcome(point.outcome), badge=point.outcome),
        Cell(text=SAME if is_same else OTHER, tone="plain" if is_same else "caution"),
    ]


def value(point: TrendPoint, unit_: number_format.Unit) -> Cell:
    """A level with its interval."""
    return Cell(
        text=number_format.value(point.estimate, unit_),
        note=number_format.interval(point.estimate, unit_),
        estimate=point.estimate,
    )


class _Named(Struct):
    suite: str
    run_id: str


def accepted_below(suites: Path) -> set[tuple[str, str]]:
    """Suite and run of every accepted baseline below a folder of suites."""
    found = set()
    for file in sorted(suites.glob(f"*/*/{BASELINE_FILE}")):
        try:
            named = msgspec.json.decode(file.read_bytes(), type=_Named)
        except (OSError, *UNREADABLE):
            continue
        found.add((named.suite, named.run_id))
    return found
