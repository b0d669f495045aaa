"""What a change comes to in things a reader can count, of the run and in 100."""

import csv

import msgspec
import pytest

from harness.schema import Completion, Estimate, Metric, MetricRow, Metrics, Score
from reports import business, sentences
from reports.assemble import read
from reports.cases.exchange import exchange
from reports.cases.pages import table
from reports.model import Headline, Text
from reports.run_data import RunView
from reports.sections import verdict
from tests.reports.conftest import Writer
from tests.support.sample import (
    METRICS,
    SUITE,
    interval,
    make_manifest,
    make_metrics,
    make_record,
    make_suite,
    make_verdicts,
)


def evidence_of(write_run: Writer, **parts: object) -> RunView:
    return read([write_run(**parts)])


def changed(name: str = "", **estimate: object) -> Metrics:
    """The sample's metrics with another tuned level, or another change, of clause recall."""
    found = make_metrics()
    rows = [
        msgspec.structs.replace(row, estimate=interval(0.883, 0.789, 0.938, **estimate))
        if (row.variant, row.metric, row.slice) == ("tuned", "clause_recall", None) and name == "tuned"
        else row
        for row in found.metrics
    ]
    comparisons = [
        msgspec.structs.replace(
            row,
            comparison=msgspec.structs.replace(
                row.comparison, difference=msgspec.structs.replace(row.comparison.difference, **estimate)
            ),
        )
        if (row.comparison.metric, row.slice) == ("clause_recall", None) and name == "change"
        else row
        for row in found.comparisons
    ]
    return Metrics(metrics=rows, comparisons=comparisons)


@pytest.mark.parametrize(
    ("factor", "add", "expected"), [(10, 0, (9.0, 8.0, 9.5)), (-100, 100, (10.0, 5.0, 20.0)), (0, 3, (3.0, 3.0, 3.0))]
)
def test_an_estimate_is_scaled_with_both_ends_of_its_interval(
    factor: float, add: float, expected: tuple[float, ...]
) -> None:
    found = business.rescaled(interval(0.9, 0.8, 0.95), factor, add)
    assert (found.value, found.low, found.high) == pytest.approx(expected)
    assert (found.n, found.clusters, found.method) == (240, 40, "wilson")


def test_what_is_not_measured_stays_so() -> None:
    found = business.rescaled(Estimate(value=None, reason="nothing was scored"), 10)
    assert (found.value, found.low, found.reason) == (None, None, "nothing was scored")


def test_missed_things_are_the_metrics_own_counts(write_run: Writer) -> None:
    found = evidence_of(write_run)
    # 240 clauses: 88.3% found leaves 28, 70.8% leaves 70.
    said = "misses 42 fewer of 240 clauses in 40 contracts (28, baseline 70)"
    assert business.missed(found, found.suites[0], METRICS[0]) == said


@pytest.mark.parametrize("estimate", [{"errors": 1}, {"n": 239}, {"n": 0}])
def test_nothing_is_counted_where_answers_failed_or_the_things_differ(
    write_run: Writer, estimate: dict[str, int]
) -> None:
    found = evidence_of(write_run, metrics=changed("tuned", **estimate))
    assert business.missed(found, found.suites[0], METRICS[0]) == ""
    (headline,) = (block for block in verdict.section(found).blocks if isinstance(block, Headline))
    assert headline.sentence.startswith("Wrong on 3 fewer of 10 contracts (1, baseline 4)")


def test_a_metric_of_which_no_reader_counts_things_is_left_to_answers(write_run: Writer) -> None:
    found = evidence_of(write_run)
    assert business.missed(found, found.suites[0], METRICS[1]) == ""


def test_a_hundred_contracts_are_labelled_and_carry_the_interval_of_the_change(write_run: Writer) -> None:
    found = evidence_of(write_run)
    # 240 clauses in 40 contracts are 600 in 100; +17.5 points (10.1 to 24.9) of 600.
    said = "105 fewer of 600 clauses missed (95% interval: 61 to 149 fewer)."
    assert business.scaled(found, found.suites[0]) == f"Scaled to 100 contracts: {said}"
    assert any(
        isinstance(block, Text) and block.text.startswith(f"{SUITE}: Scaled to 100 contracts")
        for block in verdict.section(found).blocks
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.02, 0.1, "3 fewer of 600 clauses missed (95% interval: 60 fewer to 12 more)"),
        (-0.1, -0.02, "3 fewer of 600 clauses missed (95% interval: 12 to 60 more)"),
        (0.0, 0.0, "3 fewer of 600 clauses missed (95% interval: 0 to 0 fewer)"),
        (None, None, "3 fewer of 600 clauses missed."),
    ],
)
def test_an_interval_says_on_which_side_its_ends_lie(
    write_run: Writer, low: float | None, high: float | None, said: str
) -> None:
    found = evidence_of(write_run, metrics=changed("change", value=0.005, low=low, high=high))
    assert said in business.scaled(found, found.suites[0])


