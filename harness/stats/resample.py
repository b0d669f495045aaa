"""Label swap of whole clusters, vectorised. Knows matrices of cluster sums and a statistic of their totals.

Every draw is seeded. Draws depend only on (rows, draws, seed), so the metrics of one run share them.
"""

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


def swap_test(
    own: Array, other: Array, statistic: Statistic, seed: int = SEED, draws: int = DRAWS
) -> tuple[float, str]:
    """Two-sided p value of a statistic of (own totals, other totals) when whole clusters may swap their variant.

    For a mean this is the sign flip of cluster sums. Clusters with the same difference are exchangeable, so swaps are
    counted by multiplicity: exact where that leaves few outcomes, else by `draws` seeded swaps. Returns (p, test).
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

    def extreme(swapped: Array) -> NDArray[np.bool_]:
        moved = swapped @ rows
        values = np.abs(statistic(totals + np.concatenate([-moved, moved], axis=1)))
        hits: NDArray[np.bool_] = ~(values < observed * (1 - 1e-9) - 1e-12)
        return hits

    if np.log(multiplicity + 1.0).sum() <= np.log(MOST_STATES):
        swapped, weights = _all_swaps(tuple(int(m) for m in multiplicity))
        return min(1.0, float(weights[extreme(swapped)].sum())), "cluster sign-flip, exact"
    hits = 0
    step = max(1, MOST_CELLS // len(rows))
    for start in range(0, draws, step):
        swapped = _swaps(tuple(int(m) for m in multiplicity), min(step, draws - start), seed + start)
        hits += int(extreme(swapped).sum())
    return (1 + hits) / (draws + 1), f"cluster sign-flip, {draws} draws"


def _all_swaps(multiplicity: tuple[int, ...]) -> tuple[Array, Array]:
    """Every outcome (how many of each kind of cluster are swapped) and its probability."""
    grids = np.meshgrid(*[np.arange(m + 1) for m in multiplicity], indexing="ij")
    states = np.stack([g.ravel() for g in grids], axis=1).astype(np.float64)
    weights = np.ones(len(states))
    for column, m in enumerate(multiplicity):
        k = states[:, column]
        weights *= np.exp(special.gammaln(m + 1) - special.gammaln(k + 1) - special.gammaln(m - k + 1) - m * np.log(2))
    return states, weights


@lru_cache(maxsize=4)
def _swaps(multiplicity: tuple[int, ...], draws: int, seed: int) -> Array:
    """Random outcomes, shape (draws, kinds of cluster)."""
    rng = np.random.default_rng(seed)
    counts = np.array(multiplicity)
    swapped = rng.integers(0, 2, size=(draws, len(counts)), dtype=np.int8).astype(np.float64)
    several = np.flatnonzero(counts > 1)
    swapped[:, several] = rng.binomial(counts[several], 0.5, size=(draws, len(several)))
    return swapped
