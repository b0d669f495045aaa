"""Section: each gate with its threshold, outcome, observed value and margin, unmet ones first."""

from __future__ import annotations

from harness.schema import SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.model import Block, Cell, Section, Table, Text, Tone
from reports.run_data import RunView
from reports.sections import results

COLUMNS = ["Gate and threshold", "Outcome", "Observed", "Margin", "Based on", "Reason"]
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "error": "bad", "inconclusive": "caution", "skipped": "muted"}
NOTE = (
    "Margin is the distance from the deciding end of the interval to the threshold; it is negative where the threshold "
    "is not met. Only PASS allows a merge. Thresholds are fixed in a file before the run."
)


def section(evidence: RunView) -> Section:
    blocks: list[Block] = [
        Text(text=sentences.gates_changed(text), tone="caution") for text in evidence.run.manifest.moved
    ]
    for suite in evidence.suites:
        verdicts = evidence.verdicts(suite.name)
        if verdicts:
            blocks.append(_table(suite, verdicts))
        else:
            blocks.append(Text(text=f"{suite.name}: no gate was judged.", tone="caution"))
    return Section(
        id="gates", title="Gates", lead="Each threshold with the evidence for it, unmet ones first.", blocks=blocks
    )


def _table(suite: SuiteInfo, verdicts: list[Verdict]) -> Table:
    return results.table(
        [(suite, _row(v, suite)) for v in verdicts],
        caption=f"Gates of {suite.name} (gate file {number_format.short(suite.gates_hash)})",
        columns=COLUMNS,
        numeric=[2, 3, 4],
        note=NOTE,
    )


def _row(verdict: Verdict, suite: SuiteInfo) -> list[Cell]:
    seen = verdict.observed
    unit = number_format.unit_of(verdict)
    confidence = number_format.level(seen) if seen and number_format.interval(seen, unit) else ""
    size = (
        (f"n {number_format.number(seen.n)}", number_format.sources(seen, suite.cluster))
        if seen
        else (number_format.DASH, "")
    )
    return [
        Cell(text=wording.metric_and_slice(verdict, suite.shape), note=verdict.bar),
        Cell(text=wording.outcome(verdict.outcome), badge=verdict.outcome, tone=TONES[verdict.outcome]),
        number_format.estimate_cell(seen, unit, confidence),
        Cell(text=number_format.margin(verdict.margin, unit)),
        Cell(text=size[0], note=size[1]),
        Cell(text=verdict.reason, note=wording.needs(verdict.needed)),
    ]
