"""Read people's reviews of a run from its later events.

`reports/review/results.py`, which writes them, describes the events and batches.
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
    """A reviewer's guesses, at the end, which answers were the tuned model's."""

    asked: int = 0
    """Items in question."""
    said: int = 0
    """Guesses made; the others were skipped."""
    right: int = 0
    """Right guesses."""


class Repeat(Struct, frozen=True, kw_only=True):
    """An item that one reviewer saw twice, with the sides swapped."""

    first: dict[str, Any]
    """The first opinion: accuracy, completeness, fabrication, missed and preference, by variant."""
    second: dict[str, Any]
    """The second opinion."""


class ReviewSession(Struct, frozen=True, kw_only=True):
    """The description of one reviewer's batch, as far as it is read."""

    kind: Literal["review", "adjudication"]
    """`adjudication` decides where others differed."""
    mode: Literal["compare", "fix"]
    """`compare` shows two answers side by side, `fix` one draft to edit."""
    reviewer: str
    """Pseudonym."""
    blind: bool
    """Whether the reviewer did not know which model wrote which answer."""
    shown: list[dict[str, Any]]
    """Submitted items, each with its position and sides."""
    practice: int = 0
    """Practice items before them; they have no events."""
    not_reached: int = 0
    """Items that the reviewer did not reach."""
    guess: Guess = Guess()
    """Guesses that test the blinding."""
    repeats: list[Repeat] = field(default_factory=list)
    """Items shown twice."""
    consented_at: str | None = None
    """UTC time, ISO 8601."""
    source: str = ""
    """`server`, `packet`, `label-studio` or `argilla`."""
    rubric: dict[str, Any] = field(default_factory=dict)
    """The whole rubric; `name` is its title."""
    file: str = ""
    """Name of the batch; not part of the description."""
    seal: str = ""
    """sha256 of the batch; not part of the description."""


class ReviewAnswer(Struct, frozen=True, kw_only=True):
    """One event of a review, joined with its answer."""

    event: ScoreEvent
    """The finding."""
    record: Record
    """The answer."""
    session: ReviewSession
    """Its batch."""

    @property
    def remark(self) -> Rating:
        """The finding in the form that statistics take."""
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
    """All reviews of a run, or of one of its suites."""

    sessions: list[ReviewSession]
    """One per batch, oldest first."""
    said: list[ReviewAnswer]
    """Findings that count, oldest first."""

    @property
    def remarks(self) -> list[Rating]:
        """The findings in the form that statistics take."""
        return [answer.remark for answer in self.said]

    @property
    def rubrics(self) -> list[str]:
        """Digests of the rubrics."""
        return list(dict.fromkeys(answer.event.rubric for answer in self.said))

    def of(self, suite: str) -> Reviews:
        """Return the findings on one suite; sessions are not filtered."""
        return msgspec.structs.replace(self, said=[answer for answer in self.said if answer.event.suite == suite])

    def asked(self, rubric: str) -> Reviews:
        """Return the findings by one rubric."""
        return msgspec.structs.replace(self, said=[answer for answer in self.said if answer.event.rubric == rubric])


def read(run: Path) -> Reviews:
    """Read all reviews of a run folder. Raises UserError for a batch that is unreadable or about another run."""
    review_batches = [batch for batch in batches(run) if batch.about.get("kind") in KINDS]
    sessions = [_session(batch) for batch in review_batches]
    session_of = {
        id(event): session for batch, session in zip(review_batches, sessions, strict=True) for event in batch.events
    }
    events = latest(event for batch in review_batches for event in batch.events)
    records = _records(run, {key_of(event) for event in events})
    answers = []
    for event in events:
        record = records.get(key_of(event))
        if record is None:
            raise UserError(
                f"{run}: a review is about '{event.case_id}' ({event.variant}) of {event.suite}, which the run has no "
                "answer to. It belongs to another run: remove its batch from later/"
            )
        answers.append(ReviewAnswer(event=event, record=record, session=session_of[id(event)]))
    return Reviews(sessions=sessions, said=answers)


def _records(run: Path, keys: set[RecordKey]) -> dict[RecordKey, Record]:
    """Read the reviewed answers; no others stay in memory."""
    keyed = (((suite, r.case.id, r.variant, r.repeat), r) for suite, r in stream(run)) if keys else ()
    return {key: record for key, record in keyed if key in keys}


def _session(batch: Batch) -> ReviewSession:
    try:
        session = msgspec.convert(batch.about, ReviewSession)
    except msgspec.ValidationError as error:
        raise UserError(f"{batch.path.with_suffix('.json')}: {error}. Remove the batch, or restore it") from None
    seal = Path(f"{batch.path}.sha256").read_text("utf-8").split()[0]
    return msgspec.structs.replace(session, file=batch.path.name, seal=seal)


def not_judged(reviews: Reviews) -> list[ReviewAnswer]:
    """List every item without a judgement once, however many findings it lacks.

    The reason of its score is in the reviewer's words, after `skipped` or `cannot judge`.
    """
    shown = {
        (answer.session.file, answer.event.suite, answer.event.case_id, answer.event.repeat): answer
        for answer in reviews.said
        if answer.event.score.value is None
    }
    return list(shown.values())


def time_spent(reviews: Reviews) -> list[ReviewTime]:
    """List the time on each draft that was made usable. Compared answers and unchanged drafts have none."""
    fixed = {(s.session.file, key_of(s.event)) for s in reviews.said if _is(s, "human_fix")}
    return [
        ReviewTime(
            reviewer=s.event.author,
            variant=s.event.variant,
            cluster=s.record.case.cluster,
            active_s=s.event.score.counts["active_ms"] / 1000,
            wall_s=s.event.score.counts["wall_ms"] / 1000,
        )
        for s in reviews.said
        if _is(s, "human_seconds") and (s.session.file, key_of(s.event)) in fixed
    ]


def _is(answer: ReviewAnswer, name: str) -> bool:
    return answer.event.score.name == name and answer.event.score.value is not None
