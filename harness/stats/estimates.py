"""Turns observations into the level of one metric with its interval, one variant at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from harness.schema import Estimate, Metric, Record, Score, Side
from harness.stats import intervals, permutation
from harness.stats.cluster_variance import FEW_ERRORS
from harness.stats.intervals import Array, ClusterSums, Codes, Interval
from harness.stats.observations import Observations
from harness.stats.score_table import Cases, label_names

Numbers = Any
"""Whole numbers, or arrays of them of one shape."""


LABEL_RATIOS: dict[str, Callable[[Numbers, Numbers, Numbers], tuple[Numbers, Numbers]]] = {
    "macro_f1": lambda tp, fp, fn: (2 * tp, 2 * tp + fp + fn),
    "macro_recall": lambda tp, fp, fn: (tp, tp + fn),
}
"""True positives, false positives and false negatives to what stands above and below a label's line, by `Metric.kind`.

A label with 0 below has no number and is not in the mean: one without gold, and for F1 without a prediction either. The
mean of recalls is balanced accuracy where each case has one label, and an answer that is no label lowers it too.
"""


def estimate(observed: Observations, metric: Metric, level: float = 0.95, side: Side = "two") -> Estimate:
    """The level of `metric`; not measured where nothing was scored or the engine failed too often.

    `side` other than `two` spends all error on one side and still fills both bounds, each one-sided at `level`.
    """
    left_out: dict[str, Any] = {"errors": observed.errors, "unscored": observed.unscored, "level": level, "side": side}
    cases = observed.table.counted
    if observed.too_many_errors or not cases:
        return Estimate(value=None, reason=observed.too_many_errors or _why_empty(observed, metric), **left_out)
    if metric.over_labels:
        return _over_labels(cases, metric, left_out)
    numerators, denominators, clusters = cases.numerators, cases.denominators, cases.clusters
    named = {"clusters": cases.cluster_count, **left_out}
    value = float(numerators.sum() / denominators.sum())
    if metric.kind == "mean":
        bounds = _bounded_mean(numerators, clusters, metric.limits, level, side)
    elif cases.is_share and not metric.unbounded:
        bounds = intervals.proportion(numerators, denominators, clusters, level, side)
    elif named["clusters"] < 2:
        return Estimate(value=value, n=len(cases), method="one cluster: no interval", **named)
    else:
        whole = intervals.of_ratio(cases.sums)
        most = metric.most * len(cases) / float(denominators.sum())
        bounds = _with_deff(intervals.unbounded(whole, level, side, most), whole, numerators, denominators)
    return Estimate(
        value=value,
        low=bounds.low,
        high=bounds.high,
        n=round(float(denominators.sum())),
        n_eff=bounds.n_eff,
        deff=bounds.deff,
        method=bounds.method,
        **named,
    )


def _bounded_mean(scores: Array, clusters: Codes, limits: tuple[float, float], level: float, side: Side) -> Interval:
    """Score interval of a mean of real scores inside their range; a proportion where every score is at an end of it."""
    lowest, width = limits[0], limits[1] - limits[0]
    shares, ones = (scores - lowest) / width, np.ones_like(scores)
    if bool(np.all((shares == 0) | (shares == 1))):
        bounds = intervals.proportion(shares, ones, clusters, level, side)
    elif int(clusters.max()) == 0:
        return Interval(*limits, 1.0, None, "one cluster")
    else:
        whole = intervals.of_ratio(np.column_stack([np.bincount(clusters, weights=w) for w in (shares, ones)]))
        bounds = _with_deff(intervals.bounded(whole, level, side), whole, shares, ones)
        if side != "two":
            bounds = _with_unseen(bounds, whole, level)
    return replace(bounds, low=lowest + width * bounds.low, high=lowest + width * bounds.high)


def _with_unseen(bounds: Interval, whole: ClusterSums, level: float) -> Interval:
    """The interval, no tighter than where scores at either end that no cluster has are as frequent as they may be.

    Scores that are nearly equal have next to no variance, which says nothing of rare failures that were not met.
    """
    unseen = intervals.rule_of_three(whole.effective, level)
    low, high = whole.value * (1 - unseen), whole.value + (1 - whole.value) * unseen
    return replace(bounds, low=min(bounds.low, low), high=max(bounds.high, high))


def _with_deff(bounds: Interval, whole: ClusterSums, numerators: Array, denominators: Array) -> Interval:
    """The interval with its design effect: variance over that of as many independent cases with these scores."""
    n = len(numerators)
    _, residuals = intervals.ratio_residuals(numerators, denominators)
    independent = n / max(1, n - 1) * float(residuals @ residuals)
    deff = whole.variance / independent if independent > 0 else 1.0
    limit = bounds.n_eff if bounds.method.endswith("guard") and bounds.n_eff is not None else np.inf
    return replace(bounds, deff=deff, n_eff=float(min(n / max(1.0, deff), limit)))


def _why_empty(observed: Observations, metric: Metric) -> str:
    if not observed.records:
        return "no answers"
    if not observed.cases:
        return f"none of {observed.records} answers has a score by '{metric.scorer}'"
    return "no case has anything that it counts"


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
        bounds = intervals.bounded(whole, left_out["level"], left_out["side"], _most_by_labels(sums, metric))
        low, high, method = bounds.low, bounds.high, bounds.method
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
    if holders.min() >= FEW_ERRORS.fewest:
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
    """One record's share or value of a metric; an error of engine or scorer is the worst.

    None for an unscored record, and for an error where a neutral metric has no worst.
    """
    score = record.scores.get(metric.scorer)
    if record.error is not None or (score is not None and score.failed):
        if not metric.better:
            return None
        return metric.limits[0] if metric.higher_is_better else metric.limits[1]
    if score is None or score.value is None:
        return None
    if metric.kind == "mean":
        return score.value
    if metric.over_labels and not metric.numerator:
        return _values_over_labels(score, metric)
    below = 1 if metric.denominator is None else score.counts.get(metric.denominator, 0)
    return score.counts.get(metric.numerator, 0) / below if below else None


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
