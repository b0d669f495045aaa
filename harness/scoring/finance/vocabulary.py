"""Reads an answer's words once: what rises, falls and changes, losses, sums, number words. Knows no sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
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


ORDER = {"first": "1", "second": "2", "third": "3", "fourth": "4"}
QUARTER_ENDS = {"march": "1", "june": "2", "september": "3", "december": "4"}
YEAR = r"(?:,?\s+(?:of\s+)?(?:fiscal\s+(?:year\s+)?|fy\s?)?20\d\d)"
PERIOD = (
    r"(?P<period>(?:"
    rf"[qh][1-4](?:{YEAR}|\s?['’]\d\d)?(?!\w)|[1-4]q\s?(?:20)?\d\d(?!\w)"
    rf"|(?:first|second|third|fourth)[\s-]+(?:quarter|half){YEAR}?(?!\w)"
    r"|(?:quarter|three\s+months)\s+ended\s+(?:march|june|september|december)\s+3[01],?\s+20\d\d"
    r"|(?:fy\s?|(?:fiscal|full|calendar)[\s-]+(?:year\s+)?)(?:20)?\d\d(?!\w)"
    r"|(?<=in\s)20\d\d(?![\w,.%]*\d)|(?<=for\s)20\d\d(?![\w,.%]*\d)|(?<=during\s)20\d\d(?![\w,.%]*\d)"
    r"|(?<=year\s)20\d\d(?![\w,.%]*\d)"
    r"|(?:prior|previous|preceding|last)[\s-]+(?:quarter|year|period|half)"
    r"|(?:quarter|year|period)\s+(?:earlier|ago|before)|year[\s-]+(?:earlier|ago)(?:\s+(?:quarter|period))?"
    r"|(?:same|corresponding)\s+(?:quarter|period)\s+(?:of\s+)?(?:last|the\s+(?:prior|previous))\s+year"
    r")(?!\w))"
)
PERIOD_LETTERS = "qhfstcply1234"
"""What a period may begin with."""
QUARTER = re.compile(r"([qh])([1-4])|([1-4])q|(first|second|third|fourth)[\s-]+(quarter|half)")
ENDED = re.compile(r"ended\s+(\w+)")
TWO_DIGITS = re.compile(r"(?:20)?(\d\d)$")


@lru_cache(maxsize=1024)
def period_key(written: str) -> str | None:
    """The key of a period with its year; `Q2 ?` for a quarter without one; None for what is no outright period."""
    text = written.lower()
    year = TWO_DIGITS.search(text)
    ended = ENDED.search(text)
    if ended and year:
        return f"Q{QUARTER_ENDS[ended[1]]} 20{year[1]}" if ended[1] in QUARTER_ENDS else None
    quarter = QUARTER.search(text)
    if quarter:
        letter = "H" if "h" in (quarter[1] or "") or quarter[5] == "half" else "Q"
        number = quarter[2] or quarter[3] or ORDER.get(quarter[4] or "", "")
        has_year = year and len(text) - len(text.rstrip("0123456789")) >= 2
        return f"{letter}{number} 20{year[1]}" if year and has_year else f"{letter}{number} ?"
    return f"FY 20{year[1]}" if year else None


@lru_cache(maxsize=1024)
def related(words: str, base: str, periods: tuple[str, ...]) -> str | None:
    """The period that "the prior quarter" or "a year earlier" means, seen from `base`; `periods` is the sheet's."""
    text = words.lower()
    head, year = base.split()
    if not year.isdecimal():
        return None
    if "year" in text:
        return f"{head} {int(year) - 1}"
    if "period" in text:
        before = [p for p in periods if (p[-4:], p[:2]) < (year, head) and p[0] == head[0]]
        return before[-1] if before else None
    number = int(head[1]) if head[1].isdecimal() else 1
    most = {"Q": 4, "H": 2}.get(head[0], 1)
    return f"{head[0]}{number - 1} {year}" if number > 1 else f"{head[0]}{most} {int(year) - 1}"


def with_year(key: str, periods: tuple[str, ...], near: str | None) -> str | None:
    """`Q2 ?` with the year that the sheet, or else the period spoken of last, gives it."""
    if not key.endswith("?"):
        return key
    fits = [period for period in periods if period[:2] == key[:2]]
    if len(fits) == 1:
        return fits[0]
    return f"{key[:2]} {near[-4:]}" if near else None
