"""The ways in which a figure that a source does not state may still follow from it, each in one step. Reads no text.

Every rule has an id that the evidence names, takes only figures of the source, and allows no tolerance of its own.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations

from harness.scoring.figure_forms import Figure

MOST_OPERANDS = 40
"""Figures of one unit beyond which pairs are not tried: in a long source a lucky pair is too likely to mean much."""

MOST_PARTS = 12
"""Most amounts that stand one after another in the source and are added up."""
MOST_DATES = 60
"""Most pairs of a date and a duration that are tried."""
MOST_SHARES = 6
"""Most different amounts of one unit of which any may be the share of any other, if it is exact."""
MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}

Rule = Callable[[Figure, Sequence[Figure], bool], Figure | None]


def equal(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """The source states the same value; units of one family (weeks and days, years and months) are one."""
    return next((s for s in source if s.unit == figure.unit and figure.value in (s.value, s.restated)), None)


def part_of_date(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """The month, the year, or the day without its year, of a date in the source."""
    if figure.unit == "date":
        wanted = str(figure.value)
        return next((s for s in source if s.unit == "date" and wanted in _parts(str(s.value))), None)
    if figure.kind == "count" and figure.value in range(1600, 2100):
        return next((s for s in source if s.unit == "date" and str(s.value).startswith(f"{figure.value}-")), None)
    return None


def rounded(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """Said to be about so much, and a source figure rounds to it at the last digit shown."""
    if not about or isinstance(figure.value, str) or not figure.step:
        return None
    for other in source:
        if other.unit == figure.unit and not isinstance(other.value, str):
            gap: Fraction = abs(other.value - figure.value)
            if gap * 2 <= figure.step:
                return other
    return None


def sum_or_difference(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """The sum or the difference of two amounts of money in the source."""
    if figure.kind != "money" or isinstance(figure.value, str):
        return None
    amounts = _distinct(figure.unit, source)
    for first, second in combinations(amounts.values() if len(amounts) <= MOST_OPERANDS else [], 2):
        if isinstance(first.value, Fraction) and isinstance(second.value, Fraction):
            total, gap = first.value + second.value, abs(first.value - second.value)
            if figure.value in (total, gap):
                return first
    return None


def rate_times_base(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """A percentage of an amount of money, both in the source, to the cent."""
    if figure.kind != "money" or isinstance(figure.value, str):
        return None
    amounts, rates = _distinct(figure.unit, source), _distinct("bp", source)
    if len(amounts) > MOST_OPERANDS or len(rates) > MOST_OPERANDS:
        return None
    for base in amounts.values():
        for rate in rates.values():
            if isinstance(base.value, Fraction) and isinstance(rate.value, Fraction):
                product = base.value * rate.value / 10000
                if figure.value == (product * 2 + 1) // 2:
                    return base
    return None


def sum_of_parts(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """The sum of three amounts of money or more that the source lists one after another."""
    if figure.kind != "money" or isinstance(figure.value, str):
        return None
    return next((first for first, _, total in _listed(figure.unit, source) if total == figure.value), None)


def date_plus_duration(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """A full date of the source and a duration of the source after it; business days are not counted.

    A month ends where it is too short for the day: 31 January and one month is the last day of February.
    """
    if figure.unit != "date" or len(str(figure.value)) != len("2024-03-01"):
        return None
    dates = {k: s for k, s in _distinct("date", source).items() if len(str(k)) == len("2024-03-01")}
    durations = [s for unit in ("minutes", "months") for s in _distinct(unit, source).values()]
    if len(dates) * len(durations) > MOST_DATES:
        return None
    for start in dates.values():
        for duration in durations:
            if _after(str(start.value), duration) == figure.value:
                return start
    return None


def share_of_total(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """A part as a percentage of a whole, both amounts of money or counts in the source.

    Of a whole that the source states and that its listed parts add up to, a share may be rounded at the last digit
    shown; of any other amount it must be exact, and the source must state few amounts.
    """
    if figure.unit != "bp" or isinstance(figure.value, str):
        return None
    for unit in ("USD", "EUR", "GBP", ""):
        amounts = _distinct(unit, source)
        for first, run, total in _listed(unit, source, fewest=2 if unit else 3):
            if total in amounts and any(_rounds(part / total * 10000, figure) for part in run):
                return first
        values = [value for value in amounts if isinstance(value, Fraction) and value] if unit else []
        for part, whole in combinations(sorted(values), 2) if len(amounts) <= MOST_SHARES else []:
            if part * 10000 == whole * figure.value:
                return amounts[part]
    return None


def unit_change(figure: Figure, source: Sequence[Figure], about: bool) -> Figure | None:
    """An amount of money for a month, a quarter or a year, said for another of these; both periods are stated."""
    if not figure.per or isinstance(figure.value, str):
        return None
    for other in source:
        if other.unit == figure.unit and other.per not in ("", figure.per) and isinstance(other.value, Fraction):
            changed = other.value * MONTHS_IN[figure.per] / MONTHS_IN[other.per]
            if figure.value == (changed * 2 + 1) // 2:
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


def derive(figure: Figure, source: Sequence[Figure], about: bool) -> tuple[str, Figure] | None:
    """The first rule that yields the figure, with a source figure it starts from; None where no rule does."""
    for name, rule in RULES.items():
        origin = rule(figure, source, about)
        if origin is not None:
            return name, origin
    return None


def _parts(date: str) -> tuple[str, ...]:
    """What a full ISO date contains: `2024-03-01` holds `2024-03` and `--03-01`; `2024-03` holds nothing more."""
    if date.startswith("-") or len(date) < len("2024-03-01"):
        return ()
    return date[:7], f"-{date[4:]}"


def _listed(unit: str, source: Sequence[Figure], fewest: int = 3) -> Iterator[tuple[Figure, list[Fraction], Fraction]]:
    """Runs of amounts that stand one after another: the first figure, the amounts and their sum."""
    amounts = [s for s in source if s.unit == unit and isinstance(s.value, Fraction)]
    if len(amounts) > MOST_OPERANDS:
        return
    for start, first in enumerate(amounts):
        run: list[Fraction] = []
        total = Fraction(0)
        for part in amounts[start : start + MOST_PARTS]:
            value = Fraction(part.value)
            run.append(value)
            total += value
            if len(run) >= fewest and total:
                yield first, run, total


def _rounds(exact: Fraction, figure: Figure) -> bool:
    """Whether an exact value is shown as the figure's, rounded half up at the last digit shown."""
    if isinstance(figure.value, str) or not figure.step:
        return exact == figure.value
    return figure.value == (exact / figure.step * 2 + 1) // 2 * figure.step


def _after(start: str, duration: Figure) -> str | None:
    """The ISO date of a duration after a date, or None where it is no whole number of days or months."""
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


def _distinct(unit: str, source: Sequence[Figure]) -> dict[Fraction | str, Figure]:
    found: dict[Fraction | str, Figure] = {}
    for figure in source:
        if figure.unit == unit:
            found.setdefault(figure.value, figure)
    return found
