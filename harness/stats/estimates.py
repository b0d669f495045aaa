"""Turns observations into the level of one metric with its interval. Knows one variant at a time."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.schema import Estimate, Metric, Side
from harness.stats import intervals, parts, resample
from harness.stats.intervals import Array, Codes, Interval
from harness.stats.observations import Observations
from harness.stats.parts import Parts
from harness.stats.table import Cases, label_names


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
        return Estimate(value=value, n=len(cases), method="one contract: no interval", **named)
    else:
        whole = parts.of_ratio(cases.sums)
        made = _with_deff(parts.unbounded(whole, level, side), whole, numerators, denominators)
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
        return Interval(*limits, 1.0, None, "one contract")
    else:
        whole = parts.of_ratio(np.column_stack([np.bincount(clusters, weights=w) for w in (shares, ones)]))
        made = _with_deff(parts.bounded(whole, level, side), whole, shares, ones)
    return replace(made, low=lowest + width * made.low, high=lowest + width * made.high)


def _with_deff(made: Interval, whole: Parts, numerators: Array, denominators: Array) -> Interval:
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
    low, high, method = 0.0, 1.0, "one contract"
    if cases.cluster_count > 1:
        whole = label_parts(sums, np.bincount(cases.clusters) / len(cases), metric.kind)
        made = parts.bounded(whole, left_out["level"], left_out["side"], _most_by_labels(sums, metric))
        low, high, method = made.low, made.high, made.method
    return Estimate(value=value, low=low, high=high, method=method + left_out_of_mean(cases, metric), **named)


def left_out_of_mean(cases: Cases, metric: Metric) -> str:
    """Names the labels of the metric's list that have no number here: no gold, and for F1 no prediction either."""
    counted: set[str] = set()
    if cases.labels is not None:
        counted = cases.labels.expected if metric.kind == "macro_recall" else cases.labels.shown
    names = [label for label in metric.labels if label not in counted]
    return f"; without {', '.join(names)}, which do not occur" if names else ""


def _most_by_labels(sums: Array, metric: Metric) -> float:
    """Independent cases that a mean over labels can be worth where one of them is in fewer than ten clusters.

    Such a label is a part of the mean as large as any other: the mean of K labels in n_k clusters each is worth
    K^2 / sum(1 / n_k) of them, the number whose variance is theirs together, and no more than there are.
    """
    tp, fp, fn = np.split(sums, 3, axis=1)
    holders = ((tp + fn + (fp if metric.kind == "macro_f1" else 0)) > 0).sum(axis=0)
    holders = holders[holders > 0]
    if holders.min() >= intervals.FEW_CLUSTERS_WITH_EVENT:
        return np.inf
    return min(float(len(sums)), float(len(holders) ** 2 / (1 / holders).sum()))


def label_parts(sums: Array, weights: Array, kind: str) -> Parts:
    """Linearised parts of a mean over labels: the mean of each label's ratio is moved by (n_k - ratio_k * d_k) / D_k.

    `sums` has shape (clusters, 3 * labels) as `label_matrix` lays it out; `weights` is each cluster's share of cases.
    """
    tp, fp, fn = np.split(sums, 3, axis=1)
    above, below = (2 * tp, 2 * tp + fp + fn) if kind == "macro_f1" else (tp, tp + fn)
    total = below.sum(axis=0)
    above, below, total = above[:, total > 0], below[:, total > 0], total[total > 0]
    ratios = above.sum(axis=0) / total
    moved = ((above - ratios * below) / total).mean(axis=1)
    return Parts(moved + ratios.mean() * weights, weights)


def macro_f1(totals: Array) -> Array:
    """Mean F1 over the labels with gold or prediction, a number a row; NaN where no label has either.

    `totals` has shape (rows, 3 * labels) as `label_matrix` lays it out; F1 = 2TP / (2TP + FP + FN).
    """
    tp, fp, fn = np.split(totals, 3, axis=1)
    below = 2 * tp + fp + fn
    exists = below > 0
    f1 = np.divide(2 * tp, below, out=np.zeros(below.shape), where=exists)
    labels = exists.sum(axis=1)
    means: Array = np.divide(f1.sum(axis=1), labels, out=np.full(len(totals), np.nan), where=labels > 0)
    return means


def macro_recall(totals: Array) -> Array:
    """Mean recall over the labels with gold, a number a row; NaN where no label has any. Shape as for `macro_f1`.

    Balanced accuracy, where each case has one label: an answer that is no label at all lowers its gold label's recall.
    """
    tp, _, fn = np.split(totals, 3, axis=1)
    gold = tp + fn
    exists = gold > 0
    recalls = np.divide(tp, gold, out=np.zeros(gold.shape), where=exists)
    labels = exists.sum(axis=1)
    means: Array = np.divide(recalls.sum(axis=1), labels, out=np.full(len(totals), np.nan), where=labels > 0)
    return means


OVER_LABELS: dict[str, resample.Statistic] = {"macro_f1": macro_f1, "macro_recall": macro_recall}
"""How each kind of metric that is over labels turns label counts into a number."""
