"""Find money, percentages, dates, durations and counts in text, each in a canonical form.

Canonical values: money in cents, percentages in basis points, durations in minutes, months or business days, counts
unchanged, all exact fractions; dates as ISO text (`2024-03-01`, `2024-03`, `--03-01`). "Thirty (30) days" is one
figure. Bullets, section and page numbers, statute references, clock times and numbers inside identifiers are not
figures, nor are "zero" and "one" in words, which English uses as pronouns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from harness.scoring.text import numbers
from harness.scoring.text.dates import dates_in
from harness.scoring.text.normalize import lower, normalise

PER_AFTER = re.compile(
    r",?\s*(?:/|(?:per|a|an|each|every)\s+)(?:calendar\s+)?(?P<period>month|quarter|year|annum)\b"
    r"|,?\s*(?P<manner>monthly|quarterly|annually|yearly)\b",
    re.I,
)
PER_BEFORE = re.compile(
    r"(?P<manner>[MmQqAaYy](?<!\w.)(?i:(?<=m)onthly|(?<=q)uarterly|(?<=a)nnual|(?<=y)early))\s+(?:\w+\s+){0,3}?"
    r"(?i:(?:is|are|of|was|be|at|equals?|totals?)\s+|[:=]\s*)?$"
)
PERIODS = {"m": "month", "q": "quarter", "y": "year", "a": "year"}


def paid_for(text: str, start: int, end: int) -> str:
    """Return the period that an amount is paid for, if the text right before or after says so, else ''."""
    after = PER_AFTER.match(text, end)
    if after:
        return PERIODS[(after["period"] or after["manner"])[0].lower()]
    before = PER_BEFORE.search(text, max(0, start - 40), start)
    return PERIODS[before["manner"][0].lower()] if before else ""


CURRENCIES = {"$": "USD", "usd": "USD", "€": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP"}
UNITS: dict[str, tuple[str, str, Fraction]] = {
    "%": ("percent", "bp", Fraction(100)),
    "percent": ("percent", "bp", Fraction(100)),
    "basis point": ("percent", "bp", Fraction(1)),
    "point": ("percent", "bp", Fraction(100)),
    "x": ("count", "", Fraction(1)),
    "dollar": ("money", "USD", Fraction(100)),
    "euro": ("money", "EUR", Fraction(100)),
    "pound sterling": ("money", "GBP", Fraction(100)),
    **{code.lower(): ("money", code, Fraction(100)) for code in ("USD", "EUR", "GBP")},
    "cent": ("money", "USD", Fraction(1)),
    "¢": ("money", "USD", Fraction(1)),
    "minute": ("duration", "minutes", Fraction(1)),
    "hour": ("duration", "minutes", Fraction(60)),
    "day": ("duration", "minutes", Fraction(1440)),
    "week": ("duration", "minutes", Fraction(10080)),
    "month": ("duration", "months", Fraction(1)),
    "year": ("duration", "months", Fraction(12)),
    "business day": ("duration", "business days", Fraction(1)),
}
"""Kind, canonical unit and factor, by the unit's plain name."""

