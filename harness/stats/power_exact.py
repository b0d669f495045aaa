"""How likely a rule is to pass, summed over what it may come to count.

The rules are those of `harness.gates.judge` on scores of 0 and 1: exact where every case is a cluster of its own. With
several units a cluster they correlate by an assumed or measured amount: comparisons are judged on suites drawn so, and
for levels the judge's design effect is taken to be the one that this implies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.schema import Side
from harness.stats import paired, power
from harness.stats.cluster_variance import (
    FEW_CHANGES,
    FEW_CHANGES_OF_RATIO,
    FEW_ERRORS,
    FEW_EVENTS,
    FEW_FLIPS,
    ROUNDING,
    is_fewer,
)
from harness.stats.intervals import Array, critical, has_enough_clusters, upper_for_share, wilson_at
from harness.stats.power import Design

MOST_CONTRACTS = 20_000
"""No plan asks for more."""
MOST_UNITS = 32
"""Steps in which a cluster can gain."""
MOST_EVENTS = 10
"""Steps in which a cluster can hold events of either variant."""
DRAWS, SEED = 10_000, 1
"""A chance is then within a point, 95% of the time."""


@dataclass(frozen=True)
class Allowed:
    """Most errors with which a level still passes; None where not even none does."""

    scattered: int | None
    """Where ten clusters or more hold one, so that the design effect is known."""
    few: int | None
    """Where fewer do, and the few-errors guard counts clusters, not cases."""


def allowed(design: Design, threshold: float) -> Allowed:
    """Errors that the one-sided bound of a share allows under a lower `threshold`."""
    n = design.units
    if design.is_plain:
        most = power.errors_allowed(n, threshold)
        return Allowed(most, most)
    free = power.errors_allowed(n, threshold, n / design.deff, design.freedom)
    few = power.errors_allowed(n, threshold, min(n / design.deff, design.effective), design.freedom)
    return Allowed(free, few)


def chance_of_level(design: Design, threshold: float, truth: float) -> float:
    """Probability that a share which is `truth` is shown to be at least `threshold`; for 'at most' give both less 1."""
    most = allowed(design, threshold)
    if design.is_plain:
        return 0.0 if most.few is None else float(special.bdtr(most.few, design.units, 1 - truth))
    scattered, few = (-1 if most.scattered is None else most.scattered), (-1 if most.few is None else most.few)
    if truth >= 0.5:
        return _at_most(design, 1 - truth, few, scattered)
    return 1 - _at_most(design, truth, design.units - few - 1, design.units - scattered - 1)


def _at_most(design: Design, rate: float, few: int, scattered: int) -> float:
    """Probability of at most `few` events in fewer than ten clusters, or of at most `scattered` in ten or more."""
    one, clusters = design.events(rate), design.clusters
    length = 1 << (clusters * (len(one) - 1)).bit_length()
    together = np.fft.irfft(np.fft.rfft(one, length) ** clusters, length)
    hit: Array = one.copy()
    some: Array = np.ones(1)
    hit[0] = 0.0
    in_few = [0.0, 0.0]
    for holders in range(min(FEW_ERRORS.fewest, clusters + 1)):
        times = math.comb(clusters, holders) * one[0] ** (clusters - holders)
        for i, most in enumerate((few, scattered)):
            in_few[i] += times * float(some[: most + 1].sum())
        some = np.convolve(some, hit).astype(np.float64)
    return float(min(1.0, max(0.0, in_few[0] + float(together[: scattered + 1].sum()) - in_few[1])))


def rate_needed(design: Design, threshold: float, wanted: float = power.POWER) -> float | None:
    """Lowest true share that is shown to be at least `threshold` with probability `wanted`; None where none is."""
    return _lowest(lambda truth: chance_of_level(design, threshold, truth) >= wanted, threshold, 1.0)


class _Suites(NamedTuple):
    """Suites that can come, as a comparison sees them."""

    values: Array
    """What a cluster may gain: tuned - factor * baseline, as a share of its units."""
    counts: Array
    """Clusters that gain each, a row a suite."""
    chances: Array
    """Probability of each suite."""

    @property
    def clusters(self) -> int:
        return int(self.counts[0].sum())

    def carrying(self, part: Array) -> Array:
        """As `intervals.effective_clusters` of what clusters add."""
        return _effective(self.counts @ np.abs(part), self.counts @ part**2)

    def variance(self, one: Array, other: Array) -> Array:
        """Clustered covariance of two means over clusters; the variance of one of them."""
        centred = self.counts @ (one * other) / self.clusters - (self.counts @ one) * (self.counts @ other) / (
            self.clusters**2
        )
        return np.asarray(centred / (self.clusters - 1))

    def tells(self, part: Array, fewest: int = FEW_CHANGES.fewest) -> NDArray[np.bool_]:
        """As `ClusterSums.tells` of what clusters add."""
        mean = self.counts @ part / self.clusters
        residuals = self.counts @ part**2 - self.clusters * mean**2
        apart = _effective((self.counts * np.abs(part - mean[:, None])).sum(axis=1), residuals)
        return has_enough_clusters(self.carrying(part), apart, self.clusters, fewest)


def _effective(absolute: Array, squares: Array) -> Array:
    return np.divide(absolute**2, squares, out=np.zeros_like(squares), where=squares > ROUNDING)


def _suites(design: Design, worth: Array, rates: Array) -> _Suites:
    """Suites whose units are of kinds with these rates, each `worth` so much to the gain.

    Summed over where a cluster is one case that gains, loses or stays. Else drawn, by the distribution of what one
    cluster gains: its units are Dirichlet-multinomial. Clusters of unequal size are taken as `design.effective` ones of
    one size, and those of more units than `MOST_UNITS` as so many that correlate more.
    """
    if design.is_plain and len(worth) == 3:
        counts = _outcomes(design.clusters, rates)
        return _Suites(worth, counts, power.chances_of(counts, rates))
    inside, chances = _within(design, rates, MOST_UNITS)
    gains = inside @ worth
    places = np.unique(np.sign(gains) * np.ceil(np.abs(gains) * MOST_UNITS - ROUNDING), return_inverse=True)[1]
    each = np.bincount(places, weights=chances)
    values = np.bincount(places, weights=chances * gains)[each > 0] / each[each > 0]
    each = each[each > 0] / each.sum()
    return _drawn(design, values, each)


def _drawn(design: Design, values: Array, chances: Array) -> _Suites:
    """Suites whose clusters gain `values` with these chances."""
    drawn = np.random.default_rng(SEED).multinomial(round(design.effective), chances, size=DRAWS)
    return _Suites(values, drawn.astype(np.float64), np.full(DRAWS, 1 / DRAWS))


def _within(design: Design, rates: Array, most: int) -> tuple[Array, Array]:
    """Shares of a cluster's units that may be of kinds with these rates, a row a way, and how likely each is."""
    units = min(most, math.ceil(design.weighted_size))
    icc = (units * design.deff / design.weighted_size - 1) / (units - 1) if units > 1 else 0.0
    inside = _compositions(units, len(rates))
    return inside / units, power.chances_of(inside, rates, icc)


