"""Reviews in an annotation tool: what a task shows and asks there, and the import of its annotations.

A tool gets texts by side and random task IDs. Which side is whose stays in the run's review state.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from harness.errors import NOT_JSON, UserError, first_line, refuse_all
from harness.files import MEMORY_BYTES, read_bytes, size_of
from harness.sanitize import shown
from harness.stats.human_review import SCALES
from reports.review import packet, passages, results, workflow
from reports.review.items import Material
from reports.review.schema import SEVERITIES, Draft, Reviewer, ReviewItem, Task
from reports.review.storage import ReviewDatabase

CLEAN, MARKED = "none found", "marked in the text"
PRESENT = "none of them"
PREFERENCES = {"A": "A", "B": "B", "tie": "tie", "both bad": "both_bad"}
FIELDS = {"item": "Item", "prompt": "Prompt", "source": "Source", "answer_a": "Answer A", "answer_b": "Answer B"}
"""Headings of a task's texts."""


class Question(Struct, frozen=True, kw_only=True):
    """One question on a task."""

    name: str
    """Its name in the tool."""
    title: str
    """The question."""
    kind: Literal["one", "several", "scale", "marks", "text"]
    """One option, several, a point on a scale, marked text with an option each, or free text."""
    on: str
    """The field that it is about."""
    options: Sequence[str] = ()
    """What can be chosen."""
    hints: Sequence[str] = ()
    """The meaning of each option."""


def questions(rubric: Mapping[str, Any], items: Sequence[ReviewItem]) -> Iterator[Question]:
    """Yield the questions on items, as in the review app; if some list clauses, also which of them an answer misses."""
    clauses = dict.fromkeys(clause for item in items for clause in item.clauses)
    for side in "AB":
        of, on, end = f"of answer {side}", f"answer_{side.lower()}", f"_{side.lower()}"
        hints = [rubric["severity"][severity] for severity in SEVERITIES]
        options = [CLEAN, MARKED]
        yield Question(
            name="marks" + end, title=f"Fabrications {of}", kind="marks", on=on, options=SEVERITIES, hints=hints
        )
        yield Question(name="fabrications" + end, title=f"Fabrications {of}: done?", kind="one", on=on, options=options)
        for scale in SCALES:
            points = [str(point) for point in range(1, len(rubric[scale.name]) + 1)]
            title, hints = f"{scale.name.capitalize()} {of}", rubric[scale.name]
            yield Question(name=scale.name + end, title=title, kind="scale", on=on, options=points, hints=hints)
        if clauses:
            title = f"Listed clauses that answer {side} misses"
            yield Question(name="missed" + end, title=title, kind="several", on=on, options=[PRESENT, *clauses])
    yield Question(name="preference", title=rubric["preference"], kind="one", on="answer_b", options=list(PREFERENCES))
    yield Question(name="note", title="Note", kind="text", on="answer_b")


def guidelines(rubric: Mapping[str, Any]) -> list[str]:
    """Return the paragraphs of the rubric without those of consent, which describe what the review app records."""
    severities = [f"{name}: {meaning}" for name, meaning in rubric["severity"].items()]
    scales = [
        f"{scale.name}: " + " ".join(f"{point}: {meaning}" for point, meaning in enumerate(rubric[scale.name], 1))
        for scale in SCALES
    ]
    paragraphs = [*rubric["introduction"], rubric["fabrication"], *severities, *scales]
    return [shown(text) for text in [*paragraphs, rubric["missed"], rubric["preference"]]]