SHORT_UNITS = {
    "yrs": "year",
    "yr": "year",
    "bps": "basis point",
    "bp": "basis point",
    "pp": "point",
    "pts": "point",
} | {
    **dict.fromkeys(("min", "mins"), "minute"),
    **dict.fromkeys(("hr", "hrs"), "hour"),
    **dict.fromkeys(("wk", "wks"), "week"),
    **dict.fromkeys(("mo", "mos"), "month"),
}
UNIT = (
    r"(?P<unit>\s*%(?:\s*points?\b)?|\s?¢|(?<=\d)x\b|(?:\s+of\s+a(?=\s+per))?[\s-]*(?:per\s?cent(?:age\s+points?)?\b|pct\b\.?(?:\s+points?\b)?|pp\b|ppts?\b|points?\b|pts\b|basis\s+points?\b|bps?\b"
    r"|(?:U\.?\s?S\.?\s+)?dollars?\b|euros?\b|pounds?\s+sterling\b|cents?\b|(?:USD|EUR|GBP)\b(?!\s?\d)"
    r"|(?:(?:consecutive|calendar|full|whole|paid|unpaid|sick|additional|extra|more|business|working|banking|successive"
    r"|further|or\s+more|or\s+fewer|or\s+less)\s+){0,2}"
    r"(?:minutes?|mins?\.?|hours?|hrs?\.?|days?|weeks?|wks?\.?|months?|mos?\.|years?|yrs?\.?)(?!\w)))"
)
MONEY_SIGN = r"(?P<sign>(?:\bUS\s?|\bU\.S\.\s?)?[$€£]|\b(?:USD|EUR|GBP))"
RESTATED = (
    rf"\s*\(\s*(?:US|U\.S\.)?\s*[$€£]?\s*(?P<again>{numbers.DIGITS}|{numbers.FRACTION})"
    r"\s*(?P<again_scale>thousand|million|billion)?\s*(?:%|per\s?cent|dollars|days|months|years|hours|weeks)?\s*\)"
)
SAME_UNIT = r"(?:(?<=dollars)|(?<=dollar)|(?<=euros)|(?<=sterling)|(?!\s*\(\s*(?:US|U\.S\.)?\s*[$€£]))"
"""Before brackets that restate a figure with its unit: "5% ($179.36)" are two figures."""
IN_WORDS = rf"(?:\s?\((?:{numbers.WORDS})\)(?=[\s-]?[a-z%]))?"
"""The number again, before its scale or unit: "30 (thirty) days"."""
QUANTITY = re.compile(
    rf"(?:(?:{MONEY_SIGN}\s?)?(?<![\w.,/\u2044#-])(?<!\d:)(?P<digits>{numbers.FRACTION}|{numbers.DIGITS}(?:\s+{numbers.FRACTION})?)"
    rf"{IN_WORDS}(?:[\s-]*(?P<scale>thousand|million|billion|trillion)\b|(?P<short>\s?(?:mm|mn|bn)|[kmb])\b)?{IN_WORDS}"
    rf"|(?P<words>{numbers.WORDS})(?:\s+and\s+(?P<hundredths>\d{{1,2}}|no|xx)/100(?:ths|'?s)?)?(?P<before>{RESTATED})?)"
    rf"(?:{UNIT}(?P<after>{SAME_UNIT}{RESTATED.replace('again', 'later')})?)?",
    re.I,
)
UNITS_FOLLOW = (
    r"(?!\s*(?:%|per\s?cent|basis|dollars|(?:(?:business|calendar|working)\s+)?"
    r"(?:min(?:ute)?s?|h(?:ou)?rs?|days?|w(?:ee)?ks?|mo(?:nth)?s?|y(?:ea)?rs?)\b))"
)
REFERENCE = re.compile(
    r"(?:§\s?|\b(?:(?:guideline|policy|procedure|directive|section|article|paragraph|clause|exhibit|schedule|page|chapter|no|p|sec|art|para)(?P<list>s)?\.?"
    r"|(?P<pages>pp\.?)|appendix|annex|(?-i:Item|Title|Rule|Form|Part|Step|Note|Question|Line|Number))\s+)[#(]?$",
    re.I,
)
LIST_JOINT = re.compile(r"(?:\(\w{1,4}\))*\s*(?:,|(?:,\s*)?\b(?:and|or|to|through)\b)\s*")
LONGEST_BULLET = 2
BULLET_BEFORE = re.compile(r"(?:(?:^|\n)[ \t]*[-*•>]?|(?:[:.;]|[A-Za-z],)[ \t]+)[ \t]*\(?$")
BULLET_AFTER = re.compile(r"[.)](?=\s)")
CODE_SECTION = re.compile(r"\d\d?[-\u2010-\u2013]\d{1,2}[A-Z]?[-\u2010-\u2013]\d{1,4}(?:\.\d+)?(?:\(\w+\))*", re.I)
FIRST_LETTERS = re.compile(
    r"[0-9$€£][0-9]*|o(?=ne\b)|t(?=wo\b|hree\b|hir|en\b|wel|wen)|f(?=our|ive\b|ift|or[t])|s(?=ix|even)|e(?=ight|leven)"
    r"|n(?=ine)|a(?=n?\s+(?:hundred|thousand|million|billion|trillion))|u(?=s\s?\$|sd|\.s\.\s?\$)|e(?=ur\b)|g(?=bp\b)",
)
"""Where a quantity may begin, in lower case; avoids trying the whole pattern at each character."""
HINT = re.compile(
    r"\d|\b(?:half|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twel|thir|fort|fif|twen|hundred|thousand|million"
    r"|billion|trillion|first|second|nin)"
)
"""Part of every figure, in lower case: a digit, or the beginning of a number word."""
NAMED_UNIT = re.compile(
    r"%|¢|per\s?cent|pct|basis\s+point|bps?|pp|points?|pts|x\b|dollar|euro|pounds?\s+sterling|cent|usd|eur\b|gbp|minute|mins?\b|hour|hrs?\b|day|week|wks?\b|month|mos?\b|year|yr",
    re.I,
)
BUSINESS = re.compile(r"business|working|banking", re.I)
UNIT_RANGE = re.compile(
    r"-(?<=[\d%]-)(?=\d+(?:\.\d+)?(?:"
    + UNITS_FOLLOW.replace("(?!", "(?=", 1)
    + rf"|\s?(?:{'|'.join(numbers.SCALES)})\b|\d{{0,2}}(?:,\d{{3}})+(?!\d)))"
)
RANGE_JOINT = re.compile(r"\s*(?:\b(?:to|or|and|through)\b|[-–—]|,(?:\s*and\b)?)\s*")
SCALE_AHEAD = re.compile(
    rf"\s*(?:\b(?:to|and|or)\b|[-–—])\s*[$€£]?\s?(?P<digits>{numbers.DIGITS})\s?(?:(?P<scale>{'|'.join(numbers.SCALES)})|(?P<short>[mb]n))\b",
    re.I,
)
SIGN_BEHIND = re.compile(rf"(?P<sign>[$€£])\s?(?P<digits>{numbers.DIGITS})\s*(?P<joint>to|and|or|[-–—])\s*$", re.I)
"""The other end of a range of amounts that share their sign and their scale: "$1.2-1.5 million"."""
LONGEST_AMOUNT = 24
MOST_LISTED = 4
"""Numbers before the one whose unit they share."""
YEAR = re.compile(r"(?:19|20)\d\d")
FIRST_POINTS = re.compile(r"(?:\A|[.:!?]\s|\n)[*_]*[a-z]+\s+points$", re.I)
"""Points that a sentence begins with: things to say, and not percentages."""
YEARS = re.compile(r"(?<![\w.,/$€£-])(?P<first>(?P<century>19|20)\d\d)\s?[-–/]\s?(?P<last>\d\d)(?![\w/-]|[.,]\d)")
"""Years with a short second one: "2021-23"; "2010-12" is a month."""
MONTHS, MOST_YEARS = 12, 20
SPACE = re.compile(r"\s+")
SMALL_PARTS = {"hundredth": Fraction(1), "tenth": Fraction(10)}
"""Basis points in a hundredth and in a tenth of one percent."""
FRACTION_OF = re.compile(
    rf"(?<![\w/.-])(?:(?<!\d\s)(?P<numeral>{numbers.FRACTION})|(?:(?P<top>an?|one|two|three|\d)[\s-]+)?(?P<part>{'|'.join(numbers.PARTS)})s?(?:\s*\(\d{{1,2}}/\d{{1,3}}\))?)(?:[\s-]+(?P<of>of\s+)?(?:an?\s+|one\s+|1\s+)?"
    rf"(?P<unit>per\s?cent|%|percentage\s+point|point|day|hour|month|year|week|{'|'.join(numbers.SCALES)})s?\b|(?P<whole>\s+of\b))",
    re.I,
)
"""A fraction of a unit ("half a percent") or of a whole ("two-thirds of the deposit", "3/4 of the members")."""
DOLLARS = re.compile(r"\s+(?:U\.?S\.?\s+)?dollars\b", re.I)
AND_A_HALF = re.compile(
    rf"(?<![\w/.-])(?P<count>an?|{numbers.DIGIT}|\d{{1,3}})[\s-]+(?P<unit>percentage\s+point|day|hour|month|year|week)s?\s+and\s+(?:an?|one)[\s-]+(?P<part>half|quarter)\b",
    re.I,
)
PART_BEFORE = re.compile(r"(?:\b(?:first|second|other|latter|last|same|this|that|each|either|next)\s|-)$", re.I)
"""Before a "half" that is a part of its own: "the second half of 2024"."""
NUMBER_WORDS = "|".join((*numbers.UNITS, *numbers.TENS, "hundred", *numbers.SCALES))
MIXED_BEFORE = re.compile(
    rf"(?:\d|\b(?:{NUMBER_WORDS}))\s+and\s+(?:(?:an?|one|two|three)[\s-]+)?$",
    re.I,
)
SMALL_STARTS = frozenset("htHT")
OF_ONE_PERCENT = re.compile(
    rf"[\s-]*(?P<part>hundredth|tenth)s?\s+of\s+(?:one|a|1)\s*(?:per\s?cent|%)(?P<bracket>\s*\(\s*(?P<again>{numbers.DIGITS})\s*%\s*\))?",
    re.I,
)
JOINED = re.compile(r"-\w")
START = attrgetter("start")
IDENTIFIER = re.compile(r"[A-Za-z_]|[-/:.,\u2044]\d|-[A-Za-z]|\s?[ap]\.?m\b", re.I)


