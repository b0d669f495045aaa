"""Data types of human review: items, tasks, judgements, reviewers and the plan; and the checks of a judgement.

`A` and `B` are the sides of a page. `Task.sides` maps them to variants and never leaves the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from harness.stats.human_review import LEAST, MOST, SCALES

Mode = Literal["compare", "fix"]
Severity = Literal["minor", "major", "critical"]
Kind = Literal["practice", "item", "repeat"]
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")


class HighlightMark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an answer that the reviewer marked as fabricated."""

    start: int
    """First code point in the completion's text."""
    end: int
    """One past the last code point."""
    quote: str
    """`text[start:end]`, to verify the offsets."""
    severity: Severity
    """How harmful it is."""


class Opinion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reviewer's judgement of one answer."""

    accuracy: int | None = None
    """1 to 5."""
    completeness: int | None = None
    """1 to 5."""
    none_fabricated: bool = False
    """Whether the reviewer looked for fabrications and found none."""
    marks: list[HighlightMark] = field(default_factory=list)
    """The fabrications found."""
    missed: dict[str, bool] = field(default_factory=dict)
    """For each listed clause, whether the answer misses it."""

    @property
    def points(self) -> dict[str, int | None]:
        """The score on each scale."""
        return {scale.name: getattr(self, scale.name) for scale in SCALES}


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reviewer's judgement of one task, finished or not; saved at every change."""

    A: Opinion = Opinion()
    """Judgement of the answer on side A."""
    B: Opinion = Opinion()
    """Judgement of the answer on side B; unused in `fix`."""
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
    """Identifies the answers to one case."""

    suite: str
    """Suite name."""
    case_id: str
    """Case ID."""
    repeat: int = 1
    """Which of several answers."""


LONG_PROMPT = 120
"""Most words of a prompt, without the source, that is shown unfolded."""


class ReviewItem(Struct, frozen=True, kw_only=True):
    """What a reviewer sees of one case."""

    key: AnswerKey
    """Identifies the records."""
    cluster: str
    """The cluster, such as a contract."""
    task: str
    """Title of the suite."""
    inputs: list[tuple[str, str]]
    """Heading and text of the inputs other than the source."""
    source: str
    """The text that answers must be grounded in."""
    prompt: list[tuple[str, str]] = []
    """Role and text of each message that both models received; empty where the run does not hold it."""
    clauses: list[str]
    """The case's list of clauses, if any."""
    answers: dict[str, str]
    """Text by variant; practice items have `1` and `2`."""
    cut: list[str] = []
    """Variants whose answer was truncated at the token limit."""

    @property
    def prompt_parts(self) -> list[tuple[str, list[str]]]:
        """Each message of the prompt, split at the source, which the page shows by itself."""
        source = self.source.strip()
        return [(role, text.split(source, 1) if source else [text]) for role, text in self.prompt]

    @property
    def prompt_words(self) -> int:
        """Words of the prompt without the source."""
        return sum(len(part.split()) for _, parts in self.prompt_parts for part in parts)

    @property
    def is_folded(self) -> bool:
        """Whether the prompt is too long to be shown to a reviewer who does not ask for it."""
        return self.prompt_words > LONG_PROMPT

    @property
    def other_inputs(self) -> list[tuple[str, str]]:
        """Inputs that the prompt, as it is shown, does not contain."""
        shown = "" if self.is_folded else "\n".join(text for _, text in self.prompt)
        return [(heading, text) for heading, text in self.inputs if text.strip() not in shown or not shown]


class Task(Struct, frozen=True, kw_only=True):
    """One showing of one item to one reviewer."""

    id: str
    """Random ID: the only identifier in the page."""
    reviewer: str
    """Name of the reviewer."""
    position: int
    """Place in the reviewer's order, from 0."""
    kind: Kind
    """Practice, an item, or an item shown again."""
    key: AnswerKey
    """The item."""
    sides: dict[str, str]
    """Variant by side; one side in `fix`. Never sent to a page."""
    draft: Draft = Draft()
    """The judgement so far."""
    revision: int = 0
    """Increases with every save, so that two tabs cannot overwrite each other."""
    active_ms: int = 0
    """Time in which the page was visible and in use."""
    wall_ms: int = 0
    """Time from showing to submitting, over all openings."""
    opened_at: float | None = None
    """When it was last shown, in seconds since 1970; None where it is closed."""
    submitted_at: str | None = None
    """UTC time, ISO 8601."""
    acknowledged: bool = False
    """For practice: whether the reviewer has read the feedback."""
    reopened: int = 0
    """How often it was reopened after submitting."""


