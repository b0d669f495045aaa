"""Finds figures in faithful text, swaps one for a wrong one, or writes it another way.

It has patterns of its own, so that what the scorer fails to read is found here and held against it.
"""

import random
import re
from calendar import month_name
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
UNITS += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = {"billion": 10**9, "million": 10**6, "thousand": 10**3}
WORD = rf"(?:(?:{'|'.join(TENS[2:])})(?:[- ](?:{'|'.join(UNITS[1:10])}))?|{'|'.join(UNITS[:0:-1])})(?![-\w])"
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
FREE = r"(?<![\w.,/$#(-])"
NUMBER = rf"{FREE}(?:(?P<both>{WORD})\s*\((?P<again>{WHOLE})\)|(?P<word>{WORD})|(?P<num>{DIGITS}))"
TIME = r"(?:(?:business|calendar|consecutive|full|additional)\s+)?(?:minute|hour|day|week|month|year)s?\b"
MONTHS = "|".join(month_name[1:])
NO_NOUN = (
    "hundredths this was has its thus days weeks months years hours minutes dollars cents times pages does less plus"
)
OTHER_UNIT = {"minute": "day", "hour": "day", "day": "month", "week": "year", "month": "week", "year": "month"}
PATTERNS = {
    "date": re.compile(
        rf"\b(?P<month>{MONTHS})\s+(?P<day>\d{{1,2}}),?\s+(?P<year>(?:19|20)\d\d)\b"
        rf"|(?<![\w/.-])(?:the\s+)?(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:day\s+of\s+)?(?P<month2>{MONTHS})"
        rf",?\s+(?P<year2>(?:19|20)\d\d)\b"
    ),
    "money": re.compile(
        rf"(?<![A-Za-z])\$\s?(?P<num>{DIGITS})(?P<tail>\s(?:{'|'.join(SCALES)})\b)?(?![\w%]|[-,./]\d)", re.I
    ),
    "percent": re.compile(
        rf"{FREE}(?:(?P<both>{WORD})(?:\s+percent)?\s*\((?P<again>{DIGITS})\s?%\)"
        rf"|(?P<word>{WORD})(?P<tail>\s+per\s?cent)\b|(?P<num>{DIGITS})(?P<sign>\s?%|\s+percent\b))",
        re.I,
    ),
    "duration": re.compile(rf"{NUMBER}(?P<tail>[\s-]+{TIME})(?!\s+of\s+(?:{MONTHS}))", re.I),
    "count": re.compile(rf"{NUMBER}(?P<tail>\s+(?!(?:{NO_NOUN.replace(' ', '|')})\b)[a-z]{{3,}}s\b)"),
}
LABEL = re.compile(
    r"(?:\b(?:section|article|exhibit|schedule|paragraph|clause|no|page|item|suite|priority|milestone|level|phase)s?\.?"
    r"|page\s\d+\sof|\bx|,|\band|\bor)\s*$"
)
STANDING = re.compile(rf"{DIGITS}|\b{WORD}", re.I)


class Figure(NamedTuple):
    """A figure of a text: its range, kind and parts."""

    start: int
    end: int
    kind: str
    style: str
    """`digits`, `words`, `both` (words with the numeral in brackets) or `date`."""
    value: str
    """The number in plain digits; for a date `month day year`, each a number."""
    tail: str
    """What follows the number: a unit, a noun, a scale."""


def figures(text: str) -> list[Figure]:
    """Figures of a text, in order, none inside another."""
    taken: list[Figure] = []
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            figure = _figure(kind, match)
            if figure and all(figure.end <= other.start or other.end <= figure.start for other in taken):
                taken.append(figure)
    return sorted(taken)


def _figure(kind: str, match: re.Match[str]) -> Figure | None:
    start, end = match.span()
    part = match.groupdict()
    if kind == "date":
        month = list(month_name).index(part["month"] or part["month2"])
        value = f"{month} {part['day'] or part['day2']} {part['year'] or part['year2']}"
        return Figure(start, end, kind, "date", value, "")
    before = match.string[:start]
    composed = re.search(r"(?:hundred|thousand|million|point)(?:\s+and)?\s+$|\d\s+$", before, re.I)
    if composed:
        return None
    tail = part.get("tail") or part.get("sign") or ""
    if part.get("both"):
        value = part["again"].replace(",", "")
        return Figure(start, end, kind, "both", value, tail) if read(part["both"]) == Decimal(value) else None
    if part.get("word"):
        value = str(read(part["word"]))
        return Figure(start, end, kind, "words", value, tail) if kind != "count" or Decimal(value) > 1 else None
    value = part["num"].replace(",", "")
    a_year = kind == "count" and re.fullmatch(r"(?:19|20)\d\d", part["num"])
    if kind == "count" and (a_year or "." in value or Decimal(value) < 2 or LABEL.search(before.lower()[-20:])):
        return None
    return Figure(start, end, kind, "digits", value, tail)


def read(words: str) -> int:
    """Value of a number in words below one hundred."""
    return sum(UNITS.index(w) if w in UNITS else 10 * TENS.index(w) for w in re.split(r"[- ]", words.lower()))


