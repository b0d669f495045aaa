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
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from harness.scoring.grounding.contexts import Fact, Source, Text
from harness.scoring.grounding.cues import Cues
from harness.scoring.grounding.derivations import (
    CURRENCIES,
    DAY_OFF,
    FALL,
    FULL_DATE,
    MOST_TERMS,
    PAIRS,
    POINTS,
    RISE,
    Step,
    alone,
    combined,
)
from harness.scoring.text.quantities import Figure, size_key

NEAR = 400
"""Characters around a figure in which its operands are looked for."""
MOST_NEAR, MOST_LIKE, MOST_MATED = 12, 16, 2
"""Operands of one figure: stated near it; of the source, for each unit; stated ones whose row and column are used."""
SAME_SENTENCE, NEARBY, ASKED, RELATED, APART = 1.0, 0.8, 0.7, 0.9, 0.4
"""Strength of an operand: in the sentence, near it, in the question, in the most alike context; of two far apart."""
FARTHER = 0.03
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
    "rest of a period",
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
ODD = 3
"""Digits before the zeros of an amount that nobody sets as a term."""
MIN_ROUNDED = 100
"""A figure with fewer steps of its last digit needs a word such as "about" to be read as rounded."""
DAYS_IN_YEAR = 365
TINY = 1e-6
POINT = re.compile(r"points?|pts|pp|bps?|basis|minus|less|gap|lead|difference", re.I)
MEAN = re.compile(r"\b(?:average|averages|averaged|mean)\b", re.I)
UNIT_AHEAD = 22
"""Characters after a figure in which the unit of its list stands."""
EXAMPLE_KINDS = ("percent", "money", "duration")
EXAMPLE_RULES = ("share of an amount", "amount after a rise", "number of times an amount", "date and period")
Operand = tuple[float, Figure, Fact | None]
"""The strength of a figure's tie to another one, the figure, and its place in the source."""
Weighed = tuple[float, Step, Figure | None]
"""The strength of the operands, what they yield, and one of them in the source."""


STRENGTH, START = operator.itemgetter(0), operator.attrgetter("figure.start")