class Reviewer(Struct, frozen=True, kw_only=True):
    """One reviewer's state."""

    name: str
    """Pseudonym: the author of the events."""
    adjudicates: list[str] = field(default_factory=list)
    """The reviewers whose differences this one decides; empty for an ordinary reviewer."""
    token_hash: str = ""
    """SHA-256 of the link's token."""
    packet_hash: str = ""
    """Hash of the latest packet; empty where the server is used."""
    packet_token: str = ""
    """Key that seals the packet's answers; it gives no access to the server."""
    tool: str = ""
    """Annotation tool that the imported answers come from, such as `argilla`; empty for the review's own pages."""
    person: str = ""
    """Who answered there: the person's number, address or ID in the tool."""
    shortcuts: bool = True
    """Whether single-key shortcuts are on."""
    consented_at: str | None = None
    """UTC time, ISO 8601."""
    begun_at: str | None = None
    """When the reviewer had read the rubric; UTC time, ISO 8601."""
    guesses: dict[str, str] | None = None
    """By task ID, the side that the reviewer thinks is the tuned model's, or `unsure`. In `fix`, `B` means that the
    draft is not the tuned model's."""
    closed_at: str | None = None
    """When the review was finished or closed early; UTC time, ISO 8601."""
    recorded: str = ""
    """Name of the batch of events."""


class ReviewPlan(Struct, frozen=True, kw_only=True):
    """The plan of a review, fixed before anybody sees an answer."""

    schema_version: int = 1
    """Version of this layout."""
    mode: Mode
    """Compare two answers, or fix one draft."""
    seed: int
    """Seed of sample, order and sides."""
    seal: str
    """Digest of the run's seal: the answers cannot change during a review."""
    rubric: dict[str, Any]
    """The whole rubric, so that a changed file does not change a review in progress."""
    rubric_digest: str
    """Digest of the rubric."""
    items: int
    """Items in the sample."""
    eligible: int
    """Items to draw from."""
    left_out: dict[str, int]
    """Number of items that could not be reviewed, by reason."""
    options: dict[str, Any]
    """The options with defaults: the same command must repeat them or leave them out."""
    share: float
    """Share of items that two reviewers see; 0 for one reviewer."""
    practice: int
    """Number of practice items."""
    created: str
    """UTC time, ISO 8601."""


LONGEST_NOTE = 4000
LONGEST_TEXT = 500_000


def problems(draft: Draft, mode: Mode, answers: Mapping[str, str], clauses: list[str]) -> list[str]:
    """List what makes a draft invalid: wrong marks, scores off the scale, texts too long. `answers` is by side."""
    errors = []
    for side in answers:
        opinion = opinion_of(draft, side)
        for name, score in opinion.points.items():
            if score is not None and not LEAST <= score <= MOST:
                errors.append(f"{name} of answer {side} is {score}, expected {LEAST} to {MOST}")
        for mark in opinion.marks:
            if not 0 <= mark.start < mark.end <= len(answers[side]):
                errors.append(f"a mark in answer {side} is outside of the answer")
            elif answers[side][mark.start : mark.end] != mark.quote:
                errors.append(f"a mark in answer {side} does not match its quote")
        if set(opinion.missed) - set(clauses):
            errors.append(f"answer {side} has marks on clauses that the case does not list")
        if opinion.none_fabricated and opinion.marks:
            errors.append(f"answer {side} has marked fabrications, but is also declared free of them")
    if len(draft.note) > LONGEST_NOTE or len(draft.reason) > LONGEST_NOTE:
        errors.append(f"the note is too long; expected {LONGEST_NOTE} characters or fewer")
    if len(draft.text or "") > LONGEST_TEXT:
        errors.append(f"the edited text is too long; expected {LONGEST_TEXT} characters or fewer")
    is_compared = draft.preference is not None or any(opinion_of(draft, side) != Opinion() for side in ("A", "B"))
    if is_compared if mode == "fix" else draft.text is not None:
        errors.append("the answer is for another kind of review")
    return errors


def missing(draft: Draft, mode: Mode, sides: Mapping[str, str], clauses: list[str]) -> list[str]:
    """List what is missing before the task can be submitted."""
    if draft.outcome != "judged":
        return [] if draft.reason.strip() else ["a reason"]
    if mode == "fix":
        return [] if (draft.text or "").strip() else ["the edited text"]
    parts = []
    for side in sides:
        opinion = opinion_of(draft, side)
        if not opinion.marks and not opinion.none_fabricated:
            parts.append(f"answer {side}: fabrications")
        parts += [f"answer {side}: {name}" for name, score in opinion.points.items() if score is None]
        parts += [f"answer {side}: {clause}" for clause in clauses if clause not in opinion.missed]
    return parts if draft.preference else [*parts, "preference"]


def opinion_of(draft: Draft, side: str) -> Opinion:
    """Return the judgement of one side."""
    return draft.A if side == "A" else draft.B
