"""Trends: the values of a metric over runs, oldest first.

Runs are comparable where cases, prompt and scorers are the same. A run that is not finished and sealed, or that ran
only part of a suite, is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.baseline.format import BASELINE_FILE
from harness.errors import NOT_JSON
from harness.formatting import exact_threshold
from harness.runs.history import MetricLevel, PastRun, PastSuite
from harness.schema import CANDIDATE, Better, Estimate, Outcome
from reports import number_format, wording
from reports.model import Cell, Table

Key = tuple[str, str]
MOST_POINTS = 200
"""Most runs of a trend, the newest ones: readers cannot distinguish more."""


class TrendPoint(Struct, frozen=True, kw_only=True):
    """The value of one run."""

    run: str
    """Name of the run folder."""
    started: str
    """UTC time, ISO 8601."""
    model: str
    """The judged model."""
    estimate: Estimate
    """Its value."""
    outcome: Outcome
    """Combined outcome of the metric's gates in that run."""
    questions: str
    """Digest of cases, prompt and scorers."""
    thresholds: list[float] = []
    """Thresholds that gates of that run set for it."""
    remark: str = ""
    """That the run approves no merge, and why; empty where it may."""
    accepted: bool = False
    """Whether the run was accepted as a baseline."""


class Trend(Struct, frozen=True, kw_only=True):
    """One metric of one suite over runs."""

    suite: str
    """Suite name."""
    metric: str
    """Metric name."""
    shape: str
    """Task shape."""
    cluster: str
    """The suite's noun for a cluster."""
    item: str
    """The noun for what it counts."""
    is_share: bool
    """Whether it is in [0, 1] in every run."""
    better: Better
    """Direction of improvement; empty for a neutral metric."""
    points: list[TrendPoint]
    """Oldest first; never empty."""
    left_out: int = 0
    """Number of older runs beyond `MOST_POINTS`."""

    @property
    def unit(self) -> number_format.Unit:
        """Unit of its numbers."""
        return "share" if self.is_share else "number"

    @property
    def stretches(self) -> list[list[TrendPoint]]:
        """Neighbouring points with the same questions."""
        stretches: list[list[TrendPoint]] = []
        for point in self.points:
            if stretches and stretches[-1][-1].questions == point.questions:
                stretches[-1].append(point)
            else:
                stretches.append([point])
        return stretches


def accepted_by(runs: Iterable[PastRun]) -> set[Key]:
    """Return suite and run of every accepted baseline that a run was compared with."""
    return {(suite.name, suite.accepted_run) for run in runs for suite in run.suites if suite.accepted_run}


def trends(runs: Sequence[PastRun], levels: Iterable[MetricLevel], accepted: Collection[Key] = ()) -> list[Trend]:
    """Build a trend for each metric that a gate judges, in the order of the newest run that has it."""
    by_key = {(level.run, level.suite, level.definition.name): level for level in levels}
    result = []
    for suite, metric in _judged(runs):
        known = [
            (run, own, level)
            for run in runs
            for own in run.suites
            if run.kind == "eval" and run.status == "finished" and own.name == suite and own.whole
            if (level := by_key.get((run.name, suite, metric)))
        ]
        if known:
            result.append(_trend(suite, metric, known, accepted))
    return result


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
        better=last.definition.better,
        item=wording.item(last.definition),
        points=[_point(run, own, level, (suite, run.name) in accepted) for run, own, level in shown],
        left_out=len(known) - len(shown),
    )


def _judged(runs: Sequence[PastRun]) -> list[Key]:
    """Return suites with their gated metrics, those of the newest run first."""
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
        estimate=level.estimate,
        outcome=level.outcome,
        questions=suite.questions,
        thresholds=suite.thresholds.get(level.definition.name, []),
        remark=run.remark,
        accepted=accepted,
    )


SAME = "same as the newest run"
OTHER = "different"
NOTE = (
    "Runs with a different test set had other cases, prompts or scorers than the newest run: do not compare their "
    "numbers with its own. Only finished, sealed runs of the whole suite are shown."
)
TEST_SET = "Test set"
COLUMNS = ["Run", "Model", "Value", "Threshold", "Based on", "Gates", TEST_SET]


def lead(trends: Sequence[Trend]) -> str:
    """Say how many runs the trends of one suite cover."""
    runs = len({point.run for trend in trends for point in trend.points})
    return f"Metrics that gates judge, over {wording.count(runs, 'run')}."


def caption(trend: Trend) -> str:
    """Explain the chart of a trend."""
    parts = [f"{wording.capital(wording.direction(trend.better))}; the band is the 95% interval"]
    if any(point.thresholds for point in trend.points):
        parts.append("a horizontal dashed line is the threshold of a gate in that run")
    if any(point.accepted for point in trend.points):
        parts.append("a diamond marks an accepted baseline")
    if len(trend.stretches) > 1:
        parts.append("a vertical dashed line marks where cases, prompt or scorers changed")
    return f"{'; '.join(parts)}."


def table(trend: Trend, links: Mapping[str, str]) -> Table:
    """Tabulate a trend, newest first; `links` maps names of runs to addresses."""
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
        number_format.estimate_cell(point.estimate, trend.unit),
        Cell(text=", ".join(exact_threshold(at, trend.is_share) for at in point.thresholds) or number_format.DASH),
        Cell(text=number_format.basis(point.estimate, trend.cluster, trend.item)),
        Cell(
            text=wording.outcome(point.outcome, point.remark),
            badge=wording.tone(point.outcome, point.remark),
            note=point.remark,
        ),
        Cell(text=SAME if is_same else OTHER, tone="plain" if is_same else "caution"),
    ]


class _Named(Struct):
    suite: str
    run_id: str


def accepted_below(suites: Path) -> set[tuple[str, str]]:
    """Return suite and run of every accepted baseline below a folder of suites; unreadable files are skipped."""
    accepted = set()
    for file in sorted(suites.glob(f"*/*/{BASELINE_FILE}")):
        try:
            named = msgspec.json.decode(file.read_bytes(), type=_Named)
        except (OSError, *NOT_JSON):
            continue
        accepted.add((named.suite, named.run_id))
    return accepted
