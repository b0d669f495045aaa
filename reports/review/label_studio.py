"""Label Studio: one reviewer's tasks and labelling configuration, and the annotations of its JSON export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
from msgspec import Struct, field

from harness.files import write_atomic
from harness.runs.folder import now
from reports.review.annotation_tools import FIELDS, PRESENT, Annotation, Question, ShownTask, guidelines

STYLE = ".htx-text { white-space: pre-wrap; }"
"""Without it, Label Studio trims spaces, and marks are in the wrong place."""


def write(out: Path, rubric: Mapping[str, Any], asked: Sequence[Question], tasks: Sequence[ShownTask]) -> str:
    """Write the tasks, and the configuration next to them; return what to do with them."""
    data = [
        {"data": {"task": task.id, **texts, "clauses": [{"value": clause} for clause in (PRESENT, *item.clauses)]}}
        for task, item, texts in tasks
    ]
    settings = out.with_name(f"{out.stem}-config.xml")
    write_atomic(out, msgspec.json.format(msgspec.json.encode(data)), "Choose another --out")
    write_atomic(settings, configuration(rubric, asked), "Choose another --out")
    return f"Make a project for this reviewer alone: {settings} is its labeling configuration, {out} its tasks"


def configuration(rubric: Mapping[str, Any], asked: Sequence[Question]) -> str:
    """Return the labelling configuration, XML."""
    view = ElementTree.Element("View")
    _add(view, "Style").text = STYLE
    panel = _add(_add(view, "Collapse"), "Panel", value="How to judge")
    for paragraph in guidelines(rubric):
        _add(panel, "Header", value=paragraph, size="6")
    for name, heading in FIELDS.items():
        _add(view, "Header", value=heading)
        _add(view, "Text", name=name, value=f"${name}")
        for question in asked:
            if question.on == name:
                _ask(view, question)
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode") + "\n"


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _ask(view: ElementTree.Element, question: Question) -> None:
    _add(view, "Header", value=question.title, size="5")
    name = {"name": question.name, "toName": question.on}
    hints = question.hints or [""] * len(question.options)
    if question.kind == "marks":
        labels = _add(view, "Labels", **name)
        for option, hint in zip(question.options, hints, strict=True):
            _add(labels, "Label", value=option, hint=hint)
    elif question.kind == "text":
        _add(view, "TextArea", **name, maxSubmissions="1")
    elif question.kind == "several":
        _add(view, "Choices", **name, choice="multiple", required="true", value="$clauses")
    else:
        choices = _add(view, "Choices", **name, choice="single", required="true", showInline="true")
        for option, hint in zip(question.options, hints, strict=True):
            _add(choices, "Choice", value=option, **({"hint": hint} if hint else {}))


class _Value(Struct, frozen=True):
    """The value of a result; which fields it has depends on its type."""

    choices: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    text: str | list[str] = ""
    start: int = -1
    end: int = -1


class _Result(Struct, frozen=True):
    from_name: str = ""
    type: str = ""
    value: _Value = _Value()


class _Annotation(Struct, frozen=True):
    result: list[_Result]
    completed_by: int | str | dict[str, Any] | None = None
    was_cancelled: bool = False
    updated_at: datetime | None = None


class _Task(Struct, frozen=True):
    data: dict[str, Any]
    annotations: list[_Annotation]


def read(rows: list[dict[str, Any]]) -> list[Annotation]:
    """Return the submitted annotations of an export, a list of tasks. Raises msgspec.ValidationError."""
    tasks = msgspec.convert(rows, list[_Task])
    return [_annotation(task, one) for task in tasks for one in task.annotations]


def _annotation(task: _Task, one: _Annotation) -> Annotation:
    values: dict[str, list[str]] = {}
    marks: dict[str, list[tuple[int, int, str]]] = {}
    for result in one.result:
        value = result.value
        if result.type == "labels":
            marks.setdefault(result.from_name, []).append((value.start, value.end, ", ".join(value.labels)))
        elif result.from_name:
            texts = [value.text] if isinstance(value.text, str) else value.text
            values.setdefault(result.from_name, []).extend(value.choices or texts)
    by = one.completed_by
    return Annotation(
        task=str(task.data.get("task")),
        fields=task.data,
        by=str(by.get("email") or by.get("id") if isinstance(by, dict) else by),
        values=values,
        marks=marks,
        skipped=one.was_cancelled,
        at=one.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if one.updated_at else now(),
    )
