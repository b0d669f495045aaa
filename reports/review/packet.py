"""Packets: a review for one reviewer as a single HTML file that needs no server, and the import of its answers.

The packet's hash covers everything that the reviewer sees; its token is the key that seals the answers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from harness.errors import NOT_JSON, UserError, refuse_all, refuse_newer
from harness.files import digest, write_atomic
from reports.review import pages, results, workflow
from reports.review.items import Material
from reports.review.progress import estimate
from reports.review.schema import Draft, Reviewer, ReviewPlan, Task
from reports.review.storage import ReviewDatabase
from reports.review.workflow import earlier


def write_packet(state: ReviewDatabase, material: Material, name: str, out: Path) -> int:
    """Write the packet, end the reviewer's access to the server, and return the number of items.

    Raises UserError where the reviewer is unknown or has begun, or the file cannot be written.
    """
    plan, tasks, reviewer = state.plan(), state.tasks(name), unbegun(state, name)
    parts: list[pages.Page] = [
        pages.consent_page(reviewer, tasks, estimate(tasks, material)),
        pages.rubric_page(tasks),
    ]
    for task in tasks:
        opinions = earlier(state, reviewer, task)
        effort = estimate(tasks, material, since=task)
        parts.append(pages.task_page(task, material.item(task.key), tasks, effort, opinions))
        if task.kind == "practice":
            parts.append(pages.feedback_page(task, tasks))
    guess_tasks = workflow.guess_tasks_of(tasks, plan.seed, name)
    parts += [pages.guess_page([(t, material.item(t.key)) for t in guess_tasks], tasks), pages.done_page()]
    token, packet = secrets.token_urlsafe(32), packet_hash(material, tasks, plan.rubric_digest)
    boot = {"token": token, "packet": packet, "reviewer": name}
    text = pages.document(parts, title=pages.TITLE, plan=plan, boot=boot, packet=True)
    write_atomic(out, text, "Choose another --out")
    hand_out(state, name, token, packet)
    return sum(task.kind != "practice" for task in tasks)


def unbegun(state: ReviewDatabase, name: str) -> Reviewer:
    """Return a reviewer who may get a packet. Raises UserError for one who is unknown or has begun."""
    reviewer = state.reviewer(name)
    if reviewer.consented_at or reviewer.closed_at or any(task.submitted_at for task in state.tasks(name)):
        raise UserError(
            f"{name} has already begun, and a packet would start over. Write one for a reviewer who has not begun"
        )
    return reviewer


def hand_out(state: ReviewDatabase, name: str, token: str, packet: str) -> None:
    """Note that a reviewer works with a packet, and end their access to the server."""
    state.change_reviewer(name, token_hash="", packet_token=token, packet_hash=packet)
    state.end_sessions(name)


def packet_hash(material: Material, tasks: list[Task], rubric: str) -> str:
    """Return the digest of task IDs, texts by side and rubric: everything that the answers refer to."""
    contents = []
    for task in tasks:
        item = material.item(task.key)
        texts = {side: item.answers[variant] for side, variant in task.sides.items()}
        prompt = [item.prompt] if item.prompt else []
        contents.append([task.id, item.inputs, item.source, item.clauses, texts, *prompt])
    return digest(msgspec.json.encode([rubric, contents]))


Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


VERSION = 1
"""Version of the layout of answers.json."""


class Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The layout of answers.json: the answers as one text, and its seal."""

    schema_version: int
    """Version of this layout."""
    packet: str
    """Hash of the packet."""
    reviewer: str
    """Name of the reviewer."""
    body: str
    """JSON of `PacketAnswers`."""
    seal: str
    """HMAC-SHA-256 of the body with the packet's token, in hexadecimal digits."""


class AnsweredTask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One submitted task."""

    task: str
    """Task id."""
    draft: Draft
    """The judgement."""
    active_ms: int
    """Active time."""
    wall_ms: int
    """Time from showing to submitting."""
    submitted_at: Time
    """UTC time, ISO 8601."""
    reopened: int = 0
    """How often it was reopened."""


class PacketAnswers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answers of a packet."""

    consented_at: Time | None = None
    """UTC time, ISO 8601."""
    begun_at: Time | None = None
    """When the reviewer had read the rubric; UTC time, ISO 8601."""
    tasks: list[AnsweredTask] = field(default_factory=list)
    """Submitted tasks."""
    guesses: dict[str, str] = field(default_factory=dict)
    """The guesses at the end; empty where the reviewer stopped early."""


