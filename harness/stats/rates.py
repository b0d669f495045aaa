"""Tuned rate over baseline rate, with its interval. Knows joined cases, and no gate."""

from typing import Any

import numpy as np

from harness.schema import Estimate, Observation
from harness.stats import intervals, resample
from harness.stats.intervals import Array
from harness.stats.join import Pairs
from harness.stats.observations import codes, ratio_arrays


def rate_ratio(pairs: Pairs, level: float = 0.95) -> Estimate:
    """Tuned rate over baseline rate, by cluster bootstrap; not measured where the baseline's rate is 0.

    With fewer than ten contracts holding an event of one variant, resampling sees too few of them (with none its
    width is 0), so the bounds are then no tighter than MOVER-R over the guarded Wilson bounds of both rates.
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
    both = np.hstack(pairs.sums)
    low, high = _bootstrap_ratio(both, level)
    method = "cluster bootstrap"
    events = min(int((both[:, column] > 0).sum()) for column in (0, 2))
    if events < intervals.FEW_CLUSTERS_WITH_EVENT:
        wide = _mover(pairs, level)
        low = min(low, wide[0]) if low is not None and wide[0] is not None else None
        high = max(high, wide[1]) if high is not None and wide[1] is not None else None
        method = "cluster bootstrap, few-events guard"
    return Estimate(low=low or 0.0, high=high, method=method, seed=resample.SEED, **named)


def _bootstrap_ratio(both: Array, level: float) -> tuple[float | None, float | None]:
    """Percentile bounds; a resample without any event says nothing, and a bound that is not finite is None."""

    def ratios(totals: Array) -> Array:
        above, below = totals[:, 0] * totals[:, 3], totals[:, 2] * totals[:, 1]
        undefined = np.where(above > 0, np.inf, np.nan)
        divided: Array = np.divide(above, below, out=undefined, where=below > 0)
        return divided

    low, high = resample.percentiles(resample.bootstrap(both, ratios), level) or (0.0, np.inf)
    return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None)


def _mover(pairs: Pairs, level: float) -> tuple[float | None, float | None]:
    def rate(cases: list[Observation], value: float) -> tuple[float, float, float]:
        counted = [c for c in cases if c.denominator > 0]
        made = intervals.proportion(*ratio_arrays(counted), codes(c.cluster for c in counted), level)
        return value, made.low, made.high

    assert pairs.values is not None
    return intervals.ratio_of_rates(rate(pairs.tuned, pairs.values[0]), rate(pairs.baseline, pairs.values[1]))
