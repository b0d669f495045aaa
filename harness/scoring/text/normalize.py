"""Normalise text for comparison: NFKC without invisible characters, with an index map into the original.

Two exceptions to NFKC keep numbers intact: "1½" becomes "1 1⁄2", not "11⁄2", and a superscript (a footnote, a square
metre) becomes a space, so that "10²" is not 102.

Patterns run on the normal form; spans refer to the original, which is never altered.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

FRACTION_SLASH = "\u2044"
UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u034f\u061c\u180e\u200e\u200f\ufe0e\ufe0f"
INVISIBLE = dict.fromkeys(map(ord, UNSEEN))
INVISIBLES = re.compile(f"[{UNSEEN}]")
NOT_ASCII = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
"""Characters to normalise, with an ASCII one before them, since a combining mark may join it."""


class Normal(NamedTuple):
    """A normal form; `starts` and `ends` map its characters to ranges of the original, None if both are equal."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the range of the original for the range `start` to `end` (not empty) of the normal form."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def plain(text: str) -> str:
    """Return the text of the normal form."""
    return text if text.isascii() else normalise(text).text


def normalise(text: str) -> Normal:
    """Normalise each base character with its combining marks; drop soft hyphens and zero-width characters."""
    return Normal(text) if text.isascii() else _normalise(text)


@lru_cache(maxsize=16)
def _normalise(text: str) -> Normal:
    """`normalise`, cached for the next scorers that read the same text."""
    if unicodedata.is_normalized("NFKC", text) and not INVISIBLES.search(text):
        return Normal(text)
    pieces: list[str] = []
    starts, ends = array("I"), array("I")
    at = 0
    for run in NOT_ASCII.finditer(text):
        pieces.append(text[at : run.start()])
        starts.extend(range(at, run.start()))
        ends.extend(range(at + 1, run.start() + 1))
        for start, end in _clusters(text, run.start(), run.end()):
            piece = _compatible(text[start:end].translate(INVISIBLE))
            pieces.append(piece)
            starts.extend([start] * len(piece))
            ends.extend([end] * len(piece))
        at = run.end()
    pieces.append(text[at:])
    starts.extend(range(at, len(text)))
    ends.extend(range(at + 1, len(text) + 1))
    return Normal("".join(pieces), starts, ends)


def lower(text: str) -> str:
    """Return the text in lower case; the length does not change."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _compatible(cluster: str) -> str:
    if cluster and unicodedata.category(cluster[0]) == "No" and "<super>" in unicodedata.decomposition(cluster[0]):
        return " "
    piece = unicodedata.normalize("NFKC", cluster)
    return " " + piece if FRACTION_SLASH in piece and cluster != FRACTION_SLASH else piece


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges of one base character each, with the combining marks after it."""
    for at in range(start + 1, end + 1):
        if at == end or not unicodedata.combining(text[at]):
            yield start, at
            start = at
