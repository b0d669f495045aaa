"""The nouns of human review: what a reviewer is asked, and what a reviewer says. Knows no page and no database.

`A` and `B` are the sides of a page. Which variant stands behind a side is in `Task.sides`, which never leaves the
server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from harness.stats.human_review import LEAST, MOST, SCALES

Mode = Literal["compare", "fix"]
Side = Literal["A", "B"]
Severity = Literal["minor", "major", "critical"]
Kind = Literal["practice", "item", "repeat"]
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")


class HighlightMark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of an answer that the reviewer calls fabricated."""

    start: int
    """First code point in the completion's text."""
    end: int
    """One past the last code point."""
    quote: str
    """`text[start:end]`, as a check."""
    severity: Severity
    """How much harm it does."""


class Opinion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reviewer says of one answer."""

    accuracy: int | None = None
    """1 to 5."""
    completeness: int | None = None
    """1 to 5."""
    none_fabricated: bool = False
    """The reviewer looked for fabrications and found none."""
    marks: list[HighlightMark] = field(default_factory=list)
    """The fabrications found."""
    missed: dict[str, bool] = field(default_factory=dict)
    """Whether the answer misses each listed clause."""

    @property
    def points(self) -> dict[str, int | None]:
        """The number given on each scale."""
        return {scale.name: getattr(self, scale.name) for scale in SCALES}


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a reviewer says of one task, finished or not: what is saved at every change."""

    A: Opinion = Opinion()
    """Of the answer on side A."""
    B: Opinion = Opinion()
    """Of the answer on side B; unused in `fix`."""
    preference: Literal["A", "B", "tie", "both_bad"] | None = None
    """Which answer is better."""
    text: str | None = None
    """In `fix`: the draft as edited, hidden characters by name; None before the first edit."""
    note: str = ""
    """Free text."""
    outcome: Literal["judged", "cannot_judge", "skipped"] = "judged"
    """Whether the task was judged."""
    reason: str = ""
    """Why it was not."""


class AnswerKey(Struct, frozen=True, kw_only=True, order=True):
    """Joins to the answers of one case."""

    suite: str
    """Suite name."""
    case_id: str
    """Case id."""
    repeat: int = 1
    """Which of several answers."""


class ReviewItem(Struct, frozen=True, kw_only=True):
    """What a reviewer needs to see of one case."""

    key: AnswerKey
    """Joins to the records."""
    cluster: str
    """The contract."""
    task: str
    """What the suite is about, in words."""
    inputs: list[tuple[str, str]]
    """Heading and text of what was given beside the source."""
    source: str
    """The text that answers must be grounded in."""
    clauses: list[str]
    """Clauses that the case lists, where it does."""
    answers: dict[str, str]
    """Text by variant; practice items have `1` and `2`."""
    cut: list[str] = []
    """Variants whose answer was cut at its greatest length."""


class Task(Struct, frozen=True, kw_only=True):
    """One showing of one item to one reviewer."""

    id: str
    """Random name: all that the page knows."""
    reviewer: str
    """Whose it is."""
    position: int
    """Place in the reviewer's order, from 0."""
    kind: Kind
    """Practice, an item, or an item shown again."""
    key: AnswerKey
    """The item."""
    sides: dict[str, str]
    """Variant by side; one side in `fix`. Never sent to a page."""
    draft: Draft = Draft()
    """What was said so far."""
    revision: int = 0
    """Grows with every save, so that two tabs cannot overwrite each other."""
    active_ms: int = 0
    """Time that the page was visible and in use."""
    wall_ms: int = 0
    """Time between showing and submitting, over all openings."""
    opened_at: float | None = None
    """When it was last shown, seconds since 1970; None where it is closed."""
    submitted_at: str | None = None
    """UTC time, ISO 8601."""
    acknowledged: bool = False
    """Of practice: the reviewer read what others would have said."""
    reopened: int = 0
    """How often it was taken back after submitting."""


