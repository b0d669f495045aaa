"""How often a rule lets through what it must not, and shows what is there, next to plain rules.

The verdicts are those of `harness.gates.judge` on simulated suites. The plain rule next to each is the usual one
elsewhere: it leaves contracts and pairs aside, and has neither guards nor Holm's correction.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from scipy import stats
from statistics_suites import ACCURACY, FABRICATION, UNEQUAL, Design, Scores, Suite, both, flips, levels

from harness.gates.judge import after_holm, too_few
from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import Evidence
from harness.schema import Gate, Metric
from harness.stats import power as stats_power
from harness.stats import power_exact
from harness.stats.pairs import Pairs
from harness.stats.power import Design as Planned

Z = 1.959963984540054
Z_ONE = 1.6448536269514722
MOST_UNDER_NULL, MOST_AT_BAR, POINTS = 0.05, 0.06, 0.03
AGAIN = 5
"""Times as many suites for a cell that misses."""
CLAIMS = 5
"""Superiority claims of one family."""

PLAIN_DESIGNS = [Design(30, 1, 0.0), Design(100, 1, 0.0), Design(300, 1, 0.0)]
CLUSTERED = [Design(30, 3, 0.2), Design(30, 10, 0.2), Design(100, 3, 0.2), Design(100, 10, 0.5)]
ALL_DESIGNS = [*PLAIN_DESIGNS, *CLUSTERED, *UNEQUAL]


class Passed(NamedTuple):
    """How often a rule passed, ours and the plain one."""

    claim: str
    design: str
    truth: str
    ours: float
    plain: float
    most: float

    @property
    def misses(self) -> bool:
        return self.ours > self.most


class Power(NamedTuple):
    """How often a rule passes where it should, as predicted and as simulated."""

    claim: str
    design: str
    predicted: float
    simulated: float

    @property
    def misses(self) -> bool:
        return abs(self.predicted - self.simulated) > POINTS


def passes(gate: Gate, suite: Suite, metric: Metric, tuned: Scores, baseline: Scores | None = None) -> bool:
    """Whether the gate's verdict on one suite is pass."""
    return _judged([_evidence(gate, suite, metric, tuned, baseline)])[0]


def _evidence(gate: Gate, suite: Suite, metric: Metric, tuned: Scores, baseline: Scores | None) -> Evidence:
    pairs: Pairs | None = None if baseline is None else suite.paired(tuned, baseline, metric)
    return Evidence(gate=gate, metric=metric, level=suite.observed(tuned), pairs=pairs)


def _judged(family: list[Evidence]) -> list[bool]:
    """Verdicts of gates that Holm corrects together; what would settle one takes most of the time and is left out."""
    corrected = [e for e in after_holm(family) if isinstance(e, Evidence)]
    with mock.patch.multiple(stats_power, for_level=_unasked, for_difference=_unasked, for_ratio=_unasked):
        return [too_few(e) is None and GATE_RULES[e.gate.rule].judge(e).outcome == "pass" for e in corrected]


def _unasked(*_: Any, **__: Any) -> stats_power.Need:
    return stats_power.Need(None, 0.0)


def _rates(tuned: Scores, baseline: Scores) -> tuple[float, float, float]:
    """Both rates, and the standard error of their difference as if the variants had answered other cases."""
    p, q = float(tuned.mean()), float(baseline.mean())
    return p, q, math.sqrt((p * (1 - p) + q * (1 - q)) / tuned.size)


def plainly_better(tuned: Scores, baseline: Scores) -> bool:
    """An unpaired z test at 5%, two-sided, in the right direction."""
    p, q, error = _rates(tuned, baseline)
    return error > 0 and (p - q) / error > Z


def plainly_cut(tuned: Scores, baseline: Scores, ratio: float) -> bool:
    """Wald's upper bound of the logarithm of the ratio, unpaired, no cluster."""
    a, b, n = float(tuned.sum()), float(baseline.sum()), tuned.size
    if a == 0 or b == 0:
        return a < b
    return math.log(a / b) + Z * math.sqrt(1 / a - 1 / n + 1 / b - 1 / n) <= math.log(ratio)


def plainly_no_worse(tuned: Scores, baseline: Scores, margin: float) -> bool:
    """The paired one-sided t bound over all cases, no cluster and no guard."""
    change = (tuned.astype(float) - baseline.astype(float)).ravel()
    error = change.std(ddof=1) / math.sqrt(change.size)
    return bool(change.mean() - stats.t.ppf(0.95, change.size - 1) * error > -margin)


