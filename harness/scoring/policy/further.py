"""Find what an answer adds to the expected parts without harm: further values, departments and one section.

An answer has chosen if the first value of each expected unit that it states as its own (and the first department) is an
expected one. Not its own are a usual rule, a condition, a denied value, and what it copies from the handbook. It may
then add what the handbook or the question states, or what is left between such a value and the right one: of the
expected unit at most two values. Beside each stands a word or date of the handbook's sentence that neither the question
nor the right value has, and no word of the question that it lacks.
It has not chosen if a value takes the place of the expected one: "or 14 days", "so you have 14 days".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product

from harness.schema import Case, Span
from harness.scoring.policy.contradictions import COMMON, GENERIC, PART, SENTENCE, WORD
from harness.scoring.policy.handbook import HandbookQuestion, figures_of, guidelines_of, number_of, value_of
from harness.scoring.policy.register import JOINT, LABEL, ids_in
from harness.scoring.summaries import stem
from harness.scoring.text.refusals import lower

MOST = LEAST_WORDS = 2
NOT_OWN = re.compile(
    r"\b(?P<usual>normal(?:ly)?|usual(?:ly)?|general(?:ly)?|ordinar(?:y|ily)|standard|default)\b(?:(?!\bbut\b)[^.;:!?\n])*$"
    r"|\b(?:after|once|since|from|if|when|with|over|beyond)\b(?:\W+[\w']+){0,4}\W*$"
    r"|\bof(?: (?:your|the|his|her|their|all|these|those|accrued|unused))+ $"
)
"""Before the value of a usual rule, of a condition, or of a whole: "of your 90 hours"."""
DENIED = re.compile(r"(?:\s[a-z]+){0,3}\s(?:is|are|do|does|will|would|can)(?: not|n't)\b|(?:\s[a-z]+){0,3}\scannot\b")
"""After a value that is denied: "100 hours does not apply"."""
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
    r"\b(?:answer|final(?:ly)?|in (?:short|sum|brief|truth|fact)|sum(?:ming)? up|overall|bottom line|conclu\w+"
    r"|as a result|that(?:'| i)s|is your|your (?:\w+ ){1,3}(?:is|are)|yours|(?:i|i'd|would) (?:say|think|guess|go with"
    r"|believe)|think it's|wait|ignore|wrong|right|correct|real(?:ly)?|pick|applies here|counts for)\b"
)
"""In the clause of a further value of an expected unit, if it is given as the answer, or takes the first one back."""
YOUR = re.compile(r"\byour?\b")
ADDRESSED = re.compile(rf"\b(?:he|she|you)\b|{CONCLUDES.pattern}")
BESIDE = re.compile(rf"{PART.pattern}|\b(?:but|although|though|while|whereas)\b|\s\(|(?<!\w\(\w)\)")
"""What ends the words beside a value; "3(b)" is no bracket."""
BOLD_END = re.compile(r"([.!?])(\*+)")
"""The end of a sentence in bold type, where the full stop must be last to end it."""
EITHER = re.compile(r"\bor\b[^.;!?\n]*$")
SET_ASIDE = re.compile(
    r"\b(?:whatever|despite|notwithstanding|regardless of|in spite of|exception (?:to|from)|overrid(?:es?|ing)|unlike"
    r"|instead of|rather than)\W+(?:\w+\W+){0,3}$"
)
YEAR = re.compile(r"20\d\d")
LABELS = re.compile(LABEL)
LIMITS = frozenset(map(stem, ("limit", "cap", "maximum", "minimum", "rule", "section")))
"""Words in which an answer may tell a section's rule."""
LOOK_BACK, COPIED, LONGEST = 80, 30, 320
Judged = Sequence[tuple[str, Span]]