class Evidence:
    """What the figures of an answer may be worked out from."""

    def __init__(self, answer: Text, source: Source, asked: Sequence[Figure]) -> None:
        self.answer, self.source, self.asked = answer, source, asked

    def follows(self, fact: Fact, known: Sequence[Fact], said: Cues, about: bool) -> tuple[str, Figure | None] | None:
        """Return the rule that yields a figure, and an operand in the source; None if none does.

        `known` are the figures of the answer that are grounded; `about`: a word says that the figure is rounded.
        """
        near = self._near_known(fact, known)
        like = self.source.likeness(fact.terms)
        for reading in fact.readings:
            tried: set[float | str] = set()
            places = _places(reading)
            for _, step, origin in sorted(self._steps(reading, near, like), key=STRENGTH, reverse=True):
                if self._fits(fact, step, said, about):
                    place = _place(reading, step, about)
                    tried |= set() if place is None else {place}
                    if equals(reading, step, about) and len(tried) <= _limit(reading, step, said, places):
                        return step.rule, origin
        return None

    def is_assumed(self, fact: Fact, others: Sequence[Fact], known: Sequence[Fact]) -> bool:
        """Whether a figure is one of an example: one of `others` follows from it and from what is known."""
        given = [r for _, f in self._near_known(fact, known) for r in f.readings]
        like = self.source.likeness(fact.terms)
        given += [r for _, f in self._related(like) for r in f.readings if r.kind in EXAMPLE_KINDS]
        return any(
            step.rule in EXAMPLE_RULES and equals(reading, step, False)
            for other in others
            if other is not fact and abs(other.figure.start - fact.figure.start) <= NEAR
            for one in given
            for reading in other.readings
            if (fact.figure.unit, one.unit) in PAIRS.get(reading.unit, ())
            for step in combined(fact.figure, one, reading.unit)
        )

    def _fits(self, fact: Fact, step: Step, said: Cues, about: bool) -> bool:
        """Whether the words around a figure allow a step: a fall is no rise, and points are said to be points."""
        text, figure = self.answer.text, fact.figure
        if step.rule in (RISE, FALL):
            return said.direction in (0, 1 if step.rule == RISE else -1) and "change" in said.families
        if step.rule == POINTS:
            is_said = bool(POINT.search(text, figure.start, figure.end + UNIT_AHEAD))
            return is_said or any(map(POINT.search, self.answer.labels(figure)))
        if step.rule == "rounding":
            is_exact = not isinstance(figure.value, str) and figure.value >= figure.step * MIN_ROUNDED > 0
            return about or is_exact
        return step.rule != "mean" or bool(MEAN.search(text))

    def _steps(self, reading: Figure, near: Sequence[tuple[float, Fact]], like: dict[int, float]) -> Iterator[Weighed]:
        """Yield the steps that may lead to a figure, with the strength of their operands' tie to it."""
        most = max(like.values(), default=1.0)
        stated: list[Operand] = [(weight, r, None) for weight, f in near for r in f.readings]
        stated += [(ASKED, r, None) for r in self.asked[:MOST_NEAR]]
        related: list[Operand] = [(RELATED * s / most, r, f) for s, f in self._related(like) for r in f.readings]
        unit = reading.unit
        groups: dict[str, list[Operand]] = {}
        for operand in (*stated, *related):
            groups.setdefault(operand[1].unit, []).append(operand)
        for weight, one, place in related:
            if one.unit == unit:
                value = one.value if isinstance(one.value, str) else float(one.value)
                yield weight, Step(unit, value, "rounding", True), place.figure if place else None
        for weight, one, place in (*stated, *related):
            for step in alone(one):
                if step.unit == unit and (place is None or step.rule in OF_A_SOURCE_ALONE):
                    yield weight * NEARBY, step, place.figure if place else None
        for first, second in PAIRS.get(unit, ()):
            others = groups.get(second, [])
            for number, (weight, one, place) in enumerate(groups.get(first, ())):
                yield from _paired(weight, one, place, others[number + 1 :] if first == second else others, unit)
        yield from self._with_mates(near, like, most, unit)
        yield from self._sums(like, most, unit)
        if unit in CURRENCIES:
            yield from ((0.5, step, None) for step in _three(stated, related, unit))

    def _near_known(self, fact: Fact, known: Sequence[Fact]) -> list[tuple[float, Fact]]:
        """Known figures near another one, the nearest first, with weights."""
        at = fact.figure.start
        first = bisect_left(known, at - NEAR, key=START)
        window = known[first : first + MOST_NEAR * 8]
        near = [f for f in window if f is not fact and (abs(f.figure.start - at) <= NEAR or f.row == fact.row)]
        near.sort(key=lambda other: (other.row != fact.row, abs(other.figure.start - at)))
        return [
            ((SAME_SENTENCE if f.row == fact.row else NEARBY) - FARTHER * rank, f)
            for rank, f in enumerate(near[:MOST_NEAR])
        ]

    def _related(self, like: dict[int, float]) -> Iterator[tuple[float, Fact]]:
        """Yield the figures of the source with the most alike contexts, of each unit the first few."""
        taken: Counter[str] = Counter()
        for number in sorted(range(len(self.source.facts)), key=lambda n: -like.get(n, 0.0)):
            fact = self.source.facts[number]
            units = {reading.unit for reading in fact.readings}
            if any(taken[unit] < MOST_LIKE for unit in units):
                taken.update(units)
                yield max(like.get(number, 0.0), UNLIKE), fact

    def _with_mates(
        self, near: Sequence[tuple[float, Fact]], like: dict[int, float], most: float, unit: str
    ) -> Iterator[Weighed]:
        """A figure stated near, as the source has it, with others of its row and column."""
        for weight, stated in near[:MOST_MATED]:
            keys = [size_key(r.unit, r.value) for r in stated.readings]
            for origin in [fact for key in keys for fact in self.source.by_size.get(key, ())][:MOST_MATED]:
                for number, mate in enumerate(self.source.facts):
                    same_line = mate.row == origin.row or mate.column == origin.column
                    if mate is not origin and same_line and like.get(number, 0.0) >= MIN_MATE:
                        score = weight * (0.3 + 0.6 * like[number] / most)
                        for one in origin.readings:
                            if (one.unit, one.unit) in PAIRS.get(unit, ()):
                                mates = [(score, other, mate) for other in mate.readings if other.unit == one.unit]
                                yield from _paired(1.0, one, None, mates, unit)

    def _sums(self, like: dict[int, float], most: float, unit: str) -> Iterator[Weighed]:
        """Sums and means of neighbouring figures of a row or a column that has a related figure."""
        for line in self.source.lines:
            score = RELATED * max(like.get(number, 0.0) for number, _ in line) / most
            for first in range(len(line)) if score else ():
                for at, start in enumerate(line[first][1].readings):
                    if start.unit != unit:
                        continue
                    total = 0.0
                    for n, (_, fact) in enumerate(line[first : first + MOST_TERMS]):
                        reading = fact.readings[at] if at < len(fact.readings) else None
                        if reading is None or reading.unit != start.unit or isinstance(reading.value, str):
                            break
                        total += fact.sign * float(reading.value)
                        if n:
                            whole = first == 0 and n == len(line) - 1
                            yield score * (1.0 if whole else NEARBY), Step(start.unit, abs(total), "sum"), fact.figure
                            yield score * 0.5, Step(start.unit, abs(total) / (n + 1), "mean", True), fact.figure


