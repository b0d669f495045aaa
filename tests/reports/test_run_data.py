"""Look-ups of a run: its primary metric, and the direction that a gate gives a neutral metric."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from harness.schema import Comparison, ComparisonRow, Metric, Metrics, Verdict
from reports.assemble import read
from reports.run_data import RunView
from tests.reports.conftest import Writer
from tests.support.sample import METRICS, SUITE, interval, make_manifest, make_suite, make_verdicts

WORDS = Metric(name="answer_words", scorer="given", numerator="words", unbounded=True)


def view(write_run: Writer, verdicts: Sequence[Verdict], primary: str = "") -> RunView:
    """A run whose first metric is an answer's length, with 12 longer and 5 shorter answers."""
    suite = make_suite(metrics=[WORDS, *METRICS], primary=primary)
    longer = Comparison(metric=WORDS.name, difference=interval(3.0, 1.0, 5.0), wins=12, losses=5)
    metrics = Metrics(comparisons=[ComparisonRow(suite=SUITE, comparison=longer)])
    return read([write_run(manifest=make_manifest(suites=[suite]), metrics=metrics, verdicts=list(verdicts))])


def gate(metric: str, rule: str) -> Verdict:
    return structs.replace(make_verdicts()[0], metric=metric, rule=rule)


@pytest.mark.parametrize(
    ("verdicts", "declared", "primary"),
    [
        ([], "", "clause_recall"),
        ([gate("fabrication_rate", "reduces"), gate("clause_recall", "at_least")], "", "fabrication_rate"),
        ([gate("fabrication_rate", "reduces")], "clause_recall", "clause_recall"),
    ],
)
def test_the_primary_metric_is_declared_or_that_of_the_first_gate(
    write_run: Writer, verdicts: list[Verdict], declared: str, primary: str
) -> None:
    found = view(write_run, verdicts, declared)
    metric = found.primary_metric(found.suites[0])
    assert metric is not None and metric.name == primary


@pytest.mark.parametrize(
    ("rules", "better", "won"),
    [([], "", 12), (["at_least"], "higher", 12), (["at_most"], "lower", 5), (["at_least", "at_most"], "", 12)],
)
def test_a_gate_gives_a_neutral_metric_its_direction(
    write_run: Writer, rules: list[str], better: str, won: int
) -> None:
    found = view(write_run, [gate(WORDS.name, rule) for rule in rules])
    comparison = found.comparison(SUITE, WORDS.name)
    assert found.suites[0].metrics[0].better == better
    assert comparison is not None and comparison.wins == won


def test_a_metric_without_a_greatest_value_is_a_number_even_where_none_exceeds_one(write_run: Writer) -> None:
    found = view(write_run, [])
    assert [found.unit(SUITE, metric) for metric in (WORDS, METRICS[0])] == ["number", "share"]


def test_a_mean_is_a_share_only_on_a_scale_from_0_to_1(write_run: Writer) -> None:
    found = view(write_run, [])
    means = [Metric(name="grade", scorer="s", numerator="", kind="mean", worst=0.0, best=best) for best in (1.0, 5.0)]
    assert [found.unit(SUITE, metric) for metric in means] == ["share", "number"]
