"""Find calendar dates in text, as ISO text: `2024-03-01`, `2024-03` (no day), `--03-01` (no year).

A day without a year in a range takes the year of its end: "Nov. 4-8, 2024" is 2024-11-04 and 2024-11-08.

`3/4/24` is read month first, the American order, and marked ambiguous if day and month could be swapped. A year of two
digits is 1970 to 2069. "May" and "March" need their capital, so that "may 30 days" is not a date.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scoring.text.numbers import BELOW_100, ORDINALS, words_value

MONTH_NAMES = "January February March April May June July August September October November December"
MONTHS = {name[:3].lower(): number for number, name in enumerate(MONTH_NAMES.split(), 1)}
SHORT = "|".join(name[:3] for name in MONTH_NAMES.split() if name != "May")
SMALL_MONTHS = [name.lower() for name in MONTH_NAMES.split() if name not in ("March", "May")]
SMALL = "|".join(SMALL_MONTHS)
MONTH = re.compile(
    rf"(?:{'|'.join(f'{n}|{n.upper()}' for n in MONTH_NAMES.split())}|{SMALL}"
    rf"|(?:{SHORT}|Sept|{SHORT.upper()}|SEPT)\b\.?)(?!\w)"
)
ORDINAL = "(?P<ordinal>" + "|".join(sorted(ORDINALS, key=len, reverse=True)).replace("-", r"[-\s]") + ")"
DAY = rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)|{ORDINAL}\b)"
YEAR = rf"(?:(?P<year>(?:1[6-9]|20)\d\d)(?!\d)|(?P<year_words>two\s+thousand\s+(?:and\s+)?{BELOW_100}))"
BEFORE = re.compile(rf"(?:\bthe\s+)?(?<![\w$.,/-]){DAY}\s+(?:day\s+of\s+|of\s+)?$", re.I)
AFTER = re.compile(rf"\s+(?:the\s+)?{DAY}(?![,.]?\d)(?:,?\s+{YEAR})?", re.I)
YEAR_AFTER = re.compile(rf",?\s+(?:of\s+)?{YEAR}", re.I)
RANGE_END = re.compile(
    rf"(?:\s*[-–—]\s*|\s+(?P<word>to|through|until|and)\s+)(?P<month>[A-Z][A-Za-z]{{2,8}}\b\.?)?\s*{DAY}(?![,.:]?\d|\s*(?:[%/-]|[ap]\.?m\b))(?:,?\s+{YEAR})?"
)
CLOSED = re.compile(r"\s*(?:[.,;:)]|$)")
"""What follows a day that ends a range and has no year."""
NUMERIC = re.compile(
    r"(?<![\w/.-])(?:(?P<iso_year>(?:1[6-9]|20)\d\d)-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)"
    r"|(?P<first>\d{1,2})(?P<mark>\s?/\s?|-)(?P<second>\d{1,2})(?P=mark)(?P<year>(?:19|20)\d\d|(?<=/)\d\d))(?![\d/-])"
)
SHORT_DATE = re.compile(r"(?<![\w/.$€£-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,]\d|\s*(?:of|%|inch|mile|acre))")
"""A month and a day, in a text that writes whole dates so."""
NUMERIC_HINT = re.compile(r"\d\s?[/-]\s?\d")
MONTH_STARTS = "|".join(sorted({name[1:3] for name in MONTH_NAMES.split()}))
MONTH_HINT = re.compile(rf"[JFMASOND](?<![A-Za-z0-9].)(?:{MONTH_STARTS}|{MONTH_STARTS.upper()})")
SMALL_MONTH_HINT = re.compile(
    rf"[JFMASONDjfasond](?<![A-Za-z0-9].)(?:{MONTH_STARTS}|(?<=[A-Z])(?:{MONTH_STARTS.upper()}))"
)
"""The beginning of a month's name, without and with small letters; avoids trying all names at each character."""
DAY_ENDS = frozenset(("st", "nd", "rd", "th", "of"))
LONGEST_BEFORE = 40
"""Characters before a month's name that may belong to its date."""


FISCAL_YEAR = r"(?:(?:the\s+)?(?:fiscal|calendar)(?:\s+year)?\s+|FY\s?)"
PERIOD_YEAR = r"(?:(?P<{0}>(?:19|20)\d\d)(?!\d|[-–/]\d)|['’](?P<{0}_short>\d\d)(?!\d))"
PERIOD = re.compile(
    rf"(?:{FISCAL_YEAR}?{PERIOD_YEAR.format('before')}|FY\s?(?P<fiscal_before>\d\d)(?!\d))(?:,?\s+|-)?(?:Q(?P<q_after>[1-4])|H(?P<h_after>[12]))(?!\w)"
    r"|(?<!\w)(?P<joined>[1-4])(?P<kind>[QH])['’]?(?P<joined_year>\d\d)(?!\d)"
    r"|(?<!\w)(?:Q(?P<q>[1-4])|(?P<q2>[1-4])Q|H(?P<h>[12])|(?P<h2>[12])H"
    r"|(?P<word>first|second|third|fourth|last|final|[1-4](?:st|nd|rd|th))[\s-]+(?:(?:fiscal|calendar)\s+)?(?:(?P<quarter>quarter)|half))"
    rf"(?:,?\s+|-)?(?:(?:of|in)\s+)?(?:{FISCAL_YEAR}?{PERIOD_YEAR.format('after')}|FY\s?(?P<fiscal_after>\d\d)(?!\d))"
    rf"|(?<!\w)(?:FY\s?['’]?(?P<fiscal>(?:20)?\d\d)|fiscal(?:\s+year)?\s+(?P<fiscal_year>(?:19|20)\d\d))(?!\d|[-–/]\d)",
    re.I,
)
PERIOD_HINT = re.compile(r"uarter|[1-4][QH]|[QH][1-4]|FY|iscal|half")
ENDS = {"first": 1, "second": 2, "third": 3, "fourth": 4}


