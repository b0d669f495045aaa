"""Read the unit and the scale that labels give to a number: "($ in thousands)", "Share (%)", "noi_margin_pct".

Labels are those of a table or of JSON, and the beginning of a line: "Net income (in millions): 24".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from harness.scoring.text.quantities import UNITS, Figure, figures_in

PER_UNIT = re.compile(r"\b(?:per|a|each)[\s-](?:share|unit)\b", re.I)
CURRENCY = {"$": "USD", "usd": "USD", "€": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP"}
UNIT = re.compile(
    r"(?P<percent>%|\bper\s?cent\b|\bpct\b|\bpp\b|percentage points)|(?P<bps>\bbps\b|\bbp\b|\bbasis points\b)"
    r"|(?P<money>[$€£]|\b[km]?(?:USD|EUR|GBP)[km]?\b|\bdollars\b|\bmoney\b)"
    r"|(?P<scale>\b(?:in)?(?:thousand|million|billion)s?\b|\b000s?\b)",
    re.I,
)
SCALE = re.compile(
    r"\b(?:in)?(?:(?P<thousand>thousands?|000s?)|(?P<million>millions?|mn|mm)|(?P<billion>billions?|bn))\b"
    r"|(?:(?<=[$€£])|(?<=\bUSD)|(?<=\bEUR)|(?<=\bGBP))\s?(?:(?P<thousand_>K)|(?P<million_>MM?))\b"
    r"|\b(?:(?P<thousand__>K)|(?P<million__>M))(?=USD|EUR|GBP)",
    re.I,
)
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
PERIOD = re.compile(r"(?:\(|(?:^\W*|_)(?:in_)?)(minute|hour|day|week|month|year)s(?:\)|_|\W*$)", re.I)
LINE = re.compile(r"[^\n]+")
LABEL = re.compile(r"[^\n:=]{2,90}?\s?(?:[:=]|\s[-\u2013\u2014])\s{0,9}(?=[-\u2212(]?\s?[$€£]?\s?\d)")
"""The beginning of a line, up to its number."""
UNIT_PART = re.compile(
    rf"\([^()\n]*\)|{PER_UNIT.pattern}|(?:,|\bin)\s+(?:in\s+)?(?:US)?(?:{UNIT.pattern})[^,:=]*?(?=\s*[:=-]|$)", re.I
)
"""The part of a label that may say a unit: what is in brackets, and the end after a comma or "in"."""
LONGEST_HEADING = 120
MOST_PER_UNIT = 1000
"""A larger amount per share is in the scale of its table."""
MIN_DIGITS = 3
"""A number with fewer digits is not taken for an amount whose unit was left out."""


def has_digits(value: Fraction) -> bool:
    """Whether a number has so many digits that it is hardly the same by chance."""
    return len(str(value.numerator).strip("0")) >= MIN_DIGITS or value.denominator > 1


def readings_of(figure: Figure, labels: Sequence[str]) -> tuple[Figure, ...]:
    """Return a figure as written and, without a unit of its own, with the one that the nearest label gives it."""
    if figure.kind not in ("count", "money") or isinstance(figure.value, str):
        return (figure,)
    plain = _scaled(figure, "count", "", Fraction(1, 100 if figure.kind == "money" else 1))
    per_unit = False
    for label in labels:
        period = PERIOD.search(label) if figure.kind == "count" else None
        named = label.replace("_", " ")
        per_unit |= bool(PER_UNIT.search(named)) and "except" not in named
        unit = UNIT.search(named)
        if period and not unit and not figures_in(named):
            return (figure, _scaled(plain, *UNITS[period[1].lower()]))
        if unit and (unit["percent"] or unit["bps"]):
            return (figure, _scaled(plain, "percent", "bp", Fraction(100 if unit["percent"] else 1)))
        if unit:
            scale = 1 if per_unit and Fraction(plain.value) < MOST_PER_UNIT else scale_of(named)
            money = figure.unit or CURRENCY.get((unit["money"] or "$").lower().strip("km"), "USD")
            readings = [figure, _scaled(plain, "money", money, Fraction(100 * scale))]
            if scale != 1:
                readings += [
                    _scaled(plain, "count", "", Fraction(scale)),
                    _scaled(plain, "money", money, Fraction(100)),
                ]
            return tuple(dict.fromkeys(readings))
    return (figure,)


def labelled_lines(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield where the number of each line with a label begins, the line's end, and what may say the unit.

    That is the line's own label and the heading above such lines: "First quarter ($ in thousands)".
    """
    heading = ""
    for line in LINE.finditer(text):
        label = LABEL.match(line[0])
        if label:
            yield line.start() + label.end(), line.end(), [_unit_parts(label[0]), heading]
        else:
            heading = _unit_parts(line[0][:LONGEST_HEADING])


def _unit_parts(label: str) -> str:
    return " ".join(part[0] for part in UNIT_PART.finditer(label))


def _scaled(figure: Figure, kind: str, unit: str, factor: Fraction) -> Figure:
    return figure._replace(kind=kind, unit=unit, value=Fraction(figure.value) * factor, step=figure.step * factor)


def scale_of(label: str) -> int:
    """Return the scale that a label names, or 1."""
    match = SCALE.search(label)
    return SCALES[match.lastgroup.rstrip("_")] if match and match.lastgroup else 1
