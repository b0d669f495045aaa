"""What each case contributes to a metric: answers averaged over repeats, with failed and unscored ones counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import UserError
from harness.schema import Metric, Observation, Record
from harness.stats.intervals import Array, Codes
from harness.stats.score_columns import ABSENT, OUTCOMES, ScoreColumns, Small, VariantColumns, read, read_all
from harness.stats.score_table import Cases, Labels, key_parts

Role = Literal["candidate", "baseline"]
"""An engine error is wrong for a candidate and for any level on its own, and right for the baseline of a comparison."""

MAX_ERROR_SHARE = 0.01
"""Above this share of answers that the engine failed to give, nothing is measured."""


@dataclass(frozen=True)
class Observations:
    """The cases of one variant for one metric, and what was left out."""

    cases: Sequence[Observation] = ()
    """One per scored case."""
    records: int = 0
    """Answers read, repeats included."""
    errors: int = 0
    """Answers that the engine failed to give, or the scorer to score."""
    unscored: int = 0
    """Answers whose score has no value; left out."""
    unscored_keys: Sequence[str] = ()
    """The case of each of them, where records were read."""

    @classmethod
    def of(cls, shares: Iterable[tuple[str, float, float]]) -> Observations:
        """Observations from (cluster, numerator, denominator) of cases without a name."""
        cases = [
            Observation(case_id=str(i), input_hash="", cluster=cluster, numerator=above, denominator=below)
            for i, (cluster, above, below) in enumerate(shares)
        ]
        return cls(cases=cases, records=len(cases))

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
    """The scores that one scorer gave to every answer."""

    scores: ScoreColumns
    """Its columns."""
    failed: NDArray[np.bool_]
    """The engine gave no answer, or the scorer raised on it."""
    counted: NDArray[np.bool_]
    """Failed, or scored with a value."""


class VariantScores:
    """The answers of one variant, or of a slice of it, read once for all metrics, rules and slices."""

    def __init__(self, columns: VariantColumns, whole: VariantScores | None = None, rows: Small | None = None) -> None:
        self._columns = columns
        self._part_of = whole
        self._rows = np.arange(len(columns.case), dtype=np.int32) if rows is None else rows
        self._read: dict[tuple[Metric, Role], Cases] = {}
        self._scorers: dict[str, Scored] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def _whole(self) -> VariantScores:
        """What this is a part of, or itself; not kept, so that nothing refers to itself and outlives its last use."""
        return self if self._part_of is None else self._part_of

    @cached_property
    def case_count(self) -> int:
        """How many cases have an answer."""
        return int(self._cases.sum())

    @property
    def _cases(self) -> NDArray[np.bool_]:
        """Whether each case has an answer here."""
        has_answer = np.zeros(len(self._columns.cases.keys), dtype=np.bool_)
        has_answer[self._columns.case[self._rows]] = True
        return has_answer

    def values(self, tag: str) -> set[str]:
        """Values that the cases have of a slice tag."""
        names, codes = self._columns.tag(tag)
        return {names[code] for code in np.unique(codes[self._rows]) if code >= 0}

    def part(self, tag: str, value: str | None) -> VariantScores:
        """The answers whose case has this tag value; None takes those whose case has no such tag."""
        names, codes = self._columns.tag(tag)
        wanted = -1 if value is None else names.index(value) if value in names else len(names)
        return VariantScores(self._columns, self._whole, self._rows[codes[self._rows] == wanted])

    def observed(self, metric: Metric, role: Role) -> Observations:
        """Observations for one metric, in the order in which cases are first seen."""
        scored = self._whole._scored(metric.scorer)
        unscored = self._rows[~scored.counted[self._rows]]
        return Observations(
            cases=self._of_part(self._whole._of(metric, role, scored)),
            records=len(self),
            errors=int(scored.failed[self._rows].sum()),
            unscored=len(unscored),
            unscored_keys=[self._columns.cases.keys[case] for case in self._columns.case[unscored]],
        )

    def filled(self, metric: Metric, role: Role) -> Observations:
        """Observations for one metric in which an answer without a score counts as a failed one of this role does."""
        scored = self._whole._scored(metric.scorer)
        lacking = scored.failed | ~scored.counted
        every = Scored(scored.scores, lacking, np.ones_like(lacking))
        return Observations(cases=self._of_part(self._whole._reads(metric, role, every)), records=len(self))

    def _of_part(self, cases: Cases) -> Cases:
        return cases if self._part_of is None else cases.take(self._cases[cases.numbers])

    def _scored(self, scorer: str) -> Scored:
        if scorer not in self._scorers:
            scores = self._columns.scores_of(scorer)
            failed = self._columns.errors | scores.failed
            self._scorers[scorer] = Scored(scores, failed, failed | ~np.isnan(scores.values))
        return self._scorers[scorer]

    def _of(self, metric: Metric, role: Role, scored: Scored) -> Cases:
        if not scored.failed.any():
            role = "candidate"  # The roles differ in failed answers alone, so that without any they share one table.
        if (metric, role) not in self._read:
            self._read[metric, role] = self._reads(metric, role, scored)
        return self._read[metric, role]

    def _reads(self, metric: Metric, role: Role, scored: Scored) -> Cases:
        """Average every case's repeats; a case that no answer scores is left out."""
        columns = self._columns
        rows, count = np.flatnonzero(scored.counted), len(columns.cases.keys)
        case_of = columns.case[rows]
        times = np.bincount(case_of, minlength=count)
        above, below = _counts(columns, metric, role, scored, rows)
        repeats = np.maximum(times, 1)
        cases = Cases(
            keys=columns.cases.keys,
            numbers=columns.cases.numbers,
            clusters=columns.cases.clusters,
            cluster_names=columns.cases.cluster_names,
            numerators=np.bincount(case_of, weights=above, minlength=count) / repeats,
            denominators=np.bincount(case_of, weights=below, minlength=count) / repeats,
            errors=np.bincount(case_of, weights=scored.failed[rows], minlength=count) > 0,
            labels=_labels(columns, role, scored, times) if metric.over_labels else None,
        )
        return cases.take(times > 0)


