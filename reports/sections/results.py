"""Section: every metric of every variant with its interval, and the paired change."""

from __future__ import annotations

from collections.abc import Sequence

from harness.schema import BASELINE, CANDIDATE, FLOOR, Metric, SuiteInfo
from reports import number_format, sentences, wording
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView
from reports.sections import validity

NOTE = (
    "Change is tuned minus baseline on the same cases, of shares in percentage points. It counts as better or worse "
    "only where its interval excludes 0 and p is below 0.05. p is the probability of a change at least this large if "
    "the two models were equally good. The test in brackets finds it by swapping the models' results at random: "
    "cluster sign-flip those of all cases of a source together, McNemar those of single cases. These p values are not "
    "corrected for multiple comparisons; those of the gates are. Cases of one source tend to fail together, so "
    "intervals count sources."
)
"""How to read the tables, once for all suites."""


VARIANTS = (BASELINE, CANDIDATE)
MOST = 12
"""Most metrics with every number; of the others, those without a gate have their values and change."""


def caption(suite: SuiteInfo) -> str:
    """Return the caption of a suite's table of results."""
    return f"Results of {suite.name} ({suite.shape})"


def section(evidence: RunView) -> Section:
    blocks: list[Block] = []
    for suite in evidence.suites:
        ranked = [m for m in evidence.ranked_metrics(suite) if _is_measured(evidence, suite, m)]
        if not ranked:
            blocks.append(Text(text=f"{suite.name}: no metric has a value."))
            continue
        blocks.append(_table(evidence, suite, ranked[:MOST]))
        gated = {v.metric for v in evidence.verdicts(suite.name)}
        if further := [m for m in ranked[MOST:] if m.name not in gated]:
            blocks.append(_brief(evidence, suite, further))
    if evidence.run.metrics.comparisons:
        blocks.append(Text(text=NOTE, tone="muted"))
    lead = "The metrics that decide first, each with its interval."
    if FLOOR in evidence.variants:
        lead += f" Any useful model must beat the keyword floor, {sentences.KEYWORD_FLOOR}."
    return Section(id="results", title="Results", lead=lead, blocks=blocks)


def _is_measured(evidence: RunView, suite: SuiteInfo, metric: Metric) -> bool:
    levels = [evidence.level(suite.name, variant, metric.name) for variant in evidence.variants]
    return any(level is not None and level.value is not None for level in levels)


def change_cells(evidence: RunView, suite: SuiteInfo, metric: Metric, tag: str | None, value: str | None) -> list[Cell]:
    """Format a paired change: value, reading, and outcomes of the cases."""
    comparison = evidence.comparison(suite.name, metric.name, tag, value)
    if comparison is None:
        return [number_format.missing()] * 3
    unit = evidence.unit_of_change(suite.name, metric)
    reading, tone = sentences.reading(comparison, metric.better)
    return [
        number_format.estimate_cell(comparison.difference, unit),
        Cell(text=reading, tone=tone, note=sentences.test(comparison)),
        Cell(text=sentences.tally(comparison, metric)),
    ]


def _table(evidence: RunView, suite: SuiteInfo, metrics: Sequence[Metric]) -> Table:
    variants = evidence.variants
    rows = []
    for metric in metrics:
        unit = evidence.unit(suite.name, metric)
        levels = [evidence.level(suite.name, v, metric.name) for v in variants]
        note = f"{wording.direction(metric.better, metric.says)}\n{validity.note_for(metric)}".strip()
        head = Cell(text=wording.metric(metric.name, suite.shape), note=note)
        cells = [number_format.estimate_cell(level, unit) for level in levels]
        rows.append([head, *cells, *change_cells(evidence, suite, metric, None, None)])
    columns = ["Metric", *map(wording.variant, variants), "Change", "Reading", "Cases"]
    numeric = list(range(1, len(variants) + 2))
    return Table(caption=caption(suite), columns=columns, rows=rows, numeric=numeric, folded=True)


def _brief(evidence: RunView, suite: SuiteInfo, metrics: Sequence[Metric]) -> Table:
    """Tabulate the metrics that decide least: values of the two models and their change."""
    rows = []
    for metric in metrics:
        comparison = evidence.comparison(suite.name, metric.name)
        change = comparison.difference if comparison else None
        unit = evidence.unit(suite.name, metric)
        levels = [Cell(text=number_format.value(evidence.level(suite.name, v, metric.name), unit)) for v in VARIANTS]
        moved = number_format.estimate_cell(change, evidence.unit_of_change(suite.name, metric))
        rows.append([Cell(text=wording.metric(metric.name, suite.shape)), *levels, moved])
    return Table(
        rows=rows,
        caption=f"{wording.capital(wording.count(len(metrics), 'further metric'))} of {suite.name} ({suite.shape})",
        columns=["Metric", *map(wording.variant, VARIANTS), "Change"],
        numeric=[1, 2, 3],
        folded=True,
    )
