"""Score a report paragraph against a fact sheet: figures, their rows, arithmetic, names, statements, missing figures.

The case's `document` is the sheet (`finance.fact_sheet` has its format); if the document is in another layout, the
input `facts` is that sheet, which the model does not see. `question` is what was asked for, and the first expected
answer a right paragraph: its figures and ratings are required. The tag `absent` names a metric that was asked for and
that the sheet lacks: the answer must say so. Sentences without a figure are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from functools import lru_cache
from itertools import combinations, pairwise

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import make_span, ratios, scorer, whole_length
from harness.scoring.finance.answer_parser import Answer, Stated, mentions_in
from harness.scoring.finance.fact_sheet import Sheet, SheetRow, metric_ways, read_sheet, wording_key
from harness.scoring.finance.figure_checks import GOOD, Asked, FigureVerdict, Judge, named_in
from harness.scoring.finance.name_checks import unknown_names
from harness.scoring.finance.periods import fit
from harness.scoring.grounding.claims import FABRICATED, UNCLEAR
from harness.scoring.grounding.label_units import PER_UNIT
from harness.scoring.text.quantities import Figure
from harness.scoring.text.refusals import clauses, is_declining

MAX_WORDS = 150
"""A longer answer is not a short paragraph."""
MAX_TABLE_LINES = 1
"""Lines of the sheet's table that an answer may copy."""
WORDS, STEM = re.compile(r"[a-z0-9]+"), 5
MIN_INITIALS = 3
"""Fewest words of a metric that their initials may stand for, as "FFO" does for "funds from operations"."""
LOOKED_UP = ("date", "duration", "time")
"""Kinds of figures that no answer must state."""
SHEET = r"(?:the|this)\s+(?:\w+\s+)?(?:sheet|page|report|letter|release|filing|extract|document|table|text)\b(?!['’]s)"
TOLD = r"(?:reported|disclosed|given|stated|provided|available|shown|listed|mentioned|specified)"
ABSENCE = re.compile(
    rf"\b(?:(?:not|(?:is|are|was|were)n['’]t)\s+(?:been\s+|\w+ly\s+)?{TOLD}|not\s+included|no\s+[\w\s-]{{1,60}}?\b(?:is|was|are|were)\s+{TOLD}"
    r"|(?:does|do|did)(?:\s+not|n['’]t)\s+(?:report|disclose|give|state|provide|show|include|list|contain|hold|mention"
    r"|specify|say|tell|cover|break\s+out)|(?:gives?|reports?|shows?|states?|lists?|contains?|holds?)\s+no\b|unreported|undisclosed|unavailable"
    r"|no\s+(?:data|figures?|values?)\s+(?:on|about|for|of)\b|missing\s+from\s+(?:the|this)\b"
    r"|silent\s+(?:on|about)\b|(?:un|(?:not|\w+n['’]t)\s+)able\s+to\s+(?:find|give|tell|say)"
    rf"|(?:is|are|was|were)(?:\s+not|n['’]t)\s+(?:in|on|part\s+of)\s+{SHEET}|there\s+(?:is|are|was|were)\s+no\b[^.;]*\s(?:in|on)\s+{SHEET})"
)
"""Says that something is not reported, as do the clauses of `is_declining`; for lower-case text."""
PRONOUN = re.compile(r"\W*(?:it|this|that|these|those|they)\b")
FIGURE = re.compile(r"\b(?:figures?|amounts?|values?|data|numbers?)\b")
NO_MORE = re.compile(rf"\W*(?:(?:anywhere )?(?:in|on|by)\s+{SHEET})?\W*")
"""After an absence that a pronoun tells of."""
JUDGES = re.compile(r"\b(?:can(?:\s?not|'t)|could(?:\s+not|n't))\s+say\s+(?:that\s+)?(?:the|its|it)\b")
"""No absence: "I cannot say the duration is bad"."""
WRONG = ("figures", "fabricated", "mispaired", "computed", "arithmetic_errors", "responses_with", "invented_name")
IN_OTHER_WORDS = re.compile(r",?\s\(?(?:or\s)?")
"""Between the amount and the percentage of a change: "$75 thousand, or 7.2%"."""
CHANGES = ("rule: difference", "rule: percent change")
"""Of rows that are amounts; points are the only change of a rate."""
IN_PERCENT = re.compile(r"\bper\s?cent|%", re.I)
"""In a question that asks for a change in both."""
RIGHT = ("disclosed", "required_found", "absence_said", "clean")
FAILED = dict.fromkeys((*WRONG, "false_absence"), 1) | dict.fromkeys(RIGHT, 0)
"""Counts of a failed answer: all against it."""

