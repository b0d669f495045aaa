"""How often a rule lets through what it must not, and shows what is there, beside plain rules. Knows no interval.

The verdicts are those of `harness.gates`, asked about simulated suites. The plain rule beside each is the one that is
usual elsewhere: it leaves contracts and pairs aside, and has neither guards nor Holm's correction.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats
from statistics_suites import ACCURACY, FABRICATION, UNEQUAL, Design, Scores, Suite, both, flips, levels

from harness.evidence import Evidence, after_holm, too_few
from harness.gates import RULES
from harness.schema import Gate, Metric
from harness.stats import chances
from harness.stats.design import Design as Planned
from harness.stats.join import Pairs

Z = 1.959963984540054
Z_ONE = 1.6448536269514722
MOST_UNDER_NULL, MOST_AT_BAR, POINTS = 0.05, 0.06, 0.03
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
    """Verdicts of gates that Holm corrects together."""
    corrected = [e for e in after_holm(family) if isinstance(e, Evidence)]
    return [too_few(e) is None and RULES[e.gate.rule](e).outcome == "pass" for e in corrected]


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


def plainly_at_least(scores: Scores, bar: float) -> bool:
    """Wald's one-sided lower bound over all cases."""
    p = float(scores.mean())
    return p - Z_ONE * math.sqrt(p * (1 - p) / scores.size) >= bar


def _shares(claim: str, design: Design, truth: str, most: float, results: Iterable[tuple[bool, bool]]) -> Passed:
    ours, plain = np.array(list(results)).mean(axis=0)
    return Passed(claim, str(design), truth, float(ours), float(plain), most)


def under_the_null(suites: int, seed: int) -> Iterator[Passed]:
    """Tuned equals baseline in truth: one claim, a cut of any size, and a family of five claims."""
    improves, reduces = Gate(metric="accuracy", rule="improves"), Gate(metric="fabrication", rule="reduces", ratio=1.0)
    for row, design in enumerate(ALL_DESIGNS):
        for column, rate in enumerate((0.5, 0.85, 0.98)):
            rng = np.random.default_rng([seed, 1, row, column])
            drawn = list(both(rng, suites, design, rate, rate))
            yield _shares(
                "`improves`", design, f"both {rate:g}", MOST_UNDER_NULL,
                ((passes(improves, suite, ACCURACY, t, b), plainly_better(t, b)) for suite, t, b in drawn),
            )  # fmt: skip
        for column, rate in enumerate((0.05, 0.3)):
            rng = np.random.default_rng([seed, 2, row, column])
            drawn = list(both(rng, suites, design, rate, rate))
            yield _shares(
                "`reduces`, ratio 1", design, f"both {rate:g}", MOST_UNDER_NULL,
                ((passes(reduces, suite, FABRICATION, t, b), plainly_cut(t, b, 1.0)) for suite, t, b in drawn),
            )  # fmt: skip
    for row, design in enumerate((Design(100, 1, 0.0), Design(100, 3, 0.2), UNEQUAL[10])):
        rng = np.random.default_rng([seed, 3, row])
        drawn = list(both(rng, suites * CLAIMS, design, 0.8, 0.8))
        families = [drawn[i : i + CLAIMS] for i in range(0, len(drawn), CLAIMS)]
        yield _shares(
            f"any of {CLAIMS} `improves`", design, "both 0.8", MOST_UNDER_NULL,
            (
                (
                    any(_judged([_evidence(improves, suite, ACCURACY, t, b) for suite, t, b in family])),
                    any(plainly_better(t, b) for _, t, b in family),
                )
                for family in families
            ),
        )  # fmt: skip


