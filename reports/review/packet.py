"""A review for one reviewer as a single HTML file that needs no server. Names no variant and no model.

The packet's hash is of everything that the reviewer is asked; its token is the key with which the answers are sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from harness.errors import UserError, refuse_all, refuse_newer
from harness.files import digest, write_atomic
from reports.review import pages, results, workflow
from reports.review.items import Material
from reports.review.schema import Draft, Reviewer, Task
from reports.review.storage import ReviewDatabase
from reports.review.workflow import earlier


def write_packet(state: ReviewDatabase, material: Material, name: str, out: Path) -> int:
    """Write the packet and hand its reviewer over to it; returns the number of items."""
    plan = state.plan()
    reviewer = {found.name: found for found in state.reviewers()}.get(name)
    if reviewer is None:
        known = ", ".join(found.name for found in state.reviewers())
        raise UserError(f"no reviewer '{name}' in this review. It is planned for {known}")
    if reviewer.consented_at or reviewer.closed_at:
        raise UserError(f"{name} has begun already: a packet would begin anew. Make one for a reviewer who has not")
    tasks = state.tasks(name)
    parts: list[pages.Page] = [pages.consent_page(reviewer, tasks), pages.rubric_page(tasks)]
    for task in tasks:
        said = earlier(state, reviewer, task)
        parts.append(pages.task_page(task, material.item(task.key), tasks, said))
        if task.kind == "practice":
            parts.append(pages.feedback_page(task, tasks))
    asked = workflow.asked_about(tasks, plan.seed, name)
    parts += [pages.guess_page([(t, material.item(t.key)) for t in asked], tasks), pages.done_page()]
    token, packet = secrets.token_urlsafe(32), packet_hash(material, tasks, plan.rubric_digest)
    boot = {"token": token, "packet": packet, "reviewer": name}
    text = pages.document(parts, title=pages.TITLE, plan=plan, boot=boot, packet=True)
    write_atomic(out, text, "Choose another --out")
    state.change_reviewer(name, token_hash="", packet_token=token, packet_hash=packet)
    state.end_sessions(name)
    return sum(task.kind != "practice" for task in tasks)


def packet_hash(material: Material, tasks: list[Task], rubric: str) -> str:
    """Digest of task ids, texts by side and rubric: what the answers are answers to."""
    asked = []
    for task in tasks:
        item = material.item(task.key)
        texts = {side: item.answers[variant] for side, variant in task.sides.items()}
        asked.append([task.id, item.inputs, item.source, item.clauses, texts])
    return digest(msgspec.json.encode([rubric, asked]))


Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


VERSION = 1
"""Of the layout of answers.json."""


class Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """answers.json: the answers as one text, and its seal."""

    schema_version: int
    """Version of this layout."""
    packet: str
    """Digest of what was asked."""
    reviewer: str
    """Whose answers they are."""
    body: str
    """JSON of `Answers`."""
    seal: str
    """HMAC-SHA-256 of the body with the packet's token, in hexadecimal digits."""


class Answered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One submitted task."""

    task: str
    """Task id."""
    draft: Draft
    """What was said."""
    active_ms: int
    """Time in use."""
    wall_ms: int
    """Time between showing and submitting."""
    submitted_at: Time
    """UTC time, ISO 8601."""
    reopened: int = 0
    """How often it was taken back."""


class PacketAnswers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a packet hands back."""

    consented_at: Time | None = None
    """UTC time, ISO 8601."""
    begun_at: Time | None = None
    """When the rubric was read."""
    tasks: list[Answered] = field(default_factory=list)
    """Submitted tasks."""
    guesses: dict[str, str] = field(default_factory=dict)
    """The guesses at the end; empty where the reviewer stopped before."""


