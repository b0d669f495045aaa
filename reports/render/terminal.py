"""The result of a run for a terminal: one line for each metric and each gate.

Text is passed to rich as plain `Text`, so that markup and control characters in it have no effect.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.gates.sentences import gate_in_words, gate_name
from harness.runs.folder import Results, RunData
from harness.runs.status import no_merge
from harness.sanitize import shown
from harness.schema import BASELINE, CANDIDATE, NO_MERGE, Metric, SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.assemble import gather
from reports.run_data import RunView, overall, unmet_first
from reports.sections.verdict import sentence, warnings

STYLES = {"pass": "green", "fail": "red", "error": "red", "inconclusive": "yellow", "skipped": "dim"}
TONES = {"good": "green", "bad": "red", "plain": ""}
GAP = 2
"""Blanks between the columns of metrics."""
LEAST_NAME = 14
"""Columns that a long name of a metric needs next to its cells."""
MOST_ALIKE = 3
"""Gates that were not judged for one reason and still have a line each."""
Gates = Collection[tuple[str, str]]
"""Gates as (suite, ID)."""


def summary(run: RunData, gates: Gates | None = None, is_verbose: bool = False) -> RenderableType:
    """Summarise a run: warnings, then the metrics and gates of each suite, then the outcome of all gates.

    With `gates`, show only these and the metrics of their suites, and count the others; an empty collection shows
    metrics only. With `is_verbose`, add each suite's sentence, the estimates of all variants and the gates' reasons.
    """
    evidence = gather(run)
    chosen = {suite for suite, _ in gates or ()}
    parts: list[RenderableType] = [_text(f"! {text}", "yellow") for text in warnings(evidence, not run.is_large)]
    selected = [v for v in unmet_first(run.verdicts) if gates is None or (v.suite, v.gate) in gates]
    for suite in evidence.suites:
        if chosen and suite.name not in chosen:
            continue
        parts.append(_text(f"{suite.name}: {wording.count(suite.asked, 'case')}{_level(evidence, suite)}", "bold"))
        if is_verbose and not run.is_large:
            parts.append(_indented(_text(sentence(evidence, suite))))
        parts.append(_indented(_metrics(evidence, suite, is_verbose)))
        if of_suite := [v for v in selected if v.suite == suite.name]:
            parts.append(_indented(gate_table(of_suite, is_verbose)))
    for name in sorted(chosen):
        others = Counter(v.outcome for v in run.verdicts if v.suite == name and (v.suite, v.gate) not in (gates or ()))
        if others:
            counted = wording.outcomes(others)
            more, verb = wording.count(others.total(), "other gate"), "was" if others.total() == 1 else "were"
            parts.append(_text(f"{more} of {name} {verb} not selected: {counted}", "yellow"))
    if gates is None or selected:
        parts.append(_outcome(selected))
    return Group(*parts)


def outcome_line(results: Results) -> str:
    """Say in one line the outcome of all gates of a run, and where it passes but approves no merge, why."""
    why = no_merge(results.manifest, results.path.name) if overall(results.verdicts) == "pass" else ""
    return _outcome(results.verdicts).plain + (f". The run {why}. {NO_MERGE}" if why else "")


def lines(run: RunData, width: int, gates: Gates | None = None, is_verbose: bool = False) -> list[str]:
    """Return the summary as plain lines of at most `width` columns, without colour."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(summary(run, gates, is_verbose))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def show(run: RunData, is_verbose: bool = False) -> None:
    """Print the summary to standard output, in colour where that is a terminal."""
    console = Console()
    if console.is_terminal:
        console.print(summary(run, is_verbose=is_verbose))
    else:
        console.file.writelines(f"{line}\n" for line in lines(run, console.width, is_verbose=is_verbose))


def _outcome(verdicts: list[Verdict]) -> Text:
    """Say the outcome of these gates, and how many have which."""
    outcome = overall(verdicts)
    counted = wording.outcomes(Counter(v.outcome for v in verdicts)) or "no gate was judged"
    return _text(f"{wording.SYMBOLS[outcome]} {wording.outcome(outcome)}: {counted}", f"bold {STYLES[outcome]}")


class MetricLine(NamedTuple):
    name: Text
    cells: list[Text]
    details: Text | None
    """Estimates of all variants, below the line."""


