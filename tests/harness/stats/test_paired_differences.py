"""Paired comparison: joining, intervals of differences and of ratios of rates, and the guards for few changes."""

import math
from fractions import Fraction

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.schema import Gate, Metric
from harness.stats import paired as own
from harness.stats.intervals import contrast, of_ratio
from harness.stats.paired import rate_ratio
from harness.stats.pairs import changed_clusters, pair
from tests.support.scored import (
    ACCURACY,
    ERROR_RATE,
    FABRICATION,
    LENGTH,
    MACRO_F1,
    MACRO_RECALL,
    RECALL,
    answers,
    both,
    flips,
    observed,
    paired,
    passes,
    record,
)

CITATIONS = Metric(name="citations", scorer="answers", numerator="wrong", higher_is_better=False, unbounded=True)


def test_cases_are_joined_by_id_and_input_and_never_by_position():
    tuned = [record(1, 1), record(2, 0), record(3, 1), record(4, 1, input_hash="changed")]
    baseline = [record(5, 0), record(4, 1), record(3, 0), record(2, 0), record(1, 1)]
    pairs = both(tuned, baseline, ACCURACY)
    assert [(t.case_id, b.case_id) for t, b in zip(pairs.tuned, pairs.baseline, strict=True)] == [
        ("case-1", "case-1"),
        ("case-2", "case-2"),
        ("case-3", "case-3"),
    ]
    assert pairs.changed_inputs == 1
    assert own.difference(pairs).value == pytest.approx(1 / 3)


def hybrid_by_hand(change, level=0.975, gain_reach=1.0, loss_reach=1.0):
    """Newcombe's method 10 on contract means of `change`: two Wilson intervals of statsmodels, put together."""
    contracts, t = len(change), stats.t.ppf(level, len(change) - 1)
    sides = []
    for moved, reach in ((np.maximum(change, 0), gain_reach), (np.maximum(-change, 0), loss_reach)):
        p, n = (
            moved.mean() / reach,
            (moved.mean() / reach) * (1 - moved.mean() / reach) / (stats.sem(moved) / reach) ** 2,
        )
        low, high = proportion_confint(p * n, n, alpha=2 * (1 - stats.norm.cdf(t)), method="wilson")
        sides.append((moved, reach * (p - low), reach * (high - p)))
    (gain, gain_down, gain_up), (loss, loss_down, loss_up) = sides
    r = np.corrcoef(gain, loss)[0, 1]

    def joined(one, other):
        return math.sqrt(one**2 + other**2 - 2 * r * one * other)

    assert contracts > 10
    return change.mean() - joined(gain_down, loss_up), change.mean() + joined(gain_up, loss_down)


def test_answers_that_all_have_one_value_of_an_unbounded_metric_rule_out_no_change_of_what_one_may_add():
    found = own.difference(paired([2.0] * 20, [2.0] * 20, metric=LENGTH))
    t = stats.t.ppf(0.975, 19)
    assert found.value == 0.0 and found.high == pytest.approx(LENGTH.most * t**2 / (20 + t**2)) == -found.low


def test_few_losses_of_an_unbounded_rate_may_each_be_as_large_as_one_answer_may_be():
    """Sixty answers lose one citation each, which tells nothing of how many another answer would gain."""
    tuned, baseline = [0.0] * 120, [1.0] * 60 + [0.0] * 60
    rate, share = (own.difference(paired(tuned, baseline, metric=metric)) for metric in (CITATIONS, ERROR_RATE))
    assert rate.value == share.value == -0.5
    assert rate.high - rate.value > 1.5 * (share.high - share.value)


@pytest.mark.parametrize("left", [0, 3, 12])
def test_a_baseline_with_more_than_one_event_an_answer_can_be_cut(left):
    """The fewer events the tuned model has, the lower is the bound, also where its events are few."""
    before = np.random.default_rng(1).poisson(2.0, 300).astype(float)
    found = rate_ratio(paired([1.0] * left + [0.0] * (300 - left), before, metric=CITATIONS))
    assert found.value == pytest.approx(left / before.sum())
    assert found.low <= found.value < found.high < 0.15


