"""Score whether an answer follows a client's style guide and still states what it must.

An answer is clean if it breaks no rule of the guide: no banned term, every product name exact, every required term
present, nothing that the tone forbids. It is usable if it is clean and has every content point of the case, its
`expected`: a generic answer or a refusal is clean and useless. A point may have other wordings: "14 days | two weeks".
Its figures are kept in any form: "less than 10 dollars" in "less than $10.00", "6 inches" in "six-inch".

A violation inside a quotation of the source, as the scorer of quotations reads it, is marked `quoted` and counted
separately, unless quotations are more than half of the answer, which is then a copy. An answer that is
empty, failed or cut at the token limit is not clean and has no point. Whether the copy is good or true is not checked;
a point that is denied ("not 14 days") counts as kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import structs

from harness.errors import UserError
from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import DocumentCache, Scorer, make_span, ratios, scorer
from harness.scoring.brand import spelling, style_guide
from harness.scoring.brand.style_guide import StyleGuide
from harness.scoring.brand.violations import KINDS, NormalForms, Violation, ViolationFinder
from harness.scoring.grounding.quotations import MIN_WORDS, find, quotes_in
from harness.scoring.text.clock import moments_in
from harness.scoring.text.normalize import Normal, lower, plain
from harness.scoring.text.phrases import even, key, whole_phrase, words_in
from harness.scoring.text.quantities import figures_in

MOST_VIOLATIONS = 5
"""Violations of one answer that are reckoned with where too few answers have one to know; see `Metric.most`."""
METRICS = [
    structs.replace(metric, most=100.0 * MOST_VIOLATIONS) if metric.unbounded else metric
    for metric in ratios(
        "voice",
        {
            "clean_completion_rate = clean": "Share of answers that break no rule of the style guide.",
            "usable_rate = usable": "Share of answers that are clean and keep every content point.",
            "point_recall = points_kept / points": "Share of the content points that the answer keeps.",
            "required_term_rate = required_met / required": "Share of the required terms that are present.",
        },
        fewer={
            "violations_per_100_words = violations_x100 / words": "Violations of the style guide per 100 words.",
            "banned_term_rate = with_banned": "Share of answers with a banned term outside quotations of the source.",
            "casing_error_rate = casing / names": "Share of product names that are not written exactly.",
            "slang_rate = with_slang": "Share of answers with slang.",
            "typo_rate = with_typo": "Share of answers with a typo.",
            "grammar_slip_rate = with_grammar": "Share of answers with a grammar mistake that a rule finds.",
            "tone_slip_rate = with_tone": "Share of answers with emoji, shouting or another mark the tone forbids.",
            "quoted_hit_rate = with_quoted": "Share of answers that quote off-voice words of the source.",
        },
        unbounded=["violations_per_100_words"],
    )
]
MEASURE = re.compile(
    r"[\s-]*(?:(?P<inch>inch(?:es)?|in\.)|(?P<square_foot>(?:square|sq\.?)[\s-]*(?:feet|foot|ft\.?))"
    r"|(?P<foot>feet|foot|ft\.?)|(?P<mile>miles?|mi\.?)|(?P<pound>pounds?|lbs?\.?)|(?P<ounce>ounces?|oz\.?)"
    r"|(?P<quart>quarts?|qts?\.?)|(?P<gallon>gallons?|gal\.?)|(?P<degree>degrees?|°F?))(?!\w)",
    re.I,
)
"""Units after a count that have a short form or a hyphen."""
HYPHEN = re.compile(r"-(?=[A-Za-z])")
TO_WORD = str.maketrans(" /", "__")
Guide = StyleGuide | str | Path


def in_style(guide: Guide | Mapping[str, Guide], tag: str = "brand") -> Scorer:
    """Make a scorer of answers by a style guide, or by the `style.toml` at a path.

    With several guides by name, each case is scored by the one that its tag `tag` names. Raises UserError for a guide
    that cannot be used; the scorer does for a case whose tag names none.
    """
    named = guide if isinstance(guide, Mapping) else {"": guide}
    guides = {name: each if isinstance(each, StyleGuide) else style_guide.load(each) for name, each in named.items()}
    finders = {name: ViolationFinder(each) for name, each in guides.items()}
    config = {
        "guide": msgspec.to_builtins(guides if isinstance(guide, Mapping) else guides[""]),
        "lists": spelling.OWN.read_text("utf-8"),
        "word_list": None if all(each.tone.typos for each in guides.values()) else spelling.word_list_digest(),
    }

    @scorer(metrics=METRICS, name="voice", config=config)
    def voice(case: Case, completion: Completion) -> Score:
        """Whether the answer is in the client's voice, with every violation as a span."""
        name = case.tags.get(tag, "") if isinstance(guide, Mapping) else ""
        if name not in finders:
            raise UserError(f"case '{case.id}': tag '{tag}' is {name!r}, expected one of {', '.join(finders)}")
        return _score(case, completion, finders[name])

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
    missing = [group.id for group in groups if not _find_term(group.any_of, text.low)]
    by_value = _by_value(text.even)
    points = [(point, _find_point(point.split("|"), text, by_value) if whole else None) for point in case.expected]
    lost = [point for point, at in points if at is None]
    of_kind = {kind: [text.even[h.start : h.end] for h in charged if h.kind == kind] for kind in KINDS}
    violations = len(charged) + len(missing) + int(not whole)
    spans = [_span(completion.text, text.normal, hit, source, case) for hit, source in judged]
    for point, at in points:
        if at is not None:
            spans.append(make_span(completion.text, *text.normal.original(*at), "point", "kept", point))
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


