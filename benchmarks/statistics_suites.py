"""Simulated suites with a known truth, in the form that the statistics read. It holds no interval and no rule.

Scores of one contract correlate by a stated amount. Contracts have one size, or unequal ones: lognormal, one giant that
holds a quarter of all cases, both; and large contracts may score lower. Tuned and baseline share each contract's
difficulty, and half of their cases' own chance, so that they mostly fail together. All scores are flat arrays over
cases, in the order of contracts.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.schema import Metric
from harness.stats.observations import Observations
from harness.stats.pairs import Pairs, pair
from harness.stats.score_table import Cases, Labels, case_key

Scores = NDArray[np.float64]

ACCURACY = Metric(name="accuracy", scorer="made", numerator="right")
RECALL = Metric(name="recall", scorer="made", numerator="right", denominator="claims")
FABRICATION = Metric(name="fabrication", scorer="made", numerator="wrong", higher_is_better=False)
OVERLAP = Metric(name="overlap", scorer="made", numerator="", kind="mean", worst=0.0, best=1.0)
WORDS = Metric(name="violations", scorer="made", numerator="hits", denominator="words", higher_is_better=False)
MACRO_F1 = Metric(name="macro_f1", scorer="made", numerator="", kind="macro_f1")
MACRO_RECALL = Metric(name="macro_recall", scorer="made", numerator="", kind="macro_recall")

GIANT = 0.25
"""Share of all cases that the giant contract holds."""
LEAN = 0.8
"""How far the rates of large contracts lean, as a share of the farthest that they could."""

Sizes = Literal["equal", "lognormal", "giant", "lognormal and a giant"]


class Design(NamedTuple):
    """How many cases are in how many contracts, and how much those of one share."""

    contracts: int
    cases: int
    """Of a contract; the median one where sizes are lognormal."""
    icc: float
    sizes: Sizes = "equal"
    related: bool = False
    """Contracts larger than `cases` score lower, smaller ones higher."""

    def __str__(self) -> str:
        rho = f", rho {self.icc:g}" if self.cases > 1 else ""
        if self.sizes == "equal":
            return f"{self.contracts} x {self.cases}{rho}"
        return f"{self.contracts}, {self.sizes}{', size related' if self.related else ''}{rho}"

    @property
    def large(self) -> float:
        """Expected share of the cases that are in contracts larger than `cases`."""
        other = _large_lognormal(self.cases) if self.sizes.startswith("lognormal") else 0.0
        return GIANT + (1 - GIANT) * other if self.sizes.endswith("giant") else other

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Cases of each contract."""
        sizes = np.full(self.contracts, self.cases)
        if self.sizes.startswith("lognormal"):
            sizes = np.maximum(1, np.rint(self.cases * np.exp(rng.normal(size=self.contracts)))).astype(np.int64)
        if self.sizes.endswith("giant"):
            sizes[0] = round(sizes[1:].sum() * GIANT / (1 - GIANT))
        return sizes


@lru_cache
def _large_lognormal(median: int) -> float:
    """Share of cases in contracts over the median, where sizes are lognormal with sigma 1 and rounded."""
    size = np.arange(1, 1000 * median)
    below = special.ndtr(np.log((size + 0.5) / median))
    cases = size * np.diff(below, prepend=0.0)
    return float(cases[size > median].sum() / cases.sum())


DESIGNS = [
    Design(contracts, cases, icc)
    for contracts in (30, 100, 300)
    for cases in (1, 3, 10)
    for icc in ((0.0,) if cases == 1 else (0.0, 0.2, 0.5))
]
UNEQUAL = [
    Design(contracts, 3, icc, sizes, related)
    for contracts in (30, 100, 300)
    for sizes, icc, related in (
        ("lognormal", 0.0, False),
        ("lognormal", 0.2, False),
        ("lognormal", 1.0, False),
        ("giant", 0.2, False),
        ("giant", 1.0, False),
        ("lognormal", 0.2, True),
        ("lognormal", 1.0, True),
        ("lognormal and a giant", 0.5, True),
    )
]
RATES = (0.02, 0.5, 0.85, 0.98)


