"""A review for one reviewer as a single HTML file that needs no server. Names no variant and no model.

The packet's hash is of everything that the reviewer is asked; its token is the key with which the answers are sealed.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from harness.digest import digest
from harness.errors import UserError
from reports.review import pages, stages
from reports.review.adjudication import earlier
from reports.review.material import Material
from reports.review.schema import Task
from reports.review.state import State


def write_packet(state: State, material: Material, name: str, out: Path) -> int:
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
    asked = stages.asked_about(tasks, plan.seed, name)
    parts += [pages.guess_page([(t, material.item(t.key)) for t in asked], tasks), pages.done_page()]
    token, packet = secrets.token_urlsafe(32), packet_hash(material, tasks, plan.rubric_digest)
    boot = {"token": token, "packet": packet, "reviewer": name}
    text = pages.document(parts, title=pages.TITLE, plan=plan, boot=boot, packet=True)
    try:
        out.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Choose another --out") from None
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
