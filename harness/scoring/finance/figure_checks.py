"""Judge figures of a report against a fact sheet: row, entity, period, metric, sign, unit and arithmetic.

A figure is `supported` if a row has its value, unless the text says that it is about something else for which the sheet
has another value (`mispaired`) or gives it another sign (`wrong_sign`). It is `derived` if it is a change between rows
of one metric, if the fact scorer can work it out from the document, or if the right answer has it. All others are
fabricated: `wrong_unit` (thousands for millions, percent for percentage points), `wrong_arithmetic` (a change or a sum
that nothing yields) and `ungrounded`. A value of the sheet whose place cannot be told is `unclear`, and so are small
counts; they are not counted.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import msgspec

from harness.schema import Case, Completion, Span
from harness.scoring.finance.answer_parser import Answer, Labels, Stated
from harness.scoring.finance.fact_sheet import NAME, SheetRow, is_benchmark
from harness.scoring.finance.periods import EXACT, POSSIBLE, UNKNOWN, Period, fit, may_be_fiscal
from harness.scoring.grounding import figures
from harness.scoring.grounding.claims import UNCLEAR
from harness.scoring.grounding.cues import MOVES
from harness.scoring.text.quantities import Figure, size_key

SMALL = 12
"""Largest count that may count what is listed."""
GOOD = ("supported", "derived")
RESTATED = ("equal", "rounding", "part of date", "unit")
"""Beginnings of the rules that work nothing out."""
AS_PRINTED = "rule: unit of the table"
"""The fact scorer's reason for a figure that a table prints, whose unit its heading changes."""
SUMS = re.compile(r"\b(?:total(?:l?ed|l?ing|s)?|combined|together|sum|aggregated?)\b(?!\sreturn)")
SIGNED = re.compile(r"income|return|gain|earnings|profit|result")
"""Metrics whose losses must be said to be losses."""
COSTS = re.compile(r"expense|cost|fee|tax|levies|interest|depreciation|administration|repayment|redeemed|paid")
"""Metrics that a sheet may show as negative, and that rise and fall by their size."""
CHANGE_ROW = re.compile(
    r"(?<!-)\b(?:(?P<up>rise|growth|increase|change)|fall|decline|decrease|drop)(?: (?:of|in|on)\b|$)"
)
"""Metrics that are themselves a change."""
MOVE = re.compile(rf"\b(?:{'|'.join(word for word, way in MOVES.items() if way)})\b")
CLAUSE = re.compile(r"[;:]|\b(?:because|as|since|after|when|which|that|and|but|while)\b")
PART = re.compile(rf",|{CLAUSE.pattern}")
BACK = re.compile(
    r"\b(?:more|less|higher|lower)\b(?! than\b).*\b(?:earlier|before|ago|prior|previous|last)\b|\bthan (?:the )?[$€£]?$"
)
"""A comparison that may begin at the later value: "it was 8% lower a year earlier", "8% less than the 5% of 2024"."""
LEVEL = re.compile(r"\b(from|to)\s+(?:(?:an?|about|around|just|only)\s)?[$€£]?$")
TO_LEVEL = re.compile(r",(?=\s(?:from|to)\b)")
THAN = re.compile(r"\b(?:from|than|above|below)\s+(?:(?:the|an?|about|around|just|only)\s)?[$€£]?$")
WENT = re.compile(r"\b(?:went|moved|changed|swung|shifted)\b")
EARLIER = re.compile(
    r"\s(?:in\s|for\s|of\s)?(?:(?:an?|one|the|its)\s)?(?:(?:quarter|year|half|period)\s(?:earlier|before|ago)"
    r"|(?:prior|previous|preceding|year-ago)\s(?:quarter|year|half|period))\b"
)
AHEAD = r"outperform(?:s|ed|ing)?|outpac(?:es?|ed|ing)|beats?|beating|exceed(?:s|ed|ing)?|surpass(?:es|ed|ing)?|ahead"
BEHIND = r"underperform(?:s|ed|ing)?|lag(?:s|ged|ging)?|trail(?:s|ed|ing)?|behind"
RANKED = re.compile(
    rf"(?<!not\s)(?<!n['’]t\s)(?<!never\s)\b(?:(?P<ahead>{AHEAD})|{BEHIND})\s(?:behind\s)?(?:of\s)?(?:the\s|its\s|their\s)?$"
)
"""Ends before a fund or an index, which the other one is ahead of or behind."""
SPAN = re.compile(r"(\d+)-(month|year)\b")
FLOW = re.compile(r"\b(?:inflow|outflow|net\s(?:purchases|sales|subscriptions|redemptions|withdrawals))")
OUT = re.compile(r"out|redemptions|withdrawals")
"""In the name of a flow out of a fund."""
WORDS, DIGIT, DECIMAL = re.compile(r"\w+"), re.compile(r"\d"), re.compile(r"\d\.\d")


