"""Settles a review before anybody sees an answer: items, reviewers, order, sides. Knows no page and no server."""

from __future__ import annotations

import math
import random
import re
import secrets
from collections.abc import Mapping, Sequence
from itertools import combinations, cycle
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.runs.folder import now
from reports import number_format
from reports.review import items as review_items
from reports.review.items import MATERIAL_VARIANTS, Material
from reports.review.rubric import load_rubric
from reports.review.schema import AnswerKey, Kind, Mode, Reviewer, ReviewPlan, Task
from reports.review.storage import ReviewDatabase, state_file

BLOCK = 4
"""Items in a block; in each, either variant stands on side A equally often."""
FEWEST_FOR_REPEATS = 4
"""Fewer items leave no distance between an item and its repeat."""

T = TypeVar("T")


class Showing(Struct, frozen=True, kw_only=True):
    """One place in a reviewer's order."""

    key: AnswerKey
    """The item."""
    swapped: bool
    """The second variant stands on side A."""
    again: bool = False
    """The item was shown before."""


def sample(clusters: Mapping[AnswerKey, str], count: int, seed: int) -> list[AnswerKey]:
    """`count` items, spread over as many contracts as there are: one of each, then a second of each."""
    chance = random.Random(f"{seed} sample")
    by_cluster: dict[str, list[AnswerKey]] = {}
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


def showings(items: Sequence[AnswerKey], repeats: int, reviewer: str, seed: int) -> list[Showing]:
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


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
DEFAULTS: dict[str, Any] = {"--suite": None, "--items": 40, "--share": 0.25, "--repeats": 2}
LEAST_SHARE = 0.1
"""Under this share of items seen by two reviewers, their agreement says too little."""


class ReviewOptions(Struct, frozen=True, kw_only=True):
    """What the organiser asked for; None where the default holds."""

    reviewers: list[str]
    """Pseudonyms."""
    mode: Mode = "compare"
    """How answers are reviewed."""
    suites: list[str] = []
    """Suites to draw from; all where empty."""
    items: int | None = None
    """Items in the sample."""
    share: float | None = None
    """Share of items that two reviewers see."""
    repeats: int | None = None
    """Items that each reviewer sees again."""
    seed: int | None = None
    """Of sample, order and sides; drawn where None."""
    rubric: Path | None = None
    """Rubric file; None for the one that comes with tunegate."""

    @property
    def given(self) -> dict[str, Any]:
        """Options that count when a review is planned, as far as they were given."""
        options = {
            "--suite": sorted(self.suites) or None,
            "--items": self.items,
            "--share": self.share,
            "--repeats": self.repeats,
            "--seed": self.seed,
            "--rubric": load_rubric(self.rubric).hash if self.rubric else None,
        }
        return {name: value for name, value in options.items() if value is not None}


def planned(material: Material, wanted: ReviewOptions) -> tuple[ReviewDatabase, ReviewPlan]:
    """The review of a run as it was planned, or planned now. Options that would change a plan are a UserError."""
    state = ReviewDatabase(state_file(material.path, wanted.mode))
    if not state.exists:
        return state, _new(state, material, wanted)
    plan = state.plan()
    known = [reviewer.name for reviewer in state.reviewers()]
    problems = []
    if plan.seal != material.seal:
        problems.append(f"{state.path}: planned for other answers. Move the file away to review these")
    strangers = [name for name in wanted.reviewers if name not in known]
    changed = [name for name, value in wanted.given.items() if plan.options[name] != value]
    if strangers or changed:
        what = ", ".join([*(f"--reviewer {name}" for name in strangers), *changed])
        problems.append(
            f"{state.path}: this review is planned already, for {', '.join(known)}; {what} cannot be changed any more. "
            "Leave the options out, or move the file away and begin anew"
        )
    refuse_all(problems, "review")
    return state, plan


def existing(run: Path, mode: Mode) -> ReviewDatabase:
    """The review of a run, or a UserError that says how to begin one."""
    state = ReviewDatabase(state_file(run, mode))
    if not state.exists:
        raise UserError(f"{run}: no {mode} review was begun. Begin one: tunegate review {run} --reviewer NAME")
    return state


