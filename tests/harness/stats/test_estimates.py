"""Levels: which interval a metric gets, macro F1, and what is not measured."""

import math
from typing import get_args, get_type_hints

import msgspec
import numpy as np
import pytest
import statsmodels.api as sm
from msgspec import structs
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.schema import Metric, Observation
from harness.stats import intervals
from harness.stats.estimates import LABEL_RATIOS, OVER_LABELS, estimate
from harness.stats.observations import Observations, observations
from tests.support.scored import ACCURACY, LENGTH, MACRO_F1, MACRO_RECALL, OVERLAP, RECALL, answers, observed, record


def labelled(cases):
    """Observations from (cluster, {label: (tp, fp, fn)})."""
    rows = [
        Observation(case_id=str(i), input_hash="h", cluster=c, numerator=0, denominator=1, labels=labels)
        for i, (c, labels) in enumerate(cases)
    ]
    return Observations(cases=rows, records=len(rows))


def random_labels(rng, contracts, labels=15, right=0.8):
    cases = []
    for c in range(contracts):
        present = rng.choice(labels, 3, replace=False)
        found = {f"L{k}": (1, 0, 0) if rng.random() < right else (0, 0, 1) for k in present}
        invented = f"L{rng.integers(labels)}"
        if invented not in found and rng.random() > right:
            found[invented] = (0, 1, 0)
        cases.append((str(c), found))
    return cases


def test_the_estimate_says_its_interval_size_contracts_and_method():
    scores = [1] * 105 + [0] * 15
    order = np.random.default_rng(1).permutation(120)
    made = estimate(observed([scores[i] for i in order], per_contract=3), ACCURACY)
    assert made.clusters == 40 and made.n == 120
    assert repr(made).startswith("0.875 [0.") and "n=120 (40 clusters, wilson at n_eff, n_eff" in repr(made)


def test_nothing_scored_is_not_measured_and_never_zero():
    made = estimate(observations([], ACCURACY), ACCURACY)
    assert made.value is None and made.low is None and made.reason == "no answers"
    assert repr(made) == "not measured (no answers)"


def test_cases_without_claims_stay_out_of_a_ratio():
    found = observations([record(1, 2, claims=2), record(2, 0, claims=0), record(3, 1, claims=2)], RECALL)
    made = estimate(found, RECALL)
    assert made.value == 0.75 and made.n == 4 and made.clusters == 2
    empty = estimate(observations([record(1, 0, claims=0)], RECALL), RECALL)
    assert empty.reason == "no case has anything that it counts"


def test_a_number_without_an_upper_end_solves_the_equation_of_its_score_interval():
    """(value - x)^2 = t^2 * (variance / value) * x at both bounds, with the clustered variance of statsmodels."""
    made = estimate(observations(answers([1] * 40, per_contract=4), LENGTH), LENGTH)
    fit = sm.OLS(10.0 * np.arange(40), np.ones(40)).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(40) // 4, "df_correction": True}
    )
    spread = stats.t.ppf(0.975, 9) ** 2 * fit.bse[0] ** 2 / 195
    assert made.method == "score, rate" and made.value == pytest.approx(195)
    for bound in (made.low, made.high):
        assert (195 - bound) ** 2 == pytest.approx(spread * bound)


def test_a_number_that_can_fall_below_zero_keeps_the_clustered_t_interval():
    scores = np.random.default_rng(2).normal(0.5, 2, size=60)
    made = estimate(observed(list(scores), per_contract=3), LENGTH)
    means = scores.reshape(20, 3).mean(axis=1)
    expected = stats.t.interval(0.95, 19, loc=means.mean(), scale=stats.sem(means))
    assert made.method == "clustered t" and (made.low, made.high) == pytest.approx(expected)


CITATIONS = Metric(name="citations", scorer="answers", numerator="wrong", higher_is_better=False, unbounded=True)


@pytest.mark.parametrize("events", [0, 3])
def test_few_answers_with_events_bound_a_rate_by_their_exact_share_times_the_most_that_one_may_hold(events):
    made = estimate(observed([1.0] * events + [0.0] * (60 - events)), CITATIONS, side="upper")
    share = proportion_confint(events, 60, alpha=0.1, method="beta")[1]
    assert made.high == pytest.approx(5 * share) and made.method.endswith("few-events guard")
    larger = estimate(observed([8.0] * events + [0.0] * (60 - events)), CITATIONS, side="upper")
    assert larger.high >= share * (8 if events else 5) * (1 - 1e-9)


