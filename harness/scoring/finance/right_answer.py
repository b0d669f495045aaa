"""Compare the figures of an answer with those of a right answer to the same question.

`figure_checks` decides what a figure is about from the words around it, and can be wrong. A figure that the right
answer has too counts as right all the same, unless its sentence is about something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.scoring.finance.answer_parser import ParsedAnswer, Stated
from harness.scoring.finance.fact_sheet import Sheet, SheetRow
from harness.scoring.finance.figure_checks import (
    MOVING,
    FigureVerdict,
    is_of,
    is_structure,
    judge,
    move_of,
    sentence_end,
)
from harness.scoring.text.quantities import SizeKey, size_key

WORDS = re.compile(r"\w+")
METRIC_IS = re.compile(
    r"\s*(?:(?:of|for|at|in)\s+(?:the\s+)?[_~]+\s*){0,2}(?:of|was|were|is|are|came\s+to|stood\s+at|:)\s*(?:an?\s+|about\s+)?"
)
"""Between a metric and its figure, with funds and periods masked."""
RELATIVE = re.compile(r"prior|previous|preceding|last|earlier|ago|before|same|corresponding")
MISCOUNTED = {"wrong_arithmetic", "wrong_unit"}
MISREAD = {"mispaired", "wrong_sign", "ungrounded"}
"""Verdicts that give way to the right answer's reading of the same figure."""


class AskedFigure(NamedTuple):
    """A figure of a right answer, with what it is about."""

    key: SizeKey
    is_points: bool
    move: int | None
    """The direction of a change; None for a level."""
    reading: tuple[frozenset[str] | None, frozenset[str] | None, str | None]
    """Entities, periods and metric, as the rules read them."""
    entities: frozenset[str]
    """Entities that its sentence names."""
    periods: frozenset[str]


class Asked(NamedTuple):
    """The figures of a right answer, which are what was asked for."""

    rows: tuple[SheetRow, ...]
    """Rows of the sheet that the right answer's figures state, in the sheet's order."""
    figures: tuple[AskedFigure, ...]


NOTHING_ASKED = Asked((), ())
WORKED_OUT = FigureVerdict("derived", "rule: as the right answer works it out", rule="asked")


def asked_for(answer: ParsedAnswer, sheet: Sheet) -> Asked:
    """Return the figures of a right answer, with their rows: those that fit it, else all with a figure's value."""
    rows: set[SheetRow] = set()
    figures = []
    for stated, verdict, last in _judged(answer, sheet):
        figures.append(_as_asked_figure(stated, answer, last))
        if verdict.verdict == "supported":
            rows.update(verdict.rows)
        elif verdict.verdict in ("mispaired", "wrong_sign"):
            rows.update(sheet.by_size.get(figures[-1].key, ()))
    return Asked(tuple(row for row in sheet.rows if row in rows), tuple(figures))


def _as_asked_figure(stated: Stated, answer: ParsedAnswer, last: int) -> AskedFigure:
    return AskedFigure(
        key=size_key(stated.figure.unit, stated.figure.value),
        is_points=stated.points,
        move=move_of(stated, answer, last),
        reading=(stated.entities, stated.periods, stated.metric),
        entities=_named(stated, answer, "entity"),
        periods=_named(stated, answer, "period"),
    )


def _judged(answer: ParsedAnswer, sheet: Sheet) -> Iterator[tuple[Stated, FigureVerdict, int]]:
    """Each figure that makes a claim, its verdict by the rules alone, and where the figure before it ended."""
    last = 0
    for stated in answer.stated:
        if not is_structure(stated, answer.text):
            yield stated, judge(stated, answer, sheet, last), last
        last = stated.figure.end


def verdicts(
    answer: ParsedAnswer, sheet: Sheet, asked: Asked = NOTHING_ASKED
) -> Iterator[tuple[Stated, FigureVerdict]]:
    """Yield each figure that makes a claim, with its verdict; `asked` are the figures of a right answer."""
    for stated, verdict, last in _judged(answer, sheet):
        if verdict.verdict in MISREAD or verdict.verdict in MISCOUNTED:
            here = _as_asked_figure(stated, answer, last)
            same = [figure for figure in asked.figures if figure.key == here.key]
            rows = [row for row in asked.rows if size_key(row.unit, row.size) == here.key]
            if verdict.verdict in MISREAD and same and rows:
                verdict = _as_asked(rows, stated, answer, sheet, asked, here) or verdict
            elif any(_is_worked_out(here, figure) for figure in same):
                verdict = WORKED_OUT
        yield stated, verdict


