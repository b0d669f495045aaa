"""Section: results by slice, such as each clause type; slices with too few cases show counts alone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from harness.schema import BASELINE, CANDIDATE, Estimate, Metric, SuiteInfo
from reports import number_format, sentences, wording
from reports.charts.intervals import changes_plot
from reports.model import Block, Cell, PlotRow, Section, Table, Text
from reports.run_data import TOO_FEW, RunView
from reports.sections.overview import turned
from reports.sections.results import VARIANTS, change_cells

MOST_LISTED = 12
"""Most groups in a table, those on which the tuned model does worst."""
MOST_ROWS = 12
"""Most groups of a metric in the chart, those with the lowest changes; the tables have all."""
NOTE = f"Groups of fewer than {TOO_FEW} show counts alone: a percentage of so few would mislead."


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        for tag in suite.slices:
            values = evidence.slice_values(suite.name, tag)
            metrics = [
                m
                for m in evidence.ranked_metrics(suite)
                if _matters(evidence, suite, tag, m) and _has_numbers(evidence, suite, tag, m, values)
            ]
            blocks += _plot(evidence, suite, tag, metrics, values)
            blocks += [_table(evidence, suite, tag, metric, values) for metric in metrics]
    if not blocks:
        return None
    lead = f"The metrics that decide, for each kind of case, so that a good average hides no weak spot. {NOTE}"
    return Section(id="slices", title="By kind of case", lead=lead, blocks=blocks)


def size(evidence: RunView, suite: SuiteInfo, metric: Metric, tag: str, value: str) -> int:
    """Return how many cases, or things in them, are behind the tuned model's number in a slice."""
    level = evidence.level(suite.name, CANDIDATE, metric.name, tag, value)
    return level.n if level else 0


def _has_numbers(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: Sequence[str]) -> bool:
    return any(evidence.level(suite.name, v, metric.name, tag, value) for v in evidence.variants for value in values)


def _caption(suite: SuiteInfo, tag: str, metric: Metric) -> str:
    return f"{wording.metric(metric.name, suite.shape)}, by {wording.phrase(tag)} ({suite.name})"


def _table(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: Sequence[str]) -> Table | Text:
    unmeasured = _unmeasured(evidence, suite, tag, metric, values)
    small = [value for value in values if size(evidence, suite, metric, tag, value) < TOO_FEW]
    few = [value for value in small if value not in unmeasured]
    enough = [value for value in values if value not in small]
    shown = _weakest(evidence, suite, tag, metric, enough)
    whys = [f"{wording.phrase(value)} was not measured: {why}." for value, why in unmeasured.items()]
    notes = [
        *whys[:MOST_LISTED],
        f"{number_format.number(len(whys))} groups were not measured; metrics.json has all."
        if whys[MOST_LISTED:]
        else "",
        _too_few(evidence, suite, tag, metric, few) if few else "",
        f"The {len(shown)} weakest of {len(enough)}; metrics.json has all." if len(shown) < len(enough) else "",
    ]
    note, caption = " ".join(filter(None, notes)), _caption(suite, tag, metric)
    if not shown:
        return Text(text=f"{caption}. {note}")
    return Table(
        rows=[_row(evidence, suite, tag, metric, value) for value in shown],
        caption=caption,
        columns=[wording.title(tag), *map(wording.variant, VARIANTS), "Change", "Reading"],
        numeric=[1, 2, 3],
        note=note,
        folded=True,
    )


def _unmeasured(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: Sequence[str]) -> dict[str, str]:
    """Return the groups in which too many of the tuned model's answers failed or have no score, and why, in words."""
    levels = {value: evidence.level(suite.name, CANDIDATE, metric.name, tag, value) for value in values}
    return {
        value: level.reason or ""
        for value, level in levels.items()
        if level and level.value is None and level.errors + level.unscored
    }


def _too_few(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, few: list[str]) -> str:
    """Name the groups with too few cases, each with its counts: `lease: 3 of 9, baseline 8 of 9`."""
    is_counted = metric.kind == "ratio" and evidence.unit(suite.name, metric) == "share"
    parts = []
    for value in few[:MOST_LISTED]:
        tuned, baseline = (
            _fraction(evidence.level(suite.name, variant, metric.name, tag, value)) if is_counted else ""
            for variant in (CANDIDATE, BASELINE)
        )
        counts = ", ".join(filter(None, [tuned, baseline and f"baseline {baseline}"]))
        parts.append(": ".join(filter(None, [wording.phrase(value), counts])))
    if more := len(few) - len(parts):
        parts.append(f"and {number_format.number(more)} more, which metrics.json has")
    return f"Too few to judge (fewer than {TOO_FEW} {wording.plural(wording.item(metric))}): {'; '.join(parts)}."


def _fraction(level: Estimate | None) -> str:
    """Return `3 of 9`; empty where nothing was counted, or where answers to a case were averaged."""
    if level is None or level.value is None:
        return ""
    count = number_format.clean(level.value * level.n)
    return f"{number_format.number(int(count))} of {number_format.number(level.n)}" if count.is_integer() else ""


def _weakest(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, values: list[str]) -> list[str]:
    """Return the groups on which the tuned model does worst, in their order."""

    def strength(value: str) -> float:
        level = evidence.level(suite.name, CANDIDATE, metric.name, tag, value)
        seen = level.value if level and level.value is not None else 0.0
        return -seen if metric.better == "lower" else seen

    weakest = sorted(values, key=strength)[:MOST_LISTED]
    return [value for value in values if value in weakest]


def _matters(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric) -> bool:
    """Tell whether a metric is the suite's primary one, or one that a gate judges by this slice."""
    is_gated = any(v.metric == metric.name and v.slice == tag for v in evidence.verdicts(suite.name))
    return is_gated or metric == evidence.primary_metric(suite)


def _row(evidence: RunView, suite: SuiteInfo, tag: str, metric: Metric, value: str) -> list[Cell]:
    unit = evidence.unit(suite.name, metric)
    levels = [evidence.level(suite.name, variant, metric.name, tag, value) for variant in VARIANTS]
    change, reading, _ = change_cells(evidence, suite, metric, tag, value)
    size_ = number_format.basis(levels[-1], suite.cluster, wording.item(metric)) if levels[-1] else ""
    return [
        Cell(text=wording.phrase(value), note=size_),
        *(number_format.estimate_cell(level, unit) for level in levels),
        change,
        structs.replace(reading, note=""),
    ]


def _plot(
    evidence: RunView, suite: SuiteInfo, tag: str, metrics: Sequence[Metric], values: Sequence[str]
) -> list[Block]:
    """Plot small multiples: one panel per metric, the most important first, one line per slice."""
    shares = [m for m in metrics if m.better and evidence.unit(suite.name, m) == "share"]
    by_metric = {m.name: _changes(evidence, suite, tag, m, values) for m in shares}
    drawn = [m for m in shares if by_metric[m.name]]
    rows = [row for m in drawn for row in _lowest(by_metric[m.name])]
    title = (
        f"Change by {wording.phrase(tag)}, {suite.name}, {suite.shape}: points, 95% intervals, right is better, "
        "▲ better, ▼ worse, ◇ no clear change"
    )
    twin = "; ".join(_caption(suite, tag, metric) for metric in drawn)
    return changes_plot(f"slices-{wording.anchor(suite.name, tag)}", title, rows, twin)


def _lowest(rows: list[PlotRow]) -> list[PlotRow]:
    """Return the rows with the lowest changes, in their order."""
    lowest = sorted(rows, key=lambda row: row.marks[0].value)[:MOST_ROWS]
    return [row for row in rows if row in lowest]


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
