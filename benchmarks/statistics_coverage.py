"""How often every 95% interval holds the truth, and how wide it is, next to a plain method.

The intervals are those of `harness.stats`, called on simulated suites. The plain method next to each leaves contracts
aside: Wald's interval of a share, a mean, a difference (as if unpaired), a logarithm of a ratio or a mean over labels.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from statistics_suites import (
    ACCURACY,
    DESIGNS,
    FABRICATION,
    MACRO_F1,
    MACRO_RECALL,
    OVERLAP,
    RATES,
    RECALL,
    UNEQUAL,
    WORDS,
    Design,
    Labelled,
    Scores,
    both,
    claims,
    counts,
    labelled,
    levels,
    reals,
)

from harness.gates.judge import FEWEST_OF_A_LABEL
from harness.schema import Estimate, Metric
from harness.stats.estimates import estimate, label_parts
from harness.stats.observations import Observations
from harness.stats.paired import difference, rate_ratio

Z = 1.959963984540054
TARGET, CAUTIOUS = 0.935, 0.98
AGAIN = 5
"""Times as many suites for a cell that misses."""
FEWEST_JUDGED = 0.05
"""Where a gate judges on fewer suites than this share, no coverage is stated."""
PAIRS = ((0.02, 0.04), (0.5, 0.4), (0.85, 0.75), (0.98, 0.94), (0.98, 0.98))
"""True rates of tuned and baseline for differences."""
CUTS = ((0.02, 0.04), (0.1, 0.2), (0.375, 0.5), (0.85, 0.85))
"""True rates of tuned and baseline for ratios."""
SLIPS = (0.2, 0.5, 1.0, 3.0)
"""Slips per hundred words."""
LABELS = {
    "5 labels, each in 30% of cases": np.full(5, 0.3),
    "15 labels, in 40% to 5% of cases": np.geomspace(0.4, 0.05, 15),
}


class Seen(NamedTuple):
    """One suite: the interval, its one-sided bounds, and what the plain method has."""

    value: float
    two: tuple[float, float]
    one: tuple[float, float]
    """Lower and upper bound, each one-sided 95%."""
    plain: tuple[float, float]
    is_judged: bool = True
    """A gate would judge on it."""


class Cell(NamedTuple):
    """What many suites of one design showed."""

    design: str
    case: str
    coverage: float
    lower: float
    """Coverage of the one-sided lower bound."""
    upper: float
    width: float
    plain: float
    """Coverage of the plain method."""
    oracle: float
    """Width of an interval that knows the spread of the estimate: 2 * 1.96 * its standard deviation."""
    judged: float
    """Share of suites on which a gate judges; the other figures are of these."""

    @property
    def misses(self) -> bool:
        return self.coverage < TARGET

    @property
    def misses_one_sided(self) -> bool:
        return min(self.lower, self.upper) < TARGET

    @property
    def cost(self) -> float | None:
        """How much wider than the oracle, where coverage is over 98%."""
        return self.width / self.oracle if self.coverage > CAUTIOUS and self.oracle > 0 else None


def wald(value: float, error: float) -> tuple[float, float]:
    return value - Z * error, value + Z * error


def _bounds(made: Estimate) -> tuple[float, float]:
    low = -math.inf if made.low is None else made.low
    return low, math.inf if made.high is None else made.high


def _level(found: Observations, metric: Metric, plain: tuple[float, float], is_judged: bool = True) -> Seen:
    made = estimate(found, metric)
    assert made.value is not None
    return Seen(made.value, _bounds(made), _bounds(estimate(found, metric, side="lower")), plain, is_judged)


def share(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[Seen]:
    """A 0/1 score; plain: Wald, contracts aside."""
    for suite, scores in levels(rng, suites, design, rate):
        p = scores.mean()
        yield _level(suite.observed(scores), ACCURACY, wald(p, math.sqrt(p * (1 - p) / scores.size)))


def ratio(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[Seen]:
    """A share of one to five claims a case; plain: Wald over all claims."""
    for suite, above, below in claims(rng, suites, design, rate):
        p = above.sum() / below.sum()
        yield _level(suite.observed(above, below), RECALL, wald(p, math.sqrt(p * (1 - p) / below.sum())))


def mean(rng: np.random.Generator, suites: int, design: Design, value: float) -> Iterator[Seen]:
    """A mean of real scores; plain: Wald, contracts aside."""
    for suite, scores in reals(rng, suites, design, value):
        error = scores.std(ddof=1) / math.sqrt(scores.size)
        yield _level(suite.observed(scores), OVERLAP, wald(scores.mean(), error))


def rate_of_slips(rng: np.random.Generator, suites: int, design: Design, rate: float) -> Iterator[Seen]:
    """Slips per hundred words, which have no upper end; plain: Poisson's Wald."""
    for suite, above, below in counts(rng, suites, design, rate):
        value = above.sum() / below.sum()
        yield _level(suite.observed(above, below), WORDS, wald(value, math.sqrt(value / below.sum())))


