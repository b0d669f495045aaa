"""Find times of day, and days counted by an ordinal, in text: "8:30 a.m.", "17:00", "the fifth day of the month".

Times are minutes from midnight, in the unit `clock`; ordinals are numbers in the unit `th`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from harness.scoring.text.numbers import ORDINALS, UNITS
from harness.scoring.text.quantities import Figure

TIME = re.compile(
    r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3])(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>[ap])\.?\s?m\b\.?"
    r"|(?<![\w:.,$/-])(?P<hour_before>1[0-2]|[1-9])(?::(?P<minute_before>[0-5]\d))?(?=\s*(?:\b(?:and|or|to|until)\b|[-\u2013])"
    r"\s*(?P<hour_next>1[0-2]|[1-9])(?::[0-5]\d)?\s?(?P<half_next>[ap])\.?\s?m\b)"
    r"|(?<![\d:])(?P<hour24>[01]\d|2[0-3]):(?P<minute24>[0-5]\d)(?![\d:])|\b(?P<named>noon|midnight)\b"
    rf"|\b(?P<word>{'|'.join(list(UNITS)[1:13])})(?:\s+o['’]clock)?\s+(?:in\s+the\s+(?P<part>morning|afternoon|evening)|at\s+(?P<night>night))\b",
    re.I,
)
NAMED = {"noon": 12 * 60, "midnight": 0}
ORDINAL_WORDS = "|".join(sorted(ORDINALS, key=len, reverse=True)).replace("-", r"[-\s]")
ORDINAL = re.compile(
    rf"(?<![\w-])(?:(?P<digits>\d{{1,2}})(?:st|nd|rd|th)|(?P<words>{ORDINAL_WORDS}))(?:\s*\((?:\d{{1,2}})(?:st|nd|rd|th)\))?"
    r"(?=\s+(?:(?:calendar|business|working|banking)\s+)?day\b|\s+of\s+(?:the|each|every|that|any|its|a)\s+(?:calendar\s+|following\s+|next\s+)?month\b"
    r"|\s+(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|anniversary)\b)",
    re.I,
)


TIME_HINTS = (":", "noon", "midnight", "clock", "morning", "afternoon", "evening", "night")
HALF_OF_DAY = re.compile(r"\d\s?[ap]\.?\s?m\b")
ORDINAL_HINTS = ("day", "month", "anniversary")
"""In lower case, one of them is in every text with a time, and in every text with an ordinal: spares a slow search."""


def moments_in(text: str) -> Iterator[Figure]:
    """Yield the times of day and the ordinals of a text; days of a date are among them."""
    low = text.lower()
    has_time = any(hint in low for hint in TIME_HINTS) or HALF_OF_DAY.search(low)
    for match in TIME.finditer(text) if has_time else ():
        if match["named"]:
            minutes = NAMED[match["named"].lower()]
        elif match["word"]:
            hour = UNITS[match["word"].lower()] % 12
            minutes = (hour + (0 if (match["part"] or "").lower() == "morning" else 12)) * 60
        elif match["hour_before"]:  # "1:00 and 3:00 p.m.", "9 to 5 p.m.": less than twelve hours before the other
            hour, following = int(match["hour_before"]) % 12, int(match["hour_next"]) % 12
            is_afternoon = (match["half_next"].lower() == "p") == (hour <= following)
            minutes = (hour + 12 * is_afternoon) * 60 + int(match["minute_before"] or 0)
        elif match["hour24"]:
            minutes = int(match["hour24"]) * 60 + int(match["minute24"])
        else:
            minutes = (int(match["hour"]) % 12 + 12 * (match["half"].lower() == "p")) * 60 + int(match["minute"] or 0)
        yield Figure(match.start(), match.end(), "time", "clock", Fraction(minutes), step=Fraction(1))
    for match in ORDINAL.finditer(text) if any(hint in low for hint in ORDINAL_HINTS) else ():
        word = "-".join((match["words"] or "").lower().replace("-", " ").split())
        number = int(match["digits"]) if match["digits"] else ORDINALS[word]
        if number > 1:
            yield Figure(match.start(), match.end(), "ordinal", "th", Fraction(number), step=Fraction(1))
