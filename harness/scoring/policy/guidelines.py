"""Scores answers about a handbook of numbered guidelines: ids, departments, values, and whether they decline.

A case gives `document` (a title line, then one guideline a line, opening with its id), `question`, and the handbook's
whole register, shown in the document or not: `guidelines` and `departments`, each listed with ";". `expected` holds
what a right answer states: ids ("Guideline 4.2"), departments and values ("$45", "6 days"). Where the handbook has no
answer it is empty, or one sentence that declines.

An id or department outside the register is `invented`. One of the register that the case does not expect, and that the
lines of the expected ids do not name, is `misgrounded`; so is any where the handbook has no answer. A figure is
`ungrounded` where it is not the expected one of its unit, or, with none expected, not in those lines. What a declining
clause names is `unclaimed`, unless it is invented and the question does not name it.

Knows no meaning: a right id cited for a wrong reason counts as right. An answer that declines and still explains itself
with a value, or with an id outside a clause such as "covers only parking", counts as an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import scorer, unbroken
from harness.scoring.policy.handbook import (
    ExpectedAnswer,
    Guideline,
    HandbookMention,
    HandbookQuestion,
    asked_by,
    departments_in,
    ids_in,
    lines,
    value_of,
)
from harness.scoring.text.normalize import Normal, normalise, plain
from harness.scoring.text.quantities import figures_in
from harness.scoring.text.refusals import MARK, clauses, declines, is_declining, lower

__all__ = ["METRICS", "answered", "declines"]

SCOPE = re.compile(
    r"\b(?:covers?|deals? with|concerns?|appl(?:y|ies)(?: to)?|address(?:es)?|speaks? of|limited to) only\b"
    r"|\b(?:only (?:covers?|deals? with|concerns?|appl(?:y|ies)|address(?:es)?|speaks? of)|is (?:only )?about)\b"
)
REDIRECT = re.compile(r"\b(?:ask|contact|check with|consult|speak (?:to|with)|turn to|refer to|reach out)\b")
REASONS = {
    "supported": "the right answer, or its guideline, states it",
    "misgrounded": "the handbook has it, but it does not bear out an answer to this question",
    "invented": "the handbook has none of this name or number",
    "ungrounded": "not the value that the right guideline gives",
    "unclaimed": "named only to decline, or repeated from the question",
}
QUANTITY = re.compile(
    r"0|1|2|3|4|5|6|7|8|9|two|three|four|five|six|seven|eight|nine|ten\b|eleven|twelve|thirt|fort|fift|twent|hundred"
    r"|thousand|one\b"
)
"""What a figure has at least."""
START = attrgetter("start")
WRONG = ("misgrounded", "invented", "ungrounded")


def _rate(name: str, numerator: str, says: str, denominator: str | None = None, *, more: bool = False) -> Metric:
    return Metric(
        name=name,
        scorer="guidelines",
        numerator=numerator,
        denominator=denominator,
        higher_is_better=more,
        says=says,
    )


METRICS = [
    _rate("answer_correct", "correct", "Share of questions answered right, or rightly declined.", more=True),
    _rate("guideline_recall", "hits", "Share of the right guidelines that are cited.", "expected_ids", more=True),
    _rate("guideline_precision", "hits", "Share of the guidelines cited that are right.", "cited", more=True),
    _rate("invented_guideline_rate", "invents_guideline", "Share of answers citing a guideline that does not exist."),
    _rate(
        "invented_department_rate", "invents_department", "Share of answers naming a department that does not exist."
    ),
    _rate("misgrounded_rate", "misgrounds", "Share of answers citing a real guideline that does not bear them out."),
    _rate(
        "answered_unanswerable_rate",
        "answered_unanswerable",
        "Share of the questions without an answer in the handbook that were not declined.",
        "unanswerable",
    ),
    _rate("refusal_rate", "refused", "Share of the questions with an answer that were declined.", "answerable"),
]


class CheckedMention(NamedTuple):
    """One id, department or figure of an answer."""

    family: str
    """guideline, department or figure"""
    says: str
    """The id's number, the department's official name, or the figure's unit and value."""
    span: Span


