"""Write one reviewer's judgements into the run as score events, unblinded.

One event per finding: kind `human`, author the reviewer, rubric the digest of the rubric's text. A second showing of an
item has no event; it is in the batch's `repeats`, with the first. On the record of each variant:

    human_accuracy, human_completeness   value 1 to 5
    human_fabrication   value and counts {minor, major, critical}; one span each: kind the severity, verdict `invented`
    human_missed        where the case lists clauses: value and counts {listed, missed}, extracted {missed}

on the tuned variant's record, for both answers together (`compare`), or on the drafted variant's (`fix`):

    human_preference    value 1 tuned, 0 baseline, 0.5 tie or both bad; extracted {choice}
    human_fix           value and counts {edit_distance, draft_length}, extracted {text}
    human_seconds       value active seconds; counts {active_ms, wall_ms}; extracted {mode}

A showing that was skipped, or that the reviewer could not judge, has all its findings without a value and with the
reason; its seconds are kept. One that was never reached has no event and is counted in the batch.

A batch describes itself: kind (`review`, or `adjudication` of others' differences), mode, reviewer, blind, seed, items,
practice, shown, repeats, guess {asked, said, right: numbers of items}, not_reached, reopened, notes, adjudicates,
rubric (whole), share, created (the plan), consented_at, source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness import sanitize
from harness.errors import UserError, extra_needed_by
from harness.runs.score_events import append, batches
from harness.schema import BASELINE, CANDIDATE, Score, ScoreEvent, Span
from harness.stats.human_review import SCALES
from reports.review.items import Material
from reports.review.schema import SEVERITIES, Mode, Opinion, Reviewer, ReviewItem, ReviewPlan, Task, opinion_of
from reports.review.storage import ReviewDatabase

UNJUDGED = {"cannot_judge": "cannot judge", "skipped": "skipped"}
WORTH = {CANDIDATE: 1.0, BASELINE: 0.0, "tie": 0.5, "both_bad": 0.5}
"""The value of each choice for the tuned variant."""


def opinions(task: Task) -> dict[str, Opinion]:
    """Return the opinions by variant, in the order of the variants' names, whatever their side."""
    return {variant: opinion_of(task.draft, side) for side, variant in sorted(task.sides.items(), key=lambda s: s[1])}


def unblinded_choice(task: Task) -> str | None:
    """Return the preferred variant, `tie`, `both_bad`, or None."""
    preference = task.draft.preference
    return None if preference is None else task.sides.get(preference, preference)


def unjudged(task: Task) -> str | None:
    """Say why a submitted task was not judged, or None."""
    outcome = UNJUDGED.get(task.draft.outcome)
    return f"{outcome}: {task.draft.reason.strip()}" if outcome else None


def severities(opinion: Opinion) -> dict[str, int]:
    """Count fabrications by severity."""
    return {severity: sum(mark.severity == severity for mark in opinion.marks) for severity in SEVERITIES}


def missed(opinion: Opinion) -> list[str]:
    """Return the listed clauses that the answer misses."""
    return [clause for clause, is_missed in opinion.missed.items() if is_missed]


def judgement(task: Task) -> dict[str, Any]:
    """Return the whole judgement of one showing, by variant, to compare two showings of an item."""
    why = unjudged(task)
    if why:
        return {"not_judged": why}
    by_variant = opinions(task)
    return {
        **{scale.name: {variant: one.points[scale.name] for variant, one in by_variant.items()} for scale in SCALES},
        "fabrication": {variant: severities(opinion) for variant, opinion in by_variant.items()},
        "missed": {variant: sorted(missed(opinion)) for variant, opinion in by_variant.items()},
        "preference": unblinded_choice(task),
    }


def guessed(tasks: list[Task], guesses: dict[str, str]) -> dict[str, int]:
    """Count the guesses at the tuned model, on side A or not: requested, made, and right."""
    is_tuned = {task.id: task.sides["A"] == CANDIDATE for task in tasks}
    decided = {key: guess for key, guess in guesses.items() if guess != "unsure"}
    right = [(guess == "A") == is_tuned[key] for key, guess in decided.items()]
    return {"asked": len(guesses), "said": len(decided), "right": sum(right)}


def restored(text: str, draft: str) -> str:
    """Turn the names of the draft's hidden characters in a text back into the characters."""
    for character in {c for c in draft if sanitize.is_hidden(c)}:
        text = text.replace(sanitize.escape(character), character)
    return text


def edits(draft: str, text: str) -> tuple[int, int]:
    """Count the edits from a draft to an edited text as shown, and the draft's characters.

    The count is Levenshtein's distance (1966) in code points: insertions, deletions and replacements. Raises
    MissingExtra where rapidfuzz is not installed.
    """
    with extra_needed_by("The edit distance of a corrected draft", "review", "rapidfuzz"):
        from rapidfuzz.distance import Levenshtein
    before = restored(sanitize.shown(draft), draft)
    return Levenshtein.distance(before, restored(text, draft)), len(before)


def record(state: ReviewDatabase, material: Material, name: str) -> str:
    """Append a reviewer's events to the run, once, close the review for them, and return the batch's file name.

    Raises UserError where nothing was submitted.
    """
    plan = state.plan()
    with state.recording(name) as (reviewer, written):
        tasks = state.tasks(name)  # As they are now that nobody can submit another one.
        if reviewer.recorded:
            return reviewer.recorded
        known = _written_before(material, plan, name)
        if known:
            written.append(known)
            return known
        shown = [task for task in tasks if task.kind == "item" and task.submitted_at]
        if not shown:
            raise UserError(f"{name} has not submitted an item yet, so there is nothing to record")
        found = [event for task in shown for event in events(task, material.item(task.key), plan, name)]
        path = append(material.path, "human", found, about(plan, reviewer, tasks))
        written.append(path.name)
        return path.name