class Date(NamedTuple):
    """A date with its range in the text."""

    start: int
    end: int
    iso: str
    ambiguous: bool
    """The other order of day and month would be another date."""


def periods_in(text: str) -> Iterator[Date]:
    """Yield the quarters, halves and fiscal years of a text that have their year: `2024-Q3`, `2024-H1`, `2024-FY`."""
    for match in PERIOD.finditer(text) if PERIOD_HINT.search(text) else ():
        found = {name: value for name, value in match.groupdict().items() if value}
        year = next(found[name] for name in found if name.startswith(("before", "after", "fiscal", "joined_")))
        part = "FY"
        if "joined" in found:
            part = found["kind"].upper() + found["joined"]
        elif "word" in found:
            word, is_quarter = found["word"].lower(), "quarter" in found
            number = int(word[0]) if word[0].isdigit() else ENDS.get(word, 4 if is_quarter else 2)
            part = f"{'Q' if is_quarter else 'H'}{number}"
        else:
            part = next((f"{name[0].upper()}{found[name]}" for name in found if name[0] in "qh"), part)
        if part not in ("H3", "H4"):
            yield Date(match.start(), match.end(), f"{year if len(year) == 4 else '20' + year}-{part}", False)


def dates_in(text: str) -> Iterator[Date]:
    """Yield the dates of a text: numeric ones, then those with a month's name."""
    for match in NUMERIC.finditer(text) if NUMERIC_HINT.search(text) else ():
        date = _numeric(match)
        if date:
            yield date
    if NUMERIC.search(text):
        for match in SHORT_DATE.finditer(text):
            date = _date(match.start(), match.end(), "-", int(match[1]), int(match[2]))
            if date:
                yield date
    after = 0
    pattern = SMALL_MONTH_HINT if any(month in text for month in SMALL_MONTHS) else MONTH_HINT
    for hint in pattern.finditer(text):
        month = MONTH.match(text, hint.start())
        if month and month.start() >= after and not text[month.start() - 1 : month.start()].isalnum():
            date = _named(text, month, after)
            last = _range_end(text, month, date) if date else None
            if date and last and date.iso.startswith("-"):
                date = date._replace(iso=_year_before(last, date) + date.iso[1:])
            for each in filter(None, (date, last)):
                after = each.end
                yield each


def _numeric(match: re.Match[str]) -> Date | None:
    if match["iso_year"]:
        return _date(match.start(), match.end(), match["iso_year"], int(match["iso_month"]), int(match["iso_day"]))
    month, day, year = int(match["first"]), int(match["second"]), match["year"]
    ambiguous = month <= 12 and day <= 12 and day != month
    if month > 12:
        month, day = day, month
    if len(year) == 2:
        year = f"{'19' if int(year) >= 70 else '20'}{year}"
    return _date(match.start(), match.end(), year, month, day, ambiguous)


def _named(text: str, month: re.Match[str], first: int) -> Date | None:
    """The date around a month's name; it begins at `first` or later."""
    number = MONTHS[month[0][:3].lower()]
    lead = text[max(first, month.start() - LONGEST_BEFORE) : month.start()]
    before = BEFORE.search(text, month.start() - len(lead), month.start()) if _may_end_a_day(lead.rstrip()) else None
    if before:
        year = YEAR_AFTER.match(text, month.end())
        end = year.end() if year else month.end()
        return _date(before.start(), end, _year(year) if year else "-", number, _day(before))
    after = AFTER.match(text, month.end())
    if after:
        return _date(month.start(), after.end(), _year(after), number, _day(after))
    year = YEAR_AFTER.match(text, month.end())
    return Date(month.start(), year.end(), f"{_year(year)}-{number:02d}", False) if year else None


def _range_end(text: str, month: re.Match[str], start: Date) -> Date | None:
    """The date that ends a range, with a month of its own or in the month of its start."""
    match = RANGE_END.match(text, start.end) if start.iso.startswith("--") else None
    own = MONTH.fullmatch(match["month"]) if match and match["month"] else None
    if not match or (match["month"] and not own):
        return None
    year = _year(match)
    if year == "-" and (own or (match["word"] and not CLOSED.match(text, match.end()))):
        return None
    first = match.start("month") if own else match.start("day") if match["day"] else match.start("ordinal")
    return _date(first, match.end(), year, MONTHS[(own or month)[0][:3].lower()], _day(match))


def _year_before(last: Date, first: Date) -> str:
    """The year of the start of a range, which may be the one before that of its end."""
    year = last.iso[: last.iso.index("-", 1)]
    return str(int(year) - 1) if year.isdecimal() and first.iso[1:] > last.iso[4:] else year


def _year(match: re.Match[str]) -> str:
    """The year matched, or "-"."""
    return match["year"] or (str(words_value(match["year_words"])) if match["year_words"] else "-")


def _may_end_a_day(text: str) -> bool:
    """Whether a text ends as "1", "1st", "first" and "first day of" do; avoids trying the pattern at each character."""
    return text[-1:].isdigit() or text[-2:].lower() in DAY_ENDS


def _date(start: int, end: int, year: str, month: int, day: int, ambiguous: bool = False) -> Date | None:
    possible = 1 <= month <= 12 and 1 <= day <= 31
    return Date(start, end, f"{year}-{month:02d}-{day:02d}", ambiguous) if possible else None


def _day(match: re.Match[str]) -> int:
    return int(match["day"]) if match["day"] else ORDINALS["-".join(match["ordinal"].lower().replace("-", " ").split())]
