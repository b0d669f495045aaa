"""Section: what changed at a glance: metrics that got worse or better, undecided ones, and how certain that is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from harness.gates.rules import GATE_RULES
from harness.schema import BASELINE, CANDIDATE, Comparison, Metric, SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.cases.index import Joint
from reports.charts.intervals import changes_plot
from reports.model import Block, Cell, Facts, Mark, PlotRow, Reading, Section, Text, Tick
from reports.run_data import TOO_FEW, RunView
from reports.sections import human_review, results

ORDER: tuple[Reading, ...] = ("worse", "undecided", "better")
CERTAINTY, READABLE, COMPLETE = "Certainty", "Answers that could be read", "Complete answers"
HEADINGS: dict[Reading, str] = {"worse": "Got worse", "undecided": "No clear change", "better": "Got better"}
NONE: dict[Reading, str] = {
    "worse": "No metric is shown to be worse",
    "undecided": "None: every metric shows a clear change",
    "better": "No metric is shown to be better",
}
MOST_ROWS, MOST_NAMED = 10, 6
"""Most metrics in the chart, and most that are named; the results have all."""
MOST_SLICES = 3
"""Most slices that the summary names; the section by kind of case has all."""
LEAD = "Tuned against baseline on the same cases; each line is the 95% interval of the change."


class Change(NamedTuple):
    metric: Metric
    comparison: Comparison
    reading: Reading


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        changes = _changes(evidence, suite)
        if changes:
            blocks += [_summary(evidence, suite, changes), *_plot(evidence, suite, changes)]
    return Section(id="picture", title="What changed", lead=LEAD, blocks=blocks) if blocks else None


def _changes(evidence: RunView, suite: SuiteInfo) -> list[Change]:
    """Return every compared metric of which a direction is better, those that got worse first."""
    changes = []
    for metric in evidence.ranked_metrics(suite):
        comparison = evidence.comparison(suite.name, metric.name)
        if metric.better and comparison is not None and comparison.difference.value is not None:
            changes.append(Change(metric, comparison, sentences.reading_of(comparison, metric.better)))
    return sorted(changes, key=lambda change: ORDER.index(change.reading))


def _summary(evidence: RunView, suite: SuiteInfo, changes: Sequence[Change]) -> Facts:
    """Summarise what got worse or better, what is undecided, and how certain that is."""
    joint = evidence.joint(suite.name)
    pairs = [
        (HEADINGS["worse"], _metrics(changes, "worse", _cases(evidence, suite))),
        (HEADINGS["better"], _metrics(changes, "better", _counted(suite, joint, joint.better, "improved"))),
        (HEADINGS["undecided"], _metrics(changes, "undecided", "")),
        (CERTAINTY, _certainty(evidence, suite, changes)),
        _readable(evidence, suite),
        *human_review.at_a_glance(evidence.reviews, suite),
    ]
    return Facts(caption=suite.name, pairs=pairs)


def glance(evidence: RunView, suite: SuiteInfo) -> list[tuple[str, str]]:
    """Say what got worse and how certain that is, one line each; empty where nothing was compared."""
    changes = _changes(evidence, suite)
    pairs = _summary(evidence, suite, changes).pairs if changes else []
    shown = [(name, cell) for name, cell in pairs if name in (HEADINGS["worse"], CERTAINTY)]
    return [(name, "; ".join([cell.text, *cell.note.splitlines()])) for name, cell in shown]


def _metrics(changes: Sequence[Change], reading: Reading, note: str) -> Cell:
    named = [wording.phrase(change.metric.name) for change in changes if change.reading == reading]
    if (left := len(named) - MOST_NAMED) > 1:
        named[MOST_NAMED:] = [f"{number_format.number(left)} more"]
    if not named:
        return Cell(text=NONE[reading], note=note, tone="muted")
    tone = sentences.TONES[reading]
    return Cell(text=wording.capital(wording.listing(named)), note=note, tone=tone)


def _cases(evidence: RunView, suite: SuiteInfo) -> str:
    """Say which cases and slices got worse, even where no metric did as a whole."""
    joint = evidence.joint(suite.name)
    parts = [_counted(suite, joint, joint.worse, "regressed")]
    if new := evidence.index.findings(suite.name, "new"):
        parts.append(wording.counts(new, "new"))
    if slices := _worse_slices(evidence, suite):
        left = len(slices) - MOST_SLICES
        more = [f"{number_format.number(left)} more"] if left > 0 else []
        parts.append(f"worse on {wording.listing([*slices[:MOST_SLICES], *more])}")
    return "\n".join(parts)


def _counted(suite: SuiteInfo, joint: Joint, number: int, verb: str) -> str:
    """Say `3 of 60 cases regressed`."""
    first = f" by the first of {suite.samples} answers" if suite.samples > 1 else ""
    return f"{number_format.number(number)} of {wording.count(joint.cases, 'case')} {verb}{first}"


def _worse_slices(evidence: RunView, suite: SuiteInfo) -> list[str]:
    """List the slices with enough cases on which a metric is worse."""
    by_name = {metric.name: metric for metric in suite.metrics}
    return list(
        dict.fromkeys(
            f"{wording.phrase(f'{row.slice} {row.slice_value}')} ({wording.phrase(row.comparison.metric)})"
            for row in evidence.run.metrics.comparisons
            if row.suite == suite.name and row.slice is not None and row.comparison.metric in by_name
            if row.comparison.difference.n >= TOO_FEW and by_name[row.comparison.metric].better
            if sentences.reading_of(row.comparison, by_name[row.comparison.metric].better) == "worse"
        )
    )


def _certainty(evidence: RunView, suite: SuiteInfo, changes: Sequence[Change]) -> Cell:
    """Say how many cases are behind the primary metric's change, and how wide its interval is."""
    primary = evidence.primary_metric(suite)
    first = next((c for c in changes if c.metric == primary), changes[0])
    difference = first.comparison.difference
    unit = evidence.unit_of_change(suite.name, first.metric)
    size = number_format.basis(difference, suite.cluster)
    if difference.low is None or difference.high is None:
        return Cell(text=size)
    ends = number_format.interval(difference, unit) + (" points" if unit == "points" else "")
    return Cell(text=size, note=f"change of {wording.phrase(first.metric.name)} {ends}, 95% interval")