Answers = Iterable[Record] | VariantScores
"""Records, or what was read from them."""


def reading(records: Answers) -> VariantScores:
    """The records in a form that is read once, however often it is asked for."""
    return records if isinstance(records, VariantScores) else VariantScores(read(records))


def readings(records: Iterable[tuple[str, Record]]) -> dict[str, dict[str, VariantScores]]:
    """By suite and variant, what the records of all suites hold, in the order of their cases.

    Resampling gives one result then, whatever order the answers came in.
    """
    return {
        suite: {variant: VariantScores(columns) for variant, columns in variants.items()}
        for suite, variants in read_all(records).items()
    }


def observations(records: Answers, metric: Metric, role: Role = "candidate") -> Observations:
    """Observations of one variant's records for one metric."""
    return reading(records).observed(metric, role)


def in_slice(records: Answers, tag: str | None, value: str | None) -> VariantScores:
    """Records whose case has this tag value; all of them where `tag` is None."""
    whole = reading(records)
    return whole if tag is None else whole.part(tag, value)


def _counts(columns: VariantColumns, metric: Metric, role: Role, scored: Scored, rows: Codes) -> tuple[Array, Array]:
    """Numerator and denominator of each of these answers."""
    above, below, failed = np.zeros(len(rows)), np.ones(len(rows)), scored.failed[rows]
    if metric.over_labels:
        return above, below
    plain = rows[~failed]
    if metric.kind == "mean":
        above[~failed] = scored.scores.values[plain]
        _check_range(above, metric, columns, rows, failed)
        above[failed] = metric.best if role == "baseline" else metric.worst
        return above, below
    above[~failed] = _count(scored.scores, metric, metric.numerator, plain)
    if metric.denominator is not None:
        below[~failed] = _count(scored.scores, metric, metric.denominator, plain)
        below[failed] = _weights(columns, scored.scores, metric.denominator, rows[failed])
    is_full = (role == "baseline") == metric.higher_is_better
    most = np.divide(above, below, out=np.ones(len(rows)), where=~failed & (below > 0)).max(initial=1.0)
    above[failed] = most * below[failed] if is_full else 0.0  # A rate over 1 is as high as the highest that was seen.
    return above, below


