"""Scores whether an answer is in a client's voice and still says what it must. Knows voice by a style guide alone.

An answer is clean when it breaks no rule of the guide: no banned term, every product name exact, every required term
there, nothing that the tone forbids. It is usable when it is clean and keeps every content point of the case, its
`expected`: a generic or refusing answer is clean and of no use. A point may have other wordings: "14 days | two weeks".

A hit inside a verbatim quotation of the source (double quotation marks, four words or more) is marked `quoted` and
counted apart, unless quotations are more than half of the answer, which is then a copy. An answer that is empty, failed
or cut at the token limit is not clean and keeps no point. It tells neither whether the copy is good nor whether it is
true; a point that is denied ("not 14 days") counts as kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import DocumentCache, Scorer, scorer
from harness.scoring.brand import spelling, style_guide
from harness.scoring.brand.style_guide import StyleGuide
from harness.scoring.brand.violations import KINDS, WORDS, NormalForms, Violation, ViolationFinder
from harness.scoring.text.normalize import Normal, normalise
from harness.scoring.text.phrases import even, key, lower, words_in

QUOTED_WORDS = 4
QUOTATION = re.compile(r'"([^"“”]+)"|“([^"“”]+)”|«([^«»]+)»')


def _rate(
    name: str, numerator: str, says: str, denominator: str | None = None, up: bool = False, unbounded: bool = False
) -> Metric:
    return Metric(
        name=name,
        scorer="voice",
        numerator=numerator,
        denominator=denominator,
        higher_is_better=up,
        unbounded=unbounded,
        says=says,
    )


METRICS = [
    _rate("clean_completion_rate", "clean", "Share of answers that break no rule of the style guide.", up=True),
    _rate("usable_rate", "usable", "Share of answers that are clean and keep every content point.", up=True),
    _rate("point_recall", "points_kept", "Share of the content points that the answer keeps.", "points", up=True),
    _rate(
        "violations_per_100_words",
        "violations_x100",
        "Violations of the style guide per 100 words.",
        "words",
        unbounded=True,
    ),
    _rate("banned_term_rate", "with_banned", "Share of answers with a banned term, quotations of the source aside."),
    _rate("casing_error_rate", "casing", "Share of product names that are not written exactly.", "names"),
    _rate("slang_rate", "with_slang", "Share of answers with slang."),
    _rate("typo_rate", "with_typo", "Share of answers with a typo."),
    _rate("grammar_slip_rate", "with_grammar", "Share of answers with a slip of grammar that a rule finds."),
    _rate("tone_slip_rate", "with_tone", "Share of answers with emoji, shouting or another mark the tone forbids."),
    _rate("required_term_rate", "required_met", "Share of the required terms that are there.", "required", up=True),
    _rate("quoted_hit_rate", "with_quoted", "Share of answers that quote the source's own off-voice words."),
]


def in_style(guide: StyleGuide | str | Path) -> Scorer:
    """A scorer of answers against a style guide, or the `style.toml` at a path."""
    guide = guide if isinstance(guide, StyleGuide) else style_guide.load(guide)
    finder = ViolationFinder(guide)
    config = {
        "guide": msgspec.to_builtins(guide),
        "slang": WORDS.read_text("utf-8"),
        "word_list": None if guide.tone.typos else spelling.word_list_digest(),
    }

    @scorer(metrics=METRICS, name="voice", config=config)
    def voice(case: Case, completion: Completion) -> Score:
        """Whether the answer is in the client's voice, with every hit as a span."""
        return _score(case, completion, finder)

    return voice


def _score(case: Case, completion: Completion, finder: ViolationFinder) -> Score:
    groups = [group for group in finder.guide.required if group.applies(case.tags)]
    if completion.finish_reason == "error":
        return _failed(case, len(groups))
    text = NormalForms(completion.text)
    whole = completion.finish_reason == "stop" and bool(text.tokens)
    trusted = _source_words(case.document) if finder.guide.trust_source_spelling else frozenset()
    miscast, names = finder.casing(text)
    hits = finder.hits(text, miscast, trusted, whole)
    judged = list(zip(hits, _quotations(case.document, text, hits), strict=True))
    charged = [hit for hit, source in judged if source is None]
    quoted = [hit for hit, source in judged if source is not None]
    missing = [group.id for group in groups if not _stands(group.any_of, text)]
    points = [(point, _stands(tuple(point.split("|")), text) if whole else None) for point in case.expected]
    lost = [point for point, at in points if at is None]
    of_kind = {kind: [text.even[h.start : h.end] for h in charged if h.kind == kind] for kind in KINDS}
    violations = len(charged) + len(missing) + int(not whole)
    spans = [_span(completion.text, text.normal, hit, source, case) for hit, source in judged]
    spans += [_kept(completion.text, text.normal, point, at) for point, at in points if at is not None]
    return Score(
        name="voice",
        value=float(violations == 0),
        extracted=of_kind
        | {"rules": [hit.rule for hit in charged], "quoted": [text.even[h.start : h.end] for h in quoted]}
        | {"missing": missing, "points_lost": lost},
        counts=_rates(violations, len(text.tokens), of_kind, quoted)
        | {"usable": int(not violations and not lost), "points": len(points), "points_kept": len(points) - len(lost)}
        | {"required": len(groups), "required_met": len(groups) - len(missing)}
        | {"names": names - sum(hit.kind == "casing" for hit in quoted)},
        spans=sorted(spans, key=lambda span: (span.start, span.end)),
    )