def fields(task: Task, item: ReviewItem, number: int, of: int) -> dict[str, str]:
    """Return what a task shows, by the names of `FIELDS`."""
    notes = [f"Item {number} of {of}", item.task]
    notes += [f"Answer {side} was cut off at its maximum length" for side in task.sides if task.sides[side] in item.cut]
    notes += [f"Listed clauses: {', '.join(item.clauses)}"] if item.clauses else []
    source = item.source.strip()
    prompt = [(role, text.replace(source, "[source]") if source else text) for role, text in item.prompt]
    asked = "\n".join(text for _, text in item.prompt)
    prompt += [(heading, text) for heading, text in item.inputs if text.strip() not in asked]
    texts = [
        "\n".join(filter(None, notes)),
        "\n\n".join(f"{heading.capitalize()}: {text}" for heading, text in prompt) or "(not known)",
        item.source,
        *(item.answers[task.sides[side]] for side in "AB"),
    ]
    return {name: shown(text) for name, text in zip(FIELDS, texts, strict=True)}


ShownTask = tuple[Task, ReviewItem, dict[str, str]]
"""A task, its item and its texts, by the names of `FIELDS`."""
Write = Callable[[Path, Mapping[str, Any], Sequence[Question], Sequence[ShownTask]], str]
"""Writes a tool's files from rubric, questions and tasks, and returns what to do with them."""


def hand_out(state: ReviewDatabase, material: Material, name: str, out: Path, write: Write) -> str:
    """Write a reviewer's tasks for a tool, end their access to the server, and return what to do with the files.

    Raises UserError where the reviewer is unknown, has begun or decides differences, or a file cannot be written.
    """
    if packet.unbegun(state, name).adjudicates:
        raise UserError(f"{name} decides differences, which only the review app shows. Use: tunegate review adjudicate")
    plan, tasks = state.plan(), counted(state, name)
    items = [material.item(task.key) for task in tasks]
    texts = [fields(task, item, n, len(tasks)) for n, (task, item) in enumerate(zip(tasks, items, strict=True), 1)]
    asked = list(questions(plan.rubric, items))
    done = write(out, plan.rubric, asked, list(zip(tasks, items, texts, strict=True)))
    digest = packet.packet_hash(material, state.tasks(name), plan.rubric_digest)
    packet.hand_out(state, name, secrets.token_urlsafe(32), digest)
    return done


def counted(state: ReviewDatabase, reviewer: str) -> list[Task]:
    """Return a reviewer's tasks without practice, in order."""
    return [task for task in state.tasks(reviewer) if task.kind != "practice"]


class Annotation(Struct, frozen=True, kw_only=True):
    """One person's submitted answers to one task, as a tool's file has them."""

    task: str
    """Task ID."""
    fields: dict[str, Any]
    """The task's texts."""
    by: str
    """The person, in the tool."""
    values: dict[str, list[str]]
    """What was chosen or written, by name of the question."""
    marks: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)
    """Marked text, by name of the question: first code point, one past the last, severity."""
    skipped: bool = False
    """Whether the person passed the task over."""
    at: str
    """When it was submitted, or imported where the file does not say; UTC time, ISO 8601."""


Read = Callable[[list[dict[str, Any]]], list[Annotation]]
"""Reads a tool's tasks. Raises msgspec.ValidationError."""
EXPECTED = "Expected answers.json of a packet, or the JSON of an annotation tool"


def read_file(file: Path) -> bytes:
    """Read a file of answers. Raises UserError where it cannot be read or is too large."""
    size = size_of(file, EXPECTED)
    if size > MEMORY_BYTES:
        raise UserError(f"{file}: has {size >> 20} MB, expected at most {MEMORY_BYTES >> 20}. {EXPECTED}")
    return read_bytes(file, EXPECTED)


def parsed(data: bytes, file: Path, tools: Mapping[str, Read]) -> tuple[list[Annotation], str]:
    """Return a tool's annotations and its name, which the keys of its tasks tell. Raises UserError."""
    try:
        rows = msgspec.json.decode(data, type=list[dict[str, Any]])
        tool = "argilla" if all("fields" in row for row in rows) else "label-studio"
        return tools[tool](rows), tool
    except NOT_JSON as error:
        raise UserError(
            f"{file}: {first_line(error)}. Expected Label Studio's JSON (not JSON-MIN), or Argilla's records.json"
        ) from None


