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
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from harness.scoring.grounding.contexts import Fact, Text
from harness.scoring.grounding.cues import Cues
from harness.scoring.grounding.derivations import (
    FALL,
    POINTS,
    RISE,
    is_odd,
)
from harness.scoring.grounding.operands import SourceOperands, operands, years_of
from harness.scoring.grounding.steps import STEPS, Array, code, codes
from harness.scoring.grounding.ties import NEARBY, STATED, Steps, Ties
from harness.scoring.text.quantities import Figure

NEAR = 400
"""Characters around a figure in which its operands are looked for."""
MOST_NEAR = 12
"""Figures stated near one that may be its operands."""
SAME_SENTENCE = 1.0
"""Strength of an operand in the sentence of a figure."""
FARTHER = 0.03
"""By how much each nearer figure weakens the next one."""
IN_SENTENCE = 0.7
"""Least strength of two operands that are both stated in the sentence."""
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
IN_PLACE = 0.25
"""Least likeness of the contexts of a figure and of another one of its size that it may stand in place of."""
OTHER_SIZE = 0.25
"""How much more alike they are if one is more than twice the other."""
UNRELATED = 0.1
"""Contexts of less likeness have nothing in common."""
PARALLEL = 0.1
"""The same, for values along the lines of the source that another figure belongs to."""
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
START = operator.attrgetter("figure.start")


class Evidence:
    """What the figures of an answer may be worked out from."""

    def __init__(self, answer: Text, source: SourceOperands, asked: Sequence[Figure]) -> None:
        self.answer, self.source, self.asked = answer, source, asked[:MOST_NEAR]
        stated = [fact.figure for fact in answer.facts]
        self.years = sorted({*source.years, *years_of((*stated, *asked))})

    @np.errstate(divide="ignore", invalid="ignore")
    def follows(
        self, fact: Fact, known: Sequence[Fact], said: Cues, about: bool, by_chance: bool = False
    ) -> tuple[str, Figure | None] | None:
        """Return the rule that yields a figure, and an operand in the source; None if none does.

        `known` are the figures of the answer that are grounded; `about`: a word says that the figure is rounded;
        `by_chance`: the rule may be one of many that yield some figure.
        """
        ties = Ties(self.source, fact, self._near_known(fact, known), self.asked, self.years)
        fits = cache(lambda rule: self._fits(fact, rule, said, about))
        for reading in fact.readings:
            steps = [step for step in ties.steps(reading.unit, fits) if fits(step.rule)]
            found = self._first(reading, steps, None if by_chance else said, about)
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

    def is_misplaced(self, fact: Fact, known: Sequence[Fact]) -> bool:
        """Whether the source has another figure in a like context, which the answer leaves out, or no like context."""
        reading, alike = fact.readings[0], self.source.likeness(fact.terms)
        if alike.max(initial=0.0) < UNRELATED:
            return True
        there = self.source.units.get(reading.unit)
        if there is None:
            return False
        like = alike[there.fact]
        stated = operands(((1.0, r, STATED, STATED, STATED) for f in known for r in f.readings), self.years)
        if reading.unit in stated:
            like[np.isin(there.value, stated[reading.unit].value)] = 0
        if not isinstance(reading.value, str):
            target = float(reading.value)
            like[(there.value < target / 2) | (there.value > target * 2)] -= OTHER_SIZE
        return bool((like >= IN_PLACE).any())

    def _first(self, reading: Figure, steps: Sequence[Steps], said: Cues | None, about: bool) -> tuple[str, int] | None:
        """The strongest step that yields a figure, if few other values are yielded by stronger ones.

        Without cues, if fewer are than there are figures of that size.
        """
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
            limit = _limit(reading, step.rule, said, places, is_plain) if said else places
            if len({*tried.tolist(), float(numbers[hit])}) <= limit:
                return step.rule, int(origin[hit])
        return None

    @np.errstate(divide="ignore", invalid="ignore")
    def is_assumed(self, fact: Fact, others: Sequence[Fact], known: Sequence[Fact]) -> bool:
        """Whether a figure is one of an example: one of `others` follows from it and from what is known."""
        ties = Ties(self.source, fact, self._near_known(fact, known), self.asked, self.years)
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
        if rule == "mean":
            words = (text[slice(*self.answer.sentence(figure.start))], *self.answer.labels(figure))
            return any(map(MEAN.search, words))
        return True

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


def _limit(reading: Figure, rule: str, said: Cues, places: float, is_plain: bool) -> float:
    """How many values may be tried up to the one that is right."""
    if rule == "mean":  # a word says it; see `_fits`
        return max(FIRST_SAID, LUCK * places)
    if is_plain or said.allow(rule) or rule in PLAIN:
        return max(FIRST_SAID, LUCK_SAID * places)
    needs_no_word = reading.kind in ("money", "count", "date") and rule not in COMMON
    first = FIRST if needs_no_word or rule == "time between dates" else 0
    return max(first, LUCK * places if is_odd(reading) else 0)


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
