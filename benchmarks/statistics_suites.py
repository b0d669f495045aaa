"""Simulated suites with a known truth, in the form that the statistics read. Knows no interval and no rule.

Scores of one contract correlate by a stated amount. Tuned and baseline share each contract's difficulty, and half of
their cases' own chance, so that they mostly fail together.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.schema import Metric
from harness.stats.join import Pairs, pair
from harness.stats.names import Keys
from harness.stats.observations import Observations
from harness.stats.table import Cases, Labels

Scores = NDArray[np.float64]

ACCURACY = Metric(name="accuracy", scorer="made", numerator="right")
RECALL = Metric(name="recall", scorer="made", numerator="right", denominator="claims")
FABRICATION = Metric(name="fabrication", scorer="made", numerator="wrong", higher_is_better=False)
OVERLAP = Metric(name="overlap", scorer="made", numerator="", kind="mean", worst=0.0, best=1.0)
WORDS = Metric(name="violations", scorer="made", numerator="hits", denominator="words", higher_is_better=False)
MACRO_F1 = Metric(name="macro_f1", scorer="made", numerator="", kind="macro_f1")
MACRO_RECALL = Metric(name="macro_recall", scorer="made", numerator="", kind="macro_recall")

BATCH = 250
"""Suites drawn at a time."""


class Design(NamedTuple):
    """How many cases lie in how many contracts, and how much those of one share."""

    contracts: int
    cases: int
    icc: float

    def __str__(self) -> str:
        return f"{self.contracts} x {self.cases}" + (f", rho {self.icc:g}" if self.cases > 1 else "")


DESIGNS = [
    Design(contracts, cases, icc)
    for contracts in (30, 100, 300)
    for cases in (1, 3, 10)
    for icc in ((0.0,) if cases == 1 else (0.0, 0.2, 0.5))
]
RATES = (0.02, 0.5, 0.85, 0.98)


class Suite:
    """Turns arrays of shape (contracts, cases) into what the statistics read; its keys and contracts are made once."""

    def __init__(self, design: Design) -> None:
        n = design.contracts * design.cases
        self.keys = Keys.of((str(i), "") for i in range(n))
        self.names = [str(i) for i in range(design.contracts)]
        self.clusters = np.repeat(np.arange(design.contracts), design.cases)

    def observed(self, above: Scores, below: Scores | None = None, labels: Labels | None = None) -> Observations:
        """One variant's cases."""
        n = len(self.clusters)
        cases = Cases(
            keys=self.keys,
            numbers=np.arange(n),
            clusters=self.clusters,
            cluster_numbers=np.arange(len(self.names)),
            cluster_names=self.names,
            numerators=np.asarray(above, dtype=np.float64).ravel(),
            denominators=np.ones(n) if below is None else np.asarray(below, dtype=np.float64).ravel(),
            errors=np.zeros(n, dtype=np.bool_),
            labels=labels,
        )
        return Observations(cases=cases, records=n)

    def paired(self, tuned: Scores, baseline: Scores, metric: Metric) -> Pairs:
        """Both variants' answers to the same cases."""
        return pair(self.observed(tuned), self.observed(baseline), metric)


def batches(suites: int) -> Iterator[int]:
    """Sizes of the batches that make so many suites."""
    for start in range(0, suites, BATCH):
        yield min(BATCH, suites - start)


def shares(rng: np.random.Generator, size: int, design: Design, rate: float) -> Scores:
    """Success rates of contracts, shape (suites, contracts, 1), whose cases then correlate by the design's ICC."""
    if design.icc == 0 or design.cases == 1:
        return np.full((size, design.contracts, 1), rate)
    spread = (1 - design.icc) / design.icc
    return rng.beta(rate * spread, (1 - rate) * spread, (size, design.contracts, 1))


