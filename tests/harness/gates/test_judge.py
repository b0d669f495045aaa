"""Verdicts: every rule's pass, fail and inconclusive, the order of judgement, slices, Holm, and mutants."""

import math

import numpy as np
import pytest
from msgspec import structs

from harness.gates.judge import NO_BASELINE, unjudged
from harness.gates.rules import COMPARATIVE
from harness.gates.sentences import of_change
from harness.schema import Gate, GateFile, Metric, Objective
from tests.support.scored import METRICS, answers, judged, record

AT_LEAST = Gate(metric="accuracy", rule="at_least", value=0.90)
AT_MOST = Gate(metric="error_rate", rule="at_most", value=0.10)
IMPROVES = Gate(metric="accuracy", rule="improves")
FEWER_ERRORS = Gate(metric="error_rate", rule="improves")
IMPROVES_20_POINTS = Gate(metric="accuracy", rule="improves", margin=0.20)
IMPROVES_30_PERCENT = Gate(metric="accuracy", rule="improves", margin=0.30, unit="relative")
HALVES_ERRORS = Gate(metric="error_rate", rule="improves", margin=0.50, unit="relative")
NO_WORSE = Gate(metric="accuracy", rule="no_worse", margin=0.02)
NO_MORE_ERRORS = Gate(metric="error_rate", rule="no_worse", margin=0.02)
REDUCES = Gate(metric="fabrication", rule="reduces", ratio=0.75)
REDUCES_AT_ALL = Gate(metric="fabrication", rule="reduces", ratio=1.0)
NEVER = Gate(metric="fabrication", rule="never", n_min=300)
F1_AT_LEAST = Gate(metric="macro_f1", rule="at_least", value=0.80)
F1_IMPROVES = Gate(metric="macro_f1", rule="improves")
OWN = {"scorer": "answers", "numerator": "right"}
ALL_GATES = [AT_LEAST, AT_MOST, IMPROVES, IMPROVES_20_POINTS, IMPROVES_30_PERCENT, NO_WORSE, REDUCES, NEVER]
ALL_GATES += [F1_AT_LEAST, F1_IMPROVES, REDUCES_AT_ALL, FEWER_ERRORS, NO_MORE_ERRORS]


def scores(right, of, better=0, worse=0):
    """Tuned and baseline 0/1 scores: `right` of `of` in the tuned, after `better` repairs and `worse` breaks."""
    tuned = np.array([1] * right + [0] * (of - right))
    baseline = tuned.copy()
    baseline[:better] = 0
    if worse:
        baseline[-worse:] = 1
    return list(tuned), list(baseline)


def verdicts(gates, tuned, baseline=None, *, metrics=METRICS, per_contract=1, **more):
    records = {"tuned": tuned if not tuned or hasattr(tuned[0], "case") else answers(tuned, per_contract)}
    if baseline is not None:
        is_made = not baseline or hasattr(baseline[0], "case")
        records["baseline"] = baseline if is_made else answers(baseline, per_contract, variant="baseline")
    return judged(gates, metrics, records, **more)


def verdict(gate, tuned, baseline=None, **more):
    return verdicts([gate], tuned, baseline, **more)[0]


