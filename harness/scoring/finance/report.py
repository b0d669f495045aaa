"""Score a report paragraph against a fact sheet: figures, their rows, arithmetic, names, statements, missing figures.

The case's `document` is the sheet (`finance.fact_sheet` has its format); if the document is in another layout, the
input `facts` is that sheet, which the model does not see. `question` is what was asked for, and the first expected
answer a right paragraph: its figures and ratings are required. The tag `absent` names a metric that was asked for and
that the sheet lacks: the answer must say so. Sentences without a figure are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import make_span, ratios, scorer, whole_length
from harness.scoring.finance.answer_parser import SENTENCE, ParsedAnswer, Stated, question_scope, read_answer
from harness.scoring.finance.fact_sheet import Sheet, metric_ways, read_sheet, wording_key
from harness.scoring.finance.figure_checks import FABRICATED, FigureVerdict
from harness.scoring.finance.name_checks import unknown_names
from harness.scoring.finance.right_answer import NOTHING_ASKED, Asked, asked_for, verdicts
from harness.scoring.text.quantities import Figure

MAX_WORDS = 150
"""A longer answer is not a short paragraph."""
MAX_TABLE_LINES = 1
"""Lines of the sheet's table that an answer may copy."""
ARITHMETIC = {"difference", "percent change", "percentage points", "sum"}
ABSENCE = re.compile(
    r"\b(?:not\s+(?:been\s+)?(?:reported|disclosed|given|stated|provided|available|shown|included|listed)"
    r"|(?:is|are|was|were)n['’]t\s+(?:reported|disclosed|given|stated|provided|available|shown|listed)"
    r"|no\s+[\w\s-]{1,60}?\b(?:is|was|are|were)\s+(?:reported|disclosed|given|stated|provided|available|shown|listed)"
    r"|(?:does|do|did)(?:\s+not|n['’]t)\s+(?:report|disclose|give|state|provide|show|include|list|contain|hold)"
    r"|(?:gives?|reports?|shows?|states?|lists?|contains?|holds?)\s+no\b|unreported|undisclosed|unavailable)"
)
"""Says that something is not reported; for lower-case text."""
WRONG = ("figures", "fabricated", "mispaired", "computed", "arithmetic_errors", "responses_with", "invented_name")
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

Key = tuple[str, ...]


class Required(NamedTuple):
    """What a right answer states."""

    keys: dict[Key, Key]
    """For each of its figures, the key of its value and that of its rows; an answer needs one of the two."""
    asked: Asked


NONE_REQUIRED = Required({}, NOTHING_ASKED)


@lru_cache(maxsize=2048)
def required_of(facts: str, question: str, paragraph: str) -> Required:
    """Return the figures of the right paragraph about a sheet."""
    sheet = read_sheet(facts)
    answer = read_answer(paragraph, sheet, question_scope(question, facts))
    asked = asked_for(answer, sheet)
    good = [(stated, verdict) for stated, verdict in verdicts(answer, sheet, asked) if _is_good(verdict)]
    return Required({_value_key(s): _row_key(s, v) for s, v in good if v.rows or v.rule == "asked"}, asked)


def _is_good(verdict: FigureVerdict) -> bool:
    return verdict.verdict not in FABRICATED


def _value_key(stated: Stated) -> Key:
    return (f"{stated.figure.unit} {stated.figure.value}", "points" if stated.points else "")


def _row_key(stated: Stated, verdict: FigureVerdict) -> Key:
    """A figure by its rows and its rule: equal in any wording and unit. One without rows is equal in value."""
    rule = "equal" if verdict.rule == "rounding" else verdict.rule
    return (rule, *sorted([row.place for row in verdict.rows])) if verdict.rows else _value_key(stated)


