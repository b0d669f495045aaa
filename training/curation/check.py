"""The rows under review, with the forms of them that several checks look at. Knows no check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from training.curation.personal_data import Mask
from training.curation.text import without_stock
from training.data.rows import TrainingRow

Action = Literal["drop", "mask", "flag", "keep"]
"""What `clean` does with a row that a check finds: leave it out, mask the places, keep it and list it. `keep` is the
action of checks that describe all rows together and find none."""


class RowFinding(Struct, frozen=True, kw_only=True):
    row: int
    """Index of the row in the sample."""
    reason: str
    """Why, in one sentence."""
    quote: str = ""
    """What stands there; personal data is masked in it."""
    other: str = ""
    """The row (`file:line`) or the suite's case that it was compared with."""
    other_quote: str = ""
    """What stands there."""


class FindingTable(Struct, frozen=True, kw_only=True):
    title: str
    """What it shows."""
    headings: list[str]
    """One a column."""
    rows: list[list[str]]
    """Cells, ready to be shown."""
    bars: list[float] = []
    """Where given, one share between 0 and 1 a row, drawn beside it."""


class CheckResult(Struct, frozen=True, kw_only=True):
    findings: list[RowFinding] = []
    """At most one a row, in the rows' order."""
    notes: list[str] = []
    """What else is worth knowing, in sentences."""
    tables: list[FindingTable] = []
    """Figures about all rows."""
    counts: dict[str, int] = {}
    """Figures for the manifest."""
    skipped: str = ""
    """Why nothing was checked, where that is so."""


class Check(Struct, frozen=True, kw_only=True):
    name: str
    """Its name on the command line."""
    says: str
    """What it looks for, in one sentence."""
    action: Action
    """What `clean` does with what it finds, unless told otherwise."""
    find: Callable[[Sample, CheckSettings], CheckResult]
    """The check itself."""


QUOTED = 160
"""Characters of a row that are shown."""


class Sample:
    """Rows in the files' order; what is derived from them is made once."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        self.rows = rows
        self._made: dict[Any, Any] = {}

    @cached_property
    def prompts(self) -> list[str]:
        """All that is not learnt of each row, as one text."""
        return ["\n".join(t.content for t in row.messages if t.role != "assistant") for row in self.rows]

    @cached_property
    def answers(self) -> list[str]:
        """All that is learnt of each row, as one text."""
        return ["\n".join(t.content for t in row.messages if t.role == "assistant") for row in self.rows]

    @cached_property
    def contents(self) -> list[str]:
        """Each prompt without the lines that all prompts of its task share."""
        return without_stock(self.prompts)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gave the first time that it was asked for under this key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def where(self, index: int) -> str:
        """`file:line` of a row."""
        return self.rows[index].where

    def quote(self, index: int) -> str:
        """The start of a row's own text."""
        return short(self.contents[index] or self.answers[index])


def short(text: str, most: int = QUOTED) -> str:
    """A text on one line, cut to `most` characters, personal data masked."""
    flat = " ".join(Mask()(text[: 4 * most]).split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def around(text: str, start: int, end: int) -> str:
    """What stands at a place and around it, on one line, personal data masked."""
    first, last = max(0, start - 2 * QUOTED), end + 2 * QUOTED
    mask = Mask()
    before, place, after = mask(text[first:start]), mask(text[start:end]), mask(text[end:last])
    before = before if first == 0 and len(before) <= QUOTED // 2 else "…" + before[-QUOTED // 2 :]
    after = after if len(after) <= QUOTED // 2 else after[: QUOTED // 2] + "…"
    return " ".join(f"{before}{place}{after}".split())


def shown(text: str) -> str:
    """A text with the names of characters that would not be seen, or would move others, in their place."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)


NEAR = 0.8
"""Share of runs of five words that two near copies have in common, of all that either has."""
MAX_LENGTH = 2048


class CheckSettings(Struct, frozen=True, kw_only=True):
    """Settings of all checks; the manifest holds them."""

    suites: list[str] = []
    """Folders of suites that no row may come from; none given: those of the project."""
    style: str = ""
    """Style guide whose banned terms, names and tone the answers are held to."""
    base: str = ""
    """Base model whose tokens are counted; without it words are."""
    max_length: int = MAX_LENGTH
    """Most tokens of a row, as `data.max_length` of the training configuration."""
    near: float = NEAR
    """Jaccard similarity from which two rows are near copies."""
    language: str = "en"
    """Language that the rows should be in, as an ISO 639-1 code."""
    actions: dict[str, str] = {}
    """Actions by check, where they are not the check's own; `skip` does not run it."""
