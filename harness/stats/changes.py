"""The interval of a paired difference, from what contracts gain and what they lose. Knows no record, metric or gate.

A t interval of paired 0/1 scores covers too little where few scores change, and has width 0 where none does: gains and
losses have a score interval each instead, and the two are put together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.schema import Side
from harness.stats import spread
from harness.stats.intervals import Array, wilson_at
from harness.stats.parts import Parts

FEW_MOVED = 5
"""Fewer clusters than this that carry gains (or losses) leave their spread unknown."""
ROUNDING = 1e-12
"""A change below this share of the largest one is none."""


@dataclass(frozen=True)
class Moved:
    """Gains, or losses: numbers, or arrays of one shape."""

    mean: Array | float
    variance: Array | float
    reach: float
    """Largest mean that there can be."""
    most: Array | float
    """Most independent cases that may be behind it."""
    contracts: float
    """Clusters of one weight that tell as much: what it is worth where it has no spread."""


def hybrid(gain: Moved, loss: Moved, covariance: Array | float, t: float) -> tuple[Array, Array]:
    """Bounds of gain - loss from the score interval of each: MOVER (Newcombe 1998, method 10; Donner and Zou 2012)."""
    down, up = zip(_reaches(gain, t), _reaches(loss, t), strict=True)
    both = np.sqrt(np.multiply(gain.variance, loss.variance))
    rho = np.divide(covariance, both, out=np.zeros(np.shape(both)), where=np.greater(both, 0))

    def joined(one: Array, other: Array) -> Array:
        length: Array = np.sqrt(np.maximum(0.0, one * one + other * other - 2 * rho * one * other))
        return length

    middle = np.subtract(gain.mean, loss.mean)
    return middle - joined(down[0], up[1]), middle + joined(up[0], down[1])


def _reaches(moved: Moved, t: float) -> tuple[Array, Array]:
    """How far the score interval of gains (or losses) goes down and up from their mean."""
    p = np.minimum(1.0, np.divide(moved.mean, moved.reach))
    variance = np.divide(moved.variance, moved.reach**2)
    known = np.greater(variance, 0) & np.less(p, 1)
    worth = np.divide(p * (1 - p), variance, out=np.full(np.shape(p), float(moved.contracts)), where=known)
    low, high = wilson_at(p, np.minimum(worth, moved.most), t)
    return moved.reach * (p - low), moved.reach * (high - p)


def most_behind(
    own: NDArray[np.bool_] | bool,
    either: NDArray[np.bool_] | bool,
    absolute: Array | float,
    squares: Array | float,
    contracts: float,
) -> Array:
    """Most independent cases that gains (or losses) may be worth, as a share of the largest one.

    No limit where enough clusters tell their spread (`own`). Else it is what gains and losses together tell (`either`)
    of how much a cluster moves at a time, from the sums of absolute and squared differences. Where those are few too, a
    contract may move as a whole, and there are no more cases than contracts.
    """
    known = np.greater(squares, 0)
    moves = np.divide(absolute, squares, out=np.full(np.shape(known), float(contracts)), where=known)
    return np.where(own, np.inf, np.where(either, moves, contracts))


def gains_and_losses(
    whole: Parts, reach: tuple[float, float], level: float = 0.95, side: Side = "two"
) -> tuple[float, float, bool]:
    """Bounds of a paired difference from what clusters gain and lose, and whether a guard was needed.

    `reach` is the largest possible gain and the largest possible loss. Few clusters that moved leave the standard error
    unknown (with none it is 0), and the interval is then as wide as `most_behind` says.
    """
    added = np.where(np.abs(whole.added) < ROUNDING * max(reach), 0.0, whole.added)
    absolute, squares = float(np.abs(added).sum()), float(added @ added)
    split = [Parts(np.maximum(sign * added, 0), whole.weights, whole.units) for sign in (1, -1)]
    sides = [
        Moved(
            mean=moved.value,
            variance=moved.variance,
            reach=most,
            most=most_behind(
                moved.tells(FEW_MOVED), whole.tells(FEW_MOVED), absolute / most, squares / most**2, whole.contracts
            ),
            contracts=whole.contracts,
        )
        for moved, most in zip(split, reach, strict=True)
    ]
    covariance = spread.covariance(split[0].residuals, split[1].residuals, whole.weights)
    low, high = hybrid(sides[0], sides[1], covariance, whole.critical(level, side))
    return float(low), float(high), any(np.isfinite(moved.most) for moved in sides)
