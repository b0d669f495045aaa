"""Rules by which a figure follows from what the answer says near it, and from its source, in one step.

People show their working: "a $21,000 deposit, about 3% of the price", "$1,465 a month, $17,580 for the year", "four
weeks after signing". So one operand of every rule has to be stated near the figure, and to be grounded itself; the
other is stated near it or in the source. That keeps chance away: of all pairs of a source's figures, too many give
any round amount.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from harness.scoring.grounding.derivations import MONTHS_IN, SourceFigures
from harness.scoring.text.quantities import Figure

NEAR = 260
"""Characters around a figure in which its operands are looked for."""
MOST_NEAR = 10
MOST_SOURCE = 80
"""With more figures of a unit in the source, only those near are combined."""
FACTORS = (2, 3, 4, 6, 12, 52)
"""Halves, quarters, months and weeks of a year, which are not stated as numbers."""
SQUARE_FEET_IN_ACRE = 43560
DAY = 1440
TINY = 1e-6
FULL_DATE = len("2024-03-01")
DAY_AND_MONTH = len("--03-01")


class Operand(NamedTuple):
    """A figure that another one may be worked out from, and its value as a number; 0 for a date."""

    number: float
    figure: Figure


class Step(NamedTuple):
    """One value that follows, the rule that yields it, an operand, and whether people round it."""

    value: float | str
    rule: str
    origin: Operand
    is_rounded: bool = False


class Operands(NamedTuple):
    """What one figure may be worked out from, by unit: figures near it, and figures of the source."""

    near: dict[str, list[Operand]]
    source: dict[str, list[Operand]]

    def pairs(self, unit: str, other: str) -> Iterator[tuple[Operand, Operand]]:
        """Yield operands of two units of which one is near, the first of `unit`."""
        seconds = [*self.near.get(other, ()), *self.source.get(other, ())]
        for first in self.near.get(unit, ()):
            yield from ((first, second) for second in seconds if second.figure.value != first.figure.value)
        for second in self.near.get(other, ()):
            firsts = self.source.get(unit, ())
            yield from ((first, second) for first in firsts if first.figure.value != second.figure.value)


def follows(figure: Figure, near: Sequence[Figure], source: SourceFigures, about: bool) -> tuple[str, Figure] | None:
    """Return the rule that yields a figure, and an operand of it; None if none does.

    `near` are the figures that count as stated near it.
    """
    operands = Operands(_by_unit(near), _of_source(source))
    wanted = figure.value if isinstance(figure.value, str) else float(figure.value)
    off = float(figure.step) / 2 + TINY
    for step in RULES.get(figure.kind, _nothing)(figure, operands):
        if _equal(wanted, step, off if step.is_rounded or about else TINY):
            return step.rule, step.origin.figure
    return None


@lru_cache(maxsize=64)
def _of_source(source: SourceFigures) -> dict[str, list[Operand]]:
    seen = {(figure.unit, figure.value): figure for figure in reversed(source.figures)}
    return {unit: listed for unit, listed in _by_unit(seen.values()).items() if len(listed) <= MOST_SOURCE}


def _by_unit(figures: Iterable[Figure]) -> dict[str, list[Operand]]:
    by_unit: dict[str, list[Operand]] = {}
    for figure in figures:
        number = 0.0 if isinstance(figure.value, str) else float(figure.value)
        by_unit.setdefault(figure.unit, []).append(Operand(number, figure))
    return by_unit


def _equal(wanted: float | str, step: Step, off: float) -> bool:
    if isinstance(step.value, str) or isinstance(wanted, str):
        return step.value == wanted
    return abs(step.value - wanted) <= off


def _nothing(figure: Figure, operands: Operands) -> Iterator[Step]:
    yield from ()


def _money(figure: Figure, operands: Operands) -> Iterator[Step]:
    unit = figure.unit
    for one, other in operands.pairs(unit, unit):
        yield Step(one.number + other.number, "sum", other)
        yield Step(abs(one.number - other.number), "difference", other)
    for amount, rate in operands.pairs(unit, "bp"):
        yield Step(amount.number * rate.number / 10000, "share of an amount", amount, True)
        yield Step(amount.number * (1 + rate.number / 10000), "amount after a rise", amount, True)
    for amount in operands.source.get(unit, ()):
        if amount.figure.per and figure.per != amount.figure.per and (figure.per or _is_near(amount, operands)):
            months = MONTHS_IN[amount.figure.per]
            for each in MONTHS_IN.values():
                if each != months:
                    yield Step(amount.number * each / months, "amount of another period", amount, True)
    for amount, number in _times(unit, operands):
        yield Step(amount.number * number, "number of times an amount", amount)
        yield Step(amount.number / number, "part of an amount", amount, True)


def _is_near(amount: Operand, operands: Operands) -> bool:
    return any(other.number == amount.number for other in operands.near.get(amount.figure.unit, ()))


def _times(unit: str, operands: Operands) -> Iterator[tuple[Operand, float]]:
    """Amounts, and what they may be multiplied by: counts, and durations as people count them."""
    for amount in operands.near.get(unit, ()):
        yield from ((amount, factor) for factor in FACTORS)
    for other in ("", "minutes", "months"):
        for amount, number in operands.pairs(unit, other):
            for counted in _counted(number):
                yield amount, counted


def _counted(operand: Operand) -> list[float]:
    """A count; a duration as a number of days, weeks, months or years."""
    value, unit = operand.number, operand.figure.unit
    if unit == "":
        return [value] if value > 0 else []
    parts = [value / DAY, value / DAY / 7, value / 60] if unit == "minutes" else [value, value / 12]
    return [number for number in parts if number > 0 and number.is_integer()]


def _percent(figure: Figure, operands: Operands) -> Iterator[Step]:
    for one, other in operands.pairs("bp", "bp"):
        yield Step(one.number + other.number, "sum", other)
        yield Step(abs(one.number - other.number), "difference", other)
    for unit in ("USD", "EUR", "GBP", "", "minutes", "months"):
        for one, other in operands.pairs(unit, unit):
            for part, whole in ((one.number, other.number), (other.number, one.number)):
                if whole > 0 and part > 0:
                    yield Step(part / whole * 10000, "share", one, True)
                    yield Step(abs(part - whole) / whole * 10000, "change in percent", one, True)


def _duration(figure: Figure, operands: Operands) -> Iterator[Step]:
    unit = figure.unit
    for one, other in combinations(operands.near.get(unit, ()), 2):
        yield Step(one.number + other.number, "sum", other)
        yield Step(abs(one.number - other.number), "difference", other)
    for one, other in operands.pairs("date", "date"):
        yield from _between(one, other, unit)


def _between(one: Operand, other: Operand, unit: str) -> Iterator[Step]:
    """The time between two dates, with and without the last day."""
    one_day, other_day = _date(one.figure, other.figure), _date(other.figure, one.figure)
    if one_day is None or other_day is None:
        return
    first, last = sorted((one_day, other_day))
    days = (last - first).days
    if unit == "minutes":
        yield from (Step(each * DAY, "time between dates", one) for each in (days, days + 1))
        return
    for end in (last, last + timedelta(days=1)):
        months = (end.year - first.year) * 12 + end.month - first.month
        yield Step(months, "time between dates", one, end.day != first.day)
        if end.day < first.day:
            yield Step(months - 1, "time between dates", one, True)


def _date(figure: Figure, other: Figure) -> date | None:
    """A full date, or a day and month in the year of the other date."""
    written = str(figure.value)
    if len(written) == DAY_AND_MONTH and written.startswith("--"):
        year = str(other.value)[:4]
        written = f"{year if year.isdecimal() else '2001'}{written[1:]}"
    try:
        return date.fromisoformat(written) if len(written) == FULL_DATE else None
    except ValueError:
        return None


def _dates(figure: Figure, operands: Operands) -> Iterator[Step]:
    wanted = str(figure.value)
    for unit in ("minutes", "months"):
        for start, length in operands.pairs("date", unit):
            day = _date(start.figure, figure)
            for sign in (1, -1):
                moved = _moved(day, length.figure, sign) if day else None
                for near in filter(None, (moved, moved and _day_before(moved), moved and _day_after(moved))):
                    if len(wanted) == FULL_DATE:
                        yield Step(near.isoformat(), "date and period", start)
                    elif len(wanted) == DAY_AND_MONTH and wanted.startswith("--"):
                        yield Step(f"-{near.isoformat()[4:]}", "date and period", start)
                    else:
                        yield Step(near.isoformat()[:7], "date and period", start)


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


def _day_after(day: date) -> date:
    return day + timedelta(days=1)


def _moved(day: date, length: Figure, sign: int) -> date | None:
    value = Fraction(length.value) * sign
    try:
        if length.unit == "minutes":
            return day + timedelta(days=int(value / DAY)) if (value / DAY).denominator == 1 else None
        if value.denominator != 1:
            return None
        years, month = divmod(day.month - 1 + int(value), 12)
        last = calendar.monthrange(day.year + years, month + 1)[1]
        return day.replace(year=day.year + years, month=month + 1, day=min(day.day, last))
    except (ValueError, OverflowError):
        return None


def _count(figure: Figure, operands: Operands) -> Iterator[Step]:
    for one, other in operands.pairs("", ""):
        yield Step(one.number + other.number, "sum", other)
        yield Step(abs(one.number - other.number), "difference", other)
        yield Step(one.number * other.number, "product", other)
        if other.number:
            yield Step(one.number / other.number, "part", other)
    for area in operands.near.get("", ()):
        yield Step(area.number * SQUARE_FEET_IN_ACRE, "acres in square feet", area, True)
    for unit in ("minutes", "months"):
        for length in operands.near.get(unit, ()):
            yield from (Step(number, "periods counted", length) for number in _counted(length))


RULES: dict[str, Callable[[Figure, Operands], Iterator[Step]]] = {
    "money": _money,
    "percent": _percent,
    "duration": _duration,
    "date": _dates,
    "count": _count,
}
"""Rules by the kind of the figure that is worked out."""