def _written_before(material: Material, plan: ReviewPlan, name: str) -> str:
    """Find the batch that a killed process wrote for a reviewer but did not mark as recorded."""
    for batch in batches(material.path):
        identity = [batch.about.get(key) for key in ("mode", "reviewer", "seed", "created")]
        if identity == [plan.mode, name, plan.seed, plan.created]:
            return batch.path.name
    return ""


def events(task: Task, item: ReviewItem, plan: ReviewPlan, author: str) -> Iterator[ScoreEvent]:
    """Yield the score events of one submitted task, unblinded."""
    findings = _compare(task, item) if plan.mode == "compare" else _fix(task, item)
    why = unjudged(task)
    seconds = _seconds(task, plan.mode)
    target = CANDIDATE if plan.mode == "compare" else task.sides["A"]
    timed = [(target, seconds)] if task.wall_ms else []  # Answers of annotation tools have no times.
    for variant, score in [*findings, *timed]:
        if why and score is not seconds:
            score = Score(name=score.name, value=None, reason=why)
        yield ScoreEvent(
            suite=task.key.suite,
            case_id=task.key.case_id,
            variant=variant,
            repeat=task.key.repeat,
            kind="human",
            score=score,
            author=author,
            rubric=plan.rubric_digest,
            at=task.submitted_at or "",
        )


def _compare(task: Task, item: ReviewItem) -> Iterator[tuple[str, Score]]:
    for variant, opinion in opinions(task).items():
        for scale in SCALES:
            yield variant, Score(name=scale.scorer, value=float(opinion.points[scale.name] or 0))
        yield variant, _fabrication(opinion)
        if item.clauses:
            missed = [clause for clause in item.clauses if opinion.missed.get(clause)]
            counts = {"listed": len(item.clauses), "missed": len(missed)}
            extracted = {"missed": missed}
            yield variant, Score(name="human_missed", value=float(len(missed)), counts=counts, extracted=extracted)
    choice = unblinded_choice(task) or ""
    value = WORTH.get(choice, 0.0)
    yield CANDIDATE, Score(name="human_preference", value=value, extracted={"choice": [choice]})


def _fabrication(opinion: Opinion) -> Score:
    spans = [
        Span(start=mark.start, end=mark.end, quote=mark.quote, kind=mark.severity, verdict="invented")
        for mark in sorted(opinion.marks, key=lambda mark: (mark.start, mark.end))
    ]
    counts = severities(opinion)
    return Score(name="human_fabrication", value=float(len(spans)), counts=counts, spans=spans)


def _fix(task: Task, item: ReviewItem) -> Iterator[tuple[str, Score]]:
    variant = task.sides["A"]
    draft, text = item.answers[variant], task.draft.text or ""
    distance, length = edits(draft, text)
    counts = {"edit_distance": distance, "draft_length": length}
    yield (
        variant,
        Score(name="human_fix", value=float(distance), counts=counts, extracted={"text": [restored(text, draft)]}),
    )


def _seconds(task: Task, mode: Mode) -> Score:
    counts = {"active_ms": task.active_ms, "wall_ms": task.wall_ms}
    return Score(name="human_seconds", value=task.active_ms / 1000, counts=counts, extracted={"mode": [mode]})


def about(plan: ReviewPlan, reviewer: Reviewer, tasks: list[Task]) -> Mapping[str, Any]:
    """Describe a batch."""
    counted = [task for task in tasks if task.kind == "item"]
    submitted = [task for task in tasks if task.kind != "practice" and task.submitted_at]
    before = sum(task.kind == "practice" for task in tasks)
    practised = sum(task.kind == "practice" and task.submitted_at is not None for task in tasks)
    return {
        "kind": "adjudication" if reviewer.adjudicates else "review",
        "mode": plan.mode,
        "reviewer": reviewer.name,
        "blind": True,
        "seed": plan.seed,
        "items": len(counted),
        "practice": practised,
        "shown": [_place(task, before) for task in submitted if task.kind == "item"],
        "repeats": _repeats(submitted, before),
        "guess": guessed(tasks, reviewer.guesses or {}),
        "not_reached": sum(task.submitted_at is None for task in counted),
        "reopened": sum(task.reopened for task in submitted),
        "notes": [_name(task) | {"note": task.draft.note} for task in submitted if task.draft.note.strip()],
        "adjudicates": reviewer.adjudicates,
        "rubric": plan.rubric,
        "share": plan.share,
        "created": plan.created,
        "consented_at": reviewer.consented_at,
        "source": reviewer.tool or ("packet" if reviewer.packet_hash else "server"),
    }


def _name(task: Task) -> dict[str, Any]:
    return {"suite": task.key.suite, "case_id": task.key.case_id}


def _place(task: Task, before: int) -> dict[str, Any]:
    return _name(task) | {"side": task.sides, "position": task.position - before + 1}


def _repeats(submitted: list[Task], before: int) -> list[dict[str, Any]]:
    first = {task.key: task for task in submitted if task.kind == "item"}
    return [
        _place(task, before) | {"first": judgement(first[task.key]), "second": judgement(task)}
        for task in submitted
        if task.kind == "repeat" and task.key in first
    ]
