"""Results by slice, such as each clause type; a slice with too few cases says so instead of giving a number."""

from __future__ import annotations

from harness.schema import CANDIDATE, Metric, SuiteInfo
from reports import words
from reports.evidence import TOO_FEW, Evidence
from reports.model import Block, Cell, Intervals, Mark, PlotRow, Section
from reports.sections import measured
from reports.sections.axes import change_ticks, mark
from reports.sections.results import change_cells, level_cell

NOTE = f"Slices of fewer than {TOO_FEW} cases say too few: a percentage of so few cases would mislead."


def section(evidence: Evidence) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        for tag in suite.slices:
            values = evidence.slice_values(suite.name, tag)
            for metric in suite.metrics if values else []:
                blocks += _blocks(evidence, suite, tag, metric, values)
    if not blocks:
        return None
    lead = f"The same metrics for each kind of case, so that a good average cannot hide a weak spot. {NOTE}"
    return Section(id="slices", title="By kind of case", lead=lead, blocks=blocks)


def size(evidence: Evidence, suite: SuiteInfo, metric: Metric, tag: str, value: str) -> int:
    """Cases behind the tuned model's number in a slice."""
    found = evidence.level(suite.name, CANDIDATE, metric.name, tag, value)
    return found.n if found else 0


def _blocks(evidence: Evidence, suite: SuiteInfo, tag: str, metric: Metric, values: list[str]) -> list[Block]:
    if not any(evidence.level(suite.name, v, metric.name, tag, value) for v in evidence.variants for value in values):
        return []
    caption = f"{words.metric(metric.name, suite.shape)}, by {words.phrase(tag)} ({suite.name})"
    blocks: list[Block] = []
    marks = _changes(evidence, suite, tag, metric, values)
    is_first = metric == evidence.headline_metric(suite)
    is_gated = any(v.metric == metric.name and v.slice == tag for v in evidence.verdicts(suite.name))
    if marks and is_first and evidence.unit(suite.name, metric) == "share":
        blocks.append(_plot(suite, tag, metric, marks, caption))
    columns = ["Slice", *map(words.variant, evidence.variants), "Change", "Reading", "Cases"]
    rows = [(suite, _row(evidence, suite, tag, metric, value)) for value in values]
    numeric = list(range(1, len(evidence.variants) + 2))
    return [
        *blocks,
        measured.table(rows, caption=caption, columns=columns, numeric=numeric, folded=not (is_first or is_gated)),
    ]


def _row(evidence: Evidence, suite: SuiteInfo, tag: str, metric: Metric, value: str) -> list[Cell]:
    head = Cell(text=value)
    n = size(evidence, suite, metric, tag, value)
    if n < TOO_FEW:
        blank = Cell(text=words.DASH, tone="muted")
        return [head, Cell(text=words.too_few(n, TOO_FEW), tone="muted"), *[blank] * (len(evidence.variants) + 2)]
    unit = evidence.unit(suite.name, metric)
    levels = [evidence.level(suite.name, v, metric.name, tag, value) for v in evidence.variants]
    return [
        head,
        *(level_cell(found, suite.cluster, unit) for found in levels),
        *change_cells(evidence, suite, metric, tag, value),
    ]


def _changes(evidence: Evidence, suite: SuiteInfo, tag: str, metric: Metric, values: list[str]) -> dict[str, Mark]:
    found = {}
    for value in values:
        comparison = evidence.comparison(suite.name, metric.name, tag, value)
        if comparison is None or size(evidence, suite, metric, tag, value) < TOO_FEW:
            continue
        drawn = mark("change", comparison.difference, "points")
        if drawn is not None:
            found[value] = drawn
    return found


def _plot(suite: SuiteInfo, tag: str, metric: Metric, marks: dict[str, Mark], caption: str) -> Intervals:
    reach = max(max(abs(m.low), abs(m.high)) for m in marks.values())
    return Intervals(
        id=f"slices-{words.slug(suite.name)}-{words.slug(tag)}-{words.slug(metric.name)}",
        title=f"Change of {words.phrase(metric.name)}, {suite.shape}, by {words.phrase(tag)}: points, 95% intervals",
        ticks=change_ticks(reach),
        rows=[
            PlotRow(label=value, note=words.direction(metric.higher_is_better), marks=[found])
            for value, found in marks.items()
        ],
        twin=caption,
    )
