"""The cases that two variants both answered, side by side: their scores, and what each case gained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.schema import Metric
from harness.stats import cluster_variance, permutation
from harness.stats.estimates import OVER_LABELS, label_parts
from harness.stats.intervals import Array, ClusterSums, contrast, of_ratio
from harness.stats.observations import Observations
from harness.stats.score_table import Cases, key_parts, label_names


@dataclass(frozen=True)
class Pairs:
    """Cases that both variants answered and that were scored for both."""

    metric: Metric
    tuned: Cases
    """In the order of the tuned variant."""
    baseline: Cases
    """The same cases, row by row."""
    errors: int
    """Answers that the engine failed to give, of both variants."""
    unscored: int
    """Answers without a score, of both variants."""
    lost: int
    """Those of the tuned variant in cases where the baseline has a score."""
    lost_baseline: int
    """Those of the baseline in cases where the tuned variant has a score."""
    baseline_records: int
    """Answers of the baseline, repeats included."""
    too_many_errors: str | None
    """Which variant the engine failed on too often, or None."""
    changed_inputs: int
    """Case ids that both have with different inputs; they are not compared."""

    @property
    def unusable(self) -> str | None:
        """Why nothing is compared, or None."""
        if self.too_many_errors or not self.tuned:
            return self.too_many_errors or "no case was answered and scored for both variants"
        return None if self.values else "it is not defined for both variants"

    @property
    def count(self) -> int:
        """Clusters."""
        return self.tuned.cluster_count

    @cached_property
    def counted(self) -> Array:
        """How much either variant counts in each cluster."""
        return np.asarray(self.tuned.sums[:, 1] + self.baseline.sums[:, 1])

    @property
    def effective(self) -> float:
        """Clusters of one size that tell as much."""
        return cluster_variance.effective(self.counted / self.counted.sum())

    @cached_property
    def sums(self) -> tuple[Array, Array]:
        """Cluster sums of (tuned, baseline): numerator and denominator, or label counts for a mean over labels."""
        if not self.metric.over_labels:
            return self.tuned.sums, self.baseline.sums
        names = label_names(self.tuned, self.baseline)
        scales = [1 if cases.labels is None else cases.labels.scale for cases in (self.tuned, self.baseline)]
        common = math.lcm(*scales)  # A test exchanges the sums, so that a case must weigh the same in both.
        tuned, baseline = (
            cases.label_sums(names) * (common // scale)
            for cases, scale in zip((self.tuned, self.baseline), scales, strict=True)
        )
        return tuned, baseline

    @cached_property
    def parts(self) -> tuple[ClusterSums, ClusterSums]:
        """What each cluster adds to the metric of (tuned, baseline), to first order."""
        if not self.metric.over_labels:
            is_counted = self.metric.kind == "ratio" and self.is_rate
            return of_ratio(self.sums[0], is_counted), of_ratio(self.sums[1], is_counted)
        weights = np.bincount(self.tuned.clusters) / len(self.tuned)
        tuned, baseline = (label_parts(sums, weights, self.metric.kind) for sums in self.sums)
        return tuned, baseline

    def change(self, factor: float = 1.0) -> tuple[ClusterSums, ClusterSums]:
        """Parts of tuned - factor * baseline: to first order, and those that show how many clusters carry it.

        To first order a mean over labels also moves in clusters without a change, whose labels are not as in others.
        """
        tuned, baseline = self.parts
        whole = contrast(tuned, baseline, factor)
        if not self.metric.over_labels:
            return whole, whole
        is_same = (self.sums[0] == self.sums[1]).all(axis=1)
        return whole, replace(whole, added=np.where(is_same, (1 - factor) * baseline.added, whole.added))

    @cached_property
    def values(self) -> tuple[float, float] | None:
        """The metric of (tuned, baseline) on these cases, or None where one of them is not defined."""
        if not self.tuned:
            return None
        level = level_of(self.metric)
        tuned, baseline = (float(level(side.sum(axis=0)[None, :])[0]) for side in self.sums)
        return None if np.isnan(tuned) or np.isnan(baseline) else (tuned, baseline)

    @cached_property
    def is_rate(self) -> bool:
        """A ratio or mean whose cases all lie in [0, 1] for both variants, and of which none can be over 1."""
        if self.metric.kind == "mean":
            return self.metric.is_share is True
        is_bounded = self.metric.kind == "ratio" and not self.metric.unbounded
        return is_bounded and self.tuned.is_share and self.baseline.is_share

    @property
    def most(self) -> float:
        """What one case may add to a rate without an upper end, in units of the rate; 0 for other metrics."""
        if self.is_rate or self.metric.kind != "ratio":
            return 0.0
        return self.metric.most * 2 * len(self.tuned) / float(self.counted.sum())


def pair(tuned: Observations, baseline: Observations, metric: Metric) -> Pairs:
    """Join two variants; read `baseline` with the role 'baseline', so that its errors count as right.

    Cases in which neither variant has anything to count are left out.
    """
    own, other = tuned.table, baseline.table
    place = other.place_of(own)
    both = np.flatnonzero(place >= 0)
    both = both[own.denominators[both] + other.denominators[place[both]] > 0]
    kept, alone = own.take(both), own.numbers[place < 0]
    ids = {key_parts(other.keys[i])[0] for i in other.numbers} if len(alone) else set()
    sides = (("tuned", tuned), ("baseline", baseline))
    too_many = [f"{name}: {side.too_many_errors}" for name, side in sides if side.too_many_errors]
    return Pairs(
        metric=metric,
        tuned=kept,
        baseline=other.take(place[both], clusters_of=kept),
        errors=tuned.errors + baseline.errors,
        unscored=tuned.unscored + baseline.unscored,
        lost=_unscored_by_one(tuned, other),
        lost_baseline=_unscored_by_one(baseline, own),
        baseline_records=baseline.records,
        too_many_errors=too_many[0] if too_many else None,
        changed_inputs=sum(key_parts(own.keys[i])[0] in ids for i in alone),
    )


def _unscored_by_one(side: Observations, other: Cases) -> int:
    """Answers of one variant without a score, in cases where the other has one."""
    scored = {other.keys[i] for i in other.numbers} if side.unscored else set()
    return sum(key in scored for key in side.unscored_keys)


def level_of(metric: Metric) -> permutation.Statistic:
    """Totals (rows, columns) to the metric's level a row; NaN where it is not defined."""
    return OVER_LABELS.get(metric.kind, _ratio)