METRICS = (
    ratios(
        "fact_sheets",
        {},
        {
            "figure_fabrication_rate = fabricated / figures": "Share of the figures and ratings stated that the fact "
            "sheet does not support as they are stated.",
            "mispaired_rate = mispaired / figures": "Share of the figures and ratings stated that the fact sheet has "
            "for another fund, period or metric.",
            "arithmetic_error_rate = arithmetic_errors / computed": "Share of the changes and sums stated that are "
            "wrong.",
            "invented_name_rate = invented_name": "Share of the answers that name a fund, benchmark or rating that the "
            "fact sheet does not have.",
        },
    )
    + ratios(
        "fact_sheets",
        {
            "disclosure_rate = disclosed / disclosures": "Share of the required statements that the answers contain.",
            "required_figure_recall = required_found / required": "Share of the figures and ratings asked for that the "
            "answers state correctly.",
            "absence_recall = absence_said / absence_due": "Share of the questions for a figure that the sheet lacks "
            "whose answer says that it is not reported.",
        },
        fewer={
            "false_absence_rate = false_absence": "Share of the answers that say a figure is not reported although the "
            "fact sheet has it.",
        },
    )
    + ratios(
        "fact_sheets",
        {
            "report_clean_rate = clean": "Share of the answers with every required figure and statement and nothing "
            "wrong.",
        },
    )
)