class Figure(NamedTuple):
    """One figure: its range, kind, canonical unit and value."""

    start: int
    end: int
    kind: str
    unit: str
    value: Fraction | str
    restated: Fraction | None = None
    """The value in brackets if it differs from the one in words."""
    step: Fraction = Fraction(0)
    """Place value of the last digit shown, in the canonical unit."""
    ambiguous: bool = False
    """A numeric date that would be another one with day and month swapped."""
    per: str = ""
    """For money, the period it is paid for: month, quarter or year."""


SizeKey = tuple[str, int | str, int]
"""Unit, and value as numerator and denominator, because a Fraction is slow to hash."""


def size_key(unit: str, value: Fraction | str) -> SizeKey:
    """Return a key that is equal for equal figures of one unit."""
    return (unit, value, 1) if isinstance(value, str) else (unit, *value.as_integer_ratio())


class QuantityGroups(NamedTuple):
    """The groups of `QUANTITY`, in order."""

    sign: str | None
    digits: str | None
    scale: str | None
    short: str | None
    words: str | None
    hundredths: str | None
    before: str | None
    again: str | None
    again_scale: str | None
    unit: str | None
    after: str | None
    later: str | None
    later_scale: str | None


@lru_cache(maxsize=64)
def figures_in(text: str) -> tuple[Figure, ...]:
    """List the figures of a text in order of appearance, with offsets into `text`."""
    normal = normalise(text)
    if not HINT.search(normal.text.lower()):
        return ()
    plain = UNIT_RANGE.sub("–", normal.text)
    taken = bytearray(len(plain))
    figures: list[Figure] = []
    for date in dates_in(plain):
        figures.append(Figure(date.start, date.end, "date", "date", date.iso, ambiguous=date.ambiguous))
        taken[date.start : date.end] = b"\1" * (date.end - date.start)
    for match in YEARS.finditer(plain) if "20" in plain or "19" in plain else ():
        first, last = int(match["first"]), int(match["century"] + match["last"])
        if first < last <= first + MOST_YEARS and int(match["last"]) > MONTHS:
            for group, year in (("first", first), ("last", last)):
                figures.append(Figure(*match.span(group), "count", "", Fraction(year), step=Fraction(1)))
            taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    for match in CODE_SECTION.finditer(plain):
        taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    for figure in _fractions(plain):
        if 1 not in taken[figure.start : figure.end]:
            figures.append(figure)
            taken[figure.start : figure.end] = b"\1" * (figure.end - figure.start)
    figures.extend(_figures(plain, taken))
    figures.sort(key=START)
    if normal.starts is not None:
        figures = [_placed(figure, *normal.original(figure.start, figure.end)) for figure in figures]
    return tuple(figures)


