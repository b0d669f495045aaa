"""Where a reviewer is: consent, rubric, practice, items, guess, end. The server decides; a page only asks.

Each action takes the reviewer and what the page sent, and changes the state or raises Refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.store import now
from reports.review import checks, results
from reports.review.material import Material
from reports.review.schema import Draft, Reviewer, Task
from reports.review.state import State

Stage = Literal["consent", "rubric", "task", "feedback", "guess", "done"]
GUESSES = 8
"""Items that are asked about at the end."""


class Refused(Exception):
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


def where(state: State, reviewer: Reviewer) -> Here:
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


def consent(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    _at(state, reviewer, "consent")
    state.change_reviewer(reviewer.name, consented_at=now())
    return {}


def begin(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    _at(state, reviewer, "rubric")
    state.change_reviewer(reviewer.name, begun_at=now())
    return {}


def draft(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    return _keep(state, material, reviewer, sent, submit=False)


def submit(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    return _keep(state, material, reviewer, sent, submit=True)


def go_on(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    task = _at(state, reviewer, "feedback").task
    assert task is not None
    state.change_task(task.id, acknowledged=True)
    return {}


def reopen(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    last = previous(where(state, reviewer))
    if last is None:
        raise Refused("There is no earlier item to go back to.")
    state.reopen(reviewer.name, last.id)
    return {}


def guess(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    here = _at(state, reviewer, "guess")
    guesses = _convert(sent, Guessed).guesses
    asked = asked_about(here.tasks, state.plan().seed, reviewer.name)
    if set(guesses) != {task.id for task in asked}:
        raise Refused("Please answer for every item; “cannot tell” is an answer too.")
    state.change_reviewer(reviewer.name, guesses=guesses, closed_at=now())
    results.record(state, material, reviewer.name)
    return {}


def settings(state: State, material: Material, reviewer: Reviewer, sent: Any) -> dict[str, Any]:
    state.change_reviewer(reviewer.name, shortcuts=bool(_convert(sent, dict[str, bool]).get("shortcuts")))
    return {}


Action = Callable[[State, Material, Reviewer, Any], dict[str, Any]]
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


def _at(state: State, reviewer: Reviewer, stage: Stage) -> Here:
    here = where(state, reviewer)
    if here.stage != stage:
        raise Refused("This page is not the current one any more. Load it again to go on.")
    return here


def _convert(sent: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise Refused(f"This cannot be saved: {error}.") from None


def _keep(state: State, material: Material, reviewer: Reviewer, sent: Any, submit: bool) -> dict[str, Any]:
    saved: Saved = _convert(sent, Saved)
    task = _at(state, reviewer, "task").task
    assert task is not None
    if task.id != saved.task:
        raise Refused("This page is not the current one any more. Load it again to go on.")
    mode = state.plan().mode
    wrong = wrong_with(saved.draft, task, material, mode, submit)
    if wrong:
        raise Refused(wrong)
    kept = state.save(reviewer.name, task.id, saved.revision, saved.draft, saved.active_ms, submit)
    return {"revision": kept.revision}


def wrong_with(draft: Draft, task: Task, material: Material, mode: Any, submit: bool) -> str:
    """Why a draft cannot be kept, or cannot be submitted; empty where it can."""
    item = material.item(task.key)
    answers = {side: item.answers[variant] for side, variant in task.sides.items()}
    problems = checks.problems(draft, mode, answers, item.clauses)
    if problems:
        return f"This cannot be saved: {'; '.join(problems)}."
    missing = checks.missing(draft, mode, task.sides, item.clauses) if submit else []
    return f"Still to do: {'; '.join(missing)}." if missing else ""
