"""Levels of a metric over runs, oldest first: what a trend is made of. Knows no drawing and no page.

Runs are comparable where cases, prompt and scorers were the same. A run that is not finished and sealed, or asked only
part of a suite, is no point of a trend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from harness.history.past import Level, PastRun, PastSuite
from harness.outcomes import together
from harness.schema import CANDIDATE, Estimate, Outcome

Key = tuple[str, str]
MOST_POINTS = 200
"""Runs of a trend, the newest ones: more than that no reader tells apart."""


class Point(Struct, frozen=True, kw_only=True):
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
    points: list[Point]
    """Oldest first; never empty."""
    left_out: int = 0
    """Older runs that are no points for their number."""

    @property
    def stretches(self) -> list[list[Point]]:
        """Neighbouring points that were asked the same questions."""
        found: list[list[Point]] = []
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


def trends(runs: Sequence[PastRun], levels: Iterable[Level], accepted: Collection[Key] = ()) -> list[Trend]:
    """A trend for each metric that a gate judges, suites and metrics in the order of the newest run that has them."""
    found: dict[tuple[str, str, str], Level] = {(level.run, level.suite, level.metric): level for level in levels}
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
    suite: str, metric: str, known: Sequence[tuple[PastRun, PastSuite, Level]], accepted: Collection[Key]
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


def _point(run: PastRun, suite: PastSuite, level: Level, accepted: bool) -> Point:
    judged = run.models.get(CANDIDATE)
    return Point(
        run=run.name,
        started=run.started,
        model=judged.name if judged else "",
        estimate=Estimate(value=level.value, low=level.low, high=level.high, n=level.n, clusters=level.clusters),
        outcome=together(suite.counts),
        questions=suite.questions,
        accepted=accepted,
    )
