"""Values that follow from two figures in one step: sums, differences, shares, changes, products, dates and periods.

`combined` lists what two figures yield; whether a figure of an answer may be worked out from them is decided by where
they stand (see `figures`). A step that people round, such as a share, is compared at the last digit shown.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from harness.scoring.text.quantities import Figure

MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}
CURRENCIES = ("USD", "EUR", "GBP")
FACTORS = (2, 3, 4, 5, 6, 7, 12, 52)
"""Parts of a whole, days of a week, months and weeks of a year, which are not stated as numbers."""
SQUARE_FEET_IN_ACRE = 43560
RISE, FALL = "rise in percent", "fall in percent"
POINTS = "difference in points"
DAY_OFF = "date and period, the first day not counted"
DAY, YEAR = 1440, 12
FULL_DATE = len("2024-03-01")
DAY_AND_MONTH = len("--03-01")
MOST_TERMS = 12
"""Terms of a sum over a row or a column."""


class Step(NamedTuple):
    """A value that follows: its unit, the rule that yields it, and whether people round it."""

    unit: str
    value: float | str
    rule: str
    is_rounded: bool = False


SAME = {"USD", "EUR", "GBP", "bp", "", "minutes", "months"}
"""Units whose numbers are added and compared."""
PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    **{each: ((each, each), (each, "bp"), (each, ""), (each, "minutes"), (each, "months")) for each in CURRENCIES},
    "bp": tuple((each, each) for each in sorted(SAME)),
    "": (("", ""), ("", "bp"), *((each, each) for each in CURRENCIES)),
    "minutes": (("date", "date"), ("clock", "clock"), ("minutes", "minutes"), ("minutes", "")),
    "months": (("date", "date"), ("months", "months"), ("months", ""), *((each, each) for each in CURRENCIES)),
    "date": (("date", "minutes"), ("date", "months")),
    "clock": (("clock", "minutes"),),
}
"""Units of two figures that yield a figure of a unit."""


def combined(one: Figure, other: Figure, unit: str) -> Iterator[Step]:
    """Yield what two figures, of units that `PAIRS` has for a unit, yield in that unit."""
    if one.unit == "date" == other.unit:
        yield from (step for step in _between(one, other) if step.unit == unit)
    elif one.unit == "date":
        yield from _moved_dates(one, other)
    elif one.unit == "clock":
        first, second = float(one.value), float(other.value)
        for value in (first + second, first - second) if unit == "clock" else (first - second, second - first):
            yield Step(unit, value % DAY, "hour and period" if unit == "clock" else "time between hours")
    elif one.unit == other.unit:
        yield from _of_one_unit(one, other, unit)
    elif other.unit == "bp":
        amount, rate = float(one.value), float(other.value) / 10000
        yield Step(unit, amount * rate, "share of an amount", True)
        yield Step(unit, amount * (1 + rate), "amount after a rise", True)
        yield Step(unit, amount * (1 - rate), "amount after a fall", True)
        if rate:
            yield Step(unit, amount / rate, "whole of a share", True)
    else:
        for number in counted(other):
            yield Step(unit, float(one.value) * number, "number of times an amount")
            yield Step(unit, float(one.value) / number, "part of an amount", True)


def _of_one_unit(one: Figure, other: Figure, unit: str) -> Iterator[Step]:
    a, b = float(one.value), float(other.value)
    if unit == one.unit:
        yield Step(unit, a + b, "sum")
        yield Step(unit, abs(a - b), POINTS if unit == "bp" else "difference")
        if unit == "":
            yield Step(unit, a * b, "product")
        if one.kind == "duration":
            for size, times in ((a, other), (b, one)):
                yield from (Step(unit, size * number, "number of times an amount") for number in counted(times))
    for part, whole in ((a, b), (b, a)) if a > 0 and b > 0 else ():
        if unit == "bp":
            yield Step(unit, abs(part - whole) / whole * 10000, RISE if part > whole else FALL, True)
            if one.unit != "bp":
                yield Step(unit, part / whole * 10000, "share", True)
        elif unit == "months" and one.unit != unit:
            yield Step(unit, part / whole, "ratio")
        elif unit == "":
            yield Step(unit, part / whole, "ratio", True)


def alone(one: Figure) -> Iterator[Step]:
    """Yield what one figure yields with a number that nobody states: halves, twelve months, the rest of a whole."""
    if isinstance(one.value, str):
        return
    value = float(one.value)
    if one.kind == "money":
        for months in (each for each in MONTHS_IN.values() if one.per and each != MONTHS_IN[one.per]):
            yield Step(one.unit, value * months / MONTHS_IN[one.per], "amount of another period", True)
        for factor in FACTORS:
            yield Step(one.unit, value * factor, "number of times an amount")
            yield Step(one.unit, value / factor, "part of an amount", True)
    elif one.unit == "bp":
        yield Step("bp", abs(10000 - value), "rest of a whole")
    elif one.kind == "duration":
        yield Step(one.unit, value / 2, "part of a period")
        if one.unit == "months" and value > YEAR:
            yield Step(one.unit, value % YEAR, "rest of a period")
        yield from (Step("", number, "periods counted") for number in counted(one))
    elif one.kind == "count":
        for unit, size in (("minutes", DAY * 7), ("minutes", DAY), ("months", 1), ("months", 12)):
            yield Step(unit, value * size, "number of periods")
        yield Step("", value * SQUARE_FEET_IN_ACRE, "acres in square feet", True)


def counted(figure: Figure) -> list[float]:
    """Return the numbers that people read a figure as: a count, or a period's days, weeks, months or years."""
    value = float(Fraction(figure.value))
    if figure.kind == "count":
        return [value] if value > 0 else []
    parts = [value / DAY, value / DAY / 7, value / 60] if figure.unit == "minutes" else [value, value / 12]
    return [number for number in parts if number > 0 and (number * 2).is_integer()]


