"""Turns observations into the level of one metric with its interval. Knows one variant at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.schema import Estimate, Metric, Observation, Record, Score, Side
from harness.stats import intervals, permutation
from harness.stats.intervals import Array, ClusterSums, Codes, Interval
from harness.stats.score_columns import ABSENT, OUTCOMES, ScoreColumns, Small, VariantColumns, read, read_all
from harness.stats.score_table import UNEXPECTED, Cases, Labels, codes, label_names, ratio_arrays

__all__ = [
    "UNEXPECTED",
    "Answers",
    "Observations",
    "VariantScores",
    "codes",
    "in_slice",
    "observations",
    "ratio_arrays",
    "reading",
    "readings",
]

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
    """The scores that one scorer gave to every answer."""

    scores: ScoreColumns
    """Its columns."""
    failed: NDArray[np.bool_]
    """The engine gave no answer, or the scorer raised on it."""
    counted: NDArray[np.bool_]
    """Failed, or scored with a value."""


class MetricScores(NamedTuple):
    """One metric of a whole variant."""

    cases: Cases
    """Those that are scored."""
    scored: Scored


class VariantScores:
    """The answers of one variant, or of a slice of it, read once for all metrics, rules and slices."""

    def __init__(self, columns: VariantColumns, whole: VariantScores | None = None, rows: Small | None = None) -> None:
        self._columns = columns
        self._part_of = whole
        self._rows = np.arange(len(columns.case), dtype=np.int32) if rows is None else rows
        self._read: dict[tuple[Metric, Role], MetricScores] = {}
        self._scorers: dict[str, Scored] = {}
        self._labels: dict[tuple[str, Role], Labels] = {}

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
        found = np.zeros(len(self._columns.cases.keys), dtype=np.bool_)
        found[self._columns.case[self._rows]] = True
        return found

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
        read = self._whole._of(metric, role)
        cases, scored = read.cases, read.scored
        if self._part_of is not None:
            cases = cases.take(self._cases[cases.numbers])
        return Observations(
            cases=cases,
            records=len(self),
            errors=int(scored.failed[self._rows].sum()),
            unscored=len(self) - int(scored.counted[self._rows].sum()),
        )

    def _of(self, metric: Metric, role: Role) -> MetricScores:
        if metric.scorer not in self._scorers:
            self._scorers[metric.scorer] = _scored(self._columns, metric.scorer)
        scored = self._scorers[metric.scorer]
        if not scored.failed.any():
            role = "candidate"  # The roles differ in failed answers alone, so that without any they share one table.
        if (metric, role) not in self._read:
            self._read[metric, role] = self._reads(metric, role, scored)
        return self._read[metric, role]

    def _reads(self, metric: Metric, role: Role, scored: Scored) -> MetricScores:
        """Average every case's repeats; a case that no answer scores is left out."""
        columns = self._columns
        rows, count = np.flatnonzero(scored.counted), len(columns.cases.keys)
        case_of = columns.case[rows]
        times = np.bincount(case_of, minlength=count)
        above, below = _counts(columns, metric, role, scored, rows)
        if metric.over_labels and (metric.scorer, role) not in self._labels:
            self._labels[metric.scorer, role] = _labels(columns, role, scored, times)
        repeats = np.maximum(times, 1)
        cases = Cases(
            keys=columns.cases.keys,
            numbers=columns.cases.numbers,
            clusters=columns.cases.clusters,
            cluster_numbers=np.arange(len(columns.cases.cluster_names)),
            cluster_names=columns.cases.cluster_names,
            numerators=np.bincount(case_of, weights=above, minlength=count) / repeats,
            denominators=np.bincount(case_of, weights=below, minlength=count) / repeats,
            errors=np.bincount(case_of, weights=scored.failed[rows], minlength=count) > 0,
            labels=self._labels[metric.scorer, role] if metric.over_labels else None,
        )
        return MetricScores(cases.take(times > 0), scored)


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


def _scored(columns: VariantColumns, scorer: str) -> Scored:
    scores = columns.scores_of(scorer)
    failed = columns.errors | scores.failed
    return Scored(scores, failed, failed | ~np.isnan(scores.values))


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
    above[failed] = below[failed] if is_full else 0.0
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
        (name, _), value = columns.cases.keys.name(columns.case[rows[place]]), values[place]
        raise ValueError(f"metric '{metric.name}' lies in {low:g} to {high:g}, case '{name}' has {value:g}")


def _labels(columns: VariantColumns, role: Role, scored: Scored, times: Codes) -> Labels:
    """Counts by label of every case; a failed answer misses all that was expected, or for a compared baseline finds it.

    Counts are whole numbers, scaled so that a case weighs the same whatever its number of repeats.
    """
    scale = math.lcm(*(int(t) for t in np.unique(times[times > 0])))
    shown = scored.scores.shown
    known = {name: code for code, name in enumerate(shown.names)}
    outcome = OUTCOMES.index("found" if role == "baseline" else "missing")
    failed = [
        (row, label) for row, labels in columns.labels_of_failed.items() if scored.failed[row] for label in labels
    ]
    kept = scored.counted[shown.row] & ~scored.failed[shown.row]
    row = np.concatenate([shown.row[kept], np.array([r for r, _ in failed], dtype=np.int64)])
    code = [known.setdefault(label, len(known)) for _, label in failed]
    column = np.concatenate([shown.outcome[kept], np.full(len(failed), outcome)]).astype(np.int64)
    case_of = columns.case[row]
    counts = np.zeros((len(row), len(OUTCOMES)))
    counts[np.arange(len(row)), column] = scale // times[case_of]
    return Labels(list(known), case_of, np.concatenate([shown.code[kept], np.array(code, dtype=np.int64)]), counts)


