"""Verdicts and estimates for a terminal, in the wording of the reports.

Text is passed to rich as plain `Text`, so that markup and control characters in it have no effect.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.runs.folder import RunData
from harness.sanitize import shown
from harness.schema import SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.assemble import gather
from reports.run_data import RunView, overall, unmet_first
from reports.sections.verdict import cautions, sentence

STYLES = {"pass": "green", "fail": "red", "error": "red", "inconclusive": "yellow", "skipped": "dim"}
TONES = {"good": "green", "bad": "red", "plain": ""}


def verdict_panel(verdicts: Sequence[Verdict], shapes: Mapping[str, str]) -> RenderableType:
    """Frame all verdicts, unmet ones first, under their combined outcome; `shapes` maps suites to task shapes."""
    outcome = overall(verdicts)
    body = _verdicts(unmet_first(verdicts), shapes) if verdicts else _text("No gate was judged.")
    title = _text(f"{wording.SYMBOLS[outcome]} {wording.outcome(outcome)}", f"bold {STYLES[outcome]}")
    return Panel(body, title=title, border_style=STYLES[outcome])


def summary(run: RunData, gates: Collection[tuple[str, str]] | None = None) -> RenderableType:
    """Summarise a run: changes of the gates, the sentence and estimates of each suite, then the verdicts.

    With `gates`, as (suite, ID), show only their verdicts and the estimates of their suites, and count the others; an
    empty collection shows estimates without verdicts.
    """
    evidence = gather(run, None)
    chosen = {suite for suite, _ in gates or ()}
    messages = [*map(sentences.gates_changed, run.manifest.moved), *cautions(evidence, not run.is_large)]
    parts: list[RenderableType] = [_text(f"! {text}", "yellow") for text in messages]
    for suite in evidence.suites:
        if chosen and suite.name not in chosen:
            continue
        headline = f"{number_format.number(suite.asked)} cases" if run.is_large else sentence(evidence, suite)
        parts += [_text(f"{suite.name}: {headline}", "bold"), _estimates(evidence, suite)]
    verdicts = [v for v in run.verdicts if gates is None or (v.suite, v.gate) in gates]
    if gates is None or verdicts:
        parts.append(verdict_panel(verdicts, {suite.name: suite.shape for suite in evidence.suites}))
    for name in sorted(chosen):
        others = Counter(v.outcome for v in run.verdicts if v.suite == name and (v.suite, v.gate) not in (gates or ()))
        if others:
            counted = wording.outcomes(others)
            parts.append(_text(f"{others.total()} other gates of {name} were not selected: {counted}", "yellow"))
    return Group(*parts)


def summary_lines(run: RunData, width: int = 100, gates: Collection[tuple[str, str]] | None = None) -> list[str]:
    """Return the summary as plain lines of at most `width` columns, without colour."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(summary(run, gates))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def show(run: RunData) -> None:
    """Print the summary to standard output, in colour where that is a terminal."""
    Console().print(summary(run))


def _verdicts(verdicts: Sequence[Verdict], shapes: Mapping[str, str]) -> Table:
    """Build one entry per gate: what it judges, and its finding; fits any width."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for verdict in verdicts:
        judged = wording.metric_and_slice(verdict, shapes[verdict.suite])
        lines = [_text(judged, "bold"), _text(wording.finding(verdict))]
        result = f"{wording.SYMBOLS[verdict.outcome]} {wording.outcome(verdict.outcome)}"
        table.add_row(_text(result, STYLES[verdict.outcome]), Text("\n").join(lines))
    return table


def _estimates(evidence: RunView, suite: SuiteInfo) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("metric", *map(wording.variant, evidence.variants), "change"):
        table.add_column(heading, overflow="fold")
    for metric in suite.metrics:
        unit = evidence.unit(suite.name, metric)
        levels = [evidence.level(suite.name, v, metric.name) for v in evidence.variants]
        cells = [_text(number_format.estimate(level, unit)) for level in levels]
        table.add_row(_text(wording.metric(metric.name, suite.shape)), *cells, _change(evidence, suite, metric.name))
    return table


def _change(evidence: RunView, suite: SuiteInfo, name: str) -> Text:
    comparison = evidence.comparison(suite.name, name)
    metric = next(m for m in suite.metrics if m.name == name)
    if comparison is None:
        return _text(number_format.DASH, "dim")
    unit = evidence.unit_of_change(suite.name, metric)
    reading, tone = sentences.reading(comparison, metric.better)
    return _text(f"{number_format.estimate(comparison.difference, unit)}, {reading}", TONES[tone])


def _text(text: str, style: str = "") -> Text:
    return Text(shown(text), style=style)
