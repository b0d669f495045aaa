"""Score quoted clauses by CUAD's rule, quirks included.

Source: `TheAtticusProject/cuad` commit 67faa0e, evaluate.py. Two strings match if the sets of their words share half of
their union. Words are split at single spaces, so that a line break joins two words and a double space makes an empty
one. The later commit 6667285 splits at any white space, which changes one in five of the labelled strings.

Undefined precision and recall are nan inside a curve, because their effect on the envelope is part of the rule. `aupr`
and `precision_at_recall` always return a number. They need confidences, which a generating model does not have: their
caller says where the confidences come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import make_span, ratios, scorer
from harness.scoring.legal import clause_list_parser
from harness.scoring.legal.clause_units import TABLE_HEAD
from harness.scoring.text.refusals import refuses

MATCH = 0.5
"""Least Jaccard similarity of a match."""
REMOVED = str.maketrans({".": None, ",": None, ";": None, ":": None, "/": " "})
STEP = (0.99 - 0.01) - 0.99
THRESHOLDS = (*(0.99 + i * STEP for i in range(99)), 0.001, 0.0)
"""0.99 down to 0.01 by 0.01 with the rounding of `numpy.arange`, then 0.001 and 0: a confidence that equals a threshold
is not over it, so the last digit counts."""
PARTIES = "Parties"
"""In a question with this in its id, a quoted string that contains a labelled one also matches."""


class SpanCounts(NamedTuple):
    """Labelled strings found (tp) and not found (fn), and quoted strings that match none (fp)."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float | None:
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None


class PrecisionRecallCurve(NamedTuple):
    """Points by falling threshold, after the point (recall 0, precision 1); `confidences` is one shorter."""

    precisions: list[float]
    recalls: list[float]
    confidences: Sequence[float]


def jaccard(gold: str, quoted: str) -> float:
    """Divide the shared words by all words, split at single spaces."""
    first, second = _words(gold), _words(quoted)
    return len(first & second) / len(first | second)


@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    return frozenset(text.translate(REMOVED).lower().split(" "))


def matches(gold: str, quoted: str, parties: bool = False) -> bool:
    """Whether a quoted string matches a labelled one; with `parties` also if it contains the labelled one unchanged."""
    return jaccard(gold, quoted) >= MATCH or (parties and gold in quoted)


def count(gold: Sequence[str], quoted: Sequence[str], parties: bool = False) -> SpanCounts:
    """Count one question; several quoted strings that match one labelled string are one true positive."""
    hits = sum(any(matches(label, quote, parties) for quote in quoted) for label in gold)
    wrong = sum(not any(matches(label, quote, parties) for label in gold) for quote in quoted)
    return SpanCounts(hits, wrong, len(gold) - hits)


def in_all(counts: Iterable[SpanCounts]) -> SpanCounts:
    """Add the counts of several questions."""
    return SpanCounts(*map(sum, zip((0, 0, 0), *counts, strict=True)))


def above_threshold(predictions: Iterable[tuple[str, float]], threshold: float) -> list[str]:
    """List texts with a confidence over the threshold; the last confidence of equal texts counts, empty ones do not."""
    last = {text: confidence for text, confidence in predictions if text}
    return [text for text, confidence in last.items() if confidence > threshold]


def curve(
    gold: Mapping[str, Sequence[str]], predictions: Mapping[str, Sequence[tuple[str, float]]]
) -> PrecisionRecallCurve:
    """Compute precision and recall at each of THRESHOLDS, over all questions together.

    Both arguments map question ids, which contain the category's name, to labelled strings and to (text, confidence)
    pairs. Raises ValueError if the ids differ.
    """
    if sorted(gold) != sorted(predictions):
        raise ValueError(f"{len(gold)} questions have labels and {len(predictions)} have predictions; ids must agree")
    points = PrecisionRecallCurve([1.0], [0.0], THRESHOLDS)
    for threshold in THRESHOLDS:
        total = in_all(
            count(gold[name], above_threshold(predictions[name], threshold), PARTIES in name) for name in gold
        )
        points.precisions.append(math.nan if total.precision is None else total.precision)
        points.recalls.append(math.nan if total.recall is None else total.recall)
    return points