@pytest.mark.parametrize(
    ("gate", "data", "outcome", "said"),
    [
        (AT_LEAST, scores(192, 200), "pass", "96.0% (sure at least 92.9%); at least 90.0% was required."),
        (AT_LEAST, scores(160, 200), "fail", "80.0% (sure at most 84.5%); at least 90.0% was required."),
        (AT_LEAST, scores(184, 200), "inconclusive", "92.0% (could be as low as 88.1%); at least 90.0%"),
        (AT_LEAST, scores(176, 200), "inconclusive", "88.0% (could be as high as 91.6%); at least 90.0%"),
        (AT_MOST, scores(192, 200), "pass", "4.0% (sure at most 7.1%); at most 10.0% was required."),
        (AT_MOST, scores(160, 200), "fail", "20.0% (sure at least 15.5%); at most 10.0% was required."),
        (AT_MOST, scores(184, 200), "inconclusive", "8.0% (could be as high as 11.9%); at most 10.0%"),
        (IMPROVES, scores(190, 200, better=30), "pass", "95.0%, 15.0 points better (sure at worst 10.3 points better)"),
        (IMPROVES, scores(190, 200, better=4), "inconclusive", "95.0%, 2.0 points better (could be 0.3 points worse)"),
        (IMPROVES, scores(150, 200, worse=30), "fail", "75.0%, 15.0 points worse (sure at best 10.3 points worse)"),
        (IMPROVES, scores(150, 200), "fail", "75.0%, no case changed; better than the baseline was"),
        (FEWER_ERRORS, scores(190, 200, better=30), "pass", "5.0%, 15.0 points better (sure at worst 10.3 points"),
        (FEWER_ERRORS, scores(150, 200, worse=30), "fail", "25.0%, 15.0 points worse (sure at best 10.3 points worse)"),
        (IMPROVES_20_POINTS, scores(190, 200, better=60), "pass", "30.0 points better (sure at worst 23.7 points"),
        (IMPROVES_20_POINTS, scores(190, 200, better=44), "inconclusive", "22.0 points better (could be 16.4 points"),
        (IMPROVES_20_POINTS, scores(190, 200, better=20), "fail", "10.0 points better (sure at best 15.0 points"),
        (IMPROVES_30_PERCENT, scores(190, 200, better=60), "pass", "at worst 2.6 points better);"),
        (IMPROVES_30_PERCENT, scores(190, 200, better=46), "inconclusive", "could be 5.7 points worse);"),
        (IMPROVES_30_PERCENT, scores(190, 200, better=20), "fail", "at best 9.3 points worse);"),
        (HALVES_ERRORS, scores(190, 200, better=60), "pass", "12.5 points better than 50% of the baseline's (sure at"),
        (HALVES_ERRORS, scores(150, 200, better=10), "fail", "at best 6.4 points worse);"),
        (NO_WORSE, scores(570, 600, better=12, worse=2), "pass", "1.7 points better (sure at worst 1.0 points worse)"),
        (NO_WORSE, scores(570, 600, worse=30), "fail", "95.0%, 5.0 points worse (sure at best 3.6 points worse)"),
        (NO_WORSE, scores(180, 200, 6, 6), "inconclusive", "5.8 points worse, since scores changed in only 12"),
        (NO_MORE_ERRORS, scores(570, 600, better=12, worse=2), "pass", "1.7 points better (sure at worst 1.0 points"),
        (NO_MORE_ERRORS, scores(570, 600, worse=30), "fail", "5.0%, 5.0 points worse (sure at best 3.6 points worse"),
        (REDUCES, scores(380, 400, better=80), "pass", "5.0%, 20.0% of the baseline's (sure at most 29.6% of it); at"),
        (REDUCES, scores(320, 400, better=30), "inconclusive", "72.7% of the baseline's (could be as high as 81.6% of"),
        (REDUCES, scores(80, 100, better=5), "inconclusive", "80.0% of the baseline's (could be as low as 54.7% of it"),
        (REDUCES, scores(280, 400, better=40, worse=60), "fail", "120% of the baseline's (sure at least 100% of it)"),
        (REDUCES_AT_ALL, scores(320, 400, better=40), "pass", "at most 75.7% of it); less than the baseline's was"),
        (REDUCES_AT_ALL, scores(320, 400), "inconclusive", "100% of the baseline's (could be as high as 105% of it"),
        (NEVER, scores(300, 300), "pass", "found in 0 of 300 cases (sure at most 1.0% of all cases); none in"),
        (NEVER, scores(299, 300), "fail", "found in 1 of 300 cases (case-299); none in at least 300 cases was"),
        (NEVER, scores(299, 299), "inconclusive", "Too few: 299 cases, and this gate needs 300 cases"),
        (F1_AT_LEAST, scores(192, 200), "fail", "49.0% (sure at most 63.3%); at least 80.0% was required."),
        (F1_IMPROVES, scores(190, 200, better=60), "pass", "48.7%, 9.3 points better (sure at worst 6.0 points"),
        (F1_IMPROVES, scores(190, 200), "fail", "48.7%, no case changed; better"),
    ],
)
def test_verdict_of_every_rule(gate, data, outcome, said):
    made, said = verdict(gate, *data), said.replace("(sure", "(95% confidence:")
    assert (made.outcome, said in made.reason) == (outcome, True), made.reason
    assert made.needed or outcome != "inconclusive"
    assert made.margin is None or (made.margin > 0) is (outcome == "pass") or gate in (IMPROVES, FEWER_ERRORS, NEVER)


