"""Rules for two figures, on whole arrays of operands: what two units yield in one step.

`STEPS` lists the rules by the unit that they yield and the units of their operands. A step that people round, such as a
share, is compared at the last digit shown. Dates are days since 1970-01-01; periods are minutes or months.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.scoring.grounding.derivations import (
    COUNTED,
    CURRENCIES,
    DAY,
    DAY_OFF,
    FALL,
    FIRST_YEAR,
    FULL_DATE,
    LAST_YEAR,
    POINTS,
    RISE,
    YEAR,
    day_number,
)

Array = npt.NDArray[np.float64]


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
MEAN = Rule("mean", lambda a, b: (a + b) / 2, True)
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
            Steps(each, each, (SUM, DIFFERENCE, MEAN)),
            Steps(each, "bp", OF_A_RATE),
            Steps(each, COUNTED, BY_A_NUMBER),
        )
        for each in CURRENCIES
    },
    "bp": (
        *(Steps(each, each, (*SHARE, *CHANGE)) for each in (*CURRENCIES, "", "minutes", "months")),
        Steps("bp", "bp", (SUM, Rule(POINTS, DIFFERENCE.of), MEAN, *CHANGE)),
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