def _rates(violations: int, words: int, of_kind: dict[str, list[str]], quoted: Sequence[object]) -> dict[str, int]:
    """Counts of violations; an answer without a word is one violation in one word."""
    return {f"with_{kind}": int(bool(texts)) for kind, texts in of_kind.items()} | {
        "clean": int(violations == 0),
        "violations": violations,
        "violations_x100": 100 * violations,
        "words": max(1, words),
        "casing": len(of_kind["casing"]),
        "with_quoted": int(bool(quoted)),
    }


def _failed(case: Case, groups: int) -> Score:
    """The score of a failed completion: all counts are against it, with one violation in one word."""
    none = ["no answer"]
    worst = _rates(1, 1, dict.fromkeys(KINDS, none), none) | {"names": 1}
    lost = {"usable": 0, "points": len(case.expected), "points_kept": 0, "required": groups, "required_met": 0}
    extracted: dict[str, list[str]] = {kind: [] for kind in (*KINDS, "quoted", "missing")}
    extracted |= {"rules": none, "points_lost": list(case.expected)}
    return Score(name="voice", value=0.0, extracted=extracted, counts=worst | lost)


def _find_point(terms: Sequence[str], text: NormalForms, by_value: ByValue) -> tuple[int, int] | None:
    """The range of the first of the terms that the text has, in its words or with its figures in another form."""
    found = _find_term(terms, text.low)
    if found or not any(map(str.isdigit, "".join(terms))):
        return found
    found = _find_term([_by_value(term).text for term in terms], by_value.text)
    return found and (by_value.places[found[0]][0], by_value.places[found[1] - 1][1])


class ByValue(NamedTuple):
    """A text with its figures by unit and value, and the range in the text itself of each character."""

    text: str
    places: list[tuple[int, int]]


def _by_value(text: str) -> ByValue:
    """The lower-case text with each figure as its unit, which may be a measure, and its value."""
    text, written, places, at = HYPHEN.sub(" ", text), "", [], 0
    for figure in sorted({each.start: each for each in (*figures_in(text), *moments_in(text))}.values()):
        if figure.start >= at:
            measure = MEASURE.match(text, figure.end) if figure.unit == "" else None
            unit = measure.lastgroup if measure else figure.unit
            end = measure.end() if measure else figure.end
            named = f"{unit}_{figure.value}".translate(TO_WORD).lower()
            written += lower(text[at : figure.start]) + named
            places += [*((i, i + 1) for i in range(at, figure.start)), *([(figure.start, end)] * len(named))]
            at = end
    return ByValue(written + lower(text[at:]), [*places, *((i, i + 1) for i in range(at, len(text)))])


def _find_term(terms: Sequence[str], low: str) -> tuple[int, int] | None:
    """The range of the first of the terms that a lower-case text has."""
    matches = (whole_phrase(words).search(low) for words in map(key, terms) if words)
    return next((match.span() for match in matches if match), None)


@DocumentCache
def _source_words(document: str) -> set[str]:
    return words_in(lower(even(plain(document))))


def _quotations(document: str, text: NormalForms, hits: Sequence[Violation]) -> list[tuple[int, int] | None]:
    """For each violation, the range of the source that a quotation around it repeats verbatim."""
    quotations = []
    for start, end in quotes_in(text.even) if hits and document else ():
        words = len(text.even[start:end].split())
        place = find(text.even[start:end], document) if words >= MIN_WORDS else None
        if place:
            quotations.append((start, end, words, place))
    if 2 * sum(words for _, _, words, _ in quotations) > len(text.tokens):
        quotations = []
    return [next((at for start, end, _, at in quotations if start <= h.start and h.end <= end), None) for h in hits]


def _span(text: str, normal: Normal, hit: Violation, source: tuple[int, int] | None, case: Case) -> Span:
    start, end = normal.original(hit.start, hit.end)
    advice = f"; write '{hit.use}'" if hit.use else ""
    verdict, reason = "quoted" if source else "violation", f"{hit.rule}: {hit.why}{advice}"
    return make_span(text, start, end, hit.kind, verdict, reason, source, case.cluster)
