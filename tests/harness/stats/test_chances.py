"""How likely a rule is to pass: what is predicted against what the rules say of simulated suites."""

import math
from functools import cache

import numpy as np
import pytest

from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import Evidence
from harness.schema import Gate
from harness.stats import intervals, power, power_exact
from harness.stats.paired import rate_ratio
from harness.stats.power import Design, design_of
from tests.support.scored import ACCURACY, ERROR_RATE, FABRICATION, correlated, flips, observed, paired, passes

POINTS = 0.03
"""How far a prediction may be from a simulation."""


def level_passes(errors, cases, bar):
    gate = Gate(metric="accuracy", rule="at_least", value=bar)
    level = observed([0] * errors + [1] * (cases - errors))
    return GATE_RULES["at_least"].judge(Evidence(gate=gate, metric=ACCURACY, level=level)).outcome == "pass"


def simulated(gate, cases, better, worse, draws):
    """Share of suites that pass, one case a contract; equal outcomes are judged once."""
    drawn = np.random.default_rng(5).multinomial(cases, [better, worse, 1 - better - worse], size=draws)
    judged = cache(lambda b, c: passes(gate, flips(b, c, cases)))
    return float(np.mean([judged(int(b), int(c)) for b, c, _ in drawn]))


@pytest.mark.parametrize(("cases", "better", "worse", "stated"), [(29, 0.29, 0.01, 0.81), (370, 0.08, 0.03, 0.81)])
def test_a_gain_passes_as_often_as_predicted_and_as_the_design_says(cases, better, worse, stated):
    predicted = power_exact.chance_of_gain(Design(cases), better + worse, better - worse)
    found = simulated(Gate(metric="accuracy", rule="improves"), cases, better, worse, 1500)
    assert predicted == pytest.approx(found, abs=POINTS)
    assert predicted == pytest.approx(stated, abs=0.01)


def test_no_worse_passes_as_often_as_predicted_and_as_the_design_says():
    predicted = power_exact.chance_of_no_worse(Design(1546), 0.10, 0.02)
    found = simulated(Gate(metric="accuracy", rule="no_worse", margin=0.02), 1546, 0.05, 0.05, 500)
    assert predicted == pytest.approx(found, abs=POINTS)
    assert predicted == pytest.approx(0.79, abs=0.015)


@pytest.mark.parametrize("cases", [60, 124, 248])
def test_few_changes_keep_no_worse_from_passing_as_predicted(cases):
    """The few-flips guard: the plan without it says 80% for the two larger ones at 5 and 10% of changes."""
    changed = {60: 0.10, 124: 0.05, 248: 0.10}[cases]
    predicted = power_exact.chance_of_no_worse(Design(cases), changed, 0.05)
    gate = Gate(metric="accuracy", rule="no_worse", margin=0.05)
    assert predicted == pytest.approx(simulated(gate, cases, changed / 2, changed / 2, 800), abs=POINTS)
    assert predicted < 0.75


@pytest.mark.parametrize(
    ("cases", "truth", "stated"),
    [
        (149, 0.99, 0.22),
        (300, 0.99, 0.20),
        (500, 0.99, 0.44),
        (1000, 0.99, 0.79),
        (149, 0.98, 0.05),
        (300, 0.98, 0.02),
        (500, 0.98, 0.03),
        (1000, 0.98, 0.04),
    ],
)
def test_a_level_passes_as_often_as_predicted_and_as_the_design_says(cases, truth, stated):
    predicted = power_exact.chance_of_level(Design(cases), 0.98, truth)
    errors = np.random.default_rng(6).binomial(cases, 1 - truth, size=4000)
    judged = {int(k): level_passes(int(k), cases, 0.98) for k in np.unique(errors)}
    assert predicted == pytest.approx(np.mean([judged[int(k)] for k in errors]), abs=POINTS)
    assert predicted == pytest.approx(stated, abs=0.005)