def _fractions(text: str) -> Iterator[Figure]:
    low = text.lower()
    if "/" not in low and "\u2044" not in low and not any(part in low for part in numbers.PARTS):
        return
    for match in AND_A_HALF.finditer(text):
        count = numbers.UNITS.get(match["count"].lower()) or (int(match["count"]) if match["count"].isdigit() else 1)
        kind, unit, factor = _unit(match["unit"], "", "")
        size = count + Fraction(1, numbers.PARTS[match["part"].lower()])
        yield Figure(match.start(), match.end(), kind, unit, size * factor, step=factor / 100)
    for match in FRACTION_OF.finditer(text):
        start = match.start()
        if MIXED_BEFORE.search(text, max(0, start - LONGEST_AMOUNT), start):
            continue
        if match["numeral"]:
            share = numbers.digits_value(match["numeral"])
            if match["unit"]:
                continue  # read with its unit: "1/2 hour"
        else:
            part, top = numbers.PARTS[match["part"].lower()], (match["top"] or "one").lower()
            is_half = part == numbers.PARTS["half"]
            if not is_half and (not match["top"] or not (match["of"] or match["whole"])):
                continue  # an ordinal: "a third year"
            if is_half and not match["top"] and match["whole"] and PART_BEFORE.search(text, max(0, start - 8), start):
                continue
            share = Fraction(int(top) if top.isdigit() else numbers.UNITS.get(top, 1), part)
        if match["unit"] and match["unit"].lower() in numbers.SCALES:
            money = DOLLARS.match(text, match.end())
            size = share * numbers.SCALES[match["unit"].lower()] * (100 if money else 1)
            kind, unit = ("money", "USD") if money else ("count", "")
            yield Figure(start, (money or match).end(), kind, unit, size, step=size / 10)
        elif match["unit"]:
            kind, unit, factor = _unit(match["unit"], "", "")
            yield Figure(start, match.end(), kind, unit, share * factor, step=factor / 100)
        elif share < 1:
            yield Figure(start, match.start("whole"), "percent", "bp", share * 10000, step=Fraction(100))


