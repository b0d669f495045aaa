"""What a review leaves in the run: events by variant, whatever side the variant stood on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.errors import UserError
from harness.runs.folder import check_seal, load_run
from harness.runs.score_events import batches, with_later
from harness.sanitize import shown
from harness.schema import ScoreEvent
from reports.review.results import edits, record, restored
from reports.review.rubric import load_rubric
from reports.review.schema import Draft, ReviewItem, Task
from tests.reports.review.conftest import Planned
from tests.reports.review.drafts import answer_all, draft_of, mark, opinion, recorded

CASE = "lease-005"
INVENTED = "O.C.G.A. § 13-99-1"


def words(task: Task, item: ReviewItem) -> Draft:
    """The tuned answer is better everywhere; the baseline invents a section in one case and misses its clause."""
    listed = dict.fromkeys(item.clauses, False)
    tuned = opinion(5, 4, missed=listed)
    marks = (mark(item.answers["baseline"], INVENTED, "critical"),) if item.key.case_id == CASE else ()
    baseline = opinion(2, 3, marks, dict.fromkeys(item.clauses, bool(marks)))
    by_variant = {"tuned": tuned, "baseline": baseline, "1": opinion(missed=listed), "2": opinion(missed=listed)}
    return draft_of(task, by_variant, "tuned" if task.kind != "practice" else "tie")


def events_of(run: Path) -> list[ScoreEvent]:
    return [event for batch in batches(run) for event in batch.events]


def scores(run: Path, case: str = CASE) -> dict[tuple[str, str], Any]:
    return {(e.variant, e.score.name): e.score for e in events_of(run) if e.case_id == case}


def test_every_finding_is_an_event_on_the_variant_that_it_is_about(plan_review: Planned) -> None:
    material = recorded(plan_review(), words)
    found = scores(material.path)
    assert {key: score.value for key, score in found.items()} == {
        ("baseline", "human_accuracy"): 2.0,
        ("baseline", "human_completeness"): 3.0,
        ("baseline", "human_fabrication"): 1.0,
        ("baseline", "human_missed"): 1.0,
        ("tuned", "human_accuracy"): 5.0,
        ("tuned", "human_completeness"): 4.0,
        ("tuned", "human_fabrication"): 0.0,
        ("tuned", "human_missed"): 0.0,
        ("tuned", "human_preference"): 1.0,
        ("tuned", "human_seconds"): 61.5,
    }
    invented = found["baseline", "human_fabrication"]
    assert invented.counts == {"minor": 0, "major": 0, "critical": 1}
    span = invented.spans[0]
    text = material.items[next(k for k in material.items if k.case_id == CASE)].answers["baseline"]
    assert (span.kind, span.quote, text[span.start : span.end]) == ("critical", INVENTED, INVENTED)
    missed = found["baseline", "human_missed"]
    assert missed.counts == {"listed": 1, "missed": 1} and missed.extracted == {"missed": ["Insurance"]}
    assert found["tuned", "human_preference"].extracted == {"choice": ["tuned"]}
    seconds = found["tuned", "human_seconds"]
    assert seconds.counts == {"active_ms": 61_500, "wall_ms": 90_000} and seconds.extracted == {"mode": ["compare"]}
    every = events_of(material.path)
    assert {(e.kind, e.author, e.rubric, e.repeat) for e in every} == {("human", "r1", load_rubric().hash, 1)}
    assert len(every) == 10 * 10


def test_the_run_stays_sealed_and_its_own_scores_stay_theirs(plan_review: Planned) -> None:
    material = recorded(plan_review(), words)
    assert check_seal(material.path) == []
    run = load_run(material.path)
    assert with_later(run) == run


def test_a_batch_says_how_it_came_about(plan_review: Planned) -> None:
    state, material = plan_review()
    answer_all(state, material, "r1", lambda task, item: replace(words(task, item), note="see § 5"))
    asked = [task for task in state.tasks("r1") if task.kind == "item"][:4]
    sides = ["A" if task.sides["A"] == "tuned" else "B" for task in asked[:2]] + ["B", "unsure"]
    wrong = "B" if asked[2].sides["A"] == "tuned" else "A"
    guesses = {task.id: side for task, side in zip(asked, [*sides[:2], wrong, "unsure"], strict=True)}
    state.change_reviewer("r1", guesses=guesses)
    record(state, material, "r1")
    about = batches(material.path)[0].about
    shown = about["shown"]
    assert len(shown) == about["items"] == 10 and about["practice"] == 2
    assert sorted(place["position"] for place in shown + about["repeats"]) == list(range(1, 13))
    by_case = {task.key.case_id: task.sides for task in state.tasks("r1") if task.kind == "item"}
    assert {place["case_id"]: place["side"] for place in shown} == by_case
    assert about["guess"] == {"asked": 4, "said": 3, "right": 2}
    assert [about[key] for key in ("kind", "mode", "reviewer", "blind", "seed", "source")] == [
        "review", "compare", "r1", True, 5, "server",
    ]  # fmt: skip
    assert about["consented_at"] == "2026-11-25T10:00:00Z" and about["not_reached"] == 0
    assert len(about["repeats"]) == 2 and about["rubric"]["name"] == load_rubric().name
    assert len(about["notes"]) == 12


def test_a_second_showing_is_kept_beside_the_first_and_makes_no_event(plan_review: Planned) -> None:

    def wavering(task: Task, item: ReviewItem) -> Draft:
        draft = words(task, item)
        return replace(draft, preference="tie") if task.kind == "repeat" else draft

    material = recorded(plan_review(), wavering)
    preferences = [e.score.value for e in events_of(material.path) if e.score.name == "human_preference"]
    assert preferences == [1.0] * 10
    repeats = batches(material.path)[0].about["repeats"]
    assert len(repeats) == 2
    for again in repeats:
        assert again["first"]["preference"] == "tuned" and again["second"]["preference"] == "tie"
        assert again["first"]["accuracy"] == again["second"]["accuracy"] == {"baseline": 2, "tuned": 5}


def test_swapping_the_sides_leaves_the_results_equal(plan_review: Planned) -> None:
    """The same words about the same variants, with every page the other way round."""
    results = []
    for turn in (False, True):
        state, material = plan_review(seed=11)
        if turn:
            for task in state.tasks("r1"):
                state.change_task(task.id, sides={"A": task.sides["B"], "B": task.sides["A"]})
        recorded((state, material), words)
        found = [(e.case_id, e.variant, e.score.name, e.score) for e in events_of(material.path)]
        about = batches(material.path)[0].about
        results.append((sorted(found, key=lambda f: f[:3]), about["shown"], about["repeats"]))
    (first, shown, again), (second, shown_too, again_too) = results
    assert first == second
    assert [p["side"]["A"] for p in shown] == [p["side"]["B"] for p in shown_too]
    assert [r["first"] for r in again] == [r["first"] for r in again_too]


def test_what_was_not_judged_keeps_its_place_and_its_reason(plan_review: Planned) -> None:
    given = {"lease-002": ("skipped", "a friend drafted this"), "lease-003": ("cannot_judge", "no such law here")}

    def some(task: Task, item: ReviewItem) -> Draft:
        outcome, reason = given.get(item.key.case_id, ("judged", ""))
        return replace(words(task, item), outcome=outcome, reason=reason) if reason else words(task, item)

    material = recorded(plan_review(), some)
    for case, says in (("lease-002", "skipped: a friend"), ("lease-003", "cannot judge: no such")):
        found = scores(material.path, case)
        assert len(found) == 10
        unjudged = [score for (_, name), score in found.items() if name != "human_seconds"]
        assert all(score.value is None and score.reason.startswith(says) and not score.failed for score in unjudged)
        assert found["tuned", "human_seconds"].value == 61.5
    assert len(batches(material.path)[0].about["shown"]) == 10


def test_a_fixed_draft_is_measured_on_the_variant_that_wrote_it(plan_review: Planned) -> None:
    state, material = plan_review(mode="fix")
    recorded((state, material), lambda task, item: Draft(text=item.answers[task.sides["A"]] + " Done."))
    every = events_of(material.path)
    assert {e.score.name for e in every} == {"human_fix", "human_seconds"} and len(every) == 20
    drafted = {task.key.case_id: task.sides["A"] for task in state.tasks("r1") if task.kind == "item"}
    assert {e.case_id: e.variant for e in every} == drafted
    assert sorted(drafted.values()) == ["baseline"] * 5 + ["tuned"] * 5
    for event in (e for e in every if e.score.name == "human_fix"):
        item = next(item for key, item in material.items.items() if key.case_id == event.case_id)
        draft = item.answers[event.variant]
        assert event.score.counts == {"edit_distance": 6, "draft_length": len(draft)}
        assert event.score.extracted == {"text": [f"{draft} Done."]}
    about = batches(material.path)[0].about
    assert about["repeats"] == [] and {len(place["side"]) for place in about["shown"]} == {1}


def test_results_are_recorded_once_even_by_a_process_that_was_killed_in_between(plan_review: Planned) -> None:
    state, material = plan_review()
    answer_all(state, material, "r1", words)
    first = record(state, material, "r1")
    assert record(state, material, "r1") == first
    state.change_reviewer("r1", recorded="", closed_at=None)
    assert record(state, material, "r1") == first
    assert state.reviewer("r1").recorded == first and state.reviewer("r1").closed_at
    assert len(batches(material.path)) == 1


def test_a_review_that_is_closed_early_counts_what_was_submitted_and_says_what_was_not(plan_review: Planned) -> None:
    state, material = plan_review()
    with pytest.raises(UserError, match="not submitted an item yet"):
        record(state, material, "r1")
    for task in state.tasks("r1")[:5]:
        state.save("r1", task.id, 0, words(task, material.item(task.key)), 0, submit=True)
    record(state, material, "r1")
    about = batches(material.path)[0].about
    assert len(about["shown"]) == 3 and about["not_reached"] == 7
    assert len({e.case_id for e in events_of(material.path)}) == 3


def test_an_item_that_is_submitted_while_a_review_is_being_closed_is_recorded(
    plan_review: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, material = plan_review()
    *first, last = state.tasks("r1")[:5]

    def submit(*tasks: Task) -> None:
        for task in tasks:
            state.save("r1", task.id, 0, words(task, material.item(task.key)), 0, submit=True)

    submit(*first)
    recording = state.recording

    def late(name: str) -> Any:
        submit(last)
        return recording(name)

    monkeypatch.setattr(state, "recording", late)
    record(state, material, "r1")
    assert len(batches(material.path)[0].about["shown"]) == 3


def test_edits_are_counted_in_code_points() -> None:
    assert edits("kitten", "sitting") == (3, 6)
    assert edits("", "😀😀") == (2, 0)
    assert edits("x" * 3000 + "a" + "y" * 3000, "x" * 3000 + "b" + "y" * 3000) == (1, 6001)


@given(st.text("ab\u202e\u200b\r\n", max_size=12))
def test_an_untouched_draft_has_no_edits_whatever_it_hides(draft: str) -> None:
    assert edits(draft, shown(draft))[0] == 0


def test_taking_out_one_hidden_character_is_one_edit() -> None:
    draft = "rent \u202edoubles"
    assert edits(draft, "rent doubles") == (1, 13)
    assert restored("rent ⟨U+202E⟩doubles!", draft) == "rent \u202edoubles!"
    assert restored("⟨U+200B⟩", draft) == "⟨U+200B⟩"
