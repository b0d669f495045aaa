"""Argilla: one reviewer's dataset as `Dataset.from_disk` reads it, and the responses that `Dataset.to_disk` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.files import write_atomic
from harness.runs.folder import now
from reports.review.annotation_tools import FIELDS, Annotation, Question, ShownTask, guidelines

KINDS = {
    "one": "label_selection",
    "several": "multi_label_selection",
    "scale": "rating",
    "marks": "span",
    "text": "text",
}
SUBMITTED = "completed"
"""Status of a record with a submitted response; a draft or a discarded one leaves it pending."""


def write(out: Path, rubric: Mapping[str, Any], asked: Sequence[Question], tasks: Sequence[ShownTask]) -> str:
    """Write the dataset's folder; return what to do with it."""
    settings = {
        "guidelines": "\n\n".join(guidelines(rubric)),
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }
    shown = [
        {"name": name, "title": title, "required": True, "settings": {"type": "text", "use_markdown": False}}
        for name, title in FIELDS.items()
    ]
    empty: dict[str, Any] = {"metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}, "status": "pending"}
    records = [{"id": task.id, "fields": texts, **empty, "_server_id": None} for task, _, texts in tasks]
    name = "review-" + re.sub(r"[^A-Za-z0-9_-]", "-", tasks[0][0].reviewer)
    kinds = [_question(question) for question in asked]
    contents: dict[str, Any] = {
        ".argilla/dataset.json": {"name": name, "status": "draft", **settings},
        ".argilla/settings.json": {**settings, "fields": shown, "questions": kinds, "vectors": [], "metadata": []},
        "records.json": records,
    }
    for file, content in contents.items():
        write_atomic(out / file, msgspec.json.encode(content), "Choose another --out", parents=True)
    return f"Load it into a workspace of this reviewer alone: rg.Dataset.from_disk('{out}', workspace=...)"


def _question(question: Question) -> dict[str, Any]:
    options: list[dict[str, Any]] = [{"value": option, "text": option} for option in question.options]
    settings: dict[str, Any] = {"type": KINDS[question.kind], "options": options}
    if question.kind == "scale":
        settings["options"] = [{"value": int(option)} for option in question.options]
    if question.kind == "marks":
        settings |= {"field": question.on, "allow_overlapping": True}
    if question.kind == "text":
        settings = {"type": "text", "use_markdown": False}
    is_required = question.kind not in ("marks", "text")
    hints = "\n".join(f"{o}: {h}" for o, h in zip(question.options, question.hints, strict=False)) or None
    named = {"name": question.name, "title": question.title[:500], "description": hints}
    return {**named, "required": is_required, "settings": settings}


class _Mark(Struct, frozen=True):
    start: int
    end: int
    label: str


class _Response(Struct, frozen=True):
    value: int | str | list[_Mark | str] | None
    user_id: str


class _Record(Struct, frozen=True):
    id: str
    fields: dict[str, Any]
    status: str
    responses: dict[str, list[_Response]] = field(default_factory=dict)


def read(rows: list[dict[str, Any]]) -> list[Annotation]:
    """Return the submitted responses of a list of records, one for each person. Raises msgspec.ValidationError."""
    return [
        _annotation(record, user)
        for record in msgspec.convert(rows, list[_Record])
        if record.status == SUBMITTED
        for user in dict.fromkeys(r.user_id for responses in record.responses.values() for r in responses)
    ]


def _annotation(record: _Record, user: str) -> Annotation:
    values: dict[str, list[str]] = {}
    marks: dict[str, list[tuple[int, int, str]]] = {}
    for name, responses in record.responses.items():
        for given in (response.value for response in responses if response.user_id == user):
            for value in given if isinstance(given, list) else [given]:
                if isinstance(value, _Mark):
                    text = str(record.fields.get(name.replace("marks", "answer")))
                    mark = _code_points(text, value.start), _code_points(text, value.end), value.label
                    marks.setdefault(name, []).append(mark)
                elif value is not None:
                    values.setdefault(name, []).append(str(value))
    return Annotation(task=record.id, fields=record.fields, by=user, values=values, marks=marks, at=now())


def _code_points(text: str, units: int) -> int:
    """Convert an offset in UTF-16 code units, as Argilla's page counts, to code points; -1 outside of the text."""
    encoded = text.encode("utf-16-le", "replace")
    return len(encoded[: 2 * units].decode("utf-16-le", "ignore")) if 0 <= 2 * units <= len(encoded) else -1
