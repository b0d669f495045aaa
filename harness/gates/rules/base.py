"""What a gate rule consists of, what it judges, and what it is asked about the power of a suite.

Numeric libraries load when a rule judges or plans, so that reading gates stays fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from harness.formatting import count, number, plural, points, round_to_two_digits, settle
from harness.schema import Estimate, Gate, Metric, Observation, Outcome, Side

if TYPE_CHECKING:
    from harness.stats.intervals import Array
    from harness.stats.observations import Observations
    from harness.stats.pairs import Pairs
    from harness.stats.power import Design, Need
    from harness.stats.score_table import Cases

FEWEST_CLUSTERS = 10
"""No gate passes on fewer clusters; one that a single case breaks can still fail."""
PowerNumbers = dict[str, Any]
"""Fields of `GatePower`."""
NEEDS_RUN: PowerNumbers = {
    "says": ["needs a run to say more: --from RUN, since how much its scores vary is not known before"]
}
"""What a suite without a run shows of a metric whose scores are not 0 and 1."""


class GateRule(Struct, frozen=True, kw_only=True):
    """One rule of gates.toml: its keys, its words, how it judges, and its power."""

    needs: tuple[str, ...] = ()
    """Keys of the gate that it needs."""
    takes: tuple[str, ...] = ()
    """Keys that it also takes; any other key would have no effect and is refused."""
    unit: Literal["share", "points", "ratio"]
    """What is judged: the level itself, its difference from the baseline's, or their quotient."""
    lower_is_easier: bool
    """Its threshold asks for less when it falls."""
    compares: bool = False
    """It needs a baseline."""
    is_tested: bool = False
    """Without a margin it is a claim with an exact test, which Holm corrects over all such claims of a suite."""
    is_for_fewer: bool = False
    """Only for a rate where fewer is better."""
    one_decides: bool = False
    """One case fails it, however few there are."""
    in_words: Callable[[Gate, bool], str]
    """The threshold as a reader says it, such as `at least 95.0%`, or `at least 0.95` where it is of no share."""
    idle: Callable[[Gate, Metric], list[str]] = lambda gate, metric: []
    """Why every model meets the threshold on this metric, or none can, in sentences; empty where models can do both."""
    judge: Callable[[Evidence], Finding]
    """The verdict on the evidence. The first line of its docstring says when it passes and when it fails."""
    best_baseline: Callable[[Sequence[Observation], Metric, float], Sequence[Observation]] | None = None
    """The baseline that a faultless model is compared with, from that model's cases and the assumed baseline rate."""
    power: Callable[[PowerQuestion], PowerNumbers]
    """What the gate can show with given cases."""
    clusters_needed: Callable[[Gate, Assumed], int | None]
    """Clusters of one case each with which a good model passes as often as the power asks; None over 20,000."""


@dataclass(frozen=True)
class Evidence:
    """What one gate is judged on."""

    gate: Gate
    metric: Metric
    level: Observations
    """The candidate's cases, errors wrong."""
    pairs: Pairs | None = None
    """The candidate's and the baseline's cases, for comparative rules."""
    p_value: float | None = None
    """Of `improves` without a margin, after Holm over all such claims of the suite."""
    claims: int = 1
    """How many claims Holm corrects for."""
    cluster: str = "cluster"
    """What the suite calls a cluster."""
    fails_at_best: bool = False
    """More answers have no score than a gate allows, and it fails even if all of these are as good as can be."""
    too_long: int = 0
    """Cases of the slice that were left out as longer than the model's context."""
    planned: int = 0
    """Cases of the slice, with these."""

    @property
    def _table(self) -> Cases:
        return self.pairs.tuned if self.pairs else self.level.table.counted

    @property
    def cases(self) -> int:
        return len(self._table)

    @property
    def clusters(self) -> int:
        return self._table.cluster_count

    @property
    def largest(self) -> tuple[str, Array]:
        """The cluster that counts most, and the shares of all clusters, largest first."""
        table = self._table
        counted = self.pairs.counted if self.pairs else table.sums[:, 1]
        order = counted.argsort()[::-1]
        return table.cluster_names[order[0]], counted[order] / counted.sum()

    @property
    def population(self) -> str:
        return f"{count(self.cases, 'case')} from {count(self.clusters, self.cluster)}"

    @property
    def is_share(self) -> bool:
        """The metric is in [0, 1], so that its level is a percentage and its differences are points."""
        if not self.metric.is_percentage() or self.metric.kind != "ratio":
            return self.metric.is_percentage()
        if self.pairs:
            return self.pairs.is_rate
        return self.level.table.is_share

    @property
    def now(self) -> str:
        """The tuned model's level on the cases that both answered."""
        if self.pairs is None or self.pairs.values is None:
            return "not defined for both variants"
        return number(self.pairs.values[0], self.is_share)

    def settle(self, need: Need) -> str:
        """What it takes to settle an inconclusive verdict."""
        apart = points(need.apart, self.is_share).lstrip("+")
        return settle(need.times, self.cases, self.clusters, self.cluster, apart)


