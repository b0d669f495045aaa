"""Scores clauses quoted one a line against labelled strings, by CUAD's rule. Knows no confidence.

A model that generates has no confidence for what it quotes, so this is one operating point: precision, recall, F1 and
F2, which weighs a missed clause more. The area under a curve (`cuad_spans.aupr`) needs confidences of stated origin.
`None` is said by one line such as "none". An answer that is empty, cut at the token limit, failed or a refusal is one
wrong quote with every labelled string missed, so that garbage scores no better than a wrong answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring import clause_lists
from harness.scoring.base import scorer
from harness.scoring.cuad_spans import PARTIES, count, matches
from harness.scoring.refusals import refuses

LINE = re.compile(r"[^\r\n]+")
BULLET = re.compile(r"\s*(?:(?:[-*•–—]|\(?\d{1,2}[.)])\s+)?[\"“‘'`]?")
QUOTES = "\"”’'` \t"

METRICS = [
    Metric(
        name="span_recall",
        scorer="spans",
        numerator="tp",
        denominator="gold",
        says="Share of the labelled strings that the answer quotes: at least half of the words in common.",
    ),
    Metric(
        name="span_precision",
        scorer="spans",
        numerator="tp",
        denominator="tp_fp",
        says="Labelled strings quoted, over these and the quotes that match no labelled string.",
    ),
    Metric(
        name="span_f1",
        scorer="spans",
        numerator="f1_top",
        denominator="f1_bottom",
        says="Balance of recall and precision of quoted strings.",
    ),
    Metric(
        name="span_f2",
        scorer="spans",
        numerator="f2_top",
        denominator="f2_bottom",
        says="Balance of recall and precision of quoted strings, where a missed one weighs more.",
    ),
    Metric(
        name="span_abstention_rate",
        scorer="spans",
        numerator="abstained",
        denominator="positives",
        higher_is_better=False,
        says="Share of the texts with a labelled string for which the answer was that there is none.",
    ),
    Metric(
        name="span_false_alarm_rate",
        scorer="spans",
        numerator="false_alarm",
        denominator="empty_gold",
        higher_is_better=False,
        says="Share of the texts without a labelled string for which the answer quoted one.",
    ),
    Metric(
        name="span_parse_rate",
        scorer="spans",
        numerator="parsed",
        says="Share of answers that could be read as quoted lines or as none.",
    ),
]


@scorer(metrics=METRICS, name="spans")
def quoted(case: Case, completion: Completion) -> Score:
    """Quoted lines against the case's expected strings; a case or clause named after "Parties" follows that rule."""
    parties = PARTIES in case.id or PARTIES in case.tags.get("clause", "")
    unreadable = _unreadable(completion)
    lines = {} if unreadable or _says_none(completion.text) else dict(_lines(completion.text))
    tp, fp, fn = count(case.expected, list(lines), parties)
    fp += int(bool(unreadable))
    spans = [
        _span(case, completion.text, start, any(matches(label, line, parties) for label in case.expected), line)
        for line, start in lines.items()
    ]
    gold = bool(case.expected)
    return Score(
        name="spans",
        value=float(fp == 0 and fn == 0),
        extracted={
            "missing": [g for g in case.expected if not any(matches(g, line, parties) for line in lines)],
            "unmatched": [span.quote for span in spans if span.verdict != "found"],
            **({"unreadable": [unreadable]} if unreadable else {}),
        },
        counts={
            "tp": tp,
            "fp": fp,
            "fn": fn,
            "gold": tp + fn,
            "tp_fp": tp + fp,
            "f1_top": 2 * tp,
            "f1_bottom": 2 * tp + fp + fn,
            "f2_top": 5 * tp,
            "f2_bottom": 5 * tp + fp + 4 * fn,
            "parsed": int(not unreadable),
            "abstained": int(gold and not lines and not unreadable),
            "positives": int(gold),
            "empty_gold": int(not gold),
            "false_alarm": int(not gold and fp > 0),
        },
        spans=spans,
    )


def _unreadable(completion: Completion) -> str:
    """Why an answer cannot be read, or the empty string."""
    if completion.finish_reason == "error":
        return "the engine gave no answer"
    if completion.finish_reason == "length":
        return "the answer was cut at the token limit"
    if not any(True for _ in _lines(completion.text)):
        return "the answer is empty"
    return "the answer is a refusal" if refuses(completion.text) else ""


def _says_none(text: str) -> bool:
    return bool(clause_lists.NONE.fullmatch(clause_lists.key(text)))


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Each line without bullet and quotation marks, and where it starts."""
    for line in LINE.finditer(text):
        bullet = BULLET.match(text, line.start(), line.end())
        start = bullet.end() if bullet else line.start()
        quote = text[start : line.end()].rstrip(QUOTES)
        if quote.strip():
            yield quote, start


def _span(case: Case, text: str, start: int, found: bool, line: str) -> Span:
    """A quoted line, with its place in the source where it stands there word for word."""
    at = case.document.find(line)
    if found:
        verdict, reason = "found", ""
    elif at >= 0:
        verdict, reason = "unmatched", "it stands in the text and is not what was asked for"
    else:
        verdict, reason = "invented", "it does not stand in the text"
    source = SourceSpan(doc_id=case.cluster, start=at, end=at + len(line)) if at >= 0 else None
    end = start + len(line)
    return Span(
        start=start, end=end, quote=text[start:end], kind="clause", verdict=verdict, reason=reason, source=source
    )
