"""Closed-form intervals and bounds on plain arrays.

Arrays run over cases: `clusters` holds codes 0..C-1, `numerators` and `denominators` are each case's sums.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.schema import Side
from harness.stats import cluster_variance
from harness.stats.cluster_variance import FEW_APART, FEW_ERRORS, FEW_ERRORS_OF_SCORES, FEW_EVENTS, ROUNDING, is_fewer
from harness.stats.cluster_variance import Array as Array

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """Bounds of a number and how they were made."""

    low: float
    high: float
    n_eff: float | None
    """Independent cases that carry the same information."""
    deff: float | None
    """Design effect before any guard."""
    method: str


def critical(level: float, side: Side = "two", df: float | None = None) -> float:
    """Quantile of the normal, or of t with `df` degrees of freedom; `lower` and `upper` spend all error on one side."""
    mass = (1 + level) / 2 if side == "two" else level
    return float(special.ndtri(mass) if df is None else special.stdtrit(df, mass))


def wilson_at(p: Array | float, n: Array | float, z: float) -> tuple[Array, Array]:
    """Score interval (Wilson 1927) of proportions p from n cases each, with quantile z; arrays of one shape."""
    p, n = np.asarray(p, dtype=np.float64), np.asarray(n, dtype=np.float64)
    middle = p + z * z / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    scale = 1 + z * z / n
    low = np.where(p <= 0, 0.0, np.maximum(0.0, (middle - half) / scale))
    return low, np.where(p >= 1, 1.0, np.minimum(1.0, (middle + half) / scale))


def wilson(p: float, n: float, level: float = 0.95, side: Side = "two", df: float | None = None) -> tuple[float, float]:
    """Score interval of a proportion; `n` may be an effective number, `df` puts t in the place of z."""
    low, high = wilson_at(p, n, critical(level, side, df))
    return float(low), float(high)


def ratio_residuals(numerators: Array, denominators: Array) -> tuple[float, Array]:
    """The ratio of sums and each case's linearised part of it."""
    total = float(denominators.sum())
    ratio = float(numerators.sum()) / total
    return ratio, (numerators - ratio * denominators) / total


@dataclass(frozen=True)
class EffectiveSize:
    """A ratio of sums in [0, 1], and the independent cases that carry the same information."""

    value: float
    n_eff: float
    df: float | None
    """Degrees of freedom of its t; None for one 0/1 case a cluster, which are independent."""
    deff: float | None
    """Design effect before any guard."""
    method: str


def worth(numerators: Array, denominators: Array, clusters: Codes) -> EffectiveSize | None:
    """What the cases of a ratio are worth; None for one cluster, which says nothing.

    n_eff = D / max(1, DEFF), and where fewer than ten clusters hold an error (or a success) it is at most the number of
    clusters, counted as clusters of one size.
    """
    count = int(clusters.max()) + 1
    n = float(denominators.sum())
    ratio, residuals = ratio_residuals(numerators, denominators)
    ratio = min(1.0, max(0.0, ratio))
    if count == len(clusters) and bool(np.all(denominators == 1)):
        return EffectiveSize(ratio, n, None, 1.0, "wilson")
    if count < 2:
        return None

    def by_cluster(values: Array) -> Array:
        return np.bincount(clusters, weights=values, minlength=count).astype(np.float64)

    naive, weights = ratio * (1 - ratio) / n, by_cluster(denominators) / n
    varies = cluster_variance.variance(by_cluster(residuals), weights, n, naive)
    deff = varies / naive if naive > 0 else 1.0
    n_eff, method = n / max(1.0, deff), "wilson at n_eff"
    holders = [(by_cluster(events) > 1e-12).sum() for events in (numerators, denominators - numerators)]
    if min(holders) < FEW_ERRORS.fewest:
        n_eff, method = min(n_eff, cluster_variance.effective(weights)), f"wilson at n_eff, {FEW_ERRORS.name}"
    return EffectiveSize(ratio, n_eff, cluster_variance.freedom(weights), deff, method)


def proportion(
    numerators: Array, denominators: Array, clusters: Codes, level: float = 0.95, side: Side = "two"
) -> Interval:
    """Bounds of a ratio of sums in [0, 1], see `share_bounds`.

    Cases that share a cluster have t with the degrees of freedom that the clusters leave. One cluster: [0, 1].
    """
    evidence = worth(numerators, denominators, clusters)
    if evidence is None:
        return Interval(0.0, 1.0, 1.0, None, "one cluster")
    bounds = share_bounds(
        evidence.value, float(denominators.sum()), evidence.n_eff, level=level, side=side, df=evidence.df
    )
    return Interval(*bounds, evidence.n_eff, evidence.deff, evidence.method)


