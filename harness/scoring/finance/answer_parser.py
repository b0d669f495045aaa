"""Parse an answer about a fact sheet: each figure with its sign, and the entity, period and metric it is about.

In a table or in JSON, a figure is about what its labels name. In prose it belongs to the mention attached to it ("$3
million in Q2 2025"), else to the nearest one before it in its clause, else in its sentence or paragraph.
Lists of equal length are paired in order ("A and B returned 2% and 3%").
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from harness.scoring.base import RangeSet
from harness.scoring.finance.fact_sheet import BENCHMARKS, FUNDS, NAME, Sheet, is_benchmark
from harness.scoring.finance.periods import Period, periods_in
from harness.scoring.grounding.contexts import Text
from harness.scoring.grounding.cues import MOVES
from harness.scoring.grounding.label_units import PER_UNIT, readings_of
from harness.scoring.text.layout import Cell
from harness.scoring.text.normalize import lower
from harness.scoring.text.phrases import even
from harness.scoring.text.quantities import Figure

BRACKETS = re.compile(
    r"\([$€£]?\d[\d,.]*\)(?=\s?(?:%|per\s?cent|basis|bps|thousand|million|billion))|(?<=[$€£])\(\d[\d,.]*\)"
    r"|(?<=\b(?:of|as|is|at|to|by)\s)\([$€£]?\d[\d,.]*(?:\s?(?:thousand|million|billion|%|percent))*\)"
    r"|(?<=[$€£])[-\u2212\u2013](?=\d)"
)
"""Brackets that negate, or a minus after the sign of the currency."""
CURRENCY = re.compile(r"\s?(?:USD|EUR|GBP)\b(?:\s+(?:thousands|millions|billions)\b)?")
POINTS = re.compile(r"(?:\d|%|pct\.?|percentage)[\s-]*(?:points?|pts?)\b|pp\b|ppts?\b", re.I)
BREAK = re.compile(
    r";|[:–—=](?=\s)|,\s+(?=(?:and|with)\b)|\b(?=(?:while|whereas|although|though|but|yet)\b|i\.e\.|that is,)"
    r"|\s+(?=(?:and|with)\s+(?:an?|the|its)\s)"
)
ATTACHED = re.compile(
    r"\**(?:\s(?:times|an?\s(?:share|unit|year)|per\s(?:share|unit)))?(?:\s\([a-z][^()\d]{0,20}\))?"
    r"(?:\s(?:(?:in|of)\s(?!(?:the|its|each|an?)\b)[a-z]+|decline|decrease|drop|fall|gain|increase|loss|return|rise)(?=\s))?"
    r"\s*\(?\s*(?:(?:in|for|during|at|by|of|on|as\s+of|over|at\s+the\s+end\s+of)\s+)?(?:the\s+|its\s+|each\s+)?"
    r"(?:(?:quarter|half|half-year|year|period|(?:three|six|nine|twelve)\s+months)\s+(?:that\s+)?end(?:ed|ing)\s+)?",
    re.I,
)
LABEL = re.compile(r"(?:\s*:|\s+of)\s*[-$(+\d]")
"""After a mention that belongs to what follows: "Q1 2025: 92.1%", "sales of $3"."""
LIST_GAP = re.compile(r"\s*(?:,|,?\s*\b(?:and|to|or|versus|vs\.?|against)\b)\s*(?:the\s+)?", re.I)
COMPARED = re.compile(
    r"\b(?:from|versus|vs\.?|against|(?:compared|compares)\s+(?:with|to)|than)\s+(?:an?\s+)?(?:(?:loss|gain|fall|rise)\s+of\s+)?\**$",
    re.I,
)
TO = re.compile(r"\bto\s+(?:(?:about|around|just|only)\s+)?$")
OF = re.compile(r"(?:['’]s)?(?:\s(?:shares?|units?|(?:share|unit)?holders?))?,?\s\(?(?:(?:of|in)\s)?(?:the\s)?")
"""Between a class and its fund."""
ASIDE = re.compile(r"\b(?:after|before|net\sof|gross\sof|excluding)\s(?:all\s|its\s)?$")
OF_IT = re.compile(r"\s(?:of|is|are|was|were)\b")
"""What is left out is no metric of what follows: "returned 3% after expenses", but "after expenses of $3"."""
CHANGED = re.compile(rf"(?:\b(?:{'|'.join(MOVES)})\b(?P<gap>[^.;]{{0,40}})|\+)$")
LEVEL = re.compile(r"\b(?:to|from|at|were|reached|stood|than|against|versus|short)\b")
CHANGE_AFTER = re.compile(rf"[\s-]*(?:(?:percentage\s+)?points?\s+)?(?P<move>{'|'.join(MOVES)})\b")
LOSS = re.compile(r"\b(?:loss(?:es)?|lost|lose|losing|negative|minus|deficit|shortfall|outflows?)\b")
PROFIT = re.compile(r"\b(?:profit|gain(?:s|ed)?|positive|surplus|earned|made)\b")
NEGATIVE = re.compile(r"\bnegative\s$")
"""Before the metric whose value it negates: "negative NOI of $3"."""
LOSS_AFTER, AND = re.compile(r"\s*(?:net\s+)?loss\b"), re.compile(r"\band\b")


class Mention(NamedTuple):
    """An entity, period, metric or named value in a text."""

    start: int
    end: int
    kind: str
    """entity, period, metric or name."""
    names: frozenset[str]
    """The names of the sheet that may be meant."""
    period: Period | None = None


class Labels(NamedTuple):
    """What a figure is about; each is empty where nothing says."""

    entities: frozenset[str]
    period: Period | None
    metrics: frozenset[str]
    written: str
    """The words that name the metrics."""
    is_next: bool
    """No other figure is between these words and the figure."""


class Stated(NamedTuple):
    """A figure, or a name as a value, with what it is about."""

    figure: Figure
    readings: tuple[Figure, ...]
    negative: bool | None
    """Stated as a loss; None where the words leave it open."""
    is_points: bool
    """In percentage points."""
    is_basis: bool
    """In basis points."""
    move: int | None
    """The direction of a change; None for a level."""
    labels: Labels
    sentence: tuple[int, int]


class Answer(Text):
    """An answer with its figures and mentions; brackets that negate are blanks in `text`."""

    def __init__(self, written: str, sheet: Sheet) -> None:
        letters = list(written)
        self.signs = {at for match in BRACKETS.finditer(written) for at in (match.start(), match.end() - 1)}
        for at in self.signs:
            letters[at] = " "
        super().__init__("".join(letters))
        self.written, self.sheet = written, sheet
        self.mentions = sorted(mentions_in(self.text, sheet), key=lambda m: m.start)
        self.low = lower(self.text)
        """In lower case, with `_` for entities: in "Growth Fund" nothing grew."""
        for m in self.mentions:
            if m.kind == "entity":
                self.low = self.low[: m.start] + "_" * (m.end - m.start) + self.low[m.end :]
        taken = RangeSet((m.start, m.end) for m in self.mentions)
        figures = [Figure(m.start, m.end, NAME, NAME, min(m.names)) for m in self.mentions if m.kind == NAME]
        values: list[tuple[Figure, tuple[Figure, ...], int]] = [(figure, (figure,), 1) for figure in figures]
        values += [(f.figure, f.readings, f.sign) for f in self.facts if taken.is_free(f.figure.start, f.figure.end)]
        self.values = sorted(values)
        self.spans = [(figure.start, figure.end) for figure, _, _ in self.values]
        self.moves = [self._move(index) for index in range(len(self.values))]
        self.breaks = sorted({*self.ends, 0, *(match.end() for match in BREAK.finditer(self.low)), len(self.low) + 1})
        self.attached = [self._attached(index) for index in range(len(self.values))]
        bound = {m.start for attached in self.attached for m in attached.values()}
        self.free = [m for m in self.mentions if m.start not in bound]
        compared = [
            i for i, (start, _) in enumerate(self.spans) if COMPARED.search(self.text, max(0, start - 36), start)
        ]
        self.aside = {m.start for index in compared for m in self.attached[index].values() if m.period}
        """Periods that only a figure of a comparison has: "up from 92.1% in Q3"."""
        self.lists: list[list[int]] = []
        """Figures by the list that they are in, such as "2% and 3%"."""
        for index, (start, _) in enumerate(self.spans):
            if index and LIST_GAP.fullmatch(self.text, self.spans[index - 1][1], start):
                self.lists[-1].append(index)
            else:
                self.lists.append([index])

    @cached_property
    def stated(self) -> list[Stated]:
        """Every figure and named value, in order, with what each is about."""
        return [self._stated(index, listed) for listed in self.lists for index in listed]

    def _stated(self, index: int, listed: list[int]) -> Stated:
        figure, readings, sign = self.values[index]
        start, end = self.spans[index]
        currency = CURRENCY.match(self.text, end) if figure.kind == "count" else None
        if currency:
            readings, end = readings_of(figure, [currency[0]]), currency.end()
        while start - 1 in self.signs or (sign < 0 and start and self.text[start - 1] in "-\u2212\u2013"):
            start -= 1
        end += end in self.signs
        is_negative = self._is_negative(index, sign < 0 or bool(self.signs & {*range(start, end)}))
        entity, period, metric = (self._bound(kind, index, listed) for kind in ("entity", "period", "metric"))
        if entity and metric and self._is_aside(entity, metric):
            entity = None
        none = frozenset[str]()
        labels = Labels(
            entity.names if entity else none,
            period.period if period else None,
            metric.names if metric else none,
            self.low[metric.start : metric.end] if metric else "",
            metric is not None and (not index or self.spans[index - 1][0] < metric.start),
        )
        is_points = figure.kind == "percent" and bool(POINTS.search(self.text, figure.start, figure.end + 8))
        is_basis = figure.kind == "percent" and "b" in self.text[figure.start : figure.end].lower()
        figure = figure._replace(start=start, end=end)
        return Stated(
            figure, readings, is_negative, is_points, is_basis, self.moves[index], labels, self.sentence(start)
        )

    def _move(self, index: int) -> int | None:
        """1, -1 or 0 if the text makes the figure a rise, a fall or a change; None for a level."""
        start, end = self.spans[index]
        after = CHANGE_AFTER.match(self.low, end)
        if after:
            return MOVES[after["move"]]
        first = max(self.spans[index - 1][1] if index else 0, self.sentence(start)[0], start - 60)
        before = CHANGED.search(self.low, first, start)
        if before and not LEVEL.search(before["gap"] or ""):
            return MOVES.get(before[0].split()[0], 0) if before["gap"] is not None else 1
        return None

    def _is_negative(self, index: int, signed: bool) -> bool | None:
        """Whether signs or words make a figure negative: a loss before it, with no metric or profit between.

        None if it fell, or if the loss has its own figure: "a loss of $2 million from $1 million".
        """
        start, end = self.spans[index]
        if signed or LOSS_AFTER.match(self.low, end):
            return True
        after = CHANGE_AFTER.match(self.low, end)
        if after and MOVES[after["move"]] > 0:
            return False
        ends = [match.end() for match in LOSS.finditer(self.low, self.sentence(start)[0], start)]
        named = self.named("metric", ends[-1], start) if ends else []
        is_own = len(named) == 1 and NEGATIVE.search(self.low, max(0, named[0].start - 12), named[0].start)
        if not ends or PROFIT.search(self.low, named[0].end if is_own else ends[-1], start) or (named and not is_own):
            return None if self.moves[index] == -1 else False
        own = ends[-1] < (self.spans[index - 1][1] if index else 0)
        return None if own or AND.search(self.low, ends[-1], start) else True

    def _is_aside(self, entity: Mention, metric: Mention) -> bool:
        """Whether "the benchmark" has no value of a metric, and is not what it is of: "beta against the benchmark"."""
        is_bare = lower(self.text[entity.start : entity.end]) in BENCHMARKS
        return is_bare and not any(r.entity in entity.names and r.metric in metric.names for r in self.sheet.rows)

    def cell(self, figure: Figure) -> Cell | None:
        """Return the cell of a table or of JSON that a figure is in."""
        return self._cell(figure)

    def named(self, kind: str, start: int, end: int) -> list[Mention]:
        """List the mentions of a kind in a range."""
        return [m for m in self.mentions if m.kind == kind and start <= m.start < end]

    def _clause(self, at: int) -> tuple[int, int]:
        number = bisect_right(self.breaks, at)
        return self.breaks[number - 1], self.breaks[number]

    def _attached(self, index: int) -> dict[str, Mention]:
        """Mentions that follow the figure at once, joined by words such as "in" and "for"."""
        start, at = self.spans[index]
        limit = min([self._clause(start)[1], *(first for first, _ in self.spans[index + 1 : index + 2])])
        is_listed = index and LIST_GAP.fullmatch(self.text, self.spans[index - 1][1], start)
        attached: dict[str, Mention] = {}
        for number, m in enumerate(self.mentions, 1):
            if at <= m.start < limit:
                joined = ATTACHED.fullmatch(self.text, at, m.start)
                following = [n for n in self.mentions[number : number + 1] if is_listed and n.kind == m.kind]
                if following and LIST_GAP.fullmatch(self.text, m.end, following[0].start):
                    break  # "$3 and $4 in 2023 and 2022"
                if not joined or m.kind in attached or LABEL.match(self.text, m.end):
                    break
                attached[m.kind] = m
                at = m.end
        return attached

    def _bound(self, kind: str, index: int, listed: list[int]) -> Mention | None:
        """The mention of a kind that a figure belongs to."""
        at, cell = self.spans[index][0], self.cell(self.values[index][0])
        if cell:
            first = max(cell.start, self.spans[index - 1][1] if index else 0)
            found = [m for m in (self.attached[index].get(kind),) if m and m.end <= cell.end]
            found += reversed(self.named(kind, first, at))
            found += [m for each in (*cell.labels, *cell.captions) for m in self.named(kind, *each)]
            return next((m for m in found if kind != "metric" or not self._is_short(m, index)), None)
        if kind in self.attached[index]:
            return self.attached[index][kind]
        if " + " in (self.text[max(0, at - 3) : at], self.text[self.spans[index][1] :][:3]):
            return None  # each part of a sum has a place of its own
        (first, _), (start, stop) = self._clause(at), self.sentence(at)
        free = [m for m in self.free if m.kind == kind and (kind != "metric" or self._fits(m, index))]
        paired = [m for m in free if start <= m.start < stop]
        if len(listed) == len(paired) > 1 and not paired[0].start < at < paired[-1].start:
            return paired[listed.index(index)]
        if kind != "metric" and (index != listed[0] or COMPARED.search(self.text, max(first, at - 36), at)):
            return None
        before = [m for m in free if m.start < at] if kind != "entity" else self.named(kind, 0, at)
        if before and before[-1].start >= first:
            return before[-1]
        if kind == "metric":
            return None
        near, named = [m for m in before if m.start >= start], self.named(kind, start, at)
        if kind == "period" and named and not near and TO.search(self.text, start, at):
            return None  # "from $3 million in 2023 to $4 million"
        named = [m for m in named if m.start not in self.aside]
        if named:
            return (near or named)[-1]
        carried = {(m.names, m.period): m for m in self.named(kind, max(p for p in self.paragraphs if p <= at), at)}
        carried = {key: m for key, m in carried.items() if m.start not in self.aside}
        return next(iter(carried.values())) if len(carried) == 1 else None

    def _fits(self, metric: Mention, index: int) -> bool:
        """Whether a metric has values of a figure's unit; a change of any may be in percent."""
        units = {reading.unit for reading in self.values[index][1]}
        is_share = "bp" in units and self.moves[index] is not None
        has_unit = any(metric.names & self.sheet.metrics.get(unit, frozenset()) for unit in units)
        return is_share or (has_unit and not self._is_short(metric, index))

    def _is_short(self, metric: Mention, index: int) -> bool:
        """Whether neither the words of a metric per share nor those after a figure say that it is per share."""
        is_said = PER_UNIT.search(self.text, metric.start, metric.end) or PER_UNIT.match(
            self.text, self.spans[index][1] + 1
        )
        return not is_said and all(map(PER_UNIT.search, metric.names))


