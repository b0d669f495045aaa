"""The stages of a review for one reviewer: consent, rubric, practice, items, guess, end; and adjudication.

The server decides the stage. Each action takes the reviewer and the page's data, and changes the state or raises
SubmissionRefused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.errors import UserError
from harness.runs.folder import now
from harness.runs.score_events import refuse_masked
from reports.review import results, schema
from reports.review.items import Material
from reports.review.planning import NAME, tasks_of
from reports.review.schema import AnswerKey, Draft, Opinion, Reviewer, Task, opinion_of
from reports.review.storage import ReviewDatabase

Stage = Literal["consent", "rubric", "task", "feedback", "guess", "done"]
GUESSES = 8
"""Most items in the guess at the end."""


class SubmissionRefused(Exception):
    """The page's data is refused; the message is for the reviewer."""


class DraftSubmission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft, as the page sends it."""

    task: str
    """Task ID."""
    revision: int
    """Revision that the draft is based on."""
    active_ms: int
    """Active time so far."""
    draft: Draft
    """The judgement so far."""


class GuessSubmission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The guesses at the end."""

    guesses: dict[str, Literal["A", "B", "unsure"]]
    """Side by task ID."""


class ReviewPosition(Struct, frozen=True, kw_only=True):
    """The current stage of a reviewer."""

    stage: Stage
    """The next page."""
    tasks: list[Task]
    """All of the reviewer's tasks, in order."""
    task: Task | None = None
    """The task of the page, for `task` and `feedback`."""


def position_of(state: ReviewDatabase, reviewer: Reviewer) -> ReviewPosition:
    """Return the reviewer's current stage."""
    tasks = state.tasks(reviewer.name)
    if reviewer.closed_at:
        return ReviewPosition(stage="done", tasks=tasks)
    if not reviewer.consented_at:
        return ReviewPosition(stage="consent", tasks=tasks)
    if not reviewer.begun_at:
        return ReviewPosition(stage="rubric", tasks=tasks)
    for task in tasks:
        if not task.submitted_at:
            return ReviewPosition(stage="task", tasks=tasks, task=task)
        if task.kind == "practice" and not task.acknowledged:
            return ReviewPosition(stage="feedback", tasks=tasks, task=task)
    return ReviewPosition(stage="guess", tasks=tasks)


def previous(position: ReviewPosition) -> Task | None:
    """Return the task that can be reopened: the last submitted one, unless the one after it was submitted before."""
    if position.stage not in ("task", "guess") or (position.task and position.task.reopened):
        return None
    done = [task for task in position.tasks if task.submitted_at and task.kind != "practice"]
    return done[-1] if done else None


def guess_tasks_of(tasks: list[Task], seed: int, reviewer: str) -> list[Task]:
    """Draw the items for the guess at the end, in the reviewer's order."""
    items = [task for task in tasks if task.kind == "item"]
    chosen = random.Random(f"{seed} {reviewer} guess").sample(items, min(GUESSES, len(items)))
    return sorted(chosen, key=lambda task: task.position)


