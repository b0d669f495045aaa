"""Tuned rate over baseline rate, with its interval. Knows joined cases, and no gate."""

import math
from typing import Any

import numpy as np

from harness.schema import Estimate
from harness.stats import intervals
from harness.stats.changes import gains_and_losses
from harness.stats.intervals import Array
from harness.stats.join import Pairs
from harness.stats.parts import Parts, carriers, contrast

FEW_CHANGED = 10
"""Fewer clusters than this that carry the change leave the spread of its logarithm unknown."""


def rate_ratio(pairs: Pairs, level: float = 0.95) -> Estimate:
    """Tuned rate over baseline rate, by t on its logarithm; not measured where the baseline's rate is 0.

    Where fewer than ten contracts carry the events of one variant, their spread is not known (with none left the
    logarithm is not either), so the bounds are then no tighter than MOVER-R over the guarded Wilson bounds of both. And
    where too few contracts changed to know the spread of the change, they are no tighter than its own interval has it.
    """
    named: dict[str, Any] = {"errors": pairs.errors, "unscored": pairs.unscored, "level": level}
    if pairs.unusable or pairs.values is None:
        return Estimate(value=None, reason=pairs.unusable, **named)
    tuned, baseline = pairs.values
    if baseline == 0:
        return Estimate(value=None, reason="the baseline's rate is 0, so a ratio to it is not defined", **named)
    named |= {"value": tuned / baseline, "n": len(pairs.tuned), "clusters": pairs.count}
    if pairs.count < 2:
        return Estimate(method="one contract: no interval", **named)
    method = "t of the logarithm"
    few = min(carriers(side.added) for side in pairs.parts) < intervals.FEW_CLUSTERS_WITH_EVENT
    low, high = _by_logarithm(pairs, level) if tuned > 0 else (np.inf, 0.0)
    if few:
        wide = _mover(pairs, level)
        low, high = min(low, wide[0] or 0.0), np.inf if wide[1] is None else max(high, wide[1])
        method += ", few-events guard"
    elif not (change := contrast(*pairs.parts)).tells(FEW_CHANGED):
        least, most, _ = gains_and_losses(change, (1.0, 1.0), level)
        low, high = min(low, max(0.0, 1 + least / baseline)), max(high, 1 + most / baseline)
        method += ", few-changes guard"
    return Estimate(low=low, high=high if np.isfinite(high) else None, method=method, **named)


def _by_logarithm(pairs: Pairs, level: float) -> tuple[float, float]:
    """Bounds from the clustered error of ln(tuned rate) - ln(baseline rate): delta method."""
    tuned, baseline = pairs.parts
    moved = tuned.added / tuned.value - baseline.added / baseline.value
    moved += baseline.weights - tuned.weights
    whole = Parts(moved, (tuned.weights + baseline.weights) / 2)
    centre, half = math.log(tuned.value / baseline.value), whole.critical(level, "two") * math.sqrt(whole.variance)
    return math.exp(centre - half), math.exp(centre + half)


def _mover(pairs: Pairs, level: float) -> tuple[float | None, float | None]:
    def rate(sums: Array, value: float) -> tuple[float, float, float]:
        counted = sums[sums[:, 1] > 0]
        found = intervals.worth(counted[:, 0], counted[:, 1], np.arange(len(counted)))
        bounds = intervals.wilson(value, found.n_eff, level, "two", found.df) if found else (0.0, 1.0)
        return value, *bounds

    assert pairs.values is not None
    return intervals.ratio_of_rates(rate(pairs.sums[0], pairs.values[0]), rate(pairs.sums[1], pairs.values[1]))