@pytest.mark.parametrize(
    ("value", "said"),
    [(-0.005, "3 more"), (0.0, "as many"), (0.0005, "0.3 fewer"), (1 / 600, "1 fewer")],
)
def test_a_change_for_the_worse_or_none_is_said_as_such(write_run: Writer, value: float, said: str) -> None:
    found = evidence_of(write_run, metrics=changed("change", value=value, low=None, high=None))
    assert f"Scaled to 100 contracts: {said} of 600 clauses missed" in business.scaled(found, found.suites[0])


def test_one_model_alone_is_scaled_without_a_change(write_run: Writer) -> None:
    metrics = Metrics(metrics=[m for m in make_metrics().metrics if m.variant == "tuned"])
    found = evidence_of(write_run, metrics=metrics)
    # 11.7% of 600, and its interval 6.2% to 21.1%.
    assert business.scaled(found, found.suites[0]) == (
        "Scaled to 100 contracts: 70 of 600 clauses missed (95% interval: 37 to 127)."
    )


@pytest.mark.parametrize("clusters", [9, 100])
def test_few_contracts_are_not_scaled_up_nor_a_hundred_to_themselves(write_run: Writer, clusters: int) -> None:
    found = evidence_of(write_run, metrics=changed("tuned", clusters=clusters))
    assert business.scaled(found, found.suites[0]) == ""


def test_a_share_of_answers_is_scaled_as_answers_that_are_wrong(write_run: Writer) -> None:
    accuracy = Metric(name="accuracy", scorer="clauses", numerator="tp")
    rows = [
        msgspec.structs.replace(row, metric="accuracy")
        for row in make_metrics().metrics
        if row.metric == METRICS[0].name
    ]
    comparisons = [
        msgspec.structs.replace(row, comparison=msgspec.structs.replace(row.comparison, metric="accuracy"))
        for row in make_metrics().comparisons
        if row.comparison.metric == METRICS[0].name
    ]
    manifest = make_manifest(suites=[make_suite(metrics=[accuracy])])
    found = evidence_of(
        write_run, manifest=manifest, metrics=Metrics(metrics=rows, comparisons=comparisons), verdicts=[]
    )
    assert business.scaled(found, found.suites[0]).startswith(
        "Scaled to 100 contracts: 105 fewer of 600 answers wrong (95% interval: 61 to 149 fewer)"
    )


def test_a_share_of_claims_is_not_scaled(write_run: Writer) -> None:
    """How many claims are made depends on the model."""
    verdicts = [v for v in make_verdicts() if v.metric == "fabrication_rate"]
    found = evidence_of(write_run, verdicts=verdicts)
    assert business.scaled(found, found.suites[0]) == ""


@pytest.mark.parametrize(
    ("tuned", "baseline", "said"),
    [
        (12, 15, "misses 3 fewer of 1,200 clauses in 100 contracts (12, baseline 15)"),
        (15, 12, "misses 3 more of 1,200 clauses in 100 contracts (15, baseline 12)"),
        (12, 12, "misses 12 of 1,200 clauses in 100 contracts, as many as the baseline"),
        (1200, 1200, "misses all 1,200 clauses in 100 contracts, like the baseline"),
        (0, 0, "misses none of 1,200 clauses in 100 contracts, like the baseline"),
        (12, None, "misses 12 of 1,200 clauses in 100 contracts"),
    ],
)
def test_the_sentence_says_fewer_more_or_as_many(tuned: int, baseline: int | None, said: str) -> None:
    assert sentences.missed(tuned, baseline, 1200, "clause", "100 contracts") == said


def test_a_hundred_contracts_hold_as_many_without_a_clause_as_the_suite_does(write_run: Writer) -> None:
    metrics = make_metrics()
    rows = [
        msgspec.structs.replace(row, comparison=msgspec.structs.replace(row.comparison, difference=few))
        for row in metrics.comparisons
        for few in [interval(0.175, 0.101, 0.249, n=20, clusters=10)]
    ]
    levels = [
        msgspec.structs.replace(row, estimate=interval(0.9, 0.8, 0.95, n=20, clusters=10)) for row in metrics.metrics
    ]
    records = [make_record(number, variant, "x") for number in range(20) for variant in ("baseline", "tuned")]
    found = evidence_of(write_run, records=records, metrics=Metrics(metrics=levels, comparisons=rows))
    # 20 clauses in 20 contracts, of which 10 hold one: 100 in 100.
    assert business.scaled(found, found.suites[0]).startswith("Scaled to 100 contracts: 18 fewer of 100 clauses missed")


