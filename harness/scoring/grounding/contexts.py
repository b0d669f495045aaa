"""Read what each figure of a text is about: the words around it, or the labels of its row and column, and its unit.

A context is a bag of terms with weights: stems of words, periods (`q3`, `y2024`, `m03`) and other figures. In prose the
weight falls with the distance, up to the ends of the sentence; in a table the labels of row and column have the full
weight; headings and captions have less. A figure in a table has one reading for each unit that its labels may give it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from operator import attrgetter, itemgetter

from harness.scoring.base import DocumentCache, RangeSet
from harness.scoring.grounding.label_units import SCALE, has_digits, labelled_lines, readings_of, scale_of
from harness.scoring.summaries import FUNCTION, stem
from harness.scoring.text.clock import moments_in
from harness.scoring.text.dates import MONTHS, periods_in
from harness.scoring.text.layout import SCALED, Cell, Range, cells_in
from harness.scoring.text.numbers import DIGITS, ORDINALS, digits_value
from harness.scoring.text.quantities import UNITS, Figure, SizeKey, figures_in, size_key

ON_THE_DOLLAR = re.compile(r"[)\s¢]*(?:on|per|of|for|upon|in)\s+(?:the|each|every|a|one)?\s*dollar", re.I)
ONE = re.compile(
    r"\b(?:an?|each|every|per|the|(?P<half>half)\s+(?:an?|the))\s+(?:\w+ing\s)?"
    r"(?P<unit>minute|hour|day|week|month|year|point)\b|\b(?:annual|yearly)\b",
    re.I,
)
ELIDED = re.compile(
    r"\s*(?:[^\w\s]|$|\b(?:for|in|at|to|and|or|if|when|on|with|from|per|an?|as|by|after|before|worked"
    r"|ahead|behind|above|below|better|worse|higher|lower)\b)",
    re.I,
)
"""What follows a number whose unit is left out: no noun."""
NUMBER_OF = re.compile(
    r"\b(?:number|total|maximum|minimum|limit)\s+(?:of\s+)?(?:[a-z]+\s+)?(?P<unit>minute|hour|day|week|month|year)s\b",
    re.I,
)
"""Before a number that it gives its unit: "the number of hours in a day is 12"."""
UNIT_OF = re.compile(
    r"\s+(?!(?:an?|and|at|by|each|for|from|in|of|on|or|per|the|to|with)\b)[a-z]+\s+(?P<unit>minute|hour|day|week)s\b"
)
"""A unit after a word that says of which kind: "24 credit hours"."""
NUMBER, START = re.compile(DIGITS), attrgetter("start")
WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|(?:19|20)\d\d(?!\d)|[1-4][Qq](?![a-z])")
QUARTER = re.compile(r"(?:Q([1-4])|([1-4])Q|(first|second|third|fourth)[\s-]+quarter)(?![a-z])", re.I)
MINUS = re.compile(r"[-\u2212\u2013](?<![\w)\]%.,-].)(?=[$€£]?\d[\d.,]*(?![\d-]))")
"""The minus of a number, which hides it from the pattern of quantities."""
SHORT_BRACKETS = re.compile(r"\((?:(?<=[|\t].)|(?<=\| .)|(?<=: .)|(?<= {2}.))\d{1,2}\)(?= *(?:[|\t\n]|$)| {2})")
"""A negative cell of one or two digits, which elsewhere numbers an item: "(12)"."""
NEGATIVE = re.compile(
    r"(?<![\w)\]%.,-])[-\u2212\u2013][$€£]?\d|[$€£]\s?\([\d.,]+\)|\([$€£]?[\d.,]+\)(?=\s?(?:%|percent|million|billion))"
)
COUNTING = re.compile(r"[\s)]+(?:[\w-]+\s+){0,2}")
LETTER = re.compile(r"[^\W\d_]")
END = re.compile(r"[.!?;](?=[\s\"”)]*\s)|\n")
ABBREVIATED = re.compile(
    r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Sec|Art|v|vs|Jr|Sr|approx|U\.S|i\.e|e\.g|[ap]\.m|pct|sq|ft|yr|mo|etc"
    r"|cf|O\.C\.G\.A)|\b[A-Z])$"
)
PARAGRAPH = re.compile(r"\n\s*\n|\n(?=[ \t]*(?:[-*#•|]|\d+[.)]\s|\*\*))")
OUTSIDE = 0.5
"""Weight of a term outside the figure's sentence, in its paragraph."""
LEAD = 6
"""Terms at the beginning of a paragraph that name its subject."""
REACH = 6
"""Terms from a figure at which the weight of a term has fallen to a half."""
FARTHEST = 100
"""Terms on either side that are looked at."""
LABEL, HEADING = 1.0, 0.4
"""Weight of the labels of a table, and of headings and captions."""
MOST_PERCENT = 1000
SCALED_BY_ITSELF = re.compile(r"thousand|illion|\d\s?[kmb]n?\b", re.I)
TITLE, SCALED_FROM = 120, 100_000
"""Characters at the beginning of a text whose scale is that of all its amounts: "Notes (in thousands)"; but not of
those under so many cents, which may be per unit."""
PERIOD = "period"
"""Unit of quarters, halves and fiscal years."""