class Reviewer(Struct, frozen=True, kw_only=True):
    """One reviewer's state."""

    name: str
    """Pseudonym: the author of the events."""
    adjudicates: list[str] = field(default_factory=list)
    """The two or more reviewers whose differences are decided; empty for an ordinary reviewer."""
    token_hash: str = ""
    """sha256 of the token of the link."""
    packet_hash: str = ""
    """Digest of the packet that was handed out; empty where the server is used."""
    packet_token: str = ""
    """Key with which the packet's answers are sealed; it opens nothing on the server."""
    shortcuts: bool = True
    """Single keys act."""
    consented_at: str | None = None
    """UTC time, ISO 8601."""
    begun_at: str | None = None
    """When the rubric was read."""
    guesses: dict[str, str] | None = None
    """At the end, by task id: the side that looks like the trained model's, or `unsure`. In `fix`, `B` says that the
    draft is not its."""
    closed_at: str | None = None
    """When the review was finished, or closed early."""
    recorded: str = ""
    """Name of the batch of events."""


class ReviewPlan(Struct, frozen=True, kw_only=True):
    """What was settled before anybody saw an answer."""

    schema_version: int = 1
    """Version of this layout."""
    mode: Mode
    """How answers are reviewed."""
    seed: int
    """Of sample, order and sides."""
    seal: str
    """Digest of the run's own seal: the answers cannot change under a review."""
    rubric: dict[str, Any]
    """The rubric, whole, so that a changed file does not change a review under way."""
    rubric_digest: str
    """Digest of it."""
    items: int
    """Items in the sample."""
    eligible: int
    """Items that could have been drawn."""
    left_out: dict[str, int]
    """Items that could not be reviewed, by reason."""
    options: dict[str, Any]
    """What was asked for, defaults included, by option: what the same command must say again or leave out."""
    share: float
    """Share of items that two reviewers see; 0 where there is one reviewer."""
    practice: int
    """Practice items."""
    created: str
    """UTC time, ISO 8601."""


LONGEST_NOTE = 4000
LONGEST_TEXT = 500_000


def problems(draft: Draft, mode: Mode, answers: Mapping[str, str], clauses: list[str]) -> list[str]:
    """What can never be kept: marks that fit no text, scores off the scale, texts without end. `answers` is by side."""
    found = []
    for side in answers:
        opinion = opinion_of(draft, side)
        for name, score in opinion.points.items():
            if score is not None and not LEAST <= score <= MOST:
                found.append(f"{name} of answer {side} is {score}, expected {LEAST} to {MOST}")
        for mark in opinion.marks:
            if not 0 <= mark.start < mark.end <= len(answers[side]):
                found.append(f"a mark in answer {side} lies outside of the answer")
            elif answers[side][mark.start : mark.end] != mark.quote:
                found.append(f"a mark in answer {side} does not fit its quote")
        if set(opinion.missed) - set(clauses):
            found.append(f"answer {side} has marks on clauses that the case does not list")
        if opinion.none_fabricated and opinion.marks:
            found.append(f"answer {side} is said to hold no fabrication, and some are marked")
    if len(draft.note) > LONGEST_NOTE or len(draft.reason) > LONGEST_NOTE:
        found.append(f"the note is too long; expected {LONGEST_NOTE} characters or fewer")
    if len(draft.text or "") > LONGEST_TEXT:
        found.append(f"the edited text is too long; expected {LONGEST_TEXT} characters or fewer")
    is_compared = draft.preference is not None or any(opinion_of(draft, side) != Opinion() for side in ("A", "B"))
    if is_compared if mode == "fix" else draft.text is not None:
        found.append("the answer is for another kind of review")
    return found


def missing(draft: Draft, mode: Mode, sides: Mapping[str, str], clauses: list[str]) -> list[str]:
    """What must be said before the task can be submitted."""
    if draft.outcome != "judged":
        return [] if draft.reason.strip() else ["a reason"]
    if mode == "fix":
        return [] if (draft.text or "").strip() else ["the edited text"]
    found = []
    for side in sides:
        opinion = opinion_of(draft, side)
        if not opinion.marks and not opinion.none_fabricated:
            found.append(f"answer {side}: fabrications")
        found += [f"answer {side}: {name}" for name, score in opinion.points.items() if score is None]
        found += [f"answer {side}: {clause}" for clause in clauses if clause not in opinion.missed]
    return found if draft.preference else [*found, "preference"]


def opinion_of(draft: Draft, side: str) -> Opinion:
    """What is said of one side."""
    return draft.A if side == "A" else draft.B