def change(rng: np.random.Generator, suites: int, design: Design, rates: tuple[float, float]) -> Iterator[Seen]:
    """A paired difference; plain: Wald, as if the variants had answered other cases, and contracts aside."""
    for suite, tuned, baseline in both(rng, suites, design, *rates):
        pairs = suite.paired(tuned, baseline, ACCURACY)
        made = difference(pairs)
        assert made.value is not None
        error = math.sqrt(sum(p * (1 - p) / tuned.size for p in (tuned.mean(), baseline.mean())))
        yield Seen(made.value, _bounds(made), _bounds(difference(pairs, side="lower")), wald(made.value, error))


def cut(rng: np.random.Generator, suites: int, design: Design, rates: tuple[float, float]) -> Iterator[Seen]:
    """A ratio of rates; plain: Wald on the logarithm, as if unpaired, contracts aside. None where undefined."""
    for suite, tuned, baseline in both(rng, suites, design, *rates):
        pairs = suite.paired(tuned, baseline, FABRICATION)
        made = rate_ratio(pairs)
        if made.value is None:
            continue
        a, b = tuned.sum(), baseline.sum()
        plain = (0.0, math.inf)
        if a > 0:
            low, high = wald(math.log(made.value), math.sqrt(1 / a - 1 / tuned.size + 1 / b - 1 / tuned.size))
            plain = (math.exp(low), math.exp(high))
        yield Seen(made.value, _bounds(made), _bounds(rate_ratio(pairs, level=0.90)), plain)


def over_labels(
    rng: np.random.Generator, suites: int, design: Design, made: Labelled, metric: Metric
) -> Iterator[Seen]:
    """A mean over labels; plain: Wald of its linear parts. A gate judges none with a label in few contracts."""
    for suite, labels, holders in labelled(rng, suites, design, made):
        n = suite.cases
        found = suite.observed(np.zeros(n), labels=labels)
        names = labels.names
        rows = found.table.label_sums(names, by_case=True)
        each = label_parts(rows, np.full(n, 1 / n), metric.kind)
        plain, held = wald(each.value, math.sqrt(float(each.residuals @ each.residuals))), holders.sum(axis=0)
        yield _level(found, metric, plain, bool((held[held > 0] >= FEWEST_OF_A_LABEL).all()))


def macro_f1(rng: np.random.Generator, suites: int, design: Design, made: Labelled) -> Iterator[Seen]:
    return over_labels(rng, suites, design, made, MACRO_F1)


def macro_recall(rng: np.random.Generator, suites: int, design: Design, made: Labelled) -> Iterator[Seen]:
    return over_labels(rng, suites, design, made, MACRO_RECALL)


def cell(design: Design, case: str, truth: float, seen: list[Seen]) -> Cell:
    """Coverage and width over the suites that a gate judges."""
    judged = [s for s in seen if s.is_judged]
    if len(judged) < FEWEST_JUDGED * len(seen):
        return Cell(str(design), case, *[math.nan] * 6, len(judged) / len(seen))
    value = np.array([s.value for s in judged])
    two, one, plain = (np.array([getattr(s, name) for s in judged]).reshape(-1, 2) for name in ("two", "one", "plain"))

    def holds(bounds: Scores) -> float:
        return float(((bounds[:, 0] <= truth + 1e-12) & (truth - 1e-12 <= bounds[:, 1])).mean())

    lower, upper = float((one[:, 0] <= truth + 1e-12).mean()), float((one[:, 1] >= truth - 1e-12).mean())
    width = float(np.median(two[:, 1] - two[:, 0]))
    oracle = 2 * Z * float(value.std())
    share_judged = len(judged) / len(seen)
    return Cell(str(design), case, holds(two), lower, upper, width, holds(plain), oracle, share_judged)


