"""A reviewer in Label Studio or Argilla: fills in exported tasks, and writes them as the tool's export does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.sanitize import shown
from reports.review.items import Material
from reports.review.schema import Draft, ReviewItem, Task, opinion_of
from reports.review.storage import ReviewDatabase

Say = Callable[[Task, ReviewItem], Draft]
Answers = dict[str, Any]
"""By question: an option, several, or marks as tuples of start, end and severity in the text that is shown."""


def answers(draft: Draft, task: Task, item: ReviewItem) -> Answers:
    """The answers that make a draft."""
    given: Answers = {"preference": (draft.preference or "").replace("_", " "), "note": draft.note}
    for side in "AB":
        opinion, end, text = opinion_of(draft, side), f"_{side.lower()}", item.answers[task.sides[side]]
        given |= {name + end: points for name, points in opinion.points.items()}
        given["fabrications" + end] = "marked in the text" if opinion.marks else "none found"
        given["marks" + end] = [
            (len(shown(text[: mark.start])), len(shown(text[: mark.end])), mark.severity) for mark in opinion.marks
        ]
        missed = [clause for clause, is_missed in opinion.missed.items() if is_missed]
        given["missed" + end] = missed or (["none of them"] if item.clauses else [])
    return given


def label_studio(task: dict[str, Any], given: Answers, by: Any = 1) -> dict[str, Any]:
    """One task of a JSON export with one annotation."""
    results: list[dict[str, Any]] = []
    for name, value in given.items():
        about = "answer_a" if name.endswith("_a") else "answer_b"
        row = {"from_name": name, "to_name": about, "origin": "manual"}
        for start, end, label in value if name.startswith("marks") else []:
            text = task["data"][about][start:end]
            marked = {"start": start, "end": end, "text": text, "labels": [label]}
            results.append({**row, "id": f"r{len(results)}", "type": "labels", "value": marked})
        if name == "note" and value:
            results.append({**row, "id": "note", "type": "textarea", "value": {"text": [value]}})
        elif name != "note" and not name.startswith("marks") and value:
            chosen = value if isinstance(value, list) else [str(value)]
            results.append({**row, "id": f"r{len(results)}", "type": "choices", "value": {"choices": chosen}})
    annotation = {
        "id": 7,
        "completed_by": by,
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-25T09:59:00.000000Z",
        "updated_at": "2026-11-25T10:00:00.000000Z",
        "lead_time": 31.5,
    }
    return {"id": 12, "annotations": [annotation], "drafts": [], "predictions": [], **task, "meta": {}, "project": 3}


def argilla(record: dict[str, Any], given: Answers, by: str = "3f0e1d2c-0000-4000-8000-000000000001") -> dict[str, Any]:
    """One record of records.json with one person's submitted responses; marks in UTF-16 code units, as its page has."""
    responses: dict[str, Any] = {}
    for name, value in given.items():
        if name.startswith("marks"):
            text = record["fields"]["answer" + name[-2:]]
            units = [len(text[:at].encode("utf-16-le")) // 2 for start, end, _ in value for at in (start, end)]
            value = [
                {"start": units[2 * n], "end": units[2 * n + 1], "label": label}
                for n, (_, _, label) in enumerate(value)
            ]
        if value:
            responses[name] = [{"value": value, "user_id": by}]
    return record | {
        "responses": responses,
        "status": "completed",
        "_server_id": "5b1f7f0a-0000-4000-8000-000000000001",
    }


TOOLS: dict[str, Any] = {"label-studio": label_studio, "argilla": argilla}


def exported(out: Path, tool: str) -> list[dict[str, Any]]:
    """The tasks that were written for a tool."""
    rows: list[dict[str, Any]] = json.loads((out / "records.json" if tool == "argilla" else out).read_text("utf-8"))
    return rows


def task_id(row: dict[str, Any]) -> str:
    return str(row["id"] if "fields" in row else row["data"]["task"])


def fill_in(
    rows: list[dict[str, Any]], tool: str, state: ReviewDatabase, material: Material, say: Say, by: Any = None
) -> list[dict[str, Any]]:
    """Answer every task as `say(task, item)` does."""
    tasks = {task.id: task for reviewer in state.reviewers() for task in state.tasks(reviewer.name)}
    filled = []
    for row in rows:
        task = tasks[task_id(row)]
        item = material.item(task.key)
        who = {} if by is None else {"by": by}
        filled.append(TOOLS[tool](row, answers(say(task, item), task, item), **who))
    return filled


def save(path: Path, rows: Any) -> Path:
    path.write_text(json.dumps(rows), "utf-8")
    return path
