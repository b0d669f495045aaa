"""How far a review is: the time that items are estimated to take, each reviewer's progress and time, and agreement.

Nothing here says which model wrote an answer, so that an organiser who follows a review stays blind.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from harness.stats.agreement import Agreed, agreed
from harness.stats.human_review import SCALES, Rating
from reports.review import results, workflow
from reports.review.items import Material
from reports.review.schema import Reviewer, Task
from reports.review.storage import ReviewDatabase

WORDS_PER_MINUTE = 200
"""Assumed reading speed; slower than for everyday texts, because reviewers compare and look up."""
QUESTION_S = 8
"""Assumed seconds to answer one question."""
EDITING_S = 60
"""Assumed seconds to edit one draft, beyond reading it twice."""
ENOUGH = 3
"""Fewest finished items from which a reviewer's own pace replaces the estimate."""


class Effort(Struct, frozen=True, kw_only=True):
    """Estimated time of some items."""

    per_item_s: float
    """Mean of all of a reviewer's items."""
    left_s: float
    """Sum of the items that are not finished."""


def estimated_s(task: Task, material: Material) -> float:
    """Estimate the seconds of one item from the words that are shown to be read and the questions to answer."""
    item = material.item(task.key)
    read = [
        item.source,
        *(text for _, text in item.other_inputs),
        *(item.answers[variant] for variant in task.sides.values()),
    ]
    words = sum(len(text.split()) for text in read) + (0 if item.is_folded else item.prompt_words)
    if len(task.sides) == 1:
        words += len(item.answers[task.sides["A"]].split())
        return words / WORDS_PER_MINUTE * 60 + EDITING_S
    questions = len(task.sides) * (1 + len(SCALES) + len(item.clauses)) + 1
    return words / WORDS_PER_MINUTE * 60 + questions * QUESTION_S


def estimate(tasks: Sequence[Task], material: Material, since: Task | None = None) -> Effort:
    """Estimate the time of a reviewer's items; left are those from `since` on, or all. Practice is not counted."""
    times = {task.position: estimated_s(task, material) for task in tasks if task.kind != "practice"}
    first = since.position if since else 0
    left = sum(seconds for position, seconds in times.items() if position >= first)
    return Effort(per_item_s=sum(times.values()) / max(1, len(times)), left_s=left)


class ReviewerProgress(Struct, frozen=True, kw_only=True):
    """One reviewer's progress."""

    name: str
    """Pseudonym."""
    stage: str
    """What the reviewer does now, in a few words."""
    done: int
    """Submitted items, repeats included."""
    of: int
    """All items, repeats included."""
    left_out: int
    """Submitted items without a judgement: skipped, or not judged."""
    estimated_s: float
    """Estimated mean time per item."""
    median_s: float | None
    """Median active time of the submitted items; None before the first."""
    left_s: float
    """Estimated time left: by the reviewer's own pace after three items."""
    last: str | None
    """When the latest item was submitted; UTC time, ISO 8601."""


class ReviewProgress(Struct, frozen=True, kw_only=True):
    """The progress of a whole review."""

    reviewers: list[ReviewerProgress]
    """In the order in which they were named."""
    shared: int
    """Items that two reviewers or more have judged."""
    agreement: list[Agreed]
    """Agreement on each question so far; empty in a review of drafts."""


def read(state: ReviewDatabase, material: Material) -> ReviewProgress:
    """Read the progress of a review as it is now."""
    plan = state.plan()
    tasks_by = {reviewer.name: state.tasks(reviewer.name) for reviewer in state.reviewers()}
    judged = [
        task
        for reviewer in state.reviewers()
        for task in tasks_by[reviewer.name]
        if not reviewer.adjudicates and task.kind == "item" and task.submitted_at and not results.unjudged(task)
    ]
    keys = [task.key for task in judged]
    ratings = [
        Rating(
            reviewer=event.author,
            suite=event.suite,
            case_id=event.case_id,
            repeat=event.repeat,
            variant=event.variant,
            input_hash="",
            cluster=material.item(task.key).cluster,
            score=event.score,
        )
        for task in judged
        if plan.mode == "compare"
        for event in results.events(task, material.item(task.key), plan, task.reviewer)
    ]
    return ReviewProgress(
        reviewers=[_reviewer(state, reviewer, tasks_by[reviewer.name], material) for reviewer in state.reviewers()],
        shared=sum(keys.count(key) > 1 for key in set(keys)),
        agreement=agreed(ratings),
    )


def _reviewer(state: ReviewDatabase, reviewer: Reviewer, tasks: list[Task], material: Material) -> ReviewerProgress:
    counted = [task for task in tasks if task.kind != "practice"]
    done = [task for task in counted if task.submitted_at]
    open_s = [estimated_s(task, material) for task in counted if not task.submitted_at]
    took = [task.active_ms / 1000 for task in done if task.active_ms]
    left = median(took) * len(open_s) if len(took) >= ENOUGH else sum(open_s)
    return ReviewerProgress(
        name=reviewer.name,
        stage=_stage(state, reviewer),
        done=len(done),
        of=len(counted),
        left_out=sum(results.unjudged(task) is not None for task in done),
        estimated_s=estimate(tasks, material).per_item_s,
        median_s=median(took) if took else None,
        left_s=0.0 if reviewer.closed_at else left,
        last=max((task.submitted_at for task in done if task.submitted_at), default=None),
    )


STAGES = {
    "consent": "not started",
    "rubric": "reads the rubric",
    "feedback": "practises",
    "guess": "guesses at the end",
}


def _stage(state: ReviewDatabase, reviewer: Reviewer) -> str:
    if reviewer.recorded:
        return "recorded"
    if reviewer.packet_hash and not reviewer.closed_at:
        return "has a packet; unknown until its answers are imported"
    position = workflow.position_of(state, reviewer)
    if position.task and position.stage == "task":
        return "practises" if position.task.kind == "practice" else "judges items"
    return STAGES.get(position.stage, "finished")
