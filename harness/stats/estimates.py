"""Turns observations into the level of one metric with its interval. Knows one variant at a time."""

from typing import Any

import numpy as np

from harness.schema import Estimate, Metric, Observation, Side
from harness.stats import intervals, resample
from harness.stats.intervals import Array, Codes, Interval
from harness.stats.observations import Observations, codes, label_matrix, label_names, ratio_arrays


def estimate(found: Observations, metric: Metric, level: float = 0.95, side: Side = "two") -> Estimate:
    """The level of `metric`; not measured where nothing was scored or the engine failed too often.

    `side` other than `two` spends all error on one side and still fills both bounds, each one-sided at `level`.
    """
    left_out: dict[str, Any] = {"errors": found.errors, "unscored": found.unscored, "level": level, "side": side}
    cases = [c for c in found.cases if c.denominator > 0]
    if found.too_many_errors or not cases:
        return Estimate(value=None, reason=found.too_many_errors or _why_empty(found, metric), **left_out)
    clusters = codes(c.cluster for c in cases)
    if metric.over_labels:
        return _over_labels(cases, clusters, metric, left_out)
    numerators, denominators = ratio_arrays(cases)
    named = {"clusters": int(clusters.max()) + 1, **left_out}
    value = float(numerators.sum() / denominators.sum())
    if metric.kind == "mean":
        made = _bounded_mean(numerators, clusters, metric.limits, level, side)
    elif is_proportion(numerators, denominators):
        made = intervals.proportion(numerators, denominators, clusters, level, side)
    else:
        unlimited = intervals.mean(numerators, denominators, clusters, level, side)
        if unlimited is None:
            return Estimate(value=value, n=len(cases), method="one contract: no interval", **named)
        made = unlimited
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


def is_proportion(numerators: Array, denominators: Array) -> bool:
    """Every case's score lies in [0, 1]."""
    return bool(np.all(numerators >= 0) and np.all(numerators <= denominators + 1e-12))


def _bounded_mean(scores: Array, clusters: Codes, limits: tuple[float, float], level: float, side: Side) -> Interval:
    """Clustered t interval of a mean of real scores, inside their range; Wilson where every score is at an end of it.

    Where fewer than ten contracts hold a score other than the commonest one, the error is not known (with equal scores
    it is 0), and the interval is no tighter than Wilson's for as many cases as there are contracts.
    """
    lowest, width = limits[0], limits[1] - limits[0]
    shares = (scores - lowest) / width
    ones, count, mean = np.ones_like(shares), int(clusters.max()) + 1, float(shares.mean())
    by_t = intervals.mean(shares, ones, clusters, level, side)
    if by_t is None:
        return Interval(*limits, 1.0, None, "one contract")
    if bool(np.all((shares == 0) | (shares == 1))):
        made = intervals.proportion(shares, ones, clusters, level, side)
        low, high, n_eff, method = made.low, made.high, made.n_eff, made.method
    else:
        low, high, n_eff, method = max(0.0, by_t.low), min(1.0, by_t.high), by_t.n_eff, by_t.method
        values, times = np.unique(shares, return_counts=True)
        if len(np.unique(clusters[shares != values[times.argmax()]])) < intervals.FEW_CLUSTERS_WITH_EVENT:
            wide = intervals.wilson(mean, count, level, side, count - 1)
            low, high, method = min(low, wide[0]), max(high, wide[1]), f"{method}, few-errors guard"
            n_eff = min(n_eff or count, float(count))
    return Interval(lowest + width * low, lowest + width * high, n_eff, by_t.deff, method)


def _why_empty(found: Observations, metric: Metric) -> str:
    if not found.records:
        return "no answers"
    if not found.cases:
        return f"none of {found.records} answers has a score by '{metric.scorer}'"
    return f"no case counts towards '{metric.name}': every '{metric.denominator}' is 0"


