"""What follows from a fact sheet's rows in one step: differences, percent changes, percentage points, sums.

Operands are rows of one metric that the text around a figure speaks of. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

from harness.scoring.fact_sheet_context import Answer, Stated
from harness.scoring.fact_sheet_rows import NAME, Row, Sheet


def changes(stated: Stated, answer: Answer, sheet: Sheet) -> Iterator[tuple[str, Fraction, tuple[Row, ...]]]:
    """Changes that the figure's own unit can express, between rows that the text around it speaks of."""
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


def _in_basis_points(stated: Stated, answer: Answer) -> bool:
    return "b" in answer.text[stated.figure.start : stated.figure.end].lower()


def _pairs(stated: Stated, answer: Answer, sheet: Sheet) -> Iterator[tuple[Row, Row]]:
    """Rows of one metric, earlier first, that differ in period alone or in entity alone."""
    entities, periods, metrics = _spoken_of(stated, answer)
    mine = [r for r in sheet.rows if r.unit != NAME and r.metric in metrics]
    if not metrics:
        mine = [r for r in sheet.rows if r.unit != NAME]
    order = {period: at for at, period in enumerate(sheet.periods)}
    for a, b in combinations(mine, 2):
        if a.metric != b.metric:
            continue
        if a.entity == b.entity and a.period != b.period:
            if (not stated.entities or a.entity in stated.entities) and {a.period, b.period} <= periods:
                yield (a, b) if order[a.period] < order[b.period] else (b, a)
        elif a.entity != b.entity and a.period == b.period and {a.entity, b.entity} <= entities and _is_now(a, stated):
            yield a, b


def _is_now(row: Row, stated: Stated) -> bool:
    return stated.periods is None or row.period in stated.periods


def sums(stated: Stated, answer: Answer, sheet: Sheet) -> Iterator[tuple[Fraction, tuple[Row, ...]]]:
    """Sums of one metric, over two or more periods of an entity, or over two or more entities of a period."""
    entities, periods, metrics = _spoken_of(stated, answer)
    mine = [r for r in sheet.rows if r.unit == stated.figure.unit and (not metrics or r.metric in metrics)]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in mine:
        if row.entity in entities and row.period in periods:
            groups.setdefault((row.metric, row.entity), []).append(row)
            groups.setdefault((row.metric, row.period), []).append(row)
    for group in groups.values():
        for size in range(2, min(len(group), 6) + 1):
            for rows in combinations(group, size):
                values = [row.value for row in rows if isinstance(row.value, Fraction)]
                yield sum(values, Fraction(0)), rows


def _spoken_of(stated: Stated, answer: Answer) -> tuple[set[str], set[str], set[str]]:
    """Entities, periods and metrics of the figure's sentence; with the text before and the question where too few."""
    end = sentence_end(answer, stated)
    start = answer.sentences[stated.sentence]
    asked = answer.asked
    found: list[set[str]] = []
    for kind, question, least in (("entity", asked.entities, 2), ("period", asked.periods, 2), ("metric", (), 1)):
        here = {m.value for m in answer.mentions if m.kind == kind and start <= m.start < end}
        if kind == "metric" and stated.metric:
            here = {stated.metric}
        if len(here) < least:
            before = [m for m in answer.mentions if m.kind == kind and m.start < start]
            here |= {m.value for m in (before[-1:] if kind == "metric" else before)} | set(question)
        found.append(here)
    return found[0], found[1], found[2]


def sentence_end(answer: Answer, stated: Stated) -> int:
    following = answer.sentences[stated.sentence + 1 : stated.sentence + 2]
    return following[0] if following else len(answer.text)


def equal(value: Fraction | str, stated: Stated, rounding: bool) -> bool:
    mine = stated.figure.value
    if isinstance(value, str) or isinstance(mine, str):
        return value == mine
    return value == mine or (rounding and abs(value - mine) * 2 <= stated.figure.step)
