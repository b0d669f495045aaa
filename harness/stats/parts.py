"""Intervals of a number that clusters add up to, to first order. Knows no record, metric or gate.

Rates, means, means over labels and their paired differences are all made the same way: what each cluster adds to the
number, the clustered error of that sum, and a score interval. Its error follows the value that is asked about, as it
does in Wilson's interval of a proportion, so that it leans the right way near an end and never has width 0.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.schema import Side
from harness.stats import spread
from harness.stats.intervals import Array, Interval, critical, wilson_at

FEW_CARRIERS = 20
"""Fewer clusters than this that carry the errors (or successes) of a real score leave its spread unknown."""
FEW_APART = 10
"""Fewer clusters than this that stand out from the others do so too."""


@dataclass(frozen=True)
class Parts:
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
        """Clustered, linearised; see `spread.variance`. Needs two clusters."""
        each = max(0.0, self.value * (1 - self.value)) / self.units if self.units else 0.0
        return spread.variance(self.residuals, self.weights, self.units, each)

    @property
    def contracts(self) -> float:
        """Clusters of one weight that tell as much."""
        return spread.effective(self.weights)

    def critical(self, level: float, side: Side) -> float:
        """Quantile of t with the degrees of freedom that these weights leave."""
        return critical(level, side, spread.freedom(self.weights))

    def tells(self, fewest: int) -> bool:
        """Whether enough clusters carry it to know its spread."""
        return bool(tells(carriers(self.added), carriers(self.residuals), self.count, fewest))


def of_ratio(sums: Array, is_counted: bool = False) -> Parts:
    """Parts of a ratio of sums; `sums` has shape (clusters, 2): numerators and denominators.

    `is_counted` where these count what is right or wrong.
    """
    total = float(sums[:, 1].sum())
    return Parts(sums[:, 0] / total, sums[:, 1] / total, total if is_counted else None)


def contrast(tuned: Parts, baseline: Parts, factor: float = 1.0) -> Parts:
    """Parts of tuned - factor * baseline, on the same clusters.

    With equal weights a cluster adds the difference of what it added; else the difference of the residuals, and the
    mean weight's share of the whole.
    """
    weights = (tuned.weights + baseline.weights) / 2
    value = tuned.value - factor * baseline.value
    return Parts(tuned.residuals - factor * baseline.residuals + value * weights, weights, tuned.units)


def carriers(added: Array) -> float:
    """Clusters that carry a sum: (sum |x|)^2 / sum x^2 (Kish 1965), which is their number where all add the same."""
    squares = float(added @ added)
    return float(np.abs(added).sum()) ** 2 / squares if squares > 0 else 0.0


def tells(carried: Array | float, apart: Array | float, count: int, fewest: int) -> NDArray[np.bool_]:
    """Whether `fewest` or more of `count` clusters carry a sum (`carried`) and stand out (`apart` carry its residuals).

    Where k of many clusters add the same and the others nothing, k carry the sum and 4k the residuals; where all add
    alike, none carries a residual; where they scatter evenly, most do.
    """
    known: NDArray[np.bool_] = np.greater_equal(carried, fewest) & np.greater_equal(
        apart, min(4 * fewest - 4, count / 2)
    )
    return known


def is_few(parts: Parts) -> bool:
    """Too few clusters carry the errors of a number in [0, 1], or its successes, to know its spread."""
    right, wrong = np.maximum(parts.added, 0), np.maximum(parts.weights - parts.added, 0)
    return min(carriers(right), carriers(wrong)) < FEW_CARRIERS or not parts.tells(FEW_APART)


def bounded(parts: Parts, level: float = 0.95, side: Side = "two", most: float = np.inf) -> Interval:
    """Score interval of a number in [0, 1]: Wilson's, with t, at the p(1-p) / variance cases that it is worth.

    Where too few clusters tell its spread (equal scores have the variance 0, which proves nothing), it is worth no more
    cases than there are contracts, and never more than `most`.
    """
    p, spread = min(1.0, max(0.0, parts.value)), parts.variance
    guard = min(most, parts.contracts if is_few(parts) else np.inf)
    n_eff = min(p * (1 - p) / spread if spread > 0 and 0 < p < 1 else parts.contracts, guard)
    low, high = wilson_at(p, n_eff, parts.critical(level, side))
    return Interval(float(low), float(high), n_eff, None, "score" + (", few-errors guard" if n_eff == guard else ""))


def unbounded(parts: Parts, level: float = 0.95, side: Side = "two") -> Interval:
    """Score interval of a number that is 0 or more and has no upper end: its variance grows as the number does.

    (value - x)^2 <= t^2 * k * x with k = variance / value, which for counts is the score interval of a Poisson rate.
    Where a cluster adds less than 0 there is no lower end either, and it is the t interval.
    """
    t, value = parts.critical(level, side), parts.value
    if bool(np.any(parts.added < 0)):
        half = t * float(np.sqrt(parts.variance))
        return Interval(value - half, value + half, None, None, "clustered t")
    spread = parts.variance / value if value > 0 else 0.0
    middle, half = value + t * t * spread / 2, t * float(np.sqrt(value * spread + (t * spread) ** 2 / 4))
    return Interval(max(0.0, middle - half), middle + half, None, None, "score, rate")