def envelope(precisions: Sequence[float]) -> list[float]:
    """Replace each precision by the best at a higher recall. The next value replaces a nan; a last nan spreads."""
    best = list(precisions)
    for i in range(len(best) - 2, -1, -1):
        # `max` returns its first argument if either is nan.
        best[i] = max(best[i + 1], best[i])
    return best


def aupr(points: PrecisionRecallCurve) -> float:
    """Compute the area under the envelope over recall, by trapezoids; 0 if it is undefined."""
    best, recalls = envelope(points.precisions), points.recalls
    area = math.fsum((recalls[i] - recalls[i - 1]) * (best[i] + best[i - 1]) / 2 for i in range(1, len(best)))
    return 0.0 if math.isnan(area) else area


def precision_at_recall(points: PrecisionRecallCurve, recall: float) -> tuple[float, float]:
    """Return the envelope precision at the first recall that reaches `recall`, else 0, and its confidence.

    As in CUAD's script, the last point is never examined and the confidence is the next point's threshold, because the
    list of thresholds is one shorter than the list of points.
    """
    examined = zip(envelope(points.precisions), points.recalls, points.confidences, strict=False)
    confidence = math.nan
    for precision, reached, confidence in examined:
        if reached >= recall:
            return precision, confidence
    return 0.0, confidence


def f_score(counts: SpanCounts, beta: float = 1.0) -> float | None:
    """Compute (1 + b2) P R / (b2 P + R) from counts: (1 + b2) tp / ((1 + b2) tp + fp + b2 fn); None if all are 0."""
    square = beta * beta
    below = (1 + square) * counts.tp + counts.fp + square * counts.fn
    return (1 + square) * counts.tp / below if below else None


LINE = re.compile(r"[^\r\n]+")
BULLET = re.compile(r"\s*(?:(?:[-*•–—]|\(?\d{1,2}[.)])\s+)?[\"“‘'`]?")
QUOTES = "\"”’'` \t"
FENCE = re.compile(r"\s*(?:```\w*|(?:\"[^\"]*\"\s*:\s*)?[\[\]{}]+,?|\|[\s|:-]+)\s*")
"""A line of a code fence, of brackets with or without their key, or below the head of a table."""
HEADING = re.compile(r"\s*(?:#+\s|\*\*)\W*(?:\w+\W*){1,6}")
MAX_HEAD = 6
"""Words in the head of a table; a longer one may be a quote."""
WORD = re.compile(r"\w+")
MIN_WORDS = 4
"""A shorter line of the source may be part of a "none"."""

METRICS = ratios(
    "spans",
    {
        "span_recall = tp / gold": "Share of the labelled strings that the answer quotes: at least half of the words "
        "in common.",
        "span_precision = tp / predicted": "Labelled strings quoted, over these and the quotes that match no labelled "
        "string.",
        "span_f1 = f1_top / f1_bottom": "Balance of recall and precision of quoted strings.",
        "span_f2 = f2_top / f2_bottom": "Balance of recall and precision of quoted strings, in which a missed one "
        "weighs more.",
    },
    fewer={
        "span_abstention_rate = abstained / positives": "Share of the texts with a labelled string for which the model "
        "said there is none.",
        "span_false_alarm_rate = false_alarm / empty_gold": "Share of the texts without a labelled string for which "
        "the model quoted one.",
    },
) + ratios("spans", {"span_parse_rate = parsed": "Share of answers that could be read as quoted lines or as none."})


