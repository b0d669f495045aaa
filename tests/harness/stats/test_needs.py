"""What an inconclusive verdict needs: said for every rule and situation, and enough where it is met."""

import math
import re

import numpy as np
import pytest
from msgspec import structs

from harness.schema import Gate
from harness.stats import power
from harness.stats.estimates import estimate
from harness.stats.paired import difference, rate_ratio
from tests.support.scored import ACCURACY, FABRICATION, METRICS, OVERLAP, flips, judged, observed, paired, record

GATES = [
    Gate(metric="accuracy", rule="at_least", value=0.9),
    Gate(metric="recall", rule="at_least", value=0.9),
    Gate(metric="macro_f1", rule="at_least", value=0.8),
    Gate(metric="macro_recall", rule="at_least", value=0.8),
    Gate(metric="overlap", rule="at_least", value=0.8),
    Gate(metric="error_rate", rule="at_most", value=0.05),
    Gate(metric="length", rule="at_most", value=200),
    Gate(metric="accuracy", rule="improves"),
    Gate(metric="error_rate", rule="improves"),
    Gate(metric="macro_f1", rule="improves"),
    Gate(metric="accuracy", rule="improves", margin=0.05),
    Gate(metric="accuracy", rule="improves", margin=0.2, unit="relative"),
    Gate(metric="error_rate", rule="improves", margin=0.5, unit="relative"),
    Gate(metric="overlap", rule="improves"),
    Gate(metric="accuracy", rule="no_worse", margin=0.02),
    Gate(metric="error_rate", rule="no_worse", margin=0.02),
    Gate(metric="macro_recall", rule="no_worse", margin=0.02),
    Gate(metric="overlap", rule="no_worse", margin=0.02),
    Gate(metric="length", rule="no_worse", margin=5.0),
    Gate(metric="fabrication", rule="reduces", ratio=0.75),
    Gate(metric="fabrication", rule="reduces", ratio=1.0),
    Gate(metric="fabrication", rule="never", n_min=300),
]


