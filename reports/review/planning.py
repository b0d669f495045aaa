"""Plan a review before anybody sees an answer: items, reviewers, order and sides."""

from __future__ import annotations

import math
import random
import re
import secrets
from collections.abc import Mapping, Sequence
from itertools import combinations, cycle
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.runs.folder import now
from harness.runs.score_events import FOLDER, batches, refuse_masked
from reports import number_format
from reports.review import items as review_items
from reports.review.items import MATERIAL_VARIANTS, Material, load_material
from reports.review.rubric import load_rubric
from reports.review.schema import AnswerKey, Kind, Mode, Reviewer, ReviewPlan, Task
from reports.review.storage import ReviewDatabase, state_file

BLOCK = 4
"""Items in a block; in each, both variants are on side A equally often."""
FEWEST_FOR_REPEATS = 4
"""Fewest items for repeats: fewer leave no distance between an item and its repeat."""

T = TypeVar("T")


class Showing(Struct, frozen=True, kw_only=True):
    """One place in a reviewer's order."""

    key: AnswerKey
    """The item."""
    swapped: bool
    """Whether the second variant is on side A."""
    again: bool = False
    """Whether the item was shown before."""


def sample(clusters: Mapping[AnswerKey, str], count: int, seed: int) -> list[AnswerKey]:
    """Draw `count` items spread over all clusters: one of each, then a second of each."""
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
    """Assign items: the first `share` of them to two reviewers each, in turn, the others to the least busy one."""
    shares: dict[str, list[T]] = {name: [] for name in reviewers}
    shared = math.ceil(share * len(items)) if len(reviewers) > 1 else 0
    for item, pair in zip(items[:shared], cycle(combinations(reviewers, 2)), strict=False):
        for name in pair:
            shares[name].append(item)
    for item in items[shared:]:
        min(shares.values(), key=len).append(item)
    return shares


def sides(count: int, chance: random.Random) -> list[bool]:
    """Draw balanced permuted blocks: within each, even a truncated one, the sides differ by at most one."""
    sequence: list[bool] = []
    while len(sequence) < count:
        size = min(BLOCK, count - len(sequence))
        block = [i % 2 == 0 for i in range(size)]
        if size % 2 and chance.random() < 0.5:
            block = [not swapped for swapped in block]
        chance.shuffle(block)
        sequence += block
    return sequence


def showings(items: Sequence[AnswerKey], repeats: int, reviewer: str, seed: int) -> list[Showing]:
    """Order one reviewer's items. Repeats are items of the first half, shown again later with the sides swapped."""
    chance = random.Random(f"{seed} {reviewer}")
    order = list(items)
    chance.shuffle(order)
    result = [Showing(key=key, swapped=swapped) for key, swapped in zip(order, sides(len(order), chance), strict=True)]
    half = math.ceil(len(result) / 2)
    if len(result) < FEWEST_FOR_REPEATS:
        return result
    for first in chance.sample(result[:half], min(repeats, half)):
        again = Showing(key=first.key, swapped=not first.swapped, again=True)
        result.insert(chance.randint(max(half, result.index(first) + 2), len(result)), again)
    return result


NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9._-])?")
DEFAULTS: dict[str, Any] = {"--suite": None, "--items": 40, "--share": 0.25, "--repeats": 2}
LEAST_SHARE = 0.1
"""Least share of items that two reviewers see; below it, their agreement is too uncertain."""


class ReviewOptions(Struct, frozen=True, kw_only=True):
    """The organiser's options; None for the default."""

    reviewers: list[str]
    """Pseudonyms."""
    mode: Mode = "compare"
    """Compare two answers, or fix one draft."""
    suites: list[str] = []
    """Suites to draw from; all if empty."""
    items: int | None = None
    """Items in the sample."""
    share: float | None = None
    """Share of items that two reviewers see."""
    repeats: int | None = None
    """Items that each reviewer sees again."""
    seed: int | None = None
    """Seed of sample, order and sides; random if None."""
    rubric: Path | None = None
    """Rubric file; None for tunegate's own."""

    @property
    def given(self) -> dict[str, Any]:
        """The given options that shape the plan."""
        options = {
            "--suite": sorted(self.suites) or None,
            "--items": self.items,
            "--share": self.share,
            "--repeats": self.repeats,
            "--seed": self.seed,
            "--rubric": load_rubric(self.rubric).hash if self.rubric else None,
        }
        return {name: value for name, value in options.items() if value is not None}


def planned(material: Material, options: ReviewOptions) -> tuple[ReviewDatabase, ReviewPlan]:
    """Load the plan of a review, or plan it now. Raises UserError where options would change an existing plan."""
    state = ReviewDatabase(state_file(material.path, options.mode))
    if not state.exists:
        return state, _new(state, material, options)
    plan = state.plan()
    known = [reviewer.name for reviewer in state.reviewers()]
    problems = []
    if plan.seal != material.seal:
        problems.append(OTHER_ANSWERS.format(state.path))
    strangers = [name for name in options.reviewers if name not in known]
    changed = [name for name, value in options.given.items() if plan.options[name] != value]
    if strangers or changed:
        what = ", ".join([*(f"--reviewer {name}" for name in strangers), *changed])
        problems.append(
            f"{state.path}: this review is already planned for {', '.join(known)}; {what} can no longer be changed. "
            "Leave the options out, or move the file away and start over"
        )
    refuse_all(problems, "review")
    return state, plan


