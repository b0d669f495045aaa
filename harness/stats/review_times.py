"""How long people took to make drafts usable, tuned against baseline.

Times are compared within a person, since some work faster than others. Nothing here is for two answers that were read
side by side: that time belongs to neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from harness.schema import BASELINE, CANDIDATE, Estimate
from harness.stats import bootstrap
from harness.stats.intervals import Array
from harness.stats.permutation import SEED
from harness.stats.score_table import codes

LEAST_S = 1.0
"""A time under a second is none."""
FENCE = 1.5
"""Interquartile ranges beyond the quartiles, on the scale of logarithms, at which a time is capped (Tukey 1977)."""


class ReviewTime(Struct, frozen=True, kw_only=True):
    """One draft that one person made usable."""

    reviewer: str
    """Who."""
    variant: str
    """Whose draft."""
    cluster: str
    active_s: float
    """Seconds in use."""
    wall_s: float
    """Seconds by the clock."""


class Times(Struct, frozen=True, kw_only=True):
    """What the times come to."""

    ratio: Estimate
    """Tuned over baseline, ratio of geometric means of capped active seconds."""
    active: dict[str, Estimate]
    """Median active seconds by variant, nothing capped."""
    wall: dict[str, Estimate]
    """Median seconds by the clock, by variant."""
    least_s: float
    """Shorter times count as this in the ratio."""
    most_s: float
    """Longer times count as this in the ratio."""
    capped: int
    """Times that do."""
    drafts: int
    """Times in all."""


def times(spent: Sequence[ReviewTime]) -> Times:
    """Medians and ratio. Not measured where no person worked on drafts of both variants, or under ten clusters."""
    least, most = caps(spent)
    seconds = np.array([one.active_s for one in spent])
    return Times(
        ratio=ratio(spent),
        active={v: _median([one.active_s for one in mine], mine) for v, mine in _by_variant(spent).items()},
        wall={v: _median([one.wall_s for one in mine], mine) for v, mine in _by_variant(spent).items()},
        least_s=least,
        most_s=most,
        capped=int(((seconds < least) | (seconds > most)).sum()),
        drafts=len(spent),
    )


def caps(spent: Sequence[ReviewTime]) -> tuple[float, float]:
    """Least and most seconds that count: both variants have the same, so that a cap favours neither."""
    if not spent:
        return LEAST_S, LEAST_S
    logs = np.log(np.maximum(LEAST_S, [one.active_s for one in spent]))
    low, high = np.quantile(logs, [0.25, 0.75])
    reach = FENCE * (high - low)
    return max(LEAST_S, float(np.exp(low - reach))), float(np.exp(high + reach))


def ratio(spent: Sequence[ReviewTime]) -> Estimate:
    """Review-time ratio r = exp(mean(ln t_tuned - ln t_baseline)), with a bootstrap over clusters.

    The mean is taken within each person, whose weight is n_t n_b / (n_t + n_b) for n_t tuned and n_b baseline drafts;
    where everybody worked on both drafts of every cluster, it is the plain paired mean.
    """
    compared = [one for one in spent if one.variant in (BASELINE, CANDIDATE)]
    clusters = codes(one.cluster for one in compared)
    count = int(clusters.max()) + 1 if len(compared) else 0
    sized: dict[str, Any] = {"n": len(compared), "clusters": count}
    sums = _sums(compared, clusters, count)
    value = float(_log_ratio(sums.sum(axis=0)[None])[0]) if len(compared) else float("nan")
    if np.isnan(value):
        return Estimate(value=None, reason="nobody worked on drafts of both models", **sized)
    if count < bootstrap.FEWEST_CLUSTERS:
        reason = f"drafts of {count} clusters were timed; a ratio is shown from {bootstrap.FEWEST_CLUSTERS} on"
        return Estimate(value=None, reason=reason, **sized)
    drawn = bootstrap.bounds(count, lambda picked: _log_ratio(picked @ sums))
    if drawn is None:
        return Estimate(
            value=float(np.exp(value)), method="interval withheld: too few drafts of one of the models", **sized
        )
    low, high = np.exp(drawn)
    return Estimate(
        value=float(np.exp(value)), low=float(low), high=float(high), method="cluster bootstrap", seed=SEED, **sized
    )


def _sums(spent: Sequence[ReviewTime], clusters: Any, count: int) -> Array:
    """By cluster: for each person and variant the number of drafts, then the sum of their log seconds."""
    people = sorted({one.reviewer for one in spent})
    columns = {
        (who, variant): i for i, (who, variant) in enumerate((p, v) for p in people for v in (CANDIDATE, BASELINE))
    }
    sums = np.zeros((count, 2 * len(columns)))
    least, most = caps(spent)
    for one, cluster in zip(spent, clusters, strict=True):
        column = columns[one.reviewer, one.variant]
        sums[cluster, column] += 1
        sums[cluster, len(columns) + column] += np.log(min(most, max(least, one.active_s)))
    return sums


def _log_ratio(totals: Array) -> Array:
    """Weighted mean over people of (mean log of tuned - mean log of baseline); NaN where nobody has both."""
    drafts, logs = np.split(totals, 2, axis=1)
    means = np.divide(logs, drafts, out=np.zeros_like(logs), where=drafts > 0)
    tuned, baseline = drafts[:, 0::2], drafts[:, 1::2]
    weights = np.divide(tuned * baseline, tuned + baseline, out=np.zeros_like(tuned), where=tuned + baseline > 0)
    whole = weights.sum(axis=1)
    above = (weights * (means[:, 0::2] - means[:, 1::2])).sum(axis=1)
    ratios: Array = np.divide(above, whole, out=np.full(len(totals), np.nan), where=whole > 0)
    return ratios


def _by_variant(spent: Sequence[ReviewTime]) -> dict[str, list[ReviewTime]]:
    return {v: [one for one in spent if one.variant == v] for v in (BASELINE, CANDIDATE)}


def _median(seconds: Sequence[float], spent: Sequence[ReviewTime]) -> Estimate:
    """The median with a bootstrap over clusters; without an interval under ten clusters."""
    if not spent:
        return Estimate(value=None, reason="no draft of this model was timed")
    clusters = codes(one.cluster for one in spent)
    count = int(clusters.max()) + 1
    sized: dict[str, Any] = {"value": float(np.median(seconds)), "n": len(spent), "clusters": count}
    if count < bootstrap.FEWEST_CLUSTERS:
        return Estimate(method=f"interval withheld: {count} clusters, {bootstrap.FEWEST_CLUSTERS} are needed", **sized)
    order = np.argsort(seconds, kind="stable")
    ranked, owners = np.asarray(seconds, dtype=np.float64)[order], clusters[order]

    def of(picked: Array) -> Array:
        below = np.cumsum(picked[:, owners], axis=1)
        half = below[:, -1:] / 2
        first, last = (below < half).sum(axis=1), (below <= half).sum(axis=1)
        middle: Array = (ranked[first] + ranked[np.minimum(last, len(ranked) - 1)]) / 2
        return middle

    drawn = bootstrap.bounds(count, of)
    assert drawn is not None
    return Estimate(low=drawn[0], high=drawn[1], method="cluster bootstrap", seed=SEED, **sized)