@dataclass(frozen=True, eq=False)
class Fact:
    """A figure with what it is about."""

    text: Text
    figure: Figure
    readings: tuple[Figure, ...]
    """The figure as written, and with the units that its labels give it."""
    row: tuple[int, int]
    """Table and row, or -1 and the start of the sentence."""
    column: tuple[int, int]
    """Table and column, or -1 and the start of the sentence."""
    sign: int = 1
    """-1 for a figure of a table in brackets or with a minus."""

    @cached_property
    def terms(self) -> dict[str, float]:
        """The terms of its context by their weight."""
        return self.text.context(self.figure)


class Text:
    """A text with its figures in their contexts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.figures = _with_moments(text, figures_in(_unsigned(text)))
        self.cells = cells_in(text)
        self._cell_starts = [cell.start for cell in self.cells]
        self.ends = sorted({*_sentence_ends(text), len(text)})
        self.paragraphs = sorted({0, *(match.end() for match in PARAGRAPH.finditer(text)), len(text)})
        scales = {scale_of(match[0]) for match in SCALE.finditer(text)} if self.cells else set()
        self.scales = sorted({1, *scales})
        title = SCALED.search(text, 0, TITLE)
        self.title_scale = scale_of(title[0]) if title else 1
        self.facts = tuple(self._facts())

    def _facts(self) -> Iterator[Fact]:
        for figure in self.figures:
            cell = self._cell(figure)
            if cell:
                row, column = (cell.table, cell.row), (cell.table, cell.column)
                labels = [self.text[start:end] for start, end in (*cell.labels, *cell.captions)]
                readings = readings_of(figure, labels)
                readings = readings if len(readings) > 1 else self._bare(figure)
                sign = -1 if self.text[cell.start] in "(-\u2212\u2013" else self._sign(figure)
                yield Fact(self, figure, readings, row, column, sign)
            else:
                place = (-1, self.sentence(figure.start)[0])
                readings = readings_of(figure, self._line_labels(figure))
                readings = readings if len(readings) > 1 else self._bare(figure)
                yield Fact(self, figure, readings, place, place, self._sign(figure))

    def _line_labels(self, figure: Figure) -> list[str]:
        """What the labels of a line say of the units of its first numbers."""
        at = bisect_right(self._labelled, figure.start, key=itemgetter(0)) - 1
        start, end, labels = self._labelled[at] if at >= 0 else (0, 0, [])
        return labels if figure.end <= end and not LETTER.search(self.text, start, figure.start) else []

    @cached_property
    def _labelled(self) -> list[tuple[int, int, list[str]]]:
        return list(labelled_lines(self.text))

    @cached_property
    def _terms(self) -> list[tuple[int, str]]:
        return sorted(_terms(self.text, self.figures))

    @cached_property
    def _starts(self) -> list[int]:
        return [at for at, _ in self._terms]

    def _sign(self, figure: Figure) -> int:
        """Return -1 for a figure with a minus, or in brackets before its unit: "(1.8)%", "$(3.1) million"."""
        return -1 if NEGATIVE.search(self.text, max(0, figure.start - 3), figure.end + 3) else 1

    def sentence(self, at: int) -> Range:
        """Return the range of the sentence at an offset."""
        number = bisect_right(self.ends, at)
        return (self.ends[number - 1] if number else 0), self.ends[number] if number < len(self.ends) else len(
            self.text
        )

    def near(self, place: Range, start: int, end: int) -> dict[str, float]:
        """Return the terms in a range by their weight, which falls with the distance from a place."""
        low, high = bisect_left(self._starts, start), bisect_left(self._starts, end)
        middle = bisect_left(self._starts, place[0])
        low, high = max(low, middle - FARTHEST), min(high, middle + FARTHEST)
        weights: dict[str, float] = {}
        for number in range(low, high):
            at, term = self._terms[number]
            if place[0] <= at < place[1]:
                continue
            weight = 1 / (1 + abs(number - middle) / REACH)
            weights[term] = max(weight, weights.get(term, 0.0))
        return weights

    def context(self, figure: Figure) -> dict[str, float]:
        """Return the terms of a figure's context by their weight."""
        cell = self._cell(figure)
        return self._in_cell(figure, cell) if cell else self._around(figure)

    def _around(self, figure: Figure) -> dict[str, float]:
        """Terms of a figure's sentence, and with less weight of its paragraph and of the paragraph's first words."""
        start, end = self.sentence(figure.start)
        weights = self.near(figure[:2], start, end)
        at = bisect_right(self.paragraphs, figure.start)
        first, last = self.paragraphs[at - 1], self.paragraphs[min(at, len(self.paragraphs) - 1)]
        for term, weight in self.near(figure[:2], first, last).items():
            weights[term] = max(weights.get(term, 0.0), weight * OUTSIDE)
        low = bisect_left(self._starts, first)
        for place, term in self._terms[low : low + LEAD]:
            if place < last and not figure.start <= place < figure.end:
                weights[term] = max(weights.get(term, 0.0), HEADING)
        return weights

    def _in_cell(self, figure: Figure, cell: Cell) -> dict[str, float]:
        terms = self.near(figure[:2], cell.start, cell.end)
        for ranges, weight in ((cell.labels, LABEL), (cell.captions, HEADING)):
            for start, end in ranges:
                for term in self.terms(start, end):
                    terms[term] = max(weight, terms.get(term, 0.0))
        return terms

    def _bare(self, figure: Figure) -> tuple[Figure, ...]:
        """A number whose unit nothing near it gives, with the units that it may have.

        It may share the unit of a figure of its sentence, be money, in each scale that the text names, or a percentage.
        """
        value = figure.value
        scale = self.title_scale if figure.kind == "money" else 1
        if scale > 1 and Fraction(value) >= SCALED_FROM and not SCALED_BY_ITSELF.search(self.text, *figure[:2]):
            return (figure, figure._replace(value=Fraction(value) * scale, step=figure.step * scale))
        if isinstance(value, str) or figure.kind != "count":
            cents = figure.unit == "USD" and ON_THE_DOLLAR.match(self.text, figure.end)
            return (figure, figure._replace(kind="percent", unit="bp", value=value * 100)) if cents else (figure,)
        if not has_digits(value):
            return (figure, *self._shared(figure, value))
        money = [
            figure._replace(kind="money", unit="USD", value=value * scale * 100, step=figure.step * scale * 100)
            for scale in self.scales
        ]
        percent = figure._replace(kind="percent", unit="bp", value=value * 100, step=figure.step * 100)
        return (
            figure,
            *self._shared(figure, value),
            *money,
            *([percent] if value < MOST_PERCENT and "%" in self.text else []),
        )

    def _shared(self, figure: Figure, value: Fraction) -> Iterator[Figure]:
        """A number with the unit of the figures or nouns of its sentence: "95 days for bakers, 80 for drivers"."""
        start, end = self.sentence(figure.start)
        is_elided = ELIDED.match(self.text, figure.end)
        noun = NUMBER_OF.search(self.text, start, figure.start) if is_elided else UNIT_OF.match(self.text, figure.end)
        if noun:
            kind, unit, times = UNITS[noun["unit"].lower()]
            yield figure._replace(kind=kind, unit=unit, value=value * times, step=figure.step * times)
        if not is_elided:
            return
        low = bisect_left(self.figures, start, key=START)
        for other in self.figures[low : bisect_left(self.figures, end, key=START)]:
            if other.kind in ("duration", "percent", "money") and not isinstance(other.value, str):
                number = NUMBER.match(self.text, other.start)
                size = digits_value(number[0]) if number else 0
                factor = other.value / size if size else 0
                if size and (other.kind != "money" or factor == 1):  # cents
                    yield figure._replace(
                        kind=other.kind, unit=other.unit, value=value * factor, step=figure.step * factor
                    )

    def labels(self, figure: Figure) -> list[str]:
        """Return the labels and captions of a figure in a table or in JSON, the nearest first."""
        cell = self._cell(figure)
        return [self.text[start:end] for start, end in (*cell.labels, *cell.captions)] if cell else []

    def label_ranges(self, figure: Figure) -> tuple[Range, ...]:
        """Return the ranges of the labels of a figure in a table or in JSON."""
        cell = self._cell(figure)
        return cell.labels if cell else ()

    def _cell(self, figure: Figure) -> Cell | None:
        at = bisect_right(self._cell_starts, figure.start) - 1
        return self.cells[at] if at >= 0 and figure.end <= self.cells[at].end + 1 else None

    def terms(self, start: int, end: int) -> list[str]:
        """Return the terms in a range."""
        low, high = bisect_left(self._starts, start), bisect_left(self._starts, end)
        return [term for _, term in self._terms[low:high]]


