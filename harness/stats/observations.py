"""Reads records into one observation a case for one metric. Knows no interval.

Repeats are averaged inside their case first, so they never count as cases. An answer that the engine failed to give, or
that the scorer raised on, counts against the claim being made; a score without a value is left out and counted.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct, field

from harness.schema import Metric, Observation, Record, Score
from harness.stats.intervals import Array, Codes

Role = Literal["candidate", "baseline"]
"""An engine error is wrong for a candidate and for any level on its own, and right for the baseline of a comparison."""

Labels = dict[str, tuple[int, int, int]]

MAX_ERROR_SHARE = 0.01
"""Above this share of answers that the engine failed to give, nothing is measured."""


class Observations(Struct, frozen=True, kw_only=True):
    """The cases of one variant for one metric, and what was left out."""

    cases: list[Observation] = field(default_factory=list)
    """One a scored case."""
    records: int = 0
    """Answers read, repeats included."""
    errors: int = 0
    """Answers that the engine failed to give, or the scorer to score."""
    unscored: int = 0
    """Answers whose score has no value; left out."""

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


def observations(records: Iterable[Record], metric: Metric, role: Role = "candidate") -> Observations:
    """Observations of one variant's records, in the order in which cases are first scored."""
    groups: dict[tuple[str, str], list[Record]] = {}
    read = errors = unscored = 0
    for record in records:
        read += 1
        errors += _failed(record, metric)
        if _is_scored(record, metric):
            groups.setdefault((record.case.id, record.input_hash), []).append(record)
        else:
            unscored += 1
    scale = math.lcm(*{len(group) for group in groups.values()})
    return Observations(
        cases=[_observation(group, metric, role, scale) for group in groups.values()],
        records=read,
        errors=errors,
        unscored=unscored,
    )


def _failed(record: Record, metric: Metric) -> bool:
    """The engine gave no answer, or the metric's scorer raised on it."""
    score = record.scores.get(metric.scorer)
    return record.completion.finish_reason == "error" or (score is not None and score.failed)


def _is_scored(record: Record, metric: Metric) -> bool:
    if _failed(record, metric):
        return True
    score = record.scores.get(metric.scorer)
    return score is not None and score.value is not None


def _observation(group: Sequence[Record], metric: Metric, role: Role, scale: int) -> Observation:
    """Average a case's repeats; label counts are whole numbers, scaled so that every case weighs the same."""
    case, labels, above, below, is_error = group[0].case, Labels(), 0.0, 0.0, False
    for record in group:
        is_error = is_error or _failed(record, metric)
        if metric.over_labels:
            below += 1
            _add(labels, _labels(record, metric, role), scale // len(group))
        else:
            counted = _counts(record, metric, role)
            above, below = above + counted[0], below + counted[1]
    return Observation(
        case_id=case.id,
        input_hash=group[0].input_hash,
        cluster=case.cluster,
        numerator=above / len(group),
        denominator=below / len(group),
        error=is_error,
        labels=labels,
    )


def _add(labels: Labels, found: Labels, times: int) -> None:
    for label, (tp, fp, fn) in found.items():
        before = labels.get(label, (0, 0, 0))
        labels[label] = (before[0] + times * tp, before[1] + times * fp, before[2] + times * fn)


def _counts(record: Record, metric: Metric, role: Role) -> tuple[float, float]:
    """Numerator and denominator; an error weighs what its scorer counted, or else what was expected, at least 1."""
    score = record.scores.get(metric.scorer)
    if metric.kind == "mean":
        return _value(record, metric, role), 1.0
    if not _failed(record, metric):
        assert score is not None
        below = 1.0 if metric.denominator is None else float(_count(score, metric, metric.denominator))
        return float(_count(score, metric, metric.numerator)), below
    below = 1.0
    if metric.denominator is not None:
        expected = len(record.case.expected)
        below = float(max(score.counts.get(metric.denominator, expected) if score is not None else expected, 1))
    counts_as_right = role == "baseline"
    return (below if counts_as_right == metric.higher_is_better else 0.0), below


def _value(record: Record, metric: Metric, role: Role) -> float:
    """The score's own value; an error is the worst value, and the best for the baseline of a comparison."""
    if _failed(record, metric):
        limit = metric.best if role == "baseline" else metric.worst
        assert limit is not None
        return limit
    value = record.scores[metric.scorer].value
    low, high = metric.limits
    assert value is not None
    if not low <= value <= high:
        raise ValueError(f"metric '{metric.name}' lies in {low:g} to {high:g}, case '{record.case.id}' has {value:g}")
    return value


def _count(score: Score, metric: Metric, name: str) -> int:
    try:
        return score.counts[name]
    except KeyError:
        raise ValueError(
            f"metric '{metric.name}' reads the count '{name}' of scorer '{metric.scorer}', which counted "
            f"{', '.join(score.counts) or 'nothing'}"
        ) from None


def _labels(record: Record, metric: Metric, role: Role) -> Labels:
    """True positives, false positives and false negatives by label; an error misses or finds all that was expected."""
    if _failed(record, metric):
        outcome = (1, 0, 0) if role == "baseline" else (0, 0, 1)
        return dict.fromkeys(record.case.expected, outcome)
    found: Labels = {}
    extracted = record.scores[metric.scorer].extracted
    for column, name in enumerate(("found", "invented", "missing")):
        for label in extracted.get(name, []):
            before = list(found.get(label, (0, 0, 0)))
            before[column] += 1
            found[label] = (before[0], before[1], before[2])
    return found


UNEXPECTED = "(not expected anywhere)"


def codes(clusters: Iterable[str]) -> Codes:
    """Names to 0..C-1 in order of first appearance."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in clusters], dtype=np.int64)


def ratio_arrays(cases: Sequence[Observation]) -> tuple[Array, Array]:
    """Numerators and denominators, one a case."""
    return (
        np.array([c.numerator for c in cases], dtype=np.float64),
        np.array([c.denominator for c in cases], dtype=np.float64),
    )


def label_matrix(cases: Sequence[Observation], names: Sequence[str]) -> Array:
    """Counts of shape (cases, 3 * labels): all true positives, then false positives, then false negatives."""
    column = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(cases), 3 * len(names)))
    for row, case in enumerate(cases):
        for label, found in case.labels.items():
            matrix[row, column.get(label, len(names) - 1) :: len(names)] += found
    return matrix


def label_names(*groups: Sequence[Observation]) -> list[str]:
    """Every label that is expected anywhere, sorted, then UNEXPECTED where any other is predicted.

    Labels that nothing expects count as one, or a model that rambles in many words would lower a macro mean without
    end and flatter whatever it is compared with.
    """
    labels = {label for group in groups for case in group for label in case.labels}
    expected = {label for group in groups for case in group for label, (tp, _, fn) in case.labels.items() if tp or fn}
    return sorted(expected) + ([UNEXPECTED] if labels - expected else [])


def in_slice(records: Iterable[Record], tag: str | None, value: str | None) -> list[Record]:
    """Records whose case has this tag value; all of them where `tag` is None."""
    return [r for r in records if tag is None or r.case.tags.get(tag) == value]
