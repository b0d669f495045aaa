"""Turns what was said of sides into what was said of variants. The only place where the two meet."""

from __future__ import annotations

from typing import Any

from harness.schema import BASELINE, CANDIDATE
from harness.stats.scales import SCALES
from reports.review.checks import opinion_of
from reports.review.schema import SEVERITIES, Opinion, Task

UNJUDGED = {"cannot_judge": "cannot judge", "skipped": "skipped"}
WORTH = {CANDIDATE: 1.0, BASELINE: 0.0, "tie": 0.5, "both_bad": 0.5}
"""What each choice counts for the tuned variant."""


def opinions(task: Task) -> dict[str, Opinion]:
    """What is said of each variant, in the variants' own order, whatever side they stood on."""
    return {variant: opinion_of(task.draft, side) for side, variant in sorted(task.sides.items(), key=lambda s: s[1])}


def choice(task: Task) -> str | None:
    """The preferred variant, `tie`, `both_bad`, or None."""
    preference = task.draft.preference
    return None if preference is None else task.sides.get(preference, preference)


def unjudged(task: Task) -> str | None:
    """Why a submitted task was not judged, or None."""
    outcome = UNJUDGED.get(task.draft.outcome)
    return f"{outcome}: {task.draft.reason.strip()}" if outcome else None


def severities(opinion: Opinion) -> dict[str, int]:
    """Fabrications by severity."""
    return {severity: sum(mark.severity == severity for mark in opinion.marks) for severity in SEVERITIES}


def missed(opinion: Opinion) -> list[str]:
    """Listed clauses that the answer misses."""
    return [clause for clause, is_missed in opinion.missed.items() if is_missed]


def said(task: Task) -> dict[str, Any]:
    """All that was said of one showing, by variant: what two showings of an item are compared by."""
    why = unjudged(task)
    if why:
        return {"not_judged": why}
    found = opinions(task)
    return {
        **{scale.name: {variant: one.points[scale.name] for variant, one in found.items()} for scale in SCALES},
        "fabrication": {variant: severities(opinion) for variant, opinion in found.items()},
        "missed": {variant: sorted(missed(opinion)) for variant, opinion in found.items()},
        "preference": choice(task),
    }


def guessed(tasks: list[Task], guesses: dict[str, str], mode: str) -> dict[str, int]:
    """How many guesses at the trained model were asked for, made, and right."""
    by_id = {task.id: task for task in tasks}
    made = {key: guess for key, guess in guesses.items() if guess != "unsure"}
    if mode == "fix":
        right = [(guess == "A") == (by_id[key].sides["A"] == CANDIDATE) for key, guess in made.items()]
    else:
        right = [by_id[key].sides[guess] == CANDIDATE for key, guess in made.items()]
    return {"asked": len(guesses), "said": len(made), "right": sum(right)}
