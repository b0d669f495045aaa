"""Where a reviewer is: consent, rubric, practice, items, guess, end. The server decides; a page only asks.

Each action takes the reviewer and what the page sent, and changes the state or raises Refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.errors import UserError
from harness.runs.folder import now
from reports.review import results, schema
from reports.review.items import Material
from reports.review.planning import NAME, tasks_of
from reports.review.schema import AnswerKey, Draft, Opinion, Reviewer, Task, opinion_of
from reports.review.storage import ReviewDatabase

Stage = Literal["consent", "rubric", "task", "feedback", "guess", "done"]
GUESSES = 8
"""Items that are asked about at the end."""


class SubmissionRefused(Exception):
    """What a page sent cannot be taken; the message is for the reviewer."""


class Saved(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft, as the page sends it."""

    task: str
    """Task id."""
    revision: int
    """What it builds on."""
    active_ms: int
    """Time in use so far."""
    draft: Draft
    """Everything said so far."""


class Guessed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The guesses at the end."""

    guesses: dict[str, Literal["A", "B", "unsure"]]
    """Side by task id."""


class Here(Struct, frozen=True, kw_only=True):
    """Where a reviewer is."""

    stage: Stage
    """Which page is next."""
    tasks: list[Task]
    """All of the reviewer's tasks, in order."""
    task: Task | None = None
    """The task of the page, for `task` and `feedback`."""


def where(state: ReviewDatabase, reviewer: Reviewer) -> Here:
    """The page that is next."""
    tasks = state.tasks(reviewer.name)
    if reviewer.closed_at:
        return Here(stage="done", tasks=tasks)
    if not reviewer.consented_at:
        return Here(stage="consent", tasks=tasks)
    if not reviewer.begun_at:
        return Here(stage="rubric", tasks=tasks)
    for task in tasks:
        if not task.submitted_at:
            return Here(stage="task", tasks=tasks, task=task)
        if task.kind == "practice" and not task.acknowledged:
            return Here(stage="feedback", tasks=tasks, task=task)
    return Here(stage="guess", tasks=tasks)


def previous(here: Here) -> Task | None:
    """The task that may be taken back: the last one that was submitted before this page."""
    if here.stage not in ("task", "guess"):
        return None
    done = [task for task in here.tasks if task.submitted_at and task.kind != "practice"]
    return done[-1] if done else None


def asked_about(tasks: list[Task], seed: int, reviewer: str) -> list[Task]:
    """Items that the guess at the end is about, in the reviewer's order."""
    items = [task for task in tasks if task.kind == "item"]
    chosen = random.Random(f"{seed} {reviewer} guess").sample(items, min(GUESSES, len(items)))
    return sorted(chosen, key=lambda task: task.position)


