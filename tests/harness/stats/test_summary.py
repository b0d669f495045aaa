"""What metrics.json holds: levels by variant and slice, and comparisons where there is a baseline."""

import pytest

from harness.stats.summary import summarise
from tests.support.scored import ACCURACY, MACRO_F1, METRICS, answers, record


def sliced(variant, right):
    kinds = ["lease", "deed", "note"]
    return [record(i, r, variant=variant, tags={"kind": kinds[i % 3]}) for i, r in enumerate(right)]


def test_every_variant_metric_and_slice_value_has_a_level():
    records = {"tuned": sliced("tuned", [1] * 30), "keyword_floor": sliced("keyword_floor", [0] * 30)}
    found = summarise(records, METRICS, ["kind"], "legal/clauses")
    assert len(found.metrics) == len(METRICS) * 2 * 4 and found.comparisons == []
    rows = [(r.variant, r.slice, r.slice_value) for r in found.metrics if r.metric == "accuracy"]
    assert rows == [
        (variant, tag, value)
        for tag, value in ((None, None), ("kind", "deed"), ("kind", "lease"), ("kind", "note"))
        for variant in ("tuned", "keyword_floor")
    ]
    assert {r.suite for r in found.metrics} == {"legal/clauses"}
    assert found.metrics[0].estimate.n == 30 and found.metrics[-1].estimate.n == 10


def test_tuned_is_compared_with_the_baseline_on_every_slice():
    records = {"tuned": sliced("tuned", [1] * 30), "baseline": sliced("baseline", [0] * 30)}
    found = summarise(records, [ACCURACY, MACRO_F1], ["kind"], "legal/clauses")
    assert [(c.comparison.metric, c.slice_value) for c in found.comparisons] == [
        (metric, value) for value in (None, "deed", "lease", "note") for metric in ("accuracy", "macro_f1")
    ]
    assert found.comparisons[0].comparison.difference.value == 1
    assert found.comparisons[0].comparison.wins == 30
    assert found.comparisons[0].comparison.ratio.reason == "the baseline's rate is 0, so a ratio to it is not defined"


def test_a_baseline_error_is_wrong_in_its_level_and_right_in_the_comparison():
    baseline = [record(i, 0, variant="baseline", error=i == 0) for i in range(100)]
    found = summarise({"tuned": answers([1] * 100), "baseline": baseline}, [ACCURACY], [], "s")
    levels = {r.variant: r.estimate.value for r in found.metrics}
    assert levels == {"tuned": 1.0, "baseline": 0.0}
    assert found.comparisons[0].comparison.difference.value == pytest.approx(0.99)


def test_a_run_without_answers_has_no_rows():
    assert summarise({"tuned": []}, METRICS, ["kind"], "s").metrics == []