def _compositions(units: int, kinds: int) -> Array:
    """Every way in which units fall into kinds."""
    grids = np.indices((units + 1,) * (kinds - 1)).reshape(kinds - 1, -1)
    inside: Array = np.vstack([grids, units - grids.sum(axis=0)]).T.astype(np.float64)
    return inside[inside[:, -1] >= 0]


def _outcomes(clusters: int, rates: Array) -> Array:
    """Numbers of better, worse and unchanged clusters that can come, but for the least likely."""

    def window(share: float) -> Array:
        middle, reach = clusters * share, 6.5 * math.sqrt(clusters * share * (1 - share)) + 6
        return np.arange(max(0, math.floor(middle - reach)), min(clusters, math.ceil(middle + reach)) + 1).astype(float)

    better, worse = (a.ravel() for a in np.meshgrid(window(rates[0]), window(rates[1]), indexing="ij"))
    counts = np.stack([better, worse, clusters - better - worse], axis=1)
    return counts[counts[:, 2] >= 0]


def _of_changes(design: Design, changed: float, gain: float) -> _Suites:
    """Suites where `changed` of the units change and the metric gains `gain`."""
    share = min(1.0, max(changed, abs(gain)))
    rates = [(share + gain) / 2, (share - gain) / 2, 1 - share]
    return _suites(design, np.array([1.0, -1.0, 0.0]), np.array(rates))


def _bounds(design: Design, suites: _Suites, side: Side, factor: float = 1.0) -> tuple[Array, Array]:
    """95% bounds of the difference, as `paired.gains_and_losses` has them."""
    clusters, scale, sides = suites.clusters, 1 / (suites.clusters - 1), []
    either = suites.tells(suites.values)
    absolute, squares = suites.counts @ np.abs(suites.values), suites.counts @ suites.values**2
    for sign, reach in ((1, 1.0), (-1, factor)):
        part = np.maximum(sign * suites.values, 0.0)
        mean, own = suites.counts @ part / clusters, suites.tells(part)
        moves = absolute / clusters / reach, squares / (clusters * reach) ** 2
        most = paired.effective_size_cap(own, either, *moves, design.effective)
        variance = scale * (suites.counts @ part**2 / clusters - mean**2)
        sides.append(paired.Shifts(mean, variance, reach, most, design.effective))
    covariance = -scale * np.multiply(sides[0].mean, sides[1].mean)
    return paired.hybrid(sides[0], sides[1], covariance, critical(0.95, side, design.freedom))


