"""Resamples whole clusters, vectorised. Every draw is seeded, and depends only on (clusters, draws)."""

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from harness.stats.intervals import Array, critical
from harness.stats.permutation import DRAWS, MOST_CELLS, SEED

FEWEST_CLUSTERS = 10
"""A resample of fewer says nothing of its own error: no interval is made."""
MOST_UNDEFINED = 0.05
"""Share of draws that may leave the statistic without a value."""

Drawn = Callable[[Array], Array]
"""How often each cluster was drawn, shape (draws, clusters), to one number a draw; NaN where it is not defined."""


def bounds(clusters: int, statistic: Drawn) -> tuple[float, float] | None:
    """95% percentile interval of a statistic, or None where too many draws leave it undefined.

    The percentiles lie as far out as t with C-1 degrees of freedom and the C/(C-1) of a variance have them, so that few
    clusters do not make it too short: the expanded percentile interval (Hesterberg 2015).
    """
    drawn = resample(clusters, statistic, DRAWS)
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < (1 - MOST_UNDEFINED) * DRAWS:
        return None
    reach = critical(0.95, "two", clusters - 1) * math.sqrt(clusters / (clusters - 1))
    outside = float(special.ndtr(-reach))
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return float(low), float(high)


def resample(clusters: int, statistic: Drawn, draws: int) -> Array:
    """The statistic of every draw."""
    step = max(1, MOST_CELLS // clusters)
    batches = [statistic(_times(clusters, min(step, draws - start), SEED + start)) for start in range(0, draws, step)]
    return np.concatenate(batches)


def _times(clusters: int, draws: int, seed: int) -> Array:
    """How often each cluster is in each draw, shape (draws, clusters)."""
    picked = np.random.default_rng(seed).integers(0, clusters, (draws, clusters), dtype=np.int32)
    cells = picked + clusters * np.arange(draws, dtype=np.int32)[:, None]
    return np.bincount(cells.ravel(), minlength=draws * clusters).reshape(draws, clusters).astype(np.float64)