def _placed(figure: Figure, start: int, end: int) -> Figure:
    return figure._replace(start=start, end=end)


def _quantities(text: str) -> Iterator[re.Match[str]]:
    """Matches of `QUANTITY`, in the order of its `finditer`."""
    end = 0
    for first in FIRST_LETTERS.finditer(lower(text)):
        match = QUANTITY.match(text, first.start()) if first.start() >= end else None
        if match:
            end = match.end()
            yield match


def _figures(text: str, taken: bytearray) -> Iterator[Figure]:
    listed = -1
    for match in _quantities(text):
        start, end = match.span()
        if 1 in taken[start:end]:
            continue
        small = OF_ONE_PERCENT.match(text, end) if text[end : end + 12].strip("- \t\n")[:1] in SMALL_STARTS else None
        if small:
            yield _small_percent(match, small)
            taken[start : small.end()] = b"\1" * (small.end() - start)
            continue
        parts = QuantityGroups(*match.groups())
        written = "" if parts.words and FIRST_POINTS.search(text, max(0, start - 4), end) else parts.unit or ""
        if not (written or parts.sign or parts.before or parts.after):
            reference = REFERENCE.search(text, max(0, start - 16), start)
            if reference or (listed >= 0 and LIST_JOINT.fullmatch(text, listed, start)):
                listed = end if not reference or reference["list"] or reference["pages"] or "§" in reference[0] else -1
                continue
            if _is_no_count(match, text):
                continue
            written = "" if YEAR.fullmatch(match[0]) or "," in match[0] else _unit_ahead(text, end)
        parts = _in_range(parts, written, text, start, end)
        kind, unit, value, restated, size = _amount(parts, written)
        per = paid_for(text, start, end) if kind == "money" else ""
        yield Figure(start, end, kind, unit, value, restated, size, per=per)


@lru_cache(maxsize=4096)
def _amount(parts: QuantityGroups, written: str) -> tuple[str, str, Fraction, Fraction | None, Fraction]:
    """Kind, unit, value, value in brackets and step of the groups of a match, with the unit `written`."""
    kind, unit, factor = _unit(written, parts.sign or "", parts.before or parts.after or "")
    value, size = _value(parts, kind)
    return kind, unit, value * factor, _restated(parts, value, factor), size * factor


def _small_percent(match: re.Match[str], small: re.Match[str]) -> Figure:
    """ "Twenty-five hundredths of one percent (0.25%)"."""
    count = numbers.words_value(match["words"]) if match["words"] else numbers.digits_value(match["digits"])
    value = count * SMALL_PARTS[small["part"].lower()]
    other = numbers.digits_value(small["again"]) * 100 if small["again"] else value
    return Figure(match.start(), small.end(), "percent", "bp", value, other if other != value else None)


