"""How often a rule lets through what it must not: exact sums over outcomes, and simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import Evidence
from harness.schema import Gate
from harness.stats.paired import difference, rate_ratio
from tests.support.scored import FABRICATION, RECALL, flips, observed, paired, passes

IMPROVES = Gate(metric="accuracy", rule="improves")
NO_WORSE = Gate(metric="accuracy", rule="no_worse", margin=0.02)


def chance(cases, better, worse, decide, least=1e-7):
    """Probability that `decide(b, c)` holds, summed over the outcomes of independent flips."""
    total = 0.0
    for c in range(cases + 1):
        outer = stats.binom.pmf(c, cases, worse)
        for b in range(cases + 1 - c) if outer > least else ():
            inner = stats.binom.pmf(b, cases - c, better / (1 - worse))
            if outer * inner > least and decide(b, c):
                total += outer * inner
    return total


def test_improves_under_the_null_passes_about_one_in_eighty():
    assert chance(100, 0.05, 0.05, lambda b, c: passes(IMPROVES, flips(b, c, 100))) == pytest.approx(0.012, abs=0.002)


def t_bound(b, c, cases, level):
    """Lower bound of the paired t interval: the plain method, which nothing guards."""
    mean = (b - c) / cases
    se = math.sqrt(((b + c) / cases - mean * mean) / (cases - 1))
    return mean - stats.t.ppf(level, cases - 1) * se


def test_the_bound_alone_would_pass_one_in_forty():
    assert 0.020 <= chance(100, 0.05, 0.05, lambda b, c: t_bound(b, c, 100, 0.975) > 0) <= 0.028
    assert chance(100, 0.05, 0.05, lambda b, c: difference(flips(b, c, 100)).low > 0) <= 0.025


@pytest.mark.parametrize(
    ("cases", "bare", "guarded"), [(50, 0.357, 0.0), (100, 0.133, 0.0), (200, 0.091, 0.018), (400, 0.104, 0.044)]
)
def test_no_worse_at_its_margin_passes_rarely_and_only_thanks_to_the_guard(cases, bare, guarded):
    def unguarded(b, c):
        return t_bound(b, c, cases, 0.95) > -0.02

    assert chance(cases, 0.0, 0.02, unguarded) == pytest.approx(bare, abs=0.02)
    assert chance(cases, 0.0, 0.02, lambda b, c: passes(NO_WORSE, flips(b, c, cases))) == pytest.approx(
        guarded, abs=0.005
    )


@pytest.mark.parametrize(("contracts", "rate"), [(30, 0.10), (60, 0.05), (60, 0.20)])
def test_a_cut_that_only_just_misses_the_bar_passes_rarely(contracts, rate):
    """True ratio 0.75, independent variants: the rule may pass no more often than its 2.5% says, with some slack."""
    rng, suites = np.random.default_rng(2), 150
    gate = Gate(metric="fabrication", rule="reduces", ratio=0.75)
    passed = 0
    for _ in range(suites):
        tuned, baseline = rng.random(contracts) < 0.75 * rate, rng.random(contracts) < rate
        pairs = paired(tuned, baseline, metric=FABRICATION)
        passed += passes(gate, pairs)
    assert passed / suites <= 0.08


def test_a_cut_to_nothing_in_a_tiny_suite_is_not_shown():
    pairs = paired([0] * 30, [1] * 3 + [0] * 27, metric=FABRICATION)
    assert rate_ratio(pairs).value == 0
    assert not passes(Gate(metric="fabrication", rule="reduces", ratio=0.75), pairs)


def shows(level, threshold):
    """Whether `at_least` passes these observations."""
    gate = Gate(metric="recall", rule="at_least", value=threshold)
    return GATE_RULES["at_least"].judge(Evidence(gate=gate, metric=RECALL, level=level)).outcome == "pass"


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9, 0.95, 0.98])
def test_a_model_at_the_threshold_passes_at_most_one_suite_in_twenty_with_one_case_a_contract(threshold):
    """Exact sums; Wilson's bound alone lets it pass 6.8% to 8.6% of the time with the fewest cases."""
    errors, often = -1, []
    for cases in range(10, 201):
        while shows(observed([0] * (errors + 1) + [1] * (cases - errors - 1)), threshold):
            errors += 1
        often.append(stats.binom.cdf(errors, cases, 1 - threshold))
    assert 0.048 < max(often) <= 0.05


def test_a_second_claim_of_one_contract_shows_no_more_than_one_of_another_contract():
    claims = [2] + [1] * 54
    assert 0.95 ** sum(claims) > 0.05
    assert not shows(observed(claims, sizes=claims), 0.95)
