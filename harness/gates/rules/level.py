"""The rules `at_least` and `at_most`: the level of a metric against a fixed threshold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import structs

from harness.formatting import count, exact_threshold, number, plural
from harness.gates.rules.base import (
    NEEDS_RUN,
    Assumed,
    Evidence,
    Finding,
    GateRule,
    PowerNumbers,
    PowerQuestion,
    declare_unbounded,
    fewest_clusters,
    how_often,
    not_measured,
    percent_typo,
    value_range,
)
from harness.gates.sentences import of_level
from harness.schema import Gate, Metric, Outcome, Side

if TYPE_CHECKING:
    from harness.stats.power import Design
    from harness.stats.power_exact import Allowed


def _value(gate: Gate) -> float:
    assert gate.value is not None
    return gate.value


def _in_words(gate: Gate, is_share: bool) -> str:
    value = gate.value if gate.value is not None else 0.0
    words = "at least" if gate.rule == "at_least" else "at most"
    return f"{words} {exact_threshold(value, is_share and abs(value) <= 1)}"


def _at_least(evidence: Evidence) -> Finding:
    """Pass: the one-sided lower bound meets the threshold. Fail: the upper bound is under it."""
    return _judge(evidence, "lower")


def _at_most(evidence: Evidence) -> Finding:
    """Pass: the one-sided upper bound meets the threshold. Fail: the lower bound is over it."""
    return _judge(evidence, "upper")


def _judge(evidence: Evidence, side: Side) -> Finding:
    from harness.stats import power
    from harness.stats.estimates import estimate

    threshold, metric = _value(evidence.gate), evidence.metric
    level = estimate(evidence.level, metric, side=side)
    if level.value is None or level.low is None or level.high is None:
        return not_measured(level)
    sign = 1 if side == "lower" else -1
    near, far = (level.low, level.high) if side == "lower" else (level.high, level.low)
    margin = sign * (near - threshold)
    outcome: Outcome = "pass" if margin >= 0 else "fail" if sign * (far - threshold) < 0 else "inconclusive"
    seen = of_level(outcome, level, threshold, side == "lower", evidence.is_share)
    need = power.for_level(evidence.level, metric, threshold, side) if outcome == "inconclusive" else None
    return Finding(outcome, "", level, margin, need and evidence.settle(need), seen)


def _idle(gate: Gate, metric: Metric) -> list[str]:
    value, (low, high) = _value(gate), value_range(metric)
    start = f"'value' is {value:g}: "
    if not low <= value <= high:
        if (low, high) == (0.0, 1.0) and 2 <= value <= 100:
            return [start + percent_typo(value) + declare_unbounded(metric)]
        return [f"{start}'{metric.name}' is {_range(low, high)}." + (declare_unbounded(metric) if value > high else "")]
    at_least = gate.rule == "at_least"
    if at_least and low == 0 < value < 1 and 10 <= high < math.inf:  # A share, which almost every model meets.
        return [f"{start}'{metric.name}' is {_range(low, high)}; did you mean {value * high:g}?"]
    easy, hard = (low, high) if at_least else (high, low)
    if value == easy:
        which = "least" if at_least else "most"
        return [
            f"{start}every model is at {which} {value:g}, so the gate cannot fail. Use another value or remove the gate"
        ]
    if value == hard:
        never = ". Use rule 'never' where none is allowed" if not at_least and metric.kind == "ratio" else ""
        return [f"{start}no number of cases shows {value:g}, so the gate cannot pass{never or '. Use another value'}"]
    return []


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"a number of {low:g} or more"
    return f"a {'share,' if (low, high) == (0.0, 1.0) else 'number'} from {low:g} to {high:g}"


def _power(question: PowerQuestion) -> PowerNumbers:
    """at_least, and at_most as the same claim on what is left to 1."""
    from harness.stats import power_exact

    if not question.counted.is_share:
        return _power_of_scores(question)
    gate, design, power = question.gate, question.design, question.assumed.power

    def shown(share: float) -> str:
        return number(_turned(gate, share), True, gate.value)

    threshold = _turned(gate, _value(gate))
    good, passes = (1 + threshold) / 2, _passes(gate)
    allowed = power_exact.allowed(design, threshold)
    chance = passes(design)
    needed = power_exact.rate_needed(design, threshold, power)
    numbers = {
        "deff": design.deff,
        "allowed": allowed.few,
        "truth": _turned(gate, good),
        "chance": chance,
        "needed": None if needed is None else _turned(gate, needed),
    }
    if allowed.few is None:
        clusters = power_exact.clusters_needed(design, passes, power)
        return numbers | {"contracts_needed": clusters, "says": [_out_of_reach(question, threshold)]}
    says = f"a model at {shown(good)} passes {how_often(chance)}"
    clusters = None
    if chance < power:
        clusters = power_exact.clusters_needed(design, passes, power)
        says += question.for_power(None if needed is None else f"it must be at {shown(needed)}", clusters)
    elif needed is not None and shown(needed) != shown(good):
        says += f"; for {power:.0%} it must be at {shown(needed)}"
    return numbers | {"contracts_needed": clusters, "says": [_allowed(allowed, question), says]}


def _turned(gate: Gate, share: float) -> float:
    """The share as `at_least` claims it; of `at_most` what is left to 1."""
    return share if gate.rule == "at_least" else 1 - share


def _passes(gate: Gate) -> Callable[[Design], float]:
    """How often a model with half of the errors that the threshold allows passes, by design."""
    from harness.stats import power_exact

    threshold = _turned(gate, _value(gate))
    return lambda design: power_exact.chance_of_level(design, threshold, (1 + threshold) / 2)


def _allowed(allowed: Allowed, question: PowerQuestion) -> str:
    """`passes with at most 4 errors in 500`, with what the few-errors guard leaves where errors are scattered."""
    assert allowed.few is not None
    errors = count(allowed.few, "error" if question.gate.rule == "at_least" else "hit")
    says = f"passes with at most {errors} in {question.design.units:,}"
    if allowed.scattered is not None and allowed.scattered >= max(10, allowed.few + 1):
        says += f" ({allowed.scattered:,} where ten {plural(question.cluster)} or more hold one)"
    return says


def _out_of_reach(question: PowerQuestion, threshold: float) -> str:
    """A level that no faultless model is shown to have."""
    from harness.stats import power_exact

    side: Side = "lower" if question.gate.rule == "at_least" else "upper"
    seen = _judge(question.best, side).observed
    bound = seen and (seen.low if side == "lower" else seen.high)
    clusters = power_exact.clusters_needed(question.design, lambda d: power_exact.chance_of_level(d, threshold, 1.0))
    return (
        f"without any error in {question.design.units:,} the bound is {number(bound or 0.0, True, question.gate.value)}"
        f"; it takes {question.more(clusters)}"
    )


def _power_of_scores(question: PowerQuestion) -> PowerNumbers:
    if beyond := _beyond_the_best(question):
        return beyond
    measured = question.measured("lower")
    if measured is None:
        return NEEDS_RUN
    value, _, visible = measured
    at = _value(question.gate) + (visible if question.gate.rule == "at_least" else -visible)
    says = f"passes {how_often(question.assumed.power)} at a true {number(at, question.is_share)}; the run measured "
    return {"needed": at, "says": [says + number(value, question.is_share)]}


def _beyond_the_best(question: PowerQuestion) -> PowerNumbers | None:
    """What answers without any event show of a rate without an upper end, where even that is too little."""
    from harness.stats import power

    best, value = question.best, _value(question.gate)
    if not best.metric.unbounded or question.counted.assumed or question.gate.rule == "at_least":
        return None
    found = _judge(best, "upper")
    times = power.for_level(best.level, best.metric, value, "upper").times
    if found.outcome == "pass" or found.observed is None or times is None:
        return None
    clusters = math.ceil(times * best.clusters)
    bound = number(found.observed.high or 0.0, False, value)
    says = f"without any event in {count(best.cases, 'case')} the bound is {bound}; it takes {question.more(clusters)}"
    return {"contracts_needed": clusters, "says": [says]}


def _clusters_needed(gate: Gate, assumed: Assumed) -> int | None:
    return fewest_clusters(_passes(gate), assumed.power)


AT_LEAST = GateRule(
    needs=("value",),
    unit="share",
    lower_is_easier=True,
    in_words=_in_words,
    idle=_idle,
    judge=_at_least,
    power=_power,
    clusters_needed=_clusters_needed,
)
AT_MOST = structs.replace(AT_LEAST, lower_is_easier=False, judge=_at_most)