@scorer(metrics=METRICS, name="fact_sheets")
def report(case: Case, completion: Completion) -> Score:
    """Compare one paragraph with its fact sheet. The value is 1 if nothing is missing and nothing is wrong."""
    facts, question = case.input.get("facts", case.document), case.input.get("question", "")
    sheet, scope = read_sheet(facts), question_scope(question, facts)
    due = required_of(facts, question, case.expected[0]) if case.expected else NONE_REQUIRED
    absence_due = int("absent" in case.tags)
    totals = {"disclosures": len(sheet.disclosures), "required": len(due.keys), "absence_due": absence_due}
    if completion.finish_reason == "error":
        return Score(name="fact_sheets", value=0.0, counts=FAILED | totals)
    text, whole = completion.text, whole_length(completion)
    answer = read_answer(text, sheet, scope)
    document = case.document.lower()
    names = [name for name in unknown_names(answer, sheet, whole) if name.quote.lower() not in document]
    judged = [
        (s, v) for s, v in verdicts(answer, sheet, due.asked) if s.figure.end <= whole and not _is_within(s, names)
    ]
    cluster = None if "facts" in case.input else case.cluster
    spans = [_span(text, stated.figure, verdict, cluster) for stated, verdict in judged]
    good = [(figure, verdict) for figure, verdict in judged if _is_good(verdict)]
    stated = {_value_key(figure) for figure, _ in good} | {_row_key(figure, verdict) for figure, verdict in good}
    lost = [key for value, key in due.keys.items() if value not in stated and key not in stated]
    disclosed = _disclosed(text, sheet, answer)
    absences, false_absences = _absences(text[:whole], sheet, answer, case.tags.get("absent"))
    counts = totals | {
        **_figure_counts([verdict for _, verdict in judged]),
        "invented_name": int(bool(names)),
        "disclosed": len(disclosed),
        "required_found": len(due.keys) - len(lost),
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
            "missing": sorted(", ".join(key) for key in lost),
            "undisclosed": missing,
        },
        counts=counts | {"clean": int(clean)},
        spans=sorted([*spans, *names, *absences, *false_absences], key=lambda span: span.start),
    )


def _figure_counts(verdicts: Sequence[FigureVerdict]) -> dict[str, int]:
    kinds = [verdict.verdict for verdict in verdicts]
    computed = [v for v in verdicts if v.rule in ARITHMETIC and v.verdict in ("derived", "wrong_arithmetic")]
    fabricated = len(kinds) - kinds.count("supported") - kinds.count("derived")
    return {
        "figures": len(kinds),
        "fabricated": fabricated,
        "mispaired": kinds.count("mispaired"),
        "computed": len(computed),
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
    source = (judged.rows[0].start, judged.rows[0].end) if judged.rows and cluster is not None else None
    return make_span(text, figure.start, figure.end, figure.kind, judged.verdict, judged.reason, source, cluster or "")


def _is_within(stated: Stated, names: Sequence[Span]) -> bool:
    """Whether a figure is part of a name, as in "Silverlode 400 Index"."""
    return any(span.start <= stated.figure.start < span.end for span in names)


def _disclosed(text: str, sheet: Sheet, answer: ParsedAnswer) -> Sequence[tuple[str, ...]]:
    """The required statements that the text contains, as whole words in one of their wordings."""
    if not sheet.disclosures:
        return []
    words = answer.words.plain if text.isascii() else f" {wording_key(text)} "
    return [wordings for wordings in sheet.disclosures if any(f" {wording} " in words for wording in wordings)]


def _absences(text: str, sheet: Sheet, answer: ParsedAnswer, absent: str | None) -> tuple[list[Span], list[Span]]:
    """Sentences that say the absent metric is not reported, and those that say so of a figure the sheet has."""
    absences: list[Span] = []
    false: list[Span] = []
    for match in ABSENCE.finditer(answer.words.lower, 0, len(text)):
        start = max((at for at in answer.sentences if at <= match.start()), default=0)
        after = SENTENCE.search(text, match.end())
        end = after.start() + 1 if after else len(text)
        about = text[start:end].lower()
        if absent and any(way in about for way in metric_ways(absent)):
            reason = f"the sheet has no {absent} for what was asked"
            absences.append(make_span(text, *match.span(), "absence", "supported", reason))
        elif _has_what_is_denied(sheet, answer, start, end):
            false.append(make_span(text, *match.span(), "absence", "false", "the sheet reports it"))
    return absences, false


def _has_what_is_denied(sheet: Sheet, answer: ParsedAnswer, start: int, end: int) -> bool:
    """Whether the sheet has a metric of a sentence, for the entities and periods named there or in the question."""
    here = [m for m in answer.mentions if start <= m.start < end]
    metrics = {m.value for m in here if m.kind == "metric"}
    entities = {m.value for m in here if m.kind == "entity"} or answer.scope.entities
    periods = {m.value for m in here if m.kind == "period"} or answer.scope.periods
    rows = [row for row in sheet.rows if row.metric in metrics]
    return any((not entities or row.entity in entities) and (not periods or row.period in periods) for row in rows)