def _restated(parts: QuantityGroups, value: Fraction, factor: Fraction) -> Fraction | None:
    """The number in brackets, if it is not the one in words; a percentage may restate basis points."""
    again = parts.again or parts.later
    if not again:
        return None
    scale = numbers.SCALES.get((parts.again_scale or parts.later_scale or "").lower(), 1)
    other = numbers.digits_value(again) * scale
    bracket = parts.before or parts.after or ""
    kind, unit, own = _unit(bracket, "", "") if NAMED_UNIT.search(bracket) else ("", "", factor)
    if kind == "duration" and unit != _unit(parts.unit or "", "", "")[1]:  # "1 year (365 days)"
        return None
    if kind == "duration":  # "7 years (84 months)"
        return other * own if other * own != value * factor else None
    if "%" in (parts.before or parts.after or "") and factor == 1 and (parts.unit or "").strip(" -")[:1] in "bB":
        other *= 100
    return other * factor if other != value else None


def _in_range(parts: QuantityGroups, written: str, text: str, start: int, end: int) -> QuantityGroups:
    """The groups of an amount with the scale or the sign that it shares with the other end of its range."""
    if written or not parts.digits:
        return parts
    other = None
    if parts.sign and not (parts.scale or parts.short):
        other = SCALE_AHEAD.match(text, end)
        if other and numbers.digits_value(parts.digits) < numbers.digits_value(other["digits"]):
            return parts._replace(scale=other["scale"], short=other["short"])
    elif not parts.sign:
        other = SIGN_BEHIND.search(text, max(0, start - LONGEST_AMOUNT), start)
        is_range = other and (parts.scale or parts.short or other["joint"] in "-–—")
        if other and is_range and numbers.digits_value(other["digits"]) < numbers.digits_value(parts.digits):
            return parts._replace(sign=other["sign"])
    return parts


def _unit_ahead(text: str, at: int, most: int = MOST_LISTED) -> str:
    """The unit of the last number in "10 to 15 days" and "0.5, 0.6 and 0.7 points", which is the first one's too."""
    joint = RANGE_JOINT.match(text, at)
    ahead = QUANTITY.match(text, joint.end()) if joint and most else None
    if ahead is None:
        return ""
    return ahead["unit"] or ("" if ahead["sign"] else _unit_ahead(text, ahead.end(), most - 1))


def _value(parts: QuantityGroups, kind: str) -> tuple[Fraction, Fraction]:
    """The number matched, and the place value of its last digit."""
    if parts.words:
        hundredths = parts.hundredths or ""
        value = numbers.words_value(parts.words)
        value += Fraction(int(hundredths), 100) if hundredths.isdecimal() else 0
        return value, numbers.step(str(int(value)))
    digits, scale = parts.digits or "", numbers.SCALES.get((parts.scale or "").lower(), 1)
    if kind == "money" and parts.short:
        scale = numbers.SHORT_SCALES[parts.short.strip().lower()]
    return numbers.digits_value(digits) * scale, numbers.step(digits, scale)


def _unit(written: str, sign: str, bracket: str) -> tuple[str, str, Fraction]:
    """Kind, canonical unit and factor; a bracket such as "($500)" or "(5%)" gives its unit to a bare number."""
    if sign:
        return "money", CURRENCIES[sign.lower()[-3:] if sign[-1].isalpha() else sign[-1]], Fraction(100)
    for text in (written, bracket):
        unit = NAMED_UNIT.search(text)
        if unit:
            name = SPACE.sub(" ", unit[0].lower()).strip(". ").replace("pounds", "pound")
            name = SHORT_UNITS.get(name, name)
            name = "percent" if name.startswith(("per cent", "percent", "pct")) else name.removesuffix("s")
            if name == "day" and BUSINESS.search(text):
                name = "business day"
            return UNITS[name]
        if "$" in text:
            return "money", "USD", Fraction(100)
    return "count", "", Fraction(1)


def _is_no_count(match: re.Match[str], text: str) -> bool:
    """Whether a bare number is a pronoun, an ordinal, a bullet, a clock time or part of an identifier."""
    start, end = match.span()
    if match["words"]:
        return bool(JOINED.match(text, end)) or numbers.words_value(match["words"]) <= 1
    if match["short"] or IDENTIFIER.match(text, end):
        return True
    is_short = len(match["digits"]) <= LONGEST_BULLET
    if is_short and BULLET_AFTER.match(text, end) and BULLET_BEFORE.search(text, max(0, start - 12), start):
        return True
    return text[start - 1 : start] == "(" and text[end : end + 1] == ")" and is_short