def import_answers(state: ReviewDatabase, material: Material, data: bytes, file: Path) -> tuple[str, int, str]:
    """Import answers.json; return the reviewer, the number of items and the batch's name.

    Raises UserError where the file does not fit the review, its packet or its seal, or was imported before.
    """
    envelope = _read(data, file)
    reviewer = {one.name: one for one in state.reviewers()}.get(envelope.reviewer)
    if reviewer is None:
        raise UserError(f"{file}: answers of {envelope.reviewer!r}, who is not a reviewer of this run. Check the run")
    if reviewer.closed_at:
        raise UserError(
            f"{file}: {reviewer.name}'s answers were imported on {reviewer.closed_at} and cannot be replaced"
        )
    tasks = state.tasks(reviewer.name)
    plan = state.plan()
    expected = packet_hash(material, tasks, plan.rubric_digest)
    if not reviewer.packet_hash or not envelope.packet == reviewer.packet_hash == expected:
        raise UserError(
            f"{file}: not made with the latest packet of {reviewer.name}. Ask for the answers of that packet"
        )
    seal = hmac.new(reviewer.packet_token.encode(), envelope.body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(seal.encode(), envelope.seal.encode()):
        raise UserError(
            f"{file}: its seal does not match: it was changed after the download, or made with an earlier packet of "
            f"{reviewer.name}. Ask for the unchanged file"
        )
    try:
        answers = msgspec.json.decode(envelope.body, type=PacketAnswers)
    except msgspec.DecodeError as error:
        raise UserError(f"{file}: its answers cannot be read: {error}") from None
    answered = _answered_tasks(answers, tasks, material, plan, file)
    times: dict[str, Any] = {"consented_at": answers.consented_at, "begun_at": answers.begun_at}
    state.put_answers(reviewer.name, answered, **times, guesses=answers.guesses)
    batch = results.record(state, material, reviewer.name)
    return reviewer.name, sum(task.kind != "practice" for task in answered), batch


def _read(data: bytes, file: Path) -> Envelope:
    try:
        refuse_newer(data, VERSION, file)
        envelope = msgspec.json.decode(data, type=Envelope)
    except NOT_JSON as error:
        raise UserError(f"{file}: not the answers.json of a packet: {error}") from None
    if envelope.schema_version != VERSION:
        raise UserError(
            f"{file}: has schema {envelope.schema_version}, expected answers of schema {VERSION}. Download it again"
        )
    return envelope


def _answered_tasks(
    answers: PacketAnswers, tasks: list[Task], material: Material, plan: ReviewPlan, file: Path
) -> list[Task]:
    """Return the answered tasks. Raises one UserError that names every problem."""
    by_id = {task.id: task for task in tasks}
    problems, checked = [], {}
    if not answers.consented_at:
        problems.append(f"{file.name}: the reviewer did not agree to take part")
    for answer in answers.tasks:
        task = by_id.get(answer.task)
        if task is None or answer.task in checked:
            problems.append(f"{file.name}: task {answer.task!r} is {'given twice' if task else 'not in the packet'}")
            continue
        wrong = workflow.problem_with(answer.draft, task, material, plan.mode, submit=True)
        if wrong:
            problems.append(f"{file.name}: place {task.position + 1}: {wrong}")
        wall_ms = max(0, answer.wall_ms)
        checked[answer.task] = replace(
            task,
            draft=answer.draft,
            active_ms=max(0, min(answer.active_ms, wall_ms)),
            wall_ms=wall_ms,
            submitted_at=answer.submitted_at,
            reopened=max(0, answer.reopened),
        )
    guess_ids = {task.id for task in workflow.guess_tasks_of(tasks, plan.seed, tasks[0].reviewer)}
    if set(answers.guesses) - guess_ids or set(answers.guesses.values()) - {"A", "B", "unsure"}:
        problems.append(f"{file.name}: its guesses do not fit the packet")
    if not any(task.kind == "item" for task in checked.values()):
        problems.append(f"{file.name}: contains no submitted item")
    refuse_all(problems, f"{file}: answers that cannot be used")
    return list(checked.values())
