"""The rule `reduces`: a rate where fewer is better is cut to a share of the baseline's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from harness.formatting import bar_percent, percent
from harness.gates.rules.base import (
    NEEDS_RUN,
    Assumed,
    Evidence,
    Finding,
    GateRule,
    PowerNumbers,
    PowerQuestion,
    fewest_clusters,
    how_often,
    not_measured,
)
from harness.gates.sentences import of_ratio
from harness.schema import Gate, Metric, Observation, Outcome

if TYPE_CHECKING:
    from harness.stats.power import Design


def _in_words(gate: Gate, is_share: bool) -> str:
    ratio = gate.ratio if gate.ratio is not None else 1.0
    return "less than the baseline's" if ratio == 1 else f"at most {bar_percent(ratio)} of the baseline's"


def _judge(evidence: Evidence) -> Finding:
    """Pass: the upper bound of tuned over baseline is at most the ratio. Fail: the lower bound is over it."""
    from harness.stats import power
    from harness.stats.intervals import rule_of_three
    from harness.stats.paired import rate_ratio

    threshold = evidence.gate.ratio
    assert evidence.pairs is not None and threshold is not None
    ratio = rate_ratio(evidence.pairs)
    if evidence.pairs.unusable:
        return not_measured(ratio)
    if ratio.value is None:
        bound = percent(rule_of_three(min(evidence.cases, evidence.pairs.effective)))
        needed = f"a baseline with some to reduce; with 0 in {evidence.cases:,} cases its rate is under {bound}"
        return Finding("inconclusive", f"Not measured: {ratio.reason}.", ratio, needed=needed)
    margin = None if ratio.high is None else threshold - ratio.high
    outcome: Outcome = "inconclusive"
    if margin is not None and (margin > 0 or (margin == 0 and threshold < 1)):
        outcome = "pass"
    elif ratio.low is not None and ratio.low > threshold:
        outcome = "fail"
    need = power.for_ratio(evidence.pairs, threshold) if outcome == "inconclusive" else None
    seen = of_ratio(outcome, evidence.now, ratio, threshold)
    return Finding(outcome, "", ratio, margin, need and evidence.settle(need), seen)


def _at_rate(cases: Sequence[Observation], metric: Metric, rate: float) -> Sequence[Observation]:
    """A baseline with events spread evenly, `rate` of all units."""
    baseline, units, given = [], 0.0, 0
    for case in cases:
        units += case.denominator
        events = round(units * rate) - given
        given += events
        baseline.append(structs.replace(case, numerator=float(min(events, case.denominator))))
    return baseline


def _power(question: PowerQuestion) -> PowerNumbers:
    from harness.stats import power_exact

    if not question.counted.is_share:
        return NEEDS_RUN
    threshold, design, assumed = question.gate.ratio, question.design, question.assumed
    assert threshold is not None
    truth, before, correlation = threshold / 2, assumed.baseline_rate, assumed.correlation
    if before <= 0:
        return {"deff": design.deff, "says": ["the baseline of the run has none of it to reduce"]}
    chance, clusters = question.passing(_passes(question.gate, assumed))
    largest = power_exact.largest_ratio(design, before, threshold, correlation, assumed.power)
    says = f"a model at {truth:.0%} of a baseline rate of {before:.0%} passes {how_often(chance)}"
    if chance < assumed.power:
        says += question.for_power(None if largest is None else f"it must be at {largest:.0%} of it", clusters)
    elif largest is not None and f"{largest:.0%}" != f"{truth:.0%}":
        says += f"; for {assumed.power:.0%} it must be at {largest:.0%} of it"
    return {
        "deff": design.deff,
        "truth": truth,
        "chance": chance,
        "needed": largest,
        "contracts_needed": clusters,
        "says": [*_if_none_left(question), says],
    }


def _if_none_left(question: PowerQuestion) -> list[str]:
    """The bound of a model that does it in no case, where even that is too high."""
    none_left = _judge(question.best)
    if none_left.outcome == "pass":
        return []
    high = none_left.observed and none_left.observed.high
    bound = "there is no bound" if high is None else f"the bound is {high:.0%}"
    before = question.assumed.baseline_rate
    return [f"with none left of a baseline rate of {before:.0%}, {bound} of the baseline's rate"]


def _passes(gate: Gate, assumed: Assumed) -> Callable[[Design], float]:
    """How often a model at half of the ratio passes, by design."""
    from harness.stats import power_exact

    threshold, before, correlation = gate.ratio, assumed.baseline_rate, assumed.correlation
    assert threshold is not None
    return lambda design: power_exact.chance_of_cut(design, before, threshold / 2, threshold, correlation)


def _clusters_needed(gate: Gate, assumed: Assumed) -> int | None:
    return fewest_clusters(_passes(gate, assumed), assumed.power)


REDUCES = GateRule(
    needs=("ratio",),
    unit="ratio",
    lower_is_easier=False,
    compares=True,
    is_for_fewer=True,
    in_words=_in_words,
    judge=_judge,
    best_baseline=_at_rate,
    power=_power,
    clusters_needed=_clusters_needed,
)
