"""How likely a rule is to pass, summed over what it may come to count.

The rules are those of `harness.gates.judge` on scores of 0 and 1: exact where every case is a cluster of its own. With
several units a cluster they correlate by an assumed or measured amount, and the judge's design effect is taken to be
the one that this implies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.schema import Side
from harness.stats import paired, power
from harness.stats.cluster_variance import FEW_CHANGES, FEW_ERRORS, FEW_EVENTS, FEW_FLIPS
from harness.stats.intervals import Array, critical, has_enough_clusters, upper_for_share, wilson_at
from harness.stats.power import Design

MOST_CONTRACTS = 20_000
"""No plan asks for more."""


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


@dataclass(frozen=True)
class _Changes:
    """A paired comparison seen by cluster: shares that get better and worse, by `step` of their own score each."""

    better: float
    worse: float
    step: float


def _changes(design: Design, changed: float, gain: float) -> _Changes:
    """Clusters that change where `changed` of the units do and the metric gains `gain`.

    The net change of a changed cluster is one size, which gives the mean and the variance of a cluster's sum, as far
    as clusters without a single loss (or gain) can; exact where a cluster is one case.
    """
    m, share = design.per_cluster, min(1.0, max(changed, abs(gain)))
    any_change = 1 - float(design.events(share)[0])
    if any_change <= 0:
        return _Changes(0.0, 0.0, 1.0)
    net = m * abs(gain)
    size = math.sqrt((m * (share - gain * gain) * design.deff + net * net) / any_change)
    fewer = min((any_change - net / size) / 2, 1 - float(design.events((share - abs(gain)) / 2)[0]))
    more = any_change - max(0.0, fewer)
    step = (net / (more - fewer) if gain else size) / m
    return _Changes(more, any_change - more, step) if gain >= 0 else _Changes(any_change - more, more, step)


def _outcomes(clusters: int, seen: _Changes) -> tuple[Array, Array, Array]:
    """Numbers of better and worse clusters that can come, and the probability of each pair: a trinomial."""

    def window(share: float) -> Array:
        middle, reach = clusters * share, 6.5 * math.sqrt(clusters * share * (1 - share)) + 6
        return np.arange(max(0, math.floor(middle - reach)), min(clusters, math.ceil(middle + reach)) + 1).astype(float)

    better, worse = (a.ravel() for a in np.meshgrid(window(seen.better), window(seen.worse), indexing="ij"))
    same = clusters - better - worse
    possible = same >= 0
    better, worse, same = better[possible], worse[possible], same[possible]
    logs = special.gammaln(clusters + 1) - special.gammaln(better + 1) - special.gammaln(worse + 1)
    logs -= special.gammaln(same + 1)
    for count, share in ((better, seen.better), (worse, seen.worse), (same, 1 - seen.better - seen.worse)):
        logs += special.xlogy(count, max(0.0, share))
    return better, worse, np.exp(logs)


def _bounds(design: Design, better: Array, worse: Array, step: float, side: Side) -> tuple[Array, Array]:
    """95% bounds of the difference, as `paired.gains_and_losses` has them, with one step for every cluster."""
    clusters = design.clusters
    move, scale = step / clusters, clusters / (clusters - 1)
    mean, moved = move * (better - worse), better + worse
    beyond = better * np.abs(move - mean / clusters) + worse * np.abs(move + mean / clusters)
    beyond += (clusters - moved) * np.abs(mean) / clusters
    squares = moved * move**2 - mean**2 / clusters
    apart = np.divide(beyond**2, squares, out=np.zeros_like(mean), where=squares > 0)
    either, sides = has_enough_clusters(moved, apart, clusters, FEW_CHANGES.fewest), []
    for count in (better, worse):
        own = has_enough_clusters(count, 4 * count * (1 - count / clusters), clusters, FEW_CHANGES.fewest)
        most = paired.effective_size_cap(own, either, moved * move, moved * move**2, design.effective)
        spread = scale * count * move**2 * (1 - count / clusters)
        sides.append(paired.Shifts(count * move, spread, 1.0, most, design.effective))
    covariance = -scale * sides[0].mean * sides[1].mean / clusters
    return paired.hybrid(sides[0], sides[1], covariance, critical(0.95, side, design.freedom))


def chance_of_gain(design: Design, changed: float, gain: float, *, margin: float = 0.0, alpha: float = 0.05) -> float:
    """Probability that 'improves' passes where `changed` of the units change and the metric gains `gain`.

    Without a margin the exact test must be under `alpha` too: McNemar, or where clusters hold several units the sign
    flip of their sums, whose many sizes leave it as few ties as the mid-p value of McNemar on clusters has.
    """
    seen = _changes(design, changed, gain)
    better, worse, chance = _outcomes(design.clusters, seen)
    passes = _bounds(design, better, worse, seen.step, "two")[0] > margin
    if margin == 0:
        fewer, changes = np.minimum(better, worse), (better + worse).astype(np.int64)
        p = special.bdtr(fewer, changes, 0.5)
        if not design.is_plain:
            p -= 0.5 * (p - np.where(fewer > 0, special.bdtr(fewer - 1, changes, 0.5), 0.0))
        passes &= 2 * p < alpha
    return float(chance[passes].sum())


def chance_of_relative_gain(design: Design, baseline: float, changed: float, tuned: float, factor: float) -> float:
    """Probability that 'improves' by more than a share of the baseline passes: normal, where `changed` units change.

    The bound of tuned - factor * baseline is past 0 where that is 1.96 standard errors from it; `factor` over 1 where
    more is better, else under 1.
    """
    tuned = min(1.0, max(0.0, tuned))
    each = math.sqrt(baseline * (1 - baseline) * tuned * (1 - tuned))
    shared = (baseline + tuned - max(changed, abs(tuned - baseline))) / 2 - baseline * tuned
    variance = power.ratio_variance(baseline, tuned, factor, max(-1.0, shared / each) if each > 0 else 0.0)
    distance = (tuned - factor * baseline) * (1 if factor > 1 else -1)
    if variance <= 0:
        return float(distance > 0)
    z = critical(0.95, "two", None if design.is_plain else design.freedom)
    return float(special.ndtr(distance / math.sqrt(variance * design.deff / design.units) - z))


def chance_of_no_worse(design: Design, changed: float, margin: float) -> float:
    """Probability that 'no worse' passes where `changed` of the units change, either way alike.

    With fewer than 20 changed clusters the few-flips guard holds the bound to the share of those that got worse.
    """
    clusters, seen = design.clusters, _changes(design, changed, 0.0)
    better, worse, chance = _outcomes(clusters, seen)
    passes = _bounds(design, better, worse, seen.step, "lower")[0] > -margin
    each = design.effective / clusters
    most = sum(upper_for_share(count * each, design.effective) < margin for count in range(FEW_FLIPS.fewest))
    passes &= (better + worse >= FEW_FLIPS.fewest) | (worse < most)
    return float(chance[passes].sum())


def chance_of_cut(design: Design, baseline: float, ratio: float, threshold: float, correlation: float) -> float:
    """Probability that 'reduces' passes where tuned / baseline is `ratio`; both rates scatter as normal numbers.

    As `paired.rate_ratio` judges: by t on the logarithm, and where few clusters carry the events of one rate by
    MOVER-R, too, whose upper bound is under `threshold` where MOVER's of tuned - threshold * baseline is under 0.
    """
    if ratio >= threshold or baseline <= 0:
        return 0.0
    n, r = design.units / design.deff, power.possible_correlation(correlation, baseline, baseline * ratio)
    z = special.ndtri((np.arange(50) + 0.5) / 50)
    before, low, _, few_before = _rates(design, baseline, z[:, None])
    after, _, high, few_after = _rates(design, baseline * ratio, r * z[:, None] + math.sqrt(1 - r * r) * z)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(power.log_ratio_variance(before, after, r) / n)
        passes = np.log(threshold * before / after) >= critical(0.95, "two", design.freedom) * error
    guarded = np.hypot(high - after, threshold * (before - low)) <= threshold * before - after
    return float(((passes | (after == 0)) & (guarded | ~(few_before | few_after))).mean())


def _rates(design: Design, truth: float, z: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Rates seen at `z` standard errors from the truth, Wilson's bounds of each, and where few clusters carry it."""
    units, n, chances = design.units, design.units / design.deff, design.events(truth)
    events = np.clip(np.round(units * (truth + z * math.sqrt(truth * (1 - truth) / n))), 0, units)
    k = np.arange(len(chances))
    each, squares = float(chances @ k), float(chances @ k**2)
    worth = np.where(events * (1 - chances[0]) / each < FEW_ERRORS.fewest, min(n, design.effective), n)
    low, high = wilson_at(events / units, worth, critical(0.95, "two", None if design.is_plain else design.freedom))
    return events / units, low, high, events * each / squares < FEW_EVENTS.fewest


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