def mentions_in(text: str, sheet: Sheet) -> Iterator[Mention]:
    """Yield the mentions in a text."""
    text = text.replace("_", " ")
    low, taken = even(lower(text)), RangeSet()
    entities: list[Mention] = []
    for match in sorted(sheet.names.find(low), key=lambda m: (m.start - m.end, m.start)):
        if taken.add(match.start, match.end):
            kind, names = match.value
            if kind == "entity":
                entities.append(Mention(match.start, match.end, kind, names))
            elif kind != "metric" or not ASIDE.search(low[: match.start]) or OF_IT.match(low, match.end):
                yield Mention(match.start, match.end, kind, names)
    for start, end, period in periods_in(text):
        if taken.add(start, end):
            yield Mention(start, end, "period", frozenset(), period)
    entities = list(_told(sorted(entities, key=lambda m: m.start), low))
    while entities:
        m = entities.pop(0)
        while entities and OF.fullmatch(low, m.end, entities[0].start):  # "Class A of the Elm Fund"
            other = entities.pop(0)
            names = m.names | other.names
            m = m._replace(end=other.end, names=_most_precise(names))
        yield m


def _told(entities: Iterable[Mention], low: str) -> Iterator[Mention]:
    """The entities without each bare "fund", but for one after a benchmark: it is the last fund before that one."""
    fund = is_after_benchmark = None
    for m in entities:
        if low[m.start : m.end] not in FUNDS:
            is_after_benchmark = all(map(is_benchmark, m.names))
            fund = fund if is_after_benchmark else m.names
            yield m
        elif is_after_benchmark:
            yield m._replace(names=fund or m.names)


def _most_precise(names: frozenset[str]) -> frozenset[str]:
    """Of the names that begin with another one, those; else all."""
    return frozenset(a for a in names if any(a != b and a.startswith(b) for b in names)) or names
