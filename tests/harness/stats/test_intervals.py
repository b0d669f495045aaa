"""Closed-form intervals against statsmodels and scipy, and their coverage on simulated suites."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.stats import cluster_variance as spread_of
from harness.stats import intervals
from harness.stats.intervals import of_ratio
from tests.support.scored import correlated

RNG_SEED = 20


def ones(n):
    return np.ones(n)


def spread(counts, cases):
    """0/1 scores of contracts that hold `counts` successes among `cases`."""
    return (np.arange(cases)[None, :] < np.asarray(counts)[:, None]).ravel().astype(float)


def test_wilson_agrees_with_statsmodels_on_200_random_tables():
    rng = np.random.default_rng(RNG_SEED)
    for n in rng.integers(1, 2000, 200):
        k = int(rng.integers(0, n + 1))
        for level, side, alpha in ((0.95, "two", 0.05), (0.95, "lower", 0.10), (0.99, "two", 0.01)):
            expected = proportion_confint(k, n, alpha=alpha, method="wilson")
            assert intervals.wilson(k / n, n, level, side) == pytest.approx(expected, abs=1e-12)


def clustered_error(residuals, groups, count):
    """The usual standard error over clusters, C/(C-1)."""
    sums = np.bincount(groups, weights=residuals, minlength=count)
    return math.sqrt(count / (count - 1) * float(sums @ sums))


def test_clustered_error_of_equal_contracts_agrees_with_statsmodels():
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(50):
        count, cases = int(rng.integers(3, 30)), int(rng.integers(1, 6))
        groups = np.repeat(np.arange(count), cases)
        scores = rng.normal(size=len(groups)) + rng.normal(size=count)[groups]
        fit = sm.OLS(scores, ones(len(scores))).fit(
            cov_type="cluster", cov_kwds={"groups": groups, "df_correction": True}, use_t=True
        )
        sums = np.column_stack([np.bincount(groups, weights=w) for w in (scores, ones(len(scores)))])
        assert of_ratio(sums).variance == pytest.approx(fit.bse[0] ** 2, rel=1e-9)


def test_ratio_error_agrees_with_the_jackknife_over_contracts():
    rng = np.random.default_rng(RNG_SEED)
    groups = np.repeat(np.arange(200), 3)
    sizes = rng.integers(1, 6, 600).astype(float)
    hits = rng.binomial(sizes.astype(int), 0.8).astype(float)
    without = [hits[groups != c].sum() / sizes[groups != c].sum() for c in range(200)]
    jackknife = math.sqrt(199 / 200 * np.sum((np.array(without) - np.mean(without)) ** 2))
    sums = np.column_stack([np.bincount(groups, weights=w) for w in (hits, sizes)])
    parts = of_ratio(sums)
    own = spread_of.covariance(parts.residuals, parts.residuals, parts.weights)
    assert math.sqrt(own) == pytest.approx(jackknife, rel=0.01)


def test_exact_upper_bound_agrees_with_scipy():
    for events, n in ((0, 1), (0, 300), (1, 50), (7, 80), (49, 50), (50, 50)):
        expected = stats.binomtest(events, n).proportion_ci(0.90, method="exact").high
        assert intervals.upper_for_share(events, n) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("n", "bound"), [(300, 0.00994), (1000, 0.00299), (3000, 0.000998)])
def test_nothing_in_n_is_bounded_by_about_three_over_n(n, bound):
    assert intervals.rule_of_three(n) == pytest.approx(bound, rel=2e-3)
    assert intervals.rule_of_three(n) == pytest.approx(3 / n, rel=0.01)


@pytest.mark.parametrize(
    ("contracts", "cases", "rate", "rho", "ignoring_clusters", "clustered_t", "guarded"),
    [
        (40, 8, 0.85, 0.3, 0.740, 0.933, 0.95),
        (20, 10, 0.85, 0.3, 0.679, 0.918, 0.975),
        (100, 3, 0.90, 0.2, 0.916, 0.942, 0.95),
        (40, 8, 0.97, 0.3, 0.750, 0.838, 0.99),
    ],
)
def test_coverage_of_95_percent_intervals_is_as_the_design_says(
    contracts, cases, rate, rho, ignoring_clusters, clustered_t, guarded
):
    suites = 4000
    groups, below = np.repeat(np.arange(contracts), cases), ones(contracts * cases)
    quantile = stats.t.ppf(0.975, contracts - 1)
    naive = t = own = too_high = 0
    for counts in correlated(np.random.default_rng(RNG_SEED), suites, contracts, cases, rate, rho):
        scores = spread(counts, cases)
        low, high = intervals.wilson(scores.mean(), len(scores))
        naive += low <= rate <= high
        mean, residuals = intervals.ratio_residuals(scores, below)
        t += abs(mean - rate) <= quantile * clustered_error(residuals, groups, contracts)
        made = intervals.proportion(scores, below, groups)
        own += made.low <= rate <= made.high
        too_high += made.low > rate
    assert naive / suites == pytest.approx(ignoring_clusters, abs=0.015)
    assert t / suites == pytest.approx(clustered_t, abs=0.015)
    assert own / suites == pytest.approx(guarded, abs=0.015)
    assert too_high / suites <= 0.035


def test_duplicating_every_case_inside_its_contract_changes_nothing():
    counts = correlated(np.random.default_rng(RNG_SEED), 1, 40, 8, 0.85, 0.3)[0]
    once, groups = spread(counts, 8), np.repeat(np.arange(40), 8)
    first = intervals.proportion(once, ones(320), groups)
    again = intervals.proportion(np.tile(once, 2), ones(640), np.tile(groups, 2))
    assert first.deff >= 1
    assert (again.low, again.high) == pytest.approx((first.low, first.high), abs=1e-12)
    assert again.n_eff == pytest.approx(first.n_eff)


def test_shuffling_cases_and_renaming_contracts_changes_nothing():
    rng = np.random.default_rng(RNG_SEED)
    counts = correlated(rng, 1, 40, 8, 0.85, 0.3)[0]
    scores, groups = spread(counts, 8), np.repeat(np.arange(40), 8)
    order, names = rng.permutation(320), rng.permutation(40)
    first = intervals.proportion(scores, ones(320), groups)
    again = intervals.proportion(scores[order], ones(320), names[groups][order])
    assert (again.low, again.high) == pytest.approx((first.low, first.high), abs=1e-12)


def test_the_guard_begins_under_ten_contracts_with_an_error_and_says_so():
    groups, below = np.repeat(np.arange(40), 5), ones(200)
    for contracts_with_error, is_guarded in ((9, True), (10, False)):
        counts = np.full(40, 5)
        counts[:contracts_with_error] = 4
        made = intervals.proportion(spread(counts, 5), below, groups)
        assert ("guard" in made.method) is is_guarded
        assert (made.n_eff <= 40) is is_guarded


def test_one_zero_one_case_a_contract_is_wilson_and_exact_towards_the_nearer_end():
    scores = np.array([1.0] * 50 + [0.0] * 10)
    made = intervals.proportion(scores, ones(60), np.arange(60))
    exact = stats.binomtest(50, 60).proportion_ci(0.95, method="exact")
    wilson = proportion_confint(50, 60, method="wilson")
    assert made.method == "wilson" and made.n_eff == 60 and wilson[1] < exact.high
    assert (made.low, made.high) == pytest.approx((wilson[0], exact.high), abs=1e-12)
    turned = intervals.proportion(1 - scores, ones(60), np.arange(60))
    assert (turned.low, turned.high) == pytest.approx((1 - made.high, 1 - made.low), abs=1e-12)


@pytest.mark.parametrize("n", [30, 60, 100, 300])
def test_the_exact_bound_brings_independent_cases_to_the_coverage_that_wilson_misses(n):
    """Exact sums over all outcomes, for 400 rates: Wilson alone falls to 86% at n = 30."""
    k, rates = np.arange(n + 1), np.linspace(0.5, 0.995, 400)[:, None]
    alone = np.array([intervals.wilson(i / n, n) for i in k])
    own = np.array([intervals.exact_near_end(tuple(bounds), i / n, n) for i, bounds in zip(k, alone, strict=True)])
    chance = stats.binom.pmf(k, n, rates)

    def covered(bounds):
        return (chance * ((bounds[:, 0] <= rates) & (rates <= bounds[:, 1]))).sum(axis=1).min()

    assert covered(own) >= 0.933
    assert covered(alone) < covered(own) - (0.005 if n == 300 else 0.03)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("contracts", [1, 2, 3])
def test_tiny_suites_give_finite_bounds_that_are_not_certain(n, value, contracts):
    groups = np.unique(np.arange(n) % contracts, return_inverse=True)[1]
    made = intervals.proportion(np.full(n, value), ones(n), groups)
    assert 0 <= made.low <= value <= made.high <= 1
    assert made.high - made.low > 0.4


def test_ratio_of_rates_bounds_agree_with_the_published_formula():
    """MOVER-R for 10/100 over 20/100, worked by hand from the Wilson limits."""
    top, bottom = (0.1, 0.0552, 0.1744), (0.2, 0.1334, 0.2888)
    low, high = intervals.ratio_of_rates(top, bottom)
    assert low == pytest.approx(
        (0.02 - math.sqrt(0.0004 - 0.0552 * 0.1448 * 0.2888 * 0.1112)) / (0.2888 * 0.1112), abs=1e-9
    )
    assert high == pytest.approx(
        (0.02 + math.sqrt(0.0004 - 0.1744 * 0.0256 * 0.1334 * 0.2666)) / (0.1334 * 0.2666), abs=1e-9
    )
    assert 0 < low < 0.5 < high < 1.1


def test_a_ratio_to_a_rate_that_may_be_zero_has_no_upper_bound():
    assert intervals.ratio_of_rates((0.1, 0.05, 0.2), (0.0, 0.0, 0.05))[1] is None


def test_wilson_at_n_eff_agrees_with_its_formula_worked_from_statsmodels_and_scipy():
    groups = np.repeat(np.arange(15), 6)
    scores = spread([6, 5, 2, 6, 1, 4, 3, 5, 6, 2, 5, 0, 3, 6, 4], 6)
    se = sm.OLS(scores, ones(90)).fit(cov_type="cluster", cov_kwds={"groups": groups}).bse[0]
    p, t = scores.mean(), stats.t.ppf(0.975, 14)
    n = 90 / (se**2 / (p * (1 - p) / 90))
    middle, half = p + t * t / (2 * n), t * math.sqrt(p * (1 - p) / n + t * t / (4 * n * n))
    made = intervals.proportion(scores, ones(90), groups)
    assert made.method == "wilson at n_eff" and made.n_eff == pytest.approx(n)
    exact = stats.beta.ppf(0.975, p * n + 1, n - p * n)
    expected = ((middle - half) / (1 + t * t / n), max((middle + half) / (1 + t * t / n), exact))
    assert (made.low, made.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("score", [0.9, 0.8, 0.7, 1 / 3])
@pytest.mark.parametrize("contracts", [20, 30, 31, 45, 100])
def test_equal_scores_prove_nothing_however_their_mean_is_rounded(score, contracts):
    parts = of_ratio(np.column_stack([np.full(contracts, score), np.ones(contracts)]))
    made = intervals.bounded(parts, side="lower")
    low, _ = intervals.wilson(score, contracts, 0.95, "lower", contracts - 1)
    assert made.low == pytest.approx(low) and made.method.endswith("guard")


def test_one_contract_with_two_fifths_of_the_cases_and_nine_like_each_other_are_worth_five():
    shares = np.array([6.0] + [1.0] * 9) / 15
    assert not spread_of.is_fewer(spread_of.effective(shares), 5)
    assert spread_of.is_fewer(spread_of.effective(np.array([6.01] + [1.0] * 9) / 15.01), 5)