def test_wrong_findings_that_vanish_are_a_change_where_no_case_has_a_share_to_compare():
    gate, right = Gate(metric="recall", rule="improves"), [record(case, 1) for case in range(60)]
    tuned = [*right, *(record(case, 0, claims=0) for case in range(60, 100))]
    baseline = [record(case, 1, variant="baseline") for case in range(60)]
    baseline += [record(case, 0, claims=3, variant="baseline") for case in range(60, 100)]
    made = verdict(gate, tuned, baseline)
    assert made.outcome != "fail" and "no case changed" not in made.reason, made.reason


def test_the_margin_is_the_distance_from_the_deciding_bound_to_the_bar():
    made = verdict(AT_LEAST, scores(192, 200)[0])
    assert made.margin == pytest.approx(made.observed.low - 0.90) and made.observed.side == "lower"
    made = verdict(AT_MOST, scores(160, 200)[0])
    assert made.margin == pytest.approx(0.10 - made.observed.high) and made.observed.side == "upper"
    made = verdict(REDUCES, *scores(280, 400, better=40, worse=60))
    assert made.margin == pytest.approx(0.75 - made.observed.high) and made.margin < 0
    made = verdict(NO_MORE_ERRORS, *scores(570, 600, better=12, worse=2))
    assert made.margin == pytest.approx(0.02 - made.observed.high)
    assert verdict(IMPROVES, *scores(190, 200, better=30)).observed.side == "two"


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (AT_LEAST, "at least 90.0%"),
        (IMPROVES, "better than the baseline"),
        (IMPROVES_20_POINTS, "better than the baseline by more than 20.0 points"),
        (IMPROVES_30_PERCENT, "better than the baseline by more than 30% of it"),
        (NO_WORSE, "at most 2.0 points worse than the baseline"),
        (REDUCES, "at most 75% of the baseline's"),
        (NEVER, "none in at least 300 cases"),
        (REDUCES_AT_ALL, "less than the baseline's"),
        (Gate(metric="length", rule="at_most", value=120), "at most 120"),
        (Gate(metric="length", rule="at_most", value=120.5), "at most 120.5"),
        (structs.replace(AT_LEAST, value=0.9875), "at least 98.75%"),
        (structs.replace(AT_LEAST, value=0.9995), "at least 99.95%"),
        (structs.replace(AT_MOST, value=0.0004), "at most 0.04%"),
        (structs.replace(NO_WORSE, margin=0.0125), "at most 1.25 points worse than the baseline"),
        (structs.replace(IMPROVES, margin=0.0125), "better than the baseline by more than 1.25 points"),
        (structs.replace(REDUCES, ratio=0.875), "at most 87.5% of the baseline's"),
        (structs.replace(REDUCES, ratio=0.996), "at most 99.6% of the baseline's"),
        (structs.replace(IMPROVES_30_PERCENT, margin=0.004), "better than the baseline by more than 0.4% of it"),
    ],
)
def test_the_bar_is_said_in_words(gate, words):
    assert verdict(gate, [1] * 20, [1] * 20).bar == words


def test_a_small_threshold_of_a_metric_that_is_no_share_is_no_percentage():
    gate = Gate(metric="slips", rule="at_most", value=0.5)
    slips = Metric(name="slips", scorer="answers", numerator="right", higher_is_better=False, unbounded=True)
    found = verdict(gate, [3] * 40, metrics=[slips])
    assert (found.outcome, found.bar) == ("fail", "at most 0.5")
    assert found.reason == "3 (95% confidence: at least 2.78); at most 0.5 was required."


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (Gate(metric="grade", rule="at_least", value=3.4), "4 (95% confidence: at least 3.48); at least 3.4"),
        (
            Gate(metric="grade", rule="no_worse", margin=0.5),
            "4, unchanged (95% confidence: at worst 0.289 worse); at most 0.5 worse than the baseline was required.",
        ),
    ],
)
def test_a_mean_on_a_scale_of_its_own_is_no_percentage(gate, reason):
    grade = Metric(name="grade", scorer="answers", numerator="", kind="mean", worst=1.0, best=5.0)
    assert verdict(gate, [4] * 40, [4] * 40, metrics=[grade]).reason.startswith(reason)


@pytest.mark.parametrize("gate", [g for g in ALL_GATES if g.rule in COMPARATIVE])
def test_a_changed_suite_is_an_error_before_anything_else(gate):
    made = verdict(gate, [], [], comparable="the cases changed since the baseline was accepted", expected_cases=5)
    assert made.outcome == "error" and "the cases changed" in made.reason


