"""The rule `improves`: better than the baseline, by any size or by more than a margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from harness.formatting import bar_percent, exact_margin, p_value, unsigned
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
    idle_margin,
    not_measured,
    oriented,
    value_range,
)
from harness.gates.sentences import of_change
from harness.schema import Gate, Metric, Observation, Outcome

if TYPE_CHECKING:
    from harness.stats.power import Design

ALPHA = 0.05
"""`improves` without a margin needs a p value under this, after Holm."""
GAIN = 0.10
"""How much better than the baseline a good model is taken to be."""


def _in_words(gate: Gate, is_share: bool) -> str:
    if not gate.margin:
        return "better than the baseline"
    by = f"{bar_percent(gate.margin)} of it" if gate.unit == "relative" else exact_margin(gate.margin, is_share)
    return f"better than the baseline by more than {by}"


def _idle(gate: Gate, metric: Metric) -> list[str]:
    if gate.unit == "relative" and value_range(metric)[0] < 0:
        return [
            f"'{metric.name}' can be under 0, where a share of the baseline is a lower threshold. Use unit 'points'"
        ]
    return idle_margin(gate, metric, "no gain is larger than {range:g}, so the gate cannot pass")


def _judge(evidence: Evidence) -> Finding:
    """Pass: the paired lower bound is over the margin and, without a margin, p < .05. Fail: the upper bound is not."""
    from harness.stats import power
    from harness.stats.paired import difference
    from harness.stats.pairs import changed_clusters

    gate = evidence.gate
    assert evidence.pairs is not None
    sign = 1 if evidence.metric.higher_is_better else -1
    is_relative = gate.unit == "relative"
    threshold = 0.0 if is_relative else gate.margin
    factor = 1 + sign * gate.margin if is_relative else 1.0
    change = difference(evidence.pairs, factor=factor)
    low, high = oriented(change, sign)
    if change.value is None or low is None or high is None:
        return not_measured(change)
    margin = low - threshold
    assert evidence.pairs.values is not None
    # Wrong findings may vanish from a case where none was right: its own share, 0 before, is not defined then.
    is_unchanged = changed_clusters(evidence.pairs)[0] == 0 and math.isclose(*evidence.pairs.values, rel_tol=1e-12)
    is_shown = gate.margin > 0 or (evidence.p_value is not None and evidence.p_value < ALPHA)
    outcome: Outcome = "inconclusive"
    if margin > 0 and is_shown:
        outcome = "pass"
    elif high <= threshold or is_unchanged:
        outcome = "fail"
    than = f" than {bar_percent(factor)} of the baseline's" if factor != 1 else ""
    turned = (sign * change.value, low, high)
    # An interval past the threshold is told as such; what is then missing is the test.
    seen = of_change("pass" if margin > 0 else outcome, evidence.now, turned, threshold, evidence.is_share, than=than)
    if is_unchanged:
        seen = f"{evidence.now}, no case changed"
    if outcome != "inconclusive":
        return Finding(outcome, "", change, margin, seen=seen)
    level = 1 - (1 - change.level) / evidence.claims
    need = power.for_difference(evidence.pairs, sign * threshold, level=level, factor=factor)
    return Finding(outcome, "" if is_shown else _test(evidence), change, margin, evidence.settle(need), seen)


def _test(evidence: Evidence) -> str:
    """That chance explains the change, by the exact test."""
    if evidence.p_value is None:
        return ""
    corrected = f" after Holm over {evidence.claims} gates" if evidence.claims > 1 else ""
    return f"The exact test does not confirm a change: p {p_value(evidence.p_value)}{corrected}."


def _all_wrong(cases: Sequence[Observation], metric: Metric, rate: float) -> Sequence[Observation]:
    """A baseline that is wrong throughout."""
    worst = metric.limits[0] if metric.higher_is_better else metric.limits[1]
    return [
        structs.replace(
            case,
            numerator=worst * case.denominator,
            labels={label: (0, 0, tp) for label, (tp, _, _) in case.labels.items()},
        )
        for case in cases
    ]


def _margin_in_points(gate: Gate, assumed: Assumed) -> float:
    return gate.margin * assumed.baseline_rate if gate.unit == "relative" else gate.margin


def _power(question: PowerQuestion) -> PowerNumbers:
    from harness.stats import power_exact

    if not question.counted.is_share:
        return _power_of_scores(question)
    gate, design, assumed = question.gate, question.design, question.assumed
    margin = _margin_in_points(gate, assumed)
    claims = 1 if gate.margin else question.claims
    if gate.unit == "relative" and gate.margin:
        gain = power_exact.smallest_relative_gain(
            design, assumed.baseline_rate, assumed.discordance, _factor(gate, question.counted.metric), assumed.power
        )
    else:
        gain = power_exact.smallest_gain(
            design, assumed.discordance, assumed.power, margin=margin, alpha=ALPHA / claims
        )
    if gain is None:
        says = f"shows no gain {how_often(assumed.power)}, however large"
    else:
        is_mixed = gain <= assumed.discordance
        where = f"{assumed.discordance:.0%} of cases change" if is_mixed else "every change is a gain"
        says = f"shows true gains of {unsigned(gain)} or more {how_often(assumed.power)}, where {where}"
    says += f" (after Holm over {claims} claims)" if claims > 1 else ""
    chance, clusters = question.passing(_passes(gate, assumed, claims, question.counted.metric))
    numbers = {"deff": design.deff, "truth": margin + GAIN, "chance": chance, "needed": gain}
    return {**numbers, "contracts_needed": clusters, "says": [says]}


def _power_of_scores(question: PowerQuestion) -> PowerNumbers:
    measured = question.measured("two")
    if measured is None:
        return NEEDS_RUN
    gain = measured[2] + question.gate.margin
    says = f"shows true gains of {unsigned(gain, question.is_share)} or more {how_often(question.assumed.power)}"
    return {"needed": gain, "says": [says]}


def _factor(gate: Gate, metric: Metric | None) -> float:
    """What the baseline is multiplied by for a relative margin."""
    return 1 + gate.margin if metric is None or metric.higher_is_better else 1 - gate.margin


def _passes(gate: Gate, assumed: Assumed, claims: int = 1, metric: Metric | None = None) -> Callable[[Design], float]:
    """How often a model that is right in 10 more of 100 than the margin asks passes, by design."""
    from harness.stats import power_exact

    margin = _margin_in_points(gate, assumed)
    gain, alpha = margin + GAIN, ALPHA / claims
    changed = assumed.discordance + gain
    if gate.unit == "relative" and gate.margin:
        before, factor = assumed.baseline_rate, _factor(gate, metric)
        tuned = before + (gain if factor > 1 else -gain)
        return lambda design: power_exact.chance_of_relative_gain(design, before, changed, tuned, factor)
    return lambda design: power_exact.chance_of_gain(design, changed, gain, margin=margin, alpha=alpha)


def _clusters_needed(gate: Gate, assumed: Assumed) -> int | None:
    return fewest_clusters(_passes(gate, assumed), assumed.power)


IMPROVES = GateRule(
    takes=("margin", "unit"),
    unit="points",
    lower_is_easier=True,
    compares=True,
    is_tested=True,
    in_words=_in_words,
    idle=_idle,
    judge=_judge,
    best_baseline=_all_wrong,
    power=_power,
    clusters_needed=_clusters_needed,
)
