"""Section: the gated metrics over earlier runs of the same suites in the same folder."""

from __future__ import annotations

from collections.abc import Sequence

from harness.runs.history import MetricLevel, PastRun, levels, past_runs, questions_of
from harness.schema import CANDIDATE, SuiteInfo
from reports import number_format, wording
from reports.history import trends as history_trends
from reports.history.trends import Trend, accepted_by, trends
from reports.model import Block, Cell, Curve, Line, Section, Table, Text
from reports.run_data import RunView

MOST_METRICS = 3
"""Most gated metrics shown of a suite, in the order of its gates; `tunegate runs --html` shows all."""
MOST_RUNS = 12
"""Most earlier runs shown of a suite, the newest ones."""
LEAD = "The models of earlier runs in the same folder, oldest first, and this run last."
FIRST = "the folder has no earlier finished, sealed run of the whole suite whose gates judged the same metrics"
NOTE = (
    "Values of the model that each run judged, with 95% intervals. Where the test set is different, cases, prompt "
    "or scorers have changed since, and the numbers must not be compared with this run's; a chart leaves them out."
)


def section(evidence: RunView) -> Section | None:
    if not evidence.suites:
        return None
    path = evidence.run.path.resolve()
    began = (evidence.run.manifest.started, path.name)
    earlier = [run for run in past_runs(path.parent) if (run.started, run.name) < began]
    past = levels(path.parent, {suite.name for suite in evidence.suites})
    blocks: list[Block] = []
    without: dict[str, list[str]] = {}
    for suite in evidence.suites:
        found = _suite(evidence, suite, earlier, past)
        if isinstance(found, str):
            without.setdefault(found, []).append(suite.name)
        else:
            blocks += found
    blocks += [Text(text=NOTE, tone="muted")] if blocks else []
    blocks += [Text(text=f"{wording.listing(names)}: {why}.") for why, names in without.items()]
    return Section(id="history", title="History", lead=LEAD, blocks=blocks)


def _suite(
    evidence: RunView, suite: SuiteInfo, earlier: Sequence[PastRun], past: Sequence[MetricLevel]
) -> list[Block] | str:
    """Return the numbers of a suite over runs, or why there are none."""
    gated = list(dict.fromkeys(v.metric for v in evidence.run.verdicts if v.suite == suite.name))
    of_suite = {t.metric: t for t in trends(earlier, past, accepted_by(earlier)) if t.suite == suite.name}
    known = [of_suite[metric] for metric in gated if metric in of_suite][:MOST_METRICS]
    if not known:
        return FIRST if gated else "no gate was judged, so there is no metric to follow"
    names = list(dict.fromkeys(p.run for p in sorted((p for t in known for p in t.points), key=lambda p: p.started)))
    return _shown(evidence, suite, known, names[-MOST_RUNS:], len(gated))


def _shown(evidence: RunView, suite: SuiteInfo, known: list[Trend], runs: list[str], gated: int) -> list[Block]:
    twin = _table(evidence, suite, known, runs, gated)
    lines = [line for line in (_line(evidence, suite, trend, runs) for trend in known) if len(line.points) > 1]
    if not lines:
        return [twin]
    return [
        Curve(
            id=f"history-{wording.anchor(suite.name)}",
            title=f"Gated metrics of {suite.name} over runs",
            x="Row of the table: oldest run first, this run last",
            y="Value of the judged model",
            lines=lines,
            twin=twin,
        )
    ]


def _table(evidence: RunView, suite: SuiteInfo, known: list[Trend], runs: list[str], gated: int) -> Table:
    rows = [_row(suite, known, run) for run in runs]
    rows.append(_own(evidence, suite, known))
    names = [wording.metric(trend.metric, trend.shape) for trend in known]
    more = f"{wording.capital(wording.shown_of('gated metric', len(known), gated))}."
    return Table(
        caption=f"{suite.name} over runs",
        columns=["Run", "Model", history_trends.TEST_SET, *names],
        rows=rows,
        numeric=list(range(3, 3 + len(known))),
        note=(f"{more} tunegate runs --html shows all." if len(known) < gated else ""),
    )


def _row(suite: SuiteInfo, known: list[Trend], run: str) -> list[Cell]:
    points = [next((point for point in trend.points if point.run == run), None) for trend in known]
    any_ = next(point for point in points if point is not None)
    is_same = any_.questions == questions_of(suite)
    missing = Cell(text=number_format.NOT_MEASURED, tone="muted")
    values = [
        number_format.estimate_cell(p.estimate, t.unit) if p else missing for p, t in zip(points, known, strict=True)
    ]
    return [
        Cell(text=run, note="accepted baseline" if any_.accepted else "", code=True),
        Cell(text=any_.model or number_format.DASH),
        Cell(text="the same" if is_same else history_trends.OTHER, tone="plain" if is_same else "caution"),
        *values,
    ]


def _own(evidence: RunView, suite: SuiteInfo, known: list[Trend]) -> list[Cell]:
    judged = evidence.run.manifest.checkpoints.get(CANDIDATE)
    values = [
        number_format.estimate_cell(evidence.level(suite.name, CANDIDATE, trend.metric), trend.unit) for trend in known
    ]
    name = Cell(text=evidence.run.manifest.run_id, note="this run", code=True)
    return [name, Cell(text=judged.name if judged else number_format.DASH), Cell(text=number_format.DASH), *values]


def _line(evidence: RunView, suite: SuiteInfo, trend: Trend, runs: list[str]) -> Line:
    """Plot the values of the runs with the same questions, at their row of the table."""
    at = {run: place for place, run in enumerate(runs, 1)}
    same = [p for p in trend.points if p.run in at and p.questions == questions_of(suite)]
    points = [(float(at[p.run]), p.estimate.value) for p in same if p.estimate.value is not None]
    seen = evidence.level(suite.name, CANDIDATE, trend.metric)
    if seen and seen.value is not None:
        points.append((float(len(runs) + 1), seen.value))
    return Line(name=wording.metric(trend.metric, trend.shape), points=points if trend.is_share else [])