@pytest.mark.parametrize("bar", [0.1, 0.2, 0.35, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("cases", [20, 45, 130])
def test_the_errors_that_are_allowed_are_those_that_the_rule_lets_pass(cases, bar):
    judged = [errors for errors in range(cases + 1) if level_passes(errors, cases, bar)]
    assert power_exact.allowed(Design(cases), bar).few == max(judged, default=None)


@pytest.mark.parametrize(
    ("contracts", "cases", "icc", "bar", "truth"),
    [
        (100, 3, 0.2, 0.95, 0.98),
        (168, 4, 0.2, 0.95, 0.98),
        (91, 7, 0.2, 0.95, 0.98),
        (91, 7, 0.2, 0.80, 0.86),
        (34, 9, 0.2, 0.75, 0.85),
        (40, 8, 0.3, 0.85, 0.93),
        (30, 4, 0.2, 0.30, 0.45),
    ],
)
def test_levels_of_clustered_suites_pass_as_often_as_predicted(contracts, cases, icc, bar, truth):
    right = correlated(np.random.default_rng(7), 1500, contracts, cases, truth, icc).astype(float)
    sizes, codes = np.full(contracts, float(cases)), np.arange(contracts)
    found = np.mean([intervals.proportion(row, sizes, codes, 0.95, "lower").low >= bar for row in right])
    design = design_of(sizes, icc)
    assert (design.clusters, design.units) == (contracts, contracts * cases)
    predicted = power_exact.chance_of_level(design, bar, truth)
    assert predicted == pytest.approx(found, abs=POINTS)
    assert type(predicted) is float  # `tunegate power --json` encodes it; numpy's own type is refused


def suites(shares, contracts, cases=1, metric=ACCURACY):
    """Suites whose units score in both, in the baseline alone, in the tuned alone, or in neither: Dirichlet contracts.

    Units of one contract correlate by 0.2.
    """
    rng, shares = np.random.default_rng(7), np.maximum(shares, 1e-9)
    by_contract = rng.dirichlet(4 * shares, size=(600, contracts)) if cases > 1 else np.full((1, 1, 4), shares)
    seen = (rng.random((600, contracts, cases, 1)) > by_contract.cumsum(-1)[..., None, :3]).sum(-1)
    return [paired((s % 2 == 0).ravel(), (s < 2).ravel(), cases, metric) for s in seen]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "contracts", "cases", "better", "worse", "margin"),
    [
        ("improves", 100, 4, 0.10, 0.03, 0.0),
        ("improves", 34, 9, 0.12, 0.04, 0.0),
        ("improves", 60, 4, 0.06, 0.0, 0.0),
        ("improves", 91, 7, 0.09, 0.04, 0.01),
        ("improves", 15, 20, 0.30, 0.05, 0.0),
        ("no_worse", 100, 4, 0.05, 0.05, 0.05),
        ("no_worse", 60, 4, 0.05, 0.05, 0.05),
    ],
)
def test_comparisons_of_clustered_suites_pass_about_as_often_as_predicted(
    rule, contracts, cases, better, worse, margin
):
    gate = Gate(metric="accuracy", rule=rule, margin=margin)
    made = suites([1 - better - worse, worse, better, 0], contracts, cases)
    found = np.mean([passes(gate, pairs) for pairs in made])
    design = Design(contracts, ((cases, 1.0),), 0.2)
    if rule == "improves":
        predicted = power_exact.chance_of_gain(design, better + worse, better - worse, margin=margin)
    else:
        predicted = power_exact.chance_of_no_worse(design, better + worse, margin)
    assert predicted == pytest.approx(found, abs=0.05)


@pytest.mark.parametrize(
    ("metric", "baseline", "margin", "contracts", "cases"),
    [
        (ACCURACY, 0.5, 0.3, 200, 1),
        (ACCURACY, 0.2, 0.5, 200, 1),
        (ERROR_RATE, 0.5, 0.3, 200, 1),
        (ERROR_RATE, 0.5, 0.3, 12, 20),
        (ACCURACY, 0.5, 0.1, 10, 4),
    ],
)
def test_a_gain_of_a_share_of_the_baseline_passes_as_often_as_predicted(metric, baseline, margin, contracts, cases):
    """Ten points beyond the margin, and 10% of cases change besides."""
    sign = 1 if metric.higher_is_better else -1
    gain = margin * baseline + 0.10
    tuned, changed = baseline + sign * gain, 0.10 + gain
    both = (baseline + tuned - changed) / 2
    made = suites([both, baseline - both, tuned - both, 1 - baseline - tuned + both], contracts, cases, metric)
    gate = Gate(metric=metric.name, rule="improves", margin=margin, unit="relative")
    found = np.mean([passes(gate, pairs) for pairs in made])
    design = Design(contracts, ((cases, 1.0),), 0.2)
    predicted = power_exact.chance_of_relative_gain(design, baseline, changed, tuned, 1 + sign * margin)
    assert predicted == pytest.approx(found, abs=0.05)


