"""The simulations draw what they say they draw, and their tables tell a sound method from an unsound one."""

import numpy as np
import pytest

from tests.benchmarks.test_injected import load

suites, coverage, rules = load("statistics_suites"), load("statistics_coverage"), load("statistics_rules")
validity = load("statistics_validity")
CLUSTERED = suites.Design(40, 8, 0.3)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def by_contract(drawn) -> np.ndarray:
    """Scores of equal contracts, shape (suites, variants, contracts, cases)."""
    return np.array([[s.reshape(CLUSTERED.contracts, -1) for s in scores] for _, *scores in drawn]).astype(float)


def correlation(drawn: np.ndarray) -> float:
    """Intra-cluster correlation of 0/1 scores, shape (suites, contracts, cases), by variance of contract means."""
    p, m = drawn.mean(), drawn.shape[2]
    return (drawn.mean(axis=2).var() / (p * (1 - p)) - 1 / m) / (1 - 1 / m)


def test_scores_have_the_rate_and_the_correlation_of_their_design():
    drawn = by_contract(suites.levels(rng(), 300, CLUSTERED, 0.85))[:, 0]
    assert drawn.mean() == pytest.approx(0.85, abs=0.01)
    assert correlation(drawn) == pytest.approx(0.3, abs=0.03)


def test_both_variants_have_their_rates_and_fail_together():
    pairs = by_contract(suites.both(rng(), 300, CLUSTERED, 0.9, 0.8))
    tuned, baseline = pairs[:, 0], pairs[:, 1]
    assert (tuned.mean(), baseline.mean()) == (pytest.approx(0.9, abs=0.01), pytest.approx(0.8, abs=0.01))
    assert np.corrcoef(tuned.ravel(), baseline.ravel())[0, 1] > 0.3


@pytest.mark.parametrize("design", [d for d in suites.UNEQUAL if d.contracts == 100], ids=str)
def test_unequal_contracts_have_the_rate_of_their_design_over_all_cases(design):
    """The truth is the ratio of expected sums, also where large contracts score lower."""
    drawn = list(suites.levels(rng(), 2000, design, 0.85))
    cases = np.array([len(scores) for _, scores in drawn])
    right = np.array([scores.sum() for _, scores in drawn])
    error = np.sqrt(((right - 0.85 * cases) ** 2).sum()) / cases.sum()
    assert right.sum() / cases.sum() == pytest.approx(0.85, abs=4 * error)
    sizes = [np.bincount(suite.clusters) for suite, _ in drawn[:50]]
    if design.sizes.endswith("giant"):
        assert np.mean([s.max() / s.sum() for s in sizes]) == pytest.approx(suites.GIANT, abs=0.005)
    if design.icc == 1:
        hits = [np.bincount(suite.clusters, weights=scores) for suite, scores in drawn[:50]]
        assert all(np.all((h == 0) | (h == s)) for h, s in zip(hits, sizes, strict=True))


@pytest.mark.parametrize("icc", [0.2, 1.0])
def test_unequal_contracts_have_the_changes_of_their_design(icc):
    design = suites.Design(100, 3, icc, "lognormal", True)
    drawn = [(t.astype(float) - b).astype(int) for _, t, b in suites.flips(rng(), 1500, design, 0.10, 0.04)]
    change = np.concatenate(drawn)
    assert (change > 0).mean() == pytest.approx(0.10, abs=0.01)
    assert (change < 0).mean() == pytest.approx(0.04, abs=0.007)


def test_changes_have_their_shares():
    pairs = by_contract(suites.flips(rng(), 300, CLUSTERED, 0.10, 0.03))
    change = pairs[:, 0] - pairs[:, 1]
    assert (change > 0).mean() == pytest.approx(0.10, abs=0.01)
    assert (change < 0).mean() == pytest.approx(0.03, abs=0.01)


@pytest.mark.parametrize("kind", ["macro_f1", "macro_recall"])
def test_the_truth_of_a_mean_over_labels_is_what_endless_cases_give(kind):
    made = suites.Labelled(np.full(5, 0.3), 0.85)
    design = suites.Design(4000, 1, 0.0)
    (suite, labels, _), *_ = suites.labelled(rng(), 1, design, made)
    metric = suites.MACRO_F1 if kind == "macro_f1" else suites.MACRO_RECALL
    found = coverage.estimate(suite.observed(np.zeros(4000), labels=labels), metric)
    assert found.value == pytest.approx(made.truth(kind), abs=0.02)


def test_an_interval_that_leaves_contracts_aside_is_told_from_one_that_does_not():
    found = coverage.cell(CLUSTERED, "0.85", 0.85, list(coverage.share(rng(), 400, CLUSTERED, 0.85)))
    assert found.coverage > 0.93
    assert found.plain < 0.80
    assert not found.misses


def test_intervals_that_miss_the_truth_are_starred():
    seen = [coverage.Seen(0.5, (0.4, 0.6), (0.42, 0.58), (0.4, 0.6))] * 9
    seen.append(coverage.Seen(0.9, (0.8, 1.0), (0.82, 0.98), (0.8, 1.0)))
    found = coverage.cell(CLUSTERED, "0.5", 0.5, seen)
    assert found.coverage == 0.9
    assert found.misses
    row = validity.coverage_row("a share", found)
    assert (row[3], row[-1]) == ("90.0", "interval")
    assert "| a share | 90.0% |" in validity.coverage_summary([row])


def test_a_plain_rule_lets_through_what_the_gate_does_not():
    design, gate = suites.Design(100, 10, 0.5), rules.Gate(metric="accuracy", rule="at_least", value=0.85)
    drawn = list(suites.levels(rng(), 300, design, 0.85))
    assert np.mean([rules.passes(gate, suite, suites.ACCURACY, scores) for suite, scores in drawn]) <= 0.08
    assert np.mean([rules.plainly_at_least(scores, 0.85) for _, scores in drawn]) > 0.15


def test_a_rule_that_passes_too_often_and_a_power_that_is_off_are_starred():
    passed = [rules.Passed("c", "d", "t", 0.06, 0.5, 0.05), rules.Passed("c", "d", "t", 0.05, 0.0, 0.05)]
    part = validity.passed_part(passed)
    assert part.text.startswith("1 of 2 cells let through more than they may, the plain rules 1.")
    assert "| c | 2 | 6.0% (d; t) | 50.0% | 5% |" in part.text
    assert part.rows == [["c", "d", "t", "6.0", "50.0", "5"], ["c", "d", "t", "5.0", "0.0", "5"]]
    assert "84.0 *" in validity.power_part([rules.Power("c", "d", 0.80, 0.84), rules.Power("c", "d", 0.80, 0.82)]).text


def test_every_cell_is_in_a_file_next_to_the_page(tmp_path):
    part = validity.passed_part([rules.Passed("c", "30, giant", "t", 0.06, 0.5, 0.05)])
    validity.write_cells(tmp_path / "page.md", "null", part)
    lines = (tmp_path / "page" / "null.csv").read_text().splitlines()
    assert lines == ["gate,design,truth,passed,plain,may pass", 'c,"30, giant",t,6.0,50.0,5']


def test_the_same_seed_gives_the_same_table():
    first, again = (list(rules.power(3, 7)) for _ in range(2))
    assert first == again