def import_answers(state: ReviewDatabase, material: Material, file: Path) -> tuple[str, int, str]:
    """Import one file; returns the reviewer, the number of items and the batch's name. Every refusal is one line."""
    envelope = _read(file)
    reviewer = {found.name: found for found in state.reviewers()}.get(envelope.reviewer)
    if reviewer is None:
        raise UserError(f"{file}: answers of {envelope.reviewer!r}, who is not a reviewer of this run")
    if reviewer.closed_at:
        raise UserError(
            f"{file}: {reviewer.name}'s answers were imported on {reviewer.closed_at}. They count once and are not "
            "replaced"
        )
    tasks = state.tasks(reviewer.name)
    plan = state.plan()
    expected = packet_hash(material, tasks, plan.rubric_digest)
    if not reviewer.packet_hash or not envelope.packet == reviewer.packet_hash == expected:
        raise UserError(
            f"{file}: made with another packet than the last one of {reviewer.name}. Ask for that one's answers"
        )
    made = hmac.new(reviewer.packet_token.encode(), envelope.body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made.encode(), envelope.seal.encode()):
        raise UserError(
            f"{file}: does not fit its seal: it was changed after the download, or made with an earlier packet of "
            f"{reviewer.name}. Ask for the file as it was downloaded"
        )
    answers = _body(envelope, file)
    answered = _checked(answers, tasks, material, state, file)
    _keep(state, reviewer, answers, answered)
    batch = results.record(state, material, reviewer.name)
    return reviewer.name, sum(task.kind != "practice" for task in answered), batch


def _read(file: Path) -> Envelope:
    try:
        data = file.read_bytes()
        refuse_newer(data, VERSION, file)
        envelope = msgspec.json.decode(data, type=Envelope)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}). Expected answers.json of a packet") from None
    except msgspec.DecodeError as error:
        raise UserError(f"{file}: is not answers.json of a packet: {error}") from None
    if envelope.schema_version != VERSION:
        raise UserError(
            f"{file}: has schema {envelope.schema_version}, expected answers of schema {VERSION}. Download it again"
        )
    return envelope


def _body(envelope: Envelope, file: Path) -> PacketAnswers:
    try:
        return msgspec.json.decode(envelope.body, type=PacketAnswers)
    except msgspec.DecodeError as error:
        raise UserError(f"{file}: its answers cannot be read: {error}") from None


def _checked(
    answers: PacketAnswers, tasks: list[Task], material: Material, state: ReviewDatabase, file: Path
) -> list[Task]:
    """The tasks as answered; everything that is wrong is named in one UserError."""
    plan, by_id = state.plan(), {task.id: task for task in tasks}
    problems, found = [], {}
    if not answers.consented_at:
        problems.append(f"{file.name}: the reviewer did not agree to take part")
    for said in answers.tasks:
        task = by_id.get(said.task)
        if task is None or said.task in found:
            problems.append(f"{file.name}: task {said.task!r} is {'given twice' if task else 'not in the packet'}")
            continue
        wrong = workflow.wrong_with(said.draft, task, material, plan.mode, submit=True)
        if wrong:
            problems.append(f"{file.name}: place {task.position + 1}: {wrong}")
        wall_ms = max(0, said.wall_ms)
        found[said.task] = replace(
            task,
            draft=said.draft,
            active_ms=max(0, min(said.active_ms, wall_ms)),
            wall_ms=wall_ms,
            submitted_at=said.submitted_at,
            reopened=max(0, said.reopened),
        )
    asked = {task.id for task in workflow.asked_about(tasks, plan.seed, tasks[0].reviewer)}
    if set(answers.guesses) - asked or set(answers.guesses.values()) - {"A", "B", "unsure"}:
        problems.append(f"{file.name}: its guesses do not fit the packet")
    if not any(task.kind == "item" for task in found.values()):
        problems.append(f"{file.name}: holds no submitted item")
    refuse_all(problems, f"{file}: answers that cannot be used")
    return list(found.values())


def _keep(state: ReviewDatabase, reviewer: Reviewer, answers: PacketAnswers, answered: list[Task]) -> None:
    """All tasks and the reviewer in one transaction; an import beside this one finds the reviewer closed."""
    state.put_answers(
        reviewer.name,
        answered,
        consented_at=answers.consented_at,
        begun_at=answers.begun_at,
        guesses=answers.guesses,
    )
