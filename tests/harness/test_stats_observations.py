"""What one case contributes: repeats, errors, unscored answers, labels."""

import msgspec
import pytest

from harness.schema import Metric, Score
from harness.stats.estimates import estimate
from harness.stats.observations import in_slice, observations
from tests.harness.scored import ACCURACY, ERROR_RATE, FABRICATION, MACRO_F1, MACRO_RECALL, RECALL, answers, record


def test_five_identical_samples_equal_one():
    once = answers([1, 0, 1, 1] * 10, per_contract=2)
    five = [r for k in range(1, 6) for r in answers([1, 0, 1, 1] * 10, per_contract=2, repeat=k)]
    for metric in (ACCURACY, RECALL, ERROR_RATE, MACRO_F1, MACRO_RECALL):
        assert estimate(observations(five, metric), metric) == estimate(observations(once, metric), metric)


def test_repeats_are_averaged_inside_their_case():
    found = observations([record(1, 1, repeat=1), record(1, 0, repeat=2), record(1, 1, repeat=3)], ACCURACY)
    assert len(found.cases) == 1 and found.records == 3
    assert found.cases[0].numerator == pytest.approx(2 / 3)
    assert found.cases[0].denominator == 1


def test_a_case_with_more_repeats_weighs_no_more_in_macro_f1():
    repeated = [record(1, 0, repeat=k) for k in range(1, 4)]
    found = observations([*repeated, record(2, 1)], MACRO_F1)
    once = observations([record(1, 0), record(2, 1)], MACRO_F1)
    assert estimate(found, MACRO_F1).value == pytest.approx(estimate(once, MACRO_F1).value)


@pytest.mark.parametrize("metric", [ACCURACY, RECALL, ERROR_RATE, FABRICATION])
def test_an_engine_error_is_wrong_for_the_candidate_and_right_for_the_compared_baseline(metric):
    broken = [record(1, 0, claims=3, error=True)]
    wrong = observations(broken, metric).cases[0]
    right = observations(broken, metric, "baseline").cases[0]
    best, worst = (1.0, 0.0) if metric.higher_is_better else (0.0, 1.0)
    assert wrong.numerator / wrong.denominator == worst and wrong.error
    assert right.numerator / right.denominator == best


def test_an_engine_error_weighs_what_was_counted_or_expected_and_at_least_one():
    assert observations([record(1, 0, claims=3, error=True)], RECALL).cases[0].denominator == 3
    assert observations([record(1, 0, claims=0, error=True)], RECALL).cases[0].denominator == 1
    unseen = record(1, 0, error=True, scored_error=False, expected=["lien", "tax", "deed"])
    assert observations([unseen], RECALL).cases[0].denominator == 3


def test_an_engine_error_never_scores_better_than_a_wrong_answer():
    for metric in (ACCURACY, RECALL, ERROR_RATE, FABRICATION, MACRO_F1, MACRO_RECALL):
        right, wrong = [record(i, 1) for i in range(200)], record(200, 0)
        failed = record(200, 0, error=True, scored_error=False)
        of_wrong = estimate(observations([*right, wrong], metric), metric).value
        of_failed = estimate(observations([*right, failed], metric), metric).value
        sign = 1 if metric.higher_is_better else -1
        if metric is MACRO_F1:
            assert of_failed < 1
        else:
            assert sign * of_failed <= sign * of_wrong


def test_an_engine_error_misses_every_expected_label_for_the_candidate():
    broken = [record(1, 0, error=True, scored_error=False)]
    assert observations(broken, MACRO_F1).cases[0].labels == {"lien": (0, 0, 1)}
    assert observations(broken, MACRO_F1, "baseline").cases[0].labels == {"lien": (1, 0, 0)}


def test_unscored_answers_are_left_out_and_counted():
    found = observations([record(1, 1), record(2, None), record(3, 0)], ACCURACY)
    made = estimate(found, ACCURACY)
    assert made.value == 0.5 and made.n == 2 and made.unscored == 1


def test_a_record_that_the_scorer_never_saw_is_unscored():
    other = Metric(name="style", scorer="style", numerator="good")
    found = observations([record(1, 1)], other)
    assert found.cases == [] and found.unscored == 1
    assert estimate(found, other).reason == "none of 1 answers has a score by 'style'"


def test_a_count_that_the_scorer_does_not_make_is_named():
    misspelt = Metric(name="recall", scorer="answers", numerator="rigth")
    with pytest.raises(ValueError, match="'rigth' of scorer 'answers', which counted right, wrong, claims, words"):
        observations([record(1, 1)], misspelt)


def test_errors_over_one_percent_are_not_measured_and_at_one_percent_are():
    at_cap = [record(i, 1, error=i == 0) for i in range(100)]
    over_cap = [record(i, 1, error=i < 2) for i in range(100)]
    assert estimate(observations(at_cap, ACCURACY), ACCURACY).value == pytest.approx(0.99)
    made = estimate(observations(over_cap, ACCURACY), ACCURACY)
    assert made.value is None and made.errors == 2
    assert made.reason == "the engine or the scorer failed on 2 of 100 answers (2.0%); the cap is 1%"


def test_found_missing_and_invented_become_true_positives_and_errors_by_label():
    labels = (["lien", "lien"], ["tax"], ["deed"])
    found = observations([record(1, 1, labels=labels)], MACRO_F1)
    assert found.cases[0].labels == {"lien": (2, 0, 0), "tax": (0, 1, 0), "deed": (0, 0, 1)}


def test_a_slice_holds_the_records_of_its_value_only():
    records = [record(1, 1, tags={"kind": "lease"}), record(2, 1, tags={"kind": "deed"}), record(3, 1)]
    assert [r.case.id for r in in_slice(records, "kind", "lease")] == ["case-1"]
    assert in_slice(records, None, None) == records


@pytest.mark.parametrize("metric", [ACCURACY, RECALL, ERROR_RATE, MACRO_F1, MACRO_RECALL])
def test_a_scorer_that_failed_counts_like_an_engine_error(metric):
    broken = msgspec.structs.replace(
        record(1, 1), scores={"answers": Score(name="answers", value=None, reason="the scorer raised", failed=True)}
    )
    made = estimate(observations([broken, *(record(i, 1) for i in range(2, 200))], metric), metric)
    assert made.errors == 1 and made.unscored == 0
    assert made.value < 1 if metric.higher_is_better else made.value > 0
    assert observations([broken], metric, "baseline").cases[0].error
