"""What a page may send, and when: the server decides what is next and keeps nothing that does not fit."""

import sqlite3
import threading
from typing import Any

import msgspec
import pytest

from reports.review import workflow
from reports.review.schema import Draft, Opinion, Task, missing, problems
from reports.review.storage import Conflict
from reports.review.workflow import ACTIONS, SubmissionRefused, position_of
from tests.reports.review.conftest import Planned
from tests.reports.review.drafts import mark, opinion, plain

TEXT = "Rent 😀 doubles."
ANSWERS = {"A": TEXT, "B": "It is \u202edue."}


@pytest.mark.parametrize(("one", "says"), [
    ({"marks": [mark(TEXT, "doubles")]}, None),
    ({"marks": [mark(TEXT, "😀")]}, None),
    ({"accuracy": 6}, "accuracy of answer A is 6"),
    ({"completeness": 0}, "completeness of answer A is 0"),
    ({"marks": [msgspec.structs.replace(mark(TEXT, "doubles"), start=8, end=15)]}, "does not match its quote"),
    ({"marks": [msgspec.structs.replace(mark(TEXT, "doubles"), end=99)]}, "outside of the answer"),
    ({"marks": [msgspec.structs.replace(mark(TEXT, "Rent"), start=-1)]}, "outside of the answer"),
    ({"marks": [mark(TEXT, "Rent")], "none_fabricated": True}, "declared free of them"),
    ({"missed": {"holdover": True}}, "does not list"),
])  # fmt: skip
def test_marks_that_fit_no_text_are_refused(one: dict[str, Any], says: str | None) -> None:
    found = problems(Draft(A=Opinion(**one)), "compare", ANSWERS, ["rent"])
    assert (found == []) if says is None else (len(found) == 1 and says in found[0])


def test_utf16_places_do_not_pass_for_code_points() -> None:
    """`doubles` stands at 7 in code points and at 8 in UTF-16."""
    start = len("Rent 😀 ".encode("utf-16-le")) // 2
    wrong = msgspec.structs.replace(mark(TEXT, "doubles"), start=start, end=start + 7)
    assert mark(TEXT, "doubles").start == 7 and start == 8
    assert problems(Draft(A=Opinion(marks=[wrong])), "compare", ANSWERS, []) != []


def test_every_question_must_be_answered_before_submitting() -> None:
    sides = {"A": "x", "B": "y"}
    assert missing(Draft(), "compare", sides, ["rent"]) == [
        "answer A: fabrications", "answer A: accuracy", "answer A: completeness", "answer A: rent",
        "answer B: fabrications", "answer B: accuracy", "answer B: completeness", "answer B: rent",
        "preference",
    ]  # fmt: skip
    whole = Draft(A=opinion(missed={"rent": True}), B=opinion(missed={"rent": False}), preference="tie")
    assert missing(whole, "compare", sides, ["rent"]) == []
    assert missing(Draft(outcome="skipped", reason=" "), "compare", sides, []) == ["a reason"]
    assert missing(Draft(outcome="cannot_judge", reason="no"), "compare", sides, ["rent"]) == []
    assert missing(Draft(text=" "), "fix", {"A": "x"}, []) == ["the edited text"]


def payload(task: Task, draft: Draft, revision: int | None = None) -> dict[str, Any]:
    said = msgspec.to_builtins(draft)
    return {"task": task.id, "revision": task.revision if revision is None else revision, "active_ms": 5, "draft": said}


class Acting:
    """One reviewer who sends what a page would send."""

    def __init__(self, plan_review: Planned, **wanted: Any) -> None:
        self.state, self.material = plan_review(**wanted)

    def __call__(self, action: str, sent: Any = None) -> dict[str, Any] | None:
        return ACTIONS[action](self.state, self.material, self.state.reviewer("r1"), sent)

    @property
    def here(self) -> workflow.ReviewPosition:
        return position_of(self.state, self.state.reviewer("r1"))

    @property
    def task(self) -> Task:
        assert self.here.task is not None
        return self.here.task

    def submit(self) -> None:
        self("submit", payload(self.task, plain(self.task, self.material.item(self.task.key).clauses)))


