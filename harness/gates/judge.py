"""Judges the bars of gates.toml on a suite's records: one function a rule. Knows no engine, test runner or report.

A verdict is pass, fail or inconclusive, after the checks of `evidence`; only pass merges. Numeric libraries load when
`judge` is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.formatting import interval, number, p_value, points, settle, worth
from harness.gates.config import GateId, gate_ids, load_gates, validate
from harness.gates.evidence import (
    NO_BASELINE,
    Evidence,
    Finding,
    claims_of,
    gather,
    screen,
    too_few,
    with_claim,
    within_noise,
)
from harness.gates.rules import GATE_RULES, bar_in_words, is_tested
from harness.schema import Estimate, GateFile, Metric, Noise, Rule, Side, Verdict

if TYPE_CHECKING:
    from harness.stats.estimates import Answers
    from harness.stats.power import Need

__all__ = ["RULES", "GateId", "gate_ids", "judge", "load_gates", "validate"]

ALPHA = 0.05
"""`improves` without a margin needs a p value under this, after Holm."""


def judge(
    suite: str,
    gate_file: GateFile,
    metrics: Iterable[Metric],
    records_by_variant: Mapping[str, Answers],
    *,
    expected_cases: int,
    slices: Mapping[str, Sequence[str]],
    comparable: str | None = None,
    no_baseline: str = NO_BASELINE,
    noise: Noise | None = None,
) -> list[Verdict]:
    """One verdict for every gate and slice value, in file order, named as `gate_ids` names them.

    `slices` gives each slice tag's values over the whole suite; `expected_cases` is the whole suite's number of cases;
    `comparable` says what differs where suite, data or scorers changed since the baseline was accepted, and then
    nothing is compared; `no_baseline` is said where there is none; no margin may be tighter than `noise`.
    """
    from harness.stats.estimates import reading

    known = {m.name: m for m in metrics}
    ids = gate_ids(gate_file, slices, suite)
    read = {variant: reading(records) for variant, records in records_by_variant.items()}

    def found(asked: GateId) -> Finding | Evidence:
        too_fine = within_noise(asked, noise)
        stopped = screen(asked.gate, read, expected_cases, comparable, no_baseline, too_fine)
        return stopped or gather(asked, known[asked.gate.metric], read)

    claims = claims_of(found(asked) if is_tested(asked.gate) else None for asked in ids)
    items = (with_claim(found(asked), place, claims) for place, asked in enumerate(ids))
    return [
        _verdict(suite, asked, item if isinstance(item, Finding) else _apply(item))
        for asked, item in zip(ids, items, strict=True)
    ]


def unjudged(suite: str, gates: GateFile, slices: Mapping[str, Sequence[str]], reason: str) -> list[Verdict]:
    """An error for every gate of a suite whose numbers may not be looked at."""
    return [_verdict(suite, asked, Finding("error", reason)) for asked in gate_ids(gates, slices, suite)]


def _apply(evidence: Evidence) -> Finding:
    """The rule's finding, unless there is too little to judge; what one case decides stays decided."""
    finding = RULES[evidence.gate.rule](evidence)
    lacking = too_few(evidence)
    if lacking and not (GATE_RULES[evidence.gate.rule].one_decides and finding.outcome == "fail"):
        return replace(finding, outcome="inconclusive", reason=lacking[0], needed=lacking[1])
    left_out = evidence.pairs or evidence.level
    notes = [
        f" {left_out.errors} answers failed, in the engine or the scorer, and count against the claim."
        if left_out.errors
        else "",
        f" {left_out.unscored} answers have no score and are left out." if left_out.unscored else "",
    ]
    return replace(finding, reason=finding.reason + "".join(notes))


def _verdict(suite: str, asked: GateId, finding: Finding) -> Verdict:
    gate = asked.gate
    return Verdict(
        suite=suite,
        gate=asked.id,
        metric=gate.metric,
        rule=gate.rule,
        slice=gate.slice,
        slice_value=asked.slice_value,
        outcome=finding.outcome,
        observed=finding.observed,
        bar=bar_in_words(gate),
        margin=finding.margin,
        reason=finding.reason,
        needed=finding.needed,
    )


def _at_least(evidence: Evidence) -> Finding:
    """Pass: the one-sided lower bound meets the bar. Fail: the upper bound is under it."""
    return _judge_level(evidence, "lower")


def _at_most(evidence: Evidence) -> Finding:
    """Pass: the one-sided upper bound meets the bar. Fail: the lower bound is over it."""
    return _judge_level(evidence, "upper")


