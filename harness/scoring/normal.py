"""Text made comparable, with the way back: NFKC, no invisible characters, and an index map into the original.

Two departures from NFKC keep numbers what they are: "1½" becomes "1 1⁄2", not "11⁄2", and a superscript (a footnote, a
square metre) becomes a space, so that "10²" is not 102.

Patterns run on the normal form; spans are given in the original, which is never altered. Knows no pattern.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

FRACTION_SLASH = "\u2044"
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff\u034f\u061c\u180e\u200e\u200f\ufe0e\ufe0f"))


class Normal(NamedTuple):
    """A normal form; `starts` and `ends` give the original's range of each of its characters, None where equal."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Range of the original text that the range `start` to `end` (not empty) of the normal form stands for."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def plain(text: str) -> str:
    """The normal form alone."""
    return text if text.isascii() else normalise(text).text


def normalise(text: str) -> Normal:
    """NFKC of each base character with its combining marks, without soft hyphens and zero-width characters."""
    if text.isascii():
        return Normal(text)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        piece = _compatible(text[start:end].translate(INVISIBLE))
        pieces.append(piece)
        starts.extend([start] * len(piece))
        ends.extend([end] * len(piece))
    return Normal("".join(pieces), starts, ends)


def _compatible(cluster: str) -> str:
    if unicodedata.decomposition(cluster[:1]).startswith("<super>") and unicodedata.category(cluster[0]) == "No":
        return " "
    piece = unicodedata.normalize("NFKC", cluster)
    return " " + piece if FRACTION_SLASH in piece and cluster != FRACTION_SLASH else piece


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or text[at] < "\u0300" or not unicodedata.combining(text[at]):
            yield start, at
            start = at