OTHER_ANSWERS = "{}: this plan is for other answers. Move the file away to review these"


def reopened(run: Path, mode: Mode) -> tuple[ReviewDatabase, Material]:
    """Open the review of a run, with its answers. Raises UserError where there is none, or it is of other answers."""
    state, material = existing(run, mode), load_material(run)
    if state.plan().seal != material.seal:
        raise UserError(OTHER_ANSWERS.format(state.path))
    return state, material


def existing(run: Path, mode: Mode) -> ReviewDatabase:
    """Open the review of a run. Raises UserError where there is none."""
    state = ReviewDatabase(state_file(run, mode))
    if not state.exists:
        start = f"tunegate review {quote(str(run))} --mode {mode} --reviewer NAME"
        raise UserError(f"{run}: there is no {mode} review. Start one with: {start}")
    return state


def _new(state: ReviewDatabase, material: Material, requested: ReviewOptions) -> ReviewPlan:
    recorded = [
        batch.path.name
        for batch in batches(material.path)
        if batch.about.get("kind") in ("review", "adjudication") and batch.about.get("mode") == requested.mode
    ]
    if recorded:
        raise UserError(
            f"{material.path / FOLDER}: {', '.join(recorded)}, of an earlier review, would count with the new one. "
            "Remove this batch with its .json and .sha256 to start over, or put the review's file back"
        )
    rubric = load_rubric(requested.rubric)
    drawn = {"--seed": secrets.randbelow(2**31), "--rubric": rubric.hash}
    options = DEFAULTS | drawn | requested.given
    share, seed = options["--share"], options["--seed"]
    repeats = 0 if requested.mode == "fix" else options["--repeats"]
    refuse_all(_problems(requested, share), "a review that cannot be planned")
    refuse_masked(requested.reviewers)
    clusters = {key: item.cluster for key, item in material.items.items()}
    keys = sample(clusters, options["--items"], seed)
    given = share_out(keys, requested.reviewers, share)
    idle = [name for name, items in given.items() if not items]
    if idle:
        raise UserError(
            f"{len(keys)} items are too few for {len(given)} reviewers: none for {', '.join(idle)}. Name fewer"
        )
    tasks = [
        task for name in requested.reviewers for task in tasks_of(name, given[name], requested.mode, repeats, seed)
    ]
    plan = ReviewPlan(
        mode=requested.mode,
        seed=seed,
        seal=material.seal,
        rubric=msgspec.to_builtins(rubric),
        rubric_digest=rubric.hash,
        items=len(keys),
        eligible=len(material.items),
        left_out=material.left_out,
        share=share if len(requested.reviewers) > 1 else 0.0,
        options=options,
        practice=len(review_items.practices()),
        created=now(),
    )
    state.create(plan, [Reviewer(name=name) for name in requested.reviewers], tasks)
    return plan


def _problems(options: ReviewOptions, share: float) -> list[str]:
    names = options.reviewers
    problems = [
        f"--reviewer is {name!r}; expected a pseudonym of letters, digits, space and . _ - (at most 40)"
        for name in names
        if not NAME.fullmatch(name)
    ]
    if not names:
        problems.append("no reviewer is named. Give each a pseudonym: --reviewer r1 --reviewer r2")
    if len({name.casefold() for name in names}) < len(names):
        problems.append("--reviewer: two reviewers have the same name")
    if len(names) > 1 and not LEAST_SHARE <= share <= 1:
        problems.append(
            f"--share is {number_format.exact(share)}; expected {number_format.exact(LEAST_SHARE)} to 1. With less, "
            "the reviewers' agreement is too uncertain"
        )
    return problems


def tasks_of(reviewer: str, items: Sequence[AnswerKey], mode: Mode, repeats: int, seed: int) -> list[Task]:
    """Build a reviewer's tasks: practice, then the items in their order, each with its sides."""
    drills = [Showing(key=p.item.key, swapped=mode == "fix") for p in review_items.practices().values()]
    tasks = []
    for position, shown in enumerate([*drills, *showings(items, repeats, reviewer, seed)]):
        is_drill = position < len(drills)
        kind: Kind = "practice" if is_drill else "repeat" if shown.again else "item"
        first, second = (review_items.VARIANTS if is_drill else MATERIAL_VARIANTS)[:: -1 if shown.swapped else 1]
        sides = {"A": first, "B": second} if mode == "compare" else {"A": first}
        task_id = secrets.token_hex(8)
        tasks.append(Task(id=task_id, reviewer=reviewer, position=position, kind=kind, key=shown.key, sides=sides))
    return tasks


def summary(plan: ReviewPlan) -> list[str]:
    """Summarise the plan, one line each."""
    lines = [f"{plan.mode} review: {plan.items} of {plan.eligible} items, seed {plan.seed}"]
    return lines + [f"left out: {count} {reason}" for reason, count in plan.left_out.items()]


def progress(state: ReviewDatabase, reviewer: Reviewer) -> str:
    """Say how far one reviewer is."""
    tasks = [task for task in state.tasks(reviewer.name) if task.kind != "practice"]
    done = sum(task.submitted_at is not None for task in tasks)
    again = sum(task.kind == "repeat" for task in tasks)
    end = "; recorded" if reviewer.recorded else "; finished" if reviewer.closed_at else ""
    seen = f", {again} of them a second time" if again else ""
    return f"{done} of {len(tasks)} done{seen}{end}"
