"""How many cases a claim needs, against the figures that the design states."""

import math

import pytest

from harness.stats import power, power_exact
from harness.stats.power import Design


@pytest.mark.parametrize(
    ("bar", "table"),
    [(0.98, {148: None, 149: 0, 300: 1, 500: 4, 1000: 12}), (0.95, {58: None, 59: 0, 150: 2, 300: 8, 500: 16})],
)
def test_errors_allowed_under_a_bar(bar, table):
    assert {n: power.errors_allowed(n, bar) for n in table} == table


@pytest.mark.parametrize(
    ("baseline", "paired", "independent", "half", "forty"),
    [(0.4, 187, 364, 146, 393), (0.2, 466, 917, 335, 933), (0.1, 1025, 2024, 713, 2017)],
)
def test_a_cut_needs_what_the_design_says(baseline, paired, independent, half, forty):
    """25% fewer at all, paired and independent; then 25% fewer as a bound where the truth is 50% and 40% fewer."""
    stated = [(paired, 0.75, 1.0, 0.5), (independent, 0.75, 1.0, 0.0), (half, 0.5, 0.75, 0.5), (forty, 0.6, 0.75, 0.5)]
    for n, ratio, threshold, correlation in stated:
        assert 0.8 < power_exact.chance_of_cut(Design(n), baseline, ratio, threshold, correlation) < 0.86


def test_two_rates_limit_their_correlation():
    assert power.possible_correlation(0.9, 0.2, 0.02) == pytest.approx(2 / 7)
    assert power.possible_correlation(0.1, 0.2, 0.02) == 0.1


def test_a_gain_shown_beyond_20_points_needs_what_the_design_says():
    spread = 0.29 + 0.01 - 0.28**2
    assert power.cases_for_gap(math.sqrt(spread), 1, 0.28 - 0.20, "two") == 272


@pytest.mark.parametrize(
    ("spread", "truth", "needed"), [(0.8, 0.10, 31), (0.8, 0.12, 101), (0.5, 0.10, 12), (0.5, 0.12, 40)]
)
def test_less_review_time_needs_what_the_design_says(spread, truth, needed):
    """A ratio of geometric means of at most 0.15; `spread` is the SD of the log ratio."""
    assert power.cases_for_gap(spread, 1, math.log(truth / 0.15), "two") == needed


@pytest.mark.parametrize(("better", "worse", "needed"), [
    (0.29, 0.01, 29), (0.24, 0.04, 57), (0.18, 0.04, 92), (0.08, 0.03, 367), (0.06, 0.03, 826),
])  # fmt: skip
def test_a_gain_has_80_percent_at_the_size_that_the_design_states(better, worse, needed):
    def chance(n):
        return power_exact.chance_of_gain(Design(n), better + worse, better - worse)

    assert chance(needed) == pytest.approx(0.80, abs=0.01)
    assert chance(math.floor(0.9 * needed)) < 0.79


def test_100_cases_cannot_show_more_than_97_0_percent_and_100_contracts_of_three_not_more_than_97_3():
    """One case each has the exact bound; three cases that are worth one have Wilson's with t(99)."""
    assert power.errors_allowed(100, 0.97) == 0 and power.errors_allowed(100, 0.971) is None
    assert power.errors_allowed(300, 0.973, n_eff=100, df=99) == 0
    assert power.errors_allowed(300, 0.974, n_eff=100, df=99) is None


@pytest.mark.parametrize(
    ("margin", "changed", "needed"),
    [
        (0.02, 0.05, 773),
        (0.02, 0.10, 1546),
        (0.02, 0.20, 3092),
        (0.05, 0.05, 124),
        (0.05, 0.10, 248),
        (0.05, 0.20, 495),
    ],
)
def test_no_worse_needs_what_the_design_says(margin, changed, needed):
    cases = 240
    se = math.sqrt(changed / cases)
    assert power.cases_for_gap(se, cases, margin, "lower") == pytest.approx(needed, abs=1)


@pytest.mark.parametrize(
    ("better", "worse", "needed"), [(0.24, 0.04, 57), (0.18, 0.04, 92), (0.08, 0.03, 367), (0.06, 0.03, 826)]
)
def test_a_gain_needs_about_what_the_exact_test_needs(better, worse, needed):
    spread = better + worse - (better - worse) ** 2
    planned = power.cases_for_gap(math.sqrt(spread / 100), 100, better - worse, "two")
    assert 0.75 * needed <= planned <= 1.05 * needed


def test_more_power_needs_more_cases():
    """((1.9600 + 0.8416) * 10)^2 and ((1.9600 + 1.2816) * 10)^2."""
    assert [power.cases_for_gap(0.1, 1, 0.01, "two", power=wanted) for wanted in (0.80, 0.90)] == [785, 1051]


def test_smallest_visible_difference_is_the_sum_of_both_quantiles():
    assert power.smallest_visible(0.01, "lower") == pytest.approx(0.01 * (1.6449 + 0.8416), rel=1e-4)
    assert power.smallest_visible(0.01, "two") == pytest.approx(0.01 * (1.9600 + 0.8416), rel=1e-4)


@pytest.mark.parametrize(("worse", "changed", "needed"), [(0, 0, 149), (0, 1, 149), (3, 3, 667)])
def test_the_guard_needs_contracts_until_the_bound_or_twenty_changes(worse, changed, needed):
    assert power.clusters_for_few_flips(worse, changed, 100, 0.02) == pytest.approx(needed, rel=0.02)


def test_no_gap_and_no_spread_give_no_plan():
    assert power.cases_for_gap(0.01, 100, 0.0, "two") is None
    assert power.cases_for_gap(0.0, 100, 0.1, "two") is None
    assert power.clusters_for_few_flips(0, 0, 100, 0.0) is None
