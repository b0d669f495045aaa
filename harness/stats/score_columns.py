"""Columns of numbers with what the scorers counted in every answer, read from the records of a run.

Everything that intervals, tests and gates read is here, and no text but the names of cases, clusters and labels.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.schema import Record, Score
from harness.stats.intervals import Codes
from harness.stats.score_table import case_key, codes

ABSENT = -1
"""Stands for a count that a scorer did not make; counts are never negative."""
OUTCOMES = ("found", "invented", "missing")
"""What a label may be in an answer: true positive, false positive, false negative."""

Small = NDArray[np.int32]


class CaseColumns(NamedTuple):
    """The cases of a suite, in their order."""

    keys: list[str]
    numbers: Codes
    """0..N-1; the tables of all metrics share them."""
    clusters: Codes
    """Of each case, 0..C-1."""
    cluster_names: list[str]
    """By code."""


class Shown(NamedTuple):
    """The labels that answers show, one entry per label and answer."""

    names: list[str]
    """By code."""
    row: Codes
    """Answer."""
    code: Codes
    """Label."""
    outcome: Codes
    """Place in OUTCOMES."""


@dataclass(frozen=True)
class ScoreColumns:
    """The scores that one scorer gave to every answer."""

    failed: NDArray[np.bool_]
    """It raised."""
    values: NDArray[np.float64]
    """NaN where it gave none."""
    counts: dict[str, Small]
    """Each count by name; ABSENT where it did not count."""
    shown: Shown
    """Labels it found right, wrong or lacking."""

    def count(self, name: str) -> Small:
        """One count of every answer."""
        column = self.counts.get(name)
        return np.full(len(self.values), ABSENT, np.int32) if column is None else column


@dataclass(frozen=True)
class VariantColumns:
    """The answers of one variant, by the order of cases and of each one's repeats."""

    cases: CaseColumns
    """The cases of the suite."""
    case: Small
    """Number of each answer's case among the keys."""
    errors: NDArray[np.bool_]
    """The engine gave no answer."""
    expected: Small
    """How many labels each answer's case expects."""
    tags: dict[str, tuple[list[str], Small]]
    """By slice tag its values, and each answer's place among them; -1 where the case has no such tag."""
    labels_of_failed: dict[int, tuple[str, ...]]
    """Labels expected of the answers without a value of every score, each once."""
    scores: dict[str, ScoreColumns]
    """By scorer."""

    def tag(self, tag: str) -> tuple[list[str], Small]:
        """Values of a slice tag, and each answer's place among them."""
        return self.tags.get(tag) or ([], np.full(len(self.case), -1, np.int32))

    def scores_of(self, scorer: str) -> ScoreColumns:
        """The scores of a scorer; no values where there is none of this name."""
        return self.scores.get(scorer) or _NewScores().columns(np.arange(len(self.case)))


class _NewColumn:
    """Numbers by answer, in the order in which answers come in; `absent` stands where none was given."""

    def __init__(self, typecode: str, absent: float = 0) -> None:
        self._values: array[Any] = array(typecode)
        self._absent: array[Any] = array(typecode, [absent])

    def put(self, row: int, value: float) -> None:
        """Give the number of an answer; rows only grow."""
        self._fill(row)
        self._values.append(value)

    def _fill(self, rows: int) -> None:
        self._values.extend(self._absent * (rows - len(self._values)))

    def ordered(self, came: Small) -> NDArray[Any]:
        """The numbers of the answers that came as `came` says."""
        self._fill(len(came))
        return np.array(self._values)[came]


class _NewScores:
    """The scores of one scorer while records come in."""

    def __init__(self) -> None:
        self._failed, self._values = _NewColumn("b"), _NewColumn("d", math.nan)
        self._counts: dict[str, _NewColumn] = {}
        self._labels: dict[str, int] = {}
        self._shown = array("i")

    def add(self, row: int, score: Score) -> None:
        self._failed.put(row, score.failed)
        self._values.put(row, math.nan if score.value is None else score.value)
        for name, count in score.counts.items():
            if name not in self._counts:
                self._counts[name] = _NewColumn("i", ABSENT)
            self._counts[name].put(row, count)
        for outcome, name in enumerate(OUTCOMES):
            for label in score.extracted.get(name, ()):
                self._shown.extend((row, self._labels.setdefault(label, len(self._labels)), outcome))

    def columns(self, came: Small) -> ScoreColumns:
        row, label, outcome = np.array(self._shown).reshape(-1, 3).T
        return ScoreColumns(
            failed=self._failed.ordered(came).astype(np.bool_),
            values=self._values.ordered(came),
            counts={name: column.ordered(came) for name, column in self._counts.items()},
            shown=Shown(list(self._labels), _inverse(came)[row], label, outcome),
        )