def _ratio(totals: Array) -> Array:
    above, below = totals[:, 0], totals[:, 1]
    ratios: Array = np.divide(above, below, out=np.full(len(totals), np.nan), where=below > 0)
    return ratios


def scores(pairs: Pairs) -> tuple[Array, Array]:
    """Each case's own score for (tuned, baseline); NaN where it counts nothing."""
    is_labels = pairs.metric.over_labels
    names = label_names(pairs.tuned, pairs.baseline) if is_labels else []

    def of(cases: Cases) -> Array:
        ratios = (cases.numerators, cases.denominators)
        return level_of(pairs.metric)(cases.label_sums(names, by_case=True) if is_labels else np.column_stack(ratios))

    return of(pairs.tuned), of(pairs.baseline)


def gains(metric: Metric, tuned: Array, baseline: Array) -> Array:
    """Improvement from `baseline` to `tuned` scores, row by row; positive is better, 0 where one is not defined.

    A row without anything to count is taken as free of fault for labels and where fewer is better.
    """
    if metric.over_labels:
        tuned, baseline = np.nan_to_num(tuned, nan=1.0), np.nan_to_num(baseline, nan=1.0)
    elif not metric.higher_is_better:
        tuned, baseline = np.nan_to_num(tuned, nan=0.0), np.nan_to_num(baseline, nan=0.0)
    gain = np.nan_to_num(tuned - baseline, nan=0.0)
    gain[np.abs(gain) < 1e-12] = 0.0
    return gain if metric.higher_is_better else -gain


def case_gains(pairs: Pairs) -> Array:
    """Improvement of each case."""
    return gains(pairs.metric, *scores(pairs))


def changed_clusters(pairs: Pairs, least: float = 0.0) -> tuple[int, int]:
    """Clusters whose score changed, and those that got worse, by `least` or more."""
    level = level_of(pairs.metric)
    gain = gains(pairs.metric, level(pairs.sums[0]), level(pairs.sums[1]))
    gain[np.abs(gain) < least] = 0.0
    return int((gain != 0).sum()), int((gain < 0).sum())
