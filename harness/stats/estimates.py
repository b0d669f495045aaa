"""Turns observations into the level of one metric with its interval. Knows one variant at a time."""

from typing import Any

import numpy as np

from harness.schema import Estimate, Metric, Observation, Side
from harness.stats import intervals, resample
from harness.stats.intervals import Array, Codes
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
    if metric.kind == "macro_f1":
        return _macro_f1(cases, clusters, left_out)
    numerators, denominators = ratio_arrays(cases)
    named = {"clusters": int(clusters.max()) + 1, **left_out}
    value = float(numerators.sum() / denominators.sum())
    if is_proportion(numerators, denominators):
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


def _why_empty(found: Observations, metric: Metric) -> str:
    if not found.records:
        return "no answers"
    if not found.cases:
        return f"none of {found.records} answers has a score by '{metric.scorer}'"
    return f"no case counts towards '{metric.name}': every '{metric.denominator}' is 0"


def _macro_f1(cases: list[Observation], clusters: Codes, left_out: dict[str, Any]) -> Estimate:
    count = int(clusters.max()) + 1
    named = {"n": len(cases), "clusters": count, **left_out}
    names = label_names(cases)
    sums = cluster_matrix(label_matrix(cases, names), clusters, count)
    value = float(macro_f1(sums.sum(axis=0)[None, :])[0]) if names else float("nan")
    if np.isnan(value):
        return Estimate(value=None, reason="no label is expected or predicted anywhere", **named)
    side, level = left_out["side"], left_out["level"]
    low, high, method = 0.0, 1.0, "one contract"
    if count > 1:
        bounds = resample.percentiles(resample.bootstrap(sums, macro_f1), level, one_sided=side != "two")
        low, high = bounds if bounds else (0.0, 1.0)
        method = "cluster bootstrap"
        if _few_label_events(sums):
            wide = intervals.wilson(value, count, level, "two" if side == "two" else "lower", count - 1)
            low, high, method = min(low, wide[0]), max(high, wide[1]), "cluster bootstrap, few-errors guard"
    return Estimate(value=value, low=low, high=high, method=method, seed=resample.SEED, **named)


def _few_label_events(sums: Array) -> bool:
    """Fewer than ten clusters hold a wrong label, or fewer than ten hold a right one."""
    right, wrong_by_cluster = sums[:, : sums.shape[1] // 3].sum(axis=1), sums[:, sums.shape[1] // 3 :].sum(axis=1)
    fewest = min(int((right > 0).sum()), int((wrong_by_cluster > 0).sum()))
    return fewest < intervals.FEW_CLUSTERS_WITH_EVENT


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


def cluster_matrix(rows: Array, clusters: Codes, count: int) -> Array:
    """Sums of the rows of each cluster, shape (clusters, columns)."""
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(count))
    return np.add.reduceat(rows[order], starts, axis=0)