class _NewCases:
    """The cases of a suite while records come in."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        """By key, in the order in which cases are first seen."""
        self._clusters: list[str] = []

    def add(self, record: Record) -> int:
        """Take in the case of an answer; returns its number."""
        number = self.numbers.setdefault(case_key(record.case.id, record.input_hash), len(self.numbers))
        if number == len(self._clusters):
            self._clusters.append(sys.intern(record.case.cluster))
        return number

    def columns(self, order: Codes) -> CaseColumns:
        """The cases in this order."""
        texts, clusters = list(self.numbers), [self._clusters[number] for number in order]
        return CaseColumns(
            keys=[texts[number] for number in order],
            numbers=np.arange(len(order)),
            clusters=codes(clusters),
            cluster_names=list(dict.fromkeys(clusters)),
        )


class _NewVariant:
    """The answers of one variant while records come in."""

    def __init__(self, cases: _NewCases) -> None:
        self._cases, self._case, self._repeat = cases, array("i"), array("i")
        self._errors, self._expected = array("b"), array("i")
        self._tags: dict[str, tuple[dict[str, int], _NewColumn]] = {}
        self._labels_of_failed: dict[int, tuple[str, ...]] = {}
        self._scores: dict[str, _NewScores] = {}

    def add(self, record: Record) -> None:
        row, case = len(self._case), record.case
        self._case.append(self._cases.add(record))
        self._repeat.append(record.repeat)
        is_error = record.completion.finish_reason == "error"
        self._errors.append(is_error)
        self._expected.append(len(case.expected))
        for tag, value in case.tags.items():
            if tag not in self._tags:
                self._tags[tag] = ({}, _NewColumn("i", -1))
            names, column = self._tags[tag]
            column.put(row, names.setdefault(value, len(names)))
        for name, score in record.scores.items():
            if name not in self._scores:
                self._scores[name] = _NewScores()
            self._scores[name].add(row, score)
        if is_error or any(score.value is None for score in record.scores.values()):
            self._labels_of_failed[row] = tuple(dict.fromkeys(case.expected))

    def columns(self, cases: CaseColumns, place: Small) -> VariantColumns:
        """The columns by the order of the cases and of each one's repeats; `place` is of each case in that order."""
        case = place[np.array(self._case)]
        came = np.lexsort((np.array(self._repeat), case)).astype(np.int32)
        row_of = _inverse(came)
        return VariantColumns(
            cases=cases,
            case=case[came],
            errors=np.array(self._errors)[came].astype(np.bool_),
            expected=np.array(self._expected)[came],
            tags={tag: (list(names), column.ordered(came)) for tag, (names, column) in self._tags.items()},
            labels_of_failed={int(row_of[row]): labels for row, labels in self._labels_of_failed.items()},
            scores={name: scores.columns(came) for name, scores in self._scores.items()},
        )


def read(records: Iterable[Record]) -> VariantColumns:
    """The records of one variant as columns; cases in the order in which they are first seen."""
    cases = _NewCases()
    variant = _NewVariant(cases)
    for record in records:
        variant.add(record)
    order = np.arange(len(cases.numbers))
    return variant.columns(cases.columns(order), order.astype(np.int32))


def read_all(records: Iterable[tuple[str, Record]]) -> dict[str, dict[str, VariantColumns]]:
    """Columns of suites and variants from the records of all of them; cases by their ids."""
    cases: dict[str, _NewCases] = {}
    variants: dict[str, dict[str, _NewVariant]] = {}
    for suite, record in records:
        known = cases.setdefault(suite, _NewCases())
        of_suite = variants.setdefault(suite, {})
        if record.variant not in of_suite:
            of_suite[record.variant] = _NewVariant(known)
        of_suite[record.variant].add(record)
    read: dict[str, dict[str, VariantColumns]] = {}
    for suite, of_suite in variants.items():
        known = cases.pop(suite)
        texts = list(known.numbers)
        order = np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)
        columns, place = known.columns(order), _inverse(order).astype(np.int32)
        read[suite] = {variant: found.columns(columns, place) for variant, found in of_suite.items()}
    return read


def _inverse(order: NDArray[Any]) -> Codes:
    """The place of each number in an order of all of them."""
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places