def _p_values(design: Design, suites: _Suites) -> Array:
    """p values of 'the variants do not differ', as `paired.superiority` has them.

    McNemar's where clusters are cases. Else the normal limit of the sign flip, and no less than its two ends have.
    """
    values, counts = suites.values, suites.counts
    if design.is_plain:
        fewer, changes = counts[:, :2].min(axis=1), counts[:, :2].sum(axis=1).astype(np.int64)
        return np.asarray(2 * special.bdtr(fewer, changes, 0.5))
    spread = np.sqrt(2 * (counts @ values**2))
    far = np.divide(np.abs(counts @ values), spread, out=np.zeros_like(spread), where=spread > 0)
    return np.asarray(np.maximum(special.erfc(far), 2.0 ** (1 - counts @ (values != 0))))


def chance_of_gain(design: Design, changed: float, gain: float, *, margin: float = 0.0, alpha: float = 0.05) -> float:
    """Probability that 'improves' passes where `changed` of the units change and the metric gains `gain`.

    Without a margin the exact test must be under `alpha` too.
    """
    suites = _of_changes(design, changed, gain)
    passes = _bounds(design, suites, "two")[0] > margin
    if margin == 0:
        passes &= _p_values(design, suites) < alpha
    return float(suites.chances[passes].sum())


def chance_of_relative_gain(design: Design, baseline: float, changed: float, tuned: float, factor: float) -> float:
    """Probability that 'improves' by more than a share of the baseline passes, where `changed` of the units change.

    `factor` is what the baseline is multiplied by: over 1 where more is better, else under 1.
    """
    tuned = min(1.0, max(0.0, tuned))
    both = (baseline + tuned - max(changed, abs(tuned - baseline))) / 2
    both = min(baseline, tuned, max(0.0, baseline + tuned - 1, both))
    rates = np.array([tuned - both, baseline - both, both, 1 - baseline - tuned + both])
    suites = _suites(design, np.array([1.0, -factor, 1 - factor, 0.0]), np.maximum(0.0, rates))
    low, high = _bounds(design, suites, "two", factor)
    return float(suites.chances[low > 0 if factor > 1 else high < 0].sum())


def chance_of_no_worse(design: Design, changed: float, margin: float) -> float:
    """Probability that 'no worse' passes where `changed` of the units change, either way alike.

    With fewer than 20 changed clusters the few-flips guard holds the bound to the share of those that got worse.
    """
    suites = _of_changes(design, changed, 0.0)
    passes = _bounds(design, suites, "lower")[0] > -margin
    each = design.effective / suites.clusters
    most = sum(upper_for_share(count * each, design.effective) < margin for count in range(FEW_FLIPS.fewest))
    changes, worse = suites.counts @ (suites.values != 0), suites.counts @ (suites.values < 0)
    return float(suites.chances[passes & ((changes >= FEW_FLIPS.fewest) | (worse < most))].sum())


def chance_of_cut(design: Design, baseline: float, ratio: float, threshold: float, correlation: float) -> float:
    """Probability that 'reduces' passes where tuned / baseline is `ratio` and scores of a unit correlate so.

    As `paired.rate_ratio` judges: by t on the logarithm; where few clusters carry the events of one rate by MOVER-R,
    too, whose upper bound is under `threshold` where MOVER's of tuned - threshold * baseline is under 0; and where few
    carry the change by the interval of the difference.
    """
    if ratio >= threshold or baseline <= 0:
        return 0.0
    suites, after, before = _of_events(design, baseline, baseline * ratio, correlation)
    p1, p0 = suites.counts @ after / suites.clusters, suites.counts @ before / suites.clusters
    with np.errstate(divide="ignore", invalid="ignore"):
        both, of_after, of_before = (
            suites.variance(*parts) for parts in ((after, before), (after, after), (before, before))
        )
        error = np.sqrt(np.maximum(0.0, of_after / p1**2 + of_before / p0**2 - 2 * both / (p1 * p0)))
        passes = np.log(threshold * p0 / p1) >= critical(0.95, "two", design.freedom) * error
    high, low = _wilson(design, suites, after, of_after)[1], _wilson(design, suites, before, of_before)[0]
    few = is_fewer(np.minimum(suites.carrying(after), suites.carrying(before)), FEW_EVENTS.fewest)
    by_rates = np.hypot(high - p1, threshold * (p0 - low)) <= threshold * p0 - p1
    by_change = _bounds(design, suites, "two")[1] <= (threshold - 1) * p0
    by_change |= suites.tells(suites.values, FEW_CHANGES_OF_RATIO.fewest)
    held = (p0 > 0) & (passes | (p1 == 0)) & np.where(few, by_rates, by_change)
    return float(suites.chances[held].sum())


