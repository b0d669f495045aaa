"""The ways in which a figure that a source does not state may still follow from it, each in one step. Reads no text.

Every rule has an id that the evidence names, takes only figures of the source, and allows no tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations

from harness.scoring.figure_forms import Figure

MOST_OPERANDS = 40
"""Figures of one unit beyond which pairs are not tried: in a long source a lucky pair is too likely to mean much."""

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


RULES: dict[str, Rule] = {
    "equal": equal,
    "part of date": part_of_date,
    "rounding": rounded,
    "sum or difference": sum_or_difference,
    "rate times base": rate_times_base,
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


def _distinct(unit: str, source: Sequence[Figure]) -> dict[Fraction | str, Figure]:
    found: dict[Fraction | str, Figure] = {}
    for figure in source:
        if figure.unit == unit:
            found.setdefault(figure.value, figure)
    return found
