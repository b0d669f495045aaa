"""The rule `no_worse`: at most a margin worse than the baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.formatting import count, exact_margin, number, unsigned
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
from harness.schema import Gate, Metric, Observation, Outcome, Side

if TYPE_CHECKING:
    from harness.stats.power import Design, Need


JITTER = 0.1
"""A cluster has changed where its score did by this share of the margin or more."""
CAN_LOSE = "a baseline that gets some cases right, or a gate with an absolute level"


def _in_words(gate: Gate, is_share: bool) -> str:
    return f"at most {exact_margin(gate.margin, is_share)} worse than the baseline"


def _idle(gate: Gate, metric: Metric) -> list[str]:
    return idle_margin(gate, metric, "no loss is larger than {range:g}, so the gate cannot fail")


def _judge(evidence: Evidence) -> Finding:
    """Pass: the one-sided bound of the loss is inside the margin. Fail: even the other bound is outside.

    Inconclusive where the baseline is so bad that no loss is outside, unless the model is better than it.
    """
    from harness.stats.paired import difference, guarded
    from harness.stats.pairs import changed_clusters

    margin, metric = evidence.gate.margin, evidence.metric
    assert evidence.pairs is not None
    sign = 1 if metric.higher_is_better else -1
    plain = difference(evidence.pairs, side="lower" if sign > 0 else "upper")
    change = guarded(plain, evidence.pairs, JITTER * margin)
    low, high = oriented(change, sign)
    if change.value is None or low is None or high is None:
        return not_measured(change)
    outcome: Outcome = "pass" if low > -margin else "fail" if high <= -margin else "inconclusive"
    turned, since = (sign * change.value, low, high), ""
    if (change.low, change.high) != (plain.low, plain.high):
        changed, _ = changed_clusters(evidence.pairs, JITTER * margin)
        noticeably = "" if changed == changed_clusters(evidence.pairs)[0] else "noticeably "
        since = f", since scores changed {noticeably}in only {changed} of {count(evidence.clusters, evidence.cluster)}"
    seen = of_change(outcome, evidence.now, turned, -margin, evidence.is_share, since=since)
    if outcome == "pass" and low <= 0 and (reason := _nothing_to_lose(evidence)):
        return Finding("inconclusive", reason, change, low + margin, CAN_LOSE, evidence.now)
    if outcome != "inconclusive":
        return Finding(outcome, "", change, low + margin, seen=seen)
    need = _need(evidence, change.side)
    reason = f"This suite can detect losses of {unsigned(need.apart, evidence.is_share)} or more."
    return Finding(outcome, reason, change, low + margin, evidence.settle(need), seen)


def _nothing_to_lose(evidence: Evidence) -> str:
    """Say why no model could fail, where the baseline is within the margin of the worst value; empty elsewhere."""
    assert evidence.pairs is not None and evidence.pairs.values is not None
    low, high = value_range(evidence.metric)
    worst = low if evidence.metric.higher_is_better else high
    baseline = evidence.pairs.values[1]
    if abs(baseline - worst) > evidence.gate.margin:
        return ""
    shown = number(baseline, evidence.is_share)
    end = "the worst value" if baseline == worst else f"and {number(worst, evidence.is_share)} is the worst value"
    return f"The baseline is at {shown}, {end}, so no model could fail."


def _need(evidence: Evidence, side: Side) -> Need:
    """What an equally good model needs, by the interval and by the few-flips guard."""
    from harness.stats import power
    from harness.stats.cluster_variance import FEW_FLIPS
    from harness.stats.paired import flip_bound, score_range
    from harness.stats.pairs import changed_clusters

    assert evidence.pairs is not None
    margin, clusters = evidence.gate.margin, evidence.clusters
    need = power.for_difference(evidence.pairs, -margin if side == "lower" else margin, side=side, at=0.0)
    changed, worse = changed_clusters(evidence.pairs, JITTER * margin)
    if changed >= FEW_FLIPS.fewest:
        return need
    each, share = evidence.pairs.effective / clusters, margin / score_range(evidence.pairs)
    by_guard = power.clusters_for_few_flips(worse, changed, clusters, share, each)
    times = None if by_guard is None or need.times is None else max(need.times, by_guard / clusters)
    return power.Need(times, max(need.apart, flip_bound(evidence.pairs, JITTER * margin)))


def _unchanged(cases: Sequence[Observation], metric: Metric, rate: float) -> Sequence[Observation]:
    """A baseline with the same answers: the best that can be shown is that nothing changed."""
    return cases


def _power(question: PowerQuestion) -> PowerNumbers:
    from harness.stats import power_exact

    if not question.counted.is_share:
        return _power_of_scores(question)
    margin, design, assumed = question.gate.margin, question.design, question.assumed
    chance, clusters = question.passing(_passes(question.gate, assumed))
    smallest = power_exact.smallest_margin(design, assumed.discordance, assumed.power)
    line = f"guards losses of {exact_margin(margin, True)}; where {assumed.discordance:.0%} of cases change, an "
    line += f"equally good model passes {how_often(chance)}"
    if chance < assumed.power:
        way = None if smallest is None else f"the margin must be {unsigned(smallest)}"
        line += question.for_power(way, clusters)
    return {
        "deff": design.deff,
        "truth": 0.0,
        "chance": chance,
        "needed": smallest,
        "contracts_needed": clusters,
        "says": [*_if_nothing_changed(question), line],
    }


def _if_nothing_changed(question: PowerQuestion) -> list[str]:
    """What too few clusters rule out where no case changed; nothing where they are enough."""
    margin, clusters = question.gate.margin, question.design.clusters
    unchanged = _judge(question.best)
    if unchanged.outcome == "pass":
        return []
    bound = margin - (unchanged.margin or 0.0)
    # 1 - 0.05^(1/C) of a loss that was never seen: C falls as the logarithm of what is left.
    needed = math.ceil(clusters * math.log1p(-bound) / math.log1p(-margin)) if bound < 1 else None
    return [
        f"with no case changed, {count(clusters, question.cluster)} rule out losses over {unsigned(bound)} "
        f"only; it takes {question.more(needed)}, or 20 in which an answer changes"
    ]


def _power_of_scores(question: PowerQuestion) -> PowerNumbers:
    from harness.stats import power

    measured, margin, counted = question.measured("lower"), question.gate.margin, question.counted
    if measured is None:
        return NEEDS_RUN
    _, error, visible = measured
    says = f"guards losses of {exact_margin(margin, question.is_share)}; an equally good model passes "
    if visible <= margin:
        return {"needed": visible, "says": [f"{says}{question.assumed.power:.0%} of the time or more"]}
    cases = power.cases_for_gap(error, len(counted.cases), margin, "lower", power=question.assumed.power)
    clusters = cases and round(cases * counted.clusters / len(counted.cases))
    way = f"the margin must be {unsigned(visible, question.is_share)}"
    says += f"less often than asked for{question.for_power(way, clusters)}"
    return {"needed": visible, "contracts_needed": clusters, "says": [says]}


def _passes(gate: Gate, assumed: Assumed) -> Callable[[Design], float]:
    """How often a model that is as good passes, by design."""
    from harness.stats import power_exact

    return lambda design: power_exact.chance_of_no_worse(design, assumed.discordance, gate.margin)


def _clusters_needed(gate: Gate, assumed: Assumed) -> int | None:
    return fewest_clusters(_passes(gate, assumed), assumed.power)


NO_WORSE = GateRule(
    needs=("margin",),
    unit="points",
    lower_is_easier=False,
    compares=True,
    in_words=_in_words,
    idle=_idle,
    judge=_judge,
    best_baseline=_unchanged,
    power=_power,
    clusters_needed=_clusters_needed,
)
