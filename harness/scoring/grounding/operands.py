"""The figures of a source as arrays of operands, with how much of a context each of them shares.

The likeness of two contexts is the share of the weight of one's terms, the rare ones counting more, that the other has.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.scoring.base import DocumentCache
from harness.scoring.grounding.contexts import Fact, source_of
from harness.scoring.grounding.derivations import COUNTED, DAY_AND_MONTH, FULL_DATE, alone, counted, day_number
from harness.scoring.grounding.parallels import Parallels
from harness.scoring.grounding.steps import Array
from harness.scoring.text.quantities import Figure

Numbers = npt.NDArray[np.intp]
MOST_TERMS = 12
"""Terms of a sum over a row or a column."""
ANY_YEAR = 2001
"""Year of a day and month in a text without a full date."""


class Operands(NamedTuple):
    """Figures of one unit: their values, how strongly each is tied to a figure of the answer, and their places."""

    value: Array
    strength: Array
    fact: Numbers
    """Number of the fact in the source; negative for others."""
    row: Numbers
    column: Numbers
    year: Numbers
    """The year that was given to a day and month without one; 0 for others."""

    def at(self, which: Numbers) -> Operands:
        """Return some of them, in this order."""
        return Operands(
            self.value[which],
            self.strength[which],
            self.fact[which],
            self.row[which],
            self.column[which],
            self.year[which],
        )


class Sums(NamedTuple):
    """Sums and means of neighbouring figures of a row, a column or a sentence, in one unit."""

    value: Array
    line: Numbers
    fact: Numbers
    """Number of the last figure that is added."""
    is_whole: npt.NDArray[np.bool_]
    terms: Array


def operands(rows: Iterable[tuple[float, Figure, int, int, int]], years: Sequence[int]) -> dict[str, Operands]:
    """Return figures by unit, each given with its strength, fact, row and column; counted numbers are a unit, too."""
    columns: dict[str, list[tuple[float, float, int, int, int, int]]] = defaultdict(list)
    for strength, figure, fact, row, column in rows:
        if isinstance(figure.value, str):
            given = years if len(figure.value) == DAY_AND_MONTH else (0,)
            for year in given:
                day = day_number(f"{year}{figure.value[1:]}" if year else figure.value)
                if day is not None:
                    columns["date"].append((day, strength, fact, row, column, year))
            continue
        columns[figure.unit].append((float(figure.value), strength, fact, row, column, 0))
        for number in counted(figure):
            columns[COUNTED].append((number, strength, fact, row, column, 0))
    return {unit: _arrays(listed) for unit, listed in columns.items()}


def _arrays(listed: Sequence[tuple[float, float, int, int, int, int]]) -> Operands:
    table = np.array(listed, dtype=np.float64).reshape(-1, 6)
    places = table[:, 2:].astype(np.intp)
    return Operands(table[:, 0], table[:, 1], places[:, 0], places[:, 1], places[:, 2], places[:, 3])


def years_of(figures: Iterable[Figure]) -> set[int]:
    """Return the years of the full dates among figures."""
    return {int(str(f.value)[:4]) for f in figures if f.unit == "date" and len(str(f.value)) == FULL_DATE}


class SourceOperands:
    """The figures of a source as operands."""

    def __init__(self, document: str) -> None:
        source = source_of(document)
        self.facts, self.by_size = source.facts, source.by_size
        self.number = {id(fact): number for number, fact in enumerate(self.facts)}
        rows, columns = (_numbered(getattr(f, name) for f in self.facts) for name in ("row", "column"))
        self.row, self.column = np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)
        self.years = sorted(years_of(f.figure for f in self.facts)) or [ANY_YEAR]
        places = zip(self.facts, range(len(self.facts)), rows, columns, strict=True)
        self.units = operands(
            ((0.0, reading, number, row, column) for f, number, row, column in places for reading in f.readings),
            self.years,
        )
        self._index_terms()
        self.sums = cache(self._sums)
        self.alone = cache(self._alone)
        self.parallels = cache(lambda unit: Parallels(self.facts, unit))

    def _index_terms(self) -> None:
        in_rows: dict[tuple[int, int], set[str]] = defaultdict(set)
        for fact in self.facts:
            in_rows[fact.row] |= fact.terms.keys()
        counts = Counter(chain.from_iterable(in_rows.values()))
        self._rarity = {term: math.log((len(in_rows) + 1) / (count + 0.5)) for term, count in counts.items()}
        listed: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, fact in enumerate(self.facts):
            for term, weight in fact.terms.items():
                listed[term].append((number, weight))
        self._numbers = {term: np.array([n for n, _ in each], dtype=np.intp) for term, each in listed.items()}
        self._weights = {term: np.array([w for _, w in each]) for term, each in listed.items()}

    def likeness(self, terms: Mapping[str, float]) -> Array:
        """Return how much of a context each figure of the source shares: 0 to 1."""
        rare = [(term, weight, self._rarity.get(term, 0.0)) for term, weight in terms.items()]
        rare = [each for each in rare if each[2] > 0]
        if not rare:
            return np.zeros(len(self.facts))
        shared = [np.minimum(self._weights[term], weight) * rarity for term, weight, rarity in rare]
        numbers = np.concatenate([self._numbers[term] for term, _, _ in rare])
        total = sum(weight * rarity for _, weight, rarity in rare)
        return np.bincount(numbers, np.concatenate(shared), minlength=len(self.facts)) / total

    def most_alike(self, unit: str, like: Array, most: int) -> Operands | None:
        """Return the operands of a unit with the most alike contexts, their likeness as the strength."""
        every = self.units.get(unit)
        if every is None:
            return None
        strength = like[every.fact]
        if len(strength) > most:
            best = np.argsort(-strength, kind="stable")[:most]
            every, strength = every.at(best), strength[best]
        return every._replace(strength=strength)

    def mates(self, origin: Fact, unit: str) -> Operands | None:
        """Return the operands of a unit in the row or the column of a fact, without itself."""
        every, number = self.units.get(unit), self.number[id(origin)]
        if every is None:
            return None
        same = (every.row == self.row[number]) | (every.column == self.column[number])
        return every.at(np.flatnonzero(same & (every.fact != number)))

    def lines(self) -> Iterator[list[int]]:
        """Yield the facts of each row, of each column and of each sentence that has two or more."""
        groups: dict[tuple[str, tuple[int, int]], list[int]] = defaultdict(list)
        for number, fact in enumerate(self.facts):
            groups["row", fact.row].append(number)
            if fact.column != fact.row:
                groups["column", fact.column].append(number)
        yield from (group for group in groups.values() if len(group) > 1)

    def _sums(self, unit: str) -> tuple[Sums, list[list[int]]]:
        """Return the sums and means of a unit and the facts of the lines that they are of."""
        lines = list(self.lines())
        rows: list[tuple[float, int, int, bool, int]] = []
        for at, line in enumerate(lines):
            for first in range(len(line)):
                for way, start in enumerate(self.facts[line[first]].readings):
                    if start.unit == unit:
                        whole = len(line) if first == 0 else 0
                        rows += ((total, at, last, n == whole, n) for n, total, last in self._runs(line[first:], way))
        table = np.array(rows, dtype=np.float64).reshape(-1, 5)
        places = table[:, 1:3].astype(np.intp)
        return Sums(table[:, 0], places[:, 0], places[:, 1], table[:, 3] > 0, table[:, 4]), lines

    def _runs(self, line: Sequence[int], way: int) -> Iterator[tuple[int, float, int]]:
        """Yield how many figures from the first on are added, their total and the last."""
        total, unit = 0.0, self.facts[line[0]].readings[way].unit
        for count, number in enumerate(line[:MOST_TERMS], 1):
            fact = self.facts[number]
            reading = fact.readings[way] if way < len(fact.readings) else None
            if reading is None or reading.unit != unit or isinstance(reading.value, str):
                return
            total += fact.sign * float(reading.value)
            if count > 1:
                yield count, abs(total), number

    def _alone(self, unit: str) -> list[tuple[str, bool, Array, Numbers]]:
        """Return what single figures of the source yield in a unit, by rule: whether it is rounded, values, facts."""
        by_rule: dict[tuple[str, bool], list[tuple[float, int]]] = defaultdict(list)
        for number, fact in enumerate(self.facts):
            for step in chain.from_iterable(map(alone, fact.readings)):
                if step.unit == unit:
                    by_rule[step.rule, step.is_rounded].append((step.value, number))
        return [
            (rule, rounded, np.array([v for v, _ in each]), np.array([n for _, n in each], dtype=np.intp))
            for (rule, rounded), each in by_rule.items()
        ]


def _numbered(keys: Iterable[tuple[int, int]]) -> list[int]:
    numbers: dict[tuple[int, int], int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]


@DocumentCache
def operands_of(document: str) -> SourceOperands:
    """Read the figures of a source as operands."""
    return SourceOperands(document)