def _between(one: Figure, other: Figure) -> Iterator[Step]:
    """The time between two dates, with and without the last day."""
    one_day, other_day = full_date(one, other), full_date(other, one)
    if one_day is None or other_day is None:
        return
    first, last = sorted((one_day, other_day))
    days = (last - first).days
    for each in (days, days + 1):
        yield Step("minutes", each * DAY, "time between dates")
    for end in (last, last + timedelta(days=1)):
        months = (end.year - first.year) * 12 + end.month - first.month
        yield Step("months", months, "time between dates", end.day != first.day)
        yield Step("months", months // 12 * 12, "time between dates", True)
        if end.day < first.day:
            yield Step("months", months - 1, "time between dates", True)


def full_date(figure: Figure, other: Figure) -> date | None:
    """A full date, or a day and month in the year of the other date."""
    written = str(figure.value)
    if len(written) == DAY_AND_MONTH and written.startswith("--"):
        year = str(other.value)[:4]
        written = f"{year if year.isdecimal() else '2001'}{written[1:]}"
    try:
        return date.fromisoformat(written) if len(written) == FULL_DATE else None
    except ValueError:
        return None


def _moved_dates(start: Figure, length: Figure) -> Iterator[Step]:
    day = full_date(start, start)
    ends = [_moved(day, length, sign) for sign in (1, -1)] if day else []
    for end in filter(None, ends):
        for off, rule in ((0, "date and period"), (-1, DAY_OFF), (1, DAY_OFF)):
            iso = (end + timedelta(days=off)).isoformat()
            yield from (Step("date", form, rule) for form in (iso, f"-{iso[4:]}", iso[:7]))


def _moved(day: date, length: Figure, sign: int) -> date | None:
    value = Fraction(length.value) * sign
    try:
        if length.unit == "minutes":
            return day + timedelta(days=int(value / DAY)) if (value / DAY).denominator == 1 else None
        if length.unit != "months" or value.denominator != 1:
            return None
        years, month = divmod(day.month - 1 + int(value), 12)
        last = calendar.monthrange(day.year + years, month + 1)[1]
        return day.replace(year=day.year + years, month=month + 1, day=min(day.day, last))
    except (ValueError, OverflowError):
        return None
