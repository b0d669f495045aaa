"""Cases of one variant and one metric as columns of numbers, and the sums of their contracts. Knows no interval.

`Cases` reads like a list of observations and is one where a test or a caller wants it; all arithmetic is on arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from harness.schema import Observation, Record, Score
from harness.stats.intervals import Array, Codes
from harness.stats.spilled_columns import Column, Shelf, Texts

LONGEST = 64
"""Bytes up to which names are sorted as an array of one width."""


class Names(Sequence[str]):
    """Some of the texts that lie on a shelf, in an order of their own: four bytes a name."""

    def __init__(self, texts: Texts, rows: Codes) -> None:
        self._texts, self._rows = texts, rows.astype(np.int32)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]  # a slice of names is not needed
        return self._raw(range(len(self))[place]).decode("utf-8", "surrogatepass")

    def _raw(self, place: int) -> bytes:
        return self._texts.read(int(self._rows[place]))

    def order(self, then: Codes) -> Codes:
        """Places by name, in the order of code points, and equal names by `then`."""
        raw = [self._raw(place) for place in range(len(self))]
        if max(map(len, raw), default=0) > LONGEST:
            places = sorted(range(len(raw)), key=lambda place: (raw[place], then[place]))
            return np.array(places, dtype=np.int64)
        order: Codes = np.lexsort((then, np.array(raw, dtype=np.bytes_)))
        return order


def code(*names: str) -> int:
    """64 bits that stand for these names: among a million cases two share theirs once in forty million runs."""
    return int.from_bytes(
        blake2b("\n".join(names).encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True
    )


class Keys:
    """What tells cases from one another, id and input hash; the variants of a suite may share them."""

    def __init__(self, codes: Codes, ids: Sequence[str], inputs: Sequence[str]) -> None:
        self.codes, self.ids, self.inputs = codes, ids, inputs
        self._matches: dict[int, tuple[Keys, Codes]] = {}

    @classmethod
    def of(cls, named: Iterable[tuple[str, str]]) -> Keys:
        """Keys of these ids and input hashes."""
        found = list(named)
        codes = np.array([code(*names) for names in found], dtype=np.int64)
        return cls(codes, [case_id for case_id, _ in found], [input_hash for _, input_hash in found])

    def __len__(self) -> int:
        return len(self.codes)

    def matched(self, other: Keys) -> Codes:
        """For each of these its number in the other, or -1."""
        if other is self:
            return np.arange(len(self))
        if id(other) not in self._matches:
            self._matches[id(other)] = (other, _places(self.codes, other.codes))
        return self._matches[id(other)][1]


def _places(codes: Codes, others: Codes) -> Codes:
    """Where each code is among the others, the last of equal ones; -1 where it is not."""
    if not len(others):
        return np.full(len(codes), -1)
    order = np.argsort(others, kind="stable")
    place = order[np.maximum(np.searchsorted(others, codes, side="right", sorter=order) - 1, 0)]
    return np.where(others[place] == codes, place, -1)


ROUNDING = 1e-12
UNEXPECTED = "(not expected anywhere)"


@dataclass(frozen=True)
class Labels:
    """Label counts of cases, a row for every label that a case shows."""

    names: list[str]
    """By code."""
    row: Codes
    """Case."""
    code: Codes
    """Label."""
    counts: Array
    """True positives, false positives, false negatives; shape (rows, 3)."""

    @property
    def expected(self) -> set[str]:
        """Labels that are right somewhere."""
        shown = np.unique(self.code[(self.counts[:, 0] > 0) | (self.counts[:, 2] > 0)])
        return {self.names[i] for i in shown}

    @property
    def shown(self) -> set[str]:
        """Labels of any case, right or wrong."""
        return {self.names[i] for i in np.unique(self.code)}


@dataclass(frozen=True, eq=False)
class Cases(Sequence[Observation]):
    """One row a case."""

    keys: Keys
    """Of the whole variant; tables of its slices and metrics share them."""
    numbers: Codes
    """Each row's place among the keys."""
    clusters: Codes
    """0..C-1; every code occurs."""
    cluster_numbers: Codes
    """By code, each cluster's place among the names."""
    cluster_names: Sequence[str]
    """Of the whole variant, as the keys are."""
    numerators: Array
    denominators: Array
    """0 leaves the case out of a ratio."""
    errors: NDArray[np.bool_]
    """The engine or the scorer failed on it."""
    labels: Labels | None = None
    """For means over labels."""

    @classmethod
    def of(cls, rows: Iterable[Observation]) -> Cases:
        """The table of these observations."""
        if isinstance(rows, Cases):
            return rows
        found = list(rows)
        names: dict[str, int] = {}
        clusters = np.array([names.setdefault(c.cluster, len(names)) for c in found], dtype=np.int64)
        shown = [(i, label, counts) for i, c in enumerate(found) for label, counts in c.labels.items()]
        codes: dict[str, int] = {}
        labels = Labels(
            names=[],
            row=np.array([i for i, _, _ in shown], dtype=np.int64),
            code=np.array([codes.setdefault(label, len(codes)) for _, label, _ in shown], dtype=np.int64),
            counts=np.array([counts for _, _, counts in shown], dtype=np.float64).reshape(-1, 3),
        )
        labels.names.extend(codes)
        return cls(
            keys=Keys.of((c.case_id, c.input_hash) for c in found),
            numbers=np.arange(len(found)),
            clusters=clusters,
            cluster_numbers=np.arange(len(names)),
            cluster_names=list(names),
            numerators=np.array([c.numerator for c in found], dtype=np.float64),
            denominators=np.array([c.denominator for c in found], dtype=np.float64),
            errors=np.array([c.error for c in found], dtype=np.bool_),
            labels=labels if shown else None,
        )

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        number = self.numbers[row]
        return Observation(
            case_id=self.keys.ids[number],
            input_hash=self.keys.inputs[number],
            cluster=self.cluster_names[self.cluster_numbers[self.clusters[row]]],
            numerator=float(self.numerators[row]),
            denominator=float(self.denominators[row]),
            error=bool(self.errors[row]),
            labels=self._labels_by_row.get(row, {}),
        )

    @cached_property
    def _labels_by_row(self) -> dict[int, dict[str, tuple[int, int, int]]]:
        found: dict[int, dict[str, tuple[int, int, int]]] = {}
        if self.labels is not None:
            for row, code, counts in zip(self.labels.row, self.labels.code, self.labels.counts, strict=True):
                of_row, name = found.setdefault(int(row), {}), self.labels.names[code]
                before = of_row.get(name, (0, 0, 0))
                tp, fp, fn = (int(a + b) for a, b in zip(before, counts, strict=True))
                of_row[name] = (tp, fp, fn)
        return found

    @property
    def cluster_count(self) -> int:
        """Clusters."""
        return len(self.cluster_numbers)

    @property
    def counted(self) -> Cases:
        """Those with anything to count."""
        return self if self._counted is None else self._counted

    @cached_property
    def _counted(self) -> Cases | None:
        """The same, where not all are counted; a table that held itself would outlive its last use."""
        found = self.take(self.denominators > 0)
        return None if found is self else found

    @property
    def is_share(self) -> bool:
        """Every case's score lies in [0, 1]."""
        return bool(np.all(self.numerators >= -ROUNDING) and np.all(self.numerators <= self.denominators + ROUNDING))

    def place_of(self, others: Cases) -> Codes:
        """The row of each of the others' cases in this table, or -1."""
        row = np.full(len(self.keys) + 1, -1)
        row[self.numbers] = np.arange(len(self))
        found: Codes = row[others.keys.matched(self.keys)[others.numbers]]
        return found

    def take(self, rows: Codes | NDArray[np.bool_], clusters_of: Cases | None = None) -> Cases:
        """These rows, in this order; with the clusters of another table row by row, where one is given."""
        places: Codes = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        if clusters_of is not None:
            clusters, numbers, names = clusters_of.clusters, clusters_of.cluster_numbers, clusters_of.cluster_names
        elif np.array_equal(places, np.arange(len(self))):
            return self
        else:
            used, clusters = np.unique(self.clusters[places], return_inverse=True)
            numbers, names = self.cluster_numbers[used], self.cluster_names
        return Cases(
            keys=self.keys,
            numbers=self.numbers[places],
            clusters=clusters,
            cluster_numbers=numbers,
            cluster_names=names,
            numerators=self.numerators[places],
            denominators=self.denominators[places],
            errors=self.errors[places],
            labels=self._labels_of(places),
        )

    def repeated(self, times: int) -> Cases:
        """As if `times` as many clusters like these had been seen."""
        copies = np.arange(times)
        labels = self.labels and Labels(
            self.labels.names,
            (copies[:, None] * len(self) + self.labels.row).ravel(),
            np.tile(self.labels.code, times),
            np.tile(self.labels.counts, (times, 1)),
        )
        return Cases(
            keys=self.keys,
            numbers=np.tile(self.numbers, times),
            clusters=(copies[:, None] * self.cluster_count + self.clusters).ravel(),
            cluster_numbers=np.tile(self.cluster_numbers, times),
            cluster_names=self.cluster_names,
            numerators=np.tile(self.numerators, times),
            denominators=np.tile(self.denominators, times),
            errors=np.tile(self.errors, times),
            labels=labels,
        )

    def _labels_of(self, rows: Codes) -> Labels | None:
        if self.labels is None:
            return None
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        moved = place[self.labels.row]
        kept = moved >= 0
        return Labels(self.labels.names, moved[kept], self.labels.code[kept], self.labels.counts[kept])

    @property
    def sums(self) -> Array:
        """Numerators and denominators of each cluster, shape (clusters, 2)."""
        return np.column_stack(
            [
                np.bincount(self.clusters, weights=w, minlength=self.cluster_count)
                for w in (self.numerators, self.denominators)
            ]
        )

    @cached_property
    def rarest_label(self) -> tuple[str, int] | None:
        """The label that the fewest clusters expect, and their number; None where nothing is expected."""
        if self.labels is None:
            return None
        expected = self.labels.counts[:, 0] + self.labels.counts[:, 2] > 0
        pairs = np.unique(np.column_stack([self.labels.code, self.clusters[self.labels.row]])[expected], axis=0)
        codes, holders = np.unique(pairs[:, 0], return_counts=True)
        return (self.labels.names[codes[holders.argmin()]], int(holders.min())) if len(codes) else None

    def label_sums(self, names: Sequence[str], by_case: bool = False) -> Array:
        """Label counts of each cluster or case: all true positives, then false positives, then false negatives.

        The shape is (clusters or cases, 3 * labels); a label that is not in `names` counts as the last one.
        """
        count, width = (len(self) if by_case else self.cluster_count), len(names)
        if self.labels is None:
            return np.zeros((count, 3 * width))
        column = {name: i for i, name in enumerate(names)}
        columns = np.array([column.get(name, width - 1) for name in self.labels.names], dtype=np.int64)
        where = self.labels.row if by_case else self.clusters[self.labels.row]
        cells = where * width + columns[self.labels.code]
        return np.hstack(
            [
                np.bincount(cells, weights=self.labels.counts[:, kind], minlength=count * width).reshape(count, width)
                for kind in range(3)
            ]
        )