class Suite:
    """Turns arrays over cases into what the statistics read."""

    def __init__(self, design: Design, sizes: NDArray[np.int64]) -> None:
        self.design = design
        self.keys = _keys(-(-int(sizes.sum()) // 1000) * 1000)
        self.names = [str(i) for i in range(design.contracts)]
        self.clusters = np.repeat(np.arange(design.contracts), sizes)
        self.cases = len(self.clusters)
        self.lean = np.where(sizes > design.cases, design.large - 1, design.large) if design.related else 0.0 * sizes
        """By contract, what is added to a rate, of the most that can be; 0 on average over cases."""

    def observed(self, above: Scores, below: Scores | None = None, labels: Labels | None = None) -> Observations:
        """One variant's cases."""
        n = self.cases
        cases = Cases(
            keys=self.keys,
            numbers=np.arange(n),
            clusters=self.clusters,
            cluster_names=self.names,
            numerators=np.asarray(above, dtype=np.float64),
            denominators=np.ones(n) if below is None else np.asarray(below, dtype=np.float64),
            errors=np.zeros(n, dtype=np.bool_),
            labels=labels,
        )
        return Observations(cases=cases, records=n)

    def paired(self, tuned: Scores, baseline: Scores, metric: Metric) -> Pairs:
        """Both variants' answers to the same cases."""
        return pair(self.observed(tuned), self.observed(baseline), metric)

    def rates(self, rate: float) -> Scores:
        """Success rates of contracts, before chance."""
        return rate + LEAN * min(rate, 1 - rate) * self.lean

    def shares(self, rng: np.random.Generator, rate: float) -> Scores:
        """Success rates of cases, which then correlate inside contracts by the design's ICC."""
        return np.asarray(self.with_spread(rng, self.rates(rate), self.design.icc)[self.clusters])

    def with_spread(self, rng: np.random.Generator, rates: Scores, icc: float) -> Scores:
        """Rates of contracts that scatter so that cases correlate; 0 or 1 where they are all or nothing."""
        if icc == 0 or self.design.cases == 1:
            return rates
        if icc == 1:
            return (rng.random(len(rates)) < rates).astype(float)
        spread = (1 - icc) / icc
        return rng.beta(rates * spread, (1 - rates) * spread)


@lru_cache
def _keys(cases: int) -> list[str]:
    return [case_key(str(i), "") for i in range(cases)]


def drawn(rng: np.random.Generator, suites: int, design: Design) -> Iterator[Suite]:
    """So many suites of a design; those of equal contracts are one."""
    same = Suite(design, design.drawn(rng)) if design.sizes == "equal" else None
    for _ in range(suites):
        yield same or Suite(design, design.drawn(rng))


def levels(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[tuple[Suite, Scores]]:
    """0/1 scores of one variant."""
    for suite in drawn(rng, suites, design):
        yield suite, rng.random(suite.cases) < suite.shares(rng, rate)


def both(
    rng: np.random.Generator, suites: int, design: Design, tuned: float, baseline: float, shared: float = 0.5
) -> Iterator[tuple[Suite, Scores, Scores]]:
    """0/1 scores of (tuned, baseline) with these true rates; the share `shared` of cases has one chance for both."""
    for suite in drawn(rng, suites, design):
        rates = [suite.rates(p) for p in (tuned, baseline)]
        if design.icc > 0 and design.cases > 1:
            place = rng.random(design.contracts)
            if design.icc == 1:
                rates = [(place > 1 - p).astype(float) for p in rates]
            else:
                spread = (1 - design.icc) / design.icc
                rates = [special.betaincinv(p * spread, (1 - p) * spread, place) for p in rates]
        chance = rng.random(suite.cases)
        other = np.where(rng.random(suite.cases) < shared, chance, rng.random(suite.cases))
        yield suite, chance < rates[0][suite.clusters], other < rates[1][suite.clusters]


def flips(
    rng: np.random.Generator, suites: int, design: Design, better: float, worse: float
) -> Iterator[tuple[Suite, Scores, Scores]]:
    """0/1 scores of (tuned, baseline) of which these shares change; changes of one contract correlate (Dirichlet)."""
    for suite in drawn(rng, suites, design):
        more = 1 - LEAN * suite.lean
        parts = np.column_stack([better * more, worse * more, 1 - (better + worse) * more])
        if design.icc == 1:
            parts = np.diff(rng.random((design.contracts, 1)) < np.cumsum(parts, axis=1), axis=1, prepend=0) > 0
        elif design.icc > 0 and design.cases > 1:
            spread = (1 - design.icc) / design.icc
            gammas = rng.gamma(np.maximum(parts * spread, 1e-12))
            parts = gammas / gammas.sum(axis=1, keepdims=True)
        of_case, chance = parts[suite.clusters], rng.random(suite.cases)
        yield suite, chance < 1 - of_case[:, 1], chance >= of_case[:, 0]


def claims(
    rng: np.random.Generator, suites: int, design: Design, rate: float
) -> Iterator[tuple[Suite, Scores, Scores]]:
    """Right claims and all claims of every case, one to five of them; claims of a contract correlate."""
    for suite in drawn(rng, suites, design):
        below = rng.integers(1, 6, suite.cases)
        yield suite, rng.binomial(below, suite.shares(rng, rate)).astype(float), below.astype(float)


def reals(
    rng: np.random.Generator, suites: int, design: Design, mean: float, spread: float = 0.3
) -> Iterator[tuple[Suite, Scores]]:
    """Real scores in [0, 1] with this mean and `spread` of the variance of 0/1 scores; beta within and between."""
    between = design.icc * spread if design.cases > 1 else 0.0
    within = (spread - between) / (1 - between)
    for suite in drawn(rng, suites, design):
        centre = np.clip(suite.with_spread(rng, suite.rates(mean), between), 1e-9, 1 - 1e-9)[suite.clusters]
        k = 1 / within - 1 if within > 0 else np.inf
        yield suite, rng.beta(centre * k, (1 - centre) * k) if within > 0 else centre


def counts(
    rng: np.random.Generator, suites: int, design: Design, rate: float
) -> Iterator[tuple[Suite, Scores, Scores]]:
    """Slips per hundred words: overdispersed counts by contract, over 40 to 90 words a case."""
    for suite in drawn(rng, suites, design):
        words = rng.integers(40, 90, suite.cases) / 100
        slip = rate * (1 - LEAN * suite.lean) * rng.gamma(1 / 0.3, 0.3, design.contracts)
        yield suite, rng.poisson(slip[suite.clusters] * words).astype(float), words


class Labelled(NamedTuple):
    """Labels of cases: how often each is there, how often it is found and how often invented."""

    frequencies: NDArray[np.float64]
    hit: float

    @property
    def invented(self) -> NDArray[np.float64]:
        """Chance that a case without a label is given it."""
        return 0.8 * (1 - self.hit) * self.frequencies

    def truth(self, kind: str) -> float:
        """The mean over labels that endless cases have: each label's ratio of expected counts."""
        tp, fn = self.frequencies * self.hit, self.frequencies * (1 - self.hit)
        fp = (1 - self.frequencies) * self.invented
        return float(np.mean(2 * tp / (2 * tp + fp + fn) if kind == "macro_f1" else tp / (tp + fn)))


def labelled(
    rng: np.random.Generator, suites: int, design: Design, made: Labelled
) -> Iterator[tuple[Suite, Labels, NDArray[np.bool_]]]:
    """Label counts of the cases of one variant, and shape (contracts, labels): which contracts hold which label."""
    count = len(made.frequencies)
    names = [f"label {k}" for k in range(count)]
    for suite in drawn(rng, suites, design):
        shape = (suite.cases, count)
        hit = suite.shares(rng, made.hit)[:, None]
        gold = rng.random(shape) < made.frequencies
        found = rng.random(shape) < hit
        wrong = (1 - hit) / (1 - made.hit)
        invented = rng.random(shape) < np.clip(made.invented * wrong, 0, 1)
        table = np.stack([gold & found, ~gold & invented, gold & ~found], axis=-1)
        row, code = np.nonzero(table.any(axis=2))
        holders = np.zeros((design.contracts, count), dtype=np.bool_)
        np.logical_or.at(holders, suite.clusters, gold)
        yield suite, Labels(names, row, code, table[row, code].astype(float)), holders