def share_bounds(
    p: float, n: float, n_eff: float, *, level: float = 0.95, side: Side = "two", df: float | None = None
) -> tuple[float, float]:
    """Wilson's bounds of a share p of n cases that are worth `n_eff`, with an exact bound at the nearer end.

    One-sided bounds, which gates use, are also no tighter than the exact ones of n independent cases: with the fewest
    cases that show a share, Wilson's lower bound is over the truth 6.8% to 8.6% of the time.
    """
    low, high = exact_near_end(wilson(p, n_eff, level, side, df), p, n_eff, level, side)
    if side != "two":
        low, high = min(low, 1 - upper_for_share(n - p * n, n, level)), max(high, upper_for_share(p * n, n, level))
    return low, high


def exact_near_end(
    bounds: tuple[float, float], p: float, n: float, level: float = 0.95, side: Side = "two"
) -> tuple[float, float]:
    """The bound between p and the end that p is nearer to, no tighter than the exact one (Clopper and Pearson 1934).

    Wilson's own covers far less than it says there (Brown, Cai and DasGupta 2001): at n = 30 as little as 86%.
    """
    tail, (low, high) = (1 + level) / 2 if side == "two" else level, bounds
    if p < 0.5:
        low = min(low, 1 - upper_for_share(n - p * n, n, tail))
    elif p > 0.5:
        high = max(high, upper_for_share(p * n, n, tail))
    return low, high


def upper_for_share(events: float, n: float, level: float = 0.95) -> float:
    """One-sided exact (Clopper-Pearson) upper bound of a share; with no event it is 1 - (1-level)^(1/n), about 3/n."""
    if n <= 0 or events >= n:
        return 1.0
    return float(special.betaincinv(events + 1, n - events, level))


def rule_of_three(n: float, level: float = 0.95) -> float:
    """Upper bound of the rate of something never seen in n independent cases."""
    return 1.0 if n <= 0 else 1 - (1 - level) ** (1 / n)


def ratio_of_rates(
    top: tuple[float, float, float], bottom: tuple[float, float, float]
) -> tuple[float | None, float | None]:
    """Bounds of a ratio of two rates from (value, low, high) of each, taken as independent: MOVER-R.

    Source: Donner and Zou, Statistical Methods in Medical Research 21 (2012). A bound that has no finite value is None.
    """
    (p1, low1, high1), (p2, low2, high2) = top, bottom

    def root(other: float, own: float) -> float:
        return math.sqrt(max(0.0, (p1 * p2) ** 2 - own * (2 * p1 - own) * other * (2 * p2 - other)))

    floor, ceiling = high2 * (2 * p2 - high2), low2 * (2 * p2 - low2)
    low = (p1 * p2 - root(high2, low1)) / floor if abs(floor) > 1e-15 else None
    high = (p1 * p2 + root(low2, high1)) / ceiling if ceiling > 1e-15 else None
    return (max(0.0, low) if low is not None else None), high


@dataclass(frozen=True)
class ClusterSums:
    """A number, split by cluster."""

    added: Array
    """What each cluster adds, to first order; the sum is the number."""
    weights: Array
    """Each cluster's share of the cases or claims; the sum is 1."""
    units: float | None = None
    """Cases or claims where each is right or wrong; None for other scores."""

    @cached_property
    def value(self) -> float:
        return float(self.added.sum())

    @property
    def count(self) -> int:
        """Clusters."""
        return len(self.added)

    @cached_property
    def residuals(self) -> Array:
        """What each cluster adds beyond its weight's share of the number."""
        return np.subtract(self.added, self.value * self.weights)

    @cached_property
    def variance(self) -> float:
        """Clustered, linearised; see `cluster_variance.variance`. Needs two clusters."""
        each = max(0.0, self.value * (1 - self.value)) / self.units if self.units else 0.0
        return cluster_variance.variance(self.residuals, self.weights, self.units, each)

    @property
    def effective(self) -> float:
        """Clusters of one weight that tell as much."""
        return cluster_variance.effective(self.weights)

    def critical(self, level: float, side: Side) -> float:
        """Quantile of t with the degrees of freedom that these weights leave."""
        return critical(level, side, cluster_variance.freedom(self.weights))

    def tells(self, fewest: int) -> bool:
        """Whether enough clusters carry it to know its spread; where all add the same, rounding is no spread."""
        beyond = np.where(np.abs(self.residuals) < ROUNDING * np.abs(self.added).max(initial=0.0), 0.0, self.residuals)
        return bool(has_enough_clusters(effective_clusters(self.added), effective_clusters(beyond), self.count, fewest))


def of_ratio(sums: Array, is_counted: bool = False) -> ClusterSums:
    """Parts of a ratio of sums; `sums` has shape (clusters, 2): numerators and denominators.

    `is_counted` where these count what is right or wrong.
    """
    total = float(sums[:, 1].sum())
    return ClusterSums(sums[:, 0] / total, sums[:, 1] / total, total if is_counted else None)


def contrast(tuned: ClusterSums, baseline: ClusterSums, factor: float = 1.0) -> ClusterSums:
    """Parts of tuned - factor * baseline, on the same clusters.

    With equal weights a cluster adds the difference of what it added; else the difference of the residuals, and the
    mean weight's share of the whole.
    """
    weights = (tuned.weights + baseline.weights) / 2
    value = tuned.value - factor * baseline.value
    return ClusterSums(tuned.residuals - factor * baseline.residuals + value * weights, weights, tuned.units)