class MetricTable(NamedTuple):
    """Metrics with their cells in columns; each name above its cells where the terminal leaves it too little room."""

    lines: list[MetricLine]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [*zip_longest(*(line.cells for line in self.lines), fillvalue=Text())]
        widths = [max(cell.cell_len for cell in column) for column in columns]
        longest = max((line.name.cell_len for line in self.lines), default=0)
        for_name = min(longest, options.max_width - sum(width + GAP for width in widths))
        for line in self.lines:
            if for_name >= min(longest, LEAST_NAME):
                grid = Table.grid(padding=(0, GAP, 0, 0))
                grid.add_column(width=for_name, overflow="fold")
                for width in widths:
                    grid.add_column(width=width, no_wrap=True)
                grid.add_row(line.name, *line.cells)
                yield grid
            else:
                yield line.name
                yield _indented(Text(" " * GAP).join(line.cells))
            if line.details is not None:
                yield _indented(line.details)


def gate_table(verdicts: Sequence[Verdict], is_verbose: bool = False) -> Table:
    """Build one line for each gate: outcome, threshold, value and deciding end; with `is_verbose` the whole finding.

    Gates that were not judged for one and the same reason share a line where they are many.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    alike = Counter(v.reason for v in verdicts if v.outcome == "skipped" and not is_verbose)
    for verdict in verdicts:
        n = alike[verdict.reason] if verdict.outcome == "skipped" else 0
        if n > MOST_ALIKE:
            name = wording.count(n, "gate")
            alike[verdict.reason] = -1  # Shown.
        elif n < 0:
            continue
        else:  # The whole finding names the threshold.
            name = gate_name(verdict) if is_verbose and verdict.seen else gate_in_words(verdict)
        found = wording.finding(verdict) if is_verbose or not verdict.seen else _seen(verdict)
        outcome = f"{wording.SYMBOLS[verdict.outcome]} {wording.outcome(verdict.outcome)}"
        table.add_row(_text(outcome, STYLES[verdict.outcome]), _text(f"{name}: {found}"))
    return table


def _seen(verdict: Verdict) -> str:
    """What was seen; for a sample too small to be judged, what it needs."""
    is_judged = "(" in verdict.seen or ";" in verdict.seen  # As earlier versions wrote it.
    return verdict.seen if is_judged or not verdict.needed else f"{verdict.seen}; needs {verdict.needed}"


def _metrics(evidence: RunView, suite: SuiteInfo, is_verbose: bool) -> RenderableType:
    """Build one line for each metric: `term recall  39% -> 86%  +47 (44 to 50)  better`."""
    return MetricTable(
        [
            MetricLine(
                name=_text(wording.phrase(metric.name)),
                cells=[*_cells(evidence, suite, metric)],
                details=_text("; ".join(_details(evidence, suite, metric)), "dim") if is_verbose else None,
            )
            for metric in suite.metrics
        ]
    )


def _level(evidence: RunView, suite: SuiteInfo) -> str:
    """Say what the ranges in brackets are; empty where no metric of the suite has one."""
    estimates = (evidence.level(suite.name, CANDIDATE, metric.name) for metric in suite.metrics)
    levels = {number_format.level(found) for found in estimates if found is not None and found.low is not None}
    return f"; in brackets: {wording.listing(sorted(levels))}" if levels else ""


def _cells(evidence: RunView, suite: SuiteInfo, metric: Metric) -> Iterable[Text]:
    unit = evidence.unit(suite.name, metric)
    tuned, before = (evidence.level(suite.name, variant, metric.name) for variant in (CANDIDATE, BASELINE))
    comparison = evidence.comparison(suite.name, metric.name)
    if comparison is None:
        yield _text(number_format.brief_estimate(tuned, unit))
        return
    change = comparison.difference
    levels = [number_format.brief(level, unit, change) for level in (before, tuned)]
    yield _text(" -> ".join(levels[:1] if {*levels} == {number_format.NOT_MEASURED} else levels))
    if change.value is None:
        return
    yield _text(number_format.brief_estimate(change, evidence.unit_of_change(suite.name, metric)))
    reading, tone = sentences.reading(comparison, metric.better)
    yield _text(reading, TONES[tone])


def _details(evidence: RunView, suite: SuiteInfo, metric: Metric) -> Iterable[str]:
    unit = evidence.unit(suite.name, metric)
    for variant in evidence.variants:
        if level := evidence.level(suite.name, variant, metric.name):
            size = f", {wording.count(level.n, wording.item(metric))}" if level.value is not None else ""
            yield f"{wording.variant(variant).lower()} {number_format.estimate(level, unit)}{size}"


def _indented(inner: RenderableType) -> Padding:
    return Padding(inner, (0, 0, 0, 2))


def _text(text: str, style: str = "") -> Text:
    return Text(shown(text), style=style)
