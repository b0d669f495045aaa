"""Takes in records one by one, as columns of numbers in the order in which they come. Answers no question.

A record's prompt and answer are let go as soon as it is taken in, and the numbers go to a temporary file once there are
many, so that a run of any number of cases fits into memory.
"""

from __future__ import annotations

import math

from harness.schema import Record, Score
from harness.shelf import Column, Shelf, Texts
from harness.stats.names import code

ABSENT = -1
"""Stands for a count that a scorer did not make; counts are never negative."""
OUTCOMES = ("found", "invented", "missing")
"""What a label may be in an answer: true positive, false positive, false negative."""


class GrowingCases:
    """The cases that the answers of a suite are to."""

    def __init__(self) -> None:
        self.shelf = Shelf("the numbers of a run", "half a kilobyte for each answer of the run")
        self.codes, self.cluster_codes = Column(self.shelf, "q"), Column(self.shelf, "q")
        self.ids, self.inputs, self.clusters = Texts(self.shelf), Texts(self.shelf), Texts(self.shelf)

    def add(self, record: Record) -> int:
        """Take in the case of an answer; returns the answer's number in the order of coming."""
        case = record.case
        self.codes.append(code(case.id, record.input_hash))
        self.cluster_codes.append(code(case.cluster))
        for texts, text in ((self.ids, case.id), (self.inputs, record.input_hash), (self.clusters, case.cluster)):
            texts.append(text)
        return len(self.codes) - 1


class GrowingScores:
    """What one scorer said, of the answers that it spoke of."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.row, self.failed, self.values = Column(shelf, "i"), Column(shelf, "b"), Column(shelf, "d")
        self.counts: dict[str, Column] = {}
        self.labels: dict[str, int] = {}
        self.shown = (Column(shelf, "i"), Column(shelf, "i"), Column(shelf, "b"))

    def add(self, row: int, score: Score) -> None:
        place = len(self.row)
        self.row.append(row)
        self.failed.append(score.failed)
        self.values.append(math.nan if score.value is None else score.value)
        for name, count in score.counts.items():
            if name not in self.counts:
                self.counts[name] = Column(self.shelf, "i")
            column = self.counts[name]
            if len(column) < place:
                column.extend([ABSENT] * (place - len(column)))
            column.append(count)
        for outcome, name in enumerate(OUTCOMES):
            for label in score.extracted.get(name, ()):
                entry = (row, self.labels.setdefault(label, len(self.labels)), outcome)
                for found, value in zip(self.shown, entry, strict=True):
                    found.append(value)


class Growing:
    """The answers of one variant."""

    def __init__(self, cases: GrowingCases) -> None:
        self.cases, self.shelf = cases, cases.shelf
        self.came, self.repeat = Column(self.shelf, "i"), Column(self.shelf, "i")
        self.errors, self.expected = Column(self.shelf, "b"), Column(self.shelf, "i")
        self.tags: dict[str, tuple[dict[str, int], Column, Column]] = {}
        self.wanted: dict[int, tuple[str, ...]] = {}
        self.scores: dict[str, GrowingScores] = {}

    def add(self, record: Record) -> None:
        row, case = len(self.came), record.case
        self.came.append(self.cases.add(record))
        self.repeat.append(record.repeat)
        is_error = record.completion.finish_reason == "error"
        self.errors.append(is_error)
        self.expected.append(len(case.expected))
        for tag, value in case.tags.items():
            if tag not in self.tags:
                self.tags[tag] = ({}, Column(self.shelf, "i"), Column(self.shelf, "i"))
            names, rows, codes = self.tags[tag]
            rows.append(row)
            codes.append(names.setdefault(value, len(names)))
        for name, score in record.scores.items():
            if name not in self.scores:
                self.scores[name] = GrowingScores(self.shelf)
            self.scores[name].add(row, score)
        if is_error or any(score.failed for score in record.scores.values()):
            self.wanted[row] = tuple(dict.fromkeys(case.expected))