def levels(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[Scores]:
    """0/1 scores of one variant, a suite at a time, shape (contracts, cases)."""
    for size in batches(suites):
        yield from rng.random((size, design.contracts, design.cases)) < shares(rng, size, design, rate)


def both(
    rng: np.random.Generator, suites: int, design: Design, tuned: float, baseline: float, shared: float = 0.5
) -> Iterator[tuple[Scores, Scores]]:
    """0/1 scores of (tuned, baseline) with these true rates; the share `shared` of cases has one chance for both."""
    for size in batches(suites):
        shape = (size, design.contracts, design.cases)
        rates = [np.full((size, design.contracts, 1), p) for p in (tuned, baseline)]
        if design.icc > 0 and design.cases > 1:
            spread, place = (1 - design.icc) / design.icc, rng.random((size, design.contracts, 1))
            rates = [special.betaincinv(p * spread, (1 - p) * spread, place) for p in (tuned, baseline)]
        chance = rng.random(shape)
        other = np.where(rng.random(shape) < shared, chance, rng.random(shape))
        yield from zip(chance < rates[0], other < rates[1], strict=True)


def flips(
    rng: np.random.Generator, suites: int, design: Design, better: float, worse: float
) -> Iterator[tuple[Scores, Scores]]:
    """0/1 scores of (tuned, baseline) of which these shares change; changes of one contract correlate (Dirichlet)."""
    rest = 1 - better - worse
    for size in batches(suites):
        shape = (size, design.contracts)
        parts = np.broadcast_to(np.array([better, worse, rest]), (*shape, 3))
        if design.icc > 0 and design.cases > 1:
            spread = (1 - design.icc) / design.icc
            gammas = rng.gamma(np.maximum(np.array([better, worse, rest]) * spread, 1e-12), size=(*shape, 3))
            parts = gammas / gammas.sum(axis=2, keepdims=True)
        chance = rng.random((*shape, design.cases))
        lost = chance >= 1 - parts[..., 1:2]
        gained = chance < parts[..., :1]
        yield from zip(~lost, ~gained, strict=True)


def claims(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[tuple[Scores, Scores]]:
    """Right claims and all claims of every case, one to five of them; claims of a contract correlate."""
    for size in batches(suites):
        below = rng.integers(1, 6, (size, design.contracts, design.cases))
        above = rng.binomial(below, np.broadcast_to(shares(rng, size, design, rate), below.shape))
        yield from zip(above.astype(float), below.astype(float), strict=True)


def reals(rng: np.random.Generator, suites: int, design: Design, mean: float, spread: float = 0.3) -> Iterator[Scores]:
    """Real scores in [0, 1] with this mean and `spread` of the variance of 0/1 scores; beta within and between."""
    between = design.icc * spread if design.cases > 1 else 0.0
    within = (spread - between) / (1 - between)
    for size in batches(suites):
        centre = np.full((size, design.contracts, 1), mean)
        if between > 0:
            k = 1 / between - 1
            centre = np.clip(rng.beta(mean * k, (1 - mean) * k, centre.shape), 1e-9, 1 - 1e-9)
        k = 1 / within - 1
        yield from rng.beta(centre * k, (1 - centre) * k, (size, design.contracts, design.cases))


def counts(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[tuple[Scores, Scores]]:
    """Slips per hundred words: overdispersed counts by contract, over 40 to 90 words a case."""
    for size in batches(suites):
        words = rng.integers(40, 90, (size, design.contracts, design.cases)) / 100
        slip = rate * rng.gamma(1 / 0.3, 0.3, (size, design.contracts, 1))
        yield from zip(rng.poisson(slip * words).astype(float), words, strict=True)


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
) -> Iterator[tuple[Labels, NDArray[np.int64]]]:
    """Label counts of the cases of one variant, and shape (contracts, labels): which contracts hold which label."""
    count = len(made.frequencies)
    names = [f"label {k}" for k in range(count)]
    for size in batches(suites):
        shape = (size, design.contracts, design.cases, count)
        hit = shares(rng, size, design, made.hit)[..., None]
        gold = rng.random(shape) < made.frequencies
        found = rng.random(shape) < hit
        wrong = (1 - hit) / (1 - made.hit)
        invented = rng.random(shape) < np.clip(made.invented * wrong, 0, 1)
        for g, f, i in zip(gold, found, invented, strict=True):
            table = np.stack([g & f, ~g & i, g & ~f], axis=-1).reshape(-1, count, 3)
            row, code = np.nonzero(table.any(axis=2))
            yield Labels(names, row, code, table[row, code].astype(float)), g.any(axis=1)