def _over_labels(cases: list[Observation], clusters: Codes, metric: Metric, left_out: dict[str, Any]) -> Estimate:
    """A mean over labels, with the percentile interval of the cluster bootstrap."""
    count = int(clusters.max()) + 1
    named = {"n": len(cases), "clusters": count, **left_out}
    names = label_names(cases)
    sums = cluster_matrix(label_matrix(cases, names), clusters, count)
    mean_of = OVER_LABELS[metric.kind]
    value = float(mean_of(sums.sum(axis=0)[None, :])[0]) if names else float("nan")
    if np.isnan(value):
        return Estimate(value=None, reason="no label is expected or predicted anywhere", **named)
    side, level = left_out["side"], left_out["level"]
    low, high, method = 0.0, 1.0, "one contract"
    if count > 1:
        bounds = resample.percentiles(resample.bootstrap(sums, mean_of), level, one_sided=side != "two")
        low, high = bounds if bounds else (0.0, 1.0)
        method = "cluster bootstrap"
        guard = _label_guard(sums, metric)
        if guard is not None:
            wide = intervals.wilson(value, guard, level, "two" if side == "two" else "lower", max(1, count - 1))
            low, high, method = min(low, wide[0]), max(high, wide[1]), "cluster bootstrap, few-errors guard"
    method += left_out_of_mean(cases, metric)
    return Estimate(value=value, low=low, high=high, method=method, seed=resample.SEED, **named)


def left_out_of_mean(cases: list[Observation], metric: Metric) -> str:
    """Names the labels of the metric's list that have no number here: no gold, and for F1 no prediction either."""
    counted = {
        label
        for case in cases
        for label, (tp, fp, fn) in case.labels.items()
        if tp or fn or (fp and metric.kind == "macro_f1")
    }
    names = [label for label in metric.labels if label not in counted]
    return f"; without {', '.join(names)}, which do not occur" if names else ""


def _label_guard(sums: Array, metric: Metric) -> float | None:
    """Independent cases that the interval may claim at most, or None where resampling sees enough.

    Too little is fewer than ten clusters with a wrong label, or with a right one. For the mean of recalls it is also
    fewer than ten clusters of one label: its recall is a part of the mean as large as any other's, so that the mean of
    K recalls from n_k clusters is worth K^2 / sum(1 / n_k) of them, the number whose variance is theirs together.
    """
    tp, fp, fn = np.split(sums, 3, axis=1)
    right = int((tp.sum(axis=1) > 0).sum())
    missed = fn.sum(axis=1) > 0
    if metric.kind == "macro_f1":
        few = min(right, int((missed | (fp.sum(axis=1) > 0)).sum())) < intervals.FEW_CLUSTERS_WITH_EVENT
        return float(len(sums)) if few else None
    holders = ((tp + fn) > 0).sum(axis=0)
    holders = holders[holders > 0]
    few = min(right, int(missed.sum()), int(holders.min())) < intervals.FEW_CLUSTERS_WITH_EVENT
    return min(float(len(sums)), float(len(holders) ** 2 / (1 / holders).sum())) if few else None


def macro_f1(totals: Array) -> Array:
    """Mean F1 over the labels with gold or prediction, a number a row; NaN where no label has either.

    `totals` has shape (rows, 3 * labels) as `label_matrix` lays it out; F1 = 2TP / (2TP + FP + FN).
    """
    tp, fp, fn = np.split(totals, 3, axis=1)
    below = 2 * tp + fp + fn
    exists = below > 0
    f1 = np.divide(2 * tp, below, out=np.zeros_like(below), where=exists)
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
    recalls = np.divide(tp, gold, out=np.zeros_like(gold), where=exists)
    labels = exists.sum(axis=1)
    means: Array = np.divide(recalls.sum(axis=1), labels, out=np.full(len(totals), np.nan), where=labels > 0)
    return means


OVER_LABELS: dict[str, resample.Statistic] = {"macro_f1": macro_f1, "macro_recall": macro_recall}
"""How each kind of metric that is over labels turns label counts into a number."""


def cluster_matrix(rows: Array, clusters: Codes, count: int) -> Array:
    """Sums of the rows of each cluster, shape (clusters, columns)."""
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(count))
    return np.add.reduceat(rows[order], starts, axis=0)
