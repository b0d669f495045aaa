"""The items of a review: the cases of a run that both variants answered, and practice items."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.files import digest
from harness.runs.folder import SEAL, RunData, load_sealed
from harness.schema import BASELINE, CANDIDATE, Checkpoint, Record, SuiteInfo
from harness.scoring.legal.key_terms import clauses_of
from harness.suites.prompts import recorded_messages
from reports.review.schema import AnswerKey, ReviewItem

SUITE = "practice"
VARIANTS = ("1", "2")


class Practice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One invented case, and how a careful reader would judge it."""

    id: str
    """Short name."""
    task: str
    """The task of the answers."""
    question: str
    """The question."""
    source: str
    """The text that answers must be grounded in."""
    answers: list[str]
    """Two answers."""
    clauses: list[str]
    """The case's list of clauses."""
    would_say: list[str]
    """A careful reader's judgement of each answer."""
    preference: str
    """A careful reader's preference."""

    @property
    def item(self) -> ReviewItem:
        """The case as a review item."""
        return ReviewItem(
            key=AnswerKey(suite=SUITE, case_id=self.id),
            cluster=self.id,
            task=self.task,
            inputs=[("Question", self.question)],
            source=self.source.strip(),
            clauses=self.clauses,
            answers=dict(zip(VARIANTS, self.answers, strict=True)),
        )


@lru_cache(maxsize=1)
def practices() -> dict[str, Practice]:
    """Load the practice items by ID."""
    data = tomllib.loads(Path(__file__).with_name("practice.toml").read_text("utf-8"))
    return {p.id: p for p in msgspec.convert(data["item"], list[Practice])}


MATERIAL_VARIANTS = (BASELINE, CANDIDATE)


class Material(Struct, frozen=True, kw_only=True):
    """The reviewable part of a run."""

    path: Path
    """The run folder."""
    seal: str
    """Digest of the run's seal."""
    items: dict[AnswerKey, ReviewItem]
    """Reviewable items in the run's order, without practice items."""
    left_out: dict[str, int]
    """Number of cases that cannot be reviewed, by reason."""
    named: int
    """Number of items in which an answer names a checkpoint, so that the review may not be blind."""

    def item(self, key: AnswerKey) -> ReviewItem:
        """Return an item of the run, or a practice item."""
        return self.items[key] if key in self.items else practices()[key.case_id].item


def load_material(path: Path, suites: Iterable[str] = ()) -> Material:
    """Load a sealed run; with `suites`, only these. Raises UserError where there is nothing to review."""
    run = load_sealed(path, "reviewed")
    names = set(suites)
    unknown = names - {info.name for info in run.manifest.suites}
    if unknown:
        known = ", ".join(info.name for info in run.manifest.suites)
        raise UserError(f"{path}: no suite '{sorted(unknown)[0]}' in this run. It has: {known}")
    items: dict[AnswerKey, ReviewItem] = {}
    left_out: Counter[str] = Counter()
    infos = {info.name: info for info in run.manifest.suites}
    for key, records in _by_case(run, names).items():
        reason = _unfit(records)
        if reason:
            left_out[reason] += 1
        else:
            items[key] = _item(key, records, infos.get(key.suite))
    if not items:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it has no answers"
        raise UserError(
            f"{path}: nothing to review: {why}. Review a run with the answers of a baseline and a tuned model"
        )
    return Material(
        path=path,
        seal=digest((path / SEAL).read_bytes()),
        items=items,
        left_out=dict(left_out),
        named=_named(items.values(), run.manifest.checkpoints.values()),
    )


def _by_case(run: RunData, suites: set[str]) -> dict[AnswerKey, dict[str, Record]]:
    by_case: dict[AnswerKey, dict[str, Record]] = {}
    for record, suite in zip(run.records, run.suite_of, strict=True):
        if record.variant in MATERIAL_VARIANTS and record.repeat == 1 and (not suites or suite in suites):
            by_case.setdefault(AnswerKey(suite=suite, case_id=record.case.id), {})[record.variant] = record
    return by_case


def _unfit(records: dict[str, Record]) -> str:
    """Say why a case cannot be reviewed; empty where it can."""
    if len(records) < 2:
        return "answered by one variant only"
    if any(record.error for record in records.values()):
        return "without an answer because the engine failed"
    if not all(record.text_kept for record in records.values()):
        return "of an accepted baseline, whose answers are not stored"
    if len({record.input_hash for record in records.values()}) > 1:
        return "with different inputs for the two variants"
    return ""


def _item(key: AnswerKey, records: dict[str, Record], info: SuiteInfo | None) -> ReviewItem:
    record = records[CANDIDATE]
    case = record.case
    chat = recorded_messages(info.prompt, case) if info else []
    return ReviewItem(
        key=key,
        cluster=case.cluster,
        task=info.title if info and info.title != info.objective else "",
        prompt=[(message["role"], message["content"]) for message in chat],
        inputs=[(name.replace("_", " ").capitalize(), t) for name, t in case.input.items() if name != "document"],
        source=case.document,
        clauses=listed_clauses(record),
        answers={variant: records[variant].completion.answer for variant in MATERIAL_VARIANTS},
        cut=[variant for variant in MATERIAL_VARIANTS if records[variant].completion.finish_reason == "length"],
    )


def listed_clauses(record: Record) -> list[str]:
    """Return the clauses that a case expects (scorer `clauses`), or its critical ones (scorer `terms`)."""
    expected = record.case.expected
    if "clauses" in record.scores:
        return list(dict.fromkeys(expected))
    if "terms" in record.scores:
        return [clause.name for clause in clauses_of(tuple(expected)) if clause.critical]
    return []


def _named(items: Iterable[ReviewItem], checkpoints: Iterable[Checkpoint]) -> int:
    """Count the items in which an answer names a checkpoint of the run, by a word that the source does not have."""
    names = {c.name.rstrip("/").rpartition("/")[2] for c in checkpoints}
    words = [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE) for name in names if len(name) > 3]
    return sum(
        any(word.search(text) and not word.search(item.source) for word in words for text in item.answers.values())
        for item in items
    )
