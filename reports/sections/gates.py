"""The gates: what was asked, what was observed, how far from the bar; unmet ones first."""

from __future__ import annotations

from harness.schema import SuiteInfo, Verdict
from reports import figures, sentences, words
from reports.evidence import Evidence
from reports.model import Block, Cell, Section, Table, Text, Tone
from reports.sections import measured

COLUMNS = ["Gate and bar", "Outcome", "Observed", "Margin", "Based on", "Why"]
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "error": "bad", "inconclusive": "caution", "skipped": "muted"}
NOTE = (
    "Margin is the distance from the deciding end of the interval to the bar; it is negative where the bar is not "
    "reached. Only PASS allows a merge. Bars are fixed in a file before the run."
)


def section(evidence: Evidence) -> Section:
    blocks: list[Block] = [Text(text=sentences.bar_moved(text), tone="caution") for text in evidence.run.manifest.moved]
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
    return measured.table(
        [(suite, _row(v, suite)) for v in verdicts],
        caption=f"Gates of {suite.name} (gate file {figures.short(suite.gates_hash)})",
        columns=COLUMNS,
        numeric=[2, 3, 4],
        note=NOTE,
    )


def _row(verdict: Verdict, suite: SuiteInfo) -> list[Cell]:
    seen = verdict.observed
    unit = figures.unit_of(verdict)
    bounds = figures.interval(seen, unit)
    confidence = figures.level(seen) if seen and bounds else ""
    size = (f"n {figures.number(seen.n)}", figures.sources(seen, suite.cluster)) if seen else (figures.DASH, "")
    return [
        Cell(text=words.metric_and_slice(verdict, suite.shape), note=verdict.bar),
        Cell(text=words.outcome(verdict.outcome), badge=verdict.outcome, tone=TONES[verdict.outcome]),
        Cell(text=figures.value(seen, unit), note=f"{bounds}\n{confidence}".strip(), estimate=seen),
        Cell(text=figures.margin(verdict.margin, unit)),
        Cell(text=size[0], note=size[1]),
        Cell(text=verdict.reason, note=words.needs(verdict.needed)),
    ]
