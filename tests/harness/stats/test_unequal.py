"""Clusters of unequal size: the variance and its freedom against dense matrices, and what intervals and gates hold."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import linalg

from harness.gates.judge import FEWEST_EQUAL, too_few
from harness.gates.rules.base import Evidence
from harness.schema import BASELINE, CANDIDATE, Gate
from harness.stats import cluster_variance, power_exact
from harness.stats.intervals import proportion
from harness.stats.observations import observations
from harness.stats.paired import flip_bound
from harness.stats.pairs import pair
from harness.stats.power import design_of
from tests.benchmarks.test_injected import load
from tests.support.scored import ACCURACY, METRICS, judged, observed, record

suites, coverage = load("statistics_suites"), load("statistics_coverage")
SIZES = [np.array(sizes) for sizes in ([1, 2, 3], [5, 5, 5, 5], [1, 1, 1, 9, 4], [2, 30, 3, 3, 1, 8, 5, 12])]


def dense(sizes):
    """Of a mean of cases: what turns scores into corrected cluster sums, by the matrices of Bell and McCaffrey (2002).

    Row g is the cluster's share of the mean from (I - H)_gg^(-1/2) times its residuals, with H the hat matrix.
    """
    n, starts = sizes.sum(), np.concatenate([[0], np.cumsum(sizes)])
    left = np.eye(n) - np.full((n, n), 1 / n)
    rows = []
    for start, end in pairwise(starts):
        adjusted = linalg.inv(linalg.sqrtm(left[start:end, start:end])).real
        rows.append(np.full(end - start, 1 / n) @ adjusted @ left[start:end])
    return np.array(rows)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_variance_of_a_mean_is_cr2_as_dense_matrices_have_it(sizes):
    scores = np.random.default_rng(1).normal(size=sizes.sum())
    groups = np.repeat(np.arange(len(sizes)), sizes)
    residuals = np.bincount(groups, weights=scores - scores.mean()) / len(scores)
    expected = ((dense(sizes) @ scores) ** 2).sum()
    assert cluster_variance.covariance(residuals, residuals, sizes / sizes.sum()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_freedom_is_satterthwaites_as_dense_matrices_have_it(sizes):
    """(sum of eigenvalues)^2 over the sum of their squares, of the covariance of the corrected sums."""
    moved = dense(sizes)
    values = linalg.eigvalsh(moved @ moved.T)
    assert cluster_variance.freedom(sizes / sizes.sum()) == pytest.approx(
        values.sum() ** 2 / (values**2).sum(), rel=1e-9
    )


def test_one_two_and_three_cases_worked_by_hand():
    """Residual sums .1, -.3, .2 over weights 1/6, 2/6, 3/6: .01/(5/6) + .09/(4/6) + .04/(3/6) = .227."""
    weights, residuals = np.array([1, 2, 3]) / 6, np.array([0.1, -0.3, 0.2])
    assert cluster_variance.covariance(residuals, residuals, weights) == pytest.approx(0.012 + 0.135 + 0.08)
    assert cluster_variance.effective(weights) == pytest.approx(36 / 14)
    assert 1 < cluster_variance.freedom(weights) < 2


@pytest.mark.parametrize("count", [2, 10, 300])
def test_equal_clusters_have_the_usual_variance_and_freedom(count):
    weights, residuals = np.full(count, 1 / count), np.random.default_rng(2).normal(size=count)
    usual = count / (count - 1) * residuals @ residuals
    assert cluster_variance.variance(residuals, weights) == pytest.approx(usual)
    assert cluster_variance.freedom(weights) == pytest.approx(count - 1)
    assert cluster_variance.effective(weights) == pytest.approx(count)
    assert cluster_variance.freedom(np.array([1 / count]), count) == pytest.approx(count - 1)


@pytest.mark.parametrize("correlation", [0.2, 0.5, 1.0])
def test_the_line_through_all_clusters_finds_the_correlation_that_made_their_residuals(correlation):
    """Squared residuals as m + rho * m * (m - 1) cases make them, before CR2 takes their pull off."""
    sizes, one = np.array([1, 1, 2, 5, 9, 30]), 0.09
    n, weights = sizes.sum(), sizes / sizes.sum()
    squares = one * (sizes + correlation * sizes * (sizes - 1)) / n**2
    expected, residuals = squares.sum(), np.sqrt(squares * (1 - weights))
    assert cluster_variance.smooth(residuals, weights, n, one / n) == pytest.approx(expected)
    assert cluster_variance.smooth(residuals, weights) == pytest.approx(expected)


def test_cases_that_share_nothing_vary_as_independent_ones():
    sizes = np.array([1, 2, 3, 4, 5])
    weights, each = sizes / 15, 0.09 / 15
    residuals = np.sqrt(each * weights * (1 - weights))
    assert cluster_variance.smooth(residuals, weights) == pytest.approx(each)
    assert cluster_variance.smooth(residuals, weights, 15, each) == pytest.approx(each)


@pytest.mark.parametrize("units", [None, 40.0])
def test_clusters_of_one_size_are_told_nothing_by_a_line(units):
    weights, residuals = np.full(10, 0.1), np.random.default_rng(4).normal(size=10) / 100
    usual = 10 / 9 * residuals @ residuals
    assert cluster_variance.variance(residuals, weights, units, 0.2 / 40) == pytest.approx(usual)


def kind(title):
    return next(k for k in coverage.kinds() if k.title.startswith(title) and k.designs[0].sizes != "equal")


def design(contracts, sizes, icc, related=False):
    return suites.Design(contracts, 3, icc, sizes, related)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "made", "truth"),
    [
        ("A share", design(100, "lognormal", 1.0), "rate 0.1"),
        ("A share", design(100, "giant", 0.2), "rate 0.1"),
        ("A share", design(100, "lognormal and a giant", 0.5, True), "rate 0.85"),
        ("A ratio: recall", design(100, "lognormal", 1.0, True), "rate 0.1"),
        ("A mean", design(300, "lognormal", 1.0), "mean 0.1"),
        ("A paired difference", design(100, "lognormal and a giant", 0.5, True), "0.85 against 0.75"),
        ("A ratio of two rates", design(100, "lognormal", 1.0, True), "0.375 over 0.5"),
    ],
    ids=str,
)
def test_intervals_and_bounds_hold_the_truth_where_contracts_differ_in_size(title, made, truth):
    """1,000 suites: 92.5% is what 93.5% may show by chance."""
    asked = kind(title)
    taken, value = asked.truths[truth]
    found = coverage.cell(made, truth, value, list(asked.make(np.random.default_rng(3), 1000, made, taken)))
    assert min(found.coverage, found.lower, found.upper) > 0.925


def test_a_guard_counts_contracts_of_one_size():
    """Without an error, 30 contracts of which one holds half of the cases are worth 3.9 of one size."""
    sizes = np.array([29.0] + [1.0] * 29)
    made = proportion(sizes, sizes, np.arange(30), side="lower")
    assert made.n_eff == pytest.approx(58**2 / (29**2 + 29)) == pytest.approx(3.87, abs=0.01)
    assert made.low < 0.6


def giant(share):
    """40 contracts, 39 of them of 4 cases, and one with this share of all."""
    return [round(39 * 4 * share / (1 - share)), *[4] * 39]


def answers(sizes, variant, right=1):
    clusters = np.repeat([f"contract {i}" for i in range(len(sizes))], sizes)
    return [record(i, right, cluster=c, variant=variant) for i, c in enumerate(clusters)]


def verdicts(sizes, rule="at_least"):
    gate = Gate(metric="accuracy", rule=rule, value=0.5) if rule == "at_least" else Gate(metric="accuracy", rule=rule)
    return judged([gate], METRICS, {CANDIDATE: answers(sizes, CANDIDATE), BASELINE: answers(sizes, BASELINE, 0)})


@pytest.mark.parametrize("rule", ["at_least", "improves"])
def test_a_gate_is_inconclusive_where_one_contract_holds_half_of_all_cases_and_names_it(rule):
    (found,) = verdicts(giant(0.5), rule)
    assert found.outcome == "inconclusive"
    assert "'contract 0' alone holds 50% of what is counted" in found.reason
    assert "they tell as much as 3.9 clusters of equal size" in found.reason
    assert "more clusters like the others, or fewer cases of 'contract 0'" in found.needed


@pytest.mark.parametrize("rule", ["at_least", "improves"])
def test_a_gate_judges_where_one_contract_holds_a_quarter(rule):
    assert [v.outcome for v in verdicts(giant(0.25), rule)] == ["pass"]


def test_the_contracts_that_are_asked_for_are_enough():
    sizes = giant(0.5)
    (found,) = verdicts(sizes)
    more = int(found.needed.split()[0])
    for added, is_enough in ((more - 2, False), (more, True)):
        shares = np.array([*sizes, *[4] * added]) / (sum(sizes) + 4 * added)
        assert (cluster_variance.effective(shares) >= FEWEST_EQUAL) is is_enough


def test_equal_contracts_are_never_too_unequal():
    gate = Gate(metric="accuracy", rule="at_least", value=0.5)
    assert too_few(Evidence(gate=gate, metric=ACCURACY, level=observed([1] * 10))) is None


def test_the_few_flips_guard_counts_contracts_of_one_size():
    """No contract got worse: 1 - .05^(1/G), with G of 40 contracts of which one holds a quarter."""
    sizes = giant(0.25)
    cases = observations(answers(sizes, CANDIDATE), ACCURACY)
    weights = np.array(sizes) / sum(sizes)
    assert flip_bound(pair(cases, cases, ACCURACY)) == pytest.approx(1 - 0.05 ** (weights @ weights), rel=1e-6)


@pytest.mark.parametrize("sizes", [np.resize([1, 2, 3, 4, 30], 100), np.array([75, *[3] * 75])], ids=["mixed", "giant"])
def test_levels_of_unequal_contracts_pass_about_as_often_as_predicted(sizes):
    rng = np.random.default_rng(8)
    shares = rng.beta(0.93 * 4, 0.07 * 4, size=(1500, len(sizes)))
    right, below = rng.binomial(sizes, shares).astype(float), sizes.astype(float)
    found = np.mean([proportion(r, below, np.arange(len(sizes)), 0.95, "lower").low >= 0.8 for r in right])
    assert power_exact.chance_of_level(design_of(below, 0.2), 0.8, 0.93) == pytest.approx(found, abs=0.06)


@pytest.mark.slow
def test_no_worse_passes_at_most_six_of_a_hundred_where_large_contracts_lose_more():
    """1,500 suites exactly at the margin of 5 points; without both lines 7.5%."""
    rules = load("statistics_rules")
    gate, made = rules.Gate(metric="accuracy", rule="no_worse", margin=0.05), design(300, "lognormal", 0.2, True)
    drawn = suites.flips(np.random.default_rng(6), 1500, made, 0.0, 0.05)
    assert np.mean([rules.passes(gate, suite, suites.ACCURACY, t, b) for suite, t, b in drawn]) <= 0.06