def harmless(case: Case, question: HandbookQuestion, text: str, judged: Judged) -> set[Span]:
    """The ungrounded figures and misgrounded departments of a text that do no harm."""
    low, expected = BOLD_END.sub(r"\2\1", lower(text)), question.expected
    units = {*map(_unit, expected.figures), *(["department"] if expected.departments else [])}
    lines = guidelines_of(case.document, question.register)
    near = "\n".join(lines[number].text for number in expected.ids if number in lines)
    source, told = " ".join(lower(case.document).split()), _told(case.document if expected.figures else near)
    asked = _numbers(case.input.get("question", ""))
    right = _numbers("; ".join(case.expected))
    gaps = {abs(mine - one) for mine, one in product(_numbers(near), right)} - _numbers(case.document)
    gaps |= {abs(mine - one) for mine, one in product(asked, right)}
    topic = _words(lower(case.input.get("question", ""))) - GENERIC
    common = topic | GENERIC
    chosen: dict[str, bool] = {}
    last: dict[str, int] = {}
    added, rivals, before, is_rival = set(), set(), 0, False
    for at, (label, span) in enumerate(judged, 1):
        unit = "department" if span.kind == "department" else _unit(label)
        usual = NOT_OWN.search(low, max(0, span.start - LOOK_BACK), span.start)
        is_denied = DENIED.match(low, span.end)
        own = not usual and not is_denied and _around(low, span) not in source
        between = low[max(last.get(unit, before), span.start - LOOK_BACK) : span.start]
        if label in (*expected.figures, *expected.departments):
            if is_rival and EITHER.search(between):
                return set()
            chosen[unit] = own or chosen.get(unit, False)
            stop = judged[at][1].start if at < len(judged) else len(low)
            common |= _words(low[_clause(low, last.get(unit, 0), span, stop, BESIDE)])
            is_rival = False
        elif span.verdict == "ungrounded" or (span.kind, span.verdict) == ("department", "misgrounded"):
            is_rival, bare = unit in units, unit == "" and unit not in units
            small = bare and (span.quote.isalpha() or YEAR.fullmatch(span.quote))  # "15 is three too many"
            numbers = _numbers(span.quote)
            is_gap = not gaps.isdisjoint(numbers)
            is_told = is_gap or not asked.isdisjoint(numbers) or small or is_denied
            is_first = own and (unit not in chosen and not is_gap if is_rival else bare and not (chosen or is_told))
            if is_first or (not is_told and chosen and (bare or unit in chosen) and IN_PLACE.search(between)):
                return set()
            names = [name for name in (label, number_of(span.quote)) if name in told]
            if is_rival:
                rivals |= set() if is_gap else {label}
                part = low[_clause(low, last.get(unit, 0), span, len(low), BESIDE)]
                least = 0 if usual and usual["usual"] else LEAST_WORDS if YOUR.search(part) else 1
                names = [] if CONCLUDES.search(part) else names
                names = [name for name in names if _tells(part, told[name], topic, common, span) >= least]
            if label in near if unit == "department" else names or is_told:
                added.add(span)
        before = last[unit] = span.end
    is_settled = units and chosen.keys() == units and (not rivals or all(chosen.values()))
    return added if is_settled and len(rivals) <= MOST else set()


def described(
    case: Case, question: HandbookQuestion, text: str, judged: Judged, reports: Sequence[tuple[int, int]]
) -> set[Span]:
    """What a text that declines tells apart from the question, in clauses that report what the handbook says.

    It has a word of the handbook's sentence on the figure or department, or of the section, that the question lacks,
    and no word of the question that this lacks.
    """
    topic = _words(lower(case.input.get("question", ""))) - GENERIC - LIMITS
    low = BOLD_END.sub(r"\2\1", lower(text))
    told = dict(_told(case.document, frozenset(question.register.names.values())))
    lines = guidelines_of(case.document, question.register).items()
    told |= {number: _words(lower(line.text)) for number, line in lines}
    return {
        span
        for label, span in judged
        for start, end in reports
        if span.verdict in ("ungrounded", "misgrounded") and start <= span.start < end
        if not ADDRESSED.search(low, start, end)
        for name in (label, number_of(span.quote) if span.verdict == "ungrounded" else label)
        if name in told and _tells(low[start:end], told[name], topic, topic | GENERIC, span) > 0
    }


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
        if label in further and (is_listed or (label not in referred and _around(low, span) in source)):
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
    """The words around a span, up to the end of its sentence."""
    stop = SENTENCE.search(low, span.end, span.end + COPIED)
    return " ".join(low[max(0, span.start - COPIED) : stop.start() if stop else span.end + COPIED].split())


def _clause(low: str, first: int, span: Span, stop: int, ends: re.Pattern[str] = PART) -> slice:
    """The part of a sentence around a span, no further than from `first` to `stop`."""
    first, stop = max(first, span.start - LONGEST), min(stop, span.end + LONGEST)
    after = ends.search(low, span.end, stop)
    start = max([first, *(each.end() for each in ends.finditer(low, first, span.start))])
    return slice(start, after.start() if after else stop)


def _tells(part: str, told: frozenset[str], topic: frozenset[str], common: frozenset[str], span: Span) -> int:
    """How many words of its source a clause has that are not common; -1 if it has one of the topic that this lacks."""
    words = _words(part) - _words(lower(span.quote))
    return len(words & told - common) if words & topic <= told else -1


def _words(low: str) -> frozenset[str]:
    """The words and dates of a text."""
    dates = frozenset(value_of(figure) for figure in figures_of(low) if figure.kind == "date")
    words = [word for word in WORD.findall(low) if word not in COMMON and not LABELS.fullmatch(word)]
    return dates.union(map(stem, words)) - COMMON


@lru_cache(maxsize=512)
def _told(text: str, departments: frozenset[str] = frozenset()) -> dict[str, frozenset[str]]:
    """The words told of each figure and department of a text, and of bare numbers: a mention may lack its unit."""
    told: dict[str, frozenset[str]] = {}
    for sentence in PART.split(text):
        figures = figures_of(sentence)
        names = {value_of(figure) for figure in figures} | {
            number_of(sentence[each.start : each.end]) for each in figures
        }
        for name in names.union(name for name in departments if name in sentence):
            told[name] = told.get(name, frozenset()) | _words(lower(sentence))
    return told


def _unit(label: str) -> str:
    unit = label.split(" ")[0]
    return "time" if unit in ("minutes", "months", "business-days") else unit


def _numbers(text: str) -> set[Fraction]:
    """The numbers of a text, without units."""
    labels = [number_of(text[figure.start : figure.end]) for figure in figures_of(text) if figure.kind != "date"]
    return {Fraction(label) for label in labels if label.startswith(" ")}
