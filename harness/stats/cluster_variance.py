"""How much a sum over clusters varies, and what the clusters are worth, where they differ in size. Plain arrays.

`weights` are the clusters' shares of all cases (or claims), with the sum 1. What other methods gave in the same
simulations is in docs/notebook.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-12
"""What a cluster adds below this share of the largest part is nothing."""
TIE = 1e-9
"""Numbers of clusters this near to each other, as a share of one, are the same."""


def effective(weights: Array) -> float:
    """Clusters of one size that tell as much as these: 1 / sum of squared weights (Kish 1965)."""
    return 1 / float(weights @ weights)


def is_fewer(effective_number: Array | float, fewest: float) -> NDArray[np.bool_]:
    """Whether an effective number of clusters is under `fewest`.

    k clusters that add the same are worth k, and others less (Kish 1965; Cauchy and Schwarz: (sum |x|)^2 <= k sum x^2).
    Floating-point sums miss that k by about 1e-15, so a number this near to `fewest` is `fewest`.
    """
    return np.less(effective_number, fewest * (1 - TIE))


def _left(weights: Array) -> Array:
    """What the other clusters hold, by cluster; never 0."""
    return np.maximum(1 - weights, 1e-12)


def covariance(one: Array, other: Array, weights: Array) -> float:
    """Sum of the residuals' products over 1 - weight: the bias-reduced cluster estimate CR2 (Bell and McCaffrey 2002).

    A large cluster pulls the mean to itself, so that its residual is too small by the root of 1 - weight. Clusters of
    one size have C/(C-1), the usual correction.
    """
    return float((one / _left(weights)) @ other)


def freedom(weights: Array, times: Array | float = 1.0) -> float:
    """Satterthwaite's degrees of freedom of `covariance`, by its moments with independent cases (Bell and McCaffrey).

    C - 1 for clusters of one size. `times` is how many clusters have each weight.
    """
    pulls = weights**2 / _left(weights)
    crossed = float((times * pulls).sum()) ** 2 - float((times * pulls**2).sum())
    return max(1.0, 1 / (float((times * weights**2).sum()) + crossed))


def variance(residuals: Array, weights: Array, units: float | None = None, each: float = 0.0) -> float:
    """CR2 of residuals by cluster, and no less than all clusters together say that these sizes make it.

    CR2 alone is as good as its largest clusters: where these happen to hold no error, both the error rate and its
    variance are too low, and one-sided bounds miss by far more than they say. `units` and `each` are those of `smooth`.
    """
    return max(covariance(residuals, residuals, weights), smooth(residuals, weights, units, each))


def smooth(residuals: Array, weights: Array, units: float | None = None, each: float = 0.0) -> float:
    """Variance by a line through all clusters: what cases add by themselves and what those of a cluster share.

    A cluster of weight w has a squared residual of alone * w + shared * w^2 on average. The sums over w and over w^2
    give two equations. Of `units` scores of 0 and 1 the variance of a single one is known, and `each`, that of their
    mean as if all were independent, may stand for the second equation. The larger counts, since a rate that goes with
    the size misleads either. 0 where this says nothing: clusters of one size.
    """
    has_weight = weights > 0
    w = weights[has_weight]
    squares, count, floor = residuals[has_weight] ** 2 / _left(w), len(w), 0.0
    seen = float((squares / w).sum())
    if units is not None and units > count:
        shared = min((seen - count * each) / (1 - count / units), each * units)
        if shared > 0:
            floor = each - shared / units + shared * float(w @ w)
    uneven = float((1 / w).sum()) - count**2
    if uneven <= 1e-9 * count**2:
        return floor
    alone = min(max(0.0, (float((squares / w**2).sum()) - count * seen) / uneven), seen / count)
    return max(floor, alone + (seen - alone * count) * float(w @ w))


class Guard(NamedTuple):
    """A small-sample guard, which widens the bounds of a number where too few clusters tell its spread.

    A standard error from few clusters is unreliable, and 0 where none of them differs, which proves nothing. The guard
    applies with fewer than `fewest` clusters, and `method` of the estimate then ends with its name.
    """

    name: str
    fewest: int


FEW_ERRORS = Guard("few-errors guard", 10)
"""Clusters that hold an error, or a success. The interval is then Wilson's with no more cases than clusters."""
FEW_ERRORS_OF_SCORES = Guard("few-errors guard", 20)
"""Clusters that carry what real scores lack, or have. The score interval then has no more cases than clusters."""
FEW_EVENTS = Guard("few-events guard", 10)
"""Clusters that hold events. An unbounded rate is then bounded by their exact share times the most that one may hold,
and a ratio is no tighter than MOVER-R over both guarded rates."""
FEW_CHANGES = Guard("few-changes guard", 5)
"""Clusters that carry gains, or losses. A difference is then as wide as if clusters moved as a whole."""
FEW_CHANGES_OF_RATIO = Guard("few-changes guard", 10)
"""Clusters that carry the change of a ratio. It is then no tighter than the interval of the difference."""
FEW_FLIPS = Guard("few-flips guard", 20)
"""Clusters that changed. 'No worse' is then bounded by the exact bound of the share of clusters that got worse."""
FEW_DISAGREEMENTS = Guard("few-disagreements guard", 10)
"""Clusters that hold a disagreement. A coefficient is then no tighter than the share of disagreements has it."""

FEW_APART = 10
"""Fewer clusters than this that stand out from the others leave the spread of real scores unknown too."""
