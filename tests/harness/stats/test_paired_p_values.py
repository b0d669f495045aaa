"""Paired comparison: exact tests, draws and Holm, wins and losses, and edges."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from harness.schema import Comparison
from harness.stats import paired as own
from harness.stats import permutation
from harness.stats.pairs import pair
from tests.support.scored import (
    FABRICATION,
    LENGTH,
    MACRO_F1,
    MACRO_RECALL,
    METRICS,
    RECALL,
    answers,
    both,
    flips,
    observed,
    paired,
    record,
)


@pytest.mark.parametrize("columns", [1, 2])
def test_with_very_many_clusters_the_normal_limit_gives_the_p_value_of_the_draws(columns, monkeypatch):
    """A mean, and a ratio of sums with denominators that differ: p values of about .01 to .5."""
    rng = np.random.default_rng(14)
    for shift in (0.02, 0.04, 0.06):
        other = np.column_stack([rng.random(6000), 1 + rng.random(6000)])[:, :columns]
        own_sums = other + np.column_stack([rng.normal(shift, 1.0, 6000), rng.normal(0, 0.2, 6000)])[:, :columns]

        def level(totals):
            return totals[:, 0] / (totals[:, 1] if totals.shape[1] == 2 else 6000)

        def contrast(totals, level=level):
            return level(totals[:, :columns]) - level(totals[:, columns:])

        limit, test = permutation.swap_test(own_sums, other, contrast)
        assert test == "cluster sign-flip, normal limit"
        with monkeypatch.context() as patch:
            patch.setattr(permutation, "MANY_CLUSTERS", 10**9)
            drawn, test = permutation.swap_test(own_sums, other, contrast)
        assert "draws" in test and limit == pytest.approx(drawn, abs=0.015)


def test_whole_numbers_are_summed_in_single_precision_without_any_loss():
    rng = np.random.default_rng(15)
    rows, swapped = rng.integers(-9, 9, (500, 4)).astype(float), rng.integers(0, 2, (200, 500)).astype(np.float32)
    assert permutation._is_exact(rows, np.ones(500, dtype=np.int64))
    assert np.array_equal((swapped @ rows.astype(np.float32)).astype(float), swapped @ rows)
    assert not permutation._is_exact(rows + 0.5, np.ones(500, dtype=np.int64))


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_swapping_the_variants_negates_the_difference(metric):
    rng = np.random.default_rng(3)
    one, two = (answers([int(x) for x in rng.random(60) < p], per_contract=3) for p in (0.8, 0.6))
    there, back = own.compare(both(one, two, metric)), own.compare(both(two, one, metric))
    assert back.difference.value == pytest.approx(-there.difference.value)
    tolerance = 0.02 if metric in (MACRO_F1, MACRO_RECALL) else 1e-9
    assert back.difference.low == pytest.approx(-there.difference.high, abs=tolerance)
    assert (back.wins, back.losses, back.ties) == (there.losses, there.wins, there.ties)
    assert back.p_value == pytest.approx(there.p_value, abs=0.02)


def test_wins_and_losses_follow_the_direction_of_the_metric():
    tuned, baseline = answers([1, 1, 0, 1]), answers([0, 1, 1, 1])
    tuned[3], baseline[3] = record(3, 2, claims=2), record(3, 1, claims=2)
    for metric in (RECALL, FABRICATION):
        made = own.compare(both(tuned, baseline, metric))
        assert (made.wins, made.losses, made.ties) == (2, 1, 1)
        assert (made.changed_clusters, made.worse_clusters) == (3, 1)


def test_mcnemar_agrees_with_statsmodels_on_200_random_tables():
    rng = np.random.default_rng(4)
    for better, worse in [(5, 0), (6, 0), *rng.integers(0, 40, (200, 2))]:
        expected = mcnemar([[5, better], [worse, 5]], exact=True).pvalue
        assert own.mcnemar(int(better), int(worse)) == pytest.approx(expected, abs=1e-12)
    assert own.mcnemar(0, 0) == 1.0


def test_one_zero_one_case_a_contract_is_tested_by_mcnemar():
    made = own.compare(flips(12, 3, 60))
    assert made.test == "exact McNemar"
    assert made.p_value == pytest.approx(stats.binomtest(3, 15).pvalue)


def test_sign_flip_agrees_with_scipy_on_random_tables():
    rng = np.random.default_rng(5)
    for _ in range(60):
        contracts = int(rng.integers(2, 9))
        tuned, baseline = rng.integers(0, 2, (2, contracts * 3))
        sums = (tuned - baseline).reshape(contracts, 3).sum(axis=1).astype(float)
        expected = stats.permutation_test((sums,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        made, test = own.superiority(paired(tuned, baseline, per_contract=3))
        assert made == pytest.approx(expected, abs=1e-9), sums
        assert test == "cluster sign-flip, exact"


def test_sign_flip_by_draws_is_close_to_scipy():
    rng = np.random.default_rng(6)
    tuned, baseline = rng.random(300) * 1.05, rng.random(300)
    sums = (tuned - baseline).reshape(60, 5).sum(axis=1)
    expected = stats.permutation_test(
        (sums,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    ).pvalue
    made, test = own.superiority(paired(tuned, baseline, per_contract=5, metric=LENGTH))
    assert test == "cluster sign-flip, 10,000 draws"
    assert made == pytest.approx(expected, abs=0.02)


def test_swapping_labels_of_ratios_agrees_with_full_enumeration():
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 6, (2, 9)).astype(float)
    hits = np.floor(sizes * rng.random((2, 9)))
    pairs = pair(observed(hits[0], sizes=sizes[0]), observed(hits[1], sizes=sizes[1]), RECALL)

    def contrast(swap):
        first, second = np.where(swap, 1, 0), np.where(swap, 0, 1)
        picked = [(hits[row, range(9)].sum(), sizes[row, range(9)].sum()) for row in (first, second)]
        return abs(picked[0][0] / picked[0][1] - picked[1][0] / picked[1][1])

    seen = contrast(np.zeros(9, bool))
    everything = [contrast(np.array(s)) >= seen - 1e-12 for s in itertools.product([False, True], repeat=9)]
    assert own.superiority(pairs)[0] == pytest.approx(np.mean(everything))


def test_six_contracts_are_the_fewest_that_reach_five_percent():
    for contracts, smallest in ((5, 0.0625), (6, 0.03125)):
        made, _ = own.superiority(paired([1] * contracts * 4, [0] * contracts * 4, per_contract=4))
        assert made == pytest.approx(smallest)


def test_identical_answers_have_p_one():
    for metric in METRICS:
        same = answers([1, 0, 1, 1, 0] * 6, per_contract=3)
        made = own.compare(both(same, same, metric))
        assert made.p_value == 1.0 and made.difference.value == 0 and made.changed_clusters == 0


def test_holm_agrees_with_statsmodels_on_200_random_lists(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)  # multipletests collects garbage on every call
    rng = np.random.default_rng(8)
    for _ in range(200):
        p = rng.random(int(rng.integers(1, 12))) ** 3
        assert own.holm(list(p)) == pytest.approx(multipletests(p, method="holm")[1])
    assert own.holm([]) == []


@pytest.mark.parametrize("tuned", [[], [1], [0], [1, 0], [1] * 12, [0] * 12])
@pytest.mark.parametrize("is_same", [True, False])
@pytest.mark.parametrize("per_contract", [1, 4, 1000])
@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_edges_give_no_nan(tuned, is_same, per_contract, metric):
    baseline = tuned if is_same else [1 - x for x in tuned]
    made = own.compare(both(answers(tuned, per_contract), answers(baseline, per_contract), metric))
    assert isinstance(made, Comparison)
    numbers = [made.p_value, made.difference.value, made.difference.low, made.difference.high]
    numbers += [made.ratio.value, made.ratio.low, made.ratio.high] if made.ratio else []
    assert all(x is None or math.isfinite(x) for x in numbers)
    assert tuned or made.difference.reason


def test_duplicating_every_case_inside_its_contract_leaves_the_comparison_unchanged():
    rng = np.random.default_rng(11)
    tuned, baseline = (rng.random(90) < p for p in (0.8, 0.6))
    once = own.compare(paired(tuned, baseline, per_contract=3))
    twice = own.compare(paired(np.repeat(tuned, 2), np.repeat(baseline, 2), per_contract=6))
    assert (twice.difference.low, twice.difference.high) == pytest.approx((once.difference.low, once.difference.high))
    assert twice.p_value == pytest.approx(once.p_value)


def test_swaps_that_are_counted_agree_with_swaps_that_are_drawn(monkeypatch):
    own_sums, other = np.repeat([[3.0], [1.0]], [9, 4], axis=0), np.repeat([[1.0], [2.0]], [9, 4], axis=0)

    def contrast(totals):
        return totals[:, 0] - totals[:, 1]

    exact, _ = permutation.swap_test(own_sums, other, contrast)
    monkeypatch.setattr(permutation, "MOST_STATES", 1)
    drawn, test = permutation.swap_test(own_sums, other, contrast)
    assert "draws" in test and drawn == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("metric", [MACRO_F1, MACRO_RECALL])
def test_the_p_value_of_a_mean_over_labels_does_not_depend_on_how_often_a_model_was_asked(metric):
    """Each answer of a case is the same, so that five tell no more than one."""

    def asked(variant, times, repaired):
        rows = []
        for case in range(60):
            label, right = "abc"[case % 3], case % 5 < 3 or case < repaired
            lists = ([label], [], []) if right else ([], ["abc"[(case + 1) % 3]], [label])
            more = {"variant": variant, "labels": lists, "expected": [label]}
            rows += [record(case, int(right), repeat=repeat, **more) for repeat in range(times)]
        return rows

    alike, unlike = (own.superiority(both(asked("tuned", 5, 20), asked("baseline", n, 0), metric)) for n in (5, 1))
    assert unlike == alike and alike[0] < 0.05