def _judge_level(evidence: Evidence, side: Side) -> Finding:
    from harness.stats.estimates import estimate

    bar, name = evidence.gate.value, evidence.metric.name
    assert bar is not None
    found = estimate(evidence.level, evidence.metric, side=side)
    if found.value is None or found.low is None or found.high is None:
        return Finding("fail", f"Not measured: {found.reason or found.method}.", found)
    near, far = (found.low, found.high) if side == "lower" else (-found.high, -found.low)
    wanted = bar if side == "lower" else -bar
    margin = near - wanted
    bound = number(near if side == "lower" else -near, evidence.is_share, bar)
    value = number(found.value, evidence.is_share, bar)
    said = f"{name} is {value} in {evidence.population}{worth(found)}, with a one-sided 95% bound of {bound}"
    if margin >= 0:
        return Finding("pass", f"{said}: it is {bar_in_words(evidence.gate)}.", found, margin)
    if far < wanted:
        return Finding("fail", f"{said}: the bar of {bar_in_words(evidence.gate)} is missed.", found, margin)
    is_met = found.value >= bar if side == "lower" else found.value <= bar
    why = "the point meets the bar, its bound does not" if is_met else "the point misses the bar, but may be chance"
    return Finding("inconclusive", f"{said}: {why}.", found, margin, _need_for_level(evidence, found))


def _need_for_level(evidence: Evidence, found: Estimate) -> str:
    from harness.stats import power as stats_power

    assert evidence.gate.value is not None
    return _settle(evidence, stats_power.for_level(evidence.level, evidence.metric, evidence.gate.value, found.side))


def _settle(evidence: Evidence, need: Need) -> str:
    """What a need says of this evidence."""
    apart = points(need.apart, evidence.is_share).lstrip("+")
    return settle(need.times, evidence.cases, evidence.clusters, apart)


def _improves(evidence: Evidence) -> Finding:
    """Pass: the paired lower bound is over the margin and, without a margin, p < .05. Fail: the upper bound is not."""
    from harness.stats import power as stats_power
    from harness.stats.paired import changed_clusters, difference

    gate, name = evidence.gate, evidence.metric.name
    assert evidence.pairs is not None
    sign = 1 if evidence.metric.higher_is_better else -1
    is_relative = gate.unit == "relative"
    bar = 0.0 if is_relative else gate.margin
    factor = 1 + sign * gate.margin if is_relative else 1.0
    found = difference(evidence.pairs, factor=factor)
    low, high = _oriented(found, sign)
    if found.value is None or low is None or high is None:
        return Finding("fail", f"Not measured: {found.reason or found.method}.", found)
    margin = low - bar
    is_shown = gate.margin > 0 or (evidence.p_value is not None and evidence.p_value < ALPHA)
    said = f"{name} {evidence.move} in {evidence.population}{worth(found)}; {interval(found, evidence.is_share)}"
    if is_relative and gate.margin:
        said += f" of tuned minus {factor:g} times baseline"
    if evidence.p_value is not None:
        said += f", p {p_value(evidence.p_value)}" + (
            f" after Holm over {evidence.claims}" if evidence.claims > 1 else ""
        )
    if margin > 0 and is_shown:
        return Finding("pass", f"{said}: better than the baseline by the bar.", found, margin)
    if high <= bar or changed_clusters(evidence.pairs)[0] == 0:
        return Finding("fail", f"{said}: no such improvement.", found, margin)
    level = 1 - (1 - found.level) / evidence.claims
    need = stats_power.for_difference(evidence.pairs, sign * bar, level=level, factor=factor)
    return Finding("inconclusive", f"{said}: an improvement is not shown.", found, margin, _settle(evidence, need))


def _oriented(found: Estimate, sign: int) -> tuple[float | None, float | None]:
    """Bounds turned so that positive is an improvement."""
    if found.low is None or found.high is None:
        return None, None
    return (found.low, found.high) if sign > 0 else (-found.high, -found.low)


def _no_worse(evidence: Evidence) -> Finding:
    """Pass: the one-sided bound of the loss is inside the margin. Fail: even the other bound is outside."""
    from harness.stats.paired import difference, guarded

    margin, metric = evidence.gate.margin, evidence.metric
    assert evidence.pairs is not None
    sign = 1 if metric.higher_is_better else -1
    found = guarded(difference(evidence.pairs, side="lower" if sign > 0 else "upper"), evidence.pairs)
    low, high = _oriented(found, sign)
    if found.value is None or low is None or high is None:
        return Finding("fail", f"Not measured: {found.reason or found.method}.", found)
    bound = points(sign * low, evidence.is_share)
    said = (
        f"{metric.name} {evidence.move} in {evidence.population}{worth(found)}, with a one-sided 95% bound of {bound}"
    )
    if low > -margin:
        return Finding("pass", f"{said}: {bar_in_words(evidence.gate)}.", found, low + margin)
    if high <= -margin:
        return Finding("fail", f"{said}: worse by more than the margin.", found, low + margin)
    need = _need_for_no_worse(evidence, found.side)
    seen, guards = (points(loss, evidence.is_share).lstrip("+") for loss in (need.apart, margin))
    reason = f"{said}: it sees losses of {seen} or more and guards {guards}."
    return Finding("inconclusive", reason, found, low + margin, _settle(evidence, need))


