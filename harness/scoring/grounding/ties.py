"""The steps that a figure of an answer may follow by: what its operands yield, and how closely they are tied to it.

Operands are the figures stated near it, those of the question, and those of the source whose contexts are most like its
own. The strength of a step is that of its operands, less for rules that people use less often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from harness.scoring.grounding.contexts import Fact
from harness.scoring.grounding.derivations import CURRENCIES, DAY_OFF, alone
from harness.scoring.grounding.operands import Numbers, Operands, SourceOperands, operands
from harness.scoring.grounding.steps import STEPS, Array
from harness.scoring.text.quantities import Figure, size_key

MOST_LIKE, MOST_MATED = 32, 2
"""Operands of one figure: of the source, for each unit; stated ones whose row and column are used."""
NEARBY, ASKED, RELATED, APART = 0.8, 0.7, 0.9, 0.4
"""Strength of an operand: near the figure, in the question, in the most alike context; of two far apart."""
UNLIKE, MIN_MATE = 0.01, 0.02
"""Strength of a context that shares nothing; least likeness of a figure of the same row or column."""
RARE = {
    **dict.fromkeys(("part of an amount", "amount after a rise", "ratio"), 0.8),
    **dict.fromkeys(("product", "whole of a share", "amount after a fall"), 0.7),
    **dict.fromkeys((DAY_OFF, "part of a period"), 0.5),
}
"""Factors of steps that people take less often."""
OF_A_SOURCE_ALONE = (
    *("amount of another period", "rest of a whole", "part of an amount", "number of times an amount"),
    *("periods counted", "number of periods", "part of a period"),
)
STATED, ASKED_AT = -1, -1000
"""Numbers of operands that are not in the source: those of the answer, and of the question, count down from here."""


class Steps(NamedTuple):
    """What one rule yields, with the strength of the operands and one of them; the latter two only when asked."""

    rule: str
    is_rounded: bool
    values: Array
    tied: Callable[[], tuple[Array, Numbers]]


class Ties:
    """What one figure of an answer may follow from, by unit."""

    def __init__(
        self,
        source: SourceOperands,
        fact: Fact,
        near: Sequence[tuple[float, Fact]],
        asked: Sequence[Figure],
        years: Sequence[int],
    ) -> None:
        self.source, self.near = source, near
        self.like = self.source.likeness(fact.terms)
        self.most = float(self.like.max(initial=0.0)) or 1.0
        stated = [(weight, r, STATED - at) for at, (weight, f) in enumerate(near) for r in f.readings]
        stated += [(ASKED, r, ASKED_AT - at) for at, r in enumerate(asked)]
        self.figures = [(weight, figure) for weight, figure, _ in stated]
        self.stated = operands(((w, r, at, STATED, STATED) for w, r, at in stated), years)
        self._groups: dict[str, Operands | None] = {}
        self._pairs: dict[tuple[str, str], tuple[Operands, Operands]] = {}

    def group(self, unit: str) -> Operands | None:
        """Return the operands of a unit: stated ones, and those of the source with the most alike contexts."""
        if unit not in self._groups:
            related = self.source.most_alike(unit, self.like, MOST_LIKE)
            if related is not None:
                related = related._replace(strength=RELATED / self.most * np.maximum(related.strength, UNLIKE))
            both = [each for each in (self.stated.get(unit), related) if each is not None]
            self._groups[unit] = Operands(*map(np.concatenate, zip(*both, strict=True))) if both else None
        return self._groups[unit]

    def steps(self, unit: str, fits: Callable[[str], bool]) -> Iterator[Steps]:
        """Yield the steps that may lead to a figure of a unit."""
        group = self.group(unit)
        if group is not None and unit != "date":
            of_source = group.at(np.flatnonzero(group.fact >= 0))
            yield Steps("rounding", True, of_source.value, lambda: (of_source.strength, of_source.fact))
        yield from self._single(unit)
        for each in STEPS.get(unit, ()):
            one, other = self._paired(each.first, each.second)
            for rule in each.rules if len(one.value) else ():
                if fits(rule.name):
                    values = rule.of(one.value, other.value)
                    yield Steps(rule.name, rule.is_rounded, values, _tied(rule.name, one, other))
        yield from self._with_mates(unit, fits)
        yield from self._sums(unit)
        if unit in CURRENCIES:
            yield from self._three(unit)

    @cached_property
    def _of_stated(self) -> dict[str, dict[tuple[str, bool], list[tuple[float, float]]]]:
        """What single stated figures yield: by unit and rule, the values and their strengths."""
        units: dict[str, dict[tuple[str, bool], list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
        for weight, figure in self.figures:
            for step in alone(figure):
                units[step.unit][step.rule, step.is_rounded].append((step.value, weight * NEARBY))
        return units

    def _single(self, unit: str) -> Iterator[Steps]:
        for (rule, rounded), listed in self._of_stated.get(unit, {}).items():
            values, strength = np.array(listed).T
            yield Steps(rule, rounded, values, _constant(strength, np.full(len(values), STATED)))
        for rule, rounded, values, facts in self.source.alone(unit):
            if rule in OF_A_SOURCE_ALONE:
                strength = RELATED / self.most * NEARBY * np.maximum(self.like[facts], UNLIKE)
                yield Steps(rule, rounded, values, _constant(strength, facts))

    def _paired(self, first: str, second: str) -> tuple[Operands, Operands]:
        """Each pair of operands of two units, without a figure with itself or with its equal."""
        key = first, second
        if key not in self._pairs:
            one, other = self.group(first), self.group(second)
            if one is None or other is None:
                self._pairs[key] = (NOTHING, NOTHING)
            else:
                self._pairs[key] = _joined(one, other, first == second)
        return self._pairs[key]

    def _with_mates(self, unit: str, fits: Callable[[str], bool]) -> Iterator[Steps]:
        """A figure stated near, as the source has it, with others of its row and column."""
        for weight, stated in self.near[:MOST_MATED]:
            keys = [size_key(r.unit, r.value) for r in stated.readings]
            for origin in [fact for key in keys for fact in self.source.by_size.get(key, ())][:MOST_MATED]:
                for own in origin.readings:
                    for steps in (s for s in STEPS.get(unit, ()) if s.first == s.second == own.unit != "date"):
                        mates = self.source.mates(origin, own.unit)
                        if mates is None or not len(mates.value):
                            continue
                        like = self.like[mates.fact]
                        chosen = np.flatnonzero((like >= MIN_MATE) & (mates.value != float(own.value)))
                        mates, like = mates.at(chosen), like[chosen]
                        one = np.full(len(chosen), float(own.value))
                        strength = weight * (0.3 + 0.6 * like / self.most)
                        for rule in filter(lambda rule: fits(rule.name), steps.rules):
                            tied = strength * RARE.get(rule.name, 1.0), mates.fact
                            yield Steps(rule.name, rule.is_rounded, rule.of(one, mates.value), _constant(*tied))

    def _sums(self, unit: str) -> Iterator[Steps]:
        """Sums and means of neighbouring figures of a row or a column that has a related figure."""
        sums, lines = self.source.sums(unit)
        if len(sums.value):

            def tied(factor: float) -> tuple[Array, Numbers]:
                score = RELATED / self.most * np.array([self.like[line].max() for line in lines])
                return score[sums.line] * np.where(sums.is_whole, 1.0, NEARBY) * factor, sums.fact

            yield Steps("sum", False, sums.value, lambda: tied(1.0))
            yield Steps("mean", True, sums.value / sums.terms, lambda: tied(0.5))

    def _three(self, unit: str) -> Iterator[Steps]:
        """Three amounts added or taken away, of which two are stated near."""
        stated, group = self.stated.get(unit), self.group(unit)
        pairs = list(combinations(np.unique(stated.value), 2)) if stated is not None else []
        if pairs and group is not None:
            one, other = (np.array(each)[:, None] for each in zip(*pairs, strict=True))
            third = np.unique(group.value)
            third = np.where((third == one) | (third == other), np.nan, third)
            gap = np.abs(one - other)
            totals = (one + other + third, one + other - third, third - one - other, third + gap, third - gap)
            values = np.concatenate([total.ravel() for total in totals])
            values = np.unique(values[np.isfinite(values)])
            yield Steps(
                "sum and difference", False, values, _constant(np.full(len(values), 0.5), np.full(len(values), STATED))
            )


NOTHING = Operands(np.empty(0), np.empty(0), *(np.empty(0, dtype=np.intp) for _ in range(4)))


def _constant(strength: Array, fact: Numbers) -> Callable[[], tuple[Array, Numbers]]:
    return lambda: (strength, fact)


def _joined(one: Operands, other: Operands, is_same: bool) -> tuple[Operands, Operands]:
    if is_same:
        i, j = np.triu_indices(len(one.value), 1)
    else:
        i, j = (each.ravel() for each in np.indices((len(one.value), len(other.value))))
    apart = one.fact[i] != other.fact[j]
    if is_same:
        years, others = one.year[i], other.year[j]
        apart &= (one.value[i] != other.value[j]) & ((years == 0) & (others == 0) | (years != 0))
    i, j = i[apart], j[apart]
    return one.at(i), other.at(j)


def _tied(rule: str, one: Operands, other: Operands) -> Callable[[], tuple[Array, Numbers]]:
    def tied() -> tuple[Array, Numbers]:
        in_source = (one.fact >= 0) & (other.fact >= 0)
        apart = in_source & (one.row != other.row) & (one.column != other.column)
        strength = one.strength * other.strength * np.where(apart, APART, 1.0) * RARE.get(rule, 1.0)
        return strength, np.where(other.fact >= 0, other.fact, one.fact)

    return tied
