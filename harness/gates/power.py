"""What every gate of a suite can show, from its cases or from a run's records.

Whether a gate can pass at all is decided by the rule itself, on the answers of the best model there can be. Before a
run, the suite's own scorers score three answers that need no model: nothing, what is expected as a list, and the
opening of the source. A denominator that no answer changes is then known. With a run, all is read from its records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field, structs

from harness.files import digest
from harness.gates.config import GateId, gate_ids
from harness.gates.judge import after_holm, too_few
from harness.gates.rules import COMPARATIVE, GATE_RULES, HIGHER_IS_BETTER, is_tested, threshold_in_words
from harness.gates.rules.base import (
    FEWEST_CLUSTERS,
    NEEDS_RUN,
    Assumed,
    Counted,
    Evidence,
    PowerNumbers,
    PowerQuestion,
)
from harness.schema import BASELINE, CANDIDATE, Case, Completion, Gate, GateFile, Metric, Observation, Record
from harness.suites.suite import Suite

if TYPE_CHECKING:
    from harness.stats.observations import Answers, VariantScores


class GatePower(Struct, frozen=True, kw_only=True):
    """What one gate can show."""

    suite: str
    """Suite name."""
    gate: str
    """Stable id of rule and slice."""
    rule: str
    """Rule name."""
    slice_value: str | None = None
    """The value of the slice that it judges."""
    bar: str
    """The bar in words."""
    units: int
    """What its metric counts: cases, or the claims below the line of its ratio."""
    cases: int
    """Cases that count any."""
    contracts: int
    """Independent sources among them."""
    cluster: str
    """What such a source is called."""
    can_pass: bool
    """A faultless model passes; for `no_worse` one that changes nothing."""
    deff: float | None = None
    """Design effect that was assumed or measured."""
    allowed: int | None = None
    """Most errors with which a level passes while fewer than ten clusters hold one."""
    truth: float | None = None
    """The good value that `chance` is for: half of what the threshold allows, no change, a gain of 10."""
    chance: float | None = None
    """Probability of passing there."""
    needed: float | None = None
    """The level, gain, margin or ratio at which the power asked for is reached with these cases."""
    contracts_needed: int | None = None
    """Clusters at which it is reached at `truth`."""
    is_enough: bool | None = None
    """Its cases are enough for the target power at `truth`; None where only a run can tell."""
    says: list[str] = field(default_factory=list)
    """All of it in plain words."""
    assumes: str = ""
    """What was assumed of this gate alone."""


WITHOUT_END = ("at_least", "improves")
"""Rules that ask for as much as there can be of a metric, or of its change: of an unbounded one there is no most."""


def suite_power(
    suite: Suite, gates: GateFile, assumed: Assumed, records: Mapping[str, Sequence[Record]] | None = None
) -> list[GatePower]:
    """What every gate and slice value can show, in file order; by `records` (by variant) as far as they tell."""
    from harness.stats.observations import reading

    metrics = {m.name: m for m in suite.metrics}
    ids = gate_ids(gates, suite.slice_values(), suite.name)
    inputs = PowerInputs(suite)
    read = {variant: reading(answers) for variant, answers in (records or {}).items()}
    counts = [
        (read and from_run(asked, metrics[asked.gate.metric], read))
        or inputs.counted(asked, metrics[asked.gate.metric])
        for asked in ids
    ]
    claims = max(1, sum(is_tested(i.gate) for i in ids))
    own = [measured(counted, assumed) for counted in counts]
    best = after_holm([perfect_evidence(c, a.baseline_rate, suite.cluster) for c, a in zip(counts, own, strict=True)])
    rows = []
    for asked, counted, known, evidence in zip(ids, counts, own, best, strict=True):
        assert isinstance(evidence, Evidence)
        rows.append(_gate(suite, asked, PowerQuestion(counted, known, claims, evidence)))
    return rows


def clusters_enough(gate: Gate, assumed: Assumed | None = None) -> int | None:
    """Clusters of one case each with which a good model passes as often as the power asks; None over 20,000."""
    needed = GATE_RULES[gate.rule].clusters_needed(gate, assumed or Assumed())
    return None if needed is None else max(FEWEST_CLUSTERS, gate.n_min, needed)


def _gate(suite: Suite, asked: GateId, question: PowerQuestion) -> GatePower:
    counted, rule = question.counted, GATE_RULES[asked.gate.rule]
    if not counted.cases:  # Its scorer needs a model, so that no answer without one tells what it counts.
        numbers, can_pass = NEEDS_RUN, True
    elif lacking := too_few(question.best):
        numbers, can_pass = _lacking(asked.gate, lacking[0], question.assumed), False
    else:
        has_no_best = bool(counted.assumed) or asked.gate.rule in WITHOUT_END
        is_unknown = counted.metric.unbounded and has_no_best  # Such as how long a model's answers are.
        numbers, can_pass = rule.power(question), is_unknown or rule.judge(question.best).outcome == "pass"
    chance: float | None = numbers.get("chance")
    is_likely = rule.one_decides or (chance or 0.0) >= question.assumed.power  # `never`: the chance is a bad model's
    return GatePower(
        suite=suite.name,
        gate=asked.id,
        rule=asked.gate.rule,
        slice_value=asked.slice_value,
        bar=threshold_in_words(asked.gate, question.counted.metric),
        units=question.design.units if counted.is_share else len(counted.cases),
        cases=len(counted.cases),
        contracts=counted.clusters,
        cluster=suite.cluster,
        can_pass=can_pass,
        is_enough=None if chance is None and can_pass else can_pass and is_likely,
        assumes=counted.assumed if counted.cases else "",
        **numbers,
    )


def _lacking(gate: Gate, reason: str, assumed: Assumed) -> PowerNumbers:
    return {"contracts_needed": clusters_enough(gate, assumed), "says": [reason]}


def measured(counted: Counted, assumed: Assumed) -> Assumed:
    """The assumptions of one gate, replaced by what a run measured of it."""
    from harness.stats.estimates import estimate
    from harness.stats.paired import difference

    if counted.level is None:
        return assumed
    changes: dict[str, float] = {}
    pairs = counted.pairs if counted.gate.rule in COMPARATIVE else None
    if pairs and not pairs.unusable:
        seen = difference(pairs)
        changes |= _changes_of(pairs) if counted.is_share else {}
    else:
        seen = estimate(counted.level, counted.metric)
    size = counted.design(0).weighted_size
    if seen.deff is not None and seen.deff != 1 and size > 1:  # It is 1 where no case differs from another.
        changes["icc"] = min(0.95, max(0.0, (seen.deff - 1) / (size - 1)))
    return structs.replace(assumed, **changes)


def _changes_of(pairs: Any) -> dict[str, float]:
    """Discordance, baseline rate and correlation of a comparison of 0/1 scores."""
    import numpy as np

    from harness.stats.pairs import case_gains, scores

    units, (tuned, baseline) = pairs.tuned.denominators, scores(pairs)
    discordance = float(np.abs(case_gains(pairs)) @ units / units.sum())
    assumptions = {"discordance": discordance, "baseline_rate": pairs.values[1]}
    tuned, baseline = (side[~np.isnan(tuned + baseline)] for side in (tuned, baseline))
    if tuned.std() > 0 and baseline.std() > 0:
        assumptions["correlation"] = float(max(0.0, np.corrcoef(tuned, baseline)[0, 1]))
    return assumptions


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
    def _answers(self) -> list[VariantScores]:
        from harness.stats.observations import reading

        suite = self.suite
        return [reading([_answer(suite, case, text(case)) for case in suite.cases]) for text in ANSWERS]

    def counted(self, asked: GateId, metric: Metric) -> Counted:
        """What the gate will count, as far as that is known before a run."""
        from harness.stats.observations import in_slice, observations
        from harness.stats.score_table import Cases

        gate = asked.gate
        seen = [
            observations(in_slice(records, gate.slice, asked.slice_value), metric).cases for records in self._answers
        ]
        sums = [{c.case_id: c.denominator for c in cases} for cases in seen]
        is_share = metric.kind == "ratio" and not metric.unbounded and (gate.value or 0) <= 1
        is_share &= all(c.numerator <= c.denominator for cases in seen for c in cases)
        known, listed = sums[0], sums[1]
        assumed = ""
        if any(other != known for other in sums) or not sum(known.values()):
            known = listed if sum(listed.values()) else dict.fromkeys(listed, 1.0)
            assumed = AS_EXPECTED if sum(listed.values()) else ONE_EACH
        if is_share and sum(known.values()) > AN_AMOUNT * len(known):
            known, assumed = dict.fromkeys(known, 1.0), AN_AMOUNT_SAYS
        cases = [
            _faultless(case, gate, metric, known[case.case_id]) for case in seen[0] if known.get(case.case_id, 0) > 0
        ]
        return Counted(gate, metric, Cases.of(cases), is_share, assumed if is_share or metric.unbounded else "")


def from_run(asked: GateId, metric: Metric, records: Mapping[str, Answers]) -> Counted | None:
    """What the gate counted in a run; None where the run holds no score of it."""
    from harness.stats.observations import in_slice, observations
    from harness.stats.pairs import pair
    from harness.stats.score_table import Cases

    part = {v: in_slice(records.get(v, ()), asked.gate.slice, asked.slice_value) for v in (CANDIDATE, BASELINE)}
    level = observations(part[CANDIDATE], metric)
    other = observations(part[BASELINE], metric, "baseline")
    pairs = pair(level, other, metric) if other.cases else None
    is_share = metric.kind == "ratio" and not metric.unbounded
    is_share &= pairs.is_rate if pairs else level.table.is_share
    cases = [_faultless(case, asked.gate, metric, case.denominator) for case in level.cases if case.denominator > 0]
    return Counted(asked.gate, metric, Cases.of(cases), is_share, pairs=pairs, level=level) if cases else None


def _faultless(case: Observation, gate: Gate, metric: Metric, units: float) -> Observation:
    low, high = metric.limits
    best = high if HIGHER_IS_BETTER.get(gate.rule, metric.higher_is_better) else low
    labels = {label: (tp + fn, 0, 0) for label, (tp, _, fn) in case.labels.items() if tp + fn}
    return structs.replace(case, numerator=best * units, denominator=units, labels=labels, error=False)


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