def consent(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    _at(state, reviewer, "consent")
    state.change_reviewer(reviewer.name, consented_at=now())
    return {}


def begin(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    _at(state, reviewer, "rubric")
    state.change_reviewer(reviewer.name, begun_at=now())
    return {}


def draft(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    return _keep(state, material, reviewer, sent, submit=False)


def submit(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    return _keep(state, material, reviewer, sent, submit=True)


def go_on(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    task = _at(state, reviewer, "feedback").task
    assert task is not None
    state.change_task(task.id, acknowledged=True)
    return {}


def reopen(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    last = previous(where(state, reviewer))
    if last is None:
        raise SubmissionRefused("There is no earlier item to go back to.")
    state.reopen(reviewer.name, last.id)
    return {}


def guess(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    here = _at(state, reviewer, "guess")
    guesses = _convert(sent, Guessed).guesses
    asked = asked_about(here.tasks, state.plan().seed, reviewer.name)
    if set(guesses) != {task.id for task in asked}:
        raise SubmissionRefused("Please answer for every item; “cannot tell” is an answer too.")
    state.change_reviewer(reviewer.name, guesses=guesses, closed_at=now())
    results.record(state, material, reviewer.name)
    return {}


def settings(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    state.change_reviewer(reviewer.name, shortcuts=bool(_convert(sent, dict[str, bool]).get("shortcuts")))
    return {}


Action = Callable[[ReviewDatabase, Material, Reviewer, Any], dict[str, Any]]
ACTIONS: dict[str, Action] = {
    "consent": consent,
    "begin": begin,
    "draft": draft,
    "submit": submit,
    "go-on": go_on,
    "reopen": reopen,
    "guess": guess,
    "settings": settings,
}


def _at(state: ReviewDatabase, reviewer: Reviewer, stage: Stage) -> Here:
    here = where(state, reviewer)
    if here.stage != stage:
        raise SubmissionRefused("This page is not the current one any more. Load it again to go on.")
    return here


def _convert(sent: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise SubmissionRefused(f"This cannot be saved: {error}.") from None


def _keep(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any, submit: bool) -> dict[str, Any]:
    saved: Saved = _convert(sent, Saved)
    task = _at(state, reviewer, "task").task
    assert task is not None
    if task.id != saved.task:
        raise SubmissionRefused("This page is not the current one any more. Load it again to go on.")
    mode = state.plan().mode
    wrong = wrong_with(saved.draft, task, material, mode, submit)
    if wrong:
        raise SubmissionRefused(wrong)
    kept = state.save(reviewer.name, task.id, saved.revision, saved.draft, saved.active_ms, submit)
    return {"revision": kept.revision}


def wrong_with(draft: Draft, task: Task, material: Material, mode: Any, submit: bool) -> str:
    """Why a draft cannot be kept, or cannot be submitted; empty where it can."""
    item = material.item(task.key)
    answers = {side: item.answers[variant] for side, variant in task.sides.items()}
    problems = schema.problems(draft, mode, answers, item.clauses)
    if problems:
        return f"This cannot be saved: {'; '.join(problems)}."
    missing = schema.missing(draft, mode, task.sides, item.clauses) if submit else []
    return f"Still to do: {'; '.join(missing)}." if missing else ""


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
    pairs = [(results.opinions(one)[v], results.opinions(other)[v]) for v in results.opinions(one)]
    if any(
        any(abs((a.points[name] or 0) - (b.points[name] or 0)) >= APART for name in a.points)
        or a.missed != b.missed
        or bool(results.severities(a)["critical"]) != bool(results.severities(b)["critical"])
        for a, b in pairs
    ):
        return True
    choices = {results.unblinded_choice(one), results.unblinded_choice(other)}
    return len(choices) == 2 and "tie" not in choices


def submitted(state: ReviewDatabase) -> dict[AnswerKey, list[Task]]:
    """First showings that were submitted by reviewers who are through, by item."""
    found: dict[AnswerKey, list[Task]] = {}
    for reviewer in state.reviewers():
        if reviewer.closed_at and not reviewer.adjudicates:
            for task in state.tasks(reviewer.name):
                if task.kind == "item" and task.submitted_at:
                    found.setdefault(task.key, []).append(task)
    return found


def differences(state: ReviewDatabase) -> dict[AnswerKey, list[Task]]:
    """Items on which two reviewers who are both through differ."""
    return {
        key: tasks
        for key, tasks in submitted(state).items()
        if any(differ(one, other) for one, other in combinations(tasks, 2))
    }


def appoint(state: ReviewDatabase, name: str) -> int:
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


def earlier(state: ReviewDatabase, reviewer: Reviewer, task: Task) -> list[Earlier]:
    """What the reviewers of an item said, turned to the sides of a third person's page; empty for anybody else."""
    if not reviewer.adjudicates:
        return []
    side_of = {variant: side for side, variant in task.sides.items()}
    return [
        Earlier(
            name=f"Reviewer {number}",
            opinions={side_of[variant]: opinion_of(found.draft, side) for side, variant in found.sides.items()},
            preference=side_of.get(results.unblinded_choice(found) or "", found.draft.preference),
        )
        for number, found in enumerate(submitted(state).get(task.key, []), 1)
    ]