@pytest.mark.parametrize("gate", [g for g in ALL_GATES if g.rule not in COMPARATIVE])
def test_a_changed_suite_leaves_bars_that_need_no_baseline_to_be_judged(gate):
    moved = "the cases changed since the baseline was accepted"
    assert verdict(gate, [1] * 400, comparable=moved) == verdict(gate, [1] * 400)


@pytest.mark.parametrize("gate", ALL_GATES)
def test_an_empty_suite_fails(gate):
    assert verdict(gate, [], [], expected_cases=0).outcome == "fail"
    made = verdict(gate, [record(i, None) for i in range(400)], [1] * 400)
    assert made.outcome == "fail" and made.reason.startswith("Nothing was evaluated")


@pytest.mark.parametrize("gate", ALL_GATES)
def test_a_partial_population_is_skipped_and_never_passes(gate):
    made = verdict(gate, *scores(400, 400, better=200), expected_cases=401)
    assert made.outcome == "skipped" and made.reason == "Only 400 of 401 cases were answered; a gate judges all."


def test_a_comparative_rule_without_a_baseline_is_skipped_with_the_way_out():
    for gate in (IMPROVES, NO_WORSE, REDUCES):
        made = verdict(gate, [1] * 400)
        assert (made.outcome, made.reason) == ("skipped", NO_BASELINE)
    assert verdict(AT_LEAST, [1] * 400).outcome == "pass"
    assert verdict(IMPROVES, [1] * 400, [0] * 399).outcome == "skipped"


def test_a_baseline_that_answered_other_inputs_is_an_error():
    baseline = [record(i, 0, variant="baseline", input_hash="last week") for i in range(400)]
    made = verdict(IMPROVES, [1] * 400, baseline)
    assert made.outcome == "error" and "400 cases differ in input" in made.reason
    baseline[1:] = [record(i, 0, variant="baseline") for i in range(1, 400)]
    assert "1 case differs in input" in verdict(IMPROVES, [1] * 400, baseline).reason


def test_a_baseline_without_scores_compares_nothing():
    baseline = [record(i, None, variant="baseline") for i in range(400)]
    assert verdict(IMPROVES, [1] * 400, baseline).outcome == "fail"


@pytest.mark.parametrize("gate", ALL_GATES)
def test_errors_over_the_cap_fail_as_not_measured(gate):
    tuned = [record(i, 1, error=i < 5) for i in range(400)]
    made = verdict(gate, tuned, [0] * 400)
    assert made.outcome == "fail" and made.reason.startswith("Not measured: ") and "5 of 400" in made.reason


def test_errors_of_the_baseline_over_the_cap_fail_the_comparison():
    baseline = [record(i, 0, variant="baseline", error=i < 5) for i in range(400)]
    made = verdict(IMPROVES, [1] * 400, baseline)
    assert made.outcome == "fail" and "baseline: the engine or the scorer failed on 5 of 400" in made.reason


@pytest.mark.parametrize("gate", [IMPROVES, FEWER_ERRORS, NO_WORSE], ids=lambda gate: f"{gate.metric} {gate.rule}")
def test_answers_that_the_baseline_failed_to_give_count_as_right_for_it(gate):
    """A crash of the baseline's engine is no gain of the tuned model: 2 of 200 answers would be 1 point."""
    made = verdict(gate, [1] * 200, [record(i, 1, variant="baseline", error=i < 2) for i in range(200)])
    assert made.observed.value == 0.0


def test_errors_under_the_cap_are_wrong_and_named():
    made = verdict(AT_LEAST, [record(i, 1, error=i < 3) for i in range(400)])
    assert made.observed.value == pytest.approx(397 / 400)
    assert "3 answers failed, in the engine or the scorer, and count against the claim" in made.reason
    assert verdict(NEVER, [record(i, 1, error=i < 1) for i in range(400)]).outcome == "fail"


@pytest.mark.parametrize("gate", ALL_GATES)
def test_answers_without_a_score_are_no_way_round_a_gate(gate):
    """An answer that a scorer cannot read is often a bad one, so that the others are no sample of them."""
    tuned = [record(i, None if i < 260 else 1) for i in range(400)]
    made = verdict(gate, tuned, [1] * 260 + [0] * 140)
    assert (made.outcome, made.needed) == ("inconclusive", "a score for 260 of 400 answers")
    assert "260 of 400 answers have no score by 'answers'" in made.reason
    some = [record(i, None if i < 4 else 1) for i in range(400)]
    made = verdict(gate, some, [1] * 4 + [0] * 396)
    assert (made.outcome, made.seen.endswith("; 4 answers without a score")) == ("pass", True)


