"""Turns observations into the level of one metric with its interval. Knows one variant at a time."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from harness.schema import Estimate, Metric, Side
from harness.stats import intervals, parts, resample
from harness.stats.intervals import Array, Codes, Interval
from harness.stats.label_ratios import LABEL_RATIOS
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


def label_parts(sums: Array, weights: Array, kind: str) -> Parts:
    """Linearised parts of a mean over labels: the mean of each label's ratio is moved by (n_k - ratio_k * d_k) / D_k.

    `sums` has shape (clusters, 3 * labels), as `Cases.label_sums` has it; `weights` is each cluster's share of cases.
    """
    above, below = LABEL_RATIOS[kind](*np.split(sums, 3, axis=1))
    total = below.sum(axis=0)
    above, below, total = above[:, total > 0], below[:, total > 0], total[total > 0]
    ratios = above.sum(axis=0) / total
    moved = ((above - ratios * below) / total).mean(axis=1)
    return Parts(moved + ratios.mean() * weights, weights)


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


OVER_LABELS: dict[str, resample.Statistic] = {kind: partial(mean_over_labels, kind=kind) for kind in LABEL_RATIOS}
"""How each kind of metric that is over labels turns label counts into a number."""