class FigureVerdict(NamedTuple):
    """The verdict on one figure."""

    verdict: str
    reason: str
    rows: tuple[SheetRow, ...] = ()
    """Rows that support the figure, or that it should have come from."""

    @property
    def is_computed(self) -> bool:
        """Whether the figure is a change or a sum that was worked out."""
        rule = self.reason.removeprefix("rule: ")
        return self.verdict == "wrong_arithmetic" or (self.verdict == "derived" and not rule.startswith(RESTATED))


class Asked(NamedTuple):
    """A figure of a right answer, with what it is about."""

    stated: Stated
    verdict: FigureVerdict
    entities: frozenset[str]
    """Entities that its sentence names."""
    periods: frozenset[Period]
    flows_out: frozenset[bool]
    """Of the flows that its sentence names, whether they are out of a fund."""


class Judge:
    """Judges the figures of one answer; `asked` are those of a right answer."""

    def __init__(self, answer: Answer, case: Case, completion: Completion, asked: Sequence[Asked] = ()) -> None:
        self.answer, self.sheet, self.case, self.completion = answer, answer.sheet, case, completion
        self.asked = asked
        self.placed: list[SheetRow] = []

    def verdicts(self) -> Iterator[tuple[Stated, FigureVerdict]]:
        """Yield each figure with its verdict."""
        found = list(self._in_order())
        wrong = set(self._outranked(found))
        for stated, verdict in found:
            if stated.figure.start in wrong:
                yield stated, FigureVerdict("wrong_arithmetic", "the comparison has the other direction", verdict.rows)
            else:
                yield stated, verdict

    def _in_order(self) -> Iterator[tuple[Stated, FigureVerdict]]:
        last: tuple[Stated, FigureVerdict] | None = None
        for stated in self.answer.stated:
            judged = self._verdict(stated)
            if last and self._is_turned(*last, stated, judged):
                judged = FigureVerdict("wrong_arithmetic", "the change has the other direction", judged.rows)
            self.placed += judged.rows
            last = (stated, judged) if judged.rows and stated.move is None else last
            yield stated, judged

    def _verdict(self, stated: Stated) -> FigureVerdict:
        keys = [size_key(reading.unit, reading.value) for reading in stated.readings]
        same = tuple(dict.fromkeys(row for key in keys for row in self.sheet.by_size.get(key, ())))
        wanted = [each for each in self.asked if size_key(each.stated.figure.unit, each.stated.figure.value) in keys]
        entities, _, flows = named_in(stated, self.answer)
        if any(flows and each.flows_out and flows.isdisjoint(each.flows_out) for each in wanted):
            return FigureVerdict("wrong_sign", "the right answer has a flow of the other direction", same[:1])
        for each in wanted:
            is_same = each.stated.labels == stated.labels and each.stated.move == stated.move
            if is_same and _is_in_unit_of(stated, each.stated) and entities <= each.entities:
                return each.verdict
        placed = self._placed(same, stated) if same else None
        if placed and placed.verdict in GOOD:
            return placed
        if any(self._is_worked_out(stated, each) for each in wanted):
            return FigureVerdict("derived", "rule: as the right answer works it out")
        if placed:
            return (self._change(stated) if placed.verdict == UNCLEAR else None) or placed
        scaled = self._other_unit(stated) if stated.move is None and stated.labels.metrics else None
        return scaled or self._change(stated) or self._by_document(stated)

    def _placed(self, same: Sequence[SheetRow], stated: Stated) -> FigureVerdict:
        """The verdict on a figure whose value rows have."""
        rivals = [row for row in same if self._rival(row, stated) or self._has_other_span(row, stated)]
        fits = [row for row in same if self._fits(row, stated.labels) and row not in rivals]
        if not fits:
            head = [row for row in same if self._is_headed(row, stated)]
            named = stated._replace(labels=stated.labels._replace(metrics=frozenset(row.metric for row in head)))
            if head and named.labels != stated.labels:
                return self._placed(head, named)
            elsewhere = FigureVerdict("mispaired", f"the sheet has it for {same[0].place}", (same[0],))
            clear = rivals or stated.labels.metrics & {row.metric for row in same}
            small = stated.figure.kind == "count" and stated.figure.value in range(SMALL + 1)
            return elsewhere if clear and stated.move is None and not small else elsewhere._replace(verdict=UNCLEAR)
        if stated.is_points and stated.move is None and stated.labels.metrics:
            return FigureVerdict("wrong_unit", "a level, stated in percentage points", tuple(fits))
        right = tuple(row for row in fits if _has_sign(row, stated.negative))
        if right and all(self._is_reversed(row, stated) for row in right):
            return FigureVerdict("wrong_sign", "the change has the other direction", right)
        if right:
            return FigureVerdict("supported", "in the sheet", right)
        stated_as, actual = ("loss", "gain") if stated.negative else ("gain", "loss")
        return FigureVerdict("wrong_sign", f"stated as a {stated_as}; the sheet has a {actual}", tuple(fits))

    def _is_headed(self, row: SheetRow, stated: Stated) -> bool:
        """Whether the last word of a row's metric is next to a figure: "a balance of $3", "its $3 balance"."""
        words, (start, end) = WORDS.findall(row.metric), (stated.figure.start, stated.figure.end)
        if not words or words[-1].removesuffix("s") in _words(stated.labels.written):
            return False
        head = re.escape(words[-1].removesuffix("s"))
        before, low = rf"\b{head}s?\s(?:of|is|are|was|were)\s[$€£]?$", self.answer.low
        return bool(re.search(before, low[max(0, start - 60) : start]) or re.match(rf"\s{head}s?\b", low[end:]))

    def _is_reversed(self, row: SheetRow, stated: Stated) -> bool:
        """Whether the words around a figure say a rise, and no fall, of a row that is a fall, or the reverse."""
        change = CHANGE_ROW.search(row.metric)
        if not change or not stated.move:
            return False
        low, (start, end) = self.answer.low, (stated.figure.start, stated.figure.end)
        first = max([stated.sentence[0], *(stop for _, stop in self.answer.spans if stop <= start)])
        last = min([stated.sentence[1], *(begin for begin, _ in self.answer.spans if begin >= end)])
        near = PART.split(low[first:start])[-1] + PART.split(low[end:last])[0]
        moves = {MOVES[word] for word in MOVE.findall(near)}
        way = row.sign if change["up"] else -row.sign
        return moves == {-way} and not BACK.search(low, end, last)

    def _is_turned(self, one: Stated, told: FigureVerdict, other: Stated, verdict: FigureVerdict) -> bool:
        """Whether two values of one metric are stated as a change of the wrong direction or in the wrong order."""
        change = self._change_of_levels(one, other) if one.sentence == other.sentence else None
        if not change:
            return False
        early, late = ((one, told), (other, verdict))[:: 1 if change[0] else -1]
        numbers = [(a, b) for a in early[1].rows for b in late[1].rows if a.figure.unit != NAME]
        pairs = [(a, b) for a, b in numbers if (a.metric, a.entity) == (b.metric, b.entity)]
        if not pairs:
            return False
        gap = Fraction(late[0].figure.value) - Fraction(early[0].figure.value)
        is_dated = early[0].labels.period not in (None, UNKNOWN)
        is_late_first = not is_dated and all(_is_earlier(b, a) for a, b in pairs)
        return is_late_first or (gap * change[1] < 0 and any(_is_clear(a, b) for a, b in pairs))

    def _outranked(self, found: Sequence[tuple[Stated, FigureVerdict]]) -> Iterator[int]:
        """Where a return begins that is said to be ahead of an index's and is behind it, or the reverse."""
        returns = [
            (row, stated)
            for stated, verdict in found
            for row in verdict.rows
            if verdict.verdict == "supported" and "return" in row.metric
        ]
        for m in self.answer.mentions:
            said = RANKED.search(self.answer.low, max(0, m.start - 40), m.start) if m.kind == "entity" else None
            sides = {is_benchmark(name) for name in m.names}
            start, end = self.answer.sentence(m.start)
            others = self.answer.named("entity", start, said.start() if said else start)
            if (
                not said
                or len(sides) > 1
                or (True not in sides and not (others and all(map(is_benchmark, others[-1].names))))
            ):
                continue
            way = 1 if bool(said["ahead"]) == (True in sides) else -1
            pairs = [
                (fund.value - index.value, max(one.figure.start, other.figure.start))
                for fund, one in returns
                for index, other in returns
                if (fund.metric, fund.period) == (index.metric, index.period)
                and is_benchmark(index.entity) > is_benchmark(fund.entity)
            ]
            near = [pair for pair in pairs if start <= pair[1] < end] or pairs
            if near and all(gap * way < 0 for gap, _ in near):
                yield near[-1][1]

    def _has_other_span(self, row: SheetRow, stated: Stated) -> bool:
        """Whether the sentence of a figure names the span of another metric, and not that of the row's."""
        first, last = stated.sentence
        told = {f.value for f, _, _ in self.answer.values if f.unit == "months" and first <= f.start < last}
        own, spans = _span_of(row.metric), {_span_of(each.metric) for each in self.sheet.rows}
        return own is not None and own not in told and not told.isdisjoint(spans)

    def _change_of_levels(self, one: Stated, other: Stated) -> tuple[bool, int] | None:
        """Whether the first of two figures is the earlier one, and 1 or -1 if it rose or fell to the other.

        "Rose from 3% to 2%"; "3%, up from 2%"; "3%, against 2% a year earlier"; None for others.
        """
        low, (start, end) = self.answer.low, (one.figure.start, one.figure.end)
        lead = PART.split(TO_LEVEL.sub("", low[max(one.sentence[0], start - 60) : start]))[-1]
        between = low[end : other.figure.start]
        first, second = LEVEL.search(lead), LEVEL.search(between)
        is_pair = first and second and first[1] != second[1] and not MOVE.search(between)
        if not is_pair and CLAUSE.search(between):
            return None
        ways = {MOVES[word] for word in MOVE.findall(lead if is_pair else between)}
        is_forward = bool(is_pair and first and first[1] == "from")
        if len(ways) == 1 and (is_pair or THAN.search(between)):
            return is_forward, ways.pop()
        is_told = (is_pair and WENT.search(lead)) or (not is_forward and EARLIER.match(low, other.figure.end))
        return (is_forward, 0) if is_told and not ways else None

    def _fits(self, row: SheetRow, labels: Labels) -> bool:
        """Whether a figure with these labels may be the row's."""
        return min(self._grade(row, labels, row.metric)) > 0

    def _rival(self, row: SheetRow, stated: Stated) -> bool:
        """Whether the labels of a figure name a row of another value better than this one."""
        own = self._grade(row, stated.labels, row.metric)
        words, named_words = _words(row.metric), _words(stated.labels.written)
        if named_words < words <= _words(self.answer.text[slice(*stated.sentence)]):
            own = (*own[:2], EXACT)
        others = (r for r in self.sheet.rows if r.figure.unit == row.figure.unit and r.figure.value != row.figure.value)
        grades = {self._grade(other, stated.labels, row.metric) for other in others} - {own}
        if stated.labels.period != UNKNOWN:
            grades = {grade for grade in grades if grade[1] == EXACT}
        return any(min(grade) > 0 and all(map(operator.ge, grade, own)) for grade in grades)

    def _grade(self, row: SheetRow, labels: Labels, metric: str) -> tuple[int, int, int]:
        """How well labels name a row's entity, period and metric; the given metric if they may mean it."""
        wanted = labels.metrics if labels.metrics and metric not in labels.metrics else {metric}
        named, known = labels.period, self.sheet.periods
        period = EXACT if named is None else fit(named, row.period, known)
        if named and not period and named.year in ("", row.period.year) and may_be_fiscal(named, known):
            period = POSSIBLE
        return (
            int(not labels.entities or row.entity in labels.entities),
            period,
            EXACT if row.metric in wanted else int(any(_is_part(each, row.metric) for each in labels.metrics)),
        )

    def _is_worked_out(self, stated: Stated, asked: Asked) -> bool:
        """Whether it is a change or sum of the right answer, in its unit and direction, with no other place named."""
        right = asked.stated
        same_way = stated.move is None or (right.move is not None and stated.move * right.move >= 0)
        entities, periods, _ = named_in(stated, self.answer)
        is_there = entities <= asked.entities and periods <= asked.periods
        return asked.verdict.verdict == "derived" and same_way and is_there and _is_in_unit_of(stated, right)

    def _other_unit(self, stated: Stated) -> FigureVerdict | None:
        """A level in another scale or unit: thousands for millions, percent for basis points, without its unit."""
        figure, value = stated.figure, stated.figure.value
        if isinstance(value, str) or not value or self.answer.cell(figure):
            return None
        for row in self.sheet.rows:
            if row.figure.unit != NAME and self._fits(row, stated.labels):
                bare = not figure.unit and row.figure.unit and value == row.shown
                if bare or _is_scaled(figure, row.figure):
                    return FigureVerdict("wrong_unit", f"the sheet has {_written(row.figure)} for {row.place}", (row,))
        return None

    def _change(self, stated: Stated) -> FigureVerdict | None:
        """A change between two rows of one metric, named or just stated: its rule, its direction and its unit."""
        figure, metrics = stated.figure, stated.labels.metrics
        if (stated.move is None and not stated.is_points) or isinstance(figure.value, str):
            return None
        metrics = metrics or frozenset(row.metric for row in self.placed[-2:])
        rows = [row for row in self.sheet.rows if any(_is_part(metric, row.metric) for metric in metrics)]
        in_points = stated.is_points or stated.is_basis
        wrong = None
        for one, other in combinations(sorted(rows, key=lambda row: (row.period.year, row.period.part)), 2):
            entities = {one.entity, other.entity}
            if one.metric != other.metric or (len(entities) == 2 and one.period != other.period):
                continue
            if one.figure.unit == NAME or (stated.labels.entities and stated.labels.entities.isdisjoint(entities)):
                continue
            gap, is_rate = other.value - one.value, one.figure.unit == "bp"
            share = gap / abs(one.value) * 10000 if one.value else Fraction(0)
            rule, growth = "", gap * one.sign
            if figure.unit == one.figure.unit and abs(gap) == figure.value and gap:
                rule, fits = ("percentage points", in_points) if is_rate else ("difference", True)
            elif figure.unit == "bp" and abs(abs(share) - figure.value) * 2 <= figure.step:
                rule, fits = "percent change", not in_points
            if rule and not fits:
                wrong = wrong or FigureVerdict("wrong_unit", f"the change is in {rule}", (one, other))
            elif rule and stated.move and growth * stated.move < 0 and _is_clear(one, other) and len(entities) == 1:
                direction = "rise" if growth > 0 else "fall"
                wrong = FigureVerdict("wrong_arithmetic", f"the change is a {direction}", (one, other))
            elif rule:
                return FigureVerdict("derived", f"rule: {rule}", (one, other))
        return wrong

    @cached_property
    def _found(self) -> dict[int, Span]:
        """Verdicts of the fact scorer against the document, by where a figure begins."""
        unsigned = msgspec.structs.replace(self.completion, text=self.answer.text)
        return {span.start: span for span in figures.judge(self.case, unsigned)}

    def _by_document(self, stated: Stated) -> FigureVerdict:
        figure = stated.figure
        span = next((self._found[at] for at in range(figure.start, figure.end) if at in self._found), None)
        if span is None:
            return FigureVerdict(UNCLEAR, "not judged")
        verdict, before = span.verdict, self.answer.text[max(0, figure.start - 26) : figure.start]
        if span.reason == AS_PRINTED and (scaled := self._other_unit(stated)):
            return scaled
        asked = next((each for each in self.asked if _is_scaled(figure, each.stated.figure)), None)
        if asked and figure.kind == "money" and verdict in GOOD:
            right = _written(asked.stated.figure)
            return FigureVerdict("wrong_unit", f"the right answer has {right}", asked.verdict.rows)
        is_by_chance = span.reason.startswith(figures.PERHAPS)  # the sheet says what may follow from it
        if is_by_chance or (
            span.reason == "rule: rounding" and not (figures.ABOUT.search(before) or _is_precise(figure, span.quote))
        ):
            verdict = "ungrounded"
        is_worked_out = stated.move is not None or SUMS.search(self.answer.low, stated.sentence[0], figure.start)
        if figure.kind in ("money", "percent") and (
            verdict == "contradictory" or (verdict == "ungrounded" and is_worked_out)
        ):
            return FigureVerdict("wrong_arithmetic", "no figures of the sheet yield it")
        if figure.kind == "count" and (verdict == "supported" or span.reason == "rule: part of date"):
            return FigureVerdict(UNCLEAR, "a number without a unit, which the document has somewhere")
        return FigureVerdict("ungrounded" if verdict == "contradictory" else verdict, span.reason)


