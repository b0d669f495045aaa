"""What the review app writes down is what the report reads: one review from its plan to the page."""

from __future__ import annotations

from pathlib import Path

from harness.judges import human_review
from harness.runs.folder import load_run
from reports.assemble import gather
from reports.model import Cell, Section, Table
from reports.review.schema import Draft, ReviewItem, Task
from reports.sections import human_review as sections_human_review
from tests.reports.review.conftest import Planned
from tests.reports.review.drafts import draft_of, opinion, recorded


def prefers_tuned(task: Task, item: ReviewItem) -> Draft:
    listed = dict.fromkeys(item.clauses, False)
    return draft_of(
        task,
        {v: opinion(5 if v == "tuned" else 2, 4, missed=listed) for v in task.sides.values()},
        "tuned" if task.kind != "practice" else "tie",
    )


def leaves_one_out(task: Task, item: ReviewItem) -> Draft:
    return Draft(outcome="skipped", reason="too long") if item.key.case_id == "lease-003" else prefers_tuned(task, item)


def edits(task: Task, item: ReviewItem) -> Draft:
    return Draft(text=item.answers[task.sides["A"]] + "!")


def section(run: Path) -> Section:
    return sections_human_review.section(gather(load_run(run), None))


def row(found: Section, caption: str, head: str) -> list[Cell]:
    table = next(b for b in found.blocks if isinstance(b, Table) and b.caption.startswith(caption))
    return next(cells for cells in table.rows if cells[0].text == head)


def test_a_comparison_of_two_reviewers_stands_in_the_report(plan_review: Planned) -> None:
    planned = plan_review(reviewers=["r1", "r2"], share=1.0, repeats=1)
    found = section(recorded(planned, prefers_tuned, leaves_one_out).path)
    assert [cell.text for cell in row(found, "Reviewers", "r1")[2:4]] == ["10", "0"]
    assert [cell.text for cell in row(found, "Reviewers", "r2")[2:4]] == ["10", "1"]
    assert [cell.text for cell in row(found, "Not judged", "lease-003")[1:]] == ["r2", "skipped: too long"]
    assert row(found, "Which answer people prefer", "Everybody")[1].text == "100%"
    assert [cell.text for cell in row(found, "What people found", "Accuracy")[1:4]] == ["2", "5", "+3"]
    assert row(found, "Checks on the reviews", "Same preference again")[1].text == "100%"
    same = row(found, "Agreement of reviewers", "Accuracy")[1]
    assert same.text == "100%" and same.estimate is not None and same.estimate.n == 18


def test_edited_drafts_and_their_times_stand_in_the_report(plan_review: Planned) -> None:
    material = recorded(plan_review(mode="fix"), edits)
    spent = human_review.time_spent(human_review.read(material.path))
    assert [one.active_s for one in spent] == [61.5] * 10
    page = section(material.path)
    assert row(page, "Time and edits", "Median active time")[1].text == "1 min 2 s"
    assert row(page, "Time and edits", "Ratio of active times")[3].text == "1.00×"
    assert row(page, "Time and edits", "Drafts unchanged")[1].text == "0%"