def test_a_ratio_of_counts_that_are_all_alike_has_room_on_both_sides():
    found = rate_ratio(paired([2.0] * 40, [3.0] * 40, metric=CITATIONS))
    assert found.low < 0.64 and found.high > 0.69


def test_no_worse_reckons_with_answers_that_add_more_events_than_were_seen():
    """A model that is worse by exactly the margin, since 2 answers of 100 add five events, passes 5% of the time."""
    rng, passed = np.random.default_rng(0), []
    for _ in range(400):
        before = (rng.random(60) < 0.1).astype(float)
        pairs = paired(before + 5 * (rng.random(60) < 0.02), before, metric=CITATIONS)
        passed.append(own.guarded(own.difference(pairs, side="upper"), pairs).high < 0.10)
    assert np.mean(passed) <= 0.07


def test_interval_of_the_difference_agrees_with_wilson_intervals_put_together_by_hand():
    rng = np.random.default_rng(1)
    for _ in range(30):
        tuned, baseline = rng.random(400) < 0.7, rng.random(400) < 0.6
        made = own.difference(paired(tuned, baseline, per_contract=4))
        change = (tuned.astype(float) - baseline).reshape(100, 4).mean(axis=1)
        assert made.value == pytest.approx(change.mean()) and "guard" not in made.method
        assert (made.low, made.high) == pytest.approx(hybrid_by_hand(change), abs=1e-9)


def test_interval_of_the_difference_is_close_to_the_clustered_one_of_statsmodels():
    """Many contracts gain and many lose: the plain t interval is then as good."""
    rng = np.random.default_rng(1)
    tuned, baseline = rng.random(2400) < 0.7, rng.random(2400) < 0.6
    fit = sm.OLS(tuned.astype(float) - baseline, np.ones(2400)).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(2400) // 4}, use_t=True
    )
    made = own.difference(paired(tuned, baseline, per_contract=4))
    assert made.value == pytest.approx(fit.params[0])
    assert (made.low, made.high) == pytest.approx(tuple(fit.conf_int()[0]), abs=0.001)


def test_difference_of_ratios_agrees_with_the_jackknife_over_contracts():
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 5, (2, 600))
    hits = rng.binomial(sizes, [[0.8], [0.7]])
    sides = [observed(h, 3, sizes=s) for h, s in zip(hits, sizes, strict=True)]
    made = own.difference(pair(sides[0], sides[1], RECALL))
    groups = np.arange(600) // 3

    def contrast(keep):
        return hits[0][keep].sum() / sizes[0][keep].sum() - hits[1][keep].sum() / sizes[1][keep].sum()

    without = np.array([contrast(groups != c) for c in range(200)])
    jackknife = math.sqrt(199 / 200 * np.sum((without - without.mean()) ** 2))
    assert made.value == pytest.approx(contrast(groups >= 0))
    assert (made.high - made.low) / 2 == pytest.approx(stats.t.ppf(0.975, 199) * jackknife, rel=0.01)


def test_when_nothing_changed_the_guard_allows_no_more_than_the_contracts_show():
    pairs = flips(0, 0, 100)
    bare = own.difference(pairs, side="lower")
    made = own.guarded(bare, pairs)
    assert made.low < bare.low < 0 and "few-changes guard" in bare.method
    assert made.low == pytest.approx(-(1 - 0.05 ** (1 / 100))) and "few-flips guard" in made.method


def test_the_guard_follows_the_direction_of_the_metric():
    worse_answers, answers_before = [0] * 3 + [1] * 97, [1] * 100
    pairs = both(answers(worse_answers), answers(answers_before), ERROR_RATE)
    made = own.guarded(own.difference(pairs, side="upper"), pairs)
    expected = stats.binomtest(3, 100).proportion_ci(0.90, method="exact").high
    assert made.value == pytest.approx(0.03) and made.high == pytest.approx(expected)
    assert changed_clusters(pairs) == (3, 3)


def test_twenty_changed_contracts_end_the_guard():
    for changed, is_guarded in ((19, True), (20, False)):
        pairs = flips(0, changed, 400)
        assert ("few-flips guard" in own.guarded(own.difference(pairs, side="lower"), pairs).method) is is_guarded


