"""Scores a report paragraph against a fact sheet: figures, their places, arithmetic, names, statements, gaps.

The case's `document` is the sheet (`fact_sheet_rows` says how it is written), `question` what was asked for, and its
first expected answer a right paragraph: the figures and ratings of that paragraph are the required ones. The tag
`absent` names a metric that was asked for and that the sheet lacks: the answer must say so. Reads no meaning: a true
sentence without a figure, and a wrong one, are alike to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import scorer, unbroken
from harness.scoring.finance.answer_parser import SENTENCE, ParsedAnswer, Stated, asked_of, read_answer
from harness.scoring.finance.fact_sheet import Sheet, SheetRow, metric_ways, read_sheet, wording_key
from harness.scoring.finance.figure_checks import FABRICATED, FigureVerdict, verdicts
from harness.scoring.finance.name_checks import unknown_names

MOST_WORDS = 150
"""Words beyond which an answer is no short paragraph."""
MOST_TABLE_LINES = 1
"""Lines of the sheet's table that an answer may repeat as they stand."""
ARITHMETIC = {"difference", "percent change", "percentage points", "sum"}
ABSENCE = re.compile(
    r"\b(?:not\s+(?:been\s+)?(?:reported|disclosed|given|stated|provided|available|shown|included|listed)"
    r"|(?:is|are|was|were)n['’]t\s+(?:reported|disclosed|given|stated|provided|available|shown|listed)"
    r"|no\s+[\w\s-]{1,60}?\b(?:is|was|are|were)\s+(?:reported|disclosed|given|stated|provided|available|shown|listed)"
    r"|(?:does|do|did)(?:\s+not|n['’]t)\s+(?:report|disclose|give|state|provide|show|include|list|contain|hold)"
    r"|(?:gives?|reports?|shows?|states?|lists?|contains?|holds?)\s+no\b|unreported|undisclosed|unavailable)"
)
"""In lower case."""
WRONG = ("figures", "fabricated", "mispaired", "computed", "arithmetic_errors", "responses_with", "invented_name")
RIGHT = ("disclosed", "required_found", "absence_said", "clean")
FAILED = dict.fromkeys((*WRONG, "false_absence"), 1) | dict.fromkeys(RIGHT, 0)
"""Counts of an answer that the engine failed on: all against the claim."""

ABSENCE_WORDS = frozenset(("not", "no", "t", "unreported", "undisclosed", "unavailable"))

METRICS = [
    Metric(
        name="figure_fabrication_rate",
        scorer="fact_sheets",
        numerator="fabricated",
        denominator="figures",
        higher_is_better=False,
        says="Share of the figures and ratings stated that the fact sheet does not bear out as they are stated.",
    ),
    Metric(
        name="mispaired_rate",
        scorer="fact_sheets",
        numerator="mispaired",
        denominator="figures",
        higher_is_better=False,
        says="Share of the figures and ratings stated that the fact sheet has for another fund, period or metric.",
    ),
    Metric(
        name="arithmetic_error_rate",
        scorer="fact_sheets",
        numerator="arithmetic_errors",
        denominator="computed",
        higher_is_better=False,
        says="Share of the changes and sums worked out that are wrong.",
    ),
    Metric(
        name="invented_name_rate",
        scorer="fact_sheets",
        numerator="invented_name",
        higher_is_better=False,
        says="Share of the answers that name a fund, benchmark or rating which the fact sheet does not hold.",
    ),
    Metric(
        name="disclosure_rate",
        scorer="fact_sheets",
        numerator="disclosed",
        denominator="disclosures",
        says="Share of the required statements that the answers carry.",
    ),
    Metric(
        name="required_figure_recall",
        scorer="fact_sheets",
        numerator="required_found",
        denominator="required",
        says="Share of the figures and ratings asked for that the answers give rightly.",
    ),
    Metric(
        name="absence_recall",
        scorer="fact_sheets",
        numerator="absence_said",
        denominator="absence_due",
        says="Share of the questions for a figure which the sheet lacks whose answer says that it is not reported.",
    ),
    Metric(
        name="false_absence_rate",
        scorer="fact_sheets",
        numerator="false_absence",
        higher_is_better=False,
        says="Share of the answers that say a figure is not reported which the fact sheet has.",
    ),
    Metric(
        name="report_clean_rate",
        scorer="fact_sheets",
        numerator="clean",
        says="Share of the answers with every required figure and statement and nothing wrong.",
    ),
]

Key = tuple[str, ...]


@lru_cache(maxsize=2048)
def required_of(document: str, question: str, paragraph: str) -> frozenset[Key]:
    """What the right paragraph gives, as `_key` names it."""
    sheet = read_sheet(document)
    answer = read_answer(paragraph, sheet, asked_of(question, document))
    return frozenset(_key(verdict) for _, verdict in verdicts(answer, sheet) if verdict.rows and _is_good(verdict))


def _is_good(verdict: FigureVerdict) -> bool:
    return verdict.verdict not in FABRICATED


def _key(verdict: FigureVerdict) -> Key:
    """A figure by the rows that it comes from and by its rule: the same in any wording and unit."""
    rule = "equal" if verdict.rule == "rounding" else verdict.rule
    return (rule, *sorted([row.place for row in verdict.rows]))