def _rates(violations: int, words: int, of_kind: dict[str, list[str]], quoted: Sequence[Violation]) -> dict[str, int]:
    """Counts of what was charged; an answer without a word is one violation in one word."""
    return {f"with_{kind}": int(bool(found)) for kind, found in of_kind.items()} | {
        "clean": int(violations == 0),
        "violations": violations,
        "violations_x100": 100 * violations,
        "words": max(1, words),
        "casing": len(of_kind["casing"]),
        "with_quoted": int(bool(quoted)),
    }


def _failed(case: Case, groups: int) -> Score:
    """A completion that never came counts against every claim; it has one violation in one word."""
    worst = {f"with_{kind}": 1 for kind in KINDS} | {"with_quoted": 1, "casing": 1, "names": 1}
    worst |= {"violations": 1, "violations_x100": 100, "words": 1}
    none = {"clean": 0, "usable": 0, "points_kept": 0, "required_met": 0}
    asked = {"points": len(case.expected), "required": groups}
    found: dict[str, list[str]] = {kind: [] for kind in (*KINDS, "quoted", "missing")}
    found |= {"rules": ["no answer"], "points_lost": list(case.expected)}
    return Score(name="voice", value=0.0, extracted=found, counts=worst | none | asked)


@lru_cache(maxsize=4096)
def _wanted(term: str) -> tuple[str, re.Pattern[str]]:
    """A content point or required term with single spaces, and what finds it as whole words and whole numbers.

    The pattern starts with plain text and looks behind itself after it, since such a text is searched for fast.
    """
    words = [re.escape(word) for word in key(term).split()]
    first = words[0] if words else ""
    rest = r"\s+".join(["", *words[1:]])
    return key(term), re.compile(rf"{first}(?<!\w{first})(?<!\d[.,]{first}){rest}(?!\w)(?![.,]\d)")


def _stands(terms: Sequence[str], text: NormalForms) -> tuple[int, int] | None:
    """Where the first of the terms stands that does."""
    for term in terms:
        words, pattern = _wanted(term)
        match = pattern.search(text.low) if words and words in text.flat else None
        if match:
            return match.span()
    return None


@DocumentCache
def _source(document: str) -> tuple[Normal, str]:
    normal = normalise(document)
    return normal, even(normal.text)


@DocumentCache
def _source_words(document: str) -> set[str]:
    return words_in(lower(_source(document)[1]))


def _quotations(document: str, text: NormalForms, hits: Sequence[Violation]) -> list[tuple[int, int] | None]:
    """For each hit, the place in the source that a quotation around it repeats word for word."""
    if not hits or not document:
        return [None] * len(hits)
    normal, source = _source(document)
    quotations, size = [], 0
    for match in QUOTATION.finditer(text.even):
        words = (match[1] or match[2] or match[3]).strip(" \n\t,.;").split()
        if len(words) >= QUOTED_WORDS:
            repeated = re.search(r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)", source)
            if repeated:
                size += len(words)
                quotations.append((match.start(), match.end(), normal.original(*repeated.span())))
    if 2 * size > len(text.tokens):
        quotations = []
    return [next((at for start, end, at in quotations if start < h.start and h.end < end), None) for h in hits]


def _span(text: str, normal: Normal, hit: Violation, source: tuple[int, int] | None, case: Case) -> Span:
    start, end = normal.original(hit.start, hit.end)
    advice = f"; write '{hit.use}'" if hit.use else ""
    return Span(
        start=start,
        end=end,
        quote=text[start:end],
        kind=hit.kind,
        verdict="quoted" if source else "violation",
        reason=f"{hit.rule}: {hit.why}{advice}",
        source=SourceSpan(doc_id=case.cluster, start=source[0], end=source[1]) if source else None,
    )


def _kept(text: str, normal: Normal, point: str, at: tuple[int, int]) -> Span:
    start, end = normal.original(*at)
    return Span(start=start, end=end, quote=text[start:end], kind="point", verdict="kept", reason=point)
