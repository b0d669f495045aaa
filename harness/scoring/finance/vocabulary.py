"""Find words of change, loss, profit and sum in a report, and parse periods such as "Q2 2025"."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harness.scoring.grounding.cues import MOVES
from harness.scoring.text.normalize import lower
from harness.scoring.text.numbers import ORDINALS
from harness.scoring.text.phrases import whole_words

WORD = re.compile(r"[a-z0-9]+")
LOSS = "loss losses lost lose losing negative minus deficit"
PROFIT = "profit gain gains gained positive surplus earned"
SUM = "total totaled totalled totaling totalling totals combined together sum aggregate aggregated"
LOSSES, PROFITS, SUMS = (frozenset(words.split()) for words in (LOSS, PROFIT, SUM))
CONJUNCTIONS = frozenset(("while", "whereas", "although", "though", "but", "yet"))
CLAUSE = re.compile(r"[;,:–—](?:(?<=;)|(?<=:)\s|(?<=,)\s+(?:and|with)\b|(?<=\s[–—])\s)")
MARKED = frozenset({*MOVES, *LOSSES, *PROFITS, *SUMS})


class Words(NamedTuple):
    """An answer's words; each list has ranges in the text, in order."""

    lower: str
    """The text in lower case, of the same length."""
    plain: str
    """The words, each between single spaces."""
    seen: frozenset[str]
    moves: list[tuple[int, int, int]]
    """Start, end and direction: 1 up, -1 down, 0 neither."""
    losses: list[tuple[int, int]]
    profits: list[tuple[int, int]]
    sums: list[tuple[int, int]]

    def outside(self, masked: str) -> Words:
        """Return the words without changes and sums in names: in "Growth Fund" nothing grew."""
        if not (self.moves or self.sums or self.profits):
            return self
        sums, profits = (
            [place for place in places if masked[place[0]] not in "_~"] for places in (self.sums, self.profits)
        )
        moves = [move for move in self.moves if masked[move[0]] not in "_~"]
        return self._replace(moves=moves, sums=sums, profits=profits)


def read_words(text: str) -> Words:
    """Find the words of an answer that matter for its figures."""
    low = lower(text)
    tokens = WORD.findall(low)
    words = Words(low, f" {' '.join(tokens)} ", frozenset(tokens), [], [], [], [])
    for word in words.seen & MARKED:
        for start in whole_words(low, word):
            end = start + len(word)
            if word in MOVES:
                words.moves.append((start, end, MOVES[word]))
            if word in LOSSES:
                words.losses.append((start, end))
            if word in PROFITS:
                words.profits.append((start, end))
            if word in SUMS and not low.startswith(" return", end):
                words.sums.append((start, end))
    for places in (words.moves, words.losses, words.profits, words.sums):
        places.sort()
    return words


def breaks_in(words: Words) -> list[int]:
    """List where clauses end within sentences, unsorted."""
    ends = [match.end() for match in CLAUSE.finditer(words.lower)]
    for word in words.seen & CONJUNCTIONS:
        ends += whole_words(words.lower, word)
    return ends


QUARTER_ENDS = {"march": "1", "june": "2", "september": "3", "december": "4"}
YEAR = r"(?:,?\s+(?:of\s+)?(?:fiscal\s+(?:year\s+)?|fy\s?)?20\d\d)"
PERIOD = (
    r"(?P<period>(?:"
    rf"[qh][1-4](?:{YEAR}|\s?['’]\d\d)?(?!\w)|[1-4]q\s?(?:20)?\d\d(?!\w)"
    rf"|(?:first|second|third|fourth)[\s-]+(?:quarter|half){YEAR}?(?!\w)"
    r"|year\s+ended\s+\w+\s+\d{1,2},?\s+20\d\d"
    r"|(?:(?:quarter|three\s+months)\s+ended\s+)?(?:march|june|september|december)\s+3[01],?\s+20\d\d"
    r"|(?:fy\s?|(?:fiscal|full|calendar)[\s-]+(?:year\s+)?)(?:20)?\d\d(?!\w)"
    r"|(?<=in\s)20\d\d(?![\w,.%]*\d)|(?<=for\s)20\d\d(?![\w,.%]*\d)|(?<=during\s)20\d\d(?![\w,.%]*\d)"
    r"|(?<=year\s)20\d\d(?![\w,.%]*\d)"
    r"|(?:prior|previous|preceding|last)[\s-]+(?:quarter|year|period|half)"
    r"|(?:quarter|year|period)\s+(?:earlier|ago|before)|year[\s-]+(?:earlier|ago)(?:\s+(?:quarter|period))?"
    r"|(?:same|corresponding)\s+(?:quarter|period)\s+(?:of\s+)?(?:last|the\s+(?:prior|previous))\s+year"
    r")(?!\w))"
)
PERIOD_LETTERS = "qhfstcplymjd1234"
"""First characters of periods."""
QUARTER = re.compile(r"([qh])([1-4])|([1-4])q|(first|second|third|fourth)[\s-]+(quarter|half)")
ENDED = re.compile(r"(?:ended\s+|^)(march|june|september|december)\s+3")
TWO_DIGITS = re.compile(r"(?:20)?(\d\d)$")


@lru_cache(maxsize=1024)
def period_key(written: str) -> str | None:
    """Return the key of a period with its year; `Q2 ?` for a quarter without one; None if it names no period."""
    text = written.lower()
    year = TWO_DIGITS.search(text)
    if year and text.startswith("year"):
        return f"FY 20{year[1]}"
    ended = ENDED.search(text)
    if ended and year:
        return f"Q{QUARTER_ENDS[ended[1]]} 20{year[1]}"
    quarter = QUARTER.search(text)
    if quarter:
        letter = "H" if "h" in (quarter[1] or "") or quarter[5] == "half" else "Q"
        number = quarter[2] or quarter[3] or ORDINALS[quarter[4]]
        has_year = year and len(text) - len(text.rstrip("0123456789")) >= 2
        return f"{letter}{number} 20{year[1]}" if year and has_year else f"{letter}{number} ?"
    return f"FY 20{year[1]}" if year else None


@lru_cache(maxsize=1024)
def related(words: str, base: str, periods: tuple[str, ...]) -> str | None:
    """Return the period that "the prior quarter" or "a year earlier" means from `base`; `periods` are the sheet's."""
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
    last = {"Q": 4, "H": 2}.get(head[0], 1)
    return f"{head[0]}{number - 1} {year}" if number > 1 else f"{head[0]}{last} {int(year) - 1}"


def with_year(key: str, periods: tuple[str, ...], near: str | None) -> str | None:
    """Complete `Q2 ?` with the year from the sheet, or else from the last period mentioned; None without either."""
    if not key.endswith("?"):
        return key
    fits = [period for period in periods if period[:2] == key[:2]]
    if len(fits) == 1:
        return fits[0]
    return f"{key[:2]} {near[-4:]}" if near else None
