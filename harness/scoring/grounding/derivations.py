"""Values that follow from two figures in one step: sums, differences, shares, changes, products, dates and periods.

Here are their names and what one figure yields alone; the rules for two are in `steps`. Whether a figure of an answer
may be worked out from others is decided by where they stand (see `worked_out`). Dates are days since 1970-01-01,
periods minutes or months; `COUNTED` are the numbers of counts and periods ("four", "12 months").
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from harness.scoring.text.quantities import Figure

MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}
CURRENCIES = ("USD", "EUR", "GBP")
COUNTED = "#"
FACTORS = (2, 3, 4, 5, 6, 7, 12, 52)
"""Parts of a whole, days of a week, months and weeks of a year, which are not stated as numbers."""
SQUARE_FEET_IN_ACRE = 43560
RISE, FALL = "rise in percent", "fall in percent"
POINTS = "difference in points"
DAY_OFF = "date and period, the first day not counted"
DAY, YEAR = 1440, 12
FIRST_YEAR, LAST_YEAR = 1800, 2100
FULL_DATE = len("2024-03-01")
DAY_AND_MONTH = len("--03-01")
EPOCH = date(1970, 1, 1).toordinal()
ODD = 3
"""Digits before the zeros of an amount that nobody sets as a term."""


class Alone(NamedTuple):
    """What one figure yields with a number that nobody states: halves, twelve months, the rest of a whole."""

    unit: str
    rule: str
    value: float
    is_rounded: bool = False


def alone(one: Figure) -> tuple[Alone, ...]:
    """Return what one figure yields with a number that nobody states."""
    return () if isinstance(one.value, str) else _alone(one.kind, one.unit, float(one.value), one.per)


@lru_cache(maxsize=4096)
def _alone(kind: str, unit: str, value: float, per: str) -> tuple[Alone, ...]:
    steps: list[Alone] = []
    if kind == "money":
        for months in (each for each in MONTHS_IN.values() if per and each != MONTHS_IN[per]):
            steps.append(Alone(unit, "amount of another period", value * months / MONTHS_IN[per], True))
        steps += [Alone(unit, "number of times an amount", value * factor) for factor in FACTORS]
        steps += [Alone(unit, "part of an amount", value / factor, True) for factor in FACTORS]
    elif unit == "bp":
        steps.append(Alone("bp", "rest of a whole", abs(10000 - value)))
    elif kind == "duration":
        steps.append(Alone(unit, "part of a period", value / 2))
        if unit == "months" and value > YEAR:
            steps.append(Alone(unit, "rest of a period", value % YEAR))
        steps += [Alone("", "periods counted", number) for number in _counted(kind, unit, value)]
    elif kind == "count":
        for other, size in (("minutes", DAY * 7), ("minutes", DAY), ("months", 1), ("months", YEAR)):
            steps.append(Alone(other, "number of periods", value * size))
        steps.append(Alone("", "acres in square feet", value * SQUARE_FEET_IN_ACRE, True))
    return tuple(steps)


def counted(figure: Figure) -> list[float]:
    """Return the numbers that people read a figure as: a count, or a period's days, weeks, months or years."""
    is_number = figure.kind in ("count", "duration") and not isinstance(figure.value, str)
    return _counted(figure.kind, figure.unit, float(figure.value)) if is_number else []


def _counted(kind: str, unit: str, value: float) -> list[float]:
    if kind == "count":
        return [value] if value > 0 else []
    parts = [value / DAY, value / DAY / 7, value / 60] if unit == "minutes" else [value, value / 12]
    return [number for number in parts if number > 0 and (number * 2).is_integer()]


def day_number(iso: str) -> float | None:
    """Return the days since 1970-01-01 of an ISO date; None for a part of a date and a day that does not exist."""
    try:
        return date.fromisoformat(iso).toordinal() - EPOCH if len(iso) == FULL_DATE else None
    except ValueError:
        return None


def is_odd(figure: Figure) -> bool:
    """Whether nobody sets a figure as a term: a date, or an amount of three digits before the zeros or more."""
    if isinstance(figure.value, str):
        return True
    number = figure.value / 100 if figure.kind == "money" else figure.value
    return figure.kind in ("money", "count") and (digits(figure) >= ODD or number.denominator > 1)


def is_round(figure: Figure) -> bool:
    """Whether a figure may be assumed for an example: a date, or a number of one or two digits before the zeros."""
    if isinstance(figure.value, str):
        return len(figure.value) in (FULL_DATE, DAY_AND_MONTH)
    return figure.kind in ("money", "count", "percent") and digits(figure) < ODD


def digits(figure: Figure) -> int:
    """Return how many digits a number has without the zeros at its ends."""
    number = Fraction(figure.value) / (100 if figure.kind in ("money", "percent") else 1)
    return len(str(number.numerator).strip("0"))
