"""Reads records into one observation a case for one metric. Knows no interval.

Repeats are averaged inside their case first, so they never count as cases. An answer that the engine failed to give, or
that the scorer raised on, counts against the claim being made; a score without a value is left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from harness.schema import Metric, Observation, Record, Score
from harness.stats.intervals import Array, Codes
from harness.stats.table import UNEXPECTED, Cases, Keys, Labels, codes, ratio_arrays

__all__ = ["UNEXPECTED", "Observations", "Reading", "codes", "in_slice", "observations", "ratio_arrays", "reading"]

Role = Literal["candidate", "baseline"]
"""An engine error is wrong for a candidate and for any level on its own, and right for the baseline of a comparison."""

MAX_ERROR_SHARE = 0.01
"""Above this share of answers that the engine failed to give, nothing is measured."""


@dataclass(frozen=True)
class Observations:
    """The cases of one variant for one metric, and what was left out."""

    cases: Sequence[Observation] = ()
    """One a scored case."""
    records: int = 0
    """Answers read, repeats included."""
    errors: int = 0
    """Answers that the engine failed to give, or the scorer to score."""
    unscored: int = 0
    """Answers whose score has no value; left out."""

    @cached_property
    def table(self) -> Cases:
        """The cases as columns."""
        return Cases.of(self.cases)

    @property
    def too_many_errors(self) -> str | None:
        """Why nothing is measured, or None while errors are at or under the cap."""
        if self.records == 0 or self.errors <= MAX_ERROR_SHARE * self.records:
            return None
        share = self.errors / self.records
        return (
            f"the engine or the scorer failed on {self.errors} of {self.records} answers ({share:.1%}); the cap is "
            f"{MAX_ERROR_SHARE:.0%}"
        )


class Scored(NamedTuple):
    """What one scorer said of every record."""

    scores: list[Score | None]
    failed: NDArray[np.bool_]
    """The engine gave no answer, or the scorer raised on it."""
    counted: NDArray[np.bool_]
    """Failed, or scored with a value."""


class Read(NamedTuple):
    """One metric of a whole variant."""

    cases: Cases
    """Those that are scored."""
    scored: Scored


class Reading(Sequence[Record]):
    """The answers of one variant, or of a slice of it, read once for all metrics, rules and slices."""

    def __init__(self, records: Iterable[Record], whole: Reading | None = None, rows: Codes | None = None) -> None:
        self._records = list(records)
        self._whole = whole or self
        self._rows = np.arange(len(self._records)) if rows is None else rows
        self._read: dict[tuple[Metric, Role], Read] = {}
        self._scorers: dict[str, Scored] = {}
        self._labels: dict[tuple[str, Role], Labels] = {}
        self._parts: dict[str, dict[str | None, Reading]] = {}
        self._observed: dict[tuple[Metric, Role], Observations] = {}

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @cached_property
    def case_ids(self) -> frozenset[str]:
        """Cases that have a record."""
        return frozenset(record.case.id for record in self._records)

    def part(self, tag: str, value: str | None) -> Reading:
        """The records whose case has this tag value."""
        if tag not in self._parts:
            rows: dict[str | None, list[int]] = {}
            for i, record in enumerate(self._records):
                rows.setdefault(record.case.tags.get(tag), []).append(i)
            self._parts[tag] = {
                v: Reading([self._records[i] for i in found], self._whole, self._rows[found])
                for v, found in rows.items()
            }
        return self._parts[tag].setdefault(value, Reading([]))

    def observed(self, metric: Metric, role: Role) -> Observations:
        """Observations for one metric, in the order in which cases are first seen."""
        if (metric, role) not in self._observed:
            read = self._whole._of(metric, role)
            failed, counted = read.scored.failed[self._rows], read.scored.counted[self._rows]
            cases = read.cases
            if self._whole is not self:
                mine = np.zeros(len(cases.keys.names), dtype=np.bool_)
                mine[self._whole._keys[1][self._rows]] = True
                cases = cases.take(mine[cases.numbers])
            self._observed[metric, role] = Observations(
                cases=cases, records=len(self), errors=int(failed.sum()), unscored=int((~counted).sum())
            )
        return self._observed[metric, role]

    @cached_property
    def _keys(self) -> tuple[Keys, Codes]:
        """Keys of the cases, by order of appearance, and the number of every record's case."""
        seen: dict[tuple[str, str], int] = {}
        of = [seen.setdefault((r.case.id, r.input_hash), len(seen)) for r in self._records]
        return Keys(list(seen), {}), np.array(of, dtype=np.int64)

    @cached_property
    def _clusters(self) -> tuple[Codes, NDArray[np.object_]]:
        """The cluster of every case by number, and the clusters' names."""
        firsts = np.unique(self._keys[1], return_index=True)[1]
        names = [self._records[i].case.cluster for i in firsts]
        return codes(names), np.array(list(dict.fromkeys(names)), dtype=object)

    def _of(self, metric: Metric, role: Role) -> Read:
        if (metric, role) not in self._read:
            if metric.scorer not in self._scorers:
                self._scorers[metric.scorer] = _scored(self._records, metric.scorer)
            self._read[metric, role] = self._reads(metric, role, self._scorers[metric.scorer])
        return self._read[metric, role]

    def _reads(self, metric: Metric, role: Role, scored: Scored) -> Read:
        """Average every case's repeats; a case that no record scores is left out."""
        (keys, numbers), (clusters, cluster_names) = self._keys, self._clusters
        rows, count = np.flatnonzero(scored.counted), len(keys.names)
        case_of = numbers[rows]
        times = np.bincount(case_of, minlength=count)
        above, below = _counts(self._records, metric, role, scored, rows)
        if metric.over_labels and (metric.scorer, role) not in self._labels:
            self._labels[metric.scorer, role] = _labels(self._records, role, scored, rows, case_of, times)
        repeats = np.maximum(times, 1)
        cases = Cases(
            keys=keys,
            numbers=np.arange(count),
            clusters=clusters,
            cluster_names=cluster_names,
            numerators=np.bincount(case_of, weights=above, minlength=count) / repeats,
            denominators=np.bincount(case_of, weights=below, minlength=count) / repeats,
            errors=np.bincount(case_of, weights=scored.failed[rows], minlength=count) > 0,
            labels=self._labels[metric.scorer, role] if metric.over_labels else None,
        )
        return Read(cases.take(times > 0), scored)


