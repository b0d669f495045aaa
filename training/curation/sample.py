"""The rows under review, with the forms of them that several checks look at. Knows no check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from training.curation.masking import Mask
from training.curation.stock import without_stock
from training.rows import Row

QUOTED = 160
"""Characters of a row that are shown."""


class Sample:
    """Rows in the files' order; what is derived from them is made once."""

    def __init__(self, rows: Sequence[Row]) -> None:
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
