"""What one record says of one metric, and whether it is wrong. Knows no other record and no interval."""

from __future__ import annotations

from harness.schema import Metric, Record, Score
from harness.stats.label_ratios import LABEL_RATIOS


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
        return _over_labels(score, metric)
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


def _over_labels(score: Score, metric: Metric) -> float | None:
    """The record's labels together, as if they were one."""
    right, extra, missed = (len(score.extracted.get(name, [])) for name in ("found", "invented", "missing"))
    above, below = LABEL_RATIOS[metric.kind](right, extra, missed)
    return above / below if below else None