@lru_cache(maxsize=2048)
def asked_of(document: str, facts: str, question: str, paragraph: str) -> tuple[Asked, ...]:
    """Return the figures of the right paragraph about a sheet."""
    case = Case(id="right", input={"document": document, "question": question}, expected=[], cluster="right")
    completion = Completion(key="right", text=paragraph, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    answer = Answer(paragraph, read_sheet(facts))
    return tuple(
        Asked(stated, _as_right(stated, verdict), *named_in(stated, answer))
        for stated, verdict in Judge(answer, case, completion).verdicts()
        if verdict.verdict != UNCLEAR or verdict.rows
    )


def _as_right(stated: Stated, verdict: FigureVerdict) -> FigureVerdict:
    """The verdict on a figure of the right answer, which is right also where the rules misread it."""
    if verdict.verdict in GOOD:
        return verdict
    in_sheet = verdict.verdict in ("mispaired", "wrong_sign", UNCLEAR) and not stated.is_points
    return FigureVerdict("supported" if in_sheet else "derived", "as the right answer has it", verdict.rows)


def _is_stated(asked: Asked, good: Sequence[tuple[Stated, FigureVerdict]]) -> bool:
    """Whether an answer states a figure of the right one: its row, or its value as far as both show it."""
    right, rows = asked.stated.figure, set(asked.verdict.rows)
    return any(
        (verdict.reason == asked.verdict.reason and not rows.isdisjoint(verdict.rows))
        or any(_is_equal(right, reading) for reading in stated.readings)
        for stated, verdict in good
    )


def _lost(
    due: Sequence[Asked], good: Sequence[tuple[Stated, FigureVerdict]], paragraph: str, question: str
) -> list[Asked]:
    """The required figures that an answer lacks. Of a change, its amount or its percentage will do."""
    if IN_PERCENT.search(question):
        return [each for each in due if not _is_stated(each, good)]
    changes = {frozenset(verdict.rows) for _, verdict in good if verdict.reason in CHANGES}
    has = [_is_stated(each, good) or _is_change_of(each, changes) for each in due]
    for at, (one, other) in enumerate(pairwise(due)):
        between = paragraph[one.stated.figure.end : other.stated.figure.start]
        if one.stated.move is not None and IN_OTHER_WORDS.fullmatch(between):
            has[at] = has[at + 1] = has[at] or has[at + 1]
    return [each for each, is_stated in zip(due, has, strict=True) if not is_stated]


def _is_change_of(asked: Asked, changes: Container[frozenset[SheetRow]]) -> bool:
    """Whether a figure of the right answer is a change between two rows of which the answer states a change."""
    return asked.verdict.reason in CHANGES and frozenset(asked.verdict.rows) in changes


def _is_equal(one: Figure, other: Figure) -> bool:
    if isinstance(one.value, str) or isinstance(other.value, str) or one.unit != other.unit:
        return (one.unit, one.value) == (other.unit, other.value)
    return abs(one.value - other.value) * 2 <= max(one.step, other.step)


@scorer(metrics=METRICS, name="fact_sheets")
def report(case: Case, completion: Completion) -> Score:
    """Compare one paragraph with its fact sheet. The value is 1 if nothing is missing and nothing is wrong."""
    facts, question = case.input.get("facts", case.document), case.input.get("question", "")
    sheet = read_sheet(facts)
    asked = asked_of(case.document, facts, question, case.expected[0]) if case.expected else ()
    due = [each for each in asked if each.stated.figure.kind not in LOOKED_UP]
    absence_due, paragraph = int("absent" in case.tags), case.expected[0] if case.expected else ""
    totals = {"disclosures": len(sheet.disclosures), "required": len(due), "absence_due": absence_due}
    if completion.finish_reason == "error":
        return Score(name="fact_sheets", value=0.0, counts=FAILED | totals)
    text, whole = completion.text, whole_length(completion)
    answer = Answer(text, sheet)
    document = case.document.lower()
    names = [name for name in unknown_names(answer, sheet, whole) if name.quote.lower() not in document]
    found = [
        (s, v)
        for s, v in Judge(answer, case, completion, asked).verdicts()
        if s.figure.end <= whole and not any(name.start <= s.figure.start < name.end for name in names)
    ]
    cluster = None if "facts" in case.input else case.cluster
    spans = [_span(text, stated.figure, verdict, cluster) for stated, verdict in found]
    good = [(stated, verdict) for stated, verdict in found if verdict.verdict in GOOD]
    lost = _lost(due, good, paragraph, question)
    disclosed = _disclosed(text, sheet)
    absences, false_absences = _absences(text[:whole], answer, question, case.tags.get("absent"))
    counts = totals | {
        **_figure_counts([verdict for _, verdict in found if verdict.verdict != UNCLEAR]),
        "invented_name": int(bool(names)),
        "disclosed": len(disclosed),
        "required_found": len(due) - len(lost),
        "absence_said": int(bool(absence_due and absences)),
        "false_absence": int(bool(false_absences)),
    }
    clean = completion.finish_reason == "stop" and not _is_no_paragraph(text, sheet) and _is_clean(counts)
    missing = [wordings[0] for wordings in sheet.disclosures if wordings not in disclosed]
    return Score(
        name="fact_sheets",
        value=float(clean),
        extracted={
            "fabricated": [span.quote for span in spans if span.verdict in FABRICATED],
            "invented": [span.quote for span in names],
            "missing": [paragraph[each.stated.figure.start : each.stated.figure.end] for each in lost],
            "undisclosed": missing,
        },
        counts=counts | {"clean": int(clean)},
        spans=sorted([*spans, *names, *absences, *false_absences], key=lambda span: span.start),
    )


def _figure_counts(verdicts: Sequence[FigureVerdict]) -> dict[str, int]:
    kinds = [verdict.verdict for verdict in verdicts]
    fabricated = sum(kind in FABRICATED for kind in kinds)
    return {
        "figures": len(kinds),
        "fabricated": fabricated,
        "mispaired": kinds.count("mispaired"),
        "computed": sum(verdict.is_computed for verdict in verdicts),
        "arithmetic_errors": kinds.count("wrong_arithmetic"),
        "responses_with": int(fabricated > 0),
    }


def _is_clean(counts: dict[str, int]) -> bool:
    whole = (("disclosed", "disclosures"), ("required_found", "required"), ("absence_said", "absence_due"))
    wrong = counts["fabricated"] + counts["invented_name"] + counts["false_absence"]
    return not wrong and all(counts[top] == counts[bottom] for top, bottom in whole)


def _is_no_paragraph(text: str, sheet: Sheet) -> bool:
    """Whether an answer is empty, too long, or a copy of the sheet's table."""
    copied = sum(" ".join(line.split()) in sheet.lines for line in text.splitlines()) if "|" in text else 0
    return copied > MAX_TABLE_LINES or not 0 < len(text.split()) <= MAX_WORDS


def _span(text: str, figure: Figure, judged: FigureVerdict, cluster: str | None) -> Span:
    """The span of a figure; without a cluster, the sheet is not the document, and the span has no source."""
    place = judged.rows[0].figure if judged.rows and cluster is not None else None
    source = (place.start, place.end) if place else None
    return make_span(text, figure.start, figure.end, figure.kind, judged.verdict, judged.reason, source, cluster or "")


def _disclosed(text: str, sheet: Sheet) -> Sequence[tuple[str, ...]]:
    """The required statements that the text contains, as whole words in one of their wordings."""
    words = f" {wording_key(text)} " if sheet.disclosures else ""
    return [wordings for wordings in sheet.disclosures if any(f" {wording} " in words for wording in wordings)]


def _absences(text: str, answer: Answer, question: str, absent: str | None) -> tuple[list[Span], list[Span]]:
    """Sentences that say the absent metric is not reported, and those that say so of a figure the sheet has."""
    absences: list[Span] = []
    false: list[Span] = []
    for first, last, clause in clauses(answer.low[: len(text)].replace("’", "'")):
        match = ABSENCE.search(clause)
        if not match and (not is_declining(clause) or JUDGES.search(clause)):
            continue
        place = (first + match.start(), first + match.end()) if match else (first, last)
        start, end = answer.sentence(place[0])
        if absent and _is_named(absent, answer, start, end, bool(NO_MORE.fullmatch(answer.low, place[1], end))):
            reason = f"the sheet has no {absent} for what was asked"
            absences.append(make_span(text, *place, "absence", "supported", reason))
        elif not _is_required(text[place[0] : end], answer) and (
            _has_what_is_denied(answer, question, start, end) or (not absent and _is_of_a_period(answer, start, end))
        ):
            false.append(make_span(text, *place, "absence", "false", "the sheet reports it"))
    return absences, false


def _is_named(metric: str, answer: Answer, start: int, end: int, is_all: bool) -> bool:
    """Whether a sentence names a metric, by a word for it or all words in any order and ending, or their initials.

    The sentence before counts if a pronoun refers to it and `is_all` that is said: "The vacancy rate? It is not in the
    letter."
    """
    if start and is_all and PRONOUN.match(answer.low, start) and not answer.named("metric", start, end):
        start = answer.sentence(start - 1)[0]
    about, whole = answer.text[start:end], WORDS.findall(metric)
    for first, last in combinations(range(len(whole) + 1), 2):
        if last - first >= MIN_INITIALS:
            initials = "".join(word[0] for word in whole[first:last]).upper()
            about = re.sub(rf"\b{initials}s?\b", " ".join(whole[first:last]), about)
    about = about.lower()
    words = tuple(word[:STEM] for word in WORDS.findall(metric.removesuffix(" rate").removesuffix(" ratio")))
    return any(way in about for way in metric_ways(metric)) or all(re.search(rf"\b{word}", about) for word in words)


def _is_required(rest: str, answer: Answer) -> bool:
    """Whether the rest of a sentence is that of a required statement: "not listed on any exchange"."""
    key = wording_key(rest)
    return any(wording.endswith(key) for wordings in answer.sheet.disclosures for wording in wordings)


def _is_of_a_period(answer: Answer, start: int, end: int) -> bool:
    """Whether a sentence denies the figure of a period of the sheet and names no metric: the one that was asked for."""
    periods, known = answer.named("period", start, end), answer.sheet.periods
    is_known = any(m.period and fit(m.period, each, known) for m in periods for each in known)
    return is_known and bool(FIGURE.search(answer.low, start, end)) and not answer.named("metric", start, end)


def _has_what_is_denied(answer: Answer, question: str, start: int, end: int) -> bool:
    """Whether the sheet has a metric of a sentence, for the entities and periods named there or in the question."""
    sheet, asked = answer.sheet, list(mentions_in(question, answer.sheet))
    entities, periods = (
        answer.named(kind, start, end) or [m for m in asked if m.kind == kind] for kind in ("entity", "period")
    )
    metrics = frozenset[str]().union(*(m.names for m in answer.named("metric", start, end)))
    if not PER_UNIT.search(answer.text, start, end):
        metrics = frozenset(metric for metric in metrics if not PER_UNIT.search(metric))
    return any(
        row.metric in metrics
        and (not entities or any(row.entity in m.names for m in entities))
        and (not periods or any(m.period and fit(m.period, row.period, sheet.periods) for m in periods))
        for row in sheet.rows
    )