@pytest.mark.parametrize(
    ("contracts", "cases", "baseline", "ratio", "bar"),
    [
        (187, 1, 0.4, 0.75, 1.0),
        (100, 1, 0.2, 0.2, 0.75),
        (100, 1, 0.1, 0.375, 0.75),
        (40, 1, 0.2, 0.375, 0.75),
        (20, 3, 0.4, 0.5, 1.0),
        (25, 4, 0.3, 0.375, 0.75),
        (10, 1, 0.4, 0.1, 0.75),
        (12, 12, 0.2, 0.5, 1.0),
        (12, 12, 0.4, 0.375, 0.75),
    ],
)
def test_a_cut_passes_as_often_as_predicted_where_events_are_few_too(contracts, cases, baseline, ratio, bar):
    tuned = baseline * ratio
    both = baseline * tuned + power.possible_correlation(0.5, baseline, tuned) * math.sqrt(
        baseline * tuned * (1 - baseline) * (1 - tuned)
    )
    made = suites([both, baseline - both, tuned - both, 1 - baseline - tuned + both], contracts, cases, FABRICATION)
    highest = np.array([rate_ratio(pairs).high or np.inf for pairs in made])
    predicted = power_exact.chance_of_cut(Design(contracts, ((cases, 1.0),), 0.2), baseline, ratio, bar, 0.5)
    assert predicted == pytest.approx(np.mean((highest < bar) | ((highest == bar) & (bar < 1))), abs=0.05)


def test_a_truth_at_the_bar_is_rarely_shown_to_be_over_it():
    at_the_bar = power_exact.chance_of_level(Design(1000), 0.90, 0.90)
    assert 0.02 < at_the_bar < 0.06
    assert power_exact.chance_of_cut(Design(400), 0.3, 0.75, 0.75, 0.5) == 0.0
    assert power_exact.chance_of_gain(Design(400), 0.1, 0.0) < 0.03


def test_what_is_needed_has_the_chance_that_was_asked_for():
    design = Design(500)
    truth = power_exact.rate_needed(design, 0.98)
    assert power_exact.chance_of_level(design, 0.98, truth) == pytest.approx(0.80, abs=0.005)
    gain = power_exact.smallest_gain(design, 0.10, 0.9)
    assert power_exact.chance_of_gain(design, 0.10, gain) == pytest.approx(0.90, abs=0.005)
    margin = power_exact.smallest_margin(design, 0.10)
    assert power_exact.chance_of_no_worse(design, 0.10, margin) == pytest.approx(0.80, abs=0.02)
    ratio = power_exact.largest_ratio(design, 0.2, 0.75, 0.5)
    assert power_exact.chance_of_cut(design, 0.2, ratio, 0.75, 0.5) == pytest.approx(0.80, abs=0.02)


def test_more_contracts_are_found_that_reach_the_chance():
    wanted = power_exact.clusters_needed(Design(240), lambda d: power_exact.chance_of_no_worse(d, 0.10, 0.02))
    assert wanted == pytest.approx(1546, rel=0.03)
    assert power_exact.clusters_needed(Design(240), lambda d: 0.5) is None
    assert power_exact.clusters_needed(Design(240), lambda d: 0.9) <= 240


def test_a_faultless_model_is_judged_by_contracts_not_by_cases():
    many = Design(100, ((50, 1.0),), 0.2)
    assert power_exact.chance_of_level(many, 0.97, 1.0) == 1.0
    assert power_exact.chance_of_level(many, 0.98, 1.0) == 0.0
    assert power_exact.allowed(many, 0.98).few is None
    assert power_exact.chance_of_level(Design(132), 0.98, 1.0) == 0.0


def test_the_design_effect_grows_with_size_and_correlation():
    assert Design(10, ((4, 1.0),), 0.2).deff == pytest.approx(1.6)
    assert Design(10, ((1, 0.5), (3, 0.5)), 0.5).deff == power.design_effect(2.5, 0.5) == pytest.approx(1.75)
    assert Design(10).deff == 1.0 and Design(10).is_plain


@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_events_of_a_contract_have_the_mean_and_the_variance_of_correlated_cases(icc):
    chance, k = Design(1, ((5, 1.0),), icc).events(0.3), np.arange(6)
    mean = float(chance @ k)
    assert chance.sum() == pytest.approx(1.0)
    assert mean == pytest.approx(1.5)
    assert float(chance @ (k - mean) ** 2) == pytest.approx(5 * 0.3 * 0.7 * (1 + 4 * icc))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_nothing_and_everything_are_certain(rate):
    chance = Design(1, ((3, 1.0),), 0.2).events(rate)
    assert chance[3 if rate else 0] == pytest.approx(1.0)
    assert power_exact.chance_of_gain(Design(50), 0.0, 0.0) == 0.0
