"""Find what an answer adds to the expected parts without harm: further values, departments and one section.

An answer has chosen if the first value of each expected unit that it states as its own (and the first department) is an
expected one. Not its own are a usual rule, a condition, and what it copies from the handbook. It may then add what the
handbook or the question states: of the expected unit at most two values, each beside a word of the handbook's sentence
that neither the question nor the right value has.
It has not chosen if a value takes the place of the expected one: "or 14 days", "so you have 14 days".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product

from harness.schema import Case, Span
from harness.scoring.policy.contradictions import COMMON, GENERIC, PART, WORD
from harness.scoring.policy.handbook import HandbookQuestion, figures_of, guidelines_of, value_of
from harness.scoring.policy.register import JOINT, LABEL, ids_in
from harness.scoring.summaries import stem
from harness.scoring.text.refusals import lower

MOST = LEAST_WORDS = 2
NOT_OWN = re.compile(
    r"\b(?:normal(?:ly)?|usual(?:ly)?|general(?:ly)?|ordinar(?:y|ily)|standard|default)\b(?:(?!\bbut\b)[^.;:!?\n])*$"
    r"|\b(?:after|once|since|from|if|when|with|over|beyond)\b(?:\W+[\w']+){0,4}\W*$"
)
"""Before the value of a usual rule or of a condition."""
OR = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|alternatively|(?:might|could|may)(?: also| even)? be|you (?:have|get|must|need))\b"
    r"(?:[\s,*_(]+[\w']+){0,5}\W*$|^[\s,;*_]*(?:to|and|through|[-–—/,&])?(?:\s*(?:the|an?)\b)?[\s*_]*$"
)
IN_PLACE = re.compile(
    rf"{OR.pattern}"
    r"|\b(?:so|therefore|thus|hence|actually|correction|no(?=,)|(?:in|for) your?|applies|instead)\b[^.;!?\n]*$"
    r"|\b(?:but|however|though|yet)\b(?=[^.;!?\n]*\b(?:you|your|he|she|here|this|must)\b)[^.;!?\n]*$"
)
"""Between two values of a unit, if the second one takes the place of the first."""
CONCLUDES = re.compile(
    r"\b(?:answer|final(?:ly)?|in (?:short|sum|brief|truth|fact)|sum(?:ming)? up|overall|bottom line|conclu\w+|result"
    r"|that is|(?:i|i'd|would) (?:say|think|guess|go with|believe)|think it's|yours?|you|wait|ignore|wrong|right"
    r"|correct|real(?:ly)?|pick)\b"
)
"""In the clause of a further value of an expected unit, if it is given as the answer, or takes the first one back."""
EITHER = re.compile(r"\bor\b[^.;!?\n]*$")
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
    low, expected = lower(text), question.expected
    units = {*map(_unit, expected.figures), *(["department"] if expected.departments else [])}
    lines = guidelines_of(case.document, question.register)
    near = "\n".join(lines[number].text for number in expected.ids if number in lines)
    source, told = " ".join(lower(case.document).split()), _told(case.document if expected.figures else near)
    asked = _numbers(case.input.get("question", ""))
    gaps = {abs(mine - right) for mine, right in product(asked, _numbers("; ".join(case.expected)))}
    common = _words(lower(case.input.get("question", ""))) | GENERIC
    chosen: dict[str, bool] = {}
    last: dict[str, int] = {}
    added, rivals, before, is_rival = set(), set(), 0, False
    for label, span in judged:
        unit = "department" if span.kind == "department" else _unit(label)
        usual = NOT_OWN.search(low, max(0, span.start - LOOK_BACK), span.start)
        own = not usual and _around(low, span) not in source
        between = low[max(last.get(unit, before), span.start - LOOK_BACK) : span.start]
        if label in (*expected.figures, *expected.departments):
            if is_rival and EITHER.search(between):
                return set()
            chosen[unit] = own or chosen.get(unit, False)
            common |= _words(low[_clause(low, last.get(unit, 0), span, len(low))])
            is_rival = False
        elif span.verdict == "ungrounded" or (span.kind, span.verdict) == ("department", "misgrounded"):
            is_rival, bare = unit in units, unit == "" and unit not in units
            small = bare and span.quote.isalpha()  # "15 is three too many"
            is_asked = not asked.isdisjoint(numbers := _numbers(span.quote)) or (bare and not gaps.isdisjoint(numbers))
            is_first = own and (unit not in chosen if is_rival else bare and not (chosen or is_asked or small))
            if is_first or (
                not (is_asked or small) and chosen and (bare or unit in chosen) and IN_PLACE.search(between)
            ):
                return set()
            part = low[_clause(low, last.get(unit, 0), span, len(low))]
            names = [name for name in (label, _bare(span.quote)) if name in told]
            if is_rival:
                rivals.add(label)
                own_words = set() if CONCLUDES.search(part) else _words(part) - common - _words(lower(span.quote))
                names = [name for name in names if own_words & told[name]]
            if label in near if unit == "department" else names or is_asked or small:
                added.add(span)
        before = last[unit] = span.end
    is_settled = units and chosen.keys() == units and (not rivals or all(chosen.values()))
    return added if is_settled and len(rivals) <= MOST else set()


def explained(case: Case, question: HandbookQuestion, text: str, judged: Judged) -> set[str]:
    """The further sections of a text that do no harm: those to which the right ones refer, and one more.

    It must be set aside, or named beside two of its words and no expected value that it lacks.
    """
    low, expected = lower(text), {*question.expected.figures, *question.expected.departments}
    source = " ".join(lower(case.document).split())
    ids = [(label, span) for label, span in judged if span.kind == "guideline"]
    lines = guidelines_of(case.document, question.register)
    near = "\n".join(lines[number].text for number in question.expected.ids if number in lines)
    referred = {item.label for item in ids_in(near, question.register)}
    further = {label for label, span in ids if span.verdict == "misgrounded"}
    bounds = [0, *(end for _, span in ids for end in (span.start, span.end)), len(low)]
    for at, (label, span) in enumerate(ids):
        first, stop = bounds[2 * at], bounds[2 * at + 3]
        is_listed = JOINT.fullmatch(low, first, span.start) or JOINT.fullmatch(low, span.end, stop)
        if label in further and (is_listed or _around(low, span) in source):
            return set()
        is_aside = SET_ASIDE.search(low, max(first, span.start - LOOK_BACK), span.start)
        if label in further - referred and not is_aside:
            part, line = _clause(low, first, span, stop), lines.get(label)
            inside = {name for name, each in judged if name in expected and part.start <= each.start < part.stop}
            shared = _words(low[part]) & _words(lower(line.text)) if line else ()
            if (
                not line
                or len(shared) < LEAST_WORDS
                or any(name not in line.figures and name not in line.text for name in inside)
            ):
                return referred
    return further if len(further - referred) <= 1 else referred


def _around(low: str, span: Span) -> str:
    return " ".join(low[max(0, span.start - COPIED) : span.end + COPIED].split())


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


def _numbers(text: str) -> set[Fraction]:
    """The numbers of a text, without units."""
    labels = [_bare(text[figure.start : figure.end]) for figure in figures_of(text) if figure.kind != "date"]
    return {Fraction(label) for label in labels if label.startswith(" ")}


def _bare(figure: str) -> str:
    """A written figure as a count without a unit."""
    number = NUMBER.search(figure)
    read = figures_of(number[0]) if number else []
    return value_of(read[0]) if read else ""
