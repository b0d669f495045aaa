"""Cases of one variant and one metric as columns of numbers, and the sums of their clusters.

`Cases` reads like a list of observations and is one where a test or a caller wants it; all arithmetic is on arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from harness.schema import Observation
from harness.stats.intervals import Array, Codes


def case_key(case_id: str, input_hash: str) -> str:
    """What tells a case from others, as one text, which takes half the memory of a pair."""
    return f"{case_id}\n{input_hash}"


def key_parts(key: str) -> tuple[str, str]:
    """Id and input hash of a case."""
    case_id, _, input_hash = key.rpartition("\n")
    return case_id, input_hash


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
    scale: int = 1
    """What one answer of a case counts as, all repeats together; two variants may differ in it."""

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

    keys: Sequence[str]
    """Of the whole variant, as `case_key` makes them; tables of its slices and metrics share them."""
    numbers: Codes
    """Each row's place among the keys."""
    clusters: Codes
    """0..C-1; every code occurs."""
    cluster_names: Sequence[str]
    """By code."""
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
        listed = list(rows)
        shown = [(i, label, counts) for i, c in enumerate(listed) for label, counts in c.labels.items()]
        labels = Labels(
            names=list(dict.fromkeys(label for _, label, _ in shown)),
            row=np.array([i for i, _, _ in shown], dtype=np.int64),
            code=codes(label for _, label, _ in shown),
            counts=np.array([counts for _, _, counts in shown], dtype=np.float64).reshape(-1, 3),
        )
        return cls(
            keys=[case_key(c.case_id, c.input_hash) for c in listed],
            numbers=np.arange(len(listed)),
            clusters=codes(c.cluster for c in listed),
            cluster_names=list(dict.fromkeys(c.cluster for c in listed)),
            numerators=np.array([c.numerator for c in listed], dtype=np.float64),
            denominators=np.array([c.denominator for c in listed], dtype=np.float64),
            errors=np.array([c.error for c in listed], dtype=np.bool_),
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
        case_id, input_hash = key_parts(self.keys[self.numbers[row]])
        return Observation(
            case_id=case_id,
            input_hash=input_hash,
            cluster=self.cluster_names[self.clusters[row]],
            numerator=float(self.numerators[row]),
            denominator=float(self.denominators[row]),
            error=bool(self.errors[row]),
            labels=self._labels_by_row.get(row, {}),
        )

    @cached_property
    def _labels_by_row(self) -> dict[int, dict[str, tuple[int, int, int]]]:
        outcomes: dict[int, dict[str, tuple[int, int, int]]] = {}
        if self.labels is not None:
            for row, code, counts in zip(self.labels.row, self.labels.code, self.labels.counts, strict=True):
                of_row, name = outcomes.setdefault(int(row), {}), self.labels.names[code]
                before = of_row.get(name, (0, 0, 0))
                tp, fp, fn = (int(a + b) for a, b in zip(before, counts, strict=True))
                of_row[name] = (tp, fp, fn)
        return outcomes

    @property
    def cluster_count(self) -> int:
        """Clusters."""
        return len(self.cluster_names)

    @property
    def counted(self) -> Cases:
        """Those with anything to count."""
        return self.take(self.denominators > 0)

    @property
    def is_share(self) -> bool:
        """Every case's score lies in [0, 1]."""
        return bool(np.all(self.numerators >= -ROUNDING) and np.all(self.numerators <= self.denominators + ROUNDING))

    def place_of(self, others: Cases) -> Codes:
        """The row of each of the others' cases in this table, or -1."""
        if others.keys is self.keys:
            row = np.full(len(self.keys), -1)
            row[self.numbers] = np.arange(len(self))
            return row[others.numbers]
        rows = {self.keys[number]: row for row, number in enumerate(self.numbers)}
        return np.array([rows.get(others.keys[number], -1) for number in others.numbers], dtype=np.int64)

    def take(self, rows: Codes | NDArray[np.bool_], clusters_of: Cases | None = None) -> Cases:
        """These rows, in this order; with the clusters of another table row by row, where one is given."""
        places: Codes = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        if clusters_of is not None:
            clusters, names = clusters_of.clusters, clusters_of.cluster_names
        elif np.array_equal(places, np.arange(len(self))):
            return self
        else:
            used, clusters = np.unique(self.clusters[places], return_inverse=True)
            names = [self.cluster_names[code] for code in used]
        return Cases(
            keys=self.keys,
            numbers=self.numbers[places],
            clusters=clusters,
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
            self.labels.scale,
        )
        return Cases(
            keys=self.keys,
            numbers=np.tile(self.numbers, times),
            clusters=(copies[:, None] * self.cluster_count + self.clusters).ravel(),
            cluster_names=[*self.cluster_names] * times,
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
        is_taken = moved >= 0
        code, counts = self.labels.code[is_taken], self.labels.counts[is_taken]
        return Labels(self.labels.names, moved[is_taken], code, counts, self.labels.scale)

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
