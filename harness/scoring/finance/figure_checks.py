"""Judge figures of a report against a fact sheet: row, entity, period, metric, sign, unit and arithmetic.

A figure is `supported` if a row of its entity, period and metric has its value; `derived` if one rule yields it from
such rows: difference, percent change (two periods of one entity), percentage points, sum, or rounding after a word such
as "about". All others are fabricated: `mispaired` (a row of another entity, period or metric has the value),
`wrong_sign`, `wrong_unit` (thousands for millions, percent for percentage points), `wrong_arithmetic` (a change or a
sum that its rows do not yield) and `ungrounded`. Directions are checked for changes, not for comparisons between
entities, and a change needs a word that says so.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from harness.scoring.finance.answer_parser import ParsedAnswer, Stated
from harness.scoring.finance.fact_sheet import NAME, Sheet, SheetRow
from harness.scoring.grounding.figures import ABOUT
from harness.scoring.text.quantities import size_key


def changes(stated: Stated, answer: ParsedAnswer, sheet: Sheet) -> Iterator[tuple[str, Fraction, tuple[SheetRow, ...]]]:
    """Yield changes in the figure's unit between rows that the text around it mentions: rule, value and rows."""
    unit = stated.figure.unit
    for first, second in _pairs(stated, answer, sheet):
        if isinstance(first.value, str) or isinstance(second.value, str):
            continue
        rows, gap = (first, second), second.value - first.value
        if first.unit == "bp":
            if unit == "bp" and (stated.points or _in_basis_points(stated, answer)):
                yield "percentage points", gap, rows
        elif first.unit == unit and not stated.points:
            yield "difference", gap, rows
        elif (
            unit == "bp"
            and not stated.points
            and not _in_basis_points(stated, answer)
            and first.entity == second.entity
            and first.value > 0
        ):
            yield "percent change", gap / first.value * 10000, rows


def _in_basis_points(stated: Stated, answer: ParsedAnswer) -> bool:
    return "b" in answer.text[stated.figure.start : stated.figure.end].lower()


def _pairs(stated: Stated, answer: ParsedAnswer, sheet: Sheet) -> Iterator[tuple[SheetRow, SheetRow]]:
    """Rows of one metric, earlier first, that differ in period alone or in entity alone."""
    entities, periods, metrics = _mentioned(stated, answer)
    rows = [r for r in sheet.rows if r.unit != NAME and (not metrics or r.metric in metrics)]
    order = {period: at for at, period in enumerate(sheet.periods)}
    now = stated.periods or order.keys()
    for a, b in combinations(rows, 2):
        if a.metric != b.metric:
            continue
        if a.entity == b.entity and a.period != b.period:
            if (not stated.entities or a.entity in stated.entities) and {a.period, b.period} <= periods:
                yield (a, b) if order[a.period] < order[b.period] else (b, a)
        elif a.entity != b.entity and a.period == b.period and a.period in now and {a.entity, b.entity} <= entities:
            yield a, b


def sums(stated: Stated, answer: ParsedAnswer, sheet: Sheet) -> Iterator[tuple[Fraction, tuple[SheetRow, ...]]]:
    """Yield sums of one metric over periods of an entity, or over entities of a period, with their rows."""
    entities, periods, metrics = _mentioned(stated, answer)
    candidates = [r for r in sheet.rows if r.unit == stated.figure.unit and (not metrics or r.metric in metrics)]
    groups: dict[tuple[str, str], list[SheetRow]] = {}
    for row in candidates:
        if row.entity in entities and row.period in periods:
            groups.setdefault((row.metric, row.entity), []).append(row)
            groups.setdefault((row.metric, row.period), []).append(row)
    for group in groups.values():
        for size in range(2, min(len(group), 6) + 1):
            for rows in combinations(group, size):
                values = [row.value for row in rows if isinstance(row.value, Fraction)]
                yield sum(values, Fraction(0)), rows


