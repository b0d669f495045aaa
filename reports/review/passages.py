"""Split a text into numbered sentences for display. Offsets are Unicode code points.

Hidden characters are shown by name and line ends as line feeds; each piece keeps its offset in the exact text, so that
a reader's selection can be mapped back.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness import sanitize

ABBREVIATION = re.compile(
    r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Nos|Sec|Art|Par|v|vs|cf|Ga|Ann|Jr|Sr|approx|e\.g|i\.e)|\b[A-Z])\.$"
)
NUMBERED = re.compile(r"\s*(?:(?:Section|Article|Clause|§)\s+)?\(?\d[\d.]*[.)]\s*")
STOP = re.compile(r"[.!?]+[\"”’)\]]*(?=\s)|\n\s*")
NUMERAL = r"(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivx]{1,5}|[IVX]{1,5})"
MARKER = rf"(?:[-*•#>]+|\(?{NUMERAL}[.)])"
BULLET = re.compile(rf"\s*(?:{MARKER}(?:\s+\({NUMERAL}\)|[^\S\n]*\n\s*{MARKER}){{0,9}}(?=\s|$))?\s*")
"""White space and a list marker, such as `- `, `2. ` or `1. (a) `, which are not part of a sentence."""
WORD = re.compile(r"[^\W_]+(?:[.,'’/-][^\W_]+)*")
SHORTEST = 4
"""Fewest characters of a word that is compared; shorter ones count only with a digit."""
ENOUGH = 0.3
"""Least share of a sentence's weight that a passage of the source must have to be linked."""
LIST = re.compile(rf"[:;,]\s+{MARKER}$")
"""A list marker inside a sentence, as in `shall: 1. pay`."""
NEAR = 16
"""Characters before a mark that decide whether it ends a sentence."""
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
    """Return the ranges of the sentences; the rest is white space, list markers and lone marks."""
    spans: list[tuple[int, int]] = []
    start, is_list = 0, False
    for end in [*(stop.end() for stop in STOP.finditer(text)), len(text)]:
        whole = text[start:end]
        bullet = BULLET.match(whole)
        left, right = bullet.end() if bullet else 0, len(whole.rstrip())
        if end < len(text) and (left >= right or not _ends_sentence(whole)):
            continue
        lead = len(whole) - len(whole.lstrip())
        if left >= right and not is_list:
            left = lead
        if any(character.isalnum() for character in whole[left:right]):
            spans.append((start + left, start + right))
        start, is_list = end, is_list or left > lead
    return spans


def _ends_sentence(text: str) -> bool:
    """Tell whether a text up to a mark or line end is a whole sentence."""
    if text[-1].isspace():
        return True
    heading = NUMBERED.match(text)
    if heading and len(text[heading.end() :].split()) <= HEADING:
        return False
    return not ABBREVIATION.search(text, max(0, len(text) - NEAR)) and not LIST.search(text, max(0, len(text) - NEAR))


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
    for at in _hidden(text, start, end):
        if plain < at:
            yield PassagePiece(at=plain, text=text[plain:at])
        is_line_end = text[at : at + 2] == "\r\n"
        yield PassagePiece(at=at, text="" if is_line_end else sanitize.escape(text[at]), code=ord(text[at]))
        plain = at + 1
    if plain < end:
        yield PassagePiece(at=plain, text=text[plain:end])


def _hidden(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the places of hidden characters in a range; what is next to the range tells which are."""
    before = max(0, start - 1)
    return (before + at for at in sanitize.hidden(text[before : end + 1]) if start <= before + at < end)


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
