"""How many cases a claim needs, and what a number of cases can show, by formula.

Numbers are plans from what was observed or assumed, so they are rough; a caller rounds them. `power_exact` holds the
exact probabilities of passing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

from harness.schema import Estimate, Metric, Side
from harness.stats import cluster_variance
from harness.stats.estimates import estimate
from harness.stats.intervals import Array, critical, share_bounds, upper_for_share
from harness.stats.observations import Observations
from harness.stats.paired import difference, rate_ratio
from harness.stats.pairs import Pairs

POWER = 0.80
MOST_CASES = 10_000_000
"""A plan beyond this is no plan."""


def standard_error(found: Estimate) -> float | None:
    """Standard error behind a symmetric interval, by the normal quantile of its level."""
    if found.low is None or found.high is None:
        return None
    return (found.high - found.low) / (2 * critical(found.level, found.side))


def smallest_visible(se: float, side: Side, power: float = POWER) -> float:
    """Smallest true difference that is seen with this power: (z_{1-a} + z_{power}) * SE."""
    return (critical(0.95, side) + critical(power, "lower")) * se


def cases_for_gap(se: float, cases: int, gap: float, side: Side, power: float = POWER) -> int | None:
    """Cases that show a gap of this size: n * ((z_{1-a} + z_{power}) * SE / gap)^2, clustering kept as it is.

    None where the gap is 0 or the standard error tells nothing.
    """
    if gap == 0 or se == 0:
        return None
    return _plan(cases * (smallest_visible(se, side, power) / gap) ** 2)


def errors_allowed(n: int, threshold: float, n_eff: float | None = None, df: float | None = None) -> int | None:
    """Most errors in n cases with the one-sided bound of `intervals.proportion` still at or over `threshold`, or None.

    The bound is taken at `n_eff` cases and with t(df), as for clustered cases; left out, the cases are independent.
    """

    def holds(errors: int) -> bool:
        return share_bounds((n - errors) / n, n, n_eff or n, side="lower", df=df)[0] >= threshold

    if n < 1 or not holds(0):
        return None
    most, too_many = 0, n + 1
    while too_many - most > 1:
        middle = (most + too_many) // 2
        most, too_many = (middle, too_many) if holds(middle) else (most, middle)
    return most


def design_effect(units: float, icc: float) -> float:
    """Factor on the variance of a mean when `units` of one cluster correlate by `icc`: 1 + (m - 1) * rho.

    Source: Kish, Survey Sampling (1965). For clusters of unequal size m is the sum of squares over the sum.
    """
    return 1 + max(0.0, units - 1) * icc


def possible_correlation(correlation: float, *rates: float) -> float:
    """The correlation, or the highest that 0/1 scores with these two rates can have: the root of their odds ratio."""
    low, high = min(rates), max(rates)
    return min(correlation, math.sqrt(low * (1 - high) / (high * (1 - low)))) if low > 0 and high < 1 else 0.0


def clusters_for_few_flips(worse: int, changed: int, clusters: int, margin: float, each: float = 1.0) -> int | None:
    """Clusters at which the few-flips guard lets 'no worse' pass, at the observed shares; None where it never does.

    Either the exact bound of the share of worse clusters falls under the margin, or 20 clusters have changed. A
    cluster counts as `each` of one size.
    """
    plans = []
    if changed:
        plans.append(math.ceil(20 * clusters / changed))
    share = worse / clusters
    if share < margin:
        size = clusters
        while size < MOST_CASES and upper_for_share(math.floor(share * size) * each, size * each) >= margin:
            size = math.ceil(size * 1.02)
        plans.append(size)
    return min(plans) if plans else None


def _plan(cases: float) -> int | None:
    return math.ceil(cases - 1e-9) if cases < MOST_CASES else None


@dataclass(frozen=True)
class Design:
    """How what a metric counts lies in clusters."""

    clusters: int
    sizes: tuple[tuple[int, float], ...] = ((1, 1.0),)
    """Units (cases, or claims of a ratio's denominator) of a cluster, and the share of clusters with so many."""
    icc: float = 0.0
    """Correlation of two units of one cluster."""

    @cached_property
    def per_cluster(self) -> float:
        """Mean units a cluster."""
        return sum(size * share for size, share in self.sizes)

    @cached_property
    def units(self) -> int:
        """All units."""
        return max(1, round(self.clusters * self.per_cluster))

    @cached_property
    def weighted_size(self) -> float:
        """Units of the cluster that a unit lies in, on average: sum of squares over sum."""
        return sum(size * size * share for size, share in self.sizes) / self.per_cluster

    @property
    def is_plain(self) -> bool:
        """Every cluster is one case that counts one unit."""
        return all(size == 1 for size, _ in self.sizes)

    @property
    def effective(self) -> float:
        """Clusters of one size that tell as much: all units over those of the cluster that a unit is in."""
        return self.clusters * self.per_cluster / self.weighted_size

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom of the judge's t."""
        sizes, shares = np.array(self.sizes).T
        return cluster_variance.freedom(sizes / (self.clusters * self.per_cluster), shares * self.clusters)

    @property
    def deff(self) -> float:
        """Design effect that size and correlation imply."""
        return design_effect(self.weighted_size, self.icc)

    def events(self, rate: float) -> Array:
        """Probability that a cluster holds 0, 1, 2 ... units with an event: beta-binomial, mixed over sizes."""
        chances = np.zeros(max(size for size, _ in self.sizes) + 1)
        for size, share in self.sizes:
            k = np.arange(size + 1)
            counts = np.stack([k, size - k], axis=1)
            chances[: size + 1] += share * chances_of(counts, np.array([rate, 1 - rate]), self.icc)
        return chances


def design_of(units: Array, icc: float) -> Design:
    """The design of clusters with these many units each; clusters without any are no part of it."""
    counted = np.rint(units[units > 0.5]).astype(int)
    sizes, times = np.unique(counted, return_counts=True)
    shares = tuple((int(s), float(t) / len(counted)) for s, t in zip(sizes, times, strict=True))
    return Design(clusters=len(counted), sizes=shares, icc=icc)


def chances_of(counts: Array, rates: Array, icc: float = 0.0) -> Array:
    """Probabilities that units fall into kinds with these rates so often, a row of `counts` each.

    Dirichlet-multinomial (Mosimann 1962) with the correlation `icc`; multinomial where it is 0.
    """
    units = counts.sum(axis=1)
    logs = special.gammaln(units + 1) - special.gammaln(counts + 1).sum(axis=1)
    if icc > 0:
        mass = np.maximum(rates, 1e-300) * ((1 - icc) / icc)
        logs += special.gammaln(mass.sum()) - special.gammaln(units + mass.sum())
        logs += (special.gammaln(counts + mass) - special.gammaln(mass)).sum(axis=1)
    else:
        logs += special.xlogy(counts, rates).sum(axis=1)
    return np.asarray(np.exp(logs))


MOST_ROWS = 100_000
"""Cases that an interval is asked about; beyond them its width falls with the root of the number."""


class Need(NamedTuple):
    """What it takes."""

    times: float | None
    """Times as many clusters; None where the value is the threshold itself, which no number settles."""
    apart: float
    """Distance from the threshold that the clusters there are settle."""


def for_level(observed: Observations, metric: Metric, threshold: float, side: Side) -> Need:
    """Clusters that show a level like this one to be on its side of the threshold."""
    value = estimate(observed, metric, side=side).value
    assert value is not None
    is_at_an_end = metric.is_share is not False and value in (metric.limits[:1] if metric.unbounded else metric.limits)

    def reach(copies: int) -> float:
        enlarged = estimate(replace(observed, cases=observed.table.repeated(copies)), metric, side=side)
        return _reach(enlarged, below=value > threshold, is_certain=is_at_an_end)

    return _need(reach, abs(value - threshold), len(observed.cases))


def for_difference(
    pairs: Pairs,
    threshold: float,
    *,
    side: Side = "two",
    level: float = 0.95,
    factor: float = 1.0,
    at: float | None = None,
) -> Need:
    """Clusters that show a difference like this one to be on its side of the threshold; or one `at` something."""
    value = pairs.values[0] - factor * pairs.values[1] if pairs.values else 0.0
    truth = value if at is None else at
    is_same = bool((pairs.sums[0] == pairs.sums[1]).all())

    def reach(copies: int) -> float:
        enlarged = difference(repeated(pairs, copies), level, side, factor)
        return _reach(enlarged, below=truth > threshold, is_certain=is_same)

    return _need(reach, abs(truth - threshold), len(pairs.tuned))


def for_ratio(pairs: Pairs, threshold: float) -> Need:
    """Clusters that show a ratio of rates like this one to be on its side of the threshold, on the log scale."""
    value = rate_ratio(pairs).value
    assert value is not None
    if value == 0:
        return _need(lambda copies: rate_ratio(repeated(pairs, copies)).high or math.inf, threshold, len(pairs.tuned))

    def reach(copies: int) -> float:
        enlarged = rate_ratio(repeated(pairs, copies))
        low, high = (math.log(bound / value) if bound else None for bound in (enlarged.low, enlarged.high))
        logs = Estimate(value=0.0, low=low, high=high, level=enlarged.level)
        return _reach(logs, below=value > threshold, is_certain=False)

    return _need(reach, abs(math.log(value / threshold)), len(pairs.tuned))


def repeated(pairs: Pairs, times: int) -> Pairs:
    """As if `times` as many clusters like these had been seen."""
    return replace(pairs, tuned=pairs.tuned.repeated(times), baseline=pairs.baseline.repeated(times))


def _reach(made: Estimate, below: bool, is_certain: bool) -> float:
    """Distance from value to threshold at which the bound, four times of five, is on the value's side of it.

    Infinite where there is no bound. A value that is certain to be seen again needs no more than its bound.
    """
    if made.value is None or made.low is None or made.high is None:
        return math.inf
    bound = made.value - made.low if below else made.high - made.value
    error = (made.high - made.low) / (2 * critical(made.level, made.side))
    return bound + (0.0 if is_certain else critical(POWER, "lower") * error)


def _need(reach: Callable[[int], float], gap: float, rows: int) -> Need:
    apart = last = reach(1)
    if gap <= 0:
        return Need(None, apart)
    copies = 1
    while last > gap and copies * rows < MOST_ROWS:
        now = reach(2 * copies)
        if now <= gap < last:
            if now <= 0 or not math.isfinite(last):
                return Need(2.0 * copies, apart)
            return Need(copies * (last / gap) ** (1 / math.log2(last / now)), apart)
        last, copies = now, 2 * copies
    if not math.isfinite(last):
        return Need(None, apart)
    return Need(copies * max(1.0, last / gap) ** 2, apart)