def _mentioned(stated: Stated, answer: ParsedAnswer) -> tuple[set[str], set[str], set[str]]:
    """Entities, periods and metrics of the figure's sentence; with those before it and in the question if too few."""
    end = sentence_end(answer, stated)
    start = answer.sentences[stated.sentence]
    scope = answer.scope
    mentioned: list[set[str]] = []
    for kind, question, minimum in (("entity", scope.entities, 2), ("period", scope.periods, 2), ("metric", (), 1)):
        here = {m.value for m in answer.mentions if m.kind == kind and start <= m.start < end}
        if kind == "metric" and stated.metric:
            here = {stated.metric}
        if len(here) < minimum:
            before = [m for m in answer.mentions if m.kind == kind and m.start < start]
            here |= {m.value for m in (before[-1:] if kind == "metric" else before)} | set(question)
        mentioned.append(here)
    return mentioned[0], mentioned[1], mentioned[2]


def sentence_end(answer: ParsedAnswer, stated: Stated) -> int:
    """Return where the figure's sentence ends."""
    following = answer.sentences[stated.sentence + 1 : stated.sentence + 2]
    return following[0] if following else len(answer.text)


def equal(value: Fraction | str, stated: Stated, rounding: bool) -> bool:
    """Whether a figure states a value, with `rounding` at its last digit."""
    figure = stated.figure.value
    if isinstance(value, str) or isinstance(figure, str):
        return value == figure
    return value == figure or (rounding and abs(value - figure) * 2 <= stated.figure.step)


MOVE_DISTANCE = 60
"""Characters before a figure in which a word such as "rose" is searched for."""
LEVEL = re.compile(r"\b(?:to|from|at|was|were|is|reached|stood|than|against|versus|short)\b")
AFTER_ONLY = frozenset(("above", "below", "more", "less", "fewer", "ahead", "behind"))
"""Words that make the figure before them a change, and the one after them a level: "below $3 million"."""
NOUNS = frozenset(
    (
        *("rise", "increase", "growth", "gain", "improvement", "fall", "decline", "decrease", "drop", "reduction"),
        *("change", "difference", "gap", "spread", "margin"),
    )
)
NOUN_IS = re.compile(
    r"\s+(?:was|is|of|came\s+to|amounted\s+to|equals|stood\s+at)\s+(?:about\s+|roughly\s+)?|\s*:\s*\+?"
)
"""Between "the rise" and its figure."""
POINT_GAP = re.compile(r"(?:[ \t]|-)(?:point[ \t]+)?", re.I)
ASIDE = re.compile(r"\s*(?:,\s*or|,|\(|or)\s*", re.I)
LOSS_AFTER = re.compile(r"\s*(?:net\s+)?loss\b")
MOVING = re.compile(r"return|growth|change|yield")
"""Metrics whose level is stated as a rise or fall: "the fund gained 2%"."""
YEAR = re.compile(r"(?:19|20)\d\d")
BEFORE_YEAR = re.compile(
    r"\b(?:in|of|for|since|until|to|from|by|through|during|and|fiscal|year|calendar|end)\s+$|[–-]$", re.I
)
FABRICATED = {"mispaired", "wrong_sign", "wrong_unit", "wrong_arithmetic", "ungrounded"}
COUNTED = re.compile(
    r"\s+(?:(?:\w+\s+)?(?:funds?|trusts?|quarters?|periods?|years?|figures?|statements?|metrics?))\b", re.I
)


THE = re.compile(r"\b(?:the|all|both)\s$", re.I)


class FigureVerdict(NamedTuple):
    """The verdict on one figure."""

    verdict: str
    reason: str
    rows: tuple[SheetRow, ...] = ()
    """Rows that support the figure, or that it should have come from."""
    rule: str = "equal"


def is_structure(stated: Stated, text: str) -> bool:
    """ "Two funds", "the three months", "the quarter of 2020": the report's subject, not a claim."""
    figure = stated.figure
    if figure.kind == "count" and YEAR.fullmatch(text, figure.start, figure.end):
        return bool(BEFORE_YEAR.search(text, max(0, figure.start - 24), figure.start))
    if figure.kind == "duration":
        return figure.unit == "months" and figure.value in (3, 6, 9, 12)
    small = figure.kind == "count" and not isinstance(figure.value, str) and figure.value <= 12
    return small and bool(COUNTED.match(text, figure.end) or THE.search(text, max(0, figure.start - 5), figure.start))


