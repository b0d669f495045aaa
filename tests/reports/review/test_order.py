"""Sample, sharing, sides and repeats: what is drawn before anybody sees an answer."""

import random
from collections import Counter

import pytest

from reports.review.planning import BLOCK, sample, share_out, showings, sides
from reports.review.schema import AnswerKey


def keys(count: int) -> list[AnswerKey]:
    return [AnswerKey(suite="s", case_id=f"c{number:02d}") for number in range(count)]


@pytest.mark.parametrize("count", range(1, 40))
def test_within_every_block_the_sides_differ_by_one_at_most(count: int) -> None:
    for seed in range(20):
        drawn = sides(count, random.Random(seed))
        assert len(drawn) == count
        for start in range(0, count, BLOCK):
            block = drawn[start : start + BLOCK]
            assert abs(2 * sum(block) - len(block)) <= 1


def test_the_order_of_sides_is_drawn_and_not_fixed() -> None:
    first = Counter(tuple(sides(BLOCK, random.Random(seed))) for seed in range(600))
    assert len(first) == 6 and min(first.values()) > 60
    assert {tuple(sides(1, random.Random(seed))) for seed in range(50)} == {(True,), (False,)}


def test_a_sample_takes_one_case_of_each_contract_before_a_second_of_any() -> None:
    clusters = {key: f"contract-{number // 5}" for number, key in enumerate(keys(30))}
    drawn = sample(clusters, 9, seed=3)
    assert Counter(Counter(clusters[key] for key in drawn).values()) == {1: 3, 2: 3}
    assert sample(dict(reversed(clusters.items())), 9, seed=3) == drawn
    assert sample(clusters, 9, seed=4) != drawn
    assert sorted(sample(clusters, 100, seed=3)) == sorted(clusters)


@pytest.mark.parametrize(("reviewers", "share", "shared"), [(2, 0.25, 5), (3, 0.25, 5), (3, 1.0, 20), (1, 0.25, 0)])
def test_a_share_of_the_items_goes_to_two_reviewers_and_nothing_is_lost(
    reviewers: int, share: float, shared: int
) -> None:
    names = [f"r{number}" for number in range(reviewers)]
    given = share_out(keys(20), names, share)
    seen = Counter(key for items in given.values() for key in items)
    assert set(seen) == set(keys(20))
    assert Counter(seen.values()) == {count: n for count, n in ((2, shared), (1, 20 - shared)) if n}
    loads = [len(items) for items in given.values()]
    assert max(loads) - min(loads) <= 1


def test_repeats_come_in_the_second_half_on_the_other_side_and_never_next_to_the_first() -> None:
    for seed in range(50):
        shown = showings(keys(11), 3, "r1", seed)
        assert len(shown) == 14
        assert abs(2 * sum(s.swapped for s in shown if not s.again) - 11) <= 1
        for at, again in enumerate(shown):
            if again.again:
                before = next(i for i, s in enumerate(shown) if s.key == again.key)
                assert before + 1 < at and at >= 6
                assert shown[before].swapped is not again.swapped


def test_each_reviewer_has_an_order_of_their_own_that_the_seed_brings_back() -> None:
    assert showings(keys(8), 2, "r1", 1) == showings(keys(8), 2, "r1", 1)
    assert showings(keys(8), 2, "r1", 1) != showings(keys(8), 2, "r2", 1)
    assert [s.again for s in showings(keys(3), 2, "r1", 1)] == [False] * 3