Numbers = Any
"""Whole numbers, or arrays of them of one shape."""


def f1(tp: Numbers, fp: Numbers, fn: Numbers) -> tuple[Numbers, Numbers]:
    """Balance of recall and precision, where the label has gold or a prediction."""
    return 2 * tp, 2 * tp + fp + fn


def recall(tp: Numbers, fp: Numbers, fn: Numbers) -> tuple[Numbers, Numbers]:
    """Share of the label's gold that is found, where it has any.

    Its mean is balanced accuracy where each case has one label: an answer that is no label at all lowers its gold
    label's recall.
    """
    return tp, tp + fn


LABEL_RATIOS: dict[str, Callable[[Numbers, Numbers, Numbers], tuple[Numbers, Numbers]]] = {
    "macro_f1": f1,
    "macro_recall": recall,
}
"""True positives, false positives and false negatives to what stands above and below a label's line, by `Metric.kind`.

A label with 0 below has no number and is not in the mean.
"""


def estimate(found: Observations, metric: Metric, level: float = 0.95, side: Side = "two") -> Estimate:
    """The level of `metric`; not measured where nothing was scored or the engine failed too often.

    `side` other than `two` spends all error on one side and still fills both bounds, each one-sided at `level`.
    """
    left_out: dict[str, Any] = {"errors": found.errors, "unscored": found.unscored, "level": level, "side": side}
    cases = found.table.counted
    if found.too_many_errors or not cases:
        return Estimate(value=None, reason=found.too_many_errors or _why_empty(found, metric), **left_out)
    if metric.over_labels:
        return _over_labels(cases, metric, left_out)
    numerators, denominators, clusters = cases.numerators, cases.denominators, cases.clusters
    named = {"clusters": cases.cluster_count, **left_out}
    value = float(numerators.sum() / denominators.sum())
    if metric.kind == "mean":
        made = _bounded_mean(numerators, clusters, metric.limits, level, side)
    elif cases.is_share:
        made = intervals.proportion(numerators, denominators, clusters, level, side)
    elif named["clusters"] < 2:
        return Estimate(value=value, n=len(cases), method="one cluster: no interval", **named)
    else:
        whole = intervals.of_ratio(cases.sums)
        made = _with_deff(intervals.unbounded(whole, level, side), whole, numerators, denominators)
    return Estimate(
        value=value,
        low=made.low,
        high=made.high,
        n=round(float(denominators.sum())),
        n_eff=made.n_eff,
        deff=made.deff,
        method=made.method,
        **named,
    )


def _bounded_mean(scores: Array, clusters: Codes, limits: tuple[float, float], level: float, side: Side) -> Interval:
    """Score interval of a mean of real scores inside their range; a proportion where every score is at an end of it."""
    lowest, width = limits[0], limits[1] - limits[0]
    shares, ones = (scores - lowest) / width, np.ones_like(scores)
    if bool(np.all((shares == 0) | (shares == 1))):
        made = intervals.proportion(shares, ones, clusters, level, side)
    elif int(clusters.max()) == 0:
        return Interval(*limits, 1.0, None, "one cluster")
    else:
        whole = intervals.of_ratio(np.column_stack([np.bincount(clusters, weights=w) for w in (shares, ones)]))
        made = _with_deff(intervals.bounded(whole, level, side), whole, shares, ones)
    return replace(made, low=lowest + width * made.low, high=lowest + width * made.high)


def _with_deff(made: Interval, whole: ClusterSums, numerators: Array, denominators: Array) -> Interval:
    """The interval with its design effect: variance over that of as many independent cases with these scores."""
    n = len(numerators)
    _, residuals = intervals.ratio_residuals(numerators, denominators)
    independent = n / max(1, n - 1) * float(residuals @ residuals)
    deff = whole.variance / independent if independent > 0 else 1.0
    limit = made.n_eff if made.method.endswith("guard") and made.n_eff is not None else np.inf
    return replace(made, deff=deff, n_eff=float(min(n / max(1.0, deff), limit)))


def _why_empty(found: Observations, metric: Metric) -> str:
    if not found.records:
        return "no answers"
    if not found.cases:
        return f"none of {found.records} answers has a score by '{metric.scorer}'"
    return f"no case counts towards '{metric.name}': every '{metric.denominator}' is 0"


