"""What one record says of one metric, and whether it is wrong. Knows no other record and no interval."""

from __future__ import annotations

from harness.schema import Metric, Record, Score


def case_value(record: Record, metric: Metric) -> float | None:
    """One record's share or value of a metric; an error of engine or scorer is the worst, an unscored record None."""
    score = record.scores.get(metric.scorer)
    if record.error is not None or (score is not None and score.failed):
        return metric.limits[0] if metric.higher_is_better else metric.limits[1]
    if score is None or score.value is None:
        return None
    if metric.kind == "mean":
        return score.value
    if metric.kind == "macro_f1":
        return _f1(score)
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


def _f1(score: Score) -> float | None:
    right, missed, extra = (len(score.extracted.get(k, [])) for k in ("found", "missing", "invented"))
    below = 2 * right + missed + extra
    return 2 * right / below if below else None
