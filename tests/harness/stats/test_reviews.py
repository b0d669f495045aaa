"""What people's remarks come to: hand tables, who counts as what, and intervals that cover."""

import numpy as np
import pytest
from scipy import stats

from harness.schema import Score, Span
from harness.stats import bootstrap, permutation
from harness.stats.agreement import Marked, agreed, passages, same_again, token_f1, tokens
from harness.stats.human_review import (
    EDITED,
    FABRICATED,
    MISSED,
    ON_A_SCALE,
    SEVERITIES,
    UNCHANGED,
    Rating,
    adjudicated,
    choices,
    comparison,
    level,
    preference,
    rate,
    signed_ranks,
)
from harness.stats.review_times import ReviewTime, caps, times

ACCURACY = ON_A_SCALE[0]
CRITICAL = SEVERITIES[0]


def remark(case, score, variant="tuned", reviewer="r1", contract=None, decides=False) -> Rating:
    return Rating(
        reviewer=reviewer,
        suite="s/s",
        case_id=f"c{case}",
        repeat=1,
        variant=variant,
        input_hash="same",
        cluster=f"k{case if contract is None else contract}",
        score=score,
        decides=decides,
    )


def accuracy(value) -> Score:
    return Score(name="human_accuracy", value=value, reason=None if value is not None else "skipped: tired")


def choice(name) -> Score:
    return Score(
        name="human_preference", value={"tuned": 1.0, "baseline": 0.0}.get(name, 0.5), extracted={"choice": [name]}
    )


