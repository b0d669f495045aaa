"""Find what an answer adds to the expected parts without harm: further values, departments and one section.

An answer has chosen if the first value of each expected unit that it states as its own (and the first department) is an
expected one. Not its own are a usual rule, a condition, and what it copies from the handbook. It may then add what the
handbook or the question states: of the expected unit at most two values, each beside a word of the handbook's sentence.
It has not chosen if a value takes the place of the expected one: "or 14 days", "so you have 14 days".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from harness.schema import Case, Span
from harness.scoring.policy.contradictions import COMMON, PART, WORD
from harness.scoring.policy.handbook import HandbookQuestion, figures_of, guidelines_of, value_of
from harness.scoring.policy.register import LABEL
from harness.scoring.summaries import stem
from harness.scoring.text.refusals import lower

MOST = LEAST_WORDS = 2
NOT_OWN = re.compile(
    r"\b(?:normal(?:ly)?|usual(?:ly)?|general(?:ly)?|ordinar(?:y|ily)|standard|default)\b[^.;:!?\n]*$"
    r"|\b(?:after|once|since|from|if|when|with|over|beyond)\b(?:\W+[\w']+){0,4}\W*$"
)
"""Before the value of a usual rule or of a condition."""
IN_PLACE = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|alternatively|(?:might|could|may)(?: also| even)? be|you (?:have|get|must|need))\b"
    r"(?:\W+[\w']+){0,5}\W*$"
    r"|\b(?:so|therefore|thus|hence|actually|correction|no(?=,)|(?:in|for) your?|applies|instead)\b[^.;!?\n]*$"
    r"|\b(?:but|however|though|yet)\b(?=[^.;!?\n]*\b(?:you|your|he|she|here|this|must)\b)[^.;!?\n]*$"
    r"|^[\s,*_]*(?:to|and|through|[-–—/,&])?[\s*_]*$"
)
"""Between two values of a unit, if the second one takes the place of the first."""
SET_ASIDE = re.compile(
    r"\b(?:whatever|despite|notwithstanding|regardless of|in spite of|exception (?:to|from)|overrid(?:es?|ing)|unlike"
    r"|instead of|rather than)\W+(?:\w+\W+){0,3}$"
)
NUMBER = re.compile(r"[\w.,]+")
LABELS = re.compile(LABEL)
LOOK_BACK, COPIED, LONGEST = 80, 30, 320
Judged = Sequence[tuple[str, Span]]


def harmless(case: Case, question: HandbookQuestion, text: str, judged: Judged) -> set[Span]:
    """The ungrounded figures and misgrounded departments of a text that do no harm."""
    low, expected, ask = lower(text), question.expected, case.input.get("question", "")
    units = {*map(_unit, expected.figures), *(["department"] if expected.departments else [])}
    lines = guidelines_of(case.document, question.register)
    near = "\n".join(lines[number].text for number in expected.ids if number in lines)
    source, told = " ".join(lower(case.document).split()), _told(case.document if expected.figures else near)
    chosen: dict[str, bool] = {}
    last: dict[str, int] = {}
    added, rivals, before = set(), set(), 0
    for label, span in judged:
        unit = "department" if span.kind == "department" else _unit(label)
        around = " ".join(low[max(0, span.start - COPIED) : span.end + COPIED].split())
        own = around not in source and not NOT_OWN.search(low, max(0, span.start - LOOK_BACK), span.start)
        if label in (*expected.figures, *expected.departments):
            chosen[unit] = own or chosen.get(unit, False)
        elif span.verdict == "ungrounded" or (span.kind, span.verdict) == ("department", "misgrounded"):
            asked = not unit and span.quote in ask
            between = low[max(last.get(unit, before), span.start - LOOK_BACK) : span.start]
            is_in_place = (unit in chosen or (chosen and not unit)) and not asked and IN_PLACE.search(between)
            is_first = unit in units - chosen.keys() or not (chosen or unit or asked or span.quote.isalpha())
            if is_in_place or (is_first and own):
                return set()
            words = _words(low[_clause(low, last.get(unit, 0), span, len(low))])
            names = [name for name in (label, _bare(span.quote)) if name in told]
            if unit in units:
                rivals.add(label)
                names = [name for name in names if words & told[name]]
            small = not unit and unit not in units and span.quote.isalpha()  # "15 is three too many"
            if label in near if unit == "department" else names or asked or small:
                added.add(span)
        before = last[unit] = span.end
    is_settled = units and chosen.keys() == units and (not rivals or all(chosen.values()))
    return added if is_settled and len(rivals) <= MOST else set()


def explained(case: Case, question: HandbookQuestion, text: str, judged: Judged) -> set[str]:
    """The one further section that a text sets aside, or names beside two of its words and no value that it lacks."""
    low, expected = lower(text), {*question.expected.figures, *question.expected.departments}
    ids = [(label, span) for label, span in judged if span.kind == "guideline"]
    further = {label for label, span in ids if span.verdict == "misgrounded"}
    line = guidelines_of(case.document, question.register).get(next(iter(further), ""))
    bounds = [0, *(end for _, span in ids for end in (span.start, span.end)), len(low)]
    for at, (label, span) in enumerate(ids):
        first, stop = bounds[2 * at], bounds[2 * at + 3]
        if label in further and not SET_ASIDE.search(low, max(first, span.start - LOOK_BACK), span.start):
            part = _clause(low, first, span, stop)
            inside = {name for name, each in judged if name in expected and part.start <= each.start < part.stop}
            shared = _words(low[part]) & _words(lower(line.text)) if line else ()
            if len(shared) < LEAST_WORDS or not all(name in line.figures or name in line.text for name in inside):
                return set()
    return further if len(further) == 1 else set()


def _clause(low: str, first: int, span: Span, stop: int) -> slice:
    """The part of a sentence around a span, no further than from `first` to `stop`."""
    first, stop = max(first, span.start - LONGEST), min(stop, span.end + LONGEST)
    after = PART.search(low, span.end, stop)
    start = max([first, *(each.end() for each in PART.finditer(low, first, span.start))])
    return slice(start, after.start() if after else stop)


def _words(low: str) -> frozenset[str]:
    return frozenset(stem(word) for word in WORD.findall(low) if word not in COMMON and not LABELS.fullmatch(word))


@lru_cache(maxsize=256)
def _told(text: str) -> dict[str, frozenset[str]]:
    """The words told of each figure of a text, and of its bare number, since a mention may leave out the unit."""
    told: dict[str, frozenset[str]] = {}
    for sentence in PART.split(text):
        for figure in figures_of(sentence):
            for name in (value_of(figure), _bare(sentence[figure.start : figure.end])):
                told[name] = told.get(name, frozenset()) | _words(lower(sentence))
    return told


def _unit(label: str) -> str:
    unit = label.split(" ")[0]
    return "time" if unit in ("minutes", "months", "business-days") else unit


def _bare(figure: str) -> str:
    """A written figure as a count without a unit."""
    number = NUMBER.search(figure)
    read = figures_of(number[0]) if number else []
    return value_of(read[0]) if read else ""
