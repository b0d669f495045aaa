"""Find characters that hide or reorder text, and show them by name, as `⟨U+202E⟩`.

These are control characters except tab and line feed, bidirectional controls, zero-width and filler characters, tags,
variation selectors of the supplement, surrogates and code points that are not characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
KEPT = frozenset("\n\t")


@lru_cache(maxsize=4096)
def is_hidden(character: str) -> bool:
    """Whether a character is invisible or moves others."""
    if character in KEPT:
        return False
    if unicodedata.category(character) in HIDDEN_CATEGORIES or character in FILLERS:
        return True
    return 0xE0100 <= ord(character) <= 0xE01EF


def escape(character: str) -> str:
    """Return the visible name of a hidden character."""
    return f"⟨U+{ord(character):04X}⟩"


def split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield parts of a text, each with whether it is the name of a hidden character. CR LF counts as a line feed."""
    text = text.replace("\r\n", "\n")
    if text and not any(map(is_hidden, set(text))):
        yield text, False
        return
    for are_hidden, characters in groupby(text, is_hidden):
        if are_hidden:
            yield from ((escape(character), True) for character in characters)
        else:
            yield "".join(characters), False


def shown(text: str) -> str:
    """Return the text with every hidden character replaced by its name."""
    return "".join(part for part, _ in split(text))