def store(
    state: ReviewDatabase, material: Material, annotations: Sequence[Annotation], tool: str, file: Path
) -> list[str]:
    """Store annotations, record reviewers whose tasks are all answered, and return what was done, one line each.

    Raises UserError, with every problem, where the file does not fit the review; then nothing is stored.
    """
    reviewers = {reviewer.name: reviewer for reviewer in state.reviewers()}
    tasks = {task.id: task for name in reviewers for task in counted(state, name)}
    if not annotations:
        raise UserError(f"{file}: has no submitted annotation. Export it after the reviewer has submitted tasks")
    if not any(one.task in tasks for one in annotations):
        raise UserError(
            f"{file}: none of its tasks is in the review of {material.path}: it is from another review. Check the run"
        )
    problems = [f"task {one.task!r} is not in this review" for one in annotations if one.task not in tasks]
    found = sorted((one for one in annotations if one.task in tasks), key=lambda one: tasks[one.task].reviewer)
    groups = {name: list(some) for name, some in groupby(found, key=lambda one: tasks[one.task].reviewer)}
    closed = {name: reviewers[name].closed_at for name in groups if reviewers[name].closed_at}
    done = [f"{name}: answers were imported on {at} and cannot be replaced" for name, at in closed.items()]
    if len(closed) == len(groups):
        raise UserError(f"{file}: {'; '.join(done)}")
    groups = {name: some for name, some in groups.items() if name not in closed}
    problems += _misassigned(groups, tasks)
    people = {name: next(one.by for one in some) for name, some in groups.items()}
    problems += _earlier_person(people, reviewers, tool)
    rubric = state.plan().rubric_digest
    for name in groups:
        if reviewers[name].packet_hash != packet.packet_hash(material, state.tasks(name), rubric):
            problems.append(f"{name} has no packet of this review. Write one with: tunegate review packet")
    drafts: dict[str, Draft] = {}
    for name, some in groups.items():
        drafts |= _drafts(some, counted(state, name), material, tool, problems)
    refuse_all([f"{file}: {problem}" for problem in problems], f"{file}: annotations that cannot be used")
    for name, some in groups.items():
        answered = [replace(tasks[one.task], draft=drafts[one.task], submitted_at=one.at) for one in some]
        left = sum(not task.submitted_at and task.id not in drafts for task in counted(state, name))
        state.put_answers(name, answered, not left, tool=tool, person=people[name])
        if left:
            finish = f"tunegate review finish {quote(str(material.path))} --reviewer {quote(name)}"
            end = f", {left} left. Import the rest when it is done, or record these with: {finish}"
        else:
            end = f" and recorded: {material.path / 'later' / results.record(state, material, name)}"
        done.append(f"{name}: {len(some)} answers imported{end}")
        done += [
            f"warning: person {people[name]} of {tool} also answered as {other.name}. Two people may have one number "
            "at two servers; if this is one person, the agreement of the two says nothing"
            for other in _same_person(people[name], name, reviewers, tool)
        ]
    return done


def _same_person(by: str, name: str, reviewers: Mapping[str, Reviewer], tool: str) -> list[Reviewer]:
    """List the other reviewers whose tasks somebody of this name in the tool answered in an earlier file."""
    return [one for one in reviewers.values() if one.name != name and (one.tool, one.person) == (tool, by)]


def _earlier_person(people: Mapping[str, str], reviewers: Mapping[str, Reviewer], tool: str) -> list[str]:
    """List people who answered as another reviewer in an earlier file, and reviewers who were somebody else there.

    A number is no proof: every Label Studio counts its people from 1.
    """
    problems = []
    for name, by in people.items():
        if reviewers[name].person not in ("", by):
            problems.append(f"person {by} answered tasks of {name}, and {reviewers[name].person} did before")
        for other in _same_person(by, name, reviewers, tool) if not by.isdecimal() else []:
            problems.append(f"person {by} answered tasks of {name}, and those of {other.name} before")
    return problems


