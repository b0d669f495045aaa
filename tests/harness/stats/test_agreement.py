"""Agreement between raters: hand tables, two other implementations, intervals that cover, and when none is given."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from harness.stats import agreement, bootstrap
from harness.stats.agreement import Ratings, ac1, alpha, exact_agreement, ratings, raw_agreement

SCALE = ["1", "2", "3", "4", "5"]
NO_YES = ["no", "yes"]
CODERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]
"""The reliability data of Krippendorff (2011), section C: four observers, twelve units; 0 is missing."""


def rated(table, labels, ordered=False, contracts=None) -> Ratings:
    """Ratings of a raters x items table; what is no label is missing."""
    given = [
        (item, item if contracts is None else contracts[item], f"r{rater}", str(label))
        for rater, row in enumerate(table)
        for item, label in enumerate(row)
        if str(label) in labels
    ]
    return ratings(given, labels, ordered)


def both(one, other):
    return rated([one, other], NO_YES)


def kappa(first, second, labels=NO_YES):
    """Of items of one contract each."""
    return agreement.kappa(first, second, labels, [str(i) for i in range(len(first))])


def rare() -> tuple[list[str], list[str]]:
    """100 items; each of two raters marks three, one of them in common."""
    return ["yes"] * 3 + ["no"] * 97, ["yes", "no", "no", "yes", "yes"] + ["no"] * 95


def test_coefficients_of_krippendorffs_own_example():
    """Nominal .743, ordinal .815 (Krippendorff 2011); AC1 .775 (Gwet 2014, table 4.10, the same data)."""
    assert alpha(rated(CODERS, SCALE)).value == pytest.approx(0.743, abs=5e-4)
    assert alpha(rated(CODERS, SCALE, ordered=True)).value == pytest.approx(0.815, abs=5e-4)
    assert ac1(rated(CODERS, SCALE)).value == pytest.approx(0.77544, abs=1e-5)


def test_where_marks_are_rare_kappa_and_alpha_collapse_and_ac1_does_not():
    one, other = rare()
    found = both(one, other)
    assert raw_agreement(found).value == pytest.approx(0.96)
    assert kappa(one, other).value == pytest.approx(0.31, abs=0.005)
    assert alpha(found).value == pytest.approx(0.32, abs=0.005)
    assert ac1(found).value == pytest.approx(0.96, abs=0.005)


def test_a_hand_worked_table_of_two_raters():
    """20 both yes, 15 both no, 5 and 10 apart: p_a .7; alpha 1 - 99 * .3 * 100 / (2 * 55 * 45); AC1 (.7 - .495) / .505.

    Alpha: 100 ratings, 55 yes; 30 coincidences differ of 55 * 45 * 2 / 99 by chance. AC1: q .55, p_e 2 * .55 * .45.
    """
    one = ["yes"] * 25 + ["no"] * 25
    other = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = both(one, other)
    assert raw_agreement(found).value == pytest.approx(0.7)
    assert alpha(found).value == pytest.approx(1 - 30 * 99 / (2 * 55 * 45))
    assert ac1(found).value == pytest.approx((0.7 - 0.495) / 0.505)
    assert kappa(one, other).value == pytest.approx(0.4)
    assert exact_agreement(one, other, [str(i) for i in range(50)]).value == pytest.approx(0.7)


@pytest.mark.parametrize(("ordered", "named"), [(False, "nominal"), (True, "ordinal")])
def test_alpha_is_that_of_the_package_krippendorff(ordered, named, monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 100)
    krippendorff = pytest.importorskip("krippendorff", reason="the extra dev has krippendorff")
    rng = np.random.default_rng(11)
    for _ in range(100):
        raters, items = int(rng.integers(2, 5)), int(rng.integers(25, 60))
        table = rng.integers(1, 6, (raters, items)).astype(float)
        table[1:] = np.where(rng.random((raters - 1, items)) < 0.6, table[0], table[1:])
        table[rng.random(table.shape) < 0.2] = np.nan
        theirs = krippendorff.alpha(reliability_data=table, level_of_measurement=named)
        ours = alpha(rated(np.nan_to_num(table).astype(int).tolist(), SCALE, ordered)).value
        assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        ("001 .11 ..0 112 111 .22 .12 0.0 000 101 111 .22 1.1 .22 22. .00 22. 22. 2.2 0.2", 0.68679),
        ("100 000 1.2 2.2 111 .20 100 0.0 01. .01 000 000 011 111 ..0 .0. 0.0 .01 020 01.", 0.33531),
        ("012 111 0.0 211 000 110 ..0 .02 1.1 222 0.0 2.2 21. 0.1 .11 11. 002 001 222 020", 0.42417),
    ],
)
def test_ac1_with_missing_ratings_is_that_of_irrcac(rows, value):
    """Values of irrCAC 0.4.4, `CAC(table, categories=[0, 1, 2]).gwet()`; a dot is missing."""
    table = np.array([list(row) for row in rows.split()]).T.tolist()
    assert ac1(rated(table, ["0", "1", "2"])).value == pytest.approx(value, abs=1e-5)


def test_kappa_is_that_of_statsmodels(monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 100)
    rng = np.random.default_rng(12)
    for _ in range(50):
        one = rng.choice(SCALE, 60)
        other = np.where(rng.random(60) < 0.5, one, rng.choice(SCALE, 60))
        ours = kappa(one.tolist(), other.tolist(), SCALE).value
        table = np.array([[np.sum((one == a) & (other == b)) for b in SCALE] for a in SCALE])
        assert ours == pytest.approx(cohens_kappa(table, wt="quadratic", return_results=False))


def test_agreement_of_nobody_is_not_measured():
    assert kappa([], []).value is None and exact_agreement([], [], []).value is None


def test_raters_items_and_order_do_not_matter_and_a_last_word_counts():
    given = [(i, i, f"r{r}", str(CODERS[r][i])) for r in range(4) for i in range(12) if CODERS[r][i]]
    again = [*reversed(given)]
    assert alpha(ratings(given, SCALE, True)).value == pytest.approx(alpha(ratings(again, SCALE, True)).value)
    changed = [(0, 0, "r0", "5"), *given]
    assert alpha(ratings(changed, SCALE, True)).value == pytest.approx(alpha(ratings(given, SCALE, True)).value)


def test_under_ten_contracts_nothing_is_said_and_the_reason_is_given():
    one, other = ["no", "yes"] * 9, ["yes", "no"] * 2 + ["no", "yes"] * 7
    few = rated([one, other], NO_YES, contracts=[i // 2 for i in range(18)])
    for found in (alpha(few), ac1(few)):
        assert found.value is None
        assert found.reason == "two people rated 18 items from 9 clusters; agreement is shown from 10 on"
    alone = rated([["yes"] * 30], NO_YES)
    assert alpha(alone).reason == "no item was rated by two people; agreement is shown from 10 on"
    assert raw_agreement(alone).value is None


def test_where_one_label_is_rare_alpha_and_kappa_have_no_interval_and_ac1_has_one():
    one, other = rare()
    found = both(one, other)
    for withheld in (alpha(found), kappa(one, other)):
        assert withheld.value is not None and withheld.low is None and withheld.high is None
        assert "only 5 clusters hold another label than the usual one, 10 are needed" in withheld.method
    bounds = ac1(found)
    assert bounds.low is not None and bounds.high is not None
    assert 0.87 < bounds.low < 0.93 < bounds.high < 1


def test_one_label_throughout_is_nothing_beyond_chance_for_alpha_and_whole_agreement_for_ac1():
    same = both(["no"] * 40, ["no"] * 40)
    assert alpha(same).value is None and "one label throughout" in (alpha(same).reason or "")
    assert kappa(["no"] * 40, ["no"] * 40).value is None
    found = ac1(same)
    assert found.value == 1 and found.low is not None and 0.8 < found.low < 0.95


def test_perfect_agreement_has_an_interval_that_is_no_point():
    labels = NO_YES * 20
    for found in (alpha(both(labels, labels)), ac1(both(labels, labels)), raw_agreement(both(labels, labels))):
        assert found.value == 1 and found.high == 1
        assert found.low is not None and 0.7 < found.low < 0.95


def test_items_of_one_contract_count_as_one():
    rng = np.random.default_rng(13)
    contract = np.repeat(rng.choice(NO_YES, 30), 8)
    other = np.where(np.repeat(rng.random(30) < 0.7, 8), contract, np.where(contract == "no", "yes", "no"))
    apart = alpha(rated([contract, other], NO_YES))
    together = alpha(rated([contract, other], NO_YES, contracts=[i // 8 for i in range(240)]))
    assert together.value == pytest.approx(apart.value)
    assert together.high - together.low > 2 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("items", "table"),
    [
        (40, [[0.153, 0.147], [0.147, 0.553]]),
        (100, [[0.073, 0.027], [0.027, 0.873]]),
        (100, [[0.488, 0.012], [0.012, 0.488]]),
        (60, [[0.325, 0.175], [0.175, 0.325]]),
    ],
)
def test_intervals_hold_what_endless_items_would_give(items, table, monkeypatch):
    """120 reviews of two raters: of the intervals given, at least 90% hold the coefficient of the table itself."""
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    joint = np.array(table)
    shares = (joint.sum(axis=0) + joint.sum(axis=1)) / 2
    raw, chance, gwet = np.trace(joint), float(shares @ shares), 2 * shares[0] * shares[1]
    truth = {alpha: 1 - (1 - raw) / (1 - chance), ac1: (raw - gwet) / (1 - gwet)}
    rng, held = np.random.default_rng(14), {alpha: [], ac1: []}
    for _ in range(120):
        cells = rng.choice(4, items, p=joint.ravel())
        found = both([NO_YES[c // 2] for c in cells], [NO_YES[c % 2] for c in cells])
        for coefficient, hits in held.items():
            made = coefficient(found)
            if made.low is not None:
                hits.append(made.low <= truth[coefficient] <= made.high)
    assert len(held[ac1]) == 120 and len(held[alpha]) > 60
    assert np.mean(held[alpha]) >= 0.9 and np.mean(held[ac1]) >= 0.9


def test_two_thousand_items_of_three_raters_keep_their_interval(monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 500)
    rng = np.random.default_rng(15)
    table = rng.integers(1, 6, (3, 2000))
    table[1:] = np.where(rng.random((2, 2000)) < 0.7, table[0], table[1:])
    found = alpha(rated(table.tolist(), SCALE, ordered=True))
    assert found.n == 2000 and found.low < found.value < found.high
    assert found.high - found.low < 0.08
