"""Section: every metric of every variant with its interval, and the paired change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import UserError
from harness.gates.rules import level_threshold
from harness.schema import Estimate, Metric, SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.charts.intervals import marks_of, share_ticks
from reports.model import Block, Cell, Intervals, PlotRow, Section, Table, Text, Tick
from reports.run_data import RunView
from reports.sections import validity


def table(rows: Sequence[tuple[SuiteInfo, list[Cell]]], **named: Any) -> Table:
    """Build a table from rows of numbers, each with its suite.

    Raises UserError where the suites have different task shapes: finding a clause in a whole contract and recognising
    a given one are different skills, and readers compare the rows of a table.
    """
    shapes = dict.fromkeys(suite.shape for suite, _ in rows)
    if len(shapes) > 1:
        raise UserError(
            f"one table has numbers of the task shapes {wording.listing(shapes)}; give each shape its own table"
        )
    return Table(rows=[cells for _, cells in rows], **named)


NOTE = (
    "Change is tuned minus baseline on the same cases, in percentage points. It counts as better or worse only where "
    "its interval excludes 0 and the exact test gives p below 0.05. These p values are not corrected for multiple "
    "comparisons; those of the gates are. Cases of one source tend to fail together, so intervals count sources."
)


def section(evidence: RunView) -> Section:
    blocks: list[Block] = []
    for suite in evidence.suites:
        caption = f"Results of {suite.name} ({suite.shape})"
        shares = [m for m in suite.metrics if evidence.unit(suite.name, m) == "share"]
        rows = [row for row in (_plot_row(evidence, suite, m) for m in shares) if row.marks]
        if rows:
            blocks.append(_plot(suite, rows, caption))
        blocks.append(_table(evidence, suite, caption) if suite.metrics else Text(text=f"{suite.name}: no metric."))
    lead = "Every number with its interval, its cases, and the keyword floor that any model must beat."
    return Section(id="results", title="Results", lead=lead, blocks=blocks)


def level_cell(estimate: Estimate | None, cluster: str, unit: number_format.Unit, noun: str) -> Cell:
    """Format a metric of one variant: value; in the smaller lines interval and size; it counts `noun`."""
    if estimate is None or estimate.value is None:
        return Cell(
            text=number_format.NOT_MEASURED,
            note=(estimate.reason or "") if estimate else "",
            tone="muted",
            estimate=estimate,
        )
    return number_format.estimate_cell(estimate, unit, number_format.basis(estimate, cluster, noun))


def change_cells(evidence: RunView, suite: SuiteInfo, metric: Metric, tag: str | None, value: str | None) -> list[Cell]:
    """Format a paired change: value, reading, and outcomes of the cases."""
    comparison = evidence.comparison(suite.name, metric.name, tag, value)
    if comparison is None:
        return [Cell(text=number_format.DASH, tone="muted")] * 3
    unit = evidence.unit_of_change(suite.name, metric)
    reading, tone = sentences.reading(comparison, metric.better)
    return [
        number_format.estimate_cell(comparison.difference, unit),
        Cell(text=reading, tone=tone, note=number_format.test(comparison.p_value, comparison.test)),
        Cell(text=sentences.tally(comparison, metric)),
    ]


def _table(evidence: RunView, suite: SuiteInfo, caption: str) -> Table:
    variants = evidence.variants
    rows = []
    for metric in suite.metrics:
        unit = evidence.unit(suite.name, metric)
        found = (evidence.level(suite.name, variant, metric.name) for variant in variants)
        levels = [level_cell(level, suite.cluster, unit, wording.item(metric)) for level in found]
        note = f"{wording.direction(metric.better, metric.says)}\n{validity.note_for(metric)}".strip()
        head = Cell(text=wording.metric(metric.name, suite.shape), note=note)
        rows.append((suite, [head, *levels, *change_cells(evidence, suite, metric, None, None)]))
    columns = ["Metric", *map(wording.variant, variants), "Change", "Reading", "Cases"]
    numeric = list(range(1, len(variants) + 2))
    return table(rows, caption=caption, columns=columns, numeric=numeric, note=NOTE)


def _plot(suite: SuiteInfo, rows: list[PlotRow], caption: str) -> Intervals:
    return Intervals(
        id=f"levels-{wording.slug(suite.name)}",
        title=f"Metrics of {suite.name}, {suite.shape}, with 95% intervals",
        ticks=share_ticks(),
        rows=rows,
        twin=caption,
    )


def _plot_row(evidence: RunView, suite: SuiteInfo, metric: Metric) -> PlotRow:
    levels = {v: evidence.level(suite.name, v, metric.name) for v in evidence.variants}
    bars = [bar for v in evidence.verdicts(suite.name) if v.metric == metric.name for bar in _bar(v)]
    return PlotRow(
        label=wording.metric(metric.name, suite.shape),
        note=wording.direction(metric.better),
        marks=marks_of(levels),
        bars=bars,
    )


def _bar(verdict: Verdict) -> list[Tick]:
    """Place the threshold of a level gate."""
    at = level_threshold(verdict)
    return [] if at is None else [Tick(at=min(1.0, max(0.0, at)), text=verdict.bar)]