def _need_for_no_worse(evidence: Evidence, side: Side) -> Need:
    """What an equally good model needs, by the interval and by the few-flips guard."""
    from harness.stats import power as stats_power
    from harness.stats.paired import FEW_CHANGED_CLUSTERS, changed_clusters, flip_bound

    assert evidence.pairs is not None
    margin, contracts = evidence.gate.margin, evidence.clusters
    need = stats_power.for_difference(evidence.pairs, -margin if side == "lower" else margin, side=side, at=0.0)
    changed, worse = changed_clusters(evidence.pairs)
    if changed >= FEW_CHANGED_CLUSTERS:
        return need
    each = evidence.pairs.effective / contracts
    by_guard = stats_power.contracts_for_few_flips(worse, changed, contracts, margin, each)
    times = None if by_guard is None or need.times is None else max(need.times, by_guard / contracts)
    return stats_power.Need(times, max(need.apart, flip_bound(evidence.pairs)))


def _reduces(evidence: Evidence) -> Finding:
    """Pass: the upper bound of tuned over baseline is at most the ratio. Fail: the lower bound is over it."""
    from harness.stats import power as stats_power
    from harness.stats.intervals import rule_of_three
    from harness.stats.paired import rate_ratio

    bar, name = evidence.gate.ratio, evidence.metric.name
    assert evidence.pairs is not None and bar is not None
    found = rate_ratio(evidence.pairs)
    said = f"{name} {evidence.move} in {evidence.population}"
    if found.value is None:
        none = f"a baseline with some to reduce; with 0 in {evidence.cases:,} cases its rate is under "
        return Finding(
            "inconclusive", f"{said}: {found.reason}.", found, needed=f"{none}{rule_of_three(evidence.cases):.2%}"
        )
    upper = "no finite upper bound" if found.high is None else f"{found.high:.2f}"
    said += f"; tuned is {found.value:.2f} of the baseline, 95% interval {found.low or 0:.2f} to {upper}"
    margin = None if found.high is None else bar - found.high
    if margin is not None and (margin > 0 or (margin == 0 and bar < 1)):
        return Finding("pass", f"{said}: {bar_in_words(evidence.gate)}.", found, margin)
    if found.low is not None and found.low > bar:
        return Finding("fail", f"{said}: the cut asked for is ruled out.", found, margin)
    need = stats_power.for_ratio(evidence.pairs, bar)
    return Finding("inconclusive", f"{said}: not shown.", found, margin, _settle(evidence, need))


def _never(evidence: Evidence) -> Finding:
    """Pass: none in at least n_min cases. Fail: one or more, whatever the number of cases."""
    from harness.stats.estimates import estimate
    from harness.stats.intervals import rule_of_three

    name, cases = evidence.metric.name, evidence.cases
    found = evidence.level.table.take(evidence.level.table.numerators > 0)
    level = estimate(evidence.level, evidence.metric, side="upper")
    if found:
        named = ", ".join(c.case_id for c in found[:3]) + (" ..." if len(found) > 3 else "")
        return Finding("fail", f"{name}: found in {len(found)} of {cases} cases, and none is allowed: {named}.", level)
    bound = rule_of_three(cases)
    if level.value is not None:
        level = Estimate(
            value=0.0,
            low=0.0,
            high=bound,
            n=cases,
            clusters=evidence.clusters,
            n_eff=float(cases),
            method="exact upper bound of zero events (rule of three)",
            side="upper",
            errors=level.errors,
            unscored=level.unscored,
        )
    said = f"{name}: 0 found in {evidence.population}; the true share is under {bound:.2%} (3/n), one-sided 95%"
    return Finding("pass", f"{said}, cases taken as independent.", level, 0.0)


RULES: dict[Rule, Callable[[Evidence], Finding]] = {
    "at_least": _at_least,
    "at_most": _at_most,
    "improves": _improves,
    "no_worse": _no_worse,
    "reduces": _reduces,
    "never": _never,
}
"""How each rule of `GATE_RULES` judges."""
