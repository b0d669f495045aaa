"""Reads the periods that reports speak of: quarters, halves and years, named outright or by their distance.

A period's key is `Q2 2025`, `H1 2025` or `FY 2025`. "The prior quarter" and "a year earlier" are relative to another
period. A bare year is one only after a word such as "in". The pattern is for text in
lower case. Months and odd spans of dates are no periods here.
"""

from __future__ import annotations

import re
from functools import lru_cache

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