def _is_in_unit_of(one: Stated, other: Stated) -> bool:
    """Whether two figures of one size are both points, or neither is; a level of so many basis points is a percentage.

    "Fell 0.23%" is not "fell 23 basis points".
    """
    in_points = [each.is_points or each.is_basis for each in (one, other)]
    return all(in_points) or (one.is_points == other.is_points and (one.move is None or not any(in_points)))


def _is_scaled(one: Figure, other: Figure) -> bool:
    """Whether a figure is another in a wrong scale: in thousands for millions, in percent for basis points."""
    if isinstance(one.value, str) or isinstance(other.value, str) or not one.value or one.unit != other.unit:
        return False
    powers = (100,) if one.unit == "bp" else (1000, 10**6, 10**9)
    return abs(other.value) / one.value in {*powers, *(Fraction(1, power) for power in powers)}


def named_in(stated: Stated, answer: Answer) -> tuple[frozenset[str], frozenset[Period], frozenset[bool]]:
    """Return the entities and periods that a figure's sentence names, and whether its flows are out of a fund."""
    entities = (m.names for m in answer.named("entity", *stated.sentence))
    periods = (m.period for m in answer.named("period", *stated.sentence))
    told = frozenset(period for period in periods if period and period != UNKNOWN)
    flows = frozenset(bool(stated.negative or OUT.search(flow)) for flow in FLOW.findall(answer.low, *stated.sentence))
    return frozenset[str]().union(*entities), told, flows


