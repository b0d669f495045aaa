"""The answers of a variant as columns of numbers, a row an answer. Keeps no text; knows no metric.

Each column is read from where it lies whenever it is asked for, so that a run of any number of cases fits into memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.schema import Record
from harness.shelf import Column
from harness.stats.growing import ABSENT, Growing, GrowingCases, GrowingScores
from harness.stats.intervals import Codes
from harness.stats.names import Keys, Names

Small = NDArray[np.int32]


class Shown(NamedTuple):
    """The labels that answers show, one entry a label and answer."""

    names: list[str]
    """By code."""
    row: Codes
    """Answer."""
    code: Codes
    """Label."""
    outcome: Codes
    """Place in OUTCOMES."""


class Order(NamedTuple):
    """The answers of one variant, by the order of cases and of each one's repeats."""

    case: Small
    """Number of each answer's case."""
    came: Small
    """Which answer that came in stands at each place."""

    @property
    def places(self) -> Codes:
        """The place of each answer that came in."""
        found = np.empty(len(self.came), np.int64)
        found[self.came] = np.arange(len(self.came))
        return found


@dataclass(frozen=True)
class Said:
    """What one scorer said of every answer; read anew whenever it is asked for."""

    _scores: GrowingScores
    _order: Order

    @property
    def failed(self) -> NDArray[np.bool_]:
        """It raised."""
        return self._placed(self._scores.failed, False, np.bool_)

    @property
    def values(self) -> NDArray[np.float64]:
        """NaN where it gave none."""
        return self._placed(self._scores.values, np.nan, np.float64)

    @property
    def counted(self) -> list[str]:
        """Names of all counts that it made."""
        return list(self._scores.counts)

    def count(self, name: str) -> Small:
        """One count of every answer; ABSENT where it did not count."""
        column = self._scores.counts.get(name)
        if column is None:
            return np.full(len(self._order.case), ABSENT, np.int32)
        return self._placed(column, ABSENT, np.int32)

    @property
    def shown(self) -> Shown:
        """Labels it found right, wrong or lacking."""
        row, label, outcome = (_numbers(column) for column in self._scores.shown)
        known = row < len(self._order.case)
        return Shown(list(self._scores.labels), self._order.places[row[known]], label[known], outcome[known])

    def _placed(self, column: Column, absent: float, kind: type[np.generic]) -> NDArray[Any]:
        """The column with each answer's value at its place, and `absent` for those the scorer did not see."""
        row, values = _numbers(self._scores.row), _numbers(column)
        known = min(int(np.searchsorted(row, len(self._order.case))), len(values))
        came = np.full(len(self._order.case), absent, kind)
        came[row[:known]] = values[:known]
        return came[self._order.came]


@dataclass(frozen=True)
class Columns:
    """The answers of one variant; its columns are read anew whenever they are asked for."""

    cases: CaseColumns
    """The cases of the suite."""
    _order: Order
    _growing: Growing

    @property
    def case(self) -> Small:
        """Number of each answer's case among the keys."""
        return self._order.case

    @property
    def tags(self) -> list[str]:
        """Slice tags of any case."""
        return list(self._growing.tags)

    def tag(self, tag: str) -> tuple[list[str], Small]:
        """Values of a slice tag, and each answer's place among them; -1 where the case has no such tag."""
        came = np.full(len(self.case), -1, np.int32)
        if tag not in self._growing.tags:
            return [], came
        names, rows, codes = self._growing.tags[tag]
        row = _numbers(rows)
        known = int(np.searchsorted(row, len(came)))
        came[row[:known]] = _numbers(codes)[:known]
        return list(names), came[self._order.came]

    @property
    def errors(self) -> NDArray[np.bool_]:
        """The engine gave no answer."""
        return self._placed(self._growing.errors).astype(np.bool_)

    @property
    def expected(self) -> Small:
        """How many labels each answer's case expects."""
        return self._placed(self._growing.expected)

    @property
    def wanted(self) -> dict[int, tuple[str, ...]]:
        """Labels expected of the answers that the engine or a scorer failed on, each once."""
        place = self._order.places
        return {int(place[row]): labels for row, labels in self._growing.wanted.items() if row < len(place)}

    def said(self, scorer: str) -> Said:
        """What a scorer said; nothing where there is none of this name."""
        return Said(self._growing.scores.get(scorer) or GrowingScores(self._growing.shelf), self._order)

    def _placed(self, column: Column) -> NDArray[Any]:
        return _numbers(column)[: len(self.case)][self._order.came]


class CaseColumns(NamedTuple):
    """The cases of a suite, in their order."""

    keys: Keys
    numbers: Codes
    """0..N-1; the tables of all metrics share them."""
    clusters: Codes
    """Of each case, 0..C-1."""
    cluster_names: Names
    """By code."""


class Incoming:
    """The records of one variant while they come in."""

    def __init__(self) -> None:
        self._cases = GrowingCases()
        self._growing = Growing(self._cases)

    def add(self, record: Record) -> None:
        """One record more."""
        self._growing.add(record)

    def columns(self) -> Columns:
        """Those that came so far; cases in the order in which they are first seen."""
        return _columns(self._growing, *_cases(self._cases, in_case_order=False))


def read(records: Iterable[Record]) -> Columns:
    """The records of one variant as columns; cases in the order in which they are first seen."""
    incoming = Incoming()
    for record in records:
        incoming.add(record)
    return incoming.columns()


def read_all(records: Iterable[tuple[str, Record]]) -> dict[str, dict[str, Columns]]:
    """Columns of suites and variants from the records of all of them; cases by their ids."""
    cases: dict[str, GrowingCases] = {}
    growing: dict[str, dict[str, Growing]] = {}
    for suite, record in records:
        if suite not in growing:
            cases[suite], growing[suite] = GrowingCases(), {}
        variants = growing[suite]
        if record.variant not in variants:
            variants[record.variant] = Growing(cases[suite])
        variants[record.variant].add(record)
    read: dict[str, dict[str, Columns]] = {}
    for suite, variants in growing.items():
        known = _cases(cases.pop(suite), in_case_order=True)
        read[suite] = {variant: _columns(found, *known) for variant, found in variants.items()}
    return read


def _cases(growing: GrowingCases, in_case_order: bool) -> tuple[CaseColumns, Small]:
    """The cases in the order in which they were first seen, or by id; and the number of each answer's case."""
    codes, first, inverse = np.unique(_numbers(growing.codes), return_index=True, return_inverse=True)
    order = Names(growing.ids, first).order(codes) if in_case_order else np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    rows = first[order]
    used, clusters = _renumbered(_numbers(growing.cluster_codes)[rows])
    cases = CaseColumns(
        keys=Keys(codes[order], Names(growing.ids, rows), Names(growing.inputs, rows)),
        numbers=np.arange(len(order)),
        clusters=clusters,
        cluster_names=Names(growing.clusters, rows[used]),
    )
    return cases, rank[inverse]


def _columns(growing: Growing, cases: CaseColumns, number: Small) -> Columns:
    """What was read, in the order of the cases and of each one's repeats; `number` is of each answer's case."""
    case = number[_numbers(growing.came)]
    came = np.lexsort((_numbers(growing.repeat), case)).astype(np.int32)
    return Columns(cases, Order(case[came], came), growing)


def _numbers(column: Column) -> NDArray[Any]:
    found = column.read()
    return np.frombuffer(found, dtype=found.typecode) if found else np.zeros(0, found.typecode)


def _renumbered(codes: Codes) -> tuple[Codes, Codes]:
    """Codes by order of first appearance: where each new one is first seen, and the new codes."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    return first[order], new[inverse]
