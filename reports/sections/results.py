"""Results: every metric of every variant with its interval, and the paired change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import UserError
from harness.gates.rules import GATE_RULES
from harness.schema import Estimate, Metric, SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.charts.intervals import marks_of, share_ticks
from reports.model import Block, Cell, Intervals, PlotRow, Section, Table, Text, Tick
from reports.run_data import RunView
from reports.sections import validity


def table(rows: Sequence[tuple[SuiteInfo, list[Cell]]], **named: Any) -> Table:
    """A table whose rows hold numbers of the suites named beside them.

    Raises UserError where the suites are of two task shapes: finding a clause in a whole contract and knowing one that
    is given are two skills, and a table is read as a comparison.
    """
    shapes = dict.fromkeys(suite.shape for suite, _ in rows)
    if len(shapes) > 1:
        raise UserError(
            f"one table would hold numbers of the task shapes {wording.listing(shapes)}; give each shape its own table"
        )
    return Table(rows=[cells for _, cells in rows], **named)


NOTE = (
    "Change is tuned minus baseline on the same cases, in percentage points. It reads better or worse only where its "
    "interval leaves out 0 and the exact test gives p under 0.05; these p values are not corrected for their number, "
    "those of the gates are. n counts cases, or claims where a metric is a share of claims."
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
    lead = "Every number stands with its interval, the cases behind it and the keyword floor that any model must beat."
    return Section(id="results", title="Results", lead=lead, blocks=blocks)


def level_cell(found: Estimate | None, cluster: str, unit: number_format.Unit) -> Cell:
    """A metric of one variant: value, then interval, n and contracts in the quieter line."""
    if found is None or found.value is None:
        return Cell(
            text=number_format.NOT_MEASURED, note=(found.reason or "") if found else "", tone="muted", estimate=found
        )
    size = f"n {number_format.number(found.n)}, {number_format.sources(found, cluster)}"
    note = f"{number_format.interval(found, unit)}\n{size}".strip()
    return Cell(text=number_format.value(found, unit), note=note, estimate=found)


def change_cells(evidence: RunView, suite: SuiteInfo, metric: Metric, tag: str | None, value: str | None) -> list[Cell]:
    """Paired change, its reading, and the cases behind it."""
    found = evidence.comparison(suite.name, metric.name, tag, value)
    if found is None:
        return [Cell(text=number_format.DASH, tone="muted")] * 3
    unit = evidence.unit_of_change(suite.name, metric)
    said, tone = sentences.reading(found, metric.higher_is_better)
    return [
        Cell(
            text=number_format.value(found.difference, unit),
            note=number_format.interval(found.difference, unit),
            estimate=found.difference,
        ),
        Cell(text=said, tone=tone, note=number_format.test(found.p_value, found.test)),
        Cell(text=sentences.tally(found.wins, found.losses, found.ties)),
    ]


def _table(evidence: RunView, suite: SuiteInfo, caption: str) -> Table:
    variants = evidence.variants
    rows = []
    for metric in suite.metrics:
        unit = evidence.unit(suite.name, metric)
        levels = [level_cell(evidence.level(suite.name, v, metric.name), suite.cluster, unit) for v in variants]
        said = f"{wording.direction(metric.higher_is_better, metric.says)}\n{validity.beside(metric)}".strip()
        head = Cell(text=wording.metric(metric.name, suite.shape), note=said)
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
    found = {v: evidence.level(suite.name, v, metric.name) for v in evidence.variants}
    bars = [bar for v in evidence.verdicts(suite.name) if v.metric == metric.name for bar in _bar(v)]
    return PlotRow(
        label=wording.metric(metric.name, suite.shape),
        note=wording.direction(metric.higher_is_better),
        marks=marks_of(found),
        bars=bars,
    )


def _bar(verdict: Verdict) -> list[Tick]:
    """The bar of a level gate, recovered from the deciding bound and the margin."""
    seen, margin = verdict.observed, verdict.margin
    rule = GATE_RULES[verdict.rule]
    if "value" not in rule.needs or verdict.slice is not None or seen is None or margin is None:
        return []
    bound, way = (seen.low, -1) if rule.lower_is_easier else (seen.high, 1)
    return [] if bound is None else [Tick(at=min(1.0, max(0.0, bound + way * margin)), text=verdict.bar)]
