"""Compares two variants on the cases that `join` has paired. Knows no gate.

Everything is tuned minus baseline in the metric's own unit, whichever direction is better.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from harness.schema import Comparison, Estimate, Side
from harness.stats import intervals, resample
from harness.stats.changes import gains_and_losses
from harness.stats.intervals import Array
from harness.stats.join import Pairs, case_gains, changed_clusters, level_of, scores
from harness.stats.parts import contrast
from harness.stats.rates import rate_ratio
from harness.stats.table import ratio_arrays

FEW_CHANGED_CLUSTERS = 20
"""With fewer changed contracts than this, 'no worse' is bounded by the share of contracts that got worse."""


def difference(pairs: Pairs, level: float = 0.95, side: Side = "two", factor: float = 1.0) -> Estimate:
    """Tuned minus `factor` times baseline, with its clustered interval; `factor` is 1 + m for a relative margin m.

    Gains and losses of contracts have a score interval each, which are put together; see `changes.gains_and_losses`.
    """
    named: dict[str, Any] = {"errors": pairs.errors, "unscored": pairs.unscored, "level": level, "side": side}
    if pairs.unusable or pairs.values is None:
        return Estimate(value=None, reason=pairs.unusable, **named)
    named |= {"value": pairs.values[0] - factor * pairs.values[1], "n": len(pairs.tuned), "clusters": pairs.count}
    if pairs.count < 2:
        return Estimate(method="one contract: no interval", **named)
    whole = contrast(*pairs.parts, factor)
    lowest, highest = _limits(pairs)
    reach = (highest - factor * lowest, factor * highest - lowest)
    if not any(reach):
        return Estimate(method="all answers have one value: no interval", **named)
    low, high, is_guarded = gains_and_losses(whole, reach, level, side)
    if not pairs.metric.over_labels:
        residuals = ratio_contrast(pairs, factor)
        independent = len(residuals) / max(1, len(residuals) - 1) * float(residuals @ residuals)
        deff = whole.variance / independent if independent > 0 else 1.0
        named |= {"deff": deff, "n_eff": len(residuals) / max(1.0, deff)}
    method = "paired gains and losses" + (", few-changes guard" if is_guarded else "")
    return Estimate(low=low, high=high, method=method, **named)


def ratio_contrast(pairs: Pairs, factor: float = 1.0) -> Array:
    """Each case's linearised part of tuned ratio - factor * baseline ratio."""
    found = [intervals.ratio_residuals(*ratio_arrays(cases))[1] for cases in (pairs.tuned, pairs.baseline)]
    return found[0] - factor * found[1]


def _limits(pairs: Pairs) -> tuple[float, float]:
    """Least and greatest score: those of the metric, or where it has none, those that were seen."""
    if pairs.is_rate or pairs.metric.kind != "ratio":
        return pairs.metric.limits
    found = np.concatenate(scores(pairs))
    return float(np.nanmin(found)), float(np.nanmax(found))


def guarded(found: Estimate, pairs: Pairs) -> Estimate:
    """Few-flips guard of 'no worse': the deciding bound is no closer to zero than the share of worse contracts allows.

    Where fewer than 20 contracts changed, a standard error cannot be trusted: with none changed it is 0. The bound is
    then at least as far as the one-sided exact upper bound of the share of contracts that got worse (times the range
    of the score, which is 1 for a rate).
    """
    changed, _ = changed_clusters(pairs)
    if found.value is None or found.low is None or found.high is None or changed >= FEW_CHANGED_CLUSTERS:
        return found
    reach = flip_bound(pairs)
    bounds = {"low": min(found.low, -reach)} if pairs.metric.higher_is_better else {"high": max(found.high, reach)}
    named = {name: getattr(found, name) for name in found.__struct_fields__}
    return Estimate(**{**named, **bounds, "method": f"{found.method}, few-flips guard"})


def flip_bound(pairs: Pairs) -> float:
    """One-sided exact upper bound of the share of contracts that got worse, times the range of the score.

    Contracts count as clusters of one size.
    """
    lowest, highest = _limits(pairs)
    worse, most = changed_clusters(pairs)[1] * pairs.effective / pairs.count, pairs.effective
    return intervals.upper_for_share(worse, most) * (highest - lowest)


def mcnemar(better_cases: int, worse_cases: int) -> float:
    """Exact two-sided p of McNemar's test: min(1, 2 * P[Bin(b + c, 1/2) <= min(b, c)])."""
    changed = better_cases + worse_cases
    if changed == 0:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(min(better_cases, worse_cases), changed, 0.5)))


def superiority(pairs: Pairs) -> tuple[float, str]:
    """Exact p value of 'the variants do not differ': McNemar for 0/1 cases of one contract each, else label swap."""
    numbers = [n for cases in (pairs.tuned, pairs.baseline) for n in ratio_arrays(cases)]
    is_binary = all(bool(np.all((n == 0) | (n == 1))) for n in numbers[::2])
    is_plain = all(bool(np.all(d == 1)) for d in numbers[1::2])
    if not pairs.metric.over_labels and pairs.count == len(pairs.tuned) and is_binary and is_plain:
        gain = case_gains(pairs)
        return mcnemar(int((gain > 0).sum()), int((gain < 0).sum())), "exact McNemar"
    level = level_of(pairs.metric)

    def contrast(totals: Array) -> Array:
        own, other = np.split(totals, 2, axis=1)
        return np.subtract(level(own), level(other))

    return resample.swap_test(*pairs.sums, contrast)


def compare(pairs: Pairs) -> Comparison:
    """Everything a report shows of tuned against baseline on one metric."""
    if pairs.unusable:
        return Comparison(metric=pairs.metric.name, difference=difference(pairs))
    gain = case_gains(pairs)
    changed, worse = changed_clusters(pairs)
    p_value, test = superiority(pairs)
    return Comparison(
        metric=pairs.metric.name,
        difference=difference(pairs),
        ratio=rate_ratio(pairs) if pairs.is_rate else None,
        wins=int((gain > 0).sum()),
        losses=int((gain < 0).sum()),
        ties=int((gain == 0).sum()),
        changed_clusters=changed,
        worse_clusters=worse,
        p_value=p_value,
        test=test,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values: reject where they are under alpha."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