class AnswerClause(NamedTuple):
    """One clause of an answer in normal form and lower case."""

    start: int
    end: int
    clause: str
    declining: bool
    aside: bool
    """Whether another clause of the answer declines."""


@scorer(metrics=METRICS, name="guidelines")
def answered(case: Case, completion: Completion) -> Score:
    """What an answer cites, names and states, against the expected parts and the register.

    Right: every expected part and nothing invented, misgrounded or ungrounded; or declined where there is no answer. An
    answer that is empty, failed or cut at the token limit is never right. A failed one counts against every rate.
    """
    asked = asked_by(case)
    text = completion.text
    if completion.finish_reason == "error":
        return _score(asked.wanted, [], declined=not asked.wanted.answerable, right=False, failed=True)
    normal = normalise(text)
    parts = _parts(normal.text)
    judged = _judge(case, completion, asked, normal, parts)
    claims = any(one.span.verdict != "unclaimed" for one in judged)
    declined = not claims and any(part.declining for part in parts)
    right = declined if not asked.wanted.answerable else _states_all(asked.wanted, judged, text)
    whole = completion.finish_reason == "stop" and bool(text.strip())
    return _score(asked.wanted, judged, declined=declined, right=whole and right, blank=not text.strip())


def _parts(text: str) -> list[AnswerClause]:
    low = lower(text)
    cut = clauses(low)
    declining = [is_declining(clause) for _, _, clause in cut] if MARK.search(low) else [False] * len(cut)
    some = any(declining)
    return [AnswerClause(*one, is_one, some and not is_one) for one, is_one in zip(cut, declining, strict=True)]


def _figures(text: str, parts: Sequence[AnswerClause], ids: Sequence[HandbookMention]) -> Iterator[HandbookMention]:
    """Figures that are no ids, of clauses that claim anything; one without a digit or number word is not searched."""
    if ids:
        ends = [0, *(one.end for one in ids)]
        kept = [text[end : one.start] + " " * (one.end - one.start) for end, one in zip(ends, ids, strict=False)]
        text = "".join([*kept, text[ends[-1] :]])
    for part in parts:
        if not part.declining and QUANTITY.search(part.clause):
            for figure in figures_in(text[part.start : part.end]):
                start, end = figure.start + part.start, figure.end + part.start
                yield HandbookMention(start, end, figure.kind, value_of(figure), False)


def _judge(
    case: Case, completion: Completion, asked: HandbookQuestion, normal: Normal, parts: Sequence[AnswerClause]
) -> list[CheckedMention]:
    """Each id, department and figure of an answer with its verdict, in order of appearance."""
    ids = list(ids_in(normal.text, asked.known))
    found = [*ids, *departments_in(normal.text, asked.known, case.document.partition("\n")[0])]
    found += _figures(normal.text, parts, ids)
    limit = unbroken(completion)
    judged, at = [], 0
    for item in sorted(found, key=START):
        start, end = normal.original(item.start, item.end)
        if end <= limit:
            while item.start >= parts[at].end:
                at += 1
            part = parts[at]
            verdict, source = VERDICTS.get(item.kind, _figure)(case.document, asked, item, part)
            span = Span(
                start=start,
                end=end,
                quote=completion.text[start:end],
                kind=item.kind,
                verdict=verdict,
                reason=REASONS[verdict],
                source=SourceSpan(doc_id=case.cluster, start=source[0], end=source[1]) if source else None,
            )
            judged.append(CheckedMention(item.kind if item.kind in VERDICTS else "figure", item.says, span))
    return judged


Verdict = tuple[str, tuple[int, int] | None]


def _guideline(document: str, asked: HandbookQuestion, item: HandbookMention, part: AnswerClause) -> Verdict:
    line = lines(document).get(item.says)
    place = (line.start, line.end) if line else None
    if (part.declining or (part.aside and SCOPE.search(part.clause))) and (item.known or item.says in asked.question):
        return "unclaimed", place
    if item.says in asked.wanted.ids:
        return "supported", place
    return ("misgrounded" if item.known or item.says in asked.known.chapters else "invented"), place


