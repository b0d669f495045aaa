"""Reads an answer's words once: what rises, falls and changes, losses, sums, number words. Knows no sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

WORD = re.compile(r"[a-z0-9]+")
SPACED = {code: " " for code in range(128) if not chr(code).isalnum()}
UP = (
    "rose rise risen rises rising increase increased increases increasing grew grow grown grows growing growth gain "
    "gains gained gaining up improved improvement improving climbed climbing added advanced higher more above"
)
DOWN = (
    "fell fall fallen falls falling decline declined declines declining decrease decreased decreases decreasing drop "
    "dropped dropping drops down slipped shrank reduced reduction lower less below fewer"
)
EVEN = (
    "change changed difference differed gap move moved narrowed widened narrowing widening ahead behind spread margin "
    "beat trailed"
)
LOSS = "loss losses lost lose losing negative minus deficit"
PROFIT = "profit gain gains gained positive surplus earned"
SUM = "total totaled totalled totaling totalling totals combined together sum aggregate aggregated"
NUMBER = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fourty fifty sixty seventy eighty ninety hundred"
)
MOVES = dict.fromkeys(UP.split(), 1) | dict.fromkeys(DOWN.split(), -1) | dict.fromkeys(EVEN.split(), 0)
LOSSES, PROFITS, SUMS, NUMBERS = (frozenset(words.split()) for words in (LOSS, PROFIT, SUM, NUMBER))
CONJUNCTIONS = frozenset(("while", "whereas", "although", "though", "but", "yet"))
CLAUSE = re.compile(r"[;,:–—](?:(?<=;)|(?<=:)\s|(?<=,)\s+(?:and|with)\b|(?<=\s[–—])\s)")
MARKED = frozenset({*MOVES, *LOSSES, *PROFITS, *SUMS})


class Words(NamedTuple):
    """An answer's words; each list holds ranges in the text, in order."""

    lower: str
    """The text in lower case, of the same length."""
    plain: str
    """The words alone, each between single spaces."""
    seen: frozenset[str]
    moves: list[tuple[int, int, int]]
    """Start, end and direction: 1 up, -1 down, 0 neither."""
    losses: list[tuple[int, int]]
    profits: list[tuple[int, int]]
    sums: list[tuple[int, int]]

    @property
    def has_number_words(self) -> bool:
        return not self.seen.isdisjoint(NUMBERS)

    def outside(self, masked: str) -> Words:
        """Without the rises and sums of names: "Growth Fund" says nothing grew."""
        if not (self.moves or self.sums or self.profits):
            return self
        kept = [[place for place in places if masked[place[0]] not in "_~"] for places in (self.sums, self.profits)]
        moves = [move for move in self.moves if masked[move[0]] not in "_~"]
        return self._replace(moves=moves, sums=kept[0], profits=kept[1])


def lowered(text: str) -> str:
    """Lower case of the same length."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if c.isascii() else c for c in text)


def read_words(text: str) -> Words:
    lower = lowered(text)
    words = lower.translate(SPACED).split() if lower.isascii() else WORD.findall(lower)
    seen = frozenset(words)
    found = Words(lower, f" {' '.join(words)} ", seen, [], [], [], [])
    for word in seen & MARKED:
        for start, end in _places(word, lower):
            if word in MOVES:
                found.moves.append((start, end, MOVES[word]))
            if word in LOSSES:
                found.losses.append((start, end))
            if word in PROFITS:
                found.profits.append((start, end))
            if word in SUMS and not lower.startswith(" return", end):
                found.sums.append((start, end))
    for places in (found.moves, found.losses, found.profits, found.sums):
        places.sort()
    return found


def _places(word: str, lower: str) -> Iterator[tuple[int, int]]:
    """Where a word stands as a whole word."""
    start = lower.find(word)
    while start >= 0:
        end = start + len(word)
        if not lower[start - 1 : start].isalnum() and not lower[end : end + 1].isalnum():
            yield start, end
        start = lower.find(word, end)


def breaks_in(words: Words) -> list[int]:
    """Where clauses end within sentences, in no order."""
    found = [match.end() for match in CLAUSE.finditer(words.lower)]
    for word in words.seen & CONJUNCTIONS:
        found += [start for start, _ in _places(word, words.lower)]
    return found
