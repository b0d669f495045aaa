"""Turns records into columns of numbers, a row an answer, one record at a time. Keeps no text; knows no metric.

A record's prompt and answer are let go as soon as it is read, so that a run of any length fits into memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.schema import Record, Score
from harness.stats.intervals import Codes
from harness.stats.table import Keys, key_of

Small = NDArray[np.int32]
ABSENT = -1
"""Stands for a count that a scorer did not make; counts are never negative."""
OUTCOMES = ("found", "invented", "missing")
"""What a label may be in an answer: true positive, false positive, false negative."""


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


@dataclass(frozen=True)
class Said:
    """What one scorer said of every answer."""

    failed: NDArray[np.bool_]
    """It raised."""
    values: NDArray[np.float64]
    """NaN where it gave none."""
    counts: dict[str, Small]
    """By name; ABSENT where it did not count."""
    shown: Shown
    """Labels it found right, wrong or lacking."""


@dataclass(frozen=True)
class Columns:
    """The answers of one variant."""

    keys: Keys
    """Of the cases."""
    case: Codes
    """Number of each answer's case among the keys."""
    clusters: Codes
    """Of each case, 0..C-1."""
    cluster_names: NDArray[np.object_]
    """By code."""
    tags: dict[str, tuple[list[str], Small]]
    """By slice tag its values, and each answer's place among them; -1 where the case has no such tag."""
    errors: NDArray[np.bool_]
    """The engine gave no answer."""
    expected: Codes
    """How many labels each answer's case expects."""
    wanted: dict[int, tuple[str, ...]]
    """Labels expected of the answers that the engine or a scorer failed on, each once."""
    said: dict[str, Said]
    """By scorer."""
    nobody: Said
    """Stands for a scorer that said nothing."""

    @cached_property
    def numbers(self) -> Codes:
        """Of all cases; the tables of all metrics share them."""
        return np.arange(len(self.keys.names))


class _Cases(NamedTuple):
    """The cases of a suite, in their order."""

    keys: Keys
    number: Codes
    """Of each case in the order in which it was first seen."""
    clusters: Codes
    cluster_names: NDArray[np.object_]


class _GrowingCases:
    """Cases while records come in."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.cluster_codes: dict[str, int] = {}
        self.clusters = array("i")

    def add(self, record: Record) -> int:
        """The number of a record's case."""
        number = self.numbers.setdefault(key_of(record.case.id, record.input_hash), len(self.numbers))
        if number == len(self.clusters):
            self.clusters.append(self.cluster_codes.setdefault(record.case.cluster, len(self.cluster_codes)))
        return number

    def cases(self, in_case_order: bool) -> _Cases:
        """In the order in which they were first seen, or by case id."""
        names = list(self.numbers)
        order = np.arange(len(names))
        if in_case_order:
            order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
            names = [names[i] for i in order]
        number = np.empty(len(order), np.int64)
        number[order] = np.arange(len(order))
        used, clusters = _renumbered(_numbers(self.clusters)[order])
        return _Cases(Keys(names, {}), number, clusters, np.array(list(self.cluster_codes), dtype=object)[used])


class _Scores:
    """Grows with the answers that one scorer spoke of."""

    def __init__(self) -> None:
        self.row, self.failed, self.values = array("i"), array("b"), array("d")
        self.counts: dict[str, array[int]] = {}
        self.labels: dict[str, int] = {}
        self.shown = (array("i"), array("i"), array("b"))

    def add(self, row: int, score: Score) -> None:
        place = len(self.row)
        self.row.append(row)
        self.failed.append(score.failed)
        self.values.append(np.nan if score.value is None else score.value)
        for name, count in score.counts.items():
            column = self._until(name, place)
            column.append(count)
        for outcome, name in enumerate(OUTCOMES):
            for label in score.extracted.get(name, ()):
                entry = (row, self.labels.setdefault(label, len(self.labels)), outcome)
                for found, value in zip(self.shown, entry, strict=True):
                    found.append(value)

    def _until(self, name: str, place: int) -> array[int]:
        """The column of a count, up to a place; where it was not counted it is ABSENT."""
        column = self.counts.setdefault(name, array("i"))
        if len(column) < place:
            column.extend([ABSENT] * (place - len(column)))
        return column

    def said(self, place: Codes) -> Said:
        """The columns, an answer's row moved to its `place`."""
        where = place[_numbers(self.row)]
        failed, values = np.zeros(len(place), np.bool_), np.full(len(place), np.nan)
        failed[where], values[where] = _numbers(self.failed), _numbers(self.values)
        counts = {}
        for name in self.counts:
            counts[name] = np.full(len(place), ABSENT, np.int32)
            counts[name][where] = _numbers(self._until(name, len(self.row)))
        row, code, outcome = map(_numbers, self.shown)
        shown = Shown(list(self.labels), place[row], code.copy(), outcome.copy())  # Arrays in use cannot grow.
        return Said(failed, values, counts, shown)


