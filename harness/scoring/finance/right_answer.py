"""Compare the figures of an answer with those of a right answer to the same question.

`figure_checks` decides what a figure is about from the words around it, and can be wrong. A figure that the right
answer has too counts as right all the same, unless its sentence is about something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
METRIC_IS = re.compile(r"\s*(?:of|was|were|is|are|came\s+to|stood\s+at|:)\s*(?:an?\s+|about\s+)?")
"""Between a metric and its figure."""
RELATIVE = re.compile(r"prior|previous|preceding|last|earlier|ago|before|same|corresponding")
MISCOUNTED = {"wrong_arithmetic", "wrong_unit"}
MISREAD = {"mispaired", "wrong_sign", "ungrounded"}
"""Verdicts that give way to the right answer's reading of the same figure."""


Reading = tuple[SizeKey, frozenset[str] | None, frozenset[str] | None, str | None]


class Asked(NamedTuple):
    """The figures of a right answer, which are what was asked for."""

    rows: frozenset[SheetRow]
    """Rows of the sheet that the right answer's figures state."""
    values: frozenset[SizeKey]
    """All its figures, also those that were worked out."""
    as_stated: frozenset[tuple[SizeKey, bool, int | None]]
    """Its figures with whether they are percentage points, and the direction of a change."""
    readings: frozenset[Reading]
    """Its figures with what they are about, as the rules read it."""


NOTHING_ASKED = Asked(frozenset(), frozenset(), frozenset(), frozenset())


def asked_for(answer: ParsedAnswer, sheet: Sheet) -> Asked:
    """Return the figures of a right answer, with their rows: those that fit it, else all with a figure's value."""
    rows: set[SheetRow] = set()
    as_stated = set()
    last = 0
    for stated, verdict in verdicts(answer, sheet):
        key = size_key(stated.figure.unit, stated.figure.value)
        as_stated.add((key, stated.points, move_of(stated, answer, last)))
        last = stated.figure.end
        if verdict.verdict == "supported":
            rows.update(verdict.rows)
        elif verdict.verdict in ("mispaired", "wrong_sign"):
            rows.update(sheet.by_size.get(key, ()))
    readings = frozenset(_reading(stated) for stated in answer.stated)
    return Asked(frozenset(rows), frozenset(key for key, _, _ in as_stated), frozenset(as_stated), readings)


def _reading(stated: Stated) -> Reading:
    return size_key(stated.figure.unit, stated.figure.value), stated.entities, stated.periods, stated.metric


WORKED_OUT = FigureVerdict("derived", "rule: as the right answer works it out", rule="asked")


def verdicts(
    answer: ParsedAnswer, sheet: Sheet, asked: Asked = NOTHING_ASKED
) -> Iterator[tuple[Stated, FigureVerdict]]:
    """Yield each figure that makes a claim, with its verdict; `asked` are the figures of a right answer."""
    last = 0
    for stated in answer.stated:
        if not is_structure(stated, answer.text):
            verdict = judge(stated, answer, sheet, last)
            if verdict.verdict in MISREAD:
                verdict = _as_asked(stated, answer, asked) or verdict
            elif verdict.verdict in MISCOUNTED and _is_worked_out(stated, answer, asked, last):
                verdict = WORKED_OUT
            yield stated, verdict
        last = stated.figure.end


def _as_asked(stated: Stated, answer: ParsedAnswer, asked: Asked) -> FigureVerdict | None:
    """The verdict on a figure that the right answer has too, if it may be about the same thing.

    It is if the rules read it as they read the right answer. Else the sentence may not name another fund or period than
    the figure's row, and the figure may not stand where another one of the right answer belongs.
    """
    key = size_key(stated.figure.unit, stated.figure.value)
    if key not in asked.values:
        return None
    rows = [row for row in asked.rows if size_key(row.unit, row.size) == key]
    if rows and _reading(stated) in asked.readings:
        return FigureVerdict("supported", "in the sheet, and asked for", tuple(rows[:1]))
    for row in rows:
        if _may_be_about(row, stated, answer) and not any(
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
    return None if rows else WORKED_OUT


def _is_worked_out(stated: Stated, answer: ParsedAnswer, asked: Asked, last: int) -> bool:
    """Whether the right answer has the same change or sum, in the same unit and not in the other direction."""
    key, move = size_key(stated.figure.unit, stated.figure.value), move_of(stated, answer, last)
    return any(
        (key, stated.points) == (value, points) and (move or 0) * (direction or 0) >= 0
        for value, points, direction in asked.as_stated
    )


def _may_be_about(row: SheetRow, stated: Stated, answer: ParsedAnswer) -> bool:
    """Whether a figure's sentence names a row's fund and period, or none, and the words before it no other metric."""
    start, end = answer.sentences[stated.sentence], sentence_end(answer, stated)
    mentions = [m for m in answer.mentions if start <= m.start < end]
    entities = {m.value for m in mentions if m.kind == "entity"}
    periods = {
        m.value for m in mentions if m.kind == "period" and not RELATIVE.search(answer.words.lower, m.start, m.end)
    }
    is_change = bool(MOVING.search(row.metric))
    metric_before = any(
        m.kind == "metric"
        and m.value.split()[0].removesuffix("s") not in row.metric
        and METRIC_IS.fullmatch(answer.text, m.end, stated.figure.start)
        for m in mentions
    )
    return (
        (not entities or row.entity in entities or _has_words(row.entity, answer.text[start:end]))
        and (not periods or is_change or any(_can_be(period, row.period) for period in periods))
        and not metric_before
    )


def _has_words(name: str, text: str) -> bool:
    """Whether a text has every word of a name, as "Class I of the Elm Fund" has those of "Elm Fund Class I"."""
    return set(WORDS.findall(name.lower())) <= set(WORDS.findall(text.lower()))


def _can_be(mentioned: str, period: str) -> bool:
    """Whether a mention can mean a period: a quarter without a year, or one that ends on the same day."""
    ends_alike = {mentioned[:2], period[:2]} in ({"Q2", "H1"}, {"Q4", "H2"}) or "FY" in (mentioned[:2], period[:2])
    return mentioned in (period, "?", f"{period[:2]} ?") or (ends_alike and mentioned[-4:] == period[-4:])