def test_events_are_reckoned_by_the_answer_and_not_by_the_word():
    per_100_words = structs.replace(CITATIONS, denominator="words", most=500.0)
    made = estimate(observed([0.0] * 60, sizes=[20.0] * 60), per_100_words, side="upper")
    assert made.high == pytest.approx(5 * (1 - 0.05 ** (1 / 60)) * 100 / 20)
    clustered = estimate(observed([0.0] * 60, per_contract=3, sizes=[20.0] * 60), per_100_words, side="upper")
    assert clustered.high == pytest.approx(5 * (1 - 0.05 ** (1 / 20)) * 100 / 20)


@pytest.mark.parametrize("each", [1.0, 2.0])
def test_answers_with_one_number_of_events_leave_room_on_both_sides(each):
    made = estimate(observed([each] * 12), CITATIONS)
    share = 1 - 0.025 ** (1 / 12)
    assert (made.low, made.high) == (pytest.approx(each * (1 - share)), pytest.approx(each + 5 * share))


def test_an_unbounded_rate_with_plenty_of_events_has_its_score_interval_alone():
    events = np.random.default_rng(1).poisson(0.5, 200).astype(float)
    made = estimate(observed(events), CITATIONS)
    spread = stats.t.ppf(0.975, 199) ** 2 * stats.sem(events) ** 2 / events.mean()
    assert made.method == "score, rate"
    assert (events.mean() - made.high) ** 2 == pytest.approx(spread * made.high)


@pytest.mark.parametrize(("contracts", "per_contract"), [(30, 1), (60, 1), (60, 3)])
def test_a_rate_exactly_at_its_limit_passes_rarely_where_few_answers_hold_many_events(contracts, per_contract):
    rng = np.random.default_rng(1)
    drawn = (np.repeat(5.0 * (rng.random(contracts) < 0.02), per_contract) for _ in range(400))
    passed = [estimate(observed(d, per_contract), CITATIONS, side="upper").high <= 0.10 for d in drawn]
    assert np.mean(passed) <= 0.07


