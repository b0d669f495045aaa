"""Compares two variants on paired cases: difference and ratio with their intervals, and tests.

Everything is tuned minus baseline in the metric's own unit, whichever direction is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from scipy import special

from harness.schema import Comparison, Estimate, Side
from harness.stats import cluster_variance, intervals, permutation
from harness.stats.cluster_variance import (
    FEW_CHANGES,
    FEW_CHANGES_OF_RATIO,
    FEW_EVENTS,
    FEW_FLIPS,
    ROUNDING,
    is_fewer,
)
from harness.stats.intervals import Array, ClusterSums, effective_clusters, wilson_at
from harness.stats.pairs import Pairs, case_gains, changed_clusters, level_of, scores


@dataclass(frozen=True)
class Shifts:
    """Gains, or losses: numbers, or arrays of one shape."""

    mean: Array | float
    variance: Array | float
    reach: float
    """Largest mean that there can be."""
    most: Array | float
    """Most independent cases that may be behind it."""
    effective: float
    """Clusters of one weight that tell as much: what it is worth where it has no spread."""


def hybrid(gain: Shifts, loss: Shifts, covariance: Array | float, t: float) -> tuple[Array, Array]:
    """Bounds of gain - loss from the score interval of each: MOVER (Newcombe 1998, method 10; Donner and Zou 2012)."""
    down, up = zip(_reaches(gain, t), _reaches(loss, t), strict=True)
    both = np.sqrt(np.multiply(gain.variance, loss.variance))
    rho = np.divide(covariance, both, out=np.zeros(np.shape(both)), where=np.greater(both, 0))

    def joined(one: Array, other: Array) -> Array:
        length: Array = np.sqrt(np.maximum(0.0, one * one + other * other - 2 * rho * one * other))
        return length

    middle = np.subtract(gain.mean, loss.mean)
    return middle - joined(down[0], up[1]), middle + joined(up[0], down[1])


def _reaches(moved: Shifts, t: float) -> tuple[Array, Array]:
    """How far the score interval of gains (or losses) goes down and up from their mean."""
    p = np.minimum(1.0, np.divide(moved.mean, moved.reach))
    variance = np.divide(moved.variance, moved.reach**2)
    known = np.greater(variance, 0) & np.less(p, 1)
    worth = np.divide(p * (1 - p), variance, out=np.full(np.shape(p), float(moved.effective)), where=known)
    low, high = wilson_at(p, np.minimum(worth, moved.most), t)
    return moved.reach * (p - low), moved.reach * (high - p)


def effective_size_cap(
    own: NDArray[np.bool_] | bool,
    either: NDArray[np.bool_] | bool,
    absolute: Array | float,
    squares: Array | float,
    effective: float,
) -> Array:
    """Most independent cases that gains (or losses) may be worth, as a share of the largest one.

    No limit where enough clusters tell their spread (`own`). Else it is what gains and losses together tell (`either`)
    of how much a cluster moves at a time, from the sums of absolute and squared differences. Where those are few too, a
    cluster may move as a whole, and there are no more cases than clusters.
    """
    known = np.greater(squares, 0)
    moves = np.divide(absolute, squares, out=np.full(np.shape(known), float(effective)), where=known)
    return np.where(own, np.inf, np.where(either, moves, effective))


def gains_and_losses(
    change: tuple[ClusterSums, ClusterSums],
    reach: tuple[float, float],
    level: float = 0.95,
    side: Side = "two",
    most: float = 0.0,
) -> tuple[float, float, bool]:
    """Bounds of a paired difference from what clusters gain and lose, and whether a guard was needed.

    `change` is that of `Pairs`; `reach` is the largest possible gain and the largest possible loss. Few clusters that
    moved leave the standard error unknown (with none it is 0), and the interval is then as wide as `effective_size_cap`
    says. A rate without an upper end may then move by `most` in a cluster, however little those that moved did.
    """
    whole, shown = (replace(p, added=np.where(np.abs(p.added) < ROUNDING * max(reach), 0.0, p.added)) for p in change)
    absolute, squares = float(np.abs(shown.added).sum()), float(shown.added @ shown.added)
    tells = shown.tells(FEW_CHANGES.fewest)
    split, told = ([replace(p, added=np.maximum(sign * p.added, 0)) for sign in (1, -1)] for p in (whole, shown))
    sides = [
        Shifts(
            mean=moved.value,
            variance=moved.variance,
            reach=far,
            most=np.minimum(
                effective_size_cap(own, tells, absolute / far, squares / far**2, whole.effective),
                whole.effective * far / most if most and not own else np.inf,
            ),
            effective=whole.effective,
        )
        for moved, far, own in zip(split, reach, (moved.tells(FEW_CHANGES.fewest) for moved in told), strict=True)
    ]
    covariance = cluster_variance.covariance(split[0].residuals, split[1].residuals, whole.weights)
    low, high = hybrid(sides[0], sides[1], covariance, whole.critical(level, side))
    return float(low), float(high), any(np.isfinite(moved.most) for moved in sides)


def rate_ratio(pairs: Pairs, level: float = 0.95) -> Estimate:
    """Tuned rate over baseline rate, by t on its logarithm; not measured where the baseline's rate is 0.

    Where fewer than ten clusters carry the events of one variant, their spread is not known (with none left the
    logarithm is not either), so the bounds are then no tighter than MOVER-R over the guarded Wilson bounds of both. And
    where too few clusters changed to know the spread of the change, they are no tighter than its own interval has it.
    """
    named: dict[str, Any] = {"errors": pairs.errors, "unscored": pairs.unscored, "level": level}
    if pairs.unusable or pairs.values is None:
        return Estimate(value=None, reason=pairs.unusable, **named)
    tuned, baseline = pairs.values
    if baseline == 0:
        return Estimate(value=None, reason="the baseline's rate is 0, so a ratio to it is not defined", **named)
    named |= {"value": tuned / baseline, "n": len(pairs.tuned), "clusters": pairs.count}
    if pairs.count < 2:
        return Estimate(method="one cluster: no interval", **named)
    method = "t of the logarithm"
    few = is_fewer(min(effective_clusters(side.added) for side in pairs.parts), FEW_EVENTS.fewest)
    low, high = _by_logarithm(pairs, level) if tuned > 0 else (np.inf, 0.0)
    if few:
        wide = _mover(pairs, level)
        low, high = min(low, wide[0] or 0.0), np.inf if wide[1] is None else max(high, wide[1])
        method += f", {FEW_EVENTS.name}"
    elif not (change := pairs.change())[1].tells(FEW_CHANGES_OF_RATIO.fewest):
        reach = score_range(pairs)
        least, most, _ = gains_and_losses(change, (reach, reach), level, most=pairs.most)
        low, high = min(low, max(0.0, 1 + least / baseline)), max(high, 1 + most / baseline)
        method += f", {FEW_CHANGES_OF_RATIO.name}"
    return Estimate(low=low, high=high if np.isfinite(high) else None, method=method, **named)


def _by_logarithm(pairs: Pairs, level: float) -> tuple[float, float]:
    """Bounds from the clustered error of ln(tuned rate) - ln(baseline rate): delta method."""
    tuned, baseline = pairs.parts
    moved = tuned.added / tuned.value - baseline.added / baseline.value
    moved += baseline.weights - tuned.weights
    whole = ClusterSums(moved, (tuned.weights + baseline.weights) / 2)
    centre, half = math.log(tuned.value / baseline.value), whole.critical(level, "two") * math.sqrt(whole.variance)
    return math.exp(centre - half), math.exp(centre + half)


def _mover(pairs: Pairs, level: float) -> tuple[float | None, float | None]:
    def rate(sums: Array, value: float) -> tuple[float, float, float]:
        if not pairs.is_rate:
            rates = intervals.unbounded(intervals.of_ratio(sums), level, most=pairs.most)
            return value, rates.low, rates.high
        counted = sums[sums[:, 1] > 0]
        evidence = intervals.worth(counted[:, 0], counted[:, 1], np.arange(len(counted)))
        bounds = intervals.wilson(value, evidence.n_eff, level, "two", evidence.df) if evidence else (0.0, 1.0)
        return value, *bounds

    assert pairs.values is not None
    return intervals.ratio_of_rates(rate(pairs.sums[0], pairs.values[0]), rate(pairs.sums[1], pairs.values[1]))


def difference(pairs: Pairs, level: float = 0.95, side: Side = "two", factor: float = 1.0) -> Estimate:
    """Tuned minus `factor` times baseline, with its clustered interval; `factor` is 1 + m for a relative margin m.

    Gains and losses of clusters have a score interval each, which are put together; see `gains_and_losses`.
    """
    named: dict[str, Any] = {"errors": pairs.errors, "unscored": pairs.unscored, "level": level, "side": side}
    if pairs.unusable or pairs.values is None:
        return Estimate(value=None, reason=pairs.unusable, **named)
    named |= {"value": pairs.values[0] - factor * pairs.values[1], "n": len(pairs.tuned), "clusters": pairs.count}
    if pairs.count < 2:
        return Estimate(method="one cluster: no interval", **named)
    change = pairs.change(factor)
    lowest, highest = _limits(pairs)
    reach = (highest - factor * lowest, factor * highest - lowest)
    low, high, is_guarded = gains_and_losses(change, reach, level, side, pairs.most)
    if not pairs.metric.over_labels:
        tuned, baseline = (
            intervals.ratio_residuals(cases.numerators, cases.denominators)[1]
            for cases in (pairs.tuned, pairs.baseline)
        )
        residuals = tuned - factor * baseline
        independent = len(residuals) / max(1, len(residuals) - 1) * float(residuals @ residuals)
        deff = change[0].variance / independent if independent > 0 else 1.0
        named |= {"deff": deff, "n_eff": len(residuals) / max(1.0, deff)}
    method = "paired gains and losses" + (f", {FEW_CHANGES.name}" if is_guarded else "")
    return Estimate(low=low, high=high, method=method, **named)


def _limits(pairs: Pairs) -> tuple[float, float]:
    """Least and greatest score: those of the metric, or where it has none, those seen and those to reckon with."""
    if pairs.is_rate or pairs.metric.kind != "ratio":
        return pairs.metric.limits
    values = np.concatenate(scores(pairs))
    lowest = min(0.0, float(np.nanmin(values)))
    return lowest, max(float(np.nanmax(values)), lowest + pairs.most)


def guarded(found: Estimate, pairs: Pairs, least: float = 0.0) -> Estimate:
    """Few-flips guard of 'no worse': the deciding bound is no closer to zero than the share of worse clusters allows.

    Where fewer than 20 clusters changed, a standard error cannot be trusted: with none changed it is 0. The bound is
    then at least as far as the one-sided exact upper bound of the share of clusters that got worse (times the range
    of the score, which is 1 for a rate). Changes under `least` count as none: scores that jitter tell no more than
    equal ones of large losses that no cluster had.
    """
    changed, _ = changed_clusters(pairs, least)
    if found.value is None or found.low is None or found.high is None or changed >= FEW_FLIPS.fewest:
        return found
    reach = flip_bound(pairs, least)
    bounds = {"low": min(found.low, -reach)} if pairs.metric.higher_is_better else {"high": max(found.high, reach)}
    return structs.replace(found, **bounds, method=f"{found.method}, {FEW_FLIPS.name}")


def flip_bound(pairs: Pairs, least: float = 0.0) -> float:
    """One-sided exact upper bound of the share of clusters that got worse, times the range of the score.

    It counts clusters of one size.
    """
    worse, most = changed_clusters(pairs, least)[1] * pairs.effective / pairs.count, pairs.effective
    return intervals.upper_for_share(worse, most) * score_range(pairs)


def score_range(pairs: Pairs) -> float:
    """How far apart two scores can be, which is 1 for a share."""
    lowest, highest = _limits(pairs)
    return highest - lowest


def mcnemar(better_cases: int, worse_cases: int) -> float:
    """Exact two-sided p of McNemar's test: min(1, 2 * P[Bin(b + c, 1/2) <= min(b, c)])."""
    changed = better_cases + worse_cases
    if changed == 0:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(min(better_cases, worse_cases), changed, 0.5)))