@pytest.mark.parametrize(
    ("gate", "unscored", "outcome"),
    [
        (AT_LEAST, 30, "fail"),
        (AT_LEAST, 390, "inconclusive"),
        (AT_MOST, 330, "fail"),
        (AT_MOST, 380, "inconclusive"),
        (F1_AT_LEAST, 330, "fail"),
        (structs.replace(F1_AT_LEAST, value=0.4), 330, "inconclusive"),
        (structs.replace(AT_LEAST, slice="half", values=["b"]), 225, "fail"),
        (Gate(metric="unlimited", rule="at_least", value=0.5), 30, "inconclusive"),
    ],
)
def test_a_level_that_fails_with_every_unscored_answer_as_good_as_can_be_has_failed(gate, unscored, outcome):
    metrics = [*METRICS, Metric(name="unlimited", unbounded=True, **OWN)]
    tuned = [record(i, None if i < unscored else 0, tags={"half": "ab"[i >= 200]}) for i in range(400)]
    made = verdict(gate, tuned, metrics=metrics, slices={"half": ["a", "b"]})
    says = "the gate fails even if all of them are as good as can be" in made.reason
    assert (made.outcome, says) == (outcome, outcome == "fail"), made.reason


@pytest.mark.parametrize("gate", [gate for gate in ALL_GATES if gate.rule in COMPARATIVE])
def test_answers_that_the_baseline_has_no_score_for_are_no_way_round_a_comparison(gate):
    """The baseline may have been best in the cases that are then left out."""
    tuned = [int(i >= 20) for i in range(400)]
    unscored = [record(i, None if i < 20 else 0, variant="baseline") for i in range(400)]
    made = verdict(gate, tuned, unscored)
    assert (made.outcome, made.needed) == ("inconclusive", "a score for 20 of 400 answers of the baseline")
    assert "20 of 400 answers of the baseline have no score by 'answers', where the tuned model has one" in made.reason
    few = [record(i, None if i < 4 else 0, variant="baseline") for i in range(400)]
    assert verdict(gate, tuned, few).outcome == "pass"


@pytest.mark.parametrize(("gate", "outcome"), [(AT_LEAST, "inconclusive"), (IMPROVES, "pass"), (NO_WORSE, "pass")])
def test_cases_that_have_no_score_by_either_model_are_not_compared(gate, outcome):
    tuned = [record(i, None if i < 40 else 1) for i in range(400)]
    baseline = [record(i, None if i < 40 else 0, variant="baseline") for i in range(400)]
    assert verdict(gate, tuned, baseline).outcome == outcome
    invented = [record(i, None if i < 40 else int(i > 40)) for i in range(400)]
    assert verdict(NEVER, invented).outcome == "fail"  # One case decides it, whatever the others are.


@pytest.mark.parametrize(
    ("rule", "metric", "right"),
    [
        ("at_most", Metric(name="m", higher_is_better=False, unbounded=True, **OWN), 6),
        ("at_most", Metric(name="m", unbounded=True, **OWN), 6),
        ("at_most", Metric(name="m", **OWN), 1),
        ("at_most", Metric(name="m", scorer="answers", numerator="", kind="mean", worst=0.0, best=9.0), 6),
        ("at_least", Metric(name="m", higher_is_better=False, **OWN), 0),
    ],
)
def test_a_failed_answer_helps_no_level_whichever_way_the_gate_asks(rule, metric, right):

    def margin(failed):
        tuned = [record(i, right if i % 9 else 1 - min(right, 1), error=i < failed) for i in range(300)]
        return verdict(Gate(metric="m", rule=rule, value=0.5), tuned, metrics=[metric]).margin

    assert margin(3) < margin(0)


