"""Decide whether a figure of an answer follows in one step from what is stated near it and from its source.

Two figures yield many others, and a source has many pairs, so a match alone proves little. The steps are therefore
tried in the order of how closely their operands belong to the figure: those stated in its sentence, then those of the
source whose context is most like its own. A step is accepted by how many other values were tried before it, against how
many values a figure of that size and precision can have; words that say that the figure is worked out allow more.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache, cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from harness.scoring.grounding.contexts import Fact, Text
from harness.scoring.grounding.cues import Cues
from harness.scoring.grounding.derivations import (
    CURRENCIES,
    DAY_AND_MONTH,
    DAY_OFF,
    FALL,
    FULL_DATE,
    POINTS,
    RISE,
    STEPS,
    Array,
    alone,
    code,
    codes,
)
from harness.scoring.grounding.operands import Numbers, Operands, SourceOperands, operands, years_of
from harness.scoring.text.quantities import Figure, size_key

NEAR = 400
"""Characters around a figure in which its operands are looked for."""
MOST_NEAR, MOST_LIKE, MOST_MATED = 12, 32, 2
"""Operands of one figure: stated near it; of the source, for each unit; stated ones whose row and column are used."""
SAME_SENTENCE, NEARBY, ASKED, RELATED, APART = 1.0, 0.8, 0.7, 0.9, 0.4
"""Strength of an operand: in the sentence, near it, in the question, in the most alike context; of two far apart."""
FARTHER = 0.03
IN_SENTENCE = 0.7
"""Least strength of two operands that are both stated in the sentence."""
"""By how much each nearer figure weakens the next one."""
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
PLAIN = (
    *("unit change", "time between hours", "amount of another period", "rounding", "periods counted"),
    *("rest of a period", "rest of a whole"),
)
"""Steps that need no word that says so."""
COMMON = (
    *("part of an amount", "number of times an amount", "amount after a rise", "amount after a fall"),
    "part of a period",
)
"""Steps that yield so many values that they do."""
FIRST, FIRST_SAID = 2, 6
"""Values that may be tried before the right one, without and with words that say so, whatever the precision."""
LUCK, LUCK_SAID = 0.03, 0.5
"""The same, as a share of the values that a figure of this precision can have."""
PARALLEL = 0.1
"""The same, for values along the lines of the source that another figure belongs to."""
ODD = 3
"""Digits before the zeros of an amount that nobody sets as a term."""
MIN_ROUNDED = 100
"""A figure with fewer steps of its last digit needs a word such as "about" to be read as rounded."""
DAYS_IN_YEAR = 365
TINY = 1e-6
POINT = re.compile(r"points?|pts|pp|bps?|basis|minus|less|gap|lead|difference", re.I)
POINTS_ONLY = re.compile(r"(?<!basis\s)point|pts|pp\b", re.I)
"""A difference of percentages by its unit; basis points may also be a rate."""
MEAN = re.compile(r"\b(?:average|averages|averaged|mean)\b", re.I)
UNIT_AHEAD = 22
"""Characters after a figure in which the unit of its list stands."""
EXAMPLE_KINDS = ("percent", "money", "duration")
EXAMPLE_RULES = ("share of an amount", "amount after a rise", "number of times an amount", "date and period")
EXAMPLE_SUMS = ("sum", "difference")
"""Rules of what follows from an assumed figure, and from another that is stated near."""
STATED, ASKED_AT = -1, -1000
"""Numbers of operands that are not in the source: those of the answer, and of the question, count down from here."""
START = operator.attrgetter("figure.start")


class Steps(NamedTuple):
    """What one rule yields, with the strength of the operands and one of them; the latter two only when asked."""

    rule: str
    is_rounded: bool
    values: Array
    tied: Callable[[], tuple[Array, Numbers]]


class Evidence:
    """What the figures of an answer may be worked out from."""

    def __init__(self, answer: Text, source: SourceOperands, asked: Sequence[Figure]) -> None:
        self.answer, self.source, self.asked = answer, source, asked[:MOST_NEAR]
        stated = [fact.figure for fact in answer.facts]
        self.years = sorted({*source.years, *years_of((*stated, *asked))})

    @np.errstate(divide="ignore", invalid="ignore")
    def follows(self, fact: Fact, known: Sequence[Fact], said: Cues, about: bool) -> tuple[str, Figure | None] | None:
        """Return the rule that yields a figure, and an operand in the source; None if none does.

        `known` are the figures of the answer that are grounded; `about`: a word says that the figure is rounded.
        """
        ties = _Ties(self, fact, self._near_known(fact, known))
        fits = cache(lambda rule: self._fits(fact, rule, said, about))
        for reading in fact.readings:
            steps = [step for step in ties.steps(reading.unit, fits) if fits(step.rule)]
            found = self._first(reading, steps, said, about)
            if found:
                rule, number = found
                return rule, self.source.facts[number].figure if number >= 0 else None
        return None

    def parallel(
        self, fact: Fact, mates: Sequence[Fact], said: Callable[[Fact], Cues]
    ) -> tuple[str, Figure | None] | None:
        """Return the rule that yields a figure and another one of its sentence or row along one line of the source."""
        for reading in (each for each in fact.readings if not isinstance(each.value, str)):
            series = self.source.parallels(reading.unit)
            hits = series.hits(reading)
            for mate in mates if len(hits) else ():
                alike = [r for r in mate.readings if r.unit == reading.unit and r.value != reading.value]
                for others in filter(len, map(series.hits, alike)):
                    along = series.along(others)
                    found = np.intersect1d(hits, along)
                    if len(found):
                        cue = next((c for c in map(said, (fact, mate)) if "change" in c.families), said(fact))
                        found = found[[self._fits(fact, series.rules[line], cue, True) for line in series.line[found]]]
                    if len(found):
                        like = self.source.likeness(fact.terms)
                        strength = like[series.one] * like[series.other]
                        best = found[np.argmax(strength[found])]
                        tried = _numbers(reading, series.values[along[strength[along] >= strength[best]]])
                        if tried <= max(FIRST, PARALLEL * _places(reading)):
                            return series.rules[series.line[best]], self.source.facts[series.one[best]].figure
        return None

    def _first(self, reading: Figure, steps: Sequence[Steps], said: Cues, about: bool) -> tuple[str, int] | None:
        """The strongest step that yields a figure, if few other values are yielded by stronger ones."""
        if not steps:
            return None
        values = np.concatenate([step.values for step in steps])
        rounded = np.repeat([step.is_rounded or about for step in steps], [len(step.values) for step in steps])
        if isinstance(reading.value, str):
            values, target = codes(values, reading.value), code(reading.value)
            numbers, is_tried = values, np.isfinite(values)
            hits = np.flatnonzero(values == target)
        else:
            target = float(reading.value)
            off = np.abs(values - target)
            hits = np.flatnonzero(off <= np.where(rounded, float(reading.step) / 2 + TINY, TINY))
            size = _size(reading)
            numbers = np.rint(values / size)
            is_tried = (values >= target / 2) & (values <= target * 2)
            is_tried &= rounded | (np.abs(values - numbers * size) <= TINY)
        if not len(hits):
            return None
        tied = [step.tied() for step in steps]
        strength, origin = (np.concatenate([each[way] for each in tied]) for way in (0, 1))
        ends = np.cumsum([len(step.values) for step in steps])
        places = _places(reading)
        is_points = bool(POINTS_ONLY.search(self.answer.text, reading.start, reading.end))
        for hit in hits[np.argsort(-strength[hits], kind="stable")]:
            step = steps[int(np.searchsorted(ends, hit, side="right"))]
            tried = numbers[is_tried & (strength > strength[hit])]
            is_plain = step.rule == POINTS and (is_points or strength[hit] >= IN_SENTENCE)
            if len({*tried.tolist(), float(numbers[hit])}) <= _limit(reading, step.rule, said, places, is_plain):
                return step.rule, int(origin[hit])
        return None

    @np.errstate(divide="ignore", invalid="ignore")
    def is_assumed(self, fact: Fact, others: Sequence[Fact], known: Sequence[Fact]) -> bool:
        """Whether a figure is one of an example: one of `others` follows from it and from what is known."""
        ties = _Ties(self, fact, self._near_known(fact, known))
        near = [f for f in others if f.figure is not fact.figure and abs(f.figure.start - fact.figure.start) <= NEAR]
        one = operands([(1.0, fact.figure, STATED, STATED, STATED)], self.years).get(fact.figure.unit)
        if one is None:
            return False
        for reading in (reading for other in near for reading in other.readings):
            for steps in (each for each in STEPS.get(reading.unit, ()) if each.first == fact.figure.unit):
                is_same = steps.first == steps.second
                names = EXAMPLE_SUMS if is_same and reading.unit != "bp" else () if is_same else EXAMPLE_RULES
                rules = [rule for rule in steps.rules if rule.name in names]
                group = (ties.stated.get(steps.second) if is_same else ties.group(steps.second)) if rules else None
                if group is not None and any(_has(reading, rule.of(one.value[:, None], group.value)) for rule in rules):
                    return True
        return False

    def _fits(self, fact: Fact, rule: str, said: Cues, about: bool) -> bool:
        """Whether the words around a figure allow a step: a fall is no rise, and points are said to be points."""
        text, figure = self.answer.text, fact.figure
        if rule in (RISE, FALL):
            return said.direction in (0, 1 if rule == RISE else -1) and "change" in said.families
        if rule == POINTS:
            ends = (
                self.answer.sentence(figure.start)
                if figure.kind == "count"
                else (figure.start, figure.end + UNIT_AHEAD)
            )
            is_said = bool(POINT.search(text, *ends))
            return is_said or any(map(POINT.search, self.answer.labels(figure)))
        if rule == "rounding":
            is_exact = not isinstance(figure.value, str) and figure.value >= figure.step * MIN_ROUNDED > 0
            return about or is_exact
        return rule != "mean" or bool(MEAN.search(text))

    def _near_known(self, fact: Fact, known: Sequence[Fact]) -> list[tuple[float, Fact]]:
        """Known figures near another one, the nearest first, with weights."""
        at = fact.figure.start
        first = bisect_left(known, at - NEAR, key=START)
        window = known[first : first + MOST_NEAR * 8]
        near = [
            f for f in window if f.figure is not fact.figure and (abs(f.figure.start - at) <= NEAR or f.row == fact.row)
        ]
        near.sort(key=lambda other: (other.row != fact.row, abs(other.figure.start - at)))
        return [
            ((SAME_SENTENCE if f.row == fact.row else NEARBY) - FARTHER * rank, f)
            for rank, f in enumerate(near[:MOST_NEAR])
        ]


class _Ties:
    """What one figure of an answer may follow from, by unit."""

    def __init__(self, evidence: Evidence, fact: Fact, near: Sequence[tuple[float, Fact]]) -> None:
        self.source, self.near = evidence.source, near
        self.like = self.source.likeness(fact.terms)
        self.most = float(self.like.max(initial=0.0)) or 1.0
        stated = [(weight, r, STATED - at) for at, (weight, f) in enumerate(near) for r in f.readings]
        stated += [(ASKED, r, ASKED_AT - at) for at, r in enumerate(evidence.asked)]
        self.figures = [(weight, figure) for weight, figure, _ in stated]
        self.stated = operands(((w, r, at, STATED, STATED) for w, r, at in stated), evidence.years)
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


def _limit(reading: Figure, rule: str, said: Cues, places: float, is_plain: bool) -> float:
    """How many values may be tried up to the one that is right."""
    if is_plain or said.allow(rule) or rule in PLAIN:
        return max(FIRST_SAID, LUCK_SAID * places)
    needs_no_word = reading.kind in ("money", "count", "date") and rule not in COMMON
    first = FIRST if needs_no_word or rule == "time between dates" else 0
    return max(first, LUCK * places if _is_odd(reading) else 0)


def _is_odd(figure: Figure) -> bool:
    """Whether nobody sets a figure as a term: a date, or an amount of three digits before the zeros or more."""
    if isinstance(figure.value, str):
        return True
    number = figure.value / 100 if figure.kind == "money" else figure.value
    return figure.kind in ("money", "count") and (digits(figure) >= ODD or number.denominator > 1)


def is_round(figure: Figure) -> bool:
    """Whether a figure may be assumed for an example: a date, or a number of one or two digits before the zeros."""
    if isinstance(figure.value, str):
        return len(figure.value) in (FULL_DATE, DAY_AND_MONTH)
    return figure.kind in ("money", "count", "percent") and digits(figure) < ODD


def digits(figure: Figure) -> int:
    """Return how many digits a number has without the zeros at its ends."""
    number = Fraction(figure.value) / (100 if figure.kind in ("money", "percent") else 1)
    return len(str(number.numerator).strip("0"))


def _places(reading: Figure) -> float:
    """How many figures of this precision are as large, from a half to twice."""
    if isinstance(reading.value, str):
        return DAYS_IN_YEAR
    return max(1.0, 1.5 * float(reading.value) / _size(reading))


def _numbers(reading: Figure, values: Array) -> int:
    """How many figures of its precision some values are, from half of a figure to twice."""
    target = float(reading.value)
    return len(np.unique(np.rint(values[(values >= target / 2) & (values <= target * 2)] / _size(reading))))


def _size(reading: Figure) -> float:
    return float(reading.step) or float(reading.value) / 100 or 1.0


def _has(reading: Figure, values: Array) -> bool:
    """Whether a figure is among values, exactly."""
    if isinstance(reading.value, str):
        return bool((codes(values, reading.value) == code(reading.value)).any())
    return bool((np.abs(values - float(reading.value)) <= TINY).any())