@dataclass(frozen=True)
class Finding:
    """What a rule finds in its evidence."""

    outcome: Outcome
    reason: str = ""
    """Why there is no judgement; after `seen`, what it leaves unsaid."""
    observed: Estimate | None = None
    margin: float | None = None
    needed: str | None = None
    seen: str = ""
    """The value and the end of its interval that decides, see `gates.sentences`."""


def not_measured(estimate: Estimate) -> Finding:
    """A failure, because the number has no value or no bounds."""
    return Finding("fail", f"Not measured: {estimate.reason or estimate.method}.", estimate)


def oriented(estimate: Estimate, sign: int) -> tuple[float | None, float | None]:
    """Bounds turned so that positive is an improvement."""
    if estimate.low is None or estimate.high is None:
        return None, None
    return (estimate.low, estimate.high) if sign > 0 else (-estimate.high, -estimate.low)


def percent_typo(value: float) -> str:
    """`95 is not a share; did you mean 0.95?`"""
    share = value / 100
    return f"{value:g} is not a share; did you mean {f'{share:.2f}' if round(share, 2) == share else f'{share:g}'}?"


def declare_unbounded(metric: Metric) -> str:
    """What to do about a ratio that is more than 1, as a sentence without a full stop; empty for other metrics."""
    if metric.kind != "ratio":
        return ""
    return f" If '{metric.name}' can be more than 1, declare it with Metric(unbounded=True)"


def value_range(metric: Metric) -> tuple[float, float]:
    """The lowest and the highest value that a model can get."""
    return (0.0, math.inf) if metric.unbounded else metric.limits


def idle_margin(gate: Gate, metric: Metric, beyond: str) -> list[str]:
    """Why a margin is as large as the largest change that there can be, or larger; `beyond` says so in words."""
    low, high = value_range(metric)
    reach = high - low
    if gate.unit == "relative":
        reach = (high / low - 1 if low > 0 else math.inf) if metric.higher_is_better else 1 - low / high
    if not gate.margin or gate.margin < reach:
        return []
    start = f"'margin' is {gate.margin:g}: "
    if (low, high) == (0.0, 1.0) and gate.margin >= 2:
        return [start + percent_typo(gate.margin)]
    return [f"{start}{beyond.format(range=reach)}. Use a smaller margin"]


class Assumed(Struct, frozen=True, kw_only=True):
    """What is assumed where no run has measured it."""

    power: float = 0.80
    """Target probability of passing."""
    discordance: float = 0.10
    """Share of cases whose score differs between the two models, either way."""
    baseline_rate: float = 0.20
    """Baseline's rate of what `reduces` is to cut."""
    correlation: float = 0.5
    """Between baseline and tuned score of one case, for `reduces`."""
    icc: float = 0.2
    """Between two cases (or claims) of one cluster."""

    @property
    def says(self) -> str:
        """All of it in one sentence."""
        return (
            f"{self.discordance:.0%} of cases change; a baseline rate of {self.baseline_rate:.0%} that correlates by "
            f"{self.correlation:g} with the tuned one; cases of one cluster correlate by {self.icc:g} (ICC)"
        )


