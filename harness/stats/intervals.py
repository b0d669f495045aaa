"""Closed-form intervals and bounds on plain arrays. Knows no record, metric or gate.

Arrays run over cases: `clusters` holds codes 0..C-1, `numerators` and `denominators` are each case's sums.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.schema import Side
from harness.stats import spread
from harness.stats.spread import Array as Array

Codes = NDArray[np.int64]

FEW_CLUSTERS_WITH_EVENT = 10
"""Fewer contracts than this with an error (or a success) leave the design effect itself unknown."""


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


def cluster_sums(values: Array, clusters: Codes, count: int) -> Array:
    """Sum of `values` in each cluster."""
    return np.bincount(clusters, weights=values, minlength=count).astype(np.float64)


def ratio_residuals(numerators: Array, denominators: Array) -> tuple[float, Array]:
    """The ratio of sums and each case's linearised part of it."""
    total = float(denominators.sum())
    ratio = float(numerators.sum()) / total
    return ratio, (numerators - ratio * denominators) / total


@dataclass(frozen=True)
class Worth:
    """A ratio of sums in [0, 1], and the independent cases that carry the same information."""

    value: float
    n_eff: float
    df: float | None
    """Degrees of freedom of its t; None for one 0/1 case a cluster, which are independent."""
    deff: float | None
    """Design effect before any guard."""
    method: str


def worth(numerators: Array, denominators: Array, clusters: Codes) -> Worth | None:
    """What the cases of a ratio are worth; None for one cluster, which says nothing.

    n_eff = D / max(1, DEFF), and where fewer than ten clusters hold an error (or a success) it is at most the number of
    clusters, counted as clusters of one size.
    """
    count = int(clusters.max()) + 1
    n = float(denominators.sum())
    ratio, residuals = ratio_residuals(numerators, denominators)
    ratio = min(1.0, max(0.0, ratio))
    if count == len(clusters) and bool(np.all(denominators == 1)):
        return Worth(ratio, n, None, 1.0, "wilson")
    if count < 2:
        return None
    naive, weights = ratio * (1 - ratio) / n, cluster_sums(denominators, clusters, count) / n
    varies = spread.variance(cluster_sums(residuals, clusters, count), weights, n, naive)
    deff = varies / naive if naive > 0 else 1.0
    n_eff, method = n / max(1.0, deff), "wilson at n_eff"
    if few_events(numerators, denominators, clusters, count):
        n_eff, method = min(n_eff, spread.effective(weights)), "wilson at n_eff, few-errors guard"
    return Worth(ratio, n_eff, spread.freedom(weights), deff, method)


def proportion(
    numerators: Array, denominators: Array, clusters: Codes, level: float = 0.95, side: Side = "two"
) -> Interval:
    """Wilson at the effective number of cases, for a ratio of sums in [0, 1], with an exact bound at the nearer end.

    Cases that share a cluster have t with the degrees of freedom of `spread`. One cluster says nothing: [0, 1].
    """
    found = worth(numerators, denominators, clusters)
    if found is None:
        return Interval(0.0, 1.0, 1.0, None, "one contract")
    bounds = wilson(found.value, found.n_eff, level, side, found.df)
    bounds = exact_near_end(bounds, found.value, found.n_eff, level, side)
    return Interval(*bounds, found.n_eff, found.deff, found.method)


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


def few_events(numerators: Array, denominators: Array, clusters: Codes, count: int) -> bool:
    """Fewer than ten clusters hold an error, or fewer than ten hold a success."""
    successes = cluster_sums(numerators, clusters, count)
    errors = cluster_sums(denominators - numerators, clusters, count)
    return min(int((successes > 1e-12).sum()), int((errors > 1e-12).sum())) < FEW_CLUSTERS_WITH_EVENT


def upper_for_share(events: float, n: float, level: float = 0.95) -> float:
    """One-sided exact (Clopper-Pearson) upper bound of a share; with no event it is 1 - (1-level)^(1/n), about 3/n."""
    if n <= 0 or events >= n:
        return 1.0
    return float(special.betaincinv(events + 1, n - events, level))


def rule_of_three(n: int, level: float = 0.95) -> float:
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
