"""Values that one rule yields along a row, a column or a sentence of a source: the margin of each year, halved limits.

Where a figure of an answer is one of them, another figure of its sentence or row that is also one of them is hardly
there by luck: "the margin edged up from 72.1% to 72.3%", "11.4% over both quarters, the index 9.3%".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from harness.scoring.grounding.contexts import Fact
from harness.scoring.grounding.derivations import CURRENCIES, FACTORS
from harness.scoring.grounding.steps import STEPS, Array
from harness.scoring.text.quantities import Figure

Numbers = npt.NDArray[np.intp]
MOST_LINES = 32
"""Rows or columns of a table that are paired."""
TINY = 1e-6
WHOLE = 10000
"""Basis points of a whole."""
MOST_TERMS = 12
"""Figures of a run."""
INVESTED = (1_000_000, 10_000_000)
"""Cents that an example invests."""
LINKED, GROWTH = "linked returns", "amount after linked returns"
ROUNDED, PART, TIMES = "rounding", "part of an amount", "number of times an amount"


class Parallels:
    """The values in one unit that rules yield along the lines of a source, ordered by size."""

    def __init__(self, facts: Sequence[Fact], unit: str) -> None:
        self.rules: list[str] = []
        """The rule of each line."""
        parts = [self._part(*each) for each in _series(facts, unit)]
        columns = [np.concatenate(each) for each in zip(*parts, strict=True)] if parts else [np.empty(0)] * 5
        order = np.argsort(columns[0], kind="stable")
        self.values = columns[0][order]
        self.is_rounded = columns[1][order] > 0
        self.line, self.one, self.other = (column[order].astype(np.intp) for column in columns[2:])

    def _part(self, rule: str, is_rounded: bool, values: Array, one: Numbers, other: Numbers) -> tuple[Any, ...]:
        """The finite values of a rule, given by line and place, with what belongs to each."""
        line, place = np.nonzero(np.isfinite(values))
        first = len(self.rules)
        self.rules += [rule] * len(values)
        rounded = np.full(len(line), float(is_rounded))
        return values[line, place], rounded, first + line, one[line, place], other[line, place]

    def hits(self, figure: Figure) -> Numbers:
        """Return the numbers of the values that a figure has."""
        value, half = float(figure.value), float(figure.step) / 2 + TINY
        low, high = np.searchsorted(self.values, (value - half, value + half))
        near = np.arange(low, high)
        return near[self.is_rounded[near] | (np.abs(self.values[near] - value) <= TINY)]

    def along(self, others: Numbers) -> Numbers:
        """Return the numbers of the values in the lines of some values, without these."""
        is_line = np.zeros(len(self.rules), dtype=bool)
        is_line[self.line[others]] = True
        chosen = is_line[self.line]
        chosen[others] = False
        return np.flatnonzero(chosen)


def _series(facts: Sequence[Fact], unit: str) -> Iterator[tuple[str, bool, Array, Numbers, Numbers]]:
    """What each rule yields, and whether people round it: values by line and place, and the facts that they are of."""
    with np.errstate(divide="ignore", invalid="ignore"):
        for grid, numbers in _grids(facts, unit):
            yield ROUNDED, True, grid, numbers, numbers
            for factor in FACTORS:
                yield TIMES, False, grid * factor, numbers, numbers
                yield PART, True, grid / factor, numbers, numbers
        yield from _runs(facts, unit)
        for steps in STEPS.get(unit, ()):
            if steps.first == steps.second != "date":
                for grid, numbers in _grids(facts, steps.first):
                    i, j = np.triu_indices(min(len(grid), MOST_LINES), 1)
                    for rule in steps.rules if len(i) else ():
                        yield rule.name, rule.is_rounded, rule.of(grid[i], grid[j]), numbers[i], numbers[j]


def _runs(facts: Sequence[Fact], unit: str) -> Iterator[tuple[str, bool, Array, Numbers, Numbers]]:
    """Sums of neighbouring figures of a row or column, and returns linked over them, by line and by first figure."""
    signs = np.array([fact.sign for fact in facts])
    for of in dict.fromkeys((unit, "bp")):
        for grid, numbers in _grids(facts, of):
            for length in range(2, min(grid.shape[1], MOST_TERMS) + 1 if len(grid) > 1 else 0):
                windows = sliding_window_view(grid * signs[numbers], length, axis=1)
                ends = numbers[:, : 1 - length], numbers[:, length - 1 :]
                growth = np.prod(1 + windows / WHOLE, axis=2)
                named = [("sum", np.abs(windows.sum(axis=2)))]
                if of == "bp":
                    named = [(LINKED, np.abs(growth - 1) * WHOLE)] if unit == "bp" else []
                for rule, values in named:
                    yield rule, True, values, *ends
                    yield rule, True, values.T, *(end.T for end in ends)
                for cents in INVESTED if of == "bp" and unit in CURRENCIES else ():
                    first = np.full((len(grid), 1), float(cents))
                    values = np.hstack((first, growth * cents))
                    one, other = (np.hstack((end[:, :1], end)) for end in ends)
                    yield GROWTH, True, values, one, other
                    yield GROWTH, True, values.T, one.T, other.T


def _grids(facts: Sequence[Fact], unit: str) -> Iterator[tuple[Array, Numbers]]:
    """The figures of a unit: each table by row and column and by column and row, each sentence as one line."""
    tables: dict[int, list[tuple[int, int, float, int]]] = defaultdict(list)
    for number, fact in enumerate(facts):
        if fact.figure.kind != "date" and (unit or all(r.unit not in ("USD", "bp") for r in fact.readings)):
            value = next((reading.value for reading in fact.readings if reading.unit == unit), None)
            if value is not None and not isinstance(value, str):
                table = fact.row[0] if fact.row[0] >= 0 else -1 - fact.row[1]
                tables[table].append((fact.row[1], number if table < 0 else fact.column[1], float(value), number))
    for table, cells in tables.items():
        if len(cells) > 1:
            (rows, row), (columns, column) = (np.unique([c[way] for c in cells], return_inverse=True) for way in (0, 1))
            values = np.full((len(rows), len(columns)), np.nan)
            numbers = np.zeros(values.shape, dtype=np.intp)
            values[row, column], numbers[row, column] = [c[2] for c in cells], [c[3] for c in cells]
            yield values, numbers
            if table >= 0:
                yield values.T, numbers.T