def _department(document: str, asked: HandbookQuestion, item: HandbookMention, part: AnswerClause) -> Verdict:
    if not item.known:
        return ("unclaimed" if part.declining and item.says in asked.question else "invented"), None
    at = document.find(item.says)
    place = (at, at + len(item.says)) if at >= 0 else None
    if part.declining or (part.aside and (REDIRECT.search(part.clause) or SCOPE.search(part.clause))):
        return "unclaimed", place
    if asked.wanted.departments:
        return ("supported" if item.says in asked.wanted.departments else "misgrounded"), place
    for line in _support(document, asked):
        if item.says in line.text:
            at = line.start + line.text.index(item.says)
            return "supported", (at, at + len(item.says))
    return "misgrounded", place


def _figure(document: str, asked: HandbookQuestion, item: HandbookMention, part: AnswerClause) -> Verdict:
    value = item.says
    places = (line.figures.get(value) for line in _support(document, asked))
    place = next((found for found in places if found), None)
    if value in asked.wanted.figures:
        return "supported", place
    rival = any(figure.split(" ")[0] == value.split(" ")[0] for figure in asked.wanted.figures)
    if place and not rival:
        return "supported", place
    return ("unclaimed" if value in asked.question else "ungrounded"), place


VERDICTS = {"guideline": _guideline, "department": _department}


def _support(document: str, asked: HandbookQuestion) -> list[Guideline]:
    """Lines of the expected guidelines."""
    shown = lines(document)
    return [shown[number] for number in asked.wanted.ids if number in shown]


def _states_all(wanted: ExpectedAnswer, judged: Sequence[CheckedMention], text: str) -> bool:
    """Whether an answer states every expected part, and nothing wrong."""
    if any(one.span.verdict in WRONG for one in judged):
        return False
    stated = {one.says for one in judged if one.span.verdict == "supported"}
    if not stated.issuperset((*wanted.ids, *wanted.departments, *wanted.figures)):
        return False
    said = " ".join(plain(text).casefold().split()) if wanted.words else ""
    return all(words in said for words in wanted.words)


def _score(
    wanted: ExpectedAnswer,
    judged: Sequence[CheckedMention],
    *,
    declined: bool,
    right: bool,
    blank: bool = False,
    failed: bool = False,
) -> Score:
    """The score; a failed answer weighs as one that invents, misgrounds, and declines exactly where it should not."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in judged:
        named = said.setdefault((one.family, one.span.verdict), [])
        if one.says not in named:
            named.append(one.says)
    cited = {verdict: said.get(("guideline", verdict), []) for verdict in ("supported", "misgrounded", "invented")}
    departments = said.get(("department", "invented"), [])
    answerable = wanted.answerable
    return Score(
        name="guidelines",
        value=float(right),
        extracted={
            "found": cited["supported"],
            "missing": [number for number in wanted.ids if number not in cited["supported"]],
            "invented": cited["invented"],
            "misgrounded": cited["misgrounded"],
            "invented_departments": departments,
            "misgrounded_departments": said.get(("department", "misgrounded"), []),
            "ungrounded": [j.span.quote for j in judged if j.span.verdict == "ungrounded"],
        },
        counts={
            "correct": int(right),
            "hits": len(cited["supported"]),
            "expected_ids": len(wanted.ids),
            "cited": 1 if failed else sum(map(len, cited.values())),
            "invents_guideline": int(failed or bool(cited["invented"])),
            "invents_department": int(failed or bool(departments)),
            "misgrounds": int(failed or bool(cited["misgrounded"])),
            "unanswerable": int(not answerable),
            "answered_unanswerable": int(not answerable and (failed or not declined)),
            "answerable": int(answerable),
            "refused": int(answerable and (failed or declined or blank)),
        },
        spans=[one.span for one in judged],
    )