@scorer(metrics=METRICS, name="spans")
def quoted(case: Case, completion: Completion) -> Score:
    """Compare quoted lines with the case's expected strings; a case or clause with "Parties" follows that rule."""
    parties = PARTIES in case.id or PARTIES in case.tags.get("clause", "")
    refusal = "the answer is a refusal" if refuses(completion.text) else ""
    unreadable = clause_list_parser.unreadable(completion) or refusal
    lines = {} if unreadable else dict(_joined(case, completion.text, parties))
    are_quoted = any(line in case.document and len(line.split()) >= MIN_WORDS for line in lines)
    if _says_none(case, completion.text) and not are_quoted:
        lines = {}
    tp, fp, fn = count(case.expected, list(lines), parties)
    fp += int(bool(unreadable))
    spans = [
        _span(case, completion.text, place, any(matches(label, line, parties) for label in case.expected))
        for line, place in lines.items()
    ]
    return Score(
        name="spans",
        value=float(fp == 0 and fn == 0),
        extracted={
            "missing": [g for g in case.expected if not any(matches(g, line, parties) for line in lines)],
            "unmatched": [span.quote for span in spans if span.verdict != "found"],
            **({"unreadable": [unreadable]} if unreadable else {}),
        },
        counts={
            **clause_list_parser.set_counts(tp, fp, fn, not unreadable, bool(lines)),
            "f2_top": 5 * tp,
            "f2_bottom": 5 * tp + fp + 4 * fn,
        },
        spans=spans,
    )


def _says_none(case: Case, text: str) -> bool:
    """Whether an answer says that there is no clause, or none of the type asked for by its name."""
    words = WORD.findall(case.tags.get("clause", ""))
    named = r"\b" + r"\W{1,3}".join(words) + r"\b"
    return clause_list_parser.says_none(re.sub(named, "such", text, flags=re.I) if words else text)


def _joined(case: Case, text: str, parties: bool) -> list[tuple[str, tuple[int, int]]]:
    """The quoted passages and their ranges; those that follow each other in one labelled string are one."""
    labels, found = [_key(label) for label in case.expected], list[tuple[str, tuple[int, int]]]()
    for line, start in _passages(case, text, parties):
        last, (first, _) = found[-1] if found else ("", (start, start))
        whole = f"{last} {line}"
        if last and any(_key(whole) in label for label in labels):
            found[-1] = (whole, (first, start + len(line)))
        else:
            found.append((line, (start, start + len(line))))
    return found


def _key(text: str) -> str:
    """The words of a text between single spaces."""
    return f" {' '.join(WORD.findall(text.lower()))} "


def _passages(case: Case, text: str, parties: bool) -> Iterator[tuple[str, int]]:
    """Each quoted passage and its start: a line, or lines that follow each other in the source as one wrapped text.

    A line that ends with a colon and is not in the source only leads to the quotes.
    """
    lines = list(_lines(case, text))
    while lines:
        line, start = lines.pop(0)
        run, end = 0, start + len(line)
        while run < len(lines) and text[end : lines[run][1]] == "\n":
            last = lines[run][1] + len(lines[run][0])
            if text[start:last] not in case.document:
                break
            end, run = last, run + 1
        whole, parts = text[start:end].replace("\n", " "), [line, *(part for part, _ in lines[:run])]
        if count(case.expected, [whole], parties).tp >= count(case.expected, parts, parties).tp:
            del lines[:run]
            line = whole
        if not (lines and line.endswith(":") and line not in case.document):
            yield line, start


def _lines(case: Case, text: str) -> Iterator[tuple[str, int]]:
    """Each line without bullet and quotation marks, and its start; no fences, and no headings that are not quoted."""
    for line in LINE.finditer(text):
        is_table = TABLE_HEAD.match(text, line.start()) and len(WORD.findall(line[0])) <= MAX_HEAD
        is_lead = text[line.end() :].strip() and line[0].strip("#*| ") not in case.document
        is_heading = is_lead and (is_table or HEADING.fullmatch(line[0]))
        if is_heading or FENCE.fullmatch(line[0]):
            continue
        bullet = BULLET.match(text, line.start(), line.end())
        start = bullet.end() if bullet else line.start()
        quote = text[start : line.end()].rstrip(QUOTES)
        if quote.strip():
            yield quote, start


def _span(case: Case, text: str, place: tuple[int, int], hit: bool) -> Span:
    """A quoted line, with its range in the source if it is verbatim there."""
    start, end = place
    at = case.document.find(text[start:end])
    source = (at, at + end - start) if at >= 0 else None
    verdict, reason = ("invented", "it is not in the text")
    if hit or source:
        verdict, reason = ("found", "") if hit else ("unmatched", "it is in the text but is not what was asked for")
    return make_span(text, start, end, "clause", verdict, reason, source, case.cluster)