@dataclass(frozen=True)
class Counted:
    """What one gate will count."""

    gate: Gate
    metric: Metric
    cases: Cases
    """Cases of the slice that count something, answered without a fault."""
    is_share: bool
    """Scores of 0 and 1, so that errors can be counted; otherwise only a run shows how they vary."""
    assumed: str = ""
    """How the units were counted where that is not known for sure."""
    pairs: Pairs | None = None
    """Both variants of the run that was given."""
    level: Observations | None = None
    """The tuned variant of the run that was given."""

    @property
    def clusters(self) -> int:
        return self.cases.cluster_count

    def design(self, icc: float) -> Design:
        """How the units are spread over clusters."""
        from harness.stats.power import design_of

        return design_of(self.cases.sums[:, 1], icc)


@dataclass(frozen=True)
class PowerQuestion:
    """One gate, with everything that its power depends on."""

    counted: Counted
    assumed: Assumed
    claims: int
    """Superiority claims that Holm corrects for."""
    best: Evidence
    """The gate on the best model there can be."""

    @property
    def gate(self) -> Gate:
        return self.counted.gate

    @property
    def cluster(self) -> str:
        """What the suite calls a cluster."""
        return self.best.cluster

    @property
    def is_share(self) -> bool:
        """The metric is a share, whatever its scores are."""
        return self.counted.metric.is_share is True

    @cached_property
    def design(self) -> Design:
        return self.counted.design(self.assumed.icc)

    def more(self, clusters: int | None) -> str:
        """`about 1,000 contracts (500 more)`."""
        if clusters is None:
            return f"more than 20,000 {plural(self.cluster)}"
        about = round_to_two_digits(clusters)
        return f"about {count(about, self.cluster)} ({max(0, about - self.counted.clusters):,} more)"

    def for_power(self, way: str | None, clusters: int | None) -> str:
        """What the target power takes: `way` with these clusters, where there is one, or more of them."""
        ways = f"{way}, or there must be" if way else "there must be"
        return f"; for {self.assumed.power:.0%} {ways} {self.more(clusters)}"

    def passing(self, passes: Callable[[Design], float]) -> tuple[float, int | None]:
        """How often a good model passes; where that is under the target, clusters that reach it, None over 20,000."""
        from harness.stats import power_exact

        chance, target = passes(self.design), self.assumed.power
        return chance, None if chance >= target else power_exact.clusters_needed(self.design, passes, target)

    def measured(self, side: Side) -> tuple[float, float, float] | None:
        """Value, standard error and smallest visible distance by the run that was given; None where it has none.

        Of the difference where the rule compares, else of the level: macro means, means and other numbers, taken as
        normal.
        """
        from harness.stats import power
        from harness.stats.estimates import estimate
        from harness.stats.paired import difference

        counted = self.counted
        if self.best.pairs is not None:
            if counted.pairs is None or counted.pairs.unusable:
                return None
            seen = difference(counted.pairs, side=side)
        elif counted.level is not None:
            seen = estimate(counted.level, counted.metric, side=side)
        else:
            return None
        error = power.standard_error(seen)
        if not error or seen.value is None:
            return None
        return seen.value, error, power.smallest_visible(error, side, power=self.assumed.power)


def how_often(chance: float) -> str:
    """`80% of the time`."""
    shown = "under 1%" if chance < 0.005 else "over 99%" if chance > 0.995 else f"{chance:.0%}"
    return f"{shown} of the time"


def fewest_clusters(chance: Callable[[Design], float], power: float) -> int | None:
    """Clusters of one case each at which `chance` reaches `power`; None over 20,000."""
    from harness.stats import power_exact
    from harness.stats.power import Design

    return power_exact.clusters_needed(Design(clusters=FEWEST_CLUSTERS), chance, power)