def test_a_ratio_to_a_baseline_without_events_is_not_measured():
    made = rate_ratio(paired([1, 0, 0] * 10, [0] * 30, metric=FABRICATION))
    assert made.value is None and "baseline's rate is 0" in made.reason


def test_no_event_left_does_not_prove_a_cut():
    made = rate_ratio(paired([0] * 40, [1] * 4 + [0] * 36, metric=FABRICATION))
    assert made.value == 0 and made.low == 0
    assert made.high is None or made.high > 0.75
    assert "guard" in made.method


def test_ratio_bounds_agree_with_a_plain_bootstrap_of_contracts():
    rng = np.random.default_rng(9)
    tuned, baseline = (rng.random((80, 4)) < p for p in (0.2, 0.4))
    made = rate_ratio(paired(tuned.ravel(), baseline.ravel(), per_contract=4, metric=FABRICATION))
    drawn = rng.integers(0, 80, (4000, 80))
    ratios = tuned.sum(axis=1)[drawn].sum(axis=1) / baseline.sum(axis=1)[drawn].sum(axis=1)
    assert made.value == pytest.approx(tuned.sum() / baseline.sum())
    assert (made.low, made.high) == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])), abs=0.02)


def test_ratio_bounds_agree_with_a_plain_bootstrap_where_each_variant_makes_its_own_number_of_claims():
    rng = np.random.default_rng(11)
    claims = rng.integers(1, 40, (2, 200))
    events = rng.binomial(claims, [[0.2], [0.4]])
    tuned, baseline = (observed(events[side], sizes=claims[side]) for side in (0, 1))
    made = rate_ratio(pair(tuned, baseline, FABRICATION))
    drawn = rng.integers(0, 200, (4000, 200))
    rates = [events[side][drawn].sum(axis=1) / claims[side][drawn].sum(axis=1) for side in (0, 1)]
    assert made.value == pytest.approx(events[0].sum() / claims[0].sum() / (events[1].sum() / claims[1].sum()))
    assert (made.low, made.high) == pytest.approx(tuple(np.quantile(rates[0] / rates[1], [0.025, 0.975])), abs=0.01)


def test_engine_errors_count_against_the_claim_on_both_sides():
    tuned = [record(i, 1, error=i == 0) for i in range(100)]
    baseline = [record(i, 0, error=i == 1) for i in range(100)]
    made = own.difference(both(tuned, baseline, ACCURACY))
    assert made.value == pytest.approx((99 - 1) / 100) and made.errors == 2
    assert own.difference(both(tuned, [record(i, 0, error=i < 5) for i in range(100)], ACCURACY)).value is None


def test_a_relative_margin_is_tested_on_tuned_minus_a_multiple_of_the_baseline():
    rng = np.random.default_rng(12)
    tuned, baseline = (rng.random(240) < p for p in (0.9, 0.6))
    change = (tuned - 1.3 * baseline).reshape(60, 4).mean(axis=1)
    made = own.difference(paired(tuned, baseline, per_contract=4), factor=1.3)
    assert made.value == pytest.approx(change.mean())
    assert (made.low, made.high) == pytest.approx(hybrid_by_hand(change, loss_reach=1.3), abs=1e-9)


@pytest.mark.parametrize("factor", [1.0, 1.3])
@pytest.mark.parametrize(("tuned", "baseline"), [(1, 1), (0, 0), (1, 0)])
def test_equal_changes_in_every_contract_prove_nothing(factor, tuned, baseline):
    made = own.difference(paired([tuned] * 60, [baseline] * 60), factor=factor)
    assert "few-changes guard" in made.method
    assert made.high - made.low >= 0.05


def kish(added):
    """Kish's number of clusters in whole numbers."""
    return Fraction(sum(abs(a) for a in added) ** 2, sum(a * a for a in added) or 1)


