"""Finds where two reviewers of one item differ, so that a third person can decide. Knows no page.

The third person sees the item as the others did, still blind, with what both said turned to the sides of this page.
"""

from __future__ import annotations

from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import UserError
from reports.review import unblinded
from reports.review.checks import opinion_of
from reports.review.planning import NAME, tasks_of
from reports.review.schema import Key, Opinion, Reviewer, Task
from reports.review.state import State

APART = 2
"""Points on a scale of five from which two reviewers differ."""


class Earlier(Struct, frozen=True, kw_only=True):
    """What one of the two said, for the page of the third."""

    name: str
    """`Reviewer 1` or `Reviewer 2`."""
    opinions: dict[str, Opinion]
    """By side of the third person's page."""
    preference: str | None
    """The side, `tie` or `both_bad`."""


def differ(one: Task, other: Task) -> bool:
    """Whether two reviewers' words on one item call for a decision."""
    if {one.draft.outcome, other.draft.outcome} != {"judged"}:
        return False
    pairs = [(unblinded.opinions(one)[v], unblinded.opinions(other)[v]) for v in unblinded.opinions(one)]
    if any(
        any(abs((a.points[name] or 0) - (b.points[name] or 0)) >= APART for name in a.points)
        or a.missed != b.missed
        or bool(unblinded.severities(a)["critical"]) != bool(unblinded.severities(b)["critical"])
        for a, b in pairs
    ):
        return True
    choices = {unblinded.choice(one), unblinded.choice(other)}
    return len(choices) == 2 and "tie" not in choices


def submitted(state: State) -> dict[Key, list[Task]]:
    """First showings that were submitted by reviewers who are through, by item."""
    found: dict[Key, list[Task]] = {}
    for reviewer in state.reviewers():
        if reviewer.closed_at and not reviewer.adjudicates:
            for task in state.tasks(reviewer.name):
                if task.kind == "item" and task.submitted_at:
                    found.setdefault(task.key, []).append(task)
    return found


def differences(state: State) -> dict[Key, list[Task]]:
    """Items on which two reviewers who are both through differ."""
    return {
        key: tasks
        for key, tasks in submitted(state).items()
        if any(differ(one, other) for one, other in combinations(tasks, 2))
    }


def appoint(state: State, name: str) -> int:
    """Give a third person the differences to decide; returns how many. What rules that out is a UserError."""
    plan = state.plan()
    if plan.mode != "compare":
        raise UserError("only a compare review has differences to decide: two people edit one draft differently")
    known = {reviewer.name: reviewer for reviewer in state.reviewers()}
    if name in known:
        if known[name].adjudicates:
            return sum(task.kind == "item" for task in state.tasks(name))
        raise UserError(f"{name} reviewed these answers. Differences are decided by somebody who did not")
    if not NAME.fullmatch(name):
        raise UserError(f"--by is {name!r}; expected a pseudonym of letters, digits, space and . _ -")
    found = differences(state)
    if not found:
        both = sum(len(tasks) > 1 for tasks in submitted(state).values())
        raise UserError(f"nothing to decide: {both} items have two reviewers who are through, and they differ on none")
    between = sorted({task.reviewer for tasks in found.values() for task in tasks})
    drills = plan.practice
    tasks = tasks_of(name, list(found), plan.mode, 0, plan.seed)[drills:]
    placed = [replace(task, position=task.position - drills) for task in tasks]
    state.add([Reviewer(name=name, adjudicates=between)], placed)
    return len(placed)


def earlier(state: State, reviewer: Reviewer, task: Task) -> list[Earlier]:
    """What the reviewers of an item said, turned to the sides of a third person's page; empty for anybody else."""
    if not reviewer.adjudicates:
        return []
    side_of = {variant: side for side, variant in task.sides.items()}
    return [
        Earlier(
            name=f"Reviewer {number}",
            opinions={side_of[variant]: opinion_of(found.draft, side) for side, variant in found.sides.items()},
            preference=side_of.get(unblinded.choice(found) or "", found.draft.preference),
        )
        for number, found in enumerate(submitted(state).get(task.key, []), 1)
    ]
