"""Split a text into numbered sentences for display. Offsets are Unicode code points.

Hidden characters are shown by name and line ends as line feeds; each piece keeps its offset in the exact text, so that
a reader's selection can be mapped back.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from harness import sanitize

ABBREVIATION = re.compile(
    r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Nos|Sec|Art|Par|v|vs|cf|Ga|Ann|Jr|Sr|approx|e\.g|i\.e)|\b[A-Z])\.$"
)
NUMBERED = re.compile(r"\s*(?:Section\s+)?\(?\d[\d.]*[.)]\s*")
STOP = re.compile(r"[.!?]+[\"”’)\]]*(?=\s)|\n")
BULLET = re.compile(r"\s*(?:[-*•#>]+|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)])?\s*")
WORD = re.compile(r"[^\W_]+(?:[.,'’/-][^\W_]+)*")
SHORTEST = 4
"""Fewest characters of a word that is compared; shorter ones count only with a digit."""
ENOUGH = 0.3
"""Least share of a sentence's weight that a passage of the source must have to be linked."""
MOST = 3
"""Most passages that are linked to a sentence."""
HALF = 0.5
"""Least share of the best passage's weight that another one must have to be linked too."""
HEADING = 4
"""Most words of a heading that stays with its section, such as `4. Late Charge.`"""


class PassagePiece(Struct, frozen=True, kw_only=True):
    """A part of a text that is shown unchanged, or one hidden character."""

    at: int
    """First code point in the exact text."""
    text: str
    """The displayed text."""
    code: int | None = None
    """Code point of the hidden character that is shown by name, or dropped from a line end."""


class Passage(Struct, frozen=True, kw_only=True):
    """A sentence, or the text between two."""

    number: int
    """From 1; 0 between sentences."""
    start: int
    """First code point."""
    end: int
    """One past the last."""
    pieces: list[PassagePiece]
    """Its pieces, without gaps."""
    source: list[int] = []
    """Numbers of the source's sentences that share its numbers, names and rarer words."""


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the ranges of the sentences; the rest is white space, bullets and lone marks."""
    ends = [0, *(stop.end() for stop in STOP.finditer(text) if _ends_sentence(text, stop)), len(text)]
    spans = []
    for start, end in pairwise(ends):
        bullet = BULLET.match(text, start, end)
        left, right = bullet.end() if bullet else start, start + len(text[start:end].rstrip())
        if left >= right:
            left = start + len(text[start:end]) - len(text[start:end].lstrip())
        if any(character.isalnum() for character in text[left:right]):
            spans.append((left, right))
    return spans


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    if stop[0] == "\n":
        return True
    line = text.rfind("\n", 0, stop.start()) + 1
    heading = NUMBERED.match(text, line, stop.end())
    if heading and len(text[heading.end() : stop.end()].split()) <= HEADING:
        return False
    return not ABBREVIATION.search(text, line, stop.end()) and not BULLET.fullmatch(text, line, stop.end())


def cut(text: str, source: Sequence[tuple[int, int]] = (), source_text: str = "") -> list[Passage]:
    """Split a text into passages; with a source, link each sentence to the source's sentences that it resembles."""
    parts, last = [], 0
    finder = PassageFinder([source_text[start:end] for start, end in source])
    for number, (start, end) in enumerate(sentences(text), 1):
        if last < start:
            parts.append(Passage(number=0, start=last, end=start, pieces=list(pieces(text, last, start))))
        points = finder.find(text[start:end])
        parts.append(Passage(number=number, start=start, end=end, pieces=list(pieces(text, start, end)), source=points))
        last = end
    if last < len(text):
        parts.append(Passage(number=0, start=last, end=len(text), pieces=list(pieces(text, last, len(text)))))
    return parts


def pieces(text: str, start: int, end: int) -> Iterator[PassagePiece]:
    """Yield the pieces of a range. The carriage return of a line end is an empty piece."""
    plain = start
    for at in range(start, end):
        if not sanitize.is_hidden(text[at]):
            continue
        if plain < at:
            yield PassagePiece(at=plain, text=text[plain:at])
        is_line_end = text[at : at + 2] == "\r\n"
        yield PassagePiece(at=at, text="" if is_line_end else sanitize.escape(text[at]), code=ord(text[at]))
        plain = at + 1
    if plain < end:
        yield PassagePiece(at=plain, text=text[plain:end])


class PassageFinder:
    """Finds the passages of a source that share the rarest words with a sentence."""

    def __init__(self, passages: Sequence[str]) -> None:
        self.words = [_words(passage) for passage in passages]
        holders = Counter(word for words in self.words for word in words)
        self.weight = {word: math.log(1 + len(passages) / count) for word, count in holders.items()}

    def find(self, sentence: str) -> list[int]:
        """Return the numbers, from 1, of the best passages, in the source's order."""
        words = _words(sentence)
        needed = ENOUGH * sum(self.weight.get(word, 0.0) for word in words)
        shared = [sum(self.weight[word] for word in words & passage) for passage in self.words]
        best = sorted(range(len(shared)), key=lambda i: -shared[i])[:MOST]
        least = max(needed, HALF * shared[best[0]]) if best else needed
        return sorted(i + 1 for i in best if shared[i] > 0 and shared[i] >= least)


def _words(text: str) -> set[str]:
    words = (match[0].casefold() for match in WORD.finditer(text))
    return {word for word in words if len(word) >= SHORTEST or any(c.isdigit() for c in word)}