def superiority(pairs: Pairs) -> tuple[float, str]:
    """Exact p value of 'the variants do not differ': McNemar for 0/1 cases of one cluster each, else label swap."""
    is_plain = pairs.count == len(pairs.tuned) and all(
        np.isin(side.numerators, (0, 1)).all() and (side.denominators == 1).all()
        for side in (pairs.tuned, pairs.baseline)
    )
    if is_plain and not pairs.metric.over_labels:
        gain = case_gains(pairs)
        return mcnemar(int((gain > 0).sum()), int((gain < 0).sum())), "exact McNemar"
    level = level_of(pairs.metric)

    def contrast(totals: Array) -> Array:
        own, other = np.split(totals, 2, axis=1)
        return np.subtract(level(own), level(other))

    return permutation.swap_test(*pairs.sums, contrast)


def compare(pairs: Pairs) -> Comparison:
    """Everything a report shows of tuned against baseline on one metric."""
    if pairs.unusable:
        return Comparison(metric=pairs.metric.name, difference=difference(pairs))
    gain = case_gains(pairs)
    changed, worse = changed_clusters(pairs)
    p_value, test = superiority(pairs)
    is_count = pairs.metric.unbounded and pairs.metric.better == "lower"
    return Comparison(
        metric=pairs.metric.name,
        difference=difference(pairs),
        ratio=rate_ratio(pairs) if pairs.is_rate or is_count else None,
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