def _of_events(design: Design, baseline: float, tuned: float, correlation: float) -> tuple[_Suites, Array, Array]:
    """Suites with these rates of events, and the share of a cluster's units with one: tuned, and baseline."""
    r = power.possible_correlation(correlation, baseline, tuned)
    both = baseline * tuned + r * math.sqrt(baseline * tuned * (1 - baseline) * (1 - tuned))
    rates = np.maximum(0.0, [both, tuned - both, baseline - both, 1 - baseline - tuned + both])
    inside, chances = _within(design, rates / rates.sum(), MOST_EVENTS)
    events = np.round(np.column_stack([inside[:, 0] + inside[:, 1], inside[:, 0] + inside[:, 2]]), 9)
    pairs, places = np.unique(events, axis=0, return_inverse=True)
    each = np.bincount(places.ravel(), weights=chances).astype(np.float64)
    likely = np.argsort(-each)  # Drawn in this order, the multinomial seldom comes to the many unlikely ones.
    after, before = (np.asarray(side, dtype=np.float64) for side in pairs[likely].T)
    return _drawn(design, after - before, each[likely] / each.sum()), after, before


def _wilson(design: Design, suites: _Suites, events: Array, variance: Array) -> tuple[Array, Array]:
    """Bounds of a rate as `intervals.worth` and `intervals.wilson` have them."""
    rate, n = suites.counts @ events / suites.clusters, float(design.units)
    if design.is_plain:
        return wilson_at(rate, n, critical(0.95))
    alone = rate * (1 - rate) / n
    n_eff = n / np.maximum(1.0, np.divide(variance, alone, out=np.ones_like(rate), where=alone > 0))
    holders = np.minimum(suites.counts @ (events > 0), suites.counts @ (events < 1))
    n_eff = np.where(holders < FEW_ERRORS.fewest, np.minimum(n_eff, design.effective), n_eff)
    return wilson_at(rate, n_eff, critical(0.95, "two", design.freedom))


def smallest_gain(
    design: Design, changed: float, wanted: float = power.POWER, *, margin: float = 0.0, alpha: float = 0.05
) -> float | None:
    """Smallest true gain that 'improves' shows with probability `wanted`; None where not even a gain of 1 is."""
    return _lowest(lambda g: chance_of_gain(design, changed, g, margin=margin, alpha=alpha) >= wanted, margin, 1.0)


def smallest_relative_gain(
    design: Design, baseline: float, changed: float, factor: float, wanted: float = power.POWER
) -> float | None:
    """Smallest true gain that 'improves' by more than a share of the baseline shows with probability `wanted`."""
    sign, margin = (1 if factor > 1 else -1), abs(factor - 1) * baseline
    most = 1 - baseline if factor > 1 else baseline

    def shows(gain: float) -> bool:
        return chance_of_relative_gain(design, baseline, changed, baseline + sign * gain, factor) >= wanted

    return _lowest(shows, margin, most) if margin < most else None


def smallest_margin(design: Design, changed: float, wanted: float = power.POWER) -> float | None:
    """Smallest margin under which an equally good model is shown to be no worse with probability `wanted`."""
    return _lowest(lambda margin: chance_of_no_worse(design, changed, margin) >= wanted, 0.0, 1.0)


def largest_ratio(
    design: Design, baseline: float, threshold: float, correlation: float, wanted: float = power.POWER
) -> float | None:
    """Largest true tuned / baseline shown to be at most `threshold` with probability `wanted`; None where none is."""

    def shows(cut: float) -> bool:
        return chance_of_cut(design, baseline, threshold - cut, threshold, correlation) >= wanted

    cut = _lowest(shows, 0.0, 0.999 * threshold)
    return None if cut is None else threshold - cut


def clusters_needed(design: Design, chance: Callable[[Design], float], wanted: float = power.POWER) -> int | None:
    """Clusters like these at which `chance` reaches `wanted`, to about 2%; None where 20,000 do not do."""

    def reaches(clusters: int) -> bool:
        return chance(replace(design, clusters=clusters)) >= wanted

    low, high = 1, design.clusters
    while not reaches(high):
        low, high = high, math.ceil(high * 1.5)
        if high > MOST_CONTRACTS:
            return None
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _lowest(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """Lowest number in (low, high] from which `holds` is true, to a hundredth of a percent; None where high is not."""
    if not holds(high):
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
