"""Label swap of whole clusters, vectorised. Every draw is seeded, so that the metrics of one run share them."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""Totals (draws, columns) to one number a draw; NaN where it is not defined."""

DRAWS = 10_000
SEED = 20_240_229
MOST_CELLS = 5_000_000
"""Largest matrix of draws kept in memory at once."""
MOST_STATES = 20_000
"""Label swaps are enumerated exactly up to this many distinct outcomes."""
MANY_CLUSTERS = 1_000
"""Where so many clusters carry the sum of squares, its distribution is normal to well within the error of the draws."""


def swap_test(own: Array, other: Array, statistic: Statistic) -> tuple[float, str]:
    """Two-sided p value of a statistic of (own totals, other totals) when whole clusters may swap their variant.

    For a mean this is the sign flip of cluster sums. Clusters with the same difference are exchangeable, so swaps are
    counted by multiplicity: exact where that leaves few outcomes, else by seeded swaps. With very many clusters
    the sum of all swaps is normal. Returns (p, test).
    """
    delta = own - other
    changed = delta[np.any(delta != 0, axis=1)]
    totals = np.concatenate([own.sum(axis=0), other.sum(axis=0)])
    if not len(changed):
        return 1.0, "cluster sign-flip, exact"
    rows, multiplicity = np.unique(changed, axis=0, return_counts=True)
    observed = abs(float(statistic(totals[None, :])[0]))
    if np.isnan(observed):
        return 1.0, "cluster sign-flip, not defined"

    exact = rows.astype(np.float32) if _is_exact(rows, multiplicity) else rows

    def extreme(swapped: NDArray[np.float32]) -> NDArray[np.bool_]:
        moved = (swapped @ exact).astype(np.float64)
        values = np.abs(statistic(totals + np.concatenate([-moved, moved], axis=1)))
        hits: NDArray[np.bool_] = ~(values < observed * (1 - 1e-9) - 1e-12)
        return hits

    if np.log(multiplicity + 1.0).sum() <= np.log(MOST_STATES):
        swapped, weights = _all_swaps(tuple(multiplicity.tolist()))
        return min(1.0, float(weights[extreme(swapped)].sum())), "cluster sign-flip, exact"
    each = _one_by_one(totals, rows, statistic)
    squares = float(multiplicity @ each**2)
    if squares > 0 and squares**2 >= MANY_CLUSTERS * float(multiplicity @ each**4):
        return math.erfc(observed / math.sqrt(2 * squares)), "cluster sign-flip, normal limit"
    hits, kinds = 0, tuple(multiplicity.tolist())
    step = max(1, MOST_CELLS // len(rows))
    for start in range(0, DRAWS, step):
        hits += int(extreme(_swaps(kinds, min(step, DRAWS - start), SEED + start)).sum())
    return (1 + hits) / (DRAWS + 1), f"cluster sign-flip, {DRAWS:,} draws"


def _one_by_one(totals: Array, rows: Array, statistic: Statistic) -> Array:
    """What each kind of cluster adds to the statistic: half of what swapping it alone takes away.

    For a mean this is its part of the mean, and the variance over all swaps is the sum of the squares.
    """
    alone = statistic(totals + np.concatenate([-rows, rows], axis=1))
    return np.nan_to_num((float(statistic(totals[None, :])[0]) - alone) / 2)


def _is_exact(rows: Array, multiplicity: NDArray[np.int64]) -> bool:
    """Sums of these rows are whole numbers that single precision holds exactly, at twice the speed."""
    return bool(np.all(rows == np.rint(rows)) and (multiplicity @ np.abs(rows)).max() < 2**24)


def _all_swaps(multiplicity: tuple[int, ...]) -> tuple[NDArray[np.float32], Array]:
    """Every outcome (how many of each kind of cluster are swapped) and its probability."""
    grids = np.meshgrid(*[np.arange(m + 1) for m in multiplicity], indexing="ij")
    states = np.stack([g.ravel() for g in grids], axis=1)
    weights = np.ones(len(states))
    for column, m in enumerate(multiplicity):
        k = states[:, column].astype(np.float64)
        weights *= np.exp(special.gammaln(m + 1) - special.gammaln(k + 1) - special.gammaln(m - k + 1) - m * np.log(2))
    return states.astype(np.float32), weights


@lru_cache(maxsize=4)
def _swaps(multiplicity: tuple[int, ...], draws: int, seed: int) -> NDArray[np.float32]:
    """Random outcomes, shape (draws, kinds of cluster)."""
    rng = np.random.default_rng(seed)
    counts = np.array(multiplicity)
    several = np.flatnonzero(counts > 1)
    width = -(-len(counts) // 8)
    coins = np.frombuffer(rng.bytes(draws * width), dtype=np.uint8).reshape(draws, width)
    swapped = np.unpackbits(coins, axis=1, count=len(counts)).astype(np.float32)
    swapped[:, several] = rng.binomial(counts[several], 0.5, size=(draws, len(several)))
    return swapped
