"""Takes out of a run what can be reviewed: cases that both variants answered. Knows no reviewer."""

from __future__ import annotations

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
from harness.schema import BASELINE, CANDIDATE, Checkpoint, Record
from harness.scoring.legal.key_terms import clauses_of
from reports.review.schema import AnswerKey, ReviewItem

SUITE = "practice"
VARIANTS = ("1", "2")


class Practice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One invented case, and what a careful reader would say of it."""

    id: str
    """Short name."""
    task: str
    """What the answers are to do."""
    question: str
    """What was asked."""
    source: str
    """The source."""
    answers: list[str]
    """Two answers."""
    clauses: list[str]
    """Clauses that the case lists."""
    would_say: list[str]
    """What a careful reader would say of each answer."""
    preference: str
    """And of the two together."""

    @property
    def item(self) -> ReviewItem:
        """The case as reviewers see it."""
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
    """Every practice item by its id."""
    found = tomllib.loads(Path(__file__).with_name("practice.toml").read_text("utf-8"))
    return {p.id: p for p in msgspec.convert(found["item"], list[Practice])}


MATERIAL_VARIANTS = (BASELINE, CANDIDATE)


class Material(Struct, frozen=True, kw_only=True):
    """Everything of a run that a review may show."""

    path: Path
    """The run folder."""
    seal: str
    """Digest of the run's seal."""
    items: dict[AnswerKey, ReviewItem]
    """What can be reviewed, in the run's order; practice items are not among them."""
    left_out: dict[str, int]
    """Cases that cannot be reviewed, counted by reason."""
    named: int
    """Items in which an answer names a checkpoint, so that blindness is not sure."""

    def item(self, key: AnswerKey) -> ReviewItem:
        """An item of the run, or of practice."""
        return self.items[key] if key in self.items else practices()[key.case_id].item


def load_material(path: Path, suites: Iterable[str] = ()) -> Material:
    """Read a sealed run; with `suites`, these only. A run with nothing to review is a UserError."""
    run = load_sealed(path, "reviewed")
    wanted = set(suites)
    unknown = wanted - {info.name for info in run.manifest.suites}
    if unknown:
        known = ", ".join(info.name for info in run.manifest.suites)
        raise UserError(f"{path}: no suite '{sorted(unknown)[0]}' in this run. It has: {known}")
    items: dict[AnswerKey, ReviewItem] = {}
    left_out: Counter[str] = Counter()
    titles = {info.name: info.title for info in run.manifest.suites}
    for key, found in _by_case(run, wanted).items():
        reason = _unfit(found)
        if reason:
            left_out[reason] += 1
        else:
            items[key] = _item(key, found, titles.get(key.suite, ""))
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
    found: dict[AnswerKey, dict[str, Record]] = {}
    for record, suite in zip(run.records, run.suite_of, strict=True):
        if record.variant in MATERIAL_VARIANTS and record.repeat == 1 and (not suites or suite in suites):
            found.setdefault(AnswerKey(suite=suite, case_id=record.case.id), {})[record.variant] = record
    return found


def _unfit(found: dict[str, Record]) -> str:
    """Why a case cannot be reviewed, or the empty string."""
    if len(found) < 2:
        return "answered by one variant only"
    if any(record.error for record in found.values()):
        return "without an answer, because the engine failed"
    if not all(record.text_kept for record in found.values()):
        return "of an accepted baseline, whose answers are not kept"
    if len({record.input_hash for record in found.values()}) > 1:
        return "asked with different inputs"
    return ""


def _item(key: AnswerKey, found: dict[str, Record], title: str) -> ReviewItem:
    record = found[CANDIDATE]
    case = record.case
    return ReviewItem(
        key=key,
        cluster=case.cluster,
        task=title,
        inputs=[(_heading(name), text) for name, text in case.input.items() if name != "document"],
        source=case.document,
        clauses=listed_clauses(record),
        answers={variant: found[variant].completion.text for variant in MATERIAL_VARIANTS},
        cut=[variant for variant in MATERIAL_VARIANTS if found[variant].completion.finish_reason == "length"],
    )


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()


def listed_clauses(record: Record) -> list[str]:
    """What a case expects of the scorer `clauses`, or the critical clauses that it expects of `terms`."""
    expected = record.case.expected
    if "clauses" in record.scores:
        return list(dict.fromkeys(expected))
    if "terms" in record.scores:
        return [clause.name for clause in clauses_of(tuple(expected)) if clause.critical]
    return []


def _named(items: Iterable[ReviewItem], checkpoints: Iterable[Checkpoint]) -> int:
    """How many items have an answer that names a checkpoint of the run."""
    names = {c.name.rstrip("/").rpartition("/")[2].casefold() for c in checkpoints}
    names = {name for name in names if len(name) > 3}
    return sum(any(name in text.casefold() for name in names for text in i.answers.values()) for i in items)