def plainly_at_most(scores: Scores, bar: float) -> bool:
    """Wald's one-sided upper bound over all cases."""
    return plainly_at_least(1 - scores.astype(float), 1 - bar)


def plainly_at_least(scores: Scores, bar: float) -> bool:
    """Wald's one-sided lower bound over all cases."""
    p = float(scores.mean())
    return p - Z_ONE * math.sqrt(p * (1 - p) / scores.size) >= bar


class Claim(NamedTuple):
    """One gate, what it is asked about, and the plain rule next to it."""

    name: str
    gate: Gate
    metric: Metric
    truth: str
    draw: Callable[[np.random.Generator, int, Design], Iterator[tuple[Any, ...]]]
    """Suites, each with its scores: tuned, and baseline where there is one."""
    plain: Callable[..., bool]

    def results(self, rng: np.random.Generator, suites: int, design: Design) -> Iterator[tuple[bool, bool]]:
        """Whether each suite passes, by the gate and by the plain rule."""
        for suite, *scores in self.draw(rng, suites, design):
            yield passes(self.gate, suite, self.metric, *scores), self.plain(*scores)


Results = Callable[[np.random.Generator, int, Design], Iterator[tuple[bool, bool]]]


def _passed(
    name: str, truth: str, results: Results, design: Design, most: float, suites: int, key: list[int]
) -> Passed:
    """How often a claim passes; one that passes too often is simulated again with more suites: it may be chance."""
    ours, plain = np.array(list(results(np.random.default_rng(key), suites, design))).mean(axis=0)
    if ours > most:
        again = results(np.random.default_rng([*key, AGAIN]), AGAIN * suites, design)
        ours, plain = np.array(list(again)).mean(axis=0)
    return Passed(name, str(design), truth, float(ours), float(plain), most)


def _null_claims() -> list[Claim]:
    improves, reduces = Gate(metric="accuracy", rule="improves"), Gate(metric="fabrication", rule="reduces", ratio=1.0)
    same = partial(_both_at, ratio=1.0)
    return [
        *(
            Claim("`improves`", improves, ACCURACY, f"both {rate:g}", partial(same, rate=rate), plainly_better)
            for rate in (0.5, 0.85, 0.98)
        ),
        *(
            Claim(
                "`reduces`, ratio 1", reduces, FABRICATION, f"both {rate:g}",
                partial(same, rate=rate), partial(plainly_cut, ratio=1.0),
            )
            for rate in (0.05, 0.3)
        ),
    ]  # fmt: skip


def _both_at(
    rng: np.random.Generator, suites: int, design: Design, rate: float, ratio: float
) -> Iterator[tuple[Any, ...]]:
    return both(rng, suites, design, ratio * rate, rate)


def _family(rng: np.random.Generator, suites: int, design: Design) -> Iterator[tuple[bool, bool]]:
    """Whether any claim of a family passes."""
    improves = Gate(metric="accuracy", rule="improves")
    for family in batched(both(rng, suites * CLAIMS, design, 0.8, 0.8), CLAIMS):
        judged = _judged([_evidence(improves, suite, ACCURACY, t, b) for suite, t, b in family])
        yield any(judged), any(plainly_better(t, b) for _, t, b in family)


