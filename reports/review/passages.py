"""Cuts a text into numbered sentences and shows it without hiding anything. Offsets are Unicode code points.

A text is shown with hidden characters by name and line ends as line feeds; each piece keeps its place in the exact
text, so that what a reader selects can be traced back.
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
"""Letters of a word that tells passages apart; shorter ones count only with a digit in them."""
ENOUGH = 0.3
"""Share of a sentence's weight that a passage of the source must have to be pointed to."""
MOST = 3
HALF = 0.5
"""Share of the best passage's weight that another one must have to be pointed to beside it."""
HEADING = 4
"""Words of the longest heading that is read with its section, such as `4. Late Charge.`"""
"""Passages that one sentence points to."""


class PassagePiece(Struct, frozen=True, kw_only=True):
    """A stretch that is shown as it is, or one hidden character."""

    at: int
    """First code point in the exact text."""
    text: str
    """What is shown."""
    code: int | None = None
    """Code point of the hidden character that is shown by name, or left out of a line end."""


class Passage(Struct, frozen=True, kw_only=True):
    """A sentence, or what stands between two."""

    number: int
    """From 1; 0 between sentences."""
    start: int
    """First code point."""
    end: int
    """One past the last."""
    pieces: list[PassagePiece]
    """What is shown, without a gap."""
    source: list[int] = []
    """Numbers of the source's sentences that share its figures, names and rarer words."""


def sentences(text: str) -> list[tuple[int, int]]:
    """Ranges of the sentences; everything outside of them is white space, bullets and lone marks."""
    ends = [0, *(stop.end() for stop in STOP.finditer(text) if _ends_sentence(text, stop)), len(text)]
    found = []
    for start, end in pairwise(ends):
        bullet = BULLET.match(text, start, end)
        left, right = bullet.end() if bullet else start, start + len(text[start:end].rstrip())
        if left >= right:
            left = start + len(text[start:end]) - len(text[start:end].lstrip())
        if any(character.isalnum() for character in text[left:right]):
            found.append((left, right))
    return found


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    if stop[0] == "\n":
        return True
    line = text.rfind("\n", 0, stop.start()) + 1
    heading = NUMBERED.match(text, line, stop.end())
    if heading and len(text[heading.end() : stop.end()].split()) <= HEADING:
        return False
    return not ABBREVIATION.search(text, line, stop.end()) and not BULLET.fullmatch(text, line, stop.end())


def cut(text: str, source: Sequence[tuple[int, int]] = (), source_text: str = "") -> list[Passage]:
    """The whole text as passages; with a source, each sentence points to the sentences of it that it draws on."""
    found, last = [], 0
    finder = PassageFinder([source_text[start:end] for start, end in source])
    for number, (start, end) in enumerate(sentences(text), 1):
        if last < start:
            found.append(Passage(number=0, start=last, end=start, pieces=list(pieces(text, last, start))))
        points = finder.find(text[start:end])
        found.append(Passage(number=number, start=start, end=end, pieces=list(pieces(text, start, end)), source=points))
        last = end
    if last < len(text):
        found.append(Passage(number=0, start=last, end=len(text), pieces=list(pieces(text, last, len(text)))))
    return found


def pieces(text: str, start: int, end: int) -> Iterator[PassagePiece]:
    """What is shown of a stretch. The carriage return of a line end is an empty piece."""
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
    """Finds the passages of a source that share the most telling words with a sentence. Judges nothing."""

    def __init__(self, passages: Sequence[str]) -> None:
        self.words = [_words(passage) for passage in passages]
        holders = Counter(word for words in self.words for word in words)
        self.weight = {word: math.log(1 + len(passages) / count) for word, count in holders.items()}

    def find(self, sentence: str) -> list[int]:
        """Numbers, from 1, of the best passages, in the source's order."""
        words = _words(sentence)
        needed = ENOUGH * sum(self.weight.get(word, 0.0) for word in words)
        shared = [sum(self.weight[word] for word in words & passage) for passage in self.words]
        best = sorted(range(len(shared)), key=lambda i: -shared[i])[:MOST]
        least = max(needed, HALF * shared[best[0]]) if best else needed
        return sorted(i + 1 for i in best if shared[i] > 0 and shared[i] >= least)


def _words(text: str) -> set[str]:
    found = (match[0].casefold() for match in WORD.finditer(text))
    return {word for word in found if len(word) >= SHORTEST or any(c.isdigit() for c in word)}