def _weights(columns: VariantColumns, scores: ScoreColumns, denominator: str, rows: Codes) -> Codes:
    """What failed answers weigh: what their scorer counted, or else what was expected, at least 1."""
    expected = columns.expected[rows]
    counted = scores.count(denominator)[rows]
    weights: Codes = np.maximum(np.where(counted == ABSENT, expected, counted), 1)
    return weights


def _count(scores: ScoreColumns, metric: Metric, name: str, rows: Codes) -> Small:
    counts: Small = scores.count(name)[rows]
    lacking = rows[counts == ABSENT]
    if len(lacking):
        counted = [other for other, column in scores.counts.items() if column[lacking[0]] != ABSENT]
        raise ValueError(
            f"metric '{metric.name}' reads the count '{name}' of scorer '{metric.scorer}', which counted "
            f"{', '.join(counted) or 'nothing'}"
        )
    return counts


def _check_range(
    values: Array, metric: Metric, columns: VariantColumns, rows: Codes, failed: NDArray[np.bool_]
) -> None:
    low, high = metric.limits
    for place in np.flatnonzero(~failed & ((values < low) | (values > high)))[:1]:
        (name, _), value = key_parts(columns.cases.keys[columns.case[rows[place]]]), values[place]
        raise UserError(
            f"metric '{metric.name}': the scorer '{metric.scorer}' gave case '{name}' {value:g}, expected {low:g} to "
            f"{high:g}. Correct the scorer, or Metric(worst=..., best=...)"
        )


def _labels(columns: VariantColumns, role: Role, scored: Scored, times: Codes) -> Labels:
    """Counts by label of every case; a failed answer misses all that was expected, or for a compared baseline finds it.

    What was expected are the labels that the scorer itself lists, because a case may spell them otherwise; the case's
    own where it lists none. Counts are whole numbers, scaled so that a case weighs the same whatever its number of
    repeats.
    """
    scale = math.lcm(*(int(t) for t in np.unique(times[times > 0])))
    shown = scored.scores.shown
    known = {name: code for code, name in enumerate(shown.names)}
    outcome = OUTCOMES.index("found" if role == "baseline" else "missing")
    is_listed = scored.failed[shown.row] & (shown.outcome != OUTCOMES.index("invented"))
    failed = list(dict.fromkeys(zip(shown.row[is_listed].tolist(), shown.code[is_listed].tolist(), strict=True)))
    has_listed = {row for row, _ in failed}
    failed += [
        (row, known.setdefault(label, len(known)))
        for row, labels in columns.labels_of_failed.items()
        if scored.failed[row] and row not in has_listed
        for label in labels
    ]
    counts_here = scored.counted[shown.row] & ~scored.failed[shown.row]
    row = np.concatenate([shown.row[counts_here], np.array([r for r, _ in failed], dtype=np.int64)])
    code = np.concatenate([shown.code[counts_here], np.array([c for _, c in failed], dtype=np.int64)])
    column = np.concatenate([shown.outcome[counts_here], np.full(len(failed), outcome)]).astype(np.int64)
    case_of = columns.case[row]
    counts = np.zeros((len(row), len(OUTCOMES)))
    counts[np.arange(len(row)), column] = scale // times[case_of]
    return Labels(list(known), case_of, code, counts, scale)
