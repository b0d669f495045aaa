"""How many contracts a bar needs, against sums that use scipy alone; and what is said of a suite that has too few."""

import math

import pytest
from scipy import stats

from harness.gates.config import load_gates
from harness.gates.power import clusters_enough
from harness.gates.power_view import power_summary
from harness.gates.rules.base import Assumed
from harness.gates.rules.improves import GAIN
from harness.schema import Gate
from harness.suites.discovery import find_suites
from tests.support.mini import GATES, rows, write_suite


def lower_bound(errors: int, n: int) -> float:
    """One-sided 95% Wilson bound of the share of right cases."""
    return stats.binomtest(n - errors, n).proportion_ci(0.90, method="wilson").low


def chance_of_level(n: int, bar: float, truth: float) -> float:
    """Probability that n cases show `bar`, summed over what may come."""
    most = -1
    while most + 1 <= n and lower_bound(most + 1, n) >= bar:
        most += 1
    return float(stats.binom.cdf(most, n, 1 - truth)) if most >= 0 else 0.0


@pytest.mark.parametrize("bar", [0.7, 0.9, 0.95])
@pytest.mark.parametrize("rule", ["at_least", "at_most"])
def test_so_many_cases_let_a_good_model_pass_four_times_in_five(rule, bar):
    gate = Gate(metric="x", rule=rule, value=bar if rule == "at_least" else 1 - bar)
    enough = clusters_enough(gate)
    assert chance_of_level(enough, bar, (1 + bar) / 2) >= 0.8
    assert chance_of_level(math.floor(enough * 0.85), bar, (1 + bar) / 2) < 0.8


def test_a_gain_needs_about_what_the_paired_normal_formula_says():
    own = Assumed()
    enough = clusters_enough(Gate(metric="x", rule="improves"), own)
    variance = own.discordance + GAIN - GAIN**2
    plan = ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / GAIN) ** 2 * variance
    assert plan == pytest.approx(enough, rel=0.15)


def test_equal_models_need_about_what_the_one_sided_formula_says():
    gate = Gate(metric="x", rule="no_worse", margin=0.02)
    plan = ((stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) / 0.02) ** 2 * 0.10
    assert plan == pytest.approx(clusters_enough(gate), rel=0.05)


def test_a_cut_needs_fewer_than_a_smaller_one_does():
    """Statistics of the design: a true cut of half, shown to be a quarter, takes 335 at a baseline rate of 20%."""
    gate = Gate(metric="x", rule="reduces", ratio=0.75)
    assert 100 < clusters_enough(gate, Assumed(baseline_rate=0.2, correlation=0.5)) < 335


@pytest.mark.parametrize(("gate", "enough"), [
    (Gate(metric="x", rule="never", n_min=300), 300),
    (Gate(metric="x", rule="never", n_min=1), 10),
    (Gate(metric="x", rule="at_least", value=0.1), 10),
    (Gate(metric="x", rule="at_least", value=0.1, n_min=5000), 5000),
    (Gate(metric="x", rule="at_least", value=0.9999), None),
])  # fmt: skip
def test_the_fewest_cases_of_a_gate_count_too_and_beyond_twenty_thousand_there_is_no_number(gate, enough):
    assert clusters_enough(gate) == enough


def said(tmp_path, number):
    folder = write_suite(tmp_path, rows(number))
    (suite,) = find_suites([str(folder)])
    return power_summary(suite, load_gates(suite.gates_path))


def test_too_few_cases_are_told_how_many_it_takes(tmp_path):
    lines = said(tmp_path, 8)
    enough = clusters_enough(Gate(metric="x", rule="at_least", value=0.5))
    assert lines[0] == f"power: clause_recall-at_least-0.5: needs about {enough} cases; you have 4"


def test_enough_cases_are_told_so(tmp_path):
    assert GATES.count("[[gate]]") == 2
    lines = said(tmp_path, 80)
    assert lines[0] == "power: clause_recall-at_least-0.5: has enough: 40 cases"
    assert len(lines) == 2 and all("has enough" in line for line in lines)
