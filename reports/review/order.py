"""Draws what each reviewer sees, in which order and on which side. Knows no answer and no page.

Everything follows from the plan's seed, so that a third person can draw it again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from itertools import combinations, cycle
from typing import TypeVar

from msgspec import Struct

from reports.review.schema import Key

BLOCK = 4
"""Items in a block; in each, either variant stands on side A equally often."""
FEWEST_FOR_REPEATS = 4
"""Fewer items leave no distance between an item and its repeat."""

T = TypeVar("T")


class Showing(Struct, frozen=True, kw_only=True):
    """One place in a reviewer's order."""

    key: Key
    """The item."""
    swapped: bool
    """The second variant stands on side A."""
    again: bool = False
    """The item was shown before."""


def sample(clusters: Mapping[Key, str], count: int, seed: int) -> list[Key]:
    """`count` items, spread over as many contracts as there are: one of each, then a second of each."""
    chance = random.Random(f"{seed} sample")
    by_cluster: dict[str, list[Key]] = {}
    for key in sorted(clusters):
        by_cluster.setdefault(clusters[key], []).append(key)
    groups = list(by_cluster.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    rounds = range(max(map(len, groups), default=0))
    return [group[turn] for turn in rounds for group in groups if turn < len(group)][:count]


def share_out(items: Sequence[T], reviewers: Sequence[str], share: float) -> dict[str, list[T]]:
    """Items by reviewer: the first `share` of them to two reviewers each, in turn, the others to the least busy one."""
    found: dict[str, list[T]] = {name: [] for name in reviewers}
    shared = math.ceil(share * len(items)) if len(reviewers) > 1 else 0
    for item, pair in zip(items[:shared], cycle(combinations(reviewers, 2)), strict=False):
        for name in pair:
            found[name].append(item)
    for item in items[shared:]:
        min(found.values(), key=len).append(item)
    return found


def sides(count: int, chance: random.Random) -> list[bool]:
    """Balanced permuted blocks: within each, a cut one included, the two sides differ by one at most."""
    found: list[bool] = []
    while len(found) < count:
        size = min(BLOCK, count - len(found))
        block = [i % 2 == 0 for i in range(size)]
        if size % 2 and chance.random() < 0.5:
            block = [not swapped for swapped in block]
        chance.shuffle(block)
        found += block
    return found


def showings(items: Sequence[Key], repeats: int, reviewer: str, seed: int) -> list[Showing]:
    """One reviewer's order. Repeats are items of the first half, shown in the second half with the sides changed."""
    chance = random.Random(f"{seed} {reviewer}")
    order = list(items)
    chance.shuffle(order)
    found = [Showing(key=key, swapped=swapped) for key, swapped in zip(order, sides(len(order), chance), strict=True)]
    half = math.ceil(len(found) / 2)
    if len(found) < FEWEST_FOR_REPEATS:
        return found
    for first in chance.sample(found[:half], min(repeats, half)):
        again = Showing(key=first.key, swapped=not first.swapped, again=True)
        found.insert(chance.randint(max(half, found.index(first) + 2), len(found)), again)
    return found
