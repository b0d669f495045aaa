"""Values that follow from two figures in one step: sums, differences, shares, changes, products, dates and periods.

`STEPS` lists the rules by the unit that they yield and the units of their operands; a rule computes whole arrays of
operands at once. Whether a figure of an answer may be worked out from two others is decided by where they stand (see
`worked_out`). A step that people round, such as a share, is compared at the last digit shown. Dates are days since
1970-01-01; periods are minutes or months; `COUNTED` are the numbers of counts and periods ("four", "12 months").
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.scoring.text.quantities import Figure

Array = npt.NDArray[np.float64]
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


class Rule(NamedTuple):
    """A step: its name, what it yields of two arrays of operands, and whether people round it."""

    name: str
    of: Callable[[Array, Array], Array]
    is_rounded: bool = False


class Steps(NamedTuple):
    """The rules for operands of two units; of one unit, each pair is used once."""

    first: str
    second: str
    rules: tuple[Rule, ...]


def _month(days: Array) -> Array:
    """Months since 1970-01 of days since 1970-01-01."""
    months: Array = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.float64)
    return months


def _day_of_month(days: Array) -> Array:
    """Days since the first of the month."""
    at = days.astype("datetime64[D]")
    since: Array = (at - at.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64)
    return since


def _months_between(a: Array, b: Array, added: int) -> Array:
    """Whole months from the earlier date to the later one, with that many days more."""
    first, last = np.minimum(a, b), np.maximum(a, b) + added
    return _month(last) - _month(first) - (_day_of_month(last) < _day_of_month(first))


def _calendar_months(a: Array, b: Array) -> Array:
    return np.abs(_month(a) - _month(b))


def _between_years(a: Array, b: Array) -> Array:
    """Months between two years; not a number for counts that are no years."""
    are_years = (np.minimum(a, b) > FIRST_YEAR) & (np.maximum(a, b) < LAST_YEAR)
    return np.where(are_years, np.abs(a - b) * YEAR, np.nan)


def _moved(days: Array, months: Array) -> Array:
    """Days moved by whole months, to the last day of a shorter month; not a number for parts of months."""
    target = _month(days) + np.floor(months)
    start = target.astype("datetime64[M]").astype("datetime64[D]").astype(np.float64)
    end = (target + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.float64)
    return np.where(months % 1 == 0, np.minimum(start + _day_of_month(days), end - 1), np.nan)


SUM = Rule("sum", lambda a, b: a + b)
DIFFERENCE = Rule("difference", lambda a, b: np.abs(a - b))
SHARE = (Rule("share", lambda a, b: a / b * 10000, True), Rule("share", lambda a, b: b / a * 10000, True))
RATIO = (Rule("ratio", lambda a, b: a / b, True), Rule("ratio", lambda a, b: b / a, True))
CHANGE = (
    Rule(RISE, lambda a, b: np.abs(a - b) / np.minimum(a, b) * 10000, True),
    Rule(FALL, lambda a, b: np.abs(a - b) / np.maximum(a, b) * 10000, True),
)
OF_A_RATE = (
    Rule("share of an amount", lambda a, b: a * b / 10000, True),
    Rule("amount after a rise", lambda a, b: a * (1 + b / 10000), True),
    Rule("amount after a fall", lambda a, b: a * (1 - b / 10000), True),
    Rule("whole of a share", lambda a, b: a / b * 10000, True),
)
BY_A_NUMBER = (
    Rule("number of times an amount", lambda a, b: a * b),
    Rule("part of an amount", lambda a, b: a / b, True),
)
BETWEEN_DAYS = (
    Rule("time between dates", lambda a, b: np.abs(a - b) * DAY),
    Rule("time between dates", lambda a, b: (np.abs(a - b) + 1) * DAY),
)
BETWEEN_MONTHS = (
    Rule("time between dates", _calendar_months, True),
    *(
        Rule("time between dates", lambda a, b, added=added: _months_between(a, b, added), True)  # type: ignore[misc]
        for added in (0, 1)
    ),
    Rule("time between dates", lambda a, b: _months_between(a, b, 0) // YEAR * YEAR, True),
)


def _on_dates(move: Callable[[Array, Array], Array]) -> tuple[Rule, ...]:
    """Rules for a date and a period before or after it, with the first day counted or not."""
    return tuple(
        Rule(DAY_OFF if off else "date and period", lambda a, b, sign=sign, off=off: move(a, b * sign) + off)  # type: ignore[misc]
        for sign in (1, -1)
        for off in (0, -1, 1)
    )


STEPS: dict[str, tuple[Steps, ...]] = {
    **{
        each: (
            Steps(each, each, (SUM, DIFFERENCE)),
            Steps(each, "bp", OF_A_RATE),
            Steps(each, COUNTED, BY_A_NUMBER),
        )
        for each in CURRENCIES
    },
    "bp": (
        *(Steps(each, each, (*SHARE, *CHANGE)) for each in (*CURRENCIES, "", "minutes", "months")),
        Steps("bp", "bp", (SUM, Rule(POINTS, DIFFERENCE.of), *CHANGE)),
    ),
    "": (
        Steps("", "", (SUM, DIFFERENCE, Rule("product", lambda a, b: a * b), *RATIO)),
        Steps("", "bp", OF_A_RATE),
        *(Steps(each, each, RATIO) for each in CURRENCIES),
    ),
    "minutes": (
        Steps("date", "date", BETWEEN_DAYS),
        Steps(
            "clock",
            "clock",
            (
                Rule("time between hours", lambda a, b: (a - b) % DAY),
                Rule("time between hours", lambda a, b: (b - a) % DAY),
            ),
        ),
        Steps("minutes", "minutes", (SUM, DIFFERENCE)),
        Steps("minutes", COUNTED, BY_A_NUMBER),
    ),
    "months": (
        Steps("date", "date", BETWEEN_MONTHS),
        Steps("months", "months", (SUM, DIFFERENCE)),
        Steps("months", COUNTED, BY_A_NUMBER),
        Steps("", "", (Rule("time between dates", _between_years),)),
        *(Steps(each, each, tuple(rule._replace(is_rounded=False) for rule in RATIO)) for each in CURRENCIES),
    ),
    "date": (
        Steps("date", "minutes", _on_dates(lambda a, b: a + b / DAY)),
        Steps("date", "months", _on_dates(_moved)),
    ),
    "clock": (
        Steps(
            "clock",
            "minutes",
            (
                Rule("hour and period", lambda a, b: (a + b) % DAY),
                Rule("hour and period", lambda a, b: (a - b) % DAY),
            ),
        ),
    ),
}
"""The rules by the unit that they yield."""


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


def codes(days: Array, iso: str) -> Array:
    """Return a number for each day that is equal for equal dates of the form of `iso`.

    A full date, a day and month, or a year and month.
    """
    if len(iso) == FULL_DATE:
        return days
    return _month(days) % YEAR * 100 + _day_of_month(days) + 1 if iso.startswith("--") else _month(days)


def code(iso: str) -> float:
    """Return the number of a date of an answer; see `codes`. Not a number for a day that does not exist."""
    if iso.startswith("--"):
        month, day = iso[2:].split("-")
        return (int(month) - 1) * 100 + int(day)
    if len(iso) == FULL_DATE:
        return day_number(iso) or np.nan
    year, month = iso.split("-")
    return (int(year) - 1970) * YEAR + int(month) - 1
