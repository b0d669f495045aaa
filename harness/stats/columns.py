"""Turns records into columns of numbers, a row an answer, one record at a time. Keeps no text; knows no metric.

A record's prompt and answer are let go as soon as it is read, so that a run of any length fits into memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.schema import Record, Score
from harness.stats.intervals import Codes
from harness.stats.table import Keys

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

    spoke: NDArray[np.bool_]
    """It gave a score, with a value or without."""
    failed: NDArray[np.bool_]
    """It raised."""
    values: NDArray[np.float64]
    """NaN where it gave none."""
    counts: dict[str, NDArray[np.int64]]
    """By name; ABSENT where it did not count."""
    shown: Shown
    """Labels it found right, wrong or lacking."""


@dataclass(frozen=True)
class Columns:
    """The answers of one variant."""

    keys: Keys
    """Of its cases."""
    case: Codes
    """Number of each answer's case among the keys."""
    clusters: Codes
    """Of each case, 0..C-1."""
    cluster_names: NDArray[np.object_]
    """By code."""
    tags: dict[str, tuple[list[str], Codes]]
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


class _Scores:
    """Grows with the answers that one scorer spoke of."""

    def __init__(self) -> None:
        self.row, self.failed = array("q"), array("b")
        self.values = array("d")
        self.counts: dict[str, tuple[array[int], array[int]]] = {}
        self.labels: dict[str, int] = {}
        self.shown = (array("q"), array("q"), array("b"))

    def add(self, row: int, score: Score) -> None:
        self.row.append(row)
        self.failed.append(score.failed)
        self.values.append(np.nan if score.value is None else score.value)
        for name, count in score.counts.items():
            if name not in self.counts:
                self.counts[name] = (array("q"), array("q"))
            rows, counts = self.counts[name]
            rows.append(row)
            counts.append(count)
        for outcome, name in enumerate(OUTCOMES):
            for label in score.extracted.get(name, ()):
                for column, value in zip(
                    self.shown, (row, self.labels.setdefault(label, len(self.labels)), outcome), strict=True
                ):
                    column.append(value)

    def said(self, place: Codes) -> Said:
        """The columns, an answer's row moved to its `place`."""
        where = place[_numbers(self.row)]
        spoke, failed = np.zeros(len(place), np.bool_), np.zeros(len(place), np.bool_)
        spoke[where], failed[where] = True, _numbers(self.failed)
        values = np.full(len(place), np.nan)
        values[where] = _numbers(self.values)
        counts = {}
        for name, (rows, found) in self.counts.items():
            counts[name] = np.full(len(place), ABSENT, np.int64)
            counts[name][place[_numbers(rows)]] = _numbers(found)
        row, code, outcome = map(_numbers, self.shown)
        return Said(spoke, failed, values, counts, Shown(list(self.labels), place[row], code, outcome))


class _Growing:
    """Columns while records come in."""

    def __init__(self) -> None:
        self.keys: dict[tuple[str, str], int] = {}
        self.cluster_codes: dict[str, int] = {}
        self.clusters = array("q")
        self.case, self.repeat, self.errors, self.expected = array("q"), array("q"), array("b"), array("q")
        self.tags: dict[str, tuple[dict[str, int], array[int], array[int]]] = {}
        self.wanted: dict[int, tuple[str, ...]] = {}
        self.scores: dict[str, _Scores] = {}

    def add(self, record: Record) -> None:
        row, case = len(self.case), record.case
        number = self.keys.setdefault((case.id, record.input_hash), len(self.keys))
        if number == len(self.clusters):
            self.clusters.append(self.cluster_codes.setdefault(case.cluster, len(self.cluster_codes)))
        self.case.append(number)
        self.repeat.append(record.repeat)
        is_error = record.completion.finish_reason == "error"
        self.errors.append(is_error)
        self.expected.append(len(case.expected))
        for tag, value in case.tags.items():
            if tag not in self.tags:
                self.tags[tag] = ({}, array("q"), array("q"))
            names, rows, codes = self.tags[tag]
            rows.append(row)
            codes.append(names.setdefault(value, len(names)))
        for name, score in record.scores.items():
            if name not in self.scores:
                self.scores[name] = _Scores()
            self.scores[name].add(row, score)
        if is_error or any(score.failed for score in record.scores.values()):
            self.wanted[row] = tuple(dict.fromkeys(case.expected))

    def columns(self, in_case_order: bool) -> Columns:
        """What was read: in its order, or by case id and repeat."""
        names, case = list(self.keys), _numbers(self.case)
        of_case = np.arange(len(names))
        order = np.arange(len(case))
        if in_case_order:
            by_name = np.array(sorted(of_case, key=names.__getitem__), dtype=np.int64)
            of_case[by_name] = np.arange(len(names))
            order = np.lexsort((_numbers(self.repeat), of_case[case]))
            names = [names[i] for i in by_name]
        else:
            by_name = of_case
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        used, clusters = _renumbered(_numbers(self.clusters)[by_name])
        cluster_names = np.array(list(self.cluster_codes), dtype=object)
        return Columns(
            keys=Keys(names, {}),
            case=of_case[case][order],
            clusters=clusters,
            cluster_names=cluster_names[used],
            tags={tag: self._tag(tag, place) for tag in self.tags},
            errors=_numbers(self.errors).astype(np.bool_)[order],
            expected=_numbers(self.expected)[order],
            wanted={int(place[row]): labels for row, labels in self.wanted.items()},
            said={name: scores.said(place) for name, scores in self.scores.items()},
            nobody=_Scores().said(place),
        )

    def _tag(self, tag: str, place: Codes) -> tuple[list[str], Codes]:
        names, rows, codes = self.tags[tag]
        found = np.full(len(place), -1)
        found[place[_numbers(rows)]] = _numbers(codes)
        return list(names), found


def read(records: Iterable[Record], in_case_order: bool = False) -> Columns:
    """The records as columns, in their order, or by case id and repeat."""
    growing = _Growing()
    for record in records:
        growing.add(record)
    return growing.columns(in_case_order)


def read_all(records: Iterable[tuple[str, Record]]) -> dict[str, dict[str, Columns]]:
    """Columns of suites and variants from the records of all of them, each by case id and repeat."""
    growing: dict[str, dict[str, _Growing]] = {}
    for suite, record in records:
        growing.setdefault(suite, {}).setdefault(record.variant, _Growing()).add(record)
    return {
        suite: {variant: found.columns(in_case_order=True) for variant, found in variants.items()}
        for suite, variants in growing.items()
    }


def _numbers(column: array[Any]) -> NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode) if column else np.zeros(0, column.typecode)


def _renumbered(codes: Codes) -> tuple[Codes, Codes]:
    """Codes by order of first appearance: the old code of each new one, and the new codes."""
    old, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    return old[order], new[inverse]
