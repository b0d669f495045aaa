"""A third person decides where two reviewers differ, blind as they were, and only after both are through."""

from collections.abc import Container
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.errors import UserError
from harness.runs.score_events import batches
from reports.review.results import record
from reports.review.schema import Draft, ReviewItem, Task
from reports.review.workflow import appoint, differences, earlier, undecided
from tests.reports.review.conftest import Planned
from tests.reports.review.drafts import answer_all, draft_of, opinion, plain, recorded


def harsh(task: Task, item: ReviewItem, cases: Container[str] = ("lease-003",)) -> Draft:
    """Differs from `plain` on the tuned answer of some cases."""
    draft = plain(task, item.clauses)
    if item.key.case_id not in cases:
        return draft
    missed = dict.fromkeys(item.clauses, False)
    return draft_of(task, {"tuned": opinion(1, missed=missed), "baseline": opinion(missed=missed)}, "baseline")


def test_the_third_sees_both_turned_to_their_own_sides_and_only_where_they_differ(plan_review: Planned) -> None:
    state, material = plan_review(reviewers=["r1", "r2"], share=1.0)
    answer_all(state, material, "r1")
    answer_all(state, material, "r2", harsh)
    record(state, material, "r1")
    assert differences(state) == {}
    with pytest.raises(UserError, match="nothing to decide: 0 items have two reviewers who have finished"):
        appoint(state, "r3")
    record(state, material, "r2")
    assert [key.case_id for key in differences(state)] == ["lease-003"]
    with pytest.raises(UserError, match="r1 reviewed these answers"):
        appoint(state, "r1")
    with pytest.raises(UserError, match="--by R1: a name in this review differs in capitals alone"):
        appoint(state, "R1")
    assert appoint(state, "r3") == 1 and appoint(state, "r3") == 1
    (task,) = state.tasks("r3")
    found = earlier(state, state.reviewer("r3"), task)
    side = "A" if task.sides["A"] == "tuned" else "B"
    other = "B" if side == "A" else "A"
    assert [e.opinions[side].accuracy for e in found] == [4, 1]
    assert [e.opinions[other].accuracy for e in found] == [4, 4]
    assert [e.preference for e in found] == ["tie", other]
    assert earlier(state, state.reviewer("r1"), state.tasks("r1")[3]) == []


def test_a_later_difference_goes_to_another_person_without_those_that_are_decided(plan_review: Planned) -> None:
    state, material = plan_review(reviewers=["r1", "r2", "r5"], share=1.0)
    everywhere = partial(harsh, cases=[task.key.case_id for task in state.tasks("r2") if task.kind == "item"])
    for name, draft in (("r1", None), ("r2", everywhere)):
        answer_all(state, material, name, draft)
        record(state, material, name)
    first = differences(state)
    assert first and appoint(state, "r3") == len(first) and undecided(state) == {}
    answer_all(state, material, "r5")
    record(state, material, "r5")
    later = undecided(state)
    assert later and later.keys() == differences(state).keys() - first.keys()
    assert appoint(state, "r4") == len(later)
    with pytest.raises(UserError, match="they differ on none that is still to be decided"):
        appoint(state, "r6")


def test_a_decision_is_told_apart_from_a_review(plan_review: Planned) -> None:
    state, material = plan_review(reviewers=["r1", "r2"], share=1.0)
    recorded((state, material), None, harsh)
    appoint(state, "r3")
    answer_all(state, material, "r3")
    record(state, material, "r3")
    assert [b.about["kind"] for b in batches(Path(material.path))] == ["review", "review", "adjudication"]
    last = batches(material.path)[-1]
    assert last.about["adjudicates"] == ["r1", "r2"] and {e.author for e in last.events} == {"r3"}
    assert len(differences(state)) == 1


def test_reviewers_who_left_an_item_out_do_not_differ_on_it(plan_review: Planned) -> None:
    state, material = plan_review(reviewers=["r1", "r2"], share=1.0)
    recorded((state, material), None, lambda t, i: replace(harsh(t, i), outcome="skipped", reason="no time"))
    assert differences(state) == {}