def spell(number: int) -> str:
    """A number in words, as American English writes it."""
    for name, scale in SCALES.items():
        if number >= scale:
            rest = f" {spell(number % scale)}" if number % scale else ""
            return f"{spell(number // scale)} {name}{rest}"
    if number >= 100:
        return f"{UNITS[number // 100]} hundred" + (f" {spell(number % 100)}" if number % 100 else "")
    if number < 20:
        return UNITS[number]
    return TENS[number // 10] + (f"-{UNITS[number % 10]}" if number % 10 else "")


def swapped(figure: Figure, text: str, rng: random.Random) -> str | None:
    """The figure with a value that stands nowhere in the text, in the same written form."""
    if figure.kind == "date":
        for _ in range(20):
            written = _write_date(_other_date(figure.value, rng), 0)
            if written not in text:
                return written
        return None
    standing = {Decimal(w.replace(",", "")) if w[0].isdigit() else Decimal(read(w)) for w in STANDING.findall(text)}
    choices = [value for value in _near(figure.value) if Decimal(value) not in standing]
    if figure.style != "digits":
        choices = [value for value in choices if Decimal(value) < 100 and Decimal(value) % 1 == 0]
    return _write(figure, rng.choice(choices)) if choices else None


def another_unit(period: str) -> str:
    """A period of so many days made months, and so on."""
    return re.sub("minute|hour|day|week|month|year", lambda match: OTHER_UNIT[match[0].lower()], period, flags=re.I)


def _near(value: str) -> Iterator[str]:
    """Wrong values of the same length and more: one digit changed, doubled, tenfold."""
    for at, digit in enumerate(value):
        if digit.isdigit():
            for other in "123456789":
                changed = value[:at] + other + value[at + 1 :]
                if other != digit and Decimal(changed) >= 2:
                    yield changed
    yield str(Decimal(value) * 2)
    yield str(Decimal(value) * 10)


def _other_date(value: str, rng: random.Random) -> str:
    month, day, year = map(int, value.split())
    which = rng.randrange(3)
    if which == 0:
        month = rng.choice([m for m in range(1, 13) if m != month])
    elif which == 1:
        day = rng.choice([d for d in range(1, 29) if d != day])
    else:
        year += rng.choice((-3, -2, -1, 1, 2, 3, 10))
    return f"{month} {min(day, 28) if which == 0 else day} {year}"


def _write(figure: Figure, value: str) -> str:
    """`value` in the written form of `figure`."""
    grouped = f"{Decimal(value):,}"
    percent = "%" if figure.kind == "percent" else ""
    if figure.style == "both":
        return f"{spell(int(Decimal(value)))} ({grouped}{percent}){figure.tail}"
    if figure.style == "words":
        return f"{spell(int(Decimal(value)))}{figure.tail}"
    return ("$" if figure.kind == "money" else "") + grouped + figure.tail


def _write_date(value: str, form: int) -> str:
    month, day, year = map(int, value.split())
    ending = "th" if 10 < day % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    name = month_name[month]
    forms = (
        f"{name} {day}, {year}",
        f"{day} {name} {year}",
        f"the {day}{ending} day of {name}, {year}",
        f"{year}-{month:02d}-{day:02d}",
        f"{month}/{day}/{year}",
        f"{name[:3] if len(name) > 4 else name} {day}, {year}",
    )
    return forms[form]


def restated(figure: Figure, text: str, rng: random.Random) -> str:
    """The same figure in another written form."""
    forms = other_forms(figure, text)
    return rng.choice(forms) if forms else text[figure.start : figure.end]


def other_forms(figure: Figure, text: str) -> list[str]:
    """Every other way to write a figure of the text."""
    value = Decimal(0) if figure.kind == "date" else Decimal(figure.value)
    if figure.kind == "date":
        forms = [_write_date(figure.value, form) for form in range(6)]
    else:
        forms = _money(value, figure, text) if figure.kind == "money" else _counted(value, figure)
    return [form for form in forms if form != text[figure.start : figure.end]]


def _money(value: Decimal, figure: Figure, text: str) -> list[str]:
    amount = value * SCALES.get(figure.tail.strip().lower(), 1)
    forms = [f"${amount:,f}"] if figure.tail else []
    if amount == amount.to_integral_value():
        amount = amount.quantize(Decimal(1))
        forms.append(f"${amount:,}")
        if amount >= 10**6 and amount % 10**4 == 0:
            forms.append(f"${(amount / 10**6).normalize():f} million")
        if amount >= 2 and text[figure.start - 1 : figure.start] not in ("(", "S"):
            forms += [f"{amount:,} dollars", f"{spell(int(amount))} dollars"]
    return forms


def _counted(value: Decimal, figure: Figure) -> list[str]:
    if figure.kind == "percent":
        whole = [f"{spell(int(value))} percent"] if value == int(value) and value < 100 else []
        return [f"{value:,}%", f"{value:,} percent", f"{(value * 100).normalize():f} basis points", *whole]
    forms = [f"{value:,}{figure.tail}"]
    if value == int(value):
        forms.append(f"{spell(int(value))}{figure.tail}")
        if figure.tail.strip() == "months" and value % 12 == 0:
            forms.append(f"{spell(int(value) // 12)} years" if value > 12 else "one year")
    return forms
