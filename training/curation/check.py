"""The interface of a check, its settings, and the rows that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from training.curation.personal_data import Mask
from training.curation.text import PromptParts, parted
from training.data.rows import TrainingRow

Action = Literal["drop", "mask", "flag", "keep"]
"""What `clean` does with a row that a check reports: leave it out, mask the passages, or keep and list it. Checks that
only describe the rows as a whole have the action `keep`."""


class RowFinding(Struct, frozen=True, kw_only=True):
    """Why a check reports a row."""

    row: int
    """Index of the row in the sample."""
    reason: str
    """Why, in one sentence."""
    quote: str = ""
    """The passage in question, with personal data masked."""
    other: str = ""
    """The row (`file:line`) or the suite's case that it matches."""
    other_quote: str = ""
    """The passage of that row."""


class FindingTable(Struct, frozen=True, kw_only=True):
    """A table for the report."""

    title: str
    """Caption."""
    headings: list[str]
    """One per column."""
    rows: list[list[str]]
    """Formatted cells."""
    bars: list[float] = []
    """Optional shares between 0 and 1, one per row, drawn as bars."""


class CheckResult(Struct, frozen=True, kw_only=True):
    """What a check reports."""

    findings: list[RowFinding] = []
    """At most one per row, in the rows' order."""
    notes: list[str] = []
    """Further remarks, as sentences."""
    tables: list[FindingTable] = []
    """Statistics of all rows."""
    counts: dict[str, int] = {}
    """Numbers for the manifest."""
    skipped: str = ""
    """Why the check did not run; empty if it did."""


class Check(Struct, frozen=True, kw_only=True):
    """One check of training rows."""

    name: str
    """Name on the command line."""
    description: str
    """What it looks for, in one sentence."""
    action: Action
    """Default action of `clean` for the rows that it reports."""
    find: Callable[[Sample, CheckSettings], CheckResult]
    """Run the check."""


QUOTE_CHARS = 160
"""Maximum length of a quotation, in characters."""


class Sample:
    """Rows in the files' order, with cached values derived from them."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        self.rows = rows
        self._cache: dict[Any, Any] = {}

    @cached_property
    def prompts(self) -> list[str]:
        """The messages of each row that are not learnt, as one text per row."""
        return ["\n".join(t.content for t in row.messages if t.role != "assistant") for row in self.rows]

    @cached_property
    def answers(self) -> list[str]:
        """The assistant messages of each row, as one text per row."""
        return ["\n".join(t.content for t in row.messages if t.role == "assistant") for row in self.rows]

    @cached_property
    def parts(self) -> list[PromptParts]:
        """The boilerplate and the content of each prompt."""
        return parted(self.prompts)

    @cached_property
    def contents(self) -> list[str]:
        """Each prompt without the lines that all prompts of its task share."""
        return [part.content for part in self.parts]

    def cached(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Return the value of `compute`, which runs only on the first call with this key."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    def where(self, index: int) -> str:
        """Return `file:line` of a row."""
        return self.rows[index].where

    def quote(self, index: int) -> str:
        """Quote the start of a row, without boilerplate."""
        return short(self.contents[index] or self.answers[index])

    def quote_answer(self, index: int) -> str:
        """Quote the start of a row's answer."""
        return short(self.answers[index])

    def pair(self, row: int, other: int, reason: str, quote: Callable[[int], str]) -> RowFinding:
        """Report a row that matches another one, with a quotation of each."""
        return RowFinding(row=row, reason=reason, quote=quote(row), other=self.where(other), other_quote=quote(other))


def short(text: str, max_chars: int = QUOTE_CHARS) -> str:
    """Put a text on one line, mask personal data and cut it to `max_chars` characters."""
    flat = " ".join(Mask()(text[: 4 * max_chars]).split())
    return flat if len(flat) <= max_chars else flat[: max_chars - 1].rstrip() + "…"


def around(text: str, start: int, end: int) -> str:
    """Quote a passage with its surroundings on one line, with personal data masked."""
    first, last = max(0, start - 2 * QUOTE_CHARS), end + 2 * QUOTE_CHARS
    mask = Mask()
    before, place, after = mask(text[first:start]), mask(text[start:end]), mask(text[end:last])
    before = before if first == 0 and len(before) <= QUOTE_CHARS // 2 else "…" + before[-QUOTE_CHARS // 2 :]
    after = after if len(after) <= QUOTE_CHARS // 2 else after[: QUOTE_CHARS // 2] + "…"
    return " ".join(f"{before}{place}{after}".split())


NEAR = 0.8
"""Jaccard similarity of the five-word runs of two rows from which they are near copies."""
MAX_LENGTH = 2048


class CheckSettings(Struct, frozen=True, kw_only=True):
    """Settings of all checks, as recorded in the manifest."""

    suites: list[str] = []
    """Folders of suites whose cases no row may contain; empty for the project's suites."""
    style: str = ""
    """Style guide (TOML) to check answers against."""
    base: str = ""
    """Base model whose tokenizer counts tokens; without one, words are counted."""
    max_length: int = MAX_LENGTH
    """Maximum tokens per row, as `data.max_length` of the training configuration."""
    near: float = NEAR
    """Jaccard similarity from which two rows are near copies."""
    language: str = "en"
    """Expected language of the rows, as an ISO 639-1 code."""
    actions: dict[str, str] = {}
    """Actions by check, in place of the defaults; `skip` does not run the check."""
