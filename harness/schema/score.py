"""Structs of scores: the findings of scorers, judges and people on one answer."""

import math
from typing import Any, Literal

from msgspec import Struct, field, json, structs

from harness.schema.case import Case, Completion


class SourceSpan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in a source text."""

    doc_id: str
    """The cluster or document id."""
    start: int
    """First code point in the source text."""
    end: int
    """One past the last code point in the source text."""


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in an answer with a scorer's finding: the evidence of a score."""

    start: int
    """First code point in the completion's `answer`."""
    end: int
    """One past the last code point in the completion's `answer`."""
    quote: str
    """`answer[start:end]`, as a check."""
    kind: str
    """clause, citation, money, percent, date, duration, count ..."""
    verdict: str
    """supported, ungrounded, invented, missing ..."""
    reason: str = ""
    """The reason, for readers."""
    source: SourceSpan | None = None
    """Where the source supports or contradicts it."""


class Score(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scorer's finding on one answer."""

    name: str
    """The scorer family: `clauses`, `citations`, `figures` ..."""
    value: float | None
    """The scorer's headline number for this completion, or None when unscored."""
    reason: str | None = None
    """Why there is no value; set exactly when value is None."""
    extracted: dict[str, list[str]] = field(default_factory=dict)
    """Named findings: `found`, `missing`, `invented` ...; readable as attributes of the score."""
    counts: dict[str, int] = field(default_factory=dict)
    """Named counts that metrics are built from; readable as attributes of the score."""
    spans: list[Span] = field(default_factory=list)
    """Evidence in the completion."""
    failed: bool = False
    """The scorer raised: no value, and, like an engine error, counted against the claim being made."""

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError(f"score '{self.name}' has no value and gives no reason")
        if self.value is not None and (self.reason or not math.isfinite(self.value)):
            raise ValueError(
                f"score '{self.name}' must be finite, and without a reason, or None with one: {self.value}"
            )

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for table in (self.extracted, self.counts):
                if name in table:
                    return table[name]
        raise AttributeError(f"score has neither field, finding nor count named '{name}'")


MAX_COUNT = 2**31 - 1


def storable(score: Score) -> Score:
    """Return a score as a run reads it back: True and numbers of numpy become plain numbers.

    A count that is no whole number, and what else cannot be stored, make it a failed score with the reason.
    """
    try:
        plain = structs.replace(
            score,
            value=None if score.value is None else float(score.value),
            counts={name: _whole(name, count) for name, count in score.counts.items()},
        )
        return json.decode(json.encode(plain, enc_hook=_of_numpy), type=Score)
    except (TypeError, ValueError, OverflowError) as error:
        reason = f"the scorer '{score.name}' returned a score that cannot be stored: {error}"
        return Score(name=score.name, value=None, reason=reason, failed=True)


def _of_numpy(value: Any) -> Any:
    if not hasattr(value, "item"):
        raise TypeError(f"{value!r} is of the type {type(value).__name__}")
    return value.item()


def _whole(name: str, count: Any) -> int:
    whole = int(count)
    if whole != count:
        raise ValueError(f"the count '{name}' is {count}, expected a whole number; a share belongs in its value")
    if not 0 <= whole <= MAX_COUNT:
        raise ValueError(f"the count '{name}' is {count}, expected 0 to {MAX_COUNT:,}")
    return whole


class Scores(dict[str, Score]):
    """Scores of one record by scorer name; `record.scores.clauses` reads as `record.scores["clauses"]`."""

    def __getattr__(self, name: str) -> Score:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no scorer named '{name}' ran; scored: {', '.join(self) or 'none'}") from None


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer of one variant to one case."""

    case: Case
    """The case."""
    variant: str
    """The variant that answered."""
    repeat: int = 1
    """1 for the first answer, 2 and up for repeats."""
    input_hash: str
    """Hash of the case's input."""
    prompt_hash: str
    """Hash of the prompt's token ids."""
    expected_hash: str
    """Hash of the expected answer."""
    completion: Completion
    """The completion; its finish_reason `error` comes with the error."""
    scores: dict[str, Score] = field(default_factory=dict)
    """By scorer name; a `Scores` in memory."""
    started_at: str = ""
    """UTC time, ISO 8601."""
    text_kept: bool = True
    """False where only the scores are stored, as in an accepted baseline; the completion's text is empty then."""

    @property
    def error(self) -> str | None:
        return self.completion.error


RecordKey = tuple[str, str, str, int]
"""Suite, case id, variant and repeat: the key of a record in a run."""


class ScoreEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One finding on one record: a line of scores.jsonl, or one that a scorer, a judge or a person added later."""

    suite: str
    """Joins to the record."""
    case_id: str
    """Joins to the record."""
    variant: str
    """Joins to the record."""
    repeat: int
    """Joins to the record."""
    kind: Literal["code", "judge", "human"] = "code"
    """Source of the finding."""
    score: Score
    """The finding."""
    author: str = ""
    """The scorer's version, the judge's content digest, or the reviewer's id."""
    rubric: str = ""
    """Hash of the question that a judge or a person answered."""
    at: str = ""
    """UTC time, ISO 8601; empty in the run's own scores."""
    supersedes: bool = False
    """Whether it replaces earlier findings of the same kind and name on this record; they stay in the file."""