def effective_clusters(added: Array) -> float:
    """Clusters that carry a sum: (sum |x|)^2 / sum x^2 (Kish 1965), which is their number where all add the same."""
    squares = float(added @ added)
    return float(np.abs(added).sum()) ** 2 / squares if squares > 0 else 0.0


def has_enough_clusters(carried: Array | float, apart: Array | float, count: int, fewest: int) -> NDArray[np.bool_]:
    """Whether `fewest` or more of `count` clusters carry a sum (`carried`) and stand out (`apart` carry its residuals).

    Where k of C clusters add the same and the others nothing, k carry the sum and 4k(C-k)/C the residuals; where all
    add alike, none carries a residual; where they scatter evenly, most do.
    """
    known: NDArray[np.bool_] = ~is_fewer(carried, fewest) & ~is_fewer(apart, min(4 * fewest - 4, count / 2))
    return known


def is_few(parts: ClusterSums) -> bool:
    """Too few clusters carry the errors of a number in [0, 1], or its successes, to know its spread."""
    right, wrong = np.maximum(parts.added, 0), np.maximum(parts.weights - parts.added, 0)
    carriers = min(effective_clusters(right), effective_clusters(wrong))
    return bool(is_fewer(carriers, FEW_ERRORS_OF_SCORES.fewest)) or not parts.tells(FEW_APART)


def bounded(parts: ClusterSums, level: float = 0.95, side: Side = "two", most: float = np.inf) -> Interval:
    """Score interval of a number in [0, 1]: Wilson's, with t, at the p(1-p) / variance cases that it is worth.

    Where too few clusters tell its spread (equal scores have the variance 0, which proves nothing), it is worth no more
    cases than there are clusters, and never more than `most`.
    """
    p, spread = min(1.0, max(0.0, parts.value)), parts.variance
    guard = min(most, parts.effective if is_few(parts) else np.inf)
    n_eff = min(p * (1 - p) / spread if spread > 0 and 0 < p < 1 else parts.effective, guard)
    low, high = wilson_at(p, n_eff, parts.critical(level, side))
    method = f"score, {FEW_ERRORS_OF_SCORES.name}" if n_eff == guard else "score"
    return Interval(float(low), float(high), n_eff, None, method)


def unbounded(parts: ClusterSums, level: float = 0.95, side: Side = "two", most: float = 0.0) -> Interval:
    """Score interval of a number that is 0 or more and has no upper end: its variance grows as the number does.

    (value - x)^2 <= t^2 * k * x with k = variance / value, which for counts is the score interval of a Poisson rate.
    Where a cluster adds less than 0 there is no lower end either, and it is the t interval. Where half of the clusters
    or more have one number and few another, it is no tighter than `_with_few_events` has it; `most` is in units of the
    number.
    """
    t, value = parts.critical(level, side), parts.value
    has_end = not bool(np.any(parts.added < 0))
    spread = parts.variance / value if has_end and value > 0 else 0.0
    middle, half = value + t * t * spread / 2, t * float(np.sqrt(value * spread + (t * spread) ** 2 / 4))
    if not has_end:
        middle, half = value, t * float(np.sqrt(parts.variance))
    found = Interval(middle - half, middle + half, None, None, "score, rate" if has_end else "clustered t")
    found = _with_few_events(found, parts, (1 + level) / 2 if side == "two" else level, most)
    return replace(found, low=max(0.0, found.low)) if has_end else found


def _with_few_events(found: Interval, parts: ClusterSums, tail: float, most: float) -> Interval:
    """No tighter than the exact bounds of the shares of clusters over and under the usual rate, times how far.

    How much those may differ that were not seen to is unknown: upwards `most` or the largest seen is reckoned with,
    downwards all there is. It counts clusters of one size.
    """
    rates = np.divide(parts.added, parts.weights, out=np.zeros(parts.count), where=parts.weights > 0)
    usual, n = float(np.median(rates)), parts.effective
    apart = (rates - usual) * parts.weights * parts.count
    apart[np.abs(rates - usual) < 1e-12 * max(1.0, abs(usual))] = 0.0
    differ = int((apart != 0).sum())
    if differ >= min(FEW_EVENTS.fewest, parts.count / 2 + 1):
        return found
    over, under = (float((sign * apart > 0).sum()) * n / parts.count for sign in (1, -1))
    rise, fall = max(most, float(apart.max())), max(usual if usual >= 0 else most, -float(apart.min()))
    high = usual + upper_for_share(over, n, tail) * rise
    low = usual - upper_for_share(under, n, tail) * fall
    if over:
        low += (1 - upper_for_share(n - over, n, tail)) * float(apart[apart > 0].min())
    method = f"{found.method}, {FEW_EVENTS.name}"
    return Interval(min(found.low, low), max(found.high, high), n, None, method)
