"""Paired comparison: joining, intervals, exact tests, the few-flips guard, ratios of rates and Holm."""

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from harness.schema import Comparison
from harness.stats import paired as own
from harness.stats import resample
from harness.stats.join import changed_clusters, pair
from harness.stats.observations import observations
from harness.stats.rates import rate_ratio
from tests.harness.scored import (
    ACCURACY,
    ERROR_RATE,
    FABRICATION,
    LENGTH,
    MACRO_F1,
    MACRO_RECALL,
    METRICS,
    RECALL,
    answers,
    flips,
    observed,
    paired,
    record,
)


def both(tuned, baseline, metric):
    return pair(observations(tuned, metric), observations(baseline, metric, "baseline"), metric)


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

        limit, test = resample.swap_test(own_sums, other, contrast)
        assert test == "cluster sign-flip, normal limit"
        with monkeypatch.context() as patch:
            patch.setattr(resample, "MANY_CLUSTERS", 10**9)
            drawn, test = resample.swap_test(own_sums, other, contrast)
        assert "draws" in test and limit == pytest.approx(drawn, abs=0.015)


def test_whole_numbers_are_summed_in_single_precision_without_any_loss():
    rng = np.random.default_rng(15)
    rows, swapped = rng.integers(-9, 9, (500, 4)).astype(float), rng.integers(0, 2, (200, 500)).astype(np.float32)
    assert resample._is_exact(rows, np.ones(500, dtype=np.int64))
    assert np.array_equal((swapped @ rows.astype(np.float32)).astype(float), swapped @ rows)
    assert not resample._is_exact(rows + 0.5, np.ones(500, dtype=np.int64))


def test_answers_that_all_have_one_value_of_an_unbounded_metric_get_no_interval():
    found = own.difference(paired([2.0] * 20, [2.0] * 20, metric=LENGTH))
    assert (found.value, found.low, found.high) == (0.0, None, None)
    assert found.method == "all answers have one value: no interval"


def test_interval_of_the_difference_agrees_with_wilson_intervals_put_together_by_hand():
    rng = np.random.default_rng(1)
    for _ in range(200):
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
    for better, worse in rng.integers(0, 40, (200, 2)):
        expected = mcnemar([[5, better], [worse, 5]], exact=True).pvalue
        assert own.mcnemar(int(better), int(worse)) == pytest.approx(expected, abs=1e-12)


def test_five_changed_cases_can_never_reach_five_percent():
    assert own.mcnemar(5, 0) == pytest.approx(0.0625)
    assert own.mcnemar(6, 0) == pytest.approx(0.03125)
    assert own.mcnemar(0, 0) == 1.0


def test_one_zero_one_case_a_contract_is_tested_by_mcnemar():
    made = own.compare(flips(12, 3, 60))
    assert made.test == "exact McNemar"
    assert made.p_value == pytest.approx(stats.binomtest(3, 15).pvalue)


def test_sign_flip_agrees_with_scipy_on_200_random_tables():
    rng = np.random.default_rng(5)
    for _ in range(200):
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
    assert test == "cluster sign-flip, 10000 draws"
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


@pytest.mark.slow
def test_ratio_of_rates_covers_as_the_design_says():
    """60 contracts with 5 prompts each, correlation .15 within a contract and variant: .93 to .95."""
    rng = np.random.default_rng(10)
    spread, hits, suites = (1 - 0.15) / 0.15, 0, 600
    for _ in range(suites):
        tuned, baseline = (rng.random((60, 5)) < rng.beta(p * spread, (1 - p) * spread, (60, 1)) for p in (0.3, 0.4))
        made = rate_ratio(paired(tuned.ravel(), baseline.ravel(), per_contract=5, metric=FABRICATION))
        hits += made.low <= 0.75 <= made.high
    assert hits / suites == pytest.approx(0.94, abs=0.025)


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


def test_engine_errors_count_against_the_claim_on_both_sides():
    tuned = [record(i, 1, error=i == 0) for i in range(100)]
    baseline = [record(i, 0, error=i == 1) for i in range(100)]
    made = own.difference(both(tuned, baseline, ACCURACY))
    assert made.value == pytest.approx((99 - 1) / 100) and made.errors == 2
    assert own.difference(both(tuned, [record(i, 0, error=i < 5) for i in range(100)], ACCURACY)).value is None


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

    exact, _ = resample.swap_test(own_sums, other, contrast)
    monkeypatch.setattr(resample, "MOST_STATES", 1)
    drawn, test = resample.swap_test(own_sums, other, contrast)
    assert "draws" in test and drawn == pytest.approx(exact, abs=0.01)


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


def test_the_same_answers_do_not_prove_a_ratio_of_one():
    made = rate_ratio(paired([1] * 30 + [0] * 70, [1] * 30 + [0] * 70, metric=FABRICATION))
    assert made.value == 1 and "few-changes guard" in made.method
    assert made.low < 0.93 and made.high > 1.07


def test_difference_of_mean_recalls_is_paired_and_agrees_with_a_plain_bootstrap_of_contracts():
    """Both variants miss mostly the same cases, so that the paired interval is narrower than either level's."""
    rng = np.random.default_rng(12)
    gold = rng.choice(["lien", "tax"], 200, p=[0.7, 0.3])
    base = rng.random(200) < 0.7
    tuned = base | (rng.random(200) < 0.3)

    def made(right, variant):
        labels = [([g], [], []) if r else ([], ["deed"], [g]) for g, r in zip(gold, right, strict=True)]
        return [
            record(i, int(right[i]), labels=labels[i], variant=variant, expected=[gold[i]], cluster=i // 2)
            for i in range(200)
        ]

    pairs = both(made(tuned, "tuned"), made(base, "baseline"), MACRO_RECALL)
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
    assert (compared.wins, compared.losses) == (int((tuned & ~base).sum()), 0)
    assert own.superiority(both(made(base, "tuned"), made(base, "baseline"), MACRO_RECALL))[0] == 1.0
