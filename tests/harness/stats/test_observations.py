"""What one case contributes: repeats, errors, unscored answers, labels."""

import gc
import weakref

import msgspec
import numpy as np
import pytest
from scipy import stats

from harness.errors import UserError
from harness.schema import Gate, Metric, Record, Score
from harness.stats.estimates import estimate
from harness.stats.intervals import wilson
from harness.stats.observations import Role, in_slice, observations, reading, readings
from harness.stats.paired import compare, difference, guarded
from harness.stats.pairs import pair
from tests.support.scored import (
    ACCURACY,
    ERROR_RATE,
    FABRICATION,
    MACRO_F1,
    MACRO_RECALL,
    OVERLAP,
    RECALL,
    answers,
    judged,
    observed,
    record,
)

ROLES: tuple[Role, ...] = ("candidate", "baseline")


def test_five_identical_samples_equal_one():
    once = answers([1, 0, 1, 1] * 10, per_contract=2)
    five = [r for k in range(1, 6) for r in answers([1, 0, 1, 1] * 10, per_contract=2, repeat=k)]
    for metric in (ACCURACY, RECALL, ERROR_RATE, MACRO_F1, MACRO_RECALL):
        assert estimate(observations(five, metric), metric) == estimate(observations(once, metric), metric)


def test_repeats_are_averaged_inside_their_case():
    found = observations([record(1, 1, repeat=1), record(1, 0, repeat=2), record(1, 1, repeat=3)], ACCURACY)
    assert len(found.cases) == 1 and found.records == 3
    assert in_slice([record(n, 1, repeat=again) for n in (1, 2) for again in (1, 2)], None, None).case_count == 2
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


def test_an_engine_error_misses_every_expected_label_for_the_candidate():
    broken = [record(1, 0, error=True, scored_error=False)]
    assert observations(broken, MACRO_F1).cases[0].labels == {"lien": (0, 0, 1)}
    assert observations(broken, MACRO_F1, "baseline").cases[0].labels == {"lien": (1, 0, 0)}


def test_a_failed_answer_misses_the_label_as_its_scorer_spells_it():
    """A case may write an alias, which must not become another label that no answer is given."""
    failed = record(1, 0, error=True, expected=["Lien."], labels=([], [], ["lien"]))
    assert observations([failed], MACRO_F1).cases[0].labels == {"lien": (0, 0, 1)}
    assert observations([failed], MACRO_F1, "baseline").cases[0].labels == {"lien": (1, 0, 0)}


def test_unscored_answers_are_left_out_and_counted():
    found = observations([record(1, 1), record(2, None), record(3, 0)], ACCURACY)
    made = estimate(found, ACCURACY)
    assert made.value == 0.5 and made.n == 2 and made.unscored == 1


def test_a_record_that_the_scorer_never_saw_is_unscored():
    other = Metric(name="style", scorer="style", numerator="good")
    found = observations([record(1, 1)], other)
    assert len(found.cases) == 0 and found.unscored == 1
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

    def cases(tag: str | None, value: str | None) -> list[str]:
        part = in_slice(records, tag, value)
        found = [case.case_id for case in observations(part, ACCURACY).cases]
        assert part.case_count == len(part) == len(found)
        return found

    assert cases("kind", "lease") == ["case-1"]
    assert cases("kind", None) == ["case-3"]
    assert cases("kind", "will") == []
    assert cases(None, None) == ["case-1", "case-2", "case-3"]


@pytest.mark.parametrize("metric", [ACCURACY, RECALL, ERROR_RATE, MACRO_F1, MACRO_RECALL])
def test_a_scorer_that_failed_counts_like_an_engine_error(metric):
    broken = msgspec.structs.replace(
        record(1, 1), scores={"answers": Score(name="answers", value=None, reason="the scorer raised", failed=True)}
    )
    made = estimate(observations([broken, *(record(i, 1) for i in range(2, 200))], metric), metric)
    assert made.errors == 1 and made.unscored == 0
    assert made.value < 1 if metric.higher_is_better else made.value > 0
    assert observations([broken], metric, "baseline").cases[0].error


