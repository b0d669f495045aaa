"""The organiser's view of a review: estimates, progress, time and agreement."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from reports import number_format
from reports.review.progress import Effort, estimate, read
from reports.review.schema import Draft
from tests.reports.review.conftest import Planned
from tests.reports.review.drafts import answer_all
from tests.reports.review.test_adjudication import harsh


def test_an_estimate_counts_words_to_read_and_questions_to_answer(plan_review: Planned) -> None:
    state, material = plan_review(items=2, repeats=0)
    tasks = state.tasks("r1")
    first, second = (task for task in tasks if task.kind == "item")
    item = replace(
        material.item(first.key), source="word " * 200, inputs=[("Question", "word " * 50)], clauses=["a", "b", "c"],
        answers={"baseline": "word " * 100, "tuned": "word " * 50}, prompt=[],
    )  # fmt: skip
    known = replace(material, items={first.key: item, second.key: replace(item, key=second.key, clauses=[])})
    reading_s, questions_s = 400 / 200 * 60, 8 * (2 * (3 + 3) + 1)
    assert estimate(tasks, known) == Effort(
        per_item_s=reading_s + (questions_s + 56) / 2, left_s=240 + questions_s + 56
    )
    assert estimate(tasks, known, since=second).left_s == reading_s + 56
    asked = replace(item, prompt=[("user", "please " * 40 + item.source + " " + item.inputs[0][1])])
    known_prompt = replace(known, items=known.items | {first.key: asked})
    assert estimate([first], known_prompt).left_s == pytest.approx(reading_s + questions_s + 40 / 200 * 60)
    folded = replace(item, prompt=[("user", "please " * 121)])
    assert estimate([first], replace(known, items={first.key: folded})).left_s == reading_s + questions_s
    draft = [replace(task, sides={"A": task.sides["A"]}) for task in tasks]
    words = 250 + 2 * (100 if first.sides["A"] == "baseline" else 50)
    assert estimate(draft[: first.position + 1], known).left_s == words / 200 * 60 + 60


@pytest.mark.parametrize(
    ("seconds", "says"), [(5, "1 minute"), (100, "2 minutes"), (89 * 60, "89 minutes"), (7500, "2 h 5 min")]
)
def test_an_estimate_is_in_minutes(seconds: float, says: str) -> None:
    assert number_format.minutes(seconds) == says


def test_progress_time_and_agreement_of_all_reviewers(plan_review: Planned) -> None:
    state, material = plan_review(reviewers=["r1", "r2", "r3"], items=6, share=1.0, repeats=0)
    answer_all(state, material, "r1")
    skip = Draft(outcome="skipped", reason="no")
    answer_all(state, material, "r2", lambda task, item: skip if task.position == 2 else harsh(task, item))
    state.change_reviewer("r3", packet_hash="x")
    seen = read(state, material)
    one, two, three = seen.reviewers
    assert (one.stage, one.done, one.of) == ("guesses at the end", 4, 4)
    assert (one.left_out, one.median_s, one.left_s) == (0, 61.5, 0)
    assert (two.done, two.left_out) == (4, 1) and one.last is not None
    assert (three.stage.split(";")[0], three.done, three.median_s) == ("has a packet", 0, None)
    assert three.left_s == pytest.approx(4 * three.estimated_s)
    keys = [{t.key for t in state.tasks(name) if t.kind == "item" and not t.draft.reason} for name in ("r1", "r2")]
    assert seen.shared == len(keys[0] & keys[1])
    accuracy = next(found for found in seen.agreement if found.measure.name == "accuracy")
    assert accuracy.raw.n == 2 * seen.shared


def test_the_time_left_follows_a_reviewers_own_pace_after_three_items(plan_review: Planned) -> None:
    state, material = plan_review(items=6, repeats=0)
    answer_all(state, material, "r1")
    for task in state.tasks("r1")[-3:]:
        state.change_task(task.id, submitted_at=None)
    (seen,) = read(state, material).reviewers
    assert (seen.stage, seen.done, seen.left_s) == ("judges items", 3, 3 * 61.5)


def test_a_review_of_drafts_has_progress_and_no_agreement(plan_review: Planned) -> None:
    state, material = plan_review(mode="fix", items=2)
    answer_all(state, material, "r1", lambda task, item: Draft(text="done"))
    seen = read(state, material)
    assert seen.agreement == [] and seen.reviewers[0].done == 2