def _has_sign(row: SheetRow, negative: bool | None) -> bool:
    if negative is None or not row.value:
        return True
    return row.sign < 0 if negative else row.sign > 0 or not SIGNED.search(row.metric)


def _is_clear(one: SheetRow, other: SheetRow) -> bool:
    """Whether two rows of one metric rise and fall by their size."""
    are_costs = one.sign < 0 and COSTS.search(one.metric) and not SIGNED.search(one.metric)
    return one.sign == other.sign and (one.sign > 0 or bool(are_costs))


def _is_earlier(one: SheetRow, other: SheetRow) -> bool:
    """Whether a row's period is an earlier quarter, half or year than the other's."""
    (part, year), (other_part, other_year) = one.period, other.period
    return part[:1] == other_part[:1] and (year, part) < (other_year, other_part)


def _is_part(metric: str, other: str) -> bool:
    """Whether one metric's words are all in the other: "distributions" and "distribution per unit"."""
    one, two = _words(metric), _words(other)
    return bool(metric) and (one <= two or two <= one)


def _span_of(metric: str) -> int | None:
    """The months of a metric such as "3-year return"."""
    span = SPAN.search(metric)
    return int(span[1]) * (12 if span[2] == "year" else 1) if span else None


def _words(text: str) -> set[str]:
    return {word.removesuffix("s") for word in WORDS.findall(text.lower())}


def _written(figure: Figure) -> str:
    number = float(Fraction(figure.value)) / (100 if figure.unit else 1)
    return f"{number:,.2f} {'percent' if figure.unit == 'bp' else figure.unit}".strip()


def _is_precise(figure: Figure, quote: str) -> bool:
    """Whether a figure shows three digits or more, of which the last is not the 0 of a whole number.

    It may be rounded without saying so: "$11.0 million", but not "$110 million".
    """
    digits = DIGIT.findall(quote)
    return Fraction(figure.value) >= figure.step * 100 and (digits[-1:] != ["0"] or bool(DECIMAL.search(quote)))