def _unsigned(text: str) -> str:
    """The text with spaces for the signs that hide a number from the pattern of quantities; its length is the same."""
    return SHORT_BRACKETS.sub(lambda cell: f" {cell[0][1:-1]} ", MINUS.sub(" ", text))


def _with_moments(text: str, figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """The figures of a text with times of day, ordinals, and quarters, halves and years that are reported on."""
    periods = [Figure(each.start, each.end, "date", PERIOD, each.iso) for each in periods_in(text)]
    if periods:
        ranges = RangeSet((period.start, period.end) for period in periods)
        figures = sorted([*(f for f in figures if ranges.is_free(f.start, f.end)), *periods], key=START)
    taken = RangeSet((figure.start, figure.end) for figure in figures if figure.kind != "count")
    moments = [each for each in moments_in(text) if taken.is_free(each.start, each.end)]
    if not moments:
        return tuple(figures)
    ranges = RangeSet((moment.start, moment.end) for moment in moments)
    return tuple(sorted([*(f for f in figures if ranges.is_free(f.start, f.end)), *moments], key=START))


def _sentence_ends(text: str) -> Iterator[int]:
    for match in END.finditer(text):
        if match[0] != "." or not ABBREVIATED.search(text, max(0, match.start() - 8), match.start()):
            yield match.end()


def _terms(text: str, figures: Sequence[Figure]) -> Iterator[tuple[int, str]]:
    taken = [(figure.start, figure.end) for figure in figures]
    for figure in figures:
        yield figure.start, f"#{figure.unit}:{figure.value}"
        if figure.unit == "date":
            yield from ((figure.start, part) for part in _parts_of_date(str(figure.value)))
        elif figure.unit == PERIOD:
            yield figure.start, f"y{str(figure.value)[:4]}"
    starts = [start for start, _ in taken]
    for match in QUARTER.finditer(text):
        number = match[1] or match[2] or ORDINALS[match[3].lower()]
        yield match.start(), f"q{number}"
    for match in WORD.finditer(text):
        at = bisect_right(starts, match.start()) - 1
        word = match[0]
        if word[0].isdigit():
            if not (at >= 0 and match.start() < taken[at][1] and figures[at].unit):
                yield match.start(), f"y{word}" if len(word) == 4 else f"q{word[0]}"
        elif at < 0 or match.start() >= taken[at][1]:
            low = word.lower().replace("’", "'").removesuffix("'s")
            if word[0].isupper() and low[:3] in MONTHS and low in MONTH_WORDS:
                yield match.start(), f"m{MONTHS[low[:3]]:02d}"
            elif low not in FUNCTION and len(low) > 1:
                yield match.start(), stem(low)


MONTH_WORDS = {
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november"),
    *("december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
}


def _parts_of_date(iso: str) -> Iterator[str]:
    if not iso.startswith("-"):
        yield f"y{iso[:4]}"
        iso = iso[5:]
    else:
        iso = iso[2:]
    month, _, day = iso.partition("-")
    yield f"m{month}"
    if day >= "30" and int(month) % 3 == 0:
        yield f"q{int(month) // 3}"


def months_of(period: str) -> range:
    """Return the months of a quarter, a half or a year: `2024-Q3`, `2024-H1`, `2024-FY`."""
    kind, number = period[5], period[6:]
    length = {"Q": 3, "H": 6}.get(kind, 12)
    last = int(number) * length if number.isdigit() else length
    return range(last - length + 1, last + 1)


@lru_cache(maxsize=16)
def text_of(text: str) -> Text:
    """Read an answer; the scorers of one answer share what was read."""
    return Text(text)


class Source(Text):
    """A source, with an index of its figures."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.facts += tuple(self._ones())

    @cached_property
    def years(self) -> frozenset[str]:
        """The years of the text, in dates or alone."""
        return frozenset(term for term in self.named if re.fullmatch(r"y\d{4}", term))

    @cached_property
    def named(self) -> frozenset[str]:
        """The terms of the text."""
        return frozenset(term for _, term in self._terms)

    @cached_property
    def undated(self) -> frozenset[str]:
        """The terms outside its dates and periods with a year."""
        dated = [f for f in self.figures if f.unit in ("date", PERIOD) and str(f.value)[0] != "-"]
        ranges = RangeSet((figure.start, figure.end) for figure in dated)
        return frozenset(term for at, term in self._terms if ranges.is_free(at, at + 1))

    def always_counts(self, noun: str) -> bool:
        """Whether each word with a stem is counted by a number right before it: "seven nights"."""
        places = [match for match in WORD.finditer(self.text) if stem(match[0].lower()) == noun]
        return bool(places) and all(map(self._is_counted, places))

    def _is_counted(self, word: re.Match[str]) -> bool:
        at = bisect_left(self.figures, word.start(), key=START) - 1
        return at >= 0 and bool(COUNTING.fullmatch(self.text, self.figures[at].end, word.start()))

    @cached_property
    def by_size(self) -> dict[SizeKey, list[Fact]]:
        """Figures by unit and value, in every reading."""
        by_size: dict[SizeKey, list[Fact]] = {}
        for fact in self.facts:
            for reading in fact.readings:
                by_size.setdefault(size_key(reading.unit, reading.value), []).append(fact)
                if reading.restated is not None:
                    by_size.setdefault(size_key(reading.unit, reading.restated), []).append(fact)
        return by_size

    def _ones(self) -> Iterator[Fact]:
        """Periods without a number, such as "an hour" and "half a day"."""
        for match in ONE.finditer(self.text):
            kind, unit, factor = UNITS[(match["unit"] or "year").lower()]
            figure = Figure(match.start(), match.end(), kind, unit, factor / (2 if match["half"] else 1))
            place = (-1, self.sentence(match.start())[0])
            yield Fact(self, figure, (figure,), place, place)


@DocumentCache
def source_of(document: str) -> Source:
    """Read the figures of a source."""
    return Source(document)
