"""Find periods such as "Q2 2025" in a text, and say whether one fits the period of a row."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from harness.scoring.text.dates import ENDS, dates_in
from harness.scoring.text.dates import periods_in as whole_periods_in

IN_PART = re.compile(
    r"\b(?:(?P<part>[QH][1-4])|(?P<word>first|second|third|fourth)[\s-]+(?P<length>quarter|half)"
    r"|(?:full|calendar)[\s-](?:year\s)?(?P<whole>20\d\d)|year\sended\s\w+\s\d+,?\s(?P<ended>20\d\d)"
    r"|(?:(?<=\b20\d\d\sand\s)|(?:in|for|during|of)\s)(?P<year>20\d\d)"
    r"|since\s20\d\d|(?:prior|previous|preceding|last|same|corresponding|year[\s-]ago)[\s-]+(?:quarter|year|period|half)"
    r"|(?:quarter|year|period|months)[\s-]+(?:earlier|ago|before)"
    r"|(?:in|during)\sthe\s(?P<bare>first|second|third|fourth)(?!\s\w)"
    r"|end\sof\s(?P<month>March|June|September|December)(?:\s(?P<of>20\d\d))?(?!\s\d))(?![\w%]|[.,]\d)",
    re.I,
)
"""A period without its year, a year alone, the end of a month, or a period that is told from another.

"$4 million in the third quarter and $5 million in the fourth".
"""
DAYS = {"to Q1": ("Q1",), "to Q2": ("Q2", "H1"), "to Q3": ("Q3",), "to Q4": ("Q4", "H2", "FY")}
"""Periods of one year that end on the same day; a date may mean each of them."""
MONTH_ENDS = {"march": "to Q1", "june": "to Q2", "september": "to Q3", "december": "to Q4"}
FULL_DATE, LAST_DAYS = len("2024-03-01"), "28"
EXACT, POSSIBLE, OTHER = 2, 1, 0


class Period(NamedTuple):
    """Q1 to Q4, H1, H2, FY, or `to Q2` for the day on which it ends, and the year; empty where not said."""

    part: str
    year: str


UNKNOWN = Period("", "")
"""A period such as "the quarter before"."""


def periods_in(text: str) -> Iterator[tuple[int, int, Period]]:
    """Yield the periods of a text with their ranges, whole ones first; they may overlap."""
    for each in whole_periods_in(text):
        yield each.start, each.end, Period(each.iso[5:], each.iso[:4])
    length = ""
    for match in IN_PART.finditer(text):
        part = (match["part"] or "").upper()
        length = (match["length"] or length).lower()
        word = match["word"] or match["bare"]
        if match["bare"] and not length:
            continue
        if word:
            part = f"{'H' if length == 'half' else 'Q'}{ENDS[word.lower()]}"
        elif match["month"]:
            part = MONTH_ENDS[match["month"].lower()]
        whole = match["whole"] or match["ended"]
        start = match.start("year") if match["year"] else match.start("bare") if match["bare"] else match.start()
        yield start, match.end(), Period("FY" if whole else part, whole or match["year"] or match["of"] or "")
    for date in dates_in(text):
        month = int(date.iso[5:7]) if len(date.iso) == FULL_DATE else 1
        if month % 3 == 0 and date.iso[8:] >= LAST_DAYS:
            yield date.start, date.end, Period(f"to Q{month // 3}", date.iso[:4])


def fit(named: Period, row: Period, known: Collection[Period]) -> int:
    """Say how a period that a text names fits a row's; `known` are the sheet's, which may lack a quarter."""
    if named.year and named.year != row.year:
        return OTHER
    if row.part in (named.part, *DAYS.get(named.part, ())) or (not named.part and named.year and row.part == "FY"):
        return EXACT
    alike = any(named.part in each and row.part in each for each in DAYS.values())
    if not named.part or alike or (row.part == "FY" and named not in known):
        return POSSIBLE
    return OTHER


def may_be_fiscal(date: Period, known: Collection[Period]) -> bool:
    """Whether no period of a sheet ends on a date, so that its quarters may be those of a fiscal year."""
    ends = DAYS.get(date.part, ())
    return bool(ends) and not any(each.part in ends and date.year in ("", each.year) for each in known)
