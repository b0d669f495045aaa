"""Section: each gate with its threshold, outcome, observed value and margin, unmet ones first."""

from __future__ import annotations

from harness.schema import SuiteInfo, Verdict
from reports import number_format, sentences, wording
from reports.model import Block, Cell, Section, Table, Text, Tone
from reports.run_data import RunView
from reports.sections import results

COLUMNS = ["Gate", "Outcome", "Finding", "Based on"]
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "error": "bad", "inconclusive": "caution", "skipped": "muted"}
NOTE = (
    "Each finding gives the value and the end of its 95% interval that decides. Only PASS allows a merge. Thresholds "
    "are fixed in a file before the run."
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
        note=NOTE,
    )


def _row(verdict: Verdict, suite: SuiteInfo) -> list[Cell]:
    seen = verdict.observed
    nouns = {metric.name: wording.item(metric) for metric in suite.metrics}
    basis = number_format.basis(seen, suite.cluster, nouns.get(verdict.metric, "item")) if seen else number_format.DASH
    return [
        Cell(text=wording.metric_and_slice(verdict, suite.shape), note=verdict.bar),
        Cell(text=wording.outcome(verdict.outcome), badge=verdict.outcome, tone=TONES[verdict.outcome]),
        Cell(text=wording.finding(verdict), estimate=seen),
        Cell(text=basis),
    ]