def test_the_way_leads_from_consent_to_the_end_and_nothing_can_be_left_out(plan_review: Planned) -> None:
    act = Acting(plan_review, items=2)
    for too_early in ("begin", "acknowledge", "guess"):
        with pytest.raises(SubmissionRefused, match="This page is outdated"):
            act(too_early, {"guesses": {}})
    act("consent")
    act("begin")
    for _ in "12":
        act.submit()
        assert act.here.stage == "feedback"
        act("acknowledge")
    act.submit()
    with pytest.raises(SubmissionRefused, match="Still to do: answer A: fabrications"):
        act("submit", payload(act.task, Draft()))
    act.submit()
    assert act.here.stage == "guess"
    asked = [t.id for t in workflow.guess_tasks_of(act.here.tasks, 5, "r1")]
    with pytest.raises(SubmissionRefused, match="every item"):
        act("guess", {"guesses": {asked[0]: "A"}})
    act("guess", {"guesses": dict.fromkeys(asked, "unsure")})
    assert act.here.stage == "done" and act.state.reviewer("r1").recorded
    with pytest.raises(SubmissionRefused):
        act("reopen")


def started(plan_review: Planned, **wanted: Any) -> Acting:
    act = Acting(plan_review, **wanted)
    act("consent")
    act("begin")
    return act


def test_an_older_window_does_not_overwrite_a_newer_one(plan_review: Planned) -> None:
    act = started(plan_review)
    first = act.task
    assert act("draft", payload(first, Draft(note="new"))) == {"revision": 1}
    with pytest.raises(Conflict, match="another window"):
        act("draft", payload(first, Draft(note="old"), revision=0))
    assert act.task.draft.note == "new"


def test_only_the_current_item_takes_marks(plan_review: Planned) -> None:
    act = started(plan_review)
    later = act.here.tasks[3]
    with pytest.raises(SubmissionRefused, match="This page is outdated"):
        act("draft", payload(later, Draft(note="x")))
    with pytest.raises(SubmissionRefused, match="cannot be saved"):
        act("draft", {"task": act.task.id, "revision": 0, "active_ms": 1, "draft": {"variant": "tuned"}})


def test_a_submitted_item_can_be_taken_back_until_the_end_and_that_is_counted(plan_review: Planned) -> None:
    act = started(plan_review)
    with pytest.raises(SubmissionRefused, match="no earlier item"):
        act("reopen")
    for _ in "12":
        act.submit()
        act("acknowledge")
    done = act.task.id
    act.submit()
    assert act.task.id != done
    act("reopen")
    assert act.task.id == done and act.task.reopened == 1
    act.submit()
    assert act.task.id != done


def test_an_item_whose_next_one_was_submitted_is_not_taken_back(plan_review: Planned) -> None:
    """A second tab that goes back, too, would take back an answer that was given before the next item was seen."""
    act = started(plan_review)
    for _ in "12":
        act.submit()
        act("acknowledge")
    act.submit()
    second = act.task.id
    act.submit()
    act("reopen")
    with pytest.raises(SubmissionRefused, match="no earlier item"):
        act("reopen")
    act.submit()
    act("reopen")
    assert act.task.id == second and act.task.reopened == 2


def test_time_in_use_never_exceeds_time_on_the_clock_and_never_falls(plan_review: Planned) -> None:
    act = started(plan_review)
    act.state.open_task(act.task.id)
    act("draft", payload(act.task, Draft()) | {"active_ms": 3_600_000})
    assert act.task.active_ms < 60_000
    act.state.change_task(act.task.id, active_ms=40)
    act("draft", payload(act.task, Draft()) | {"active_ms": 1})
    assert act.task.active_ms == 40


def test_many_saves_at_once_lose_nothing(plan_review: Planned) -> None:
    state, _ = plan_review(reviewers=["r1", "r2", "r3"])
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            task = state.tasks(name)[0]
            for number in range(15):
                task = state.save(name, task.id, task.revision, Draft(note=str(number)), 0)
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("r1", "r2", "r3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [state.tasks(name)[0].draft.note for name in ("r1", "r2", "r3")] == ["14"] * 3
    with sqlite3.connect(state.path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() != ("wal",)  # Which hosts that share a folder can damage.