def judge(stated: Stated, answer: ParsedAnswer, sheet: Sheet, last: int) -> FigureVerdict:
    """Judge one figure; `last` is where the figure before it ended."""
    figure = stated.figure
    same = sheet.by_size.get(size_key(figure.unit, figure.value), ())
    if figure.unit == NAME:
        fits = _fitting(same, stated)
        return FigureVerdict("supported", "in the sheet", tuple(fits)) if fits else _mispaired(same)
    move = move_of(stated, answer, last)
    fits = [] if stated.points else _fitting(same, stated)
    if move is not None:
        fits = [row for row in fits if MOVING.search(row.metric)]
    if fits:
        negative = True if move == -1 else _is_negative(stated, answer, last)
        right = tuple(r for r in fits if negative in (None, r.value != r.size) or not r.value)
        if right:
            return FigureVerdict("supported", "in the sheet", right)
        stated_as, actual = ("loss", "gain") if negative else ("gain", "loss")
        return FigureVerdict("wrong_sign", f"stated as a {stated_as}; the sheet has a {actual}", tuple(fits))
    return _derived(stated, answer, sheet, move) or _fabricated(stated, answer, sheet, move, same)


def _fitting(rows: Sequence[SheetRow], stated: Stated) -> list[SheetRow]:
    return [row for row in rows if is_of(row, stated) and stated.metric in (None, row.metric)]


def is_of(row: SheetRow, stated: Stated) -> bool:
    entity = stated.entities is None or row.entity in stated.entities
    return entity and (stated.periods is None or row.period in stated.periods)


def move_of(stated: Stated, answer: ParsedAnswer, last: int) -> int | None:
    """1, -1 or 0 if the text makes the figure a rise, a fall or a change; None for a level."""
    figure, text, moves = stated.figure, answer.text, answer.words.moves
    if not moves:
        return None
    at = bisect_left(moves, (figure.end,))
    if at < len(moves) and POINT_GAP.fullmatch(text, figure.end, moves[at][0]):
        return moves[at][2]
    start = stated.clause[0]
    aside = start < last < figure.start and ASIDE.fullmatch(text, last, figure.start)
    earliest = start if aside else max(start, last, figure.start - MOVE_DISTANCE)
    before = bisect_left(moves, (figure.start,)) - 1
    while before >= 0 and answer.words.lower[moves[before][0] : moves[before][1]] in AFTER_ONLY:
        before -= 1
    if before < 0:
        return None
    begin, end, direction = moves[before]
    if answer.words.lower[begin:end] in NOUNS and NOUN_IS.fullmatch(answer.words.lower, end, figure.start):
        return direction
    return (
        None if begin < earliest or (not aside and LEVEL.search(answer.words.lower, end, figure.start)) else direction
    )


def _is_negative(stated: Stated, answer: ParsedAnswer, last: int) -> bool | None:
    """Whether signs or words make the figure negative: a loss word before it, with no other metric or profit between.

    None if the loss word has its own figure and this is a second one: "a loss of $2 million from $1 million".
    """
    words, at = answer.words, stated.figure.start
    if stated.negative or LOSS_AFTER.match(words.lower, stated.figure.end):
        return True
    start = answer.sentences[stated.sentence]
    end = max((end for begin, end in words.losses if start <= begin < at), default=None)
    if end is None or any(end <= begin < at for begin, _ in words.profits):
        return False
    if any(m.kind == "metric" and end <= m.start < at for m in answer.mentions):
        return False
    return None if end < last else True


def _sums_up(answer: ParsedAnswer, start: int, end: int) -> bool:
    return any(start <= begin < end for begin, _ in answer.words.sums)