def _over_labels(cases: Cases, metric: Metric, left_out: dict[str, Any]) -> Estimate:
    """A mean over labels, with the score interval of its linearised parts."""
    named = {"n": len(cases), "clusters": cases.cluster_count, **left_out}
    names = label_names(cases)
    sums = cases.label_sums(names)
    value = float(OVER_LABELS[metric.kind](sums.sum(axis=0)[None, :])[0]) if names else float("nan")
    if np.isnan(value):
        return Estimate(value=None, reason="no label is expected or predicted anywhere", **named)
    low, high, method = 0.0, 1.0, "one cluster"
    if cases.cluster_count > 1:
        whole = label_parts(sums, np.bincount(cases.clusters) / len(cases), metric.kind)
        made = intervals.bounded(whole, left_out["level"], left_out["side"], _most_by_labels(sums, metric))
        low, high, method = made.low, made.high, made.method
    return Estimate(value=value, low=low, high=high, method=method + left_out_of_mean(cases, metric), **named)


def left_out_of_mean(cases: Cases, metric: Metric) -> str:
    """Names the labels of the metric's list that have no number here: no gold, and for F1 no prediction either."""
    counted: set[str] = set()
    if cases.labels is not None:
        _, below = LABEL_RATIOS[metric.kind](*cases.labels.counts.T)
        counted = {cases.labels.names[code] for code in np.unique(cases.labels.code[below > 0])}
    names = [label for label in metric.labels if label not in counted]
    return f"; without {', '.join(names)}, which do not occur" if names else ""


def _most_by_labels(sums: Array, metric: Metric) -> float:
    """Independent cases that a mean over labels can be worth where one of them is in fewer than ten clusters.

    Such a label is a part of the mean as large as any other: the mean of K labels in n_k clusters each is worth
    K^2 / sum(1 / n_k) of them, the number whose variance is theirs together, and no more than there are.
    """
    _, below = LABEL_RATIOS[metric.kind](*np.split(sums, 3, axis=1))
    holders = (below > 0).sum(axis=0)
    holders = holders[holders > 0]
    if holders.min() >= intervals.FEW_CLUSTERS_WITH_EVENT:
        return np.inf
    return min(float(len(sums)), float(len(holders) ** 2 / (1 / holders).sum()))


def label_parts(sums: Array, weights: Array, kind: str) -> ClusterSums:
    """Linearised parts of a mean over labels: the mean of each label's ratio is moved by (n_k - ratio_k * d_k) / D_k.

    `sums` has shape (clusters, 3 * labels), as `Cases.label_sums` has it; `weights` is each cluster's share of cases.
    """
    above, below = LABEL_RATIOS[kind](*np.split(sums, 3, axis=1))
    total = below.sum(axis=0)
    above, below, total = above[:, total > 0], below[:, total > 0], total[total > 0]
    ratios = above.sum(axis=0) / total
    moved = ((above - ratios * below) / total).mean(axis=1)
    return ClusterSums(moved + ratios.mean() * weights, weights)


def mean_over_labels(totals: Array, kind: str) -> Array:
    """Mean of the ratios of the labels that have one, a number a row; NaN where no label has.

    `totals` has shape (rows, 3 * labels) as `Cases.label_sums` lays it out.
    """
    above, below = LABEL_RATIOS[kind](*np.split(totals, 3, axis=1))
    exists = below > 0
    ratios = np.divide(above, below, out=np.zeros(below.shape), where=exists)
    labels = exists.sum(axis=1)
    means: Array = np.divide(ratios.sum(axis=1), labels, out=np.full(len(totals), np.nan), where=labels > 0)
    return means


OVER_LABELS: dict[str, permutation.Statistic] = {kind: partial(mean_over_labels, kind=kind) for kind in LABEL_RATIOS}
"""How each kind of metric that is over labels turns label counts into a number."""


def case_value(record: Record, metric: Metric) -> float | None:
    """One record's share or value of a metric; an error of engine or scorer is the worst, an unscored record None."""
    score = record.scores.get(metric.scorer)
    if record.error is not None or (score is not None and score.failed):
        return metric.limits[0] if metric.higher_is_better else metric.limits[1]
    if score is None or score.value is None:
        return None
    if metric.kind == "mean":
        return score.value
    if metric.over_labels and not metric.numerator:
        return _values_over_labels(score, metric)
    below = 1 if metric.denominator is None else score.counts.get(metric.denominator, 0)
    return score.counts.get(metric.numerator, 0) / below if below else None


def is_wrong(record: Record, metric: Metric) -> bool | None:
    """Whether a record falls short of the best value of a metric; None where the metric does not apply."""
    return falls_short(case_value(record, metric), metric)


def falls_short(value: float | None, metric: Metric) -> bool | None:
    """Whether a record's value of a metric is not its best; None where there is no value."""
    if value is None:
        return None
    return value < metric.limits[1] if metric.higher_is_better else value > metric.limits[0]


def _values_over_labels(score: Score, metric: Metric) -> float | None:
    """The record's labels together, as if they were one."""
    right, extra, missed = (len(score.extracted.get(name, [])) for name in ("found", "invented", "missing"))
    above, below = LABEL_RATIOS[metric.kind](right, extra, missed)
    return above / below if below else None