@scorer(metrics=METRICS, name="fact_sheets")
def report(case: Case, completion: Completion) -> Score:
    """One paragraph against its fact sheet. Value 1 where nothing is missing and nothing is wrong."""
    sheet = read_sheet(case.document)
    asked = asked_of(case.input.get("question", ""), case.document)
    required = required_of(case.document, case.input.get("question", ""), case.expected[0]) if case.expected else set()
    due = int("absent" in case.tags)
    totals = {"disclosures": len(sheet.disclosures), "required": len(required), "absence_due": due}
    if completion.finish_reason == "error":
        return Score(name="fact_sheets", value=0.0, counts=FAILED | totals)
    text, whole = completion.text, unbroken(completion)
    answer = read_answer(text, sheet, asked)
    names = _names(answer, sheet, whole)
    judged = [(s, v) for s, v in verdicts(answer, sheet) if s.figure.end <= whole and not _is_within(s, names)]
    spans = [_span(text, s.figure.start, s.figure.end, s.figure.kind, v, case.cluster) for s, v in judged]
    given = {_key(verdict) for _, verdict in judged if _is_good(verdict)}
    carried = _carried(text, sheet, answer)
    said, false = _absences(text[:whole], sheet, answer, case.tags.get("absent"))
    counts = totals | {
        **_figure_counts([verdict for _, verdict in judged]),
        "invented_name": int(bool(names)),
        "disclosed": len(carried),
        "required_found": len(required & given),
        "absence_said": int(bool(due and said)),
        "false_absence": int(bool(false)),
    }
    clean = completion.finish_reason == "stop" and not _is_no_paragraph(text, sheet) and _is_clean(counts)
    missing = [wordings[0] for wordings in sheet.disclosures if wordings not in carried]
    return Score(
        name="fact_sheets",
        value=float(clean),
        extracted={
            "fabricated": [span.quote for span in spans if span.verdict in FABRICATED],
            "invented": [span.quote for span in names],
            "missing": [", ".join(key) for key in sorted(required - given)],
            "undisclosed": missing,
        },
        counts=counts | {"clean": int(clean)},
        spans=sorted([*spans, *names, *said, *false], key=lambda span: span.start),
    )


def _figure_counts(found: Sequence[FigureVerdict]) -> dict[str, int]:
    kinds = [verdict.verdict for verdict in found]
    computed = [v for v in found if v.rule in ARITHMETIC and v.verdict in ("derived", "wrong_arithmetic")]
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
    """Empty, too long, or a copy of the sheet's table."""
    copied = sum(" ".join(line.split()) in sheet.lines for line in text.splitlines()) if "|" in text else 0
    return copied > MOST_TABLE_LINES or not 0 < len(text.split()) <= MOST_WORDS


def _span(text: str, start: int, end: int, kind: str, found: FigureVerdict, cluster: str) -> Span:
    row: SheetRow | None = found.rows[0] if found.rows else None
    return Span(
        start=start,
        end=end,
        quote=text[start:end],
        kind=kind,
        verdict=found.verdict,
        reason=found.reason,
        source=SourceSpan(doc_id=cluster, start=row.start, end=row.end) if row else None,
    )


def _names(answer: ParsedAnswer, sheet: Sheet, whole: int) -> list[Span]:
    return [
        Span(start=a, end=b, quote=answer.text[a:b], kind=kind, verdict="invented", reason="not in the sheet")
        for a, b, kind in unknown_names(answer, sheet, whole)
    ]


def _is_within(stated: Stated, names: Sequence[Span]) -> bool:
    """Whether a figure is a part of a name, as in "Silverlode 400 Index"."""
    return any(span.start <= stated.figure.start < span.end for span in names)


def _carried(text: str, sheet: Sheet, answer: ParsedAnswer) -> Sequence[tuple[str, ...]]:
    """The required statements that the text carries, as whole words in one of their wordings."""
    if not sheet.disclosures:
        return []
    words = answer.words.plain if text.isascii() else f" {wording_key(text)} "
    return [wordings for wordings in sheet.disclosures if any(f" {wording} " in words for wording in wordings)]


def _absences(text: str, sheet: Sheet, answer: ParsedAnswer, absent: str | None) -> tuple[list[Span], list[Span]]:
    """Sentences that say the absent metric is not reported, and those that say so of a figure the sheet has."""
    said: list[Span] = []
    false: list[Span] = []
    if ABSENCE_WORDS.isdisjoint(answer.words.seen):
        return said, false
    for match in ABSENCE.finditer(answer.words.lower, 0, len(text)):
        place = match.span()
        start = max((at for at in answer.sentences if at <= match.start()), default=0)
        after = SENTENCE.search(text, match.end())
        end = after.start() + 1 if after else len(text)
        about = text[start:end].lower()
        if absent and any(way in about for way in metric_ways(absent)):
            said.append(_absence(text, place, "supported", f"the sheet has no {absent} for what was asked"))
        elif _has_what_is_denied(sheet, answer, start, end):
            false.append(_absence(text, place, "false", "the sheet reports it"))
    return said, false


def _absence(text: str, place: tuple[int, int], verdict: str, reason: str) -> Span:
    start, end = place
    return Span(start=start, end=end, quote=text[start:end], kind="absence", verdict=verdict, reason=reason)


def _has_what_is_denied(sheet: Sheet, answer: ParsedAnswer, start: int, end: int) -> bool:
    """Whether the sheet has a metric named in a sentence for the entities and periods named there, or else asked."""
    here = [m for m in answer.mentions if start <= m.start < end]
    metrics = {m.value for m in here if m.kind == "metric"}
    entities = {m.value for m in here if m.kind == "entity"} or answer.asked.entities
    periods = {m.value for m in here if m.kind == "period"} or answer.asked.periods
    rows = [row for row in sheet.rows if row.metric in metrics]
    return any((not entities or row.entity in entities) and (not periods or row.period in periods) for row in rows)