class Kind(NamedTuple):
    """One kind of interval: what is simulated, and the truths it is simulated at."""

    title: str
    make: Callable[..., Iterator[Seen]]
    truths: dict[str, tuple[object, float]]
    """By heading: what the simulation takes, and the number that the interval is to hold."""
    plain: str
    designs: list[Design] = DESIGNS


def _rates(values: tuple[float, ...], form: str = "{:g}") -> dict[str, tuple[object, float]]:
    return {form.format(value): (value, value) for value in values}


EVERY_RATE = (0.02, 0.1, 0.5, 0.85, 0.98)
"""True rates where contracts are unequal."""
SMALL = [Design(contracts, cases, icc) for contracts in (30, 100, 300) for cases, icc in ((1, 0.0), (3, 0.2))]
SMALL_UNEQUAL = [
    d for d in UNEQUAL if not d.related and (d.sizes, d.icc) in {("lognormal", 0.2), ("lognormal", 1), ("giant", 1)}
]


def kinds() -> list[Kind]:
    """Every kind of interval there is."""
    hits = (0.5, 0.85, 0.98)
    made = [
        Kind("A share: right or wrong, one answer a case", share, _rates(RATES, "rate {:g}"), "Wald"),
        Kind("A ratio: recall over one to five claims a case", ratio, _rates(RATES, "rate {:g}"), "Wald"),
        Kind("A mean of real scores between 0 and 1", mean, _rates(RATES, "mean {:g}"), "Wald"),
        Kind("A rate without an upper end: slips per 100 words", rate_of_slips, _rates(SLIPS, "{:g}"), "Wald"),
        Kind(
            "A paired difference, tuned minus baseline",
            change,
            {f"{t:g} against {b:g}": ((t, b), t - b) for t, b in PAIRS},
            "Wald, unpaired",
        ),
        Kind(
            "A ratio of two rates, tuned over baseline",
            cut,
            {f"{t:g} over {b:g}": ((t, b), t / b) for t, b in CUTS},
            "Wald of the logarithm, unpaired",
        ),
    ]
    for metric, make in (("macro_f1", macro_f1), ("macro_recall", macro_recall)):
        for name, frequencies in LABELS.items():
            truths = {
                f"found {hit:g}": (Labelled(frequencies, hit), Labelled(frequencies, hit).truth(metric)) for hit in hits
            }
            title = f"{metric.replace('_', ' ').capitalize()} over {name}"
            made.append(Kind(title, make, truths, "Wald", SMALL))
    return made + [_unequal(kind) for kind in made]


def _unequal(kind: Kind) -> Kind:
    """The same interval where contracts differ in size."""
    designs = SMALL_UNEQUAL if kind.designs is SMALL else UNEQUAL
    word = next(iter(kind.truths)).split()[0]
    truths = _rates(EVERY_RATE, word + " {:g}") if kind.make in LEVELS else kind.truths
    return kind._replace(title=f"{kind.title}; contracts of unequal size", truths=truths, designs=designs)


LEVELS = (share, ratio, mean)
"""Kinds of interval whose truth is a rate."""


def measured(kind: Kind, suites: int, seed: int) -> list[Cell]:
    """All cells of one kind, row by row; one that misses is simulated again with more suites: it may be chance."""
    found = []
    for row, design in enumerate(kind.designs):
        for column, (name, (taken, truth)) in enumerate(kind.truths.items()):
            key = [seed, len(kind.title), row, column]
            seen = cell(design, name, truth, list(kind.make(np.random.default_rng(key), suites, design, taken)))
            if seen.misses or seen.misses_one_sided:
                again = kind.make(np.random.default_rng([*key, AGAIN]), AGAIN * suites, design, taken)
                seen = cell(design, name, truth, list(again))
            found.append(seen)
    return found