@pytest.mark.parametrize(
    ("over", "rule", "keys"),
    [
        ("tuned", "at_least", {"value": 0.95}),
        ("tuned", "improves", {}),
        ("tuned", "no_worse", {"margin": 0.02}),
        ("tuned", "reduces", {"ratio": 0.75}),
        ("baseline", "improves", {"margin": 0.1}),
        ("baseline", "no_worse", {"margin": 0.02}),
        ("baseline", "reduces", {"ratio": 0.75}),
    ],
)
def test_a_share_that_is_over_one_is_not_judged_and_says_how_to_declare_it(over, rule, keys):
    hits = Metric(name="hits", higher_is_better=rule != "reduces", **OWN)
    scores = {"tuned": [0, *[1] * 9] * 20, "baseline": [1, *[0] * 9] * 20}
    scores[over][5] = 2
    made = verdict(Gate(metric="hits", rule=rule, **keys), scores["tuned"], scores["baseline"], metrics=[hits])
    assert made.outcome == "error" and made.reason == (
        "Not judged: 'hits' is a share, but some cases are not in 0 to 1. If 'hits' can be more than 1, declare it "
        "with Metric(unbounded=True)."
    )
    declared = structs.replace(hits, unbounded=True)
    found = verdict(Gate(metric="hits", rule=rule, **keys), scores["tuned"], scores["baseline"], metrics=[declared])
    assert found.outcome != "error", found.reason


def test_one_event_fails_never_also_where_a_case_has_two_of_a_share():
    slips = Metric(name="slips", higher_is_better=False, **OWN)
    made = verdict(Gate(metric="slips", rule="never", n_min=100), [2, *[0] * 199], metrics=[slips])
    assert (made.outcome, "found in 1 of 200 cases" in made.reason) == ("fail", True)


@pytest.mark.parametrize("gate", [AT_LEAST, AT_MOST, IMPROVES, NO_WORSE, REDUCES, F1_AT_LEAST])
def test_fewer_than_ten_contracts_are_shown_but_not_judged(gate):
    made = verdict(gate, [1, 0] * 45, [0, 1] * 45, per_contract=10)
    assert made.outcome == "inconclusive" and made.needed == "at least 10 clusters; has 9"
    assert made.observed is not None and made.observed.value is not None


def test_reasons_name_clusters_as_the_suite_does():
    one = verdict(AT_LEAST, [1], cluster="policy")
    assert one.reason == (
        "100%; at least 90.0% was required. 1 case from 1 policy is shown but not judged: "
        "a gate needs at least 10 policies."
    )
    assert one.needed == "at least 10 policies; has 1"
    twelve = verdict(AT_LEAST, [1] * 10 + [0] * 2, cluster="policy")
    assert twelve.needed == "about 200 cases; has 12"
    assert "contract" not in "".join(filter(None, (one.reason, twelve.reason, one.needed, twelve.needed)))


def test_a_gate_with_nothing_to_count_says_so_and_not_that_no_cases_are_shown():
    made = verdict(Gate(metric="recall", rule="at_least", value=0.9), [record(i, 0, claims=0) for i in range(20)])
    assert made.outcome == "inconclusive"
    assert made.reason == "No answer has anything that this gate counts: a gate needs at least 10 clusters."


def test_a_mean_over_labels_is_not_judged_where_a_label_is_expected_in_few_contracts():
    def labelled(rare):
        names = ["tax"] * rare + ["lien"] * (200 - rare)
        return [record(i, 1, labels=([name], [], []), expected=[name]) for i, name in enumerate(names)]

    made = verdict(F1_AT_LEAST, labelled(4))
    assert made.outcome == "inconclusive" and made.needed == "5 clusters with 'tax'; has 4"
    assert "4 clusters hold 'tax'" in made.reason
    assert verdict(F1_AT_LEAST, labelled(5)).outcome == "pass"
    assert verdict(AT_LEAST, labelled(4)).outcome == "pass"


def test_never_fails_on_one_event_however_small_the_suite():
    assert verdict(NEVER, [1, 1, 0]).outcome == "fail"
    assert verdict(NEVER, [1, 1, 1]).outcome == "inconclusive"


def test_never_shows_on_how_many_cases_its_bound_rests():
    found = verdict(NEVER, [1] * 600).observed
    assert (found.value, found.low, found.high) == (0.0, 0.0, pytest.approx(1 - 0.05 ** (1 / 600)))
    assert (found.n, found.clusters, found.n_eff, found.side) == (600, 600, 600.0, "upper")


def test_many_cases_of_few_contracts_show_no_more_than_the_contracts():
    made = verdict(NEVER, [1] * 300, per_contract=25)
    assert made.outcome == "pass" and "found in 0 of 300 cases (95% confidence: at most 22.1% of" in made.reason
    assert (made.observed.high, made.observed.n_eff) == pytest.approx((1 - 0.05 ** (1 / 12), 12))
    needed = verdict(REDUCES, [1] * 400, [1] * 400, per_contract=20).needed
    assert needed == "a baseline with some to reduce; with 0 in 400 cases its rate is under 13.9%"


