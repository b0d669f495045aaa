"""What a suite's cases are to each gate before a model is asked: units, clusters, and what a faultless model gets.

The suite's own scorers score three answers that need no model: nothing, what is expected as a list, and the opening of
the source. A denominator that no answer changes is known before a run. With a run, all is read from its records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec

from harness.files import digest
from harness.gates.config import GateId
from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import Counted, Evidence
from harness.schema import BASELINE, CANDIDATE, Case, Completion, Metric, Observation, Record
from harness.suites.suite import Suite

AN_AMOUNT = 25
"""More units a case than this are an amount, such as words, and no number of right and wrong claims."""

AS_EXPECTED = "counted as in the expected answers, since how many there are depends on the model"
ONE_EACH = "taken as one in each case, since how many there are depends on the model"
AN_AMOUNT_SAYS = "taken as one score in each case, which is on the careful side"


def perfect_evidence(counted: Counted, baseline_rate: float, cluster: str) -> Evidence:
    """What the gate would be judged on with the best model: faultless, against the baseline that its rule names."""
    from harness.stats.observations import Observations
    from harness.stats.pairs import pair

    gate, metric, cases = counted.gate, counted.metric, counted.cases
    level = Observations(cases=cases, records=len(cases))
    best_baseline = GATE_RULES[gate.rule].best_baseline
    if best_baseline is None:
        return Evidence(gate=gate, metric=metric, level=level, cluster=cluster)
    baseline = Observations(cases=best_baseline(cases, metric, baseline_rate))
    return Evidence(gate=gate, metric=metric, level=level, pairs=pair(level, baseline, metric), cluster=cluster)


class PowerInputs:
    """Answers that need no model, scored once for a whole suite, when they are first needed."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite

    @cached_property
    def _answers(self) -> list[list[Record]]:
        return [[_answer(self.suite, case, text(case)) for case in self.suite.cases] for text in ANSWERS]

    def counted(self, asked: GateId, metric: Metric) -> Counted:
        """What the gate will count, as far as that is known before a run."""
        from harness.stats.observations import in_slice, observations

        gate = asked.gate
        seen = [
            observations(in_slice(records, gate.slice, asked.slice_value), metric).cases for records in self._answers
        ]
        sums = [{c.case_id: c.denominator for c in cases} for cases in seen]
        is_share = metric.kind == "ratio" and (gate.value or 0) <= 1
        is_share &= all(c.numerator <= c.denominator for cases in seen for c in cases)
        known, listed = sums[0], sums[1]
        assumed = ""
        if any(other != known for other in sums) or not sum(known.values()):
            known = listed if sum(listed.values()) else dict.fromkeys(listed, 1.0)
            assumed = AS_EXPECTED if sum(listed.values()) else ONE_EACH
        if is_share and sum(known.values()) > AN_AMOUNT * len(known):
            known, assumed = dict.fromkeys(known, 1.0), AN_AMOUNT_SAYS
        cases = [_faultless(case, metric, known[case.case_id]) for case in seen[0] if known.get(case.case_id, 0) > 0]
        return Counted(gate, metric, cases, is_share, assumed if is_share else "")


def from_run(asked: GateId, metric: Metric, records: Mapping[str, Sequence[Record]]) -> Counted | None:
    """What the gate counted in a run; None where the run holds no score of it."""
    from harness.stats.observations import in_slice, observations
    from harness.stats.pairs import pair

    part = {v: in_slice(records.get(v, ()), asked.gate.slice, asked.slice_value) for v in (CANDIDATE, BASELINE)}
    level = observations(part[CANDIDATE], metric)
    other = observations(part[BASELINE], metric, "baseline")
    pairs = pair(level, other, metric) if other.cases else None
    is_share = metric.kind == "ratio" and (pairs.is_rate if pairs else level.table.is_share)
    cases = [_faultless(case, metric, case.denominator) for case in level.cases if case.denominator > 0]
    return Counted(asked.gate, metric, cases, is_share, pairs=pairs, level=level) if cases else None


def _faultless(case: Observation, metric: Metric, units: float) -> Observation:
    best = metric.limits[1] if metric.higher_is_better else metric.limits[0]
    labels = {label: (tp + fn, 0, 0) for label, (tp, _, fn) in case.labels.items() if tp + fn}
    return msgspec.structs.replace(case, numerator=best * units, denominator=units, labels=labels, error=False)


OPENING = 500
"""Characters of the source that stand for an answer."""
ANSWERS: Sequence[Callable[[Case], str]] = (
    lambda case: "",
    lambda case: "; ".join(case.expected) or "none",
    lambda case: (case.document or " ".join(case.input.values()))[:OPENING],
)


def _answer(suite: Suite, case: Case, text: str) -> Record:
    completion = Completion(key="", text=text, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    return Record(
        case=case,
        variant=CANDIDATE,
        input_hash=digest(case.input),
        prompt_hash="",
        expected_hash="",
        completion=completion,
        scores=suite.score(case, completion),
    )