def _misassigned(groups: Mapping[str, Sequence[Annotation]], tasks: Mapping[str, Task]) -> list[str]:
    """List tasks that were answered twice, and people who are not one reviewer each."""
    counts = Counter(one.task for some in groups.values() for one in some)
    problems = [f"{_place(tasks[task])} has {n} annotations, expected one" for task, n in counts.items() if n > 1]
    people = {name: {one.by for one in some} for name, some in groups.items()}
    problems += [
        f"{len(by)} people ({', '.join(sorted(by))}) answered tasks of {name}, expected one"
        for name, by in people.items()
        if len(by) > 1
    ]
    for person in sorted(set.union(*people.values())):
        names = [name for name, by in people.items() if person in by]
        if len(names) > 1:
            problems.append(f"person {person} answered tasks of {' and '.join(names)}, expected one person for each")
    return problems


def _place(task: Task) -> str:
    return f"{task.reviewer}'s task {task.id!r}"


def _drafts(
    found: Sequence[Annotation], mine: list[Task], material: Material, tool: str, problems: list[str]
) -> dict[str, Draft]:
    """Return one reviewer's judgements by task ID, and add all that is wrong with them to `problems`."""
    drafts, by_id = {}, {task.id: (number, task) for number, task in enumerate(mine, 1)}
    for one in found:
        number, task = by_id[one.task]
        item = material.item(task.key)
        expected = fields(task, item, number, len(mine))
        changed = [FIELDS[name].lower() for name, text in expected.items() if one.fields.get(name) != text]
        if changed:
            problems.append(f"{_place(task)} has another text than in this review: {', '.join(changed)}")
            continue
        try:
            drafts[task.id] = msgspec.convert(_answers(one, task, item, tool), Draft, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{_place(task)}: {error}")
            continue
        wrong = workflow.problem_with(drafts[task.id], task, material, "compare", submit=True)
        problems += [f"{_place(task)}: {wrong}"] if wrong else []
    return drafts


def _answers(one: Annotation, task: Task, item: ReviewItem, tool: str) -> dict[str, Any]:
    """Return the values of a `Draft`."""
    said = {name: ", ".join(values) for name, values in one.values.items()}
    note = said.get("note", "")
    if one.skipped:
        return {"outcome": "skipped", "reason": note.strip() or f"skipped in {tool}"}
    preference = said.get("preference")
    opinions = {side: _opinion(one, said, side, item, item.answers[task.sides[side]]) for side in "AB"}
    return {**opinions, "preference": PREFERENCES.get(preference or "", preference), "note": note}


def _opinion(one: Annotation, said: Mapping[str, str], side: str, item: ReviewItem, text: str) -> dict[str, Any]:
    end = f"_{side.lower()}"
    missed = one.values.get("missed" + end, [])
    chosen = [clause for clause in missed if clause != PRESENT]
    by_clause = {clause: clause in chosen for clause in [*item.clauses, *chosen]}
    return {
        **{scale.name: said.get(scale.name + end) for scale in SCALES},
        "none_fabricated": said.get("fabrications" + end) == CLEAN,
        "marks": [_mark(text, *mark) for mark in one.marks.get("marks" + end, [])],
        "missed": by_clause if missed and len(chosen) in (0, len(missed)) else {},
    }


def _mark(text: str, start: int, end: int, severity: str) -> dict[str, Any]:
    """Return a mark at its place in the exact text; one outside of the text stays outside."""
    places: list[int] = []
    for piece in passages.pieces(text, 0, len(text)):
        is_name = piece.code is not None
        places += [piece.at] * len(piece.text) if is_name else range(piece.at, piece.at + len(piece.text))
    if not 0 <= start < end <= len(places):
        return {"start": -1, "end": -1, "quote": "", "severity": severity}
    first, last = places[start], places[end - 1] + 1
    return {"start": first, "end": last, "quote": text[first:last], "severity": severity}
