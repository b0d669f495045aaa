"""Rules by which a figure that a source does not state can follow from the source's figures in one step.

Every rule has an id that the evidence names, takes only figures of the source, and has no tolerance of its own. Each
combines a bounded number of figures, because in a long source a chance combination is too likely. What a source yields
is computed once and cached.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import combinations

from harness.scoring.base import DocumentCache
from harness.scoring.text.quantities import Figure, SizeKey, figures_in, size_key

MAX_OPERANDS = 40
"""With more figures of one unit, none are combined."""
MAX_PARTS = 12
"""Consecutive amounts of the source that are added up."""
MAX_DATES = 60
"""With more pairs of a date and a duration, none are added up."""
MAX_SHARES = 6
"""With more different amounts of one unit, no exact share of one in another is accepted."""
MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}
CURRENCIES = ("USD", "EUR", "GBP")
FULL_DATE = len("2024-03-01")

Value = Fraction | str
Derived = dict[Value, Figure]
"""Values that a rule yields, each with a figure of the source that it is derived from."""


class SourceFigures:
    """Figures of a source, and what each rule yields from them."""

    def __init__(self, figures: tuple[Figure, ...]) -> None:
        self.figures = figures
        self.pairs = lru_cache(maxsize=None)(self._pairs)
        self.products = lru_cache(maxsize=None)(self._products)
        self.sums = lru_cache(maxsize=None)(self._sums)
        self.distinct = lru_cache(maxsize=None)(self._distinct)

    @cached_property
    def equals(self) -> dict[SizeKey, Figure]:
        """Figures by unit and value, in words or in brackets."""
        by_size: dict[SizeKey, Figure] = {}
        for figure in self.figures:
            by_size.setdefault(size_key(figure.unit, figure.value), figure)
            if figure.restated is not None:
                by_size.setdefault(size_key(figure.unit, figure.restated), figure)
        return by_size

    @cached_property
    def parts_of_dates(self) -> Derived:
        """Parts of full dates: `2024-03`, `--03-01` and the year for `2024-03-01`; the year for `2024-03`."""
        derived: Derived = {}
        for figure in self.figures:
            if figure.unit == "date" and not str(figure.value).startswith("-"):
                written = str(figure.value)
                derived.setdefault(Fraction(int(written[:4])), figure)
                if len(written) == FULL_DATE:
                    derived.setdefault(written[:7], figure)
                    derived.setdefault(f"-{written[4:]}", figure)
        return derived

    @cached_property
    def later_dates(self) -> Derived:
        """Full dates plus durations."""
        dates = [s for value, s in self.distinct("date").items() if len(str(value)) == FULL_DATE]
        durations = [s for unit in ("minutes", "months") for s in self.distinct(unit).values()]
        derived: Derived = {}
        for start in dates if len(dates) * len(durations) <= MAX_DATES else []:
            for duration in durations:
                later = _after(str(start.value), duration)
                if later:
                    derived.setdefault(later, start)
        return derived

    @cached_property
    def totals(self) -> list[tuple[Figure, list[Fraction], Fraction]]:
        """Consecutive amounts whose sum the source states: the first, all of them, the sum."""
        listed = [(unit, run) for unit in (*CURRENCIES, "") for run in self._listed(unit, 2 if unit else 3)]
        return [(first, list(run), total) for unit, (first, run, total) in listed if total in self.distinct(unit)]

    @cached_property
    def exact_shares(self) -> Derived:
        """In a short source, each amount of money as a share of each greater one, in basis points."""
        derived: Derived = {}
        for unit in CURRENCIES:
            amounts = self.distinct(unit)
            values = sorted(value for value in amounts if isinstance(value, Fraction) and value > 0)
            for part, whole in combinations(values, 2) if len(values) <= MAX_SHARES else []:
                derived.setdefault(part * 10000 / whole, amounts[part])
        return derived

    def _pairs(self, unit: str) -> Derived:
        amounts = [s for s in self.distinct(unit).values() if isinstance(s.value, Fraction)]
        derived: Derived = {}
        for first, second in combinations(amounts if len(amounts) <= MAX_OPERANDS else [], 2):
            one, other = Fraction(first.value), Fraction(second.value)
            derived.setdefault(one + other, first)
            derived.setdefault(abs(one - other), first)
        return derived

    def _products(self, unit: str) -> Derived:
        amounts, rates = self.distinct(unit), self.distinct("bp")
        derived: Derived = {}
        for base in amounts.values() if max(len(amounts), len(rates)) <= MAX_OPERANDS else []:
            for rate in rates.values():
                if isinstance(base.value, Fraction) and isinstance(rate.value, Fraction):
                    derived.setdefault(_half_up(base.value * rate.value / 10000), base)
        return derived

    def _sums(self, unit: str) -> Derived:
        derived: Derived = {}
        for first, _, total in self._listed(unit, 3):
            derived.setdefault(total, first)
        return derived

    def _listed(self, unit: str, min_parts: int) -> Iterator[tuple[Figure, list[Fraction], Fraction]]:
        """Runs of consecutive amounts: the first figure, the amounts and their sum."""
        amounts = [s for s in self.figures if s.unit == unit and isinstance(s.value, Fraction)]
        for start, first in enumerate(amounts if len(amounts) <= MAX_OPERANDS else []):
            run: list[Fraction] = []
            total = Fraction(0)
            for part in amounts[start : start + MAX_PARTS]:
                run.append(Fraction(part.value))
                total += run[-1]
                if len(run) >= min_parts and total:
                    yield first, run, total

    def _distinct(self, unit: str) -> Derived:
        derived: Derived = {}
        for figure in self.figures:
            if figure.unit == unit:
                derived.setdefault(figure.value, figure)
        return derived


@DocumentCache
def source_of(document: str) -> SourceFigures:
    """Read the figures of a document for the rules."""
    return SourceFigures(figures_in(document))


Rule = Callable[[Figure, SourceFigures, bool], Figure | None]


def equal(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """The source states the same value; units of one family (weeks and days, years and months) are one."""
    return source.equals.get(size_key(figure.unit, figure.value))


def part_of_date(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """The month, the year, or the day without its year, of a date in the source."""
    is_year = isinstance(figure.value, Fraction) and figure.kind == "count" and 1600 <= figure.value < 2100
    return source.parts_of_dates.get(figure.value) if is_year or figure.unit == "date" else None


def rounded(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """The figure follows a word such as "about", and a source figure rounds to it at the last digit shown."""
    if not about or isinstance(figure.value, str) or not figure.step:
        return None
    for other in source.figures:
        if other.unit == figure.unit and not isinstance(other.value, str):
            gap: Fraction = abs(other.value - figure.value)
            if gap * 2 <= figure.step:
                return other
    return None


def sum_or_difference(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """The sum or the difference of two amounts of money in the source."""
    return source.pairs(figure.unit).get(figure.value) if figure.kind == "money" else None


def rate_times_base(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """A percentage of an amount of money, both in the source, to the cent."""
    return source.products(figure.unit).get(figure.value) if figure.kind == "money" else None


def sum_of_parts(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """The sum of three amounts of money or more that the source lists one after another."""
    return source.sums(figure.unit).get(figure.value) if figure.kind == "money" else None


def date_plus_duration(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """A full date of the source and a duration of the source after it; business days are not counted.

    A month ends where it is too short for the day: 31 January and one month is the last day of February.
    """
    return source.later_dates.get(figure.value) if figure.unit == "date" else None


def share_of_total(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """A part as a percentage of a whole, both amounts of money or counts in the source.

    If the source states the whole and its listed parts add up to it, the share may be rounded at the last digit shown.
    A share of any other amount of money must be exact, and the source must state few amounts.
    """
    if figure.unit != "bp" or isinstance(figure.value, str):
        return None
    for first, run, total in source.totals:
        if any(_shown(part * 10000 / total, figure.step) == figure.value for part in run):
            return first
    return source.exact_shares.get(figure.value)


def unit_change(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """An amount of money per month, quarter or year, converted to another of these; both periods are stated."""
    for other in source.figures if figure.per else ():
        convertible = other.unit == figure.unit and other.per not in ("", figure.per)
        if convertible and isinstance(other.value, Fraction):
            converted = other.value * MONTHS_IN[figure.per] / MONTHS_IN[other.per]
            if figure.value == _half_up(converted):
                return other
    return None


RULES: dict[str, Rule] = {
    "equal": equal,
    "part of date": part_of_date,
    "rounding": rounded,
    "sum or difference": sum_or_difference,
    "rate times base": rate_times_base,
    "sum of listed parts": sum_of_parts,
    "date plus duration": date_plus_duration,
    "share of total": share_of_total,
    "unit change": unit_change,
}
"""Rules by id, tried in order."""


def derive(figure: Figure, source: SourceFigures, about: bool) -> tuple[str, Figure] | None:
    """Return the first rule that yields the figure, with a source figure it is derived from; None if no rule does."""
    for name, rule in RULES.items():
        origin = rule(figure, source, about)
        if origin is not None:
            return name, origin
    return None


def _half_up(value: Fraction) -> Fraction:
    """The nearest whole number; a half is rounded up."""
    return Fraction((value * 2 + 1) // 2)


def _shown(exact: Fraction, step: Fraction) -> Fraction:
    """An exact value as shown with a last digit of place value `step`."""
    return _half_up(exact / step) * step if step else exact


def _after(start: str, duration: Figure) -> str | None:
    """The ISO date of a duration after a date, or None if it is not a whole number of days or months."""
    if isinstance(duration.value, str) or duration.value >= 10**7:
        return None
    try:
        day = date.fromisoformat(start)
        if duration.unit == "minutes":
            days = duration.value / 1440
            return (day + timedelta(days=int(days))).isoformat() if days.denominator == 1 else None
        if duration.value.denominator != 1:
            return None
        years, month = divmod(day.month - 1 + int(duration.value), 12)
        last = calendar.monthrange(day.year + years, month + 1)[1]
        return day.replace(year=day.year + years, month=month + 1, day=min(day.day, last)).isoformat()
    except (ValueError, OverflowError):
        return None