def _new(state: ReviewDatabase, material: Material, wanted: ReviewOptions) -> ReviewPlan:
    rubric = load_rubric(wanted.rubric)
    drawn = {"--seed": secrets.randbelow(2**31), "--rubric": rubric.hash}
    options = DEFAULTS | drawn | wanted.given
    share, seed = options["--share"], options["--seed"]
    repeats = 0 if wanted.mode == "fix" else options["--repeats"]
    refuse_all(_problems(wanted, share), "a review that cannot be planned")
    clusters = {key: item.cluster for key, item in material.items.items()}
    keys = sample(clusters, options["--items"], seed)
    given = share_out(keys, wanted.reviewers, share)
    idle = [name for name, items in given.items() if not items]
    if idle:
        raise UserError(f"{len(keys)} items are too few for {len(given)} reviewers: none is left for {', '.join(idle)}")
    tasks = [task for name in wanted.reviewers for task in tasks_of(name, given[name], wanted.mode, repeats, seed)]
    plan = ReviewPlan(
        mode=wanted.mode,
        seed=seed,
        seal=material.seal,
        rubric=msgspec.to_builtins(rubric),
        rubric_digest=rubric.hash,
        items=len(keys),
        eligible=len(material.items),
        left_out=material.left_out,
        share=share if len(wanted.reviewers) > 1 else 0.0,
        options=options,
        practice=len(review_items.practices()),
        created=now(),
    )
    state.create(plan, [Reviewer(name=name) for name in wanted.reviewers], tasks)
    return plan


def _problems(wanted: ReviewOptions, share: float) -> list[str]:
    names = wanted.reviewers
    problems = [
        f"--reviewer is {name!r}; expected a pseudonym of letters, digits, space and . _ - (40 at most)"
        for name in names
        if not NAME.fullmatch(name)
    ]
    if not names:
        problems.append("no reviewer was named. Give each a pseudonym: --reviewer r1 --reviewer r2")
    if len({name.casefold() for name in names}) < len(names):
        problems.append("--reviewer: two reviewers have the same name")
    if len(names) > 1 and not LEAST_SHARE <= share <= 1:
        problems.append(
            f"--share is {number_format.exact(share)}; expected {number_format.exact(LEAST_SHARE)} to 1. With less, "
            "their agreement says too little"
        )
    return problems


def tasks_of(reviewer: str, items: Sequence[AnswerKey], mode: Mode, repeats: int, seed: int) -> list[Task]:
    """Practice, then the items in their order, each with its sides."""
    drills = [
        _task(reviewer, at, "practice", p.item.key, mode, review_items.VARIANTS, swapped=mode == "fix")
        for at, p in enumerate(review_items.practices().values())
    ]
    shown = showings(items, repeats, reviewer, seed)
    return drills + [
        _task(reviewer, at, "repeat" if s.again else "item", s.key, mode, MATERIAL_VARIANTS, s.swapped)
        for at, s in enumerate(shown, len(drills))
    ]


def _task(
    reviewer: str, position: int, kind: Kind, key: AnswerKey, mode: Mode, variants: tuple[str, str], swapped: bool
) -> Task:
    first, second = reversed(variants) if swapped else variants
    sides = {"A": first, "B": second} if mode == "compare" else {"A": first}
    return Task(id=secrets.token_hex(8), reviewer=reviewer, position=position, kind=kind, key=key, sides=sides)


def summary(plan: ReviewPlan) -> list[str]:
    """The plan in words, a line each."""
    lines = [f"{plan.mode} review: {plan.items} of {plan.eligible} items, seed {plan.seed}"]
    return lines + [f"left out: {count} {reason}" for reason, count in plan.left_out.items()]


def progress(state: ReviewDatabase, reviewer: Reviewer) -> str:
    """How far one reviewer is."""
    tasks = [task for task in state.tasks(reviewer.name) if task.kind != "practice"]
    done = sum(task.submitted_at is not None for task in tasks)
    again = sum(task.kind == "repeat" for task in tasks)
    end = "; recorded" if reviewer.recorded else "; finished" if reviewer.closed_at else ""
    seen = f", {again} of them a second time" if again else ""
    return f"{done} of {len(tasks)} done{seen}{end}"