def at_the_bar(suites: int, seed: int) -> Iterator[Passed]:
    """The truth lies exactly at the bar."""
    for row, design in enumerate(ALL_DESIGNS):
        for column, bar in enumerate((0.5, 0.85, 0.98)):
            gate = Gate(metric="accuracy", rule="at_least", value=bar)
            rng = np.random.default_rng([seed, 4, row, column])
            yield _shares(
                "`at_least`", design, f"{bar:g}", MOST_AT_BAR,
                (
                    (passes(gate, suite, ACCURACY, s), plainly_at_least(s, bar))
                    for suite, s in levels(rng, suites, design, bar)
                ),
            )  # fmt: skip
        bar = 0.05
        gate, rng = Gate(metric="fabrication", rule="at_most", value=bar), np.random.default_rng([seed, 5, row])
        yield _shares(
            "`at_most`", design, f"{bar:g}", MOST_AT_BAR,
            (
                (passes(gate, suite, FABRICATION, s), plainly_at_least(1 - s.astype(float), 1 - bar))
                for suite, s in levels(rng, suites, design, bar)
            ),
        )  # fmt: skip
        for column, (better, margin) in enumerate(((0.0, 0.02), (0.0, 0.05), (0.04, 0.05))):
            gate = Gate(metric="accuracy", rule="no_worse", margin=margin)
            rng = np.random.default_rng([seed, 6, row, column])
            yield _shares(
                "`no_worse`", design, f"loss {margin:g}, {better:g} gain and {better + margin:g} lose", MOST_AT_BAR,
                (
                    (passes(gate, suite, ACCURACY, t, b), plainly_no_worse(t, b, margin))
                    for suite, t, b in flips(rng, suites, design, better, better + margin)
                ),
            )  # fmt: skip
        for column, rate in enumerate((0.1, 0.4)):
            gate = Gate(metric="fabrication", rule="reduces", ratio=0.75)
            rng = np.random.default_rng([seed, 7, row, column])
            yield _shares(
                "`reduces`, ratio 0.75", design, f"{0.75 * rate:g} over {rate:g}", MOST_AT_BAR,
                (
                    (passes(gate, suite, FABRICATION, t, b), plainly_cut(t, b, 0.75))
                    for suite, t, b in both(rng, suites, design, 0.75 * rate, rate)
                ),
            )  # fmt: skip


def _share(results: Iterable[bool]) -> float:
    return float(np.mean(list(results)))


def power(suites: int, seed: int) -> Iterator[Power]:
    """Designs of one case a contract, and clustered ones: predicted by `tunegate power`, and simulated."""
    improves = Gate(metric="accuracy", rule="improves")
    for row, (n, better, worse) in enumerate(((29, 0.29, 0.01), (57, 0.24, 0.04), (92, 0.18, 0.04), (370, 0.08, 0.03))):
        design, rng = Design(n, 1, 0.0), np.random.default_rng([seed, 8, row])
        drawn = flips(rng, suites, design, better, worse)
        found = _share(passes(improves, suite, ACCURACY, t, b) for suite, t, b in drawn)
        predicted = chances.chance_of_gain(Planned(n), better + worse, better - worse)
        yield Power(f"`improves`, {better:.0%} gain and {worse:.0%} lose", str(design), predicted, found)
    for row, (n, changed, margin) in enumerate(((1546, 0.10, 0.02), (495, 0.20, 0.05))):
        design, rng = Design(n, 1, 0.0), np.random.default_rng([seed, 9, row])
        gate = Gate(metric="accuracy", rule="no_worse", margin=margin)
        drawn = flips(rng, suites, design, changed / 2, changed / 2)
        found = _share(passes(gate, suite, ACCURACY, t, b) for suite, t, b in drawn)
        predicted = chances.chance_of_no_worse(Planned(n), changed, margin)
        yield Power(f"`no_worse`, margin {margin:g}, {changed:.0%} change", str(design), predicted, found)
    rows = [(Design(300, 1, 0.0), 0.98, 0.99), (Design(1000, 1, 0.0), 0.98, 0.99), (Design(100, 3, 0.2), 0.95, 0.98)]
    for row, (design, bar, truth) in enumerate([*rows, (Design(91, 7, 0.2), 0.80, 0.86)]):
        rng = np.random.default_rng([seed, 10, row])
        gate = Gate(metric="accuracy", rule="at_least", value=bar)
        found = _share(passes(gate, suite, ACCURACY, s) for suite, s in levels(rng, suites, design, truth))
        planned = Planned(design.contracts, ((design.cases, 1.0),), design.icc)
        predicted = chances.chance_of_level(planned, bar, truth)
        yield Power(f"`at_least` {bar:g}, truth {truth:g}", str(design), predicted, found)
    for row, (design, better, worse) in enumerate(
        ((Design(100, 4, 0.2), 0.10, 0.03), (Design(34, 9, 0.2), 0.12, 0.04))
    ):
        rng = np.random.default_rng([seed, 11, row])
        drawn = flips(rng, suites, design, better, worse)
        found = _share(passes(improves, suite, ACCURACY, t, b) for suite, t, b in drawn)
        planned = Planned(design.contracts, ((design.cases, 1.0),), design.icc)
        predicted = chances.chance_of_gain(planned, better + worse, better - worse)
        yield Power(f"`improves`, {better:.0%} gain and {worse:.0%} lose", str(design), predicted, found)
