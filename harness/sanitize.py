"""Find characters that hide or reorder text, and show them by name, as `⟨U+202E⟩`.

These are control characters except tab and line feed, bidirectional controls, zero-width and filler characters, tags,
variation selectors of the supplement, surrogates and code points that are not characters. A zero-width non-joiner
between two letters of the Arabic script is part of the spelling of Persian and stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
KEPT = frozenset("\n\t")
ARABIC = r"[\u0620-\u065f\u066e-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06fc\u06ff\u0750-\u077f]"
"""A letter of the Arabic script, or a vowel sign on one."""
JOINER = "\u200c"
SPELLED = re.compile(f"(?<={ARABIC}){JOINER}(?={ARABIC})")
"""A zero-width non-joiner inside a word, as Persian is spelled."""


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


def hidden(text: str) -> list[int]:
    """Return the places of a text's hidden characters; a non-joiner inside a Persian word is none."""
    characters = {character for character in set(text) if is_hidden(character)}
    if not characters:
        return []
    spelled = {match.start() for match in SPELLED.finditer(text)} if JOINER in characters else set()
    return [at for at, character in enumerate(text) if character in characters and at not in spelled]


def split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield parts of a text, each with whether it is the name of a hidden character. CR LF counts as a line feed."""
    text, start = text.replace("\r\n", "\n"), 0
    for at in hidden(text):
        if start < at:
            yield text[start:at], False
        yield escape(text[at]), True
        start = at + 1
    if start < len(text):
        yield text[start:], False


def shown(text: str) -> str:
    """Return the text with every hidden character replaced by its name."""
    return "".join(part for part, _ in split(text))