@pytest.mark.parametrize(("fewest", "sizes"), [(5, range(10, 50)), (10, [*range(10, 50, 3), 72, 99, 100, 101])])
def test_the_fewest_changed_contracts_are_enough_however_their_sum_is_rounded(fewest, sizes):
    """Contracts that change alike are worth their own number, which floating-point sums miss by 1e-15."""
    for contracts in sizes:
        for cases in range(1, 12):
            for moved in (fewest - 1, fewest, contracts):
                added = [1] * moved + [0] * (contracts - moved)
                apart = kish([contracts * a - moved for a in added])
                enough = kish(added) >= fewest and apart >= min(4 * fewest - 4, Fraction(contracts, 2))
                tuned, baseline = (
                    of_ratio(np.array([s, [cases] * contracts], float).T) for s in (added, [0] * contracts)
                )
                assert contrast(tuned, baseline).tells(fewest) is enough, (contracts, cases, moved)


@pytest.mark.parametrize("contracts", [11, 20, 23, 29, 40])
@pytest.mark.parametrize("cases", [3, 7, 10])
def test_the_same_part_gained_in_every_contract_proves_nothing(contracts, cases):
    made = own.difference(paired(([1] + [0] * (cases - 1)) * contracts, [0] * cases * contracts, cases))
    assert "few-changes guard" in made.method
    assert made.low < 1 / cases - 0.1 < 1 / cases + 0.1 < made.high


def test_the_same_answers_do_not_prove_a_ratio_of_one():
    made = rate_ratio(paired([1] * 30 + [0] * 70, [1] * 30 + [0] * 70, metric=FABRICATION))
    assert made.value == 1 and "few-changes guard" in made.method
    assert made.low < 0.93 and made.high > 1.07


def over_labels(gold, tuned, baseline, metric, per_contract):
    """One label a case, lien or tax; a wrong answer names the other one."""

    def side(variant, right):
        for i, (g, r) in enumerate(zip(gold, right, strict=True)):
            labels = ([g], [], []) if r else ([], ["tax" if g == "lien" else "lien"], [g])
            yield record(i, int(r), labels=labels, variant=variant, expected=[g], cluster=i // per_contract)

    return both([*side("tuned", tuned)], [*side("baseline", baseline)], metric)


@pytest.mark.parametrize("metric", [ACCURACY, MACRO_RECALL, MACRO_F1], ids=lambda metric: metric.name)
def test_three_changed_contracts_of_fourteen_show_no_gain_of_any_metric(metric):
    """To first order a mean over labels also moves in contracts without a change, whose labels are not as in these."""
    baseline = np.ones(42, bool)
    baseline[[0, 9, 20]] = False
    pairs = over_labels(["lien"] * 27 + ["tax"] * 15, np.ones(42, bool), baseline, metric, 3)
    assert not passes(Gate(metric=metric.name, rule="improves", margin=0.005), pairs)
    assert own.difference(pairs).low == pytest.approx(-0.2, abs=0.05)


def test_difference_of_mean_recalls_is_paired_and_agrees_with_a_plain_bootstrap_of_contracts():
    """Both variants miss mostly the same cases, so that the paired interval is narrower than either level's."""
    rng = np.random.default_rng(12)
    gold = rng.choice(["lien", "tax"], 200, p=[0.7, 0.3])
    base = rng.random(200) < 0.7
    tuned = np.where(rng.random(200) < 0.4, rng.random(200) < 0.9, base)
    pairs = over_labels(gold, tuned, base, MACRO_RECALL, 2)
    found = own.difference(pairs)

    def contrast(kept):
        means = [np.mean([right[kept][gold[kept] == g].mean() for g in ("lien", "tax")]) for right in (tuned, base)]
        return means[0] - means[1]

    clusters = [np.concatenate([[2 * c, 2 * c + 1] for c in rng.integers(0, 100, 100)]) for _ in range(1500)]
    drawn = [contrast(kept) for kept in clusters]
    assert found.value == pytest.approx(contrast(np.arange(200)))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.01)
    compared = own.compare(pairs)
    assert compared.p_value < 0.001 and "sign-flip" in compared.test
    assert (compared.wins, compared.losses) == (int((tuned & ~base).sum()), int((base & ~tuned).sum()))
    assert own.superiority(over_labels(gold, base, base, MACRO_RECALL, 2))[0] == 1.0