def consent(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> None:
    _require_stage(state, reviewer, "consent")
    state.change_reviewer(reviewer.name, consented_at=now())


def begin(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> None:
    _require_stage(state, reviewer, "rubric")
    state.change_reviewer(reviewer.name, begun_at=now())


def save(
    state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any, *, submit: bool = False
) -> dict[str, Any]:
    saved: DraftSubmission = _convert(sent, DraftSubmission)
    task = _require_stage(state, reviewer, "task").task
    assert task is not None
    if task.id != saved.task:
        raise SubmissionRefused("This page is outdated. Reload it to continue.")
    wrong = problem_with(saved.draft, task, material, state.plan().mode, submit)
    if wrong:
        raise SubmissionRefused(wrong)
    stored = state.save(reviewer.name, task.id, saved.revision, saved.draft, saved.active_ms, submit)
    return {"revision": stored.revision}


def acknowledge(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> None:
    task = _require_stage(state, reviewer, "feedback").task
    assert task is not None
    state.change_task(task.id, acknowledged=True)


def reopen(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> None:
    last = previous(position_of(state, reviewer))
    if last is None:
        raise SubmissionRefused("There is no earlier item to go back to.")
    state.reopen(reviewer.name, last.id)


def guess(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> None:
    position = _require_stage(state, reviewer, "guess")
    guesses = _convert(sent, GuessSubmission).guesses
    guess_tasks = guess_tasks_of(position.tasks, state.plan().seed, reviewer.name)
    if set(guesses) != {task.id for task in guess_tasks}:
        raise SubmissionRefused("Please answer for every item; “Cannot tell” is an answer too.")
    state.change_reviewer(reviewer.name, guesses=guesses, closed_at=now())
    results.record(state, material, reviewer.name)


def settings(state: ReviewDatabase, material: Material, reviewer: Reviewer, sent: Any) -> None:
    state.change_reviewer(reviewer.name, shortcuts=bool(_convert(sent, dict[str, bool]).get("shortcuts")))


Action = Callable[[ReviewDatabase, Material, Reviewer, Any], dict[str, Any] | None]
ACTIONS: dict[str, Action] = {
    "consent": consent,
    "begin": begin,
    "draft": save,
    "submit": partial(save, submit=True),
    "acknowledge": acknowledge,
    "reopen": reopen,
    "guess": guess,
    "settings": settings,
}


def _require_stage(state: ReviewDatabase, reviewer: Reviewer, stage: Stage) -> ReviewPosition:
    position = position_of(state, reviewer)
    if position.stage != stage:
        raise SubmissionRefused("This page is outdated. Reload it to continue.")
    return position


def _convert(sent: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise SubmissionRefused(f"This cannot be saved: {error}.") from None


def problem_with(draft: Draft, task: Task, material: Material, mode: Any, submit: bool) -> str:
    """Say why a draft cannot be saved or submitted; empty where it can."""
    item = material.item(task.key)
    answers = {side: item.answers[variant] for side, variant in task.sides.items()}
    problems = schema.problems(draft, mode, answers, item.clauses)
    if problems:
        return f"This cannot be saved: {'; '.join(problems)}."
    missing = schema.missing(draft, mode, task.sides, item.clauses) if submit else []
    return f"Still to do: {'; '.join(missing)}." if missing else ""


APART = 2
"""Least difference on a scale of five that calls for a decision."""


class EarlierJudgement(Struct, frozen=True, kw_only=True):
    """One reviewer's judgement, for the page of the person who decides."""

    name: str
    """`Reviewer 1` or `Reviewer 2`."""
    opinions: dict[str, Opinion]
    """Opinions by side of that page."""
    preference: str | None
    """The side, `tie` or `both_bad`."""


def differ(one: Task, other: Task) -> bool:
    """Tell whether two reviewers' judgements of one item call for a decision."""
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
    """Return the submitted first showings of reviewers who have finished, by item."""
    by_key: dict[AnswerKey, list[Task]] = {}
    for reviewer in state.reviewers():
        if reviewer.closed_at and not reviewer.adjudicates:
            for task in state.tasks(reviewer.name):
                if task.kind == "item" and task.submitted_at:
                    by_key.setdefault(task.key, []).append(task)
    return by_key


def differences(state: ReviewDatabase) -> dict[AnswerKey, list[Task]]:
    """Return the items on which two reviewers who have finished differ."""
    return {
        key: tasks
        for key, tasks in submitted(state).items()
        if any(differ(one, other) for one, other in combinations(tasks, 2))
    }


def undecided(state: ReviewDatabase) -> dict[AnswerKey, list[Task]]:
    """Return the differences that nobody has decided or is about to decide."""
    taken = {
        task.key
        for reviewer in state.reviewers()
        if reviewer.adjudicates
        for task in state.tasks(reviewer.name)
        if task.submitted_at or not reviewer.closed_at
    }
    return {key: tasks for key, tasks in differences(state).items() if key not in taken}


def appoint(state: ReviewDatabase, name: str) -> int:
    """Let a third person decide the undecided differences; return how many.

    Raises UserError where this is not possible.
    """
    plan = state.plan()
    if plan.mode != "compare":
        raise UserError("only a compare review has differences to decide: two people edit one draft differently")
    known = {reviewer.name: reviewer for reviewer in state.reviewers()}
    if name in known:
        if known[name].adjudicates:
            return sum(task.kind == "item" for task in state.tasks(name))
        raise UserError(f"{name} reviewed these answers. Name somebody who did not")
    if name.casefold() in map(str.casefold, known):
        raise UserError(f"--by {name}: a name in this review differs in capitals alone. Write that one, or another")
    refuse_masked([name], "--by")
    if not NAME.fullmatch(name):
        raise UserError(f"--by is {name!r}; expected a pseudonym of letters, digits, space and . _ -")
    disputed = undecided(state)
    if not disputed:
        both = sum(len(tasks) > 1 for tasks in submitted(state).values())
        raise UserError(
            f"nothing to decide: {both} items have two reviewers who have finished, and they differ on none that is "
            "still to be decided"
        )
    between = sorted({task.reviewer for tasks in disputed.values() for task in tasks})
    drills = plan.practice
    tasks = tasks_of(name, list(disputed), plan.mode, 0, plan.seed)[drills:]
    placed = [replace(task, position=task.position - drills) for task in tasks]
    state.add([Reviewer(name=name, adjudicates=between)], placed)
    return len(placed)


def earlier(state: ReviewDatabase, reviewer: Reviewer, task: Task) -> list[EarlierJudgement]:
    """Return the reviewers' judgements of an item, by side of the deciding person's page; empty for anybody else."""
    if not reviewer.adjudicates:
        return []
    side_of = {variant: side for side, variant in task.sides.items()}
    return [
        EarlierJudgement(
            name=f"Reviewer {number}",
            opinions={side_of[variant]: opinion_of(first.draft, side) for side, variant in first.sides.items()},
            preference=side_of.get(results.unblinded_choice(first) or "", first.draft.preference),
        )
        for number, first in enumerate(submitted(state).get(task.key, []), 1)
    ]
