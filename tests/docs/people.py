"""What people do between the blocks of a page: they label answers, send a packet back, correct drafts."""

import hashlib
import hmac
import json
from pathlib import Path

import msgspec

from reports.review import planning
from reports.review.items import load_material
from reports.review.packet import AnsweredTask, Envelope, PacketAnswers
from tests.docs.places import a_suite, name_the_newest
from tests.reports.review.annotating import exported, fill_in, save
from tests.reports.review.drafts import plain
from tests.support.reviewed_run import fixed, review

AT = "2026-11-25T10:00:00Z"


def a_label(folder: Path) -> None:
    """labels.jsonl with one label."""
    label = {"suite": "legal/clauses", "case_id": "c1", "variant": "tuned", "label": "yes"}
    (folder / "labels.jsonl").write_text(json.dumps(label) + "\n")


def a_packet_comes_back(folder: Path) -> None:
    """answers.json of the packet of r1, all items answered, sealed as the packet's page seals it."""
    run = folder / "RUN"
    state, material = planning.existing(run, "compare"), load_material(run)
    (reviewer,) = [found for found in state.reviewers() if found.name == "r1"]
    tasks = [
        AnsweredTask(
            task=task.id,
            draft=plain(task, material.item(task.key).clauses),
            active_ms=60_000,
            wall_ms=90_000,
            submitted_at=AT,
        )
        for task in state.tasks("r1")
    ]
    body = msgspec.json.encode(PacketAnswers(consented_at=AT, begun_at=AT, tasks=tasks)).decode()
    seal = hmac.new(reviewer.packet_token.encode(), body.encode(), hashlib.sha256).hexdigest()
    envelope = Envelope(schema_version=1, packet=reviewer.packet_hash, reviewer="r1", body=body, seal=seal)
    (folder / "answers.json").write_bytes(msgspec.json.encode(envelope))


def annotations_come_back(folder: Path) -> None:
    """annotated.json, Label Studio's export of the tasks of r2, all answered."""
    run = folder / "RUN"
    state, material = planning.existing(run, "compare"), load_material(run)
    rows = fill_in(
        exported(folder / "r2.json", "label-studio"),
        "label-studio",
        state,
        material,
        lambda task, item: plain(task, item.clauses),
    )
    save(folder / "annotated.json", rows)


def drafts_are_asked_for(folder: Path) -> None:
    """A suite of drafts, of contracts that no evaluation asks about."""
    made = a_suite(folder, "leases", "drafts")
    text = (made / "cases.jsonl").read_text("utf-8")
    (made / "cases.jsonl").write_text(text.replace("Contract ", "Lease ").replace('"k', '"lease-'), "utf-8")


def drafts_are_corrected(folder: Path) -> None:
    """What r1 made of three drafts of the newest run."""
    review(folder / "RUN", "drafts/leases", "r1", {f"c{n}": fixed("tuned", 40.0) for n in range(3)}, mode="fix")


REVIEW = (
    ("answers.json", a_packet_comes_back),
    ("annotated.json", annotations_come_back),
    ("--suite drafts/leases", drafts_are_asked_for),
    ("--mode fix", name_the_newest),
    ("review export", drafts_are_corrected),
)