def reading(records: Iterable[Record]) -> Reading:
    """The records in a form that is read once, however often it is asked for."""
    return records if isinstance(records, Reading) else Reading(records)


def observations(records: Iterable[Record], metric: Metric, role: Role = "candidate") -> Observations:
    """Observations of one variant's records for one metric."""
    return reading(records).observed(metric, role)


def in_slice(records: Iterable[Record], tag: str | None, value: str | None) -> Sequence[Record]:
    """Records whose case has this tag value; all of them where `tag` is None."""
    whole = reading(records)
    return whole if tag is None else whole.part(tag, value)


def _scored(records: Sequence[Record], scorer: str) -> Scored:
    scores = [record.scores.get(scorer) for record in records]
    pairs = list(zip(records, scores, strict=True))
    failed = np.array([r.completion.finish_reason == "error" or (s is not None and s.failed) for r, s in pairs], bool)
    valued = np.array([s is not None and s.value is not None for s in scores], bool)
    return Scored(scores, failed, failed | valued)


def _counts(records: Sequence[Record], metric: Metric, role: Role, scored: Scored, rows: Codes) -> tuple[Array, Array]:
    """Numerator and denominator of each of these records."""
    above, below, failed = np.zeros(len(rows)), np.ones(len(rows)), scored.failed[rows]
    if metric.over_labels:
        return above, below
    plain = [score for score, f in zip((scored.scores[i] for i in rows), failed, strict=True) if score and not f]
    if metric.kind == "mean":
        above[~failed] = [score.value for score in plain]
        _check_range(above, metric, records, rows, failed)
        above[failed] = metric.best if role == "baseline" else metric.worst
        return above, below
    above[~failed] = _count(plain, metric, metric.numerator)
    if metric.denominator is not None:
        below[~failed] = _count(plain, metric, metric.denominator)
    for place in np.flatnonzero(failed):
        record = records[rows[place]]
        if metric.denominator is not None:
            below[place] = _weight(record, scored.scores[rows[place]], metric.denominator)
        above[place] = below[place] if (role == "baseline") == metric.higher_is_better else 0.0
    return above, below


def _weight(record: Record, score: Score | None, denominator: str) -> int:
    """What a failed answer weighs: what its scorer counted, or else what was expected, at least 1."""
    expected = len(record.case.expected)
    return max(score.counts.get(denominator, expected) if score is not None else expected, 1)


def _count(scores: list[Score], metric: Metric, name: str) -> list[int]:
    try:
        return [score.counts[name] for score in scores]
    except KeyError:
        counted = next(score.counts for score in scores if name not in score.counts)
        raise ValueError(
            f"metric '{metric.name}' reads the count '{name}' of scorer '{metric.scorer}', which counted "
            f"{', '.join(counted) or 'nothing'}"
        ) from None


def _check_range(
    values: Array, metric: Metric, records: Sequence[Record], rows: Codes, failed: NDArray[np.bool_]
) -> None:
    low, high = metric.limits
    for place in np.flatnonzero(~failed & ((values < low) | (values > high)))[:1]:
        name, value = records[rows[place]].case.id, values[place]
        raise ValueError(f"metric '{metric.name}' lies in {low:g} to {high:g}, case '{name}' has {value:g}")


def _labels(records: Sequence[Record], role: Role, scored: Scored, rows: Codes, case_of: Codes, times: Codes) -> Labels:
    """Counts by label of every case; a failed answer misses all that was expected, or for a compared baseline finds it.

    Counts are whole numbers, scaled so that a case weighs the same whatever its number of repeats.
    """
    scale = math.lcm(*(int(t) for t in np.unique(times[times > 0])))
    known: dict[str, int] = {}
    cases, labels, kinds = [], [], []
    for kind, name in enumerate(("found", "invented", "missing")):
        shown = [_shown(records[row], scored.scores[row], scored.failed[row], role, name) for row in rows]
        cases.append(np.repeat(case_of, [len(found) for found in shown]))
        labels += [known.setdefault(label, len(known)) for label in chain.from_iterable(shown)]
        kinds.append(np.full(len(cases[-1]), kind))
    row, column = np.concatenate(cases), np.concatenate(kinds)
    counts = np.zeros((len(row), 3))
    counts[np.arange(len(row)), column] = scale // times[row]
    return Labels(list(known), row, np.array(labels, dtype=np.int64), counts)


def _shown(record: Record, score: Score | None, failed: bool, role: Role, name: str) -> Sequence[str]:
    """Labels that one answer found, invented or missed."""
    if failed:
        outcome = "found" if role == "baseline" else "missing"
        return list(dict.fromkeys(record.case.expected)) if name == outcome else ()
    return score.extracted.get(name, ()) if score is not None else ()