class _Growing:
    """Columns while records come in."""

    def __init__(self, cases: _GrowingCases) -> None:
        self.cases = cases
        self.case, self.repeat, self.errors, self.expected = array("i"), array("i"), array("b"), array("i")
        self.tags: dict[str, tuple[dict[str, int], array[int], array[int]]] = {}
        self.wanted: dict[int, tuple[str, ...]] = {}
        self.scores: dict[str, _Scores] = {}

    def add(self, record: Record) -> None:
        row, case = len(self.case), record.case
        self.case.append(self.cases.add(record))
        self.repeat.append(record.repeat)
        is_error = record.completion.finish_reason == "error"
        self.errors.append(is_error)
        self.expected.append(len(case.expected))
        for tag, value in case.tags.items():
            if tag not in self.tags:
                self.tags[tag] = ({}, array("i"), array("i"))
            names, rows, codes = self.tags[tag]
            rows.append(row)
            codes.append(names.setdefault(value, len(names)))
        for name, score in record.scores.items():
            if name not in self.scores:
                self.scores[name] = _Scores()
            self.scores[name].add(row, score)
        if is_error or any(score.failed for score in record.scores.values()):
            self.wanted[row] = tuple(dict.fromkeys(case.expected))

    def columns(self, cases: _Cases) -> Columns:
        """What was read, in the order of the cases and of each one's repeats."""
        case = cases.number[_numbers(self.case)]
        order = np.lexsort((_numbers(self.repeat), case))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        return Columns(
            keys=cases.keys,
            case=case[order],
            clusters=cases.clusters,
            cluster_names=cases.cluster_names,
            tags={tag: self._tag(tag, place) for tag in self.tags},
            errors=_numbers(self.errors).astype(np.bool_)[order],
            expected=_numbers(self.expected)[order],
            wanted={int(place[row]): labels for row, labels in self.wanted.items()},
            said={name: scores.said(place) for name, scores in self.scores.items()},
            nobody=_Scores().said(place),
        )

    def _tag(self, tag: str, place: Codes) -> tuple[list[str], Small]:
        names, rows, codes = self.tags[tag]
        found = np.full(len(place), -1, np.int32)
        found[place[_numbers(rows)]] = _numbers(codes)
        return list(names), found


class Incoming:
    """The records of one variant while they come in."""

    def __init__(self) -> None:
        self._cases = _GrowingCases()
        self._growing = _Growing(self._cases)

    def add(self, record: Record) -> None:
        """One record more."""
        self._growing.add(record)

    def columns(self) -> Columns:
        """Those that came so far; cases in the order in which they are first seen."""
        return self._growing.columns(self._cases.cases(in_case_order=False))


def read(records: Iterable[Record]) -> Columns:
    """The records of one variant as columns; cases in the order in which they are first seen."""
    incoming = Incoming()
    for record in records:
        incoming.add(record)
    return incoming.columns()


def read_all(records: Iterable[tuple[str, Record]]) -> dict[str, dict[str, Columns]]:
    """Columns of suites and variants from the records of all of them; cases by their ids."""
    cases: dict[str, _GrowingCases] = {}
    growing: dict[str, dict[str, _Growing]] = {}
    for suite, record in records:
        if suite not in growing:
            cases[suite], growing[suite] = _GrowingCases(), {}
        variants = growing[suite]
        if record.variant not in variants:
            variants[record.variant] = _Growing(cases[suite])
        variants[record.variant].add(record)
    read: dict[str, dict[str, Columns]] = {}
    for suite, variants in growing.items():
        known = cases.pop(suite).cases(in_case_order=True)
        read[suite] = {variant: variants.pop(variant).columns(known) for variant in list(variants)}
    return read


def _numbers(column: array[Any]) -> NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode) if column else np.zeros(0, column.typecode)


def _renumbered(codes: Codes) -> tuple[Codes, Codes]:
    """Codes by order of first appearance: the old code of each new one, and the new codes."""
    old, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    return old[order], new[inverse]