@pytest.mark.parametrize("errors", [0, 1])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_of_several_answers_to_a_case_the_levels_are_said(
    write_run: Writer, errors: int, higher_is_better: bool
) -> None:
    """The first answers, of which a count would be, do not differ."""
    share = Metric(name="share", scorer="clauses", numerator="tp", higher_is_better=higher_is_better)
    rows = [
        MetricRow(suite=SUITE, variant=variant, metric="share", estimate=interval(value, 0.1, 0.9, errors=errors))
        for variant, value in (("baseline", 1.0), ("tuned", 1 / 3))
    ]
    records = [
        make_record(number, variant, "x", found=variant == "baseline" or repeat == 1, repeat=repeat)
        for number in range(10)
        for variant in ("baseline", "tuned")
        for repeat in (1, 2, 3)
    ]
    manifest = make_manifest(suites=[make_suite(metrics=[share], samples=3, primary="share")])
    found = evidence_of(write_run, records=records, manifest=manifest, metrics=Metrics(metrics=rows), verdicts=[])
    assert verdict.sentence(found, found.suites[0]).startswith("Share 33.3% (baseline 100%)")


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (
            Metric(name="grade", scorer="clauses", numerator="", kind="mean", worst=1.0, best=5.0),
            "Grade 4.2 (baseline 2)",
        ),
        (Metric(name="points", scorer="clauses", numerator="tp", unbounded=True), "Points 4.2 (baseline 2)"),
        (Metric(name="coverage", scorer="clauses", numerator="tp", denominator="gold"), "Coverage 4.2 (baseline 2)"),
    ],
)
def test_a_metric_by_which_an_answer_has_a_degree_is_said_as_its_levels(
    write_run: Writer, metric: Metric, said: str
) -> None:
    rows = [
        MetricRow(suite=SUITE, variant=variant, metric=metric.name, estimate=interval(value, 1.5, 4.5))
        for variant, value in (("baseline", 2.0), ("tuned", 4.2))
    ]
    suite = make_suite(metrics=[metric], primary=metric.name)
    found = evidence_of(write_run, manifest=make_manifest(suites=[suite]), metrics=Metrics(metrics=rows), verdicts=[])
    assert verdict.sentence(found, found.suites[0]).startswith(said)


def test_a_baseline_without_an_answer_makes_no_gain(write_run: Writer) -> None:
    failed = Completion(key="k", text="", finish_reason="error", prompt_tokens=1, output_tokens=0, error="engine died")
    accuracy = Metric(name="accuracy", scorer="clauses", numerator="tp")
    records = [
        make_record(number, variant, "x", number != 9, **({"completion": failed} if is_lost else {}))
        for number in range(10)
        for variant in ("baseline", "tuned")
        for is_lost in [variant == "baseline" and (number < 4 or number == 9)]
    ]
    suite = make_suite(metrics=[accuracy], primary="accuracy")
    found = evidence_of(
        write_run, records=records, manifest=make_manifest(suites=[suite]), metrics=Metrics(), verdicts=[]
    )
    assert verdict.sentence(found, found.suites[0]).startswith("Wrong on none of 5 contracts, like the baseline")
    assert {case.kinds for case in found.cases} == {("error",), ("error", "wrong"), ("unchanged",)}
    rows = list(csv.DictReader(table(found.cases, ["accuracy"])))
    assert {row["improvement"] for row in rows if row["shown_for"].startswith("error")} == {""}
    shown = [exchange(case, found.source).why for case in found.cases if case.kinds[0] == "error"]
    assert shown == ["An answer or a score failed"] * 4 + ["An answer or a score failed; wrong"]


def test_wrong_answers_on_which_a_scorer_failed_are_named(write_run: Writer) -> None:
    accuracy = Metric(name="accuracy", scorer="clauses", numerator="tp")
    crashed = {"clauses": Score(name="clauses", value=None, reason="ZeroDivisionError", failed=True)}
    records = [
        make_record(number, variant, "x", variant == "tuned" and number > 3, **({"scores": crashed} if is_lost else {}))
        for number in range(10)
        for variant in ("baseline", "tuned")
        for is_lost in [variant == "tuned" and number < 3]
    ]
    suite = make_suite(metrics=[accuracy], primary="accuracy")
    found = evidence_of(
        write_run, records=records, manifest=make_manifest(suites=[suite]), metrics=Metrics(), verdicts=[]
    )
    said = "Wrong on 6 fewer of 10 contracts (4, baseline 10), and on 3 of these the engine or a scorer failed"
    assert verdict.sentence(found, found.suites[0]).startswith(said)
