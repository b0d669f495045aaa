"""Rules by which a figure of an answer is one of the source's, written in another way.

Every rule has an id that the evidence names. None combines figures: `worked_out` has the rules that do. What a source
yields is computed once and cached.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property

from harness.scoring.base import DocumentCache
from harness.scoring.text.quantities import Figure, SizeKey, figures_in, size_key

MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}
CURRENCIES = ("USD", "EUR", "GBP")
SCALES = [(re.compile(r"thousand|\b000s?\b|\$\s?K\b", re.I), 10**3), (re.compile(r"million|\$\s?MM?\b", re.I), 10**6)]
"""Words of a caption or a head that give amounts their scale."""
MIN_DIGITS = 3
"""A number with fewer digits is not taken for an amount whose unit was left out."""
FULL_DATE = len("2024-03-01")

Value = Fraction | str
Derived = dict[Value, Figure]
"""Values that a rule yields, each with a figure of the source that it is derived from."""


class SourceFigures:
    """Figures of a source, and what each rule yields from them."""

    def __init__(self, figures: tuple[Figure, ...], document: str = "") -> None:
        self.figures = figures
        self.scales = [scale for pattern, scale in SCALES if pattern.search(document)]
        self.has_percent, self.has_basis_points = "%" in document or "percent" in document, "bps" in document.lower()
        self.has_basis_points |= "basis point" in document.lower()

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
    def scaled(self) -> dict[SizeKey, Figure]:
        """Figures whose unit or scale stands elsewhere: in a caption, the head of a column, the label of a row."""
        by_size: dict[SizeKey, Figure] = {}
        for figure in self.figures:
            if isinstance(figure.value, str) or figure.unit not in ("", *CURRENCIES):
                continue
            plain = figure.value if figure.unit == "" else figure.value / 100
            for scale in (1, *self.scales) if _has_digits(plain) else ():
                for unit in CURRENCIES if figure.unit == "" else (figure.unit,):
                    by_size.setdefault(size_key(unit, plain * scale * 100), figure)
                by_size.setdefault(size_key("", plain * scale), figure)
            if figure.unit == "" and self.has_percent and _has_digits(plain):
                by_size.setdefault(size_key("bp", plain * 100), figure)
            if figure.unit == "" and self.has_basis_points:
                by_size.setdefault(size_key("bp", plain), figure)
        return by_size

    @cached_property
    def plain(self) -> dict[Fraction, Figure]:
        """Amounts in plain units: dollars, in thousands and millions too, percent and basis points."""
        by_number: dict[Fraction, Figure] = {}
        for figure in self.figures:
            if isinstance(figure.value, str) or figure.kind not in ("money", "percent"):
                continue
            plain = figure.value / 100
            for number in (plain, plain / 1000, plain / 10**6) if figure.kind == "money" else (plain, figure.value):
                by_number.setdefault(number, figure)
        return by_number

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


@DocumentCache
def source_of(document: str) -> SourceFigures:
    """Read the figures of a document for the rules."""
    return SourceFigures(figures_in(document), document)


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


def unit_change(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """An amount of money per month, quarter or year, converted to another of these; both periods are stated."""
    for other in source.figures if figure.per else ():
        convertible = other.unit == figure.unit and other.per not in ("", figure.per)
        if convertible and isinstance(other.value, Fraction):
            converted = other.value * MONTHS_IN[figure.per] / MONTHS_IN[other.per]
            if figure.value == _half_up(converted):
                return other
    return None


def scale_of_table(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """A number of the source, with the unit or scale that a caption, a head or a label may give it."""
    return None if isinstance(figure.value, str) else source.scaled.get(size_key(figure.unit, figure.value))


def unit_left_out(figure: Figure, source: SourceFigures, about: bool) -> Figure | None:
    """A bare number that is an amount or a percentage of the source, as a table or JSON writes it."""
    if figure.kind != "count" or isinstance(figure.value, str):
        return None
    return source.plain.get(figure.value) if _has_digits(figure.value) else None


def _has_digits(number: Fraction) -> bool:
    """Whether a number has so many digits that it is hardly the same by chance."""
    return len(str(number.numerator).strip("0")) >= MIN_DIGITS or number.denominator > 1


RULES: dict[str, Rule] = {
    "equal": equal,
    "scale of a table": scale_of_table,
    "unit left out": unit_left_out,
    "part of date": part_of_date,
    "rounding": rounded,
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