def batched(found: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Lists of `size` in order."""
    while batch := list(islice(found, size)):
        yield batch


def under_the_null(suites: int, seed: int) -> Iterator[Passed]:
    """Tuned equals baseline in truth: one claim, a cut of any size, and a family of five claims."""
    for row, design in enumerate(ALL_DESIGNS):
        for column, claim in enumerate(_null_claims()):
            key = [seed, 1, row, column]
            yield _passed(claim.name, claim.truth, claim.results, design, MOST_UNDER_NULL, suites, key)
    for row, design in enumerate((Design(100, 1, 0.0), Design(100, 3, 0.2), UNEQUAL[10])):
        name = f"any of {CLAIMS} `improves`"
        yield _passed(name, "both 0.8", _family, design, MOST_UNDER_NULL, suites, [seed, 3, row])


def _level_at(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[tuple[Any, ...]]:
    return levels(rng, suites, design, rate)


def _flips_at(
    rng: np.random.Generator, suites: int, design: Design, better: float, worse: float
) -> Iterator[tuple[Any, ...]]:
    return flips(rng, suites, design, better, worse)


def _bar_claims() -> Iterator[Claim]:
    for bar in (0.5, 0.85, 0.98):
        gate = Gate(metric="accuracy", rule="at_least", value=bar)
        plain = partial(plainly_at_least, bar=bar)
        yield Claim("`at_least`", gate, ACCURACY, f"{bar:g}", partial(_level_at, rate=bar), plain)
    for bar in (0.05, 0.1):
        gate = Gate(metric="fabrication", rule="at_most", value=bar)
        yield Claim(
            "`at_most`", gate, FABRICATION, f"{bar:g}", partial(_level_at, rate=bar), partial(plainly_at_most, bar=bar)
        )
    for better, margin in ((0.0, 0.02), (0.0, 0.05), (0.04, 0.05)):
        truth = f"loss {margin:g}, {better:g} gain and {better + margin:g} lose"
        gate = Gate(metric="accuracy", rule="no_worse", margin=margin)
        draw = partial(_flips_at, better=better, worse=better + margin)
        yield Claim("`no_worse`", gate, ACCURACY, truth, draw, partial(plainly_no_worse, margin=margin))
    for rate in (0.1, 0.4):
        gate = Gate(metric="fabrication", rule="reduces", ratio=0.75)
        draw, plain = partial(_both_at, rate=rate, ratio=0.75), partial(plainly_cut, ratio=0.75)
        yield Claim("`reduces`, ratio 0.75", gate, FABRICATION, f"{0.75 * rate:g} over {rate:g}", draw, plain)


def at_the_bar(suites: int, seed: int) -> Iterator[Passed]:
    """The truth is exactly the threshold."""
    for row, design in enumerate(ALL_DESIGNS):
        for column, claim in enumerate(_bar_claims()):
            yield _passed(claim.name, claim.truth, claim.results, design, MOST_AT_BAR, suites, [seed, 4, row, column])


def _share(results: Iterable[bool]) -> float:
    return float(np.mean(list(results)))


def power(suites: int, seed: int) -> Iterator[Power]:
    """Designs of one case a contract, and clustered ones: predicted by `tunegate power`, and simulated."""
    improves = Gate(metric="accuracy", rule="improves")
    for row, (n, better, worse) in enumerate(((29, 0.29, 0.01), (57, 0.24, 0.04), (92, 0.18, 0.04), (370, 0.08, 0.03))):
        design, rng = Design(n, 1, 0.0), np.random.default_rng([seed, 8, row])
        drawn = flips(rng, suites, design, better, worse)
        found = _share(passes(improves, suite, ACCURACY, t, b) for suite, t, b in drawn)
        predicted = power_exact.chance_of_gain(Planned(n), better + worse, better - worse)
        yield Power(f"`improves`, {better:.0%} gain and {worse:.0%} lose", str(design), predicted, found)
    for row, (n, changed, margin) in enumerate(((1546, 0.10, 0.02), (495, 0.20, 0.05))):
        design, rng = Design(n, 1, 0.0), np.random.default_rng([seed, 9, row])
        gate = Gate(metric="accuracy", rule="no_worse", margin=margin)
        drawn = flips(rng, suites, design, changed / 2, changed / 2)
        found = _share(passes(gate, suite, ACCURACY, t, b) for suite, t, b in drawn)
        predicted = power_exact.chance_of_no_worse(Planned(n), changed, margin)
        yield Power(f"`no_worse`, margin {margin:g}, {changed:.0%} change", str(design), predicted, found)
    rows = [(Design(300, 1, 0.0), 0.98, 0.99), (Design(1000, 1, 0.0), 0.98, 0.99), (Design(100, 3, 0.2), 0.95, 0.98)]
    for row, (design, bar, truth) in enumerate([*rows, (Design(91, 7, 0.2), 0.80, 0.86)]):
        rng = np.random.default_rng([seed, 10, row])
        gate = Gate(metric="accuracy", rule="at_least", value=bar)
        found = _share(passes(gate, suite, ACCURACY, s) for suite, s in levels(rng, suites, design, truth))
        planned = Planned(design.contracts, ((design.cases, 1.0),), design.icc)
        predicted = power_exact.chance_of_level(planned, bar, truth)
        yield Power(f"`at_least` {bar:g}, truth {truth:g}", str(design), predicted, found)
    for row, (design, better, worse) in enumerate(
        ((Design(100, 4, 0.2), 0.10, 0.03), (Design(34, 9, 0.2), 0.12, 0.04))
    ):
        rng = np.random.default_rng([seed, 11, row])
        drawn = flips(rng, suites, design, better, worse)
        found = _share(passes(improves, suite, ACCURACY, t, b) for suite, t, b in drawn)
        planned = Planned(design.contracts, ((design.cases, 1.0),), design.icc)
        predicted = power_exact.chance_of_gain(planned, better + worse, better - worse)
        yield Power(f"`improves`, {better:.0%} gain and {worse:.0%} lose", str(design), predicted, found)