def _paired(weight: float, one: Figure, place: Fact | None, others: Sequence[Operand], unit: str) -> Iterator[Weighed]:
    for other_weight, other, at in others:
        if (one.unit, one.value) == (other.unit, other.value) or (place is not None and place is at):
            continue
        apart = place is not None and at is not None and place.row != at.row and place.column != at.column
        strength = (APART if apart else 1.0) * weight * other_weight
        origin = at or place
        for step in combined(one, other, unit):
            yield strength * RARE.get(step.rule, 1.0), step, origin.figure if origin else None


def _three(stated: Sequence[Operand], related: Sequence[Operand], unit: str) -> Iterator[Step]:
    """Yield three amounts added or taken away, of which two are stated near."""
    amounts, others = (
        list(dict.fromkeys(float(r.value) for _, r, _ in each if r.kind == "money" and r.unit == unit))
        for each in (stated, related)
    )
    for one, other in combinations(amounts, 2):
        for third in dict.fromkeys([*amounts, *others]):
            if third not in (one, other):
                gap = abs(one - other)
                for total in (one + other + third, one + other - third, third - one - other, third + gap, third - gap):
                    yield Step(unit, total, "sum and difference")


def _limit(reading: Figure, step: Step, said: Cues, places: float) -> float:
    """How many values may be tried up to the one that is right."""
    if said.allow(step.rule) or step.rule in PLAIN:
        return max(FIRST_SAID, LUCK_SAID * places)
    needs_no_word = reading.kind in ("money", "count", "date") and step.rule not in COMMON
    first = FIRST if needs_no_word or step.rule == "time between dates" else 0
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
        return len(figure.value) == FULL_DATE
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


def _size(reading: Figure) -> float:
    return float(reading.step) or float(reading.value) / 100 or 1.0


def _place(reading: Figure, step: Step, about: bool) -> float | str | None:
    """Which of these figures a step yields, or None."""
    if isinstance(step.value, str) or isinstance(reading.value, str):
        same_form = isinstance(step.value, str) and len(step.value) == len(str(reading.value))
        return step.value if same_form else None
    value, size = float(reading.value), _size(reading)
    number = round(step.value / size)
    if not value / 2 <= step.value <= value * 2:
        return None
    return number if step.is_rounded or about or abs(step.value - number * size) <= TINY else None


def equals(reading: Figure, step: Step, about: bool) -> bool:
    """Whether a step yields a figure; one that people round, or with a word such as "about", at its last digit."""
    if step.unit != reading.unit or isinstance(step.value, str) or isinstance(reading.value, str):
        return step.unit == reading.unit and step.value == reading.value
    off = float(reading.step) / 2 + TINY if step.is_rounded or about else TINY
    return abs(step.value - float(reading.value)) <= off