def _readable(evidence: RunView, suite: SuiteInfo) -> tuple[str, Cell]:
    """Say which share of each model's answers could be read, or else was neither empty, failed nor cut."""
    metric = next((m.name for m in suite.metrics if m.name.endswith("parse_rate")), "")
    shares = {}
    for variant, tally in evidence.tallies[suite.name].items():
        level = evidence.level(suite.name, variant, metric) if metric else None
        if level is not None and level.value is not None:
            shares[variant] = level.value
        elif not metric and tally.text_kept and tally.answers:
            shares[variant] = tally.usable / tally.answers
    named = [f"{v} {number_format.percent(shares[v])}" for v in (BASELINE, CANDIDATE) if v in shares]
    said = wording.capital(", ".join(named)) or number_format.NOT_MEASURED
    return (READABLE if metric else COMPLETE), Cell(text=said)


def _plot(evidence: RunView, suite: SuiteInfo, changes: Sequence[Change]) -> list[Block]:
    """Plot every share's change on one scale, mirrored where needed so that right is better, and name what is left."""
    by_name = {c.metric.name: c for c in changes if evidence.unit(suite.name, c.metric) == "share"}
    chief = [m.name for m in evidence.ranked_metrics(suite) if m.name in by_name][:MOST_ROWS]
    shares = [change for name, change in by_name.items() if name in chief]
    title = f"Change of each metric of {suite.name}, {suite.shape}: tuned against baseline, with 95% intervals"
    rows = [_row(evidence, suite, change) for change in shares]
    plot = changes_plot(f"changes-{wording.anchor(suite.name)}", title, rows, results.caption(suite))
    left = _not_drawn(evidence, suite, {change.metric.name for change in shares})
    return [*plot, Text(text=left, tone="muted")] if left else plot


def _not_drawn(evidence: RunView, suite: SuiteInfo, drawn: Collection[str]) -> str:
    """Name the compared metrics that the chart leaves out, by the reason; empty where there is none."""
    left: dict[str, list[str]] = {}
    for metric in evidence.ranked_metrics(suite):
        comparison = evidence.comparison(suite.name, metric.name)
        if metric.name in drawn or comparison is None:
            continue
        if comparison.difference.value is None:
            reason = "change not measured"
        elif not metric.better:
            reason = "neither direction is better"
        elif evidence.unit(suite.name, metric) != "share":
            reason = "not a percentage"
        else:
            reason = f"after the first {MOST_ROWS}"
        left.setdefault(reason, []).append(wording.phrase(metric.name))
    parts = [f"{wording.listing(names)} ({reason})" for reason, names in left.items()]
    return f"Not in the chart: {'; '.join(parts)}." if parts else ""


def _row(evidence: RunView, suite: SuiteInfo, change: Change) -> PlotRow:
    metric = change.metric
    bars = [bar for v in evidence.verdicts(suite.name) if v.metric == metric.name for bar in _bar(v, change)]
    return PlotRow(
        label=wording.title(metric.name),
        note=wording.direction(metric.better),
        marks=[turned(change.comparison, metric, change.reading)],
        bars=bars,
    )


def turned(comparison: Comparison, metric: Metric, reading: Reading) -> Mark:
    """Place a paired change so that right is better; its text keeps the sign."""
    sign = 1 if metric.higher_is_better else -1
    difference = comparison.difference
    value = difference.value or 0.0
    low, high = (value if end is None else end for end in (difference.low, difference.high))
    ends = sorted((sign * low, sign * high))
    return Mark(
        value=sign * value,
        low=ends[0],
        high=ends[1],
        text=number_format.estimate(difference, "points"),
        brief=number_format.value(difference, "points"),
        reading=reading,
    )


def _bar(verdict: Verdict, change: Change) -> list[Tick]:
    """Place a gate's threshold on the change, recovered from the deciding bound and the margin."""
    seen, margin = verdict.observed, verdict.margin
    if GATE_RULES[verdict.rule].unit != "points" or verdict.slice is not None or seen is None or margin is None:
        return []
    near = seen.low if change.metric.higher_is_better else (None if seen.high is None else -seen.high)
    if near is None or seen.value != change.comparison.difference.value:
        return []
    return [Tick(at=near - margin, text=verdict.bar)]