@pytest.mark.parametrize("contracts", [40, 60, 100])
def test_nearly_equal_scores_are_no_evidence_against_failures_that_were_not_met(contracts):
    """Answers are all but right, or in 3 of 100 contracts wrong: the truth is 97%."""
    scores = [1.0, 0.9999] * (contracts // 2)
    above = estimate(observed(scores), OVERLAP, side="lower")
    below = estimate(observed([1 - score for score in scores]), OVERLAP, side="upper")
    assert above.low == pytest.approx(0.99995 * 0.05 ** (1 / contracts)) and below.high == pytest.approx(1 - above.low)
    rng = np.random.default_rng(1)
    drawn = (np.where(rng.random(contracts) < 0.03, 0.0, scores) for _ in range(400))
    passed = [estimate(observed(d), OVERLAP, side="lower").low >= 0.97 for d in drawn]
    assert np.mean(passed) <= 0.07


def test_a_one_sided_bound_lies_inside_the_two_sided_one():
    found = observed([1] * 90 + [0] * 30, per_contract=3)
    two, lower = estimate(found, ACCURACY), estimate(found, ACCURACY, side="lower")
    assert two.low < lower.low < two.value < lower.high < two.high


@pytest.mark.parametrize("scores", [[], [1], [0], [1, 1], [0, 0], [1, 0], [1] * 30, [0] * 30])
@pytest.mark.parametrize("per_contract", [1, 5, 1000])
@pytest.mark.parametrize("metric", [ACCURACY, RECALL, LENGTH, MACRO_F1, MACRO_RECALL])
def test_edges_give_no_nan_and_no_certainty(scores, per_contract, metric):
    made = estimate(observations(answers(scores, per_contract), metric), metric)
    numbers = [made.value, made.low, made.high, made.n_eff, made.deff]
    assert all(x is None or math.isfinite(x) for x in numbers)
    if metric is not LENGTH and made.value is not None:
        assert made.high - made.low > 0.05


@pytest.mark.parametrize(("metric", "mean"), [(MACRO_F1, (2 / 3 + 2 / 3 + 0) / 3), (MACRO_RECALL, (1 / 2 + 2 / 3) / 2)])
def test_a_mean_over_labels_worked_by_hand(metric, mean):
    """tax is only predicted: an F1 of 0, and no label of the mean of recalls."""
    cases = [("a", {"lien": (1, 0, 0), "tax": (0, 1, 0)}), ("b", {"lien": (0, 0, 1), "deed": (2, 1, 1)})]
    assert estimate(labelled(cases), metric).value == pytest.approx(mean)


def test_labels_that_nothing_expects_count_as_one_in_the_mean():
    few = labelled([("a", {"lien": (1, 0, 0), "x": (0, 1, 0)}), ("b", {"lien": (1, 0, 0)})])
    many = labelled([("a", {"lien": (1, 0, 0), "x": (0, 1, 0), "y": (0, 1, 0)}), ("b", {"lien": (1, 0, 0)})])
    assert estimate(few, MACRO_F1).value == estimate(many, MACRO_F1).value == pytest.approx(0.5)


def test_a_label_without_gold_or_prediction_has_no_f1_and_leaves_the_mean_alone():
    found = labelled([("a", {"lien": (1, 0, 1), "tax": (0, 0, 0)})])
    assert estimate(found, MACRO_F1).value == pytest.approx(2 / 3)
    assert np.isnan(OVER_LABELS["macro_f1"](np.zeros((1, 6)))[0])
    assert np.isnan(OVER_LABELS["macro_recall"](np.array([[0.0, 0, 3, 1, 0, 0]]))[0])


def test_every_kind_of_mean_over_labels_says_what_a_labels_ratio_is():
    kinds = get_args(get_type_hints(Metric)["kind"])
    assert [kind for kind in kinds if kind not in ("ratio", "mean")] == list(LABEL_RATIOS)


@pytest.mark.parametrize("mean", OVER_LABELS.values(), ids=OVER_LABELS)
def test_whole_numbers_that_numpy_holds_as_integers_give_a_mean_too(mean):
    counts = np.array([[1, 0, 0, 2, 1, 1]])
    assert mean(counts) == pytest.approx(mean(counts.astype(float)))


def f1(tp, fp, fn):
    return 2 * tp / (2 * tp + fp + fn)


def recall(tp, fp, fn):
    return tp / (tp + fn) if tp + fn else None


@pytest.mark.parametrize(("metric", "of_label", "seed"), [(MACRO_F1, f1, 3), (MACRO_RECALL, recall, 11)])
def test_bounds_of_a_mean_over_labels_agree_with_a_plain_bootstrap_of_contracts(metric, of_label, seed):
    rng = np.random.default_rng(seed)
    cases = random_labels(rng, 150)
    made = estimate(labelled(cases), metric)

    def plain(drawn):
        totals = {}
        for i in drawn:
            for label, counts in cases[i][1].items():
                totals[label] = np.add(totals.get(label, (0, 0, 0)), counts)
        return np.mean([ratio for t in totals.values() if (ratio := of_label(*t)) is not None])

    drawn = [plain(rng.integers(0, 150, 150)) for _ in range(1500)]
    assert made.method == "score" and made.seed is None
    assert (made.low, made.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.012)


def test_macro_f1_without_an_error_is_bounded_by_the_number_of_contracts():
    found = labelled([(str(i), {"lien": (1, 0, 0)}) for i in range(50)])
    made = estimate(found, MACRO_F1)
    assert made.value == 1.0 and made.low < 0.94 and "guard" in made.method


def test_shuffling_cases_changes_no_bound_of_a_mean_over_labels():
    cases = random_labels(np.random.default_rng(4), 100)
    order = np.random.default_rng(5).permutation(100)
    first, again = estimate(labelled(cases), MACRO_F1), estimate(labelled([cases[i] for i in order]), MACRO_F1)
    assert (again.value, again.low, again.high) == pytest.approx((first.value, first.low, first.high), abs=1e-12)


def test_a_rare_label_widens_the_mean_of_recalls_to_what_its_few_contracts_can_show():
    """Four contracts of one label, all right, and 100 of the other: worth 2^2 / (1/4 + 1/100) = 15.4, not 104."""
    common = [(f"n{i}", {"no": (int(i % 5 > 0), int(i % 5 == 0), int(i % 5 == 0))}) for i in range(100)]
    rare = [(f"y{i}", {"yes": (1, 0, 0)}) for i in range(4)]
    made = estimate(labelled([*common, *rare]), MACRO_RECALL)
    assert made.value == pytest.approx(0.9) and "guard" in made.method
    assert made.low == pytest.approx(intervals.wilson(0.9, 4 / (1 / 4 + 1 / 100), df=103)[0])
    many = [(f"y{i}", {"yes": (int(i % 5 > 0), 0, int(i % 5 == 0))}) for i in range(60)]
    assert estimate(labelled([*common, *many]), MACRO_RECALL).method == "score"


def test_labels_without_a_number_are_named_as_left_out_of_the_mean():
    named = msgspec.structs.replace(MACRO_F1, labels=("lien", "tax", "deed", "note"))
    found = labelled([("a", {"lien": (1, 0, 1), "tax": (0, 1, 0)}), ("b", {"deed": (0, 0, 1)})])
    assert estimate(found, named).method.endswith("; without note, which do not occur")
    recalls = msgspec.structs.replace(MACRO_RECALL, labels=("lien", "tax", "deed", "note"))
    assert estimate(found, recalls).method.endswith("; without tax, note, which do not occur")
    assert "without" not in estimate(found, MACRO_F1).method
