"""Fills metrics.json: levels of every variant, and tuned against baseline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.schema import BASELINE, CANDIDATE, ComparisonRow, Metric, MetricRow, Metrics
from harness.stats.estimates import estimate
from harness.stats.observations import Answers, VariantScores, in_slice, observations, reading
from harness.stats.paired import compare
from harness.stats.pairs import pair


def summarise(
    records_by_variant: Mapping[str, Answers],
    metrics: Sequence[Metric],
    slices: Iterable[str],
    suite: str,
) -> Metrics:
    """Levels for every variant and metric, over the whole suite and every value of every slice tag.

    Comparisons are made where there are records of both `tuned` and `baseline`.
    """
    read = {variant: reading(records) for variant, records in records_by_variant.items()}
    levels: list[MetricRow] = []
    comparisons: list[ComparisonRow] = []
    for tag, value in parts(read, slices):
        where: dict[str, Any] = {"suite": suite, "slice": tag, "slice_value": value}
        part = {variant: in_slice(records, tag, value) for variant, records in read.items()}
        for metric in metrics:
            observed = {variant: observations(records, metric) for variant, records in part.items() if records}
            levels += [
                MetricRow(variant=variant, metric=metric.name, estimate=estimate(level, metric), **where)
                for variant, level in observed.items()
            ]
            if BASELINE in observed and CANDIDATE in observed:
                baseline = observed[BASELINE]
                if baseline.errors:
                    baseline = observations(part[BASELINE], metric, "baseline")
                comparison = compare(pair(observed[CANDIDATE], baseline, metric))
                comparisons.append(ComparisonRow(comparison=comparison, **where))
    return Metrics(metrics=levels, comparisons=comparisons)


def parts(read: Mapping[str, VariantScores], slices: Iterable[str]) -> Iterator[tuple[str | None, str | None]]:
    """The whole suite, then every value of every slice tag."""
    yield None, None
    for tag in slices:
        for value in sorted(set[str]().union(*(records.values(tag) for records in read.values()))):
            yield tag, value