def test_each_slice_is_judged_alone_and_a_small_one_says_too_few():
    kinds = ["deed"] * 200 + ["lease"] * 200 + ["note"] * 20
    right = [1] * 200 + [0] * 60 + [1] * 160
    tuned = [record(i, r, tags={"kind": k}) for i, (k, r) in enumerate(zip(kinds, right, strict=True))]
    gate = Gate(metric="accuracy", rule="at_least", value=0.90, slice="kind", n_min=30)
    made = verdicts([gate], tuned, slices={"kind": ["deed", "lease", "note"]})
    assert [(v.gate, v.slice_value, v.outcome) for v in made] == [
        ("accuracy-at_least-0.9[kind=deed]", "deed", "pass"),
        ("accuracy-at_least-0.9[kind=lease]", "lease", "fail"),
        ("accuracy-at_least-0.9[kind=note]", "note", "inconclusive"),
    ]
    too_few = "100%; at least 90.0% was required. Too few: 20 cases, and this gate needs 30 cases."
    assert made[2].reason == too_few and made[2].needed == "30 cases; has 20"


def test_several_improvement_claims_are_corrected_by_holm():
    """8 better, 1 worse: p .039 alone passes; as one of two such claims, .078, it does not."""
    data = scores(190, 200, better=8, worse=1)
    assert verdict(IMPROVES, *data).outcome == "pass"
    both = verdicts([IMPROVES, FEWER_ERRORS], *data)
    assert [v.outcome for v in both] == ["inconclusive", "inconclusive"]
    assert "The exact test does not confirm a change: p 0.078 after Holm over 2 gates." in both[0].reason
    assert verdicts([IMPROVES, AT_LEAST, NO_WORSE], *data)[0].outcome == "pass"


def test_an_inconclusive_no_worse_says_what_it_sees_and_needs():
    made = verdict(NO_WORSE, *scores(220, 240, better=15, worse=15))
    assert "This suite can detect losses of 5.9 points or more." in made.reason
    assert made.needed == "about 2,000 cases; has 240"


def test_no_change_in_few_contracts_is_no_proof_of_equality():
    made = verdict(NO_WORSE, [1] * 100, [1] * 100)
    assert made.outcome == "inconclusive" and made.needed == "about 150 cases; has 100"
    assert verdict(NO_WORSE, [1] * 150, [1] * 150).outcome == "pass"


def test_scores_that_jitter_in_few_contracts_are_no_proof_of_equality_either():
    points = Metric(name="points", scorer="answers", numerator="", kind="mean", worst=0.0, best=1000.0)
    gate = Gate(metric="points", rule="no_worse", margin=20)
    jitter, moved = ([900, 900 + by] * 50 for by in (1, 4))
    made = verdict(gate, jitter, jitter[::-1], metrics=[points])
    assert made.outcome == "inconclusive" and "since scores changed noticeably in only 0 of 100 clusters" in made.seen
    assert made.needed == "about 150 cases; has 100"
    assert verdict(gate, jitter * 2, jitter[::-1] * 2, metrics=[points]).outcome == "pass"
    assert verdict(gate, moved, moved[::-1], metrics=[points]).outcome == "pass"


@pytest.mark.parametrize(("right", "level"), [(0, "0%"), (4, "1.0%")])
def test_no_worse_than_a_baseline_that_cannot_be_lost_to_proves_nothing(right, level):
    made = verdict(NO_WORSE, [1] * right + [0] * (400 - right), [1] * 4 + [0] * 396 if right else [0] * 400)
    assert made.outcome == "inconclusive" and "so no model could fail." in made.reason
    assert made.reason.startswith(f"{level}; at most 2.0 points worse than the baseline was required.")
    assert made.needed == "a baseline that gets some cases right, or a gate with an absolute level"


def test_no_worse_passes_where_a_model_is_better_than_a_baseline_that_gets_nothing_right():
    assert verdict(NO_WORSE, [1] * 200 + [0] * 200, [0] * 400).outcome == "pass"


def test_a_perfect_score_needs_as_many_contracts_as_the_bar_asks():
    gate = Gate(metric="accuracy", rule="at_least", value=0.98)
    assert verdict(gate, [1] * 148).outcome == "inconclusive"
    assert verdict(gate, [1] * 149).outcome == "pass"
    assert verdict(gate, [1] * 400, per_contract=4).outcome == "inconclusive"


