"""Section: results by slice, such as each clause type; slices with too few cases show no number."""

from __future__ import annotations

from collections.abc import Sequence

from harness.schema import CANDIDATE, Metric, SuiteInfo
from reports import number_format, sentences, wording
from reports.charts.intervals import POINTS, turned_ticks
from reports.model import Block, Cell, Intervals, PlotRow, Section, Table
from reports.run_data import TOO_FEW, RunView
from reports.sections import results
from reports.sections.overview import turned
from reports.sections.results import change_cells, level_cell

NOTE = f"Slices of fewer than {TOO_FEW} cases show no number: a percentage of so few cases would mislead."
MOST_PANELS = 6
"""Most metrics in the chart; the tables have all."""


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        for tag in suite.slices:
            values = evidence.slice_values(suite.name, tag)
            metrics = [m for m in suite.metrics if _has_numbers(evidence, suite, tag, m, values)]
            blocks += _plot(evidence, suite, tag, metrics, values)
            blocks += [_table(evidence, suite, tag, metric, values) for metric in metrics]
    if not blocks:
        return None
    lead = f"The same metrics for each kind of case, so that a good average does not hide a weak spot. {NOTE}"
    return Section(id="slices", title="By kind of case", lead=lead, blocks=blocks)


def size(evidence: RunView, suite: SuiteInfo, metric: Metric, tag: str, value: str) -> int:
    """Return how many cases are behind the tuned model's number in a slice."""
    level = evidence.level(suite.name, CANDIDATE, metric.name, tag, value)
    return level.n if level else 0


def _has_numbers(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: Sequence[str]) -> bool:
    return any(evidence.level(suite.name, v, metric.name, tag, value) for v in evidence.variants for value in values)


def _caption(suite: SuiteInfo, tag: str, metric: Metric) -> str:
    return f"{wording.metric(metric.name, suite.shape)}, by {wording.phrase(tag)} ({suite.name})"


def _table(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: Sequence[str]) -> Table:
    return results.table(
        [(suite, _row(evidence, suite, tag, metric, value)) for value in values],
        caption=_caption(suite, tag, metric),
        columns=["Slice", *map(wording.variant, evidence.variants), "Change", "Reading", "Cases"],
        numeric=list(range(1, len(evidence.variants) + 2)),
        folded=not _matters(evidence, suite, tag, metric),
    )


def _matters(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric) -> bool:
    """Tell whether a metric is the suite's primary one, or one that a gate judges by this slice."""
    is_gated = any(v.metric == metric.name and v.slice == tag for v in evidence.verdicts(suite.name))
    return is_gated or metric == evidence.primary_metric(suite)


def _row(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, value: str) -> list[Cell]:
    head = Cell(text=wording.phrase(value))
    n = size(evidence, suite, metric, tag, value)
    if n < TOO_FEW:
        blank = Cell(text=number_format.DASH, tone="muted")
        return [
            head,
            Cell(text=number_format.too_few(n, TOO_FEW), tone="muted"),
            *[blank] * (len(evidence.variants) + 2),
        ]
    unit = evidence.unit(suite.name, metric)
    levels = [evidence.level(suite.name, v, metric.name, tag, value) for v in evidence.variants]
    return [
        head,
        *(level_cell(level, suite.cluster, unit, wording.item(metric)) for level in levels),
        *change_cells(evidence, suite, metric, tag, value),
    ]


def _plot(
    evidence: RunView, suite: SuiteInfo, tag: str, metrics: Sequence[Metric], values: Sequence[str]
) -> list[Block]:
    """Plot small multiples: one panel per metric, the most important first, one line per slice."""
    shares = [m for m in metrics if m.better and evidence.unit(suite.name, m) == "share"]
    ranked = sorted(shares, key=lambda metric: not _matters(evidence, suite, tag, metric))
    by_metric = {m.name: _changes(evidence, suite, tag, m, values) for m in ranked}
    drawn = [m for m in ranked if by_metric[m.name]][:MOST_PANELS]
    rows = [row for m in drawn for row in by_metric[m.name]]
    if not rows:
        return []
    plot = Intervals(
        id=f"slices-{wording.slug(suite.name)}-{wording.slug(tag)}",
        title=f"Change by {wording.phrase(tag)}, {suite.name}, {suite.shape}: points, 95% intervals, right is better, "
        "▲ better, ▼ worse, ◇ no clear change",
        ticks=turned_ticks(rows),
        unit=POINTS,
        ends=("◀ worse", "better ▶"),
        rows=rows,
        twin="; ".join(_caption(suite, tag, metric) for metric in drawn),
    )
    return [plot]


def _changes(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: Sequence[str]) -> list[PlotRow]:
    """Return one row for each slice that is large enough to show a number."""
    rows = []
    for value in values:
        comparison = evidence.comparison(suite.name, metric.name, tag, value)
        if (
            comparison is None
            or comparison.difference.value is None
            or size(evidence, suite, metric, tag, value) < TOO_FEW
        ):
            continue
        reading = sentences.reading_of(comparison, metric.better)
        mark = turned(comparison, metric, reading)
        note = wording.direction(metric.better)
        rows.append(PlotRow(label=wording.phrase(value), note=note, marks=[mark], panel=wording.title(metric.name)))
    return rows