def suite(rng, contracts, per_contract, tuned, baseline, same):
    """Both variants' answers: the share `same` of cases has one difficulty for both."""
    n = contracts * per_contract
    hard = rng.random(n)
    other = np.where(rng.random(n) < same, hard, rng.random(n))
    made = {}
    for variant, level, rate in (("tuned", hard, tuned), ("baseline", other, baseline)):
        rows = []
        for i in range(n):
            right, claims = int(level[i] < rate), 1 + i % 3
            row = record(i, right * claims, claims=claims, cluster=i // per_contract, variant=variant)
            value = float(np.clip(rate + (right - rate) * hard[i] / 2, 0, 1))
            scored = structs.replace(row.scores["answers"], value=value)
            rows.append(structs.replace(row, scores={"answers": scored}))
        made[variant] = rows
    return made


def verdicts(gates, records):
    by_claim = [structs.replace(metric, denominator="claims") for metric in METRICS[:2]]
    return judged(gates, [*by_claim, *METRICS[2:], OVERLAP], records)


SITUATIONS = [
    (contracts, per_contract, tuned, baseline, same)
    for contracts, per_contract in ((4, 3), (10, 1), (12, 4), (60, 1), (40, 3))
    for tuned, baseline in (
        (0.0, 0.0),
        (1.0, 1.0),
        (1.0, 0.0),
        (0.0, 1.0),
        (0.93, 0.9),
        (0.9, 0.93),
        (0.97, 0.8),
        (0.5, 0.5),
        (0.85, 0.6),
    )
    for same in (0.5, 1.0)
]


@pytest.mark.slow
@pytest.mark.parametrize("contracts", [4, 10, 12, 40, 60])
def test_every_inconclusive_verdict_says_what_would_settle_it(contracts):
    rng, undecided = np.random.default_rng(contracts), 0
    for situation in (s for s in SITUATIONS if s[0] == contracts):
        for made in verdicts(GATES, suite(rng, *situation)):
            if made.outcome != "inconclusive":
                continue
            undecided += 1
            assert made.needed, (situation, made.gate)
            numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", made.needed)]
            is_number = "; has " in made.needed
            assert is_number or made.needed.startswith(
                ("slightly more than", "a value exactly at the threshold can never", "a baseline with some to")
            ), (situation, made.needed)
            if made.needed.startswith("about "):
                assert numbers[0] > situation[0] * situation[1], (situation, made.needed)
    assert undecided > 40


def test_a_value_on_the_bar_is_said_to_be_out_of_reach_with_what_is_in_reach():
    level = power.for_level(observed([1] * 45 + [0] * 5), ACCURACY, 0.9, "lower")
    assert level.times is None
    made = estimate(observed([1] * 45 + [0] * 5), ACCURACY, side="lower")
    assert level.apart > made.high - made.value
    gain = power.for_difference(flips(5, 5, 100), 0.0)
    assert gain.times is None and gain.apart == pytest.approx(0.09, abs=0.02)


@pytest.mark.parametrize("per_contract", [1, 5])
@pytest.mark.parametrize(
    ("right", "of", "bar"), [(285, 300, 0.93), (280, 300, 0.95), (300, 300, 0.995), (8, 300, 0.02)]
)
def test_as_many_contracts_as_a_level_needs_settle_it(right, of, bar, per_contract):
    """The value is on one side of the bar; that many more contracts like these put its bound there too."""
    order = np.random.default_rng(3).permutation(of)
    found = observed([([1] * right + [0] * (of - right))[i] for i in order], per_contract)
    need = power.for_level(found, ACCURACY, bar, "lower")

    def settled(times):
        more = found.table.repeated(times)
        made = estimate(type(found)(cases=more, records=len(more)), ACCURACY, side="lower")
        return made.low >= bar if made.value > bar else made.high < bar

    assert not settled(1) and need.times > 1
    assert settled(math.ceil(need.times))
    if need.times > 3:
        assert not settled(max(1, int(need.times / 3)))


@pytest.mark.parametrize(
    ("better", "worse", "bar"), [(8, 3, 0.0), (5, 2, 0.0), (3, 8, 0.0), (12, 2, 0.05), (4, 0, 0.0)]
)
def test_as_many_contracts_as_a_difference_needs_settle_it(better, worse, bar):
    pairs = flips(better, worse, 100)
    need = power.for_difference(pairs, bar)

    def settled(times):
        made = difference(power.repeated(pairs, times))
        return made.low > bar if made.value > bar else made.high <= bar

    assert not settled(1) or need.times < 2
    assert settled(math.ceil(need.times))


@pytest.mark.parametrize(("tuned", "baseline"), [(4, 10), (0, 6), (12, 18), (30, 34), (3, 30)])
def test_as_many_contracts_as_a_cut_needs_settle_it(tuned, baseline):
    pairs = paired([1] * tuned + [0] * (100 - tuned), [1] * baseline + [0] * (100 - baseline), metric=FABRICATION)
    need = power.for_ratio(pairs, 0.75)

    def settled(times):
        made = rate_ratio(power.repeated(pairs, times))
        return made.high is not None and (made.high <= 0.75 if made.value < 0.75 else made.low > 0.75)

    assert settled(math.ceil(need.times))


def test_four_times_the_contracts_need_a_quarter_as_many_more():
    once, four = flips(8, 4, 200), power.repeated(flips(8, 4, 200), 4)
    assert power.for_difference(once, 0.0).times == pytest.approx(4 * power.for_difference(four, 0.0).times, rel=0.1)


def test_the_need_for_a_gain_agrees_with_the_normal_formula():
    """n = ((1.96 + 0.84) * SD / gap)^2, on a difference that hundreds of contracts carry."""
    pairs = flips(80, 60, 1000)
    sd = math.sqrt(0.14 - 0.02**2)
    wanted = ((1.95996 + 0.84162) * sd / 0.02) ** 2
    assert 1000 * power.for_difference(pairs, 0.0).times == pytest.approx(wanted, rel=0.04)


def test_what_no_number_of_contracts_bounds_is_given_up_before_it_fills_the_memory(monkeypatch):
    pairs, asked = flips(10, 4, 200, metric=FABRICATION), []

    def endless(copies):
        asked.append(len(copies.tuned))
        return structs.replace(rate_ratio(pairs), low=0.0, high=None)

    monkeypatch.setattr(power, "rate_ratio", endless)
    assert power.for_ratio(pairs, 0.9).times is None
    assert max(asked) <= 2 * power.MOST_ROWS