def label_names(*groups: Cases) -> list[str]:
    """Every label that is expected anywhere, sorted, then UNEXPECTED where any other is predicted.

    Labels that nothing expects count as one, or a model that rambles in many words would lower a macro mean without
    end and flatter whatever it is compared with.
    """
    tables = [group.labels for group in groups if group.labels is not None]
    expected: set[str] = set().union(*(table.expected for table in tables))
    shown: set[str] = set().union(*(table.shown for table in tables))
    return sorted(expected) + ([UNEXPECTED] if shown - expected else [])


def codes(names: Iterable[str]) -> Codes:
    """Names to 0..C-1 in order of first appearance."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.int64)


def ratio_arrays(cases: Sequence[Observation]) -> tuple[Array, Array]:
    """Numerators and denominators, one a case."""
    table = Cases.of(cases)
    return table.numerators, table.denominators


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
class ScoreColumns:
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
class VariantColumns:
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

    def said(self, scorer: str) -> ScoreColumns:
        """What a scorer said; nothing where there is none of this name."""
        return ScoreColumns(self._growing.scores.get(scorer) or GrowingScores(self._growing.shelf), self._order)

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

    def columns(self) -> VariantColumns:
        """Those that came so far; cases in the order in which they are first seen."""
        return _columns(self._growing, *_cases(self._cases, in_case_order=False))


def read(records: Iterable[Record]) -> VariantColumns:
    """The records of one variant as columns; cases in the order in which they are first seen."""
    incoming = Incoming()
    for record in records:
        incoming.add(record)
    return incoming.columns()


def read_all(records: Iterable[tuple[str, Record]]) -> dict[str, dict[str, VariantColumns]]:
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
    read: dict[str, dict[str, VariantColumns]] = {}
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


def _columns(growing: Growing, cases: CaseColumns, number: Small) -> VariantColumns:
    """What was read, in the order of the cases and of each one's repeats; `number` is of each answer's case."""
    case = number[_numbers(growing.came)]
    came = np.lexsort((_numbers(growing.repeat), case)).astype(np.int32)
    return VariantColumns(cases, Order(case[came], came), growing)


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