def _derived(stated: Stated, answer: ParsedAnswer, sheet: Sheet, move: int | None) -> FigureVerdict | None:
    figure = stated.figure
    about = bool(ABOUT.search(answer.text, max(0, figure.start - 20), figure.start))
    if about and move is None and not stated.points:
        for row in _fitting([r for r in sheet.rows if r.unit == figure.unit], stated):
            if equal(row.size, stated, rounding=True):
                return FigureVerdict("derived", "rule: rounding", (row,), "rounding")
    if move is not None or stated.points:
        for rule, value, rows in changes(stated, answer, sheet):
            if equal(abs(value), stated, rounding=about or rule == "percent change"):
                if move and value * move < 0 and rows[0].entity == rows[-1].entity:
                    direction = "rise" if value > 0 else "fall"
                    return FigureVerdict("wrong_arithmetic", f"the change is a {direction}", rows, rule)
                return FigureVerdict("derived", f"rule: {rule}", rows, rule)
    if _sums_up(answer, answer.sentences[stated.sentence], sentence_end(answer, stated)):
        for value, rows in sums(stated, answer, sheet):
            if equal(abs(value), stated, rounding=about):
                return FigureVerdict("derived", "rule: sum", rows, "sum")
    return None


def _fabricated(
    stated: Stated, answer: ParsedAnswer, sheet: Sheet, move: int | None, same: Sequence[SheetRow]
) -> FigureVerdict:
    """The verdict on a figure that is not in the sheet as stated and does not follow from it."""
    figure = stated.figure
    if size_key(figure.unit, figure.value) in sheet.loose:
        return FigureVerdict("supported", "in the sheet's text")
    confused = _other_unit(stated, answer, sheet, move)
    if confused:
        return confused
    if same and move is None:
        return _mispaired(same)
    expected = list(changes(stated, answer, sheet)) if move is not None or stated.points else []
    if expected:
        rule, value, rows = expected[0]
        return FigureVerdict("wrong_arithmetic", f"rule {rule} yields {_written(value, figure.unit)}", rows, rule)
    if _sums_up(answer, stated.clause[0], figure.start):
        for value, rows in sums(stated, answer, sheet):
            return FigureVerdict("wrong_arithmetic", f"rule sum yields {_written(value, figure.unit)}", rows, "sum")
    if same:
        return _mispaired(same)
    return FigureVerdict("ungrounded", "not in the sheet, and no rule yields it")


def _mispaired(rows: Sequence[SheetRow]) -> FigureVerdict:
    row = rows[0]
    return FigureVerdict("mispaired", f"the sheet has it for {row.place}", (row,))


def _other_unit(stated: Stated, answer: ParsedAnswer, sheet: Sheet, move: int | None) -> FigureVerdict | None:
    """The figure in another scale or unit: thousands for millions, percent for points, a number without its unit."""
    figure = stated.figure
    if isinstance(figure.value, str) or not figure.value:
        return None
    for row in _fitting(sheet.rows, stated._replace(metric=None)):
        if isinstance(row.size, str) or not row.size or row.unit == NAME:
            continue
        scaled = row.unit == figure.unit and _scale_of(row.unit, row.size / figure.value)
        bare = figure.unit == "" and row.unit != "" and figure.value == row.shown
        as_points = stated.points and row.unit == "bp" and row.size == figure.value
        if (scaled or bare or as_points) and stated.metric in (None, row.metric):
            return FigureVerdict("wrong_unit", f"the sheet has {_written(row.size, row.unit)}", (row,))
    if move is not None and figure.unit == "bp":
        other = stated._replace(points=not stated.points)
        for rule, value, rows in changes(other, answer, sheet):
            if equal(abs(value), other, rounding=rule == "percent change"):
                wrong, right = ("percent", "percentage points") if other.points else ("points", "percent")
                return FigureVerdict("wrong_unit", f"a change in {right}, stated in {wrong}", rows, rule)
    return None


def _scale_of(unit: str, ratio: Fraction) -> bool:
    powers = (100,) if unit == "bp" else (1000, 10**6, 10**9)
    return any(ratio in (power, Fraction(1, power)) for power in powers)


def _written(value: Fraction | str, unit: str) -> str:
    if isinstance(value, str):
        return value
    number = float(value) / (1 if unit == "" else 100)
    return f"{number:,.2f} {'percent' if unit == 'bp' else unit}".strip()
