"""The gates: what was asked, what was observed, how far from the bar; unmet ones first."""

from __future__ import annotations

from harness.schema import SuiteInfo, Verdict
from reports import words
from reports.evidence import Evidence
from reports.model import Block, Cell, Section, Table, Text, Tone

COLUMNS = ["Gate", "Outcome", "Bar", "Observed", "Margin", "Based on", "Why"]
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "error": "bad", "inconclusive": "caution", "skipped": "muted"}
NOTE = (
    "Margin is the distance from the deciding end of the interval to the bar; it is negative where the bar is not "
    "reached. Only PASS allows a merge. Bars are fixed in a file before the run."
)


def section(evidence: Evidence) -> Section:
    blocks: list[Block] = []
    for suite in evidence.suites:
        verdicts = evidence.verdicts(suite.name)
        if verdicts:
            blocks.append(_table(suite, verdicts))
        else:
            blocks.append(Text(text=f"{suite.name}: no gate was judged.", tone="caution"))
    return Section(
        id="gates", title="Gates", lead="Each bar with the evidence for it, unmet ones first.", blocks=blocks
    )


def _table(suite: SuiteInfo, verdicts: list[Verdict]) -> Table:
    return Table(
        caption=f"Gates of {suite.name} (gate file {words.short(suite.gates_hash)})",
        columns=COLUMNS,
        rows=[_row(v, suite.cluster) for v in verdicts],
        numeric=[3, 4, 5],
        note=NOTE,
    )


def _row(verdict: Verdict, cluster: str) -> list[Cell]:
    seen = verdict.observed
    unit = words.UNIT_OF_RULE[verdict.rule]
    bounds = (
        [words.interval(seen, unit), f"{words.level(seen)} confidence"] if seen and words.interval(seen, unit) else []
    )
    return [
        Cell(text=words.metric_and_slice(verdict), note=words.RULES[verdict.rule]),
        Cell(text=words.outcome(verdict.outcome), badge=verdict.outcome, tone=TONES[verdict.outcome]),
        Cell(text=verdict.bar),
        Cell(text=words.value(seen, unit), note="\n".join(bounds), estimate=seen),
        Cell(text=words.margin(verdict.margin, verdict.rule)),
        Cell(text=f"n {words.number(seen.n)}", note=words.count(seen.clusters, cluster))
        if seen
        else Cell(text=words.DASH),
        Cell(text=verdict.reason, note=words.needs(verdict.needed)),
    ]
