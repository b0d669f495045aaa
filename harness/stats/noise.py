"""How far a metric moves when the same checkpoint is asked twice, and which scores flip."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.schema import BASELINE, CANDIDATE, Metric, NoiseFloor, Record
from harness.stats.intervals import critical
from harness.stats.observations import Answers, in_slice, observations, reading
from harness.stats.pairs import Pairs, case_gains, level_of, pair
from harness.stats.summary import parts


def floors(records: Mapping[str, Answers], metrics: Sequence[Metric], slices: Iterable[str]) -> list[NoiseFloor]:
    """The floor of every metric, over the whole suite and every slice value; `records` are both passes by variant."""
    noise_floors = []
    read = {variant: reading(answers) for variant, answers in records.items()}
    for tag, value in parts(read, slices):
        for metric in metrics:
            pairs = _pairs({v: in_slice(r, tag, value) for v, r in read.items()}, metric)
            named = {"metric": metric.name, "slice": tag, "slice_value": value, "flips": len(_changed(pairs))}
            noise_floors.append(_floor(pairs, named))
    return noise_floors


def _floor(pairs: Pairs, named: dict[str, Any]) -> NoiseFloor:
    """The change between the passes with t(C-1) and the jackknife error over clusters (Miller 1974).

    Nothing guards it against few flips, as a test of a claim is guarded: where nothing flips, no noise was seen.
    """
    named |= {"cases": len(pairs.tuned), "contracts": pairs.count}
    if pairs.unusable or pairs.values is None:
        return NoiseFloor(level=None, change=None, low=None, high=None, **named)
    level, count = level_of(pairs.metric), pairs.count
    second, first = (level(sums.sum(axis=0) - sums) for sums in pairs.sums)
    change, without = pairs.values[0] - pairs.values[1], second - first
    named |= {"level": pairs.values[1], "change": change}
    if count < 2 or np.isnan(without).any():
        return NoiseFloor(low=None, high=None, **named)
    se = float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))
    half = critical(0.95, "two", count - 1) * se
    return NoiseFloor(low=change - half, high=change + half, **named)


def flips(records: Mapping[str, Answers], metric: Metric) -> list[str]:
    """Ids of the cases whose score is not the same in both passes, in the order of the second."""
    return _changed(_pairs(records, metric))


def repeat_flips(records: Iterable[Record], metric: Metric) -> list[str]:
    """Ids of the cases whose answers of one variant do not all have the same score, in the order of the first."""
    seen: dict[str, list[Record]] = {}
    for record in records:
        seen.setdefault(record.case.id, []).append(record)
    flipped = []
    for case_id, repeats in seen.items():
        scores = [observations([r], metric).cases for r in repeats]
        known = [(c[0].numerator, c[0].denominator, c[0].labels) for c in scores if c]
        if any(score != known[0] for score in known):
            flipped.append(case_id)
    return flipped


def _pairs(records: Mapping[str, Answers], metric: Metric) -> Pairs:
    """Second pass (the candidate's) against the first; errors count as wrong in both, as nothing is claimed."""
    second, first = (observations(records.get(v, ()), metric) for v in (CANDIDATE, BASELINE))
    return pair(second, first, metric)


def _changed(pairs: Pairs) -> list[str]:
    if not pairs.tuned:
        return []
    return [pairs.tuned[i].case_id for i in np.flatnonzero(case_gains(pairs))]
