"""What people said in reviews of a run, read back from its later events. Knows no review app, estimate or page.

The events, and what a batch says of itself, are described where they are written: `reports/review/results.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from harness.errors import UserError
from harness.runs.folder import stream
from harness.runs.score_events import Batch, batches, key_of, latest
from harness.schema import Record, RecordKey, ScoreEvent
from harness.stats.human_review import Rating
from harness.stats.review_times import ReviewTime

DECISION = "adjudication"
KINDS = ("review", DECISION)


class Guess(Struct, frozen=True, kw_only=True):
    """A reviewer's guesses, at the end, at which answer was the tuned model's."""

    asked: int = 0
    """Items that were asked about."""
    said: int = 0
    """Guesses made; the others were left open."""
    right: int = 0
    """Right ones."""


class Repeat(Struct, frozen=True, kw_only=True):
    """An item that one reviewer saw twice, the sides changed."""

    first: dict[str, Any]
    """What was said at first: accuracy, completeness, fabrication, missed and preference, by variant."""
    second: dict[str, Any]
    """What was said the second time."""


class ReviewSession(Struct, frozen=True, kw_only=True):
    """One reviewer's batch, in its own words; those that nothing reads are left out."""

    kind: Literal["review", "adjudication"]
    """`adjudication` decides what others differed on."""
    mode: Literal["compare", "fix"]
    """Two answers side by side, or one draft that is edited."""
    reviewer: str
    """Pseudonym."""
    blind: bool
    """The reviewer was not told whose answers they were."""
    shown: list[dict[str, Any]]
    """Items that were submitted, each with its place and sides."""
    practice: int = 0
    """Practice items before them; no event is about one."""
    not_reached: int = 0
    """Items that the reviewer did not come to."""
    guess: Guess = Guess()
    """Whether the blind held."""
    repeats: list[Repeat] = field(default_factory=list)
    """Items shown twice."""
    consented_at: str | None = None
    """UTC time, ISO 8601."""
    source: str = ""
    """`server` or `packet`."""
    rubric: dict[str, Any] = field(default_factory=dict)
    """The rubric, whole; `name` is its title."""
    file: str = ""
    """Name of the batch; not part of its own words."""
    seal: str = ""
    """sha256 of the batch; not part of its own words."""


class ReviewAnswer(Struct, frozen=True, kw_only=True):
    """One event of a review, joined with the answer that it is about."""

    event: ScoreEvent
    """The finding."""
    record: Record
    """The answer."""
    session: ReviewSession
    """The batch that it came in."""

    @property
    def remark(self) -> Rating:
        """The finding as statistics take it."""
        return Rating(
            reviewer=self.event.author,
            suite=self.event.suite,
            case_id=self.event.case_id,
            repeat=self.event.repeat,
            variant=self.event.variant,
            input_hash=self.record.input_hash,
            cluster=self.record.case.cluster,
            score=self.event.score,
            decides=self.session.kind == DECISION,
        )


class Reviews(Struct, frozen=True, kw_only=True):
    """All reviews of a run, or what they say of one of its suites."""

    sessions: list[ReviewSession]
    """One a batch, oldest first."""
    said: list[ReviewAnswer]
    """Findings that count, oldest first."""

    @property
    def remarks(self) -> list[Rating]:
        """The findings as statistics take them."""
        return [said.remark for said in self.said]

    @property
    def rubrics(self) -> list[str]:
        """Digests of the rubrics that were asked."""
        return list(dict.fromkeys(said.event.rubric for said in self.said))

    def of(self, suite: str) -> Reviews:
        """What was said of one suite; its sessions are all there are."""
        return msgspec.structs.replace(self, said=[said for said in self.said if said.event.suite == suite])

    def asked(self, rubric: str) -> Reviews:
        """What was said to one rubric."""
        return msgspec.structs.replace(self, said=[said for said in self.said if said.event.rubric == rubric])


def read(run: Path) -> Reviews:
    """All reviews of a run folder. A batch that cannot be read, or is about no answer of the run, is a UserError."""
    found = [batch for batch in batches(run) if batch.about.get("kind") in KINDS]
    sessions = [_session(batch) for batch in found]
    session_of = {id(event): session for batch, session in zip(found, sessions, strict=True) for event in batch.events}
    events = latest(event for batch in found for event in batch.events)
    records = _records(run, {key_of(event) for event in events})
    said = []
    for event in events:
        record = records.get(key_of(event))
        if record is None:
            raise UserError(
                f"{run}: a review speaks of '{event.case_id}' ({event.variant}) of {event.suite}, which the run has no "
                "answer to. It belongs to another run: remove its batch from later/"
            )
        said.append(ReviewAnswer(event=event, record=record, session=session_of[id(event)]))
    return Reviews(sessions=sessions, said=said)


def _records(run: Path, wanted: set[RecordKey]) -> dict[RecordKey, Record]:
    """The answers that were reviewed; no other is held."""
    keyed = (((suite, r.case.id, r.variant, r.repeat), r) for suite, r in stream(run)) if wanted else ()
    return {key: record for key, record in keyed if key in wanted}


def _session(batch: Batch) -> ReviewSession:
    try:
        found = msgspec.convert(batch.about, ReviewSession)
    except msgspec.ValidationError as error:
        raise UserError(f"{batch.path.with_suffix('.json')}: {error}. Remove the batch, or restore it") from None
    seal = Path(f"{batch.path}.sha256").read_text("utf-8").split()[0]
    return msgspec.structs.replace(found, file=batch.path.name, seal=seal)


class NotJudged(Struct, frozen=True, kw_only=True):
    """One showing that a reviewer left without a judgement."""

    session: ReviewSession
    """Whose."""
    suite: str
    """Suite name."""
    case_id: str
    """Case id."""
    reason: str
    """In the reviewer's words, after `skipped` or `cannot judge`."""


def not_judged(found: Reviews) -> list[NotJudged]:
    """Every showing without a judgement, once, whatever number of findings it lacks."""
    shown = {
        (s.session.file, s.event.suite, s.event.case_id, s.event.repeat): NotJudged(
            session=s.session, suite=s.event.suite, case_id=s.event.case_id, reason=s.event.score.reason or ""
        )
        for s in found.said
        if s.event.score.value is None
    }
    return list(shown.values())


def time_spent(found: Reviews) -> list[ReviewTime]:
    """Time on each draft that was made usable. Two answers that were compared have none, nor has a draft left alone."""
    done = {(s.session.file, key_of(s.event)) for s in found.said if _is(s, "human_fix")}
    return [
        ReviewTime(
            reviewer=s.event.author,
            variant=s.event.variant,
            cluster=s.record.case.cluster,
            active_s=s.event.score.counts["active_ms"] / 1000,
            wall_s=s.event.score.counts["wall_ms"] / 1000,
        )
        for s in found.said
        if _is(s, "human_seconds") and (s.session.file, key_of(s.event)) in done
    ]


def _is(said: ReviewAnswer, name: str) -> bool:
    return said.event.score.name == name and said.event.score.value is not None