def _as_asked(
    rows: list[SheetRow], stated: Stated, answer: ParsedAnswer, sheet: Sheet, asked: Asked, here: AskedFigure
) -> FigureVerdict | None:
    """The verdict on a figure that the right answer has too, if it may be about one of the rows with its value.

    If the rules read the figure as they read the right answer, it is the best row. Else the sentence may not name
    another fund or period than the row, and the figure may not stand where another one of the right answer belongs.
    """
    rows.sort(key=lambda row: (not is_of(row, stated), row.metric != stated.metric))
    if any((figure.key, figure.reading) == (here.key, here.reading) for figure in asked.figures):
        return FigureVerdict("supported", "in the sheet, and asked for", (rows[0],))
    for row in rows:
        if _may_be_about(row, stated, answer, sheet) and not any(
            other.unit == row.unit
            and other.size != row.size
            and stated.entities
            and stated.periods
            and (stated.metric == other.metric or row.metric == other.metric)
            and is_of(other, stated)
            and not is_of(row, stated)
            for other in asked.rows
        ):
            return FigureVerdict("supported", "in the sheet, and asked for", (row,))
    return None


def _is_worked_out(here: AskedFigure, asked: AskedFigure) -> bool:
    """Whether a change or sum is one of the right answer: same unit and direction, no other fund or period named.

    Where its words say no direction that the rules know, it may be one.
    """
    alike = (here.key, here.is_points) == (asked.key, asked.is_points)
    same_way = here.move is None or (asked.move is not None and here.move * asked.move >= 0)
    return alike and same_way and here.entities <= asked.entities and here.periods <= asked.periods


def _named(stated: Stated, answer: ParsedAnswer, kind: str) -> frozenset[str]:
    """Entities or periods that a figure's sentence names; a period such as "a year earlier" is not named."""
    start, end = answer.sentences[stated.sentence], sentence_end(answer, stated)
    return frozenset(
        m.value
        for m in answer.mentions
        if m.kind == kind and start <= m.start < end and not RELATIVE.search(answer.words.lower, m.start, m.end)
    )


def _may_be_about(row: SheetRow, stated: Stated, answer: ParsedAnswer, sheet: Sheet) -> bool:
    """Whether a figure's sentence names a row's fund and period, or none, and the words before it no other metric."""
    start, end = answer.sentences[stated.sentence], sentence_end(answer, stated)
    entities, periods = _named(stated, answer, "entity"), _named(stated, answer, "period")
    other_metric = any(
        m.kind == "metric"
        and start <= m.start < end
        and not _is_part(m.value, row.metric)
        and METRIC_IS.fullmatch(answer.masked, m.end, stated.figure.start)
        for m in answer.mentions
    )
    return (
        (not entities or row.entity in entities or _has_words(row.entity, answer.text[start:end]))
        and (
            not periods
            or bool(MOVING.search(row.metric))
            or any(_can_be(period, row.period, sheet.periods) for period in periods)
        )
        and not other_metric
    )


def _is_part(metric: str, other: str) -> bool:
    """Whether one metric's words are all in the other: "distributions" and "distribution per unit"."""
    one, two = ({word.removesuffix("s") for word in WORDS.findall(name)} for name in (metric, other))
    return one <= two or two <= one


def _has_words(name: str, text: str) -> bool:
    """Whether a text has every word of a name, as "Class I of the Elm Fund" has those of "Elm Fund Class I"."""
    return set(WORDS.findall(name.lower())) <= set(WORDS.findall(text.lower()))


def _can_be(mentioned: str, period: str, periods: Sequence[str]) -> bool:
    """Whether a mention can mean a period: a quarter without a year, or a period that ends on the same day.

    A fiscal year may end with a quarter that is no period of the sheet.
    """
    ends_alike = {mentioned[:2], period[:2]} in ({"Q2", "H1"}, {"Q4", "H2"}, {"Q4", "FY"}, {"H2", "FY"})
    ends_alike |= period.startswith("FY") and mentioned not in periods
    return mentioned in (period, "?", f"{period[:2]} ?") or (ends_alike and mentioned[-4:] == period[-4:])