def test_a_baseline_without_any_event_leaves_nothing_to_reduce():
    made = verdict(REDUCES, [1] * 400, [1] * 400)
    assert made.outcome == "inconclusive" and "baseline's rate is 0" in made.reason
    assert made.observed.value is None and made.observed.reason in made.reason


@pytest.mark.parametrize(("of_tuned", "of_baseline"), [(0, 0), (0, 3), (3, 0)])
def test_a_rate_without_a_single_claim_is_not_called_a_baseline_without_events(of_tuned, of_baseline):
    tuned = [record(case, 0, claims=of_tuned) for case in range(20)]
    baseline = [record(case, 0, claims=of_baseline, variant="baseline") for case in range(20)]
    made = verdict(REDUCES, tuned, baseline)
    assert made.outcome != "pass" and "some to reduce" not in (made.needed or ""), made.needed


@pytest.mark.parametrize("gate", ALL_GATES)
@pytest.mark.parametrize("tuned", [[], [1], [0], [1, 0], [1] * 9, [0] * 9, [1] * 12, [0] * 12])
@pytest.mark.parametrize("per_contract", [1, 3, 1000])
def test_edges_never_pass_by_accident_and_never_yield_nan(gate, tuned, per_contract):
    made = verdict(gate, tuned, tuned, per_contract=per_contract)
    assert made.outcome != "pass"
    assert made.margin is None or math.isfinite(made.margin)


@pytest.mark.parametrize("name", ["always wrong", "shuffled", "a third failed", "empty", "limited"])
def test_mutants_do_not_merge(name):
    rng = np.random.default_rng(1)
    good = [record(i, int(rng.random() < 0.97)) for i in range(400)]
    baseline = [record(i, int(rng.random() < 0.75), variant="baseline") for i in range(400)]
    gates = [AT_LEAST, IMPROVES]
    assert [v.outcome for v in verdicts(gates, good, baseline)] == ["pass", "pass"]
    mutants = {
        "always wrong": [record(i, 0) for i in range(400)],
        "shuffled": [record(i, int(rng.random() < 0.1)) for i in range(400)],
        "a third failed": [record(i, 1, error=i % 3 == 0) for i in range(400)],
        "empty": [],
        "limited": good[:50],
    }
    assert all(v.outcome != "pass" for v in verdicts(gates, mutants[name], baseline, expected_cases=400))


def test_a_model_that_always_says_yes_fails_where_half_the_cases_have_no_clause():
    yes = [record(i, 1, labels=(["lien"], [], []) if i % 2 else ([], ["lien"], [])) for i in range(400)]
    assert verdict(F1_AT_LEAST, yes).outcome == "fail"


def test_every_gate_and_slice_value_of_an_unjudged_suite_is_an_error_with_the_reason():
    gates = GateFile(objective=Objective(text="x"), gate=[AT_LEAST, structs.replace(NEVER, slice="kind")])
    made = unjudged("legal/clauses", gates, {"kind": ["deed", "lease"]}, "The cases changed.")
    assert [(v.slice_value, v.outcome, v.reason) for v in made] == [
        (value, "error", "The cases changed.") for value in (None, "deed", "lease")
    ]


def test_verdicts_come_in_file_order_and_name_their_suite():
    made = verdicts(ALL_GATES, *scores(380, 400, better=60))
    assert [v.rule for v in made] == [g.rule for g in ALL_GATES]
    assert {v.suite for v in made} == {"a/b"}


@pytest.mark.parametrize(
    ("outcome", "change", "said"),
    [
        ("inconclusive", (-0.05, -0.1004, -0.01), "5.0 points worse (could be just over 10.0 points worse)"),
        ("fail", (-0.13, -0.2, -0.1003), "13.0 points worse (95% confidence: at best just over 10.0 points worse)"),
        ("pass", (-0.05, -0.0996, 0.0), "5.0 points worse (95% confidence: at worst just under 10.0 points worse)"),
        ("pass", (-0.05, -0.1, 0.0), "5.0 points worse (95% confidence: at worst 10.0 points worse)"),
    ],
)
def test_a_change_that_rounds_to_the_margin_says_on_which_side_it_lies(outcome, change, said):
    assert of_change(outcome, "80.0%", change, -0.1, True) == f"80.0%, {said}"


def test_a_change_never_looks_larger_than_a_margin_of_more_decimals_that_it_keeps():
    said = of_change("pass", "80.0%", (-0.001, -0.01255, 0.0), -0.0126, True)
    assert said == "80.0%, 0.1 points worse (95% confidence: at worst just under 1.26 points worse)"