BLEU = Metric(name="bleu", scorer="answers", numerator="", kind="mean", worst=0.0, best=100.0)
DISTANCE = Metric(
    name="distance", scorer="answers", numerator="", kind="mean", worst=50.0, best=0.0, higher_is_better=False
)


def valued(values, per_contract=1, variant="tuned", errors=()):
    """Records whose scores hold these real numbers; those at the places in `errors` failed."""
    return [
        msgspec.structs.replace(
            record(i, 1, cluster=i // per_contract, variant=variant, error=i in errors),
            scores={"answers": Score(name="answers", value=float(value))},
        )
        for i, value in enumerate(values)
    ]


def verdict(metric, rule, tuned, baseline=None, errors=(), **bar):
    records = {"tuned": valued(tuned, errors=errors)}
    if baseline is not None:
        records["baseline"] = valued(baseline, variant="baseline")
    return judged([Gate(metric=metric.name, rule=rule, **bar)], [metric], records)[0]


def test_a_mean_of_real_scores_has_wilsons_interval_at_the_cases_that_its_variance_is_worth():
    """Against scipy's standard error of the contract means: n = p(1-p) / SE^2, and t in the place of z."""
    rng = np.random.default_rng(3)
    values = rng.beta(4, 3, size=120)
    made = estimate(observations(valued(values, per_contract=4), OVERLAP), OVERLAP)
    means = values.reshape(30, 4).mean(axis=1)
    p = means.mean()
    expected = wilson(p, p * (1 - p) / stats.sem(means) ** 2, df=29)
    assert (made.value, made.low, made.high) == pytest.approx((p, *expected))
    assert (made.n, made.clusters, made.method) == (120, 30, "score")
    assert (made.low, made.high) == pytest.approx(stats.t.interval(0.95, 29, loc=p, scale=stats.sem(means)), abs=0.002)


def test_the_unit_of_a_mean_only_scales_its_interval():
    values = np.random.default_rng(4).beta(4, 3, size=60)
    small = estimate(observations(valued(values), OVERLAP), OVERLAP)
    large = estimate(observations(valued(100 * values), BLEU), BLEU)
    assert (large.value, large.low, large.high) == pytest.approx((100 * small.value, 100 * small.low, 100 * small.high))


def test_a_mean_of_scores_at_its_ends_is_a_proportion():
    right = [1] * 45 + [0] * 15
    as_mean = estimate(observations(valued(right), OVERLAP), OVERLAP)
    as_ratio = estimate(observations(answers(right), ACCURACY), ACCURACY)
    assert (as_mean.low, as_mean.high, as_mean.method) == (as_ratio.low, as_ratio.high, as_ratio.method)


@pytest.mark.parametrize("value", [1.0, 0.9, 0.0])
def test_equal_scores_prove_no_more_than_there_are_contracts(value):
    made = estimate(observations(valued([value] * 60, per_contract=5), OVERLAP), OVERLAP)
    assert made.high - made.low > 0.15
    few = [value] * 55 + [0.5] * 5
    assert "few-errors guard" in estimate(observations(valued(few), OVERLAP), OVERLAP).method


def test_a_mean_interval_covers_as_often_as_it_says():
    """40 contracts of 4 scores that share a part of their error: nominal 95%."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(400):
        level = rng.beta(6, 4, size=40)
        values = rng.beta(8 * level[:, None], 8 * (1 - level[:, None]), size=(40, 4)).ravel()
        made = estimate(observed(values, per_contract=4), OVERLAP)
        hits += made.low <= 0.6 <= made.high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize("metric", [OVERLAP, BLEU, DISTANCE])
def test_a_failed_answer_has_the_worst_value_and_a_failed_baseline_the_best(metric):
    broken = valued([20.0 if metric is not OVERLAP else 0.5], errors={0})
    assert observations(broken, metric).cases[0].numerator == metric.worst
    assert observations(broken, metric, "baseline").cases[0].numerator == metric.best
    raised = [msgspec.structs.replace(broken[0], scores={"answers": Score(name="answers", value=None, reason="x")})]
    assert observations(raised, metric).cases[0].numerator == metric.worst


def test_a_mean_averages_repeats_and_leaves_out_unscored_answers():
    one = valued([0.2, 0.6])
    again = [msgspec.structs.replace(r, repeat=2, scores={"answers": Score(name="answers", value=0.4)}) for r in one]
    found = observations([*one, *again, record(7, None)], OVERLAP)
    assert [c.numerator for c in found.cases] == pytest.approx([0.3, 0.5]) and found.unscored == 1


def test_a_value_outside_the_stated_range_is_not_averaged():
    with pytest.raises(UserError, match=r"'overlap': the scorer 'answers' gave case 'case-1' 1\.5, expected 0 to 1\."):
        observations(valued([0.5, 1.5]), OVERLAP)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"worst": 0.0}, "needs a finite worst and another finite best"),
        ({"worst": 0.0, "best": float("inf")}, "needs a finite worst"),
        ({"worst": 1.0, "best": 1.0}, "needs a finite worst"),
        ({"worst": 1.0, "best": 0.0}, "higher_is_better is True"),
        ({"worst": 0.0, "best": 1.0, "kind": "ratio"}, "are for kind 'mean', not 'ratio'"),
    ],
)
def test_a_mean_states_its_range(wrong, said):
    with pytest.raises(ValueError, match=said):
        Metric(**{"name": "m", "scorer": "s", "numerator": "", "kind": "mean", **wrong})


def test_a_paired_difference_of_means_is_close_to_the_t_interval_of_the_differences():
    rng = np.random.default_rng(6)
    before = rng.beta(4, 4, size=50)
    after = np.clip(before + rng.normal(0.05, 0.08, size=50), 0, 1)
    pairs = pair(observations(valued(after), OVERLAP), observations(valued(before), OVERLAP), OVERLAP)
    made = difference(pairs)
    low, high = stats.t.interval(0.95, 49, loc=(after - before).mean(), scale=stats.sem(after - before))
    assert (made.low, made.high) == pytest.approx((low, high), abs=0.002)
    whole = compare(pairs)
    assert whole.test.startswith("cluster sign-flip") and whole.p_value < 0.01
    assert whole.wins == int((after > before).sum())


def test_no_change_of_a_wide_mean_is_bounded_by_its_range():
    pairs = pair(observations(valued([40.0] * 100), BLEU), observations(valued([40.0] * 100), BLEU), BLEU)
    assert guarded(difference(pairs, side="lower"), pairs).low == pytest.approx(-100 * (1 - 0.05 ** (1 / 100)))


def spread(mean, width, n=200, seed=8):
    return np.random.default_rng(seed).uniform(mean - width, mean + width, size=n)


@pytest.mark.parametrize(
    ("metric", "rule", "bar", "tuned", "baseline", "outcome"),
    [
        (OVERLAP, "at_least", {"value": 0.6}, spread(0.7, 0.2), None, "pass"),
        (OVERLAP, "at_least", {"value": 0.6}, spread(0.605, 0.2), None, "inconclusive"),
        (OVERLAP, "at_least", {"value": 0.6}, spread(0.5, 0.2), None, "fail"),
        (OVERLAP, "at_least", {"value": 0.95}, [1.0] * 12, None, "inconclusive"),
        (DISTANCE, "at_most", {"value": 10.0}, spread(8, 4), None, "pass"),
        (DISTANCE, "at_most", {"value": 10.0}, spread(13, 4), None, "fail"),
        (BLEU, "improves", {}, spread(45, 20) + 4, spread(45, 20), "pass"),
        (BLEU, "improves", {}, spread(45, 20), spread(45, 20, seed=9), "inconclusive"),
        (BLEU, "improves", {"margin": 5.0}, spread(45, 20) + spread(4, 1, seed=9), spread(45, 20), "fail"),
        (DISTANCE, "improves", {}, spread(10, 4), spread(10, 4) + 3, "pass"),
        (DISTANCE, "improves", {}, spread(10, 4) + 3, spread(10, 4), "fail"),
        (BLEU, "no_worse", {"margin": 2.0}, spread(45, 20) - spread(0.5, 1, seed=9), spread(45, 20), "pass"),
        (BLEU, "no_worse", {"margin": 2.0}, spread(45, 20) - spread(4, 1, seed=9), spread(45, 20), "fail"),
        (BLEU, "no_worse", {"margin": 2.0}, spread(45, 20), spread(45, 20), "pass"),
        (BLEU, "no_worse", {"margin": 1.0}, spread(45, 20), spread(45, 20), "inconclusive"),
        (DISTANCE, "no_worse", {"margin": 2.0}, spread(10, 4) + 5, spread(10, 4), "fail"),
    ],
)
def test_gates_judge_a_mean(metric, rule, bar, tuned, baseline, outcome):
    made = verdict(metric, rule, tuned, baseline, **bar)
    assert made.outcome == outcome, made.reason
    assert made.needed or outcome != "inconclusive"


def test_a_gate_on_a_mean_counts_failed_answers_as_the_worst_and_over_the_cap_as_not_measured():
    tuned = spread(0.62, 0.1)
    assert verdict(OVERLAP, "at_least", tuned, value=0.605).outcome == "pass"
    made = verdict(OVERLAP, "at_least", tuned, errors={3, 4}, value=0.605)
    assert made.outcome == "inconclusive" and "2 answers failed" in made.reason
    assert verdict(OVERLAP, "at_least", tuned, errors={3, 4, 5}, value=0.1).reason.startswith("Not measured")


def test_what_was_read_is_let_go_with_its_last_use():
    """A run of a million cases has no memory to spare until a collector looks for what refers to itself."""
    whole = reading([record(1, 1, tags={"kind": "lease"})])
    table = observations(whole, ACCURACY).table
    assert estimate(observations(in_slice(whole, "kind", "lease"), ACCURACY), ACCURACY).value == 1
    assert table.counted is table
    watched = weakref.ref(whole), weakref.ref(table)
    gc.disable()
    try:
        del whole, table
        assert [one() for one in watched] == [None, None]
    finally:
        gc.enable()


def test_columns_hold_what_came_whatever_the_order_and_whatever_a_scorer_left_out() -> None:
    """Repeats, tags, labels, a failed answer, and scorers that did not see every answer or did not count everything."""
    records = [
        record(
            n,
            n % 2,
            claims=1 + n % 3,
            labels=(["lien"], ["tax"] * (n % 2), []),
            tags={"kind": "lease"} if n % 5 else {},
            repeat=k,
        )
        for k in (1, 2)
        for n in (7, 3, 90, 12, *range(100, 140))
    ]
    records[5] = record(3, 0, error=True, scored_error=False)
    records += [record(200, None), record(201, 1, claims=3)]

    def found(answers: list[Record]) -> list[object]:
        read = readings(("s", one) for one in answers)["s"]["tuned"]
        return [
            [list(observations(part, metric, role).cases), observations(part, metric, role).errors]
            for part in (read, in_slice(read, "kind", "lease"), in_slice(read, "kind", None))
            for metric in (ACCURACY, RECALL, MACRO_F1)
            for role in ROLES
        ]

    by_first_seen = [list(observations(records, metric).cases) for metric in (ACCURACY, RECALL, MACRO_F1)]
    by_id = found(records)
    assert [sorted(cases, key=lambda case: case.case_id) for cases in by_first_seen] == [
        cases for cases, _ in by_id[0:6:2]
    ]
    assert found(records[::-1]) == by_id


def test_cases_are_in_the_order_of_their_ids() -> None:
    names = ["b", "a10", "a1", "\u00e9", "Z"]
    records = [msgspec.structs.replace(one, case=msgspec.structs.replace(one.case, id=name)) for one, name in
               zip(answers([1] * len(names)), names, strict=True)]  # fmt: skip
    read = readings(("s", one) for one in records)["s"]["tuned"]
    assert [case.case_id for case in observations(read, ACCURACY).cases] == ["Z", "a1", "a10", "b", "\u00e9"]
