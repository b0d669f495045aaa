"""Section: the gates that the verdict does not name, each with its outcome and finding, unmet ones first."""

from __future__ import annotations

from harness.gates.rules import COMPARATIVE
from harness.schema import SuiteInfo, Verdict
from reports import number_format, wording
from reports.model import Block, Cell, Section, Table, Text, Tone
from reports.run_data import RunView
from reports.sections import verdict

COLUMNS = ["Gate", "Outcome", "Finding", "Based on"]
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "error": "bad", "inconclusive": "caution", "skipped": "muted"}
NOTE = (
    "Each finding gives the value and the bound that decides, with 95% confidence. Only PASS allows a merge. "
    "Thresholds are fixed in a file before the run."
)


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        verdicts = evidence.verdicts(suite.name)
        if others := verdicts[len(verdict.named(verdicts)) :]:
            blocks.append(table(suite, others, _caption(suite, others)))
    blocks += [Text(text=NOTE, tone="muted")] if blocks else []
    lead = "The thresholds that the verdict does not name, each with the evidence for it."
    return Section(id="gates", title="Other gates", lead=lead, blocks=blocks) if blocks else None


def table(suite: SuiteInfo, verdicts: list[Verdict], caption: str) -> Table:
    """Tabulate gates of a suite: outcome, finding, and what it is based on."""
    return Table(caption=caption, columns=COLUMNS, rows=[_row(v, suite) for v in verdicts], folded=True)


def _caption(suite: SuiteInfo, verdicts: list[Verdict]) -> str:
    """Say how many gates the table has, and how many of them are not met."""
    has_unmet = any(v.outcome != "pass" for v in verdicts)
    said = verdict.unmet_of(verdicts, "them") if has_unmet else "met"
    return f"{suite.name}: {wording.count(len(verdicts), 'further gate')}, {said}"


def _counted(judged: Verdict, suite: SuiteInfo) -> str:
    """Return the noun of what a gate's number counts: cases of a difference or of none, else what its metric counts."""
    if judged.rule in COMPARATIVE or (judged.rule, judged.outcome) == ("never", "pass"):
        return "case"
    return next((wording.item(metric) for metric in suite.metrics if metric.name == judged.metric), "item")


def _row(judged: Verdict, suite: SuiteInfo) -> list[Cell]:
    seen = judged.observed
    basis = number_format.basis(seen, suite.cluster, _counted(judged, suite)) if seen else number_format.DASH
    return [
        Cell(text=wording.metric_and_slice(judged, suite.shape)),
        Cell(text=wording.outcome(judged.outcome), badge=judged.outcome, tone=TONES[judged.outcome]),
        Cell(text=wording.finding(judged), estimate=seen),
        Cell(text=basis),
    ]