def scored(tuned, baseline, per_contract=1, **more):
    """Accuracy of both answers to every case."""
    return [
        remark(i, accuracy(value), variant, contract=i // per_contract, **more)
        for variant, values in (("tuned", tuned), ("baseline", baseline))
        for i, value in enumerate(values)
    ]


def test_a_tie_and_both_bad_are_half_a_preference():
    said = ["tuned"] * 11 + ["baseline"] * 5 + ["tie"] * 3 + ["both_bad"]
    remarks = [remark(i, choice(name)) for i, name in enumerate(said)]
    found = preference(remarks)
    assert found.value == pytest.approx((11 + 2) / 20) and (found.n, found.clusters) == (20, 20)
    assert found.low < 0.5 < found.value < found.high
    assert choices(remarks) == {"tuned": 11, "baseline": 5, "tie": 3, "both_bad": 1}


def test_preferences_of_one_contract_count_as_one():
    said = (["tuned"] * 8 + ["baseline"] * 4) * 2
    apart = preference([remark(i, choice(name)) for i, name in enumerate(said)])
    together = preference([remark(i, choice(name), contract=i // 4) for i, name in enumerate(said)])
    assert together.value == apart.value and together.clusters == 6
    assert together.high - together.low > apart.high - apart.low


def test_two_people_on_one_case_are_averaged_and_not_counted_twice():
    said = [remark(0, choice("tuned")), remark(0, choice("baseline"), reviewer="r2"), remark(1, choice("tuned"))]
    found = preference(said)
    assert (found.value, found.n) == (0.75, 2)


def test_what_was_not_judged_is_left_out_and_counted():
    found = level([remark(0, accuracy(4.0)), remark(1, accuracy(None)), remark(2, accuracy(2.0))], ACCURACY)
    assert (found.value, found.n, found.unscored) == (3.0, 2, 1)
    nobody = level([remark(1, accuracy(None))], ACCURACY)
    assert nobody.value is None and nobody.unscored == 1


def test_a_decision_stands_in_the_place_of_what_was_decided():
    said = [remark(0, accuracy(5.0)), remark(0, accuracy(1.0), reviewer="r2"), remark(1, accuracy(3.0))]
    decided = [*said, remark(0, accuracy(2.0), reviewer="r3", decides=True)]
    assert level(adjudicated(said), ACCURACY).value == 3.0
    assert level(adjudicated(decided), ACCURACY).value == 2.5
    undecided = [*said, remark(0, accuracy(None), reviewer="r3", decides=True)]
    assert level(adjudicated(undecided), ACCURACY).value == 3.0


def test_scores_are_compared_only_where_one_person_judged_both_answers():
    remarks = scored([4.0] * 12, [3.0] * 12) + [remark(i, accuracy(1.0), reviewer="r2") for i in range(6)]
    found = comparison(remarks, ACCURACY)
    assert found.difference.value == pytest.approx(1.0)
    assert (found.wins, found.losses, found.ties) == (12, 0, 0)


def test_the_p_value_of_scores_is_wilcoxons_on_contract_means():
    rng = np.random.default_rng(1)
    tuned, baseline = rng.normal(3.2, 0.8, 24), rng.normal(3, 0.8, 24)
    tuned, baseline = np.clip(tuned, 1, 5), np.clip(baseline, 1, 5)
    found = comparison(scored(tuned, baseline, per_contract=2), ACCURACY)
    means = (tuned - baseline).reshape(12, 2).mean(axis=1)
    theirs = stats.wilcoxon(means, method="exact").pvalue
    assert found.p_value == pytest.approx(theirs, abs=1e-9) and found.test == "Wilcoxon signed ranks, exact"


@pytest.mark.parametrize("size", [6, 9])
def test_signed_ranks_with_ties_and_zeros_are_those_of_all_flips(size):
    rng = np.random.default_rng(size)
    assert signed_ranks(np.zeros(size))[0] == 1.0
    for _ in range(20):
        differences = rng.integers(-3, 4, size) / 2
        moved = differences[differences != 0]
        exact = stats.PermutationMethod(n_resamples=2**14)
        theirs = stats.wilcoxon(moved, method=exact).pvalue if len(moved) else 1.0
        assert signed_ranks(differences)[0] == pytest.approx(theirs, abs=1e-9)


def test_signed_ranks_of_many_are_near_the_normal_approximation():
    differences = np.random.default_rng(3).normal(0.15, 1.0, 200)
    assert signed_ranks(differences)[0] == pytest.approx(stats.wilcoxon(differences).pvalue, abs=0.01)


def marks(minor=0, major=0, critical=0) -> Score:
    counts = {"minor": minor, "major": major, "critical": critical}
    return Score(name="human_fabrication", value=float(minor + major + critical), counts=counts)


def test_fabrications_are_counted_an_answer_by_severity_and_answers_that_hold_any():
    remarks = [remark(i, marks(minor=2, critical=i < 3)) for i in range(10)]
    remarks += [remark(i, marks()) for i in range(10, 20)]
    assert level(remarks, SEVERITIES[2]).value == pytest.approx(1.0)
    assert level(remarks, CRITICAL).value == pytest.approx(0.15)
    assert level(remarks, FABRICATED).value == pytest.approx(0.5)
    none = level([remark(i, marks()) for i in range(60)], CRITICAL)
    assert none.value == 0 and 0.03 < none.high < 0.07


def test_missed_clauses_are_a_share_of_the_listed_ones():
    remarks = [
        remark(i, Score(name="human_missed", value=1.0, counts={"listed": listed, "missed": missed}))
        for i, (listed, missed) in enumerate([(4, 1), (2, 0), (6, 3)])
    ]
    found = level(remarks, MISSED)
    assert found.value == pytest.approx(4 / 12) and found.n == 12


def test_edits_are_by_character_of_the_draft_and_unchanged_drafts_are_counted():
    remarks = [
        remark(i, Score(name="human_fix", value=float(edits), counts={"edit_distance": edits, "draft_length": 100}))
        for i, edits in enumerate([0, 50, 0, 150])
    ]
    assert level(remarks, EDITED).value == pytest.approx(0.5)
    assert level(remarks, UNCHANGED).value == pytest.approx(0.5)


def test_guesses_have_wilsons_interval_and_none_has_a_reason():
    found = rate(9, 16, "nobody guessed")
    assert (found.value, found.n) == (9 / 16, 16) and found.low < 0.5 < found.high
    assert rate(0, 0, "nobody guessed").reason == "nobody guessed"


def test_preference_intervals_hold_the_true_rate_in_clustered_reviews():
    """40 contracts of 3 items, half of the choices of a contract shared; true rate .6 with ties as half."""
    rng, held = np.random.default_rng(4), []
    names = ["tuned", "baseline", "tie"]
    for _ in range(200):
        own = rng.choice(3, 120, p=[0.5, 0.3, 0.2])
        shared = np.repeat(rng.choice(3, 40, p=[0.5, 0.3, 0.2]), 3)
        said = np.where(rng.random(120) < 0.5, own, shared)
        found = preference([remark(i, choice(names[c]), contract=i // 3) for i, c in enumerate(said)])
        held.append(found.low <= 0.6 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.99


def spend(variant, contract, active_s, reviewer="r1") -> ReviewTime:
    return ReviewTime(
        reviewer=reviewer, variant=variant, cluster=f"k{contract}", active_s=active_s, wall_s=2 * active_s
    )


def timed(contracts=20, factor=0.4, seed=5, spread=0.3, reviewer="r1"):
    rng = np.random.default_rng(seed)
    base = np.exp(rng.normal(5.5, 0.6, contracts))
    return [
        spend(variant, i, float(base[i] * f * np.exp(rng.normal(0, spread))), reviewer)
        for i in range(contracts)
        for variant, f in (("tuned", factor), ("baseline", 1.0))
    ]


def test_the_ratio_of_paired_times_is_the_exponential_of_the_mean_difference_of_logarithms():
    spent = timed()
    logs = {(one.cluster, one.variant): np.log(one.active_s) for one in spent}
    by_hand = np.exp(np.mean([logs[f"k{i}", "tuned"] - logs[f"k{i}", "baseline"] for i in range(20)]))
    found = times(spent)
    assert found.capped == 0
    assert found.ratio.value == pytest.approx(by_hand)
    assert found.ratio.low < by_hand < found.ratio.high < 0.6


def test_a_slow_person_does_not_look_like_a_slow_model():
    """r2 takes ten times as long and had most of the tuned drafts: within either person the ratio is a half."""
    spent = [spend("tuned", i, 50.0) for i in range(4)] + [spend("baseline", i, 100.0) for i in range(4, 14)]
    spent += [spend("tuned", i, 500.0, "r2") for i in range(14, 24)] + [
        spend("baseline", i, 1000.0, "r2") for i in range(24, 28)
    ]
    assert times(spent).ratio.value == pytest.approx(0.5)
    mixed = np.exp(
        np.mean([np.log(s.active_s) for s in spent if s.variant == "tuned"])
        - np.mean([np.log(s.active_s) for s in spent if s.variant == "baseline"])
    )
    assert mixed > 1


def test_medians_are_of_all_times_and_the_cap_is_for_the_ratio_alone():
    spent = [*timed(), spend("tuned", 3, 86_400.0)]
    found = times(spent)
    assert found.capped == 1 and found.most_s < 86_400 and found.drafts == 41
    assert found.active["tuned"].value == pytest.approx(np.median([s.active_s for s in spent if s.variant == "tuned"]))
    assert found.wall["tuned"].value == pytest.approx(2 * found.active["tuned"].value)
    longer = times([*timed(), spend("tuned", 3, 10 * 86_400.0)])
    assert longer.ratio == found.ratio


def test_the_cap_lies_one_and_a_half_interquartile_ranges_beyond_the_quartiles_of_the_logarithms():
    spent = [spend("tuned", i, float(np.exp(i))) for i in range(1, 6)]
    assert caps(spent) == pytest.approx((1.0, np.exp(4 + 1.5 * 2)))
    assert caps([spend("tuned", i, float(np.exp(i))) for i in range(11, 16)]) == pytest.approx((np.exp(9), np.exp(17)))


def test_times_of_under_ten_contracts_or_of_one_model_have_no_ratio():
    few = times(timed(9)).ratio
    assert few.value is None and few.reason == "drafts of 9 clusters were timed; a ratio is shown from 10 on"
    alone = times([spend("tuned", i, 50.0) for i in range(20)])
    assert alone.ratio.reason == "nobody worked on drafts of both models"
    assert alone.active["baseline"].value is None
    assert times([]).ratio.value is None


def test_a_bootstrap_of_the_median_is_that_of_drawing_one_by_one(monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 4000)
    spent = timed(30)
    found = times(spent).active["baseline"]
    values = np.array([s.active_s for s in spent if s.variant == "baseline"])
    drawn = np.median(values[np.random.default_rng(8).integers(0, 30, (4000, 30))], axis=1)
    low, high = np.quantile(drawn, [0.02, 0.98])
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.12)


@pytest.mark.parametrize("contracts", [12, 40])
def test_ratio_intervals_hold_the_true_ratio(contracts, monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    held = []
    for seed in range(250):
        found = times(timed(contracts, seed=seed, spread=0.5)).ratio
        held.append(found.low <= 0.4 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.99


def test_a_bare_percentile_interval_would_cover_too_little_with_twelve_contracts(monkeypatch):
    """The expansion of `bootstrap.bounds` is what makes up for it."""
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    rng, bare, expanded = np.random.default_rng(9), [], []
    for _ in range(800):
        values = rng.normal(0, 1, 12)
        drawn = bootstrap.resample(12, lambda picked, v=values: picked @ v / 12, 1000)
        low, high = np.quantile(drawn, [0.025, 0.975])
        bare.append(low <= 0 <= high)
        low, high = bootstrap.bounds(12, lambda picked, v=values: picked @ v / 12)
        expanded.append(low <= 0 <= high)
    assert np.mean(bare) < 0.935 < np.mean(expanded)


def test_draws_are_seeded_and_every_cluster_is_drawn_as_often():
    one = bootstrap.resample(7, lambda picked: picked[:, 0], 5000)
    assert np.array_equal(one, bootstrap.resample(7, lambda picked: picked[:, 0], 5000))
    assert one.mean() == pytest.approx(1.0, abs=0.05)
    assert np.all(bootstrap.resample(7, lambda picked: picked.sum(axis=1), 50) == 7)


def test_draws_come_in_parts_that_fit_the_memory(monkeypatch):
    monkeypatch.setattr(bootstrap, "MOST_CELLS", 70)
    sizes = []

    def count(picked):
        sizes.append(len(picked))
        return picked[:, 0]

    assert len(bootstrap.resample(7, count, 25)) == 25
    assert sizes == [10, 10, 5]
    assert permutation.MOST_CELLS != 70


TEXT = "The fee is $500, due on 1 May."


def span(quote, kind="major") -> Span:
    start = TEXT.index(quote)
    return Span(start=start, end=start + len(quote), quote=quote, kind=kind, verdict="invented")


def test_token_f1_of_two_readers_by_hand():
    """First `fee is $ 500` (4 tokens), second `$ 500 , due` (4): two in common, 2 * 2 / 8."""
    one, other = [span("fee is $500")], [span("$500, due")]
    assert tokens(TEXT, one) == {1, 2, 3, 4}
    found = token_f1([Marked("k1", TEXT, [one, other])] * 12)
    assert found.value == pytest.approx(0.5)


def test_a_span_that_touches_a_word_marks_it_whole_and_overlaps_count_once():
    inside = Span(start=5, end=6, quote="e", kind="minor", verdict="invented")
    assert tokens(TEXT, [inside]) == {1}
    assert tokens(TEXT, [inside, span("fee is")]) == {1, 2}
    assert tokens("a😀b c", [Span(start=1, end=2, quote="😀", kind="minor", verdict="invented")]) == {1}


def test_token_f1_pools_pairs_of_three_readers_and_leaves_out_texts_without_marks():
    fee, due = [span("fee")], [span("due")]
    three = Marked("k1", TEXT, [fee, fee, due])
    assert token_f1([three, Marked("k2", TEXT, [[], []])]).value == pytest.approx(2 / 6)
    assert token_f1([Marked("k1", TEXT, [[], []])]).reason == "no two people marked any passage"
    assert token_f1([Marked("k1", TEXT, [fee])]).reason == "no text was read by two people"


def test_reviewers_agree_by_measure_and_whoever_decides_is_left_out():
    said = [remark(i, accuracy(float(1 + i % 5)), reviewer=who) for i in range(30) for who in ("r1", "r2")]
    said += [remark(i, choice("tuned" if i % 3 else "tie"), reviewer=who) for i in range(30) for who in ("r1", "r2")]
    said += [remark(i, accuracy(5.0), reviewer="r3", decides=True) for i in range(30)]
    found = {one.measure.name: one for one in agreed(said)}
    assert set(found) == {"accuracy", "preference"}
    assert found["accuracy"].alpha.value == found["accuracy"].raw.value == found["preference"].ac1.value == 1


def test_marks_of_two_reviewers_are_compared_by_their_words():
    def marked(reviewer, quote):
        score = Score(name="human_fabrication", value=1.0, counts={"minor": 1}, spans=[span(quote)])
        return remark(0, score, reviewer=reviewer)

    assert passages([marked("r1", "fee"), marked("r2", "fee is")], lambda r: TEXT).value == pytest.approx(2 / 3)


def test_a_reviewer_who_sees_an_item_again_may_say_the_same():
    found = same_again([("tuned", "tuned"), ("tie", "baseline"), (None, "tuned"), ("tie", "tie")])
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    assert same_again([]).value is None
