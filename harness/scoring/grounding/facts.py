"""Score all checkable facts of an answer together: citations, figures, names and quotations.

A figure or a party that the source has in another place is `mispaired` (see `joins`), and fabricated where it is.

This is the fabrication rate of checkable facts. It is precise on numbers and blind to most other claims, so it is not a
"hallucination rate". Shorter answers and refusals lower it: read it with the answer rate and the answer's length.

If two facts overlap, the longer one is the claim: a fact inside a quotation is judged with it, and the number in the
name of a bank is not a count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from operator import attrgetter

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import DocumentCache, RangeSet, Scorer, make_span, ratios, scorer, whole_length
from harness.scoring.grounding import citations, figures, joins, names, quotations, roles
from harness.scoring.grounding.claims import UNCLEAR
from harness.scoring.grounding.registry import Registry
from harness.scoring.text.numbers import DIGITS, ORDINALS, digits_value
from harness.scoring.text.quantities import figures_in
from harness.scoring.text.refusals import without_denied

GROUNDED = ("supported", "derived", "registered")
"""Verdicts of grounded facts; every other verdict but `unclear` is a fabrication."""
START = attrgetter("start")
NUMBER = re.compile(DIGITS)
ORDINAL = re.compile(rf"\b(?:{'|'.join(sorted(ORDINALS, key=len, reverse=True))})\b", re.I)
JOINED = re.compile(rf"(?<![\w.,/$#'’-])(?=[\d.,-]*[A-Za-z])[A-Za-z]*-?({DIGITS})-?[A-Za-z]*(?![\w/]|[.,]\d)")
"""A word of a number and letters."""
TYPES = ("citation", "figure", "name", "quote")
TYPE_OF_KIND = {
    "citation": "citation",
    "section": "citation",
    "money": "figure",
    "percent": "figure",
    "date": "figure",
    "duration": "figure",
    "count": "figure",
    "time": "figure",
    "ordinal": "figure",
    "quote": "quote",
}
"""Type of each kind of fact; every other kind is a name."""
DESCRIPTIONS = {
    "citation": "references to sections of the Georgia Code and of the contract",
    "figure": "amounts, percentages, dates, times, periods and counts",
    "name": "parties, departments, courts, guidelines and other names",
    "quote": "quotations of four words or more",
}
METRICS = [
    *ratios(
        "facts",
        {},
        {
            "fabrication_rate = fabricated / claims": "Share of the checkable facts stated (citations, figures, names, "
            "quotations) that nothing supports.",
            "fabrication_response_rate = responses_with": "Share of answers that state at least one checkable fact "
            "that nothing supports.",
            "mispaired_fact_rate = mispaired / claims": "Share of the checkable facts stated that the source has for "
            "another period, row, item or party.",
        },
    ),
    *ratios(
        "facts", {"claims_per_answer = claims": "Checkable facts stated per answer."}, unbounded=["claims_per_answer"]
    ),
    *ratios(
        "facts",
        {},
        {
            f"fabrication_rate_{kind} = fabricated_{kind} / claims_{kind}": f"Share of the {facts} stated that nothing "
            "supports."
            for kind, facts in DESCRIPTIONS.items()
        },
    ),
]


def is_fabricated(span: Span) -> bool:
    """Whether a judged fact is unsupported, and not only unclear."""
    return span.verdict not in GROUNDED and span.verdict != UNCLEAR


def judge(
    case: Case, completion: Completion, registry: Registry | None = None, code: citations.Code | None = None
) -> list[Span]:
    """Judge each checkable fact of an answer, in order of appearance; the spans do not overlap.

    Of two findings on the same words the first is kept, which is the one on their place.
    """
    facts = [
        *roles.judge(case, completion),
        *joins.judge(case, completion),
        *citations.judge_all(case, completion, code),
        *quotations.judge_all(case, completion),
        *names.judge_all(case, completion, registry),
        *figures.judge_all(case, completion),
    ]
    facts += _joined_to_letters(case, completion, RangeSet((span.start, span.end) for span in facts))
    claimed = without_denied(case, completion.text, facts, GROUNDED)
    ranges = RangeSet()
    longest_first = sorted(claimed, key=lambda span: span.start - span.end)
    return sorted([span for span in longest_first if ranges.add(span.start, span.end)], key=START)


def _joined_to_letters(case: Case, completion: Completion, read: RangeSet) -> Iterator[Span]:
    """Judge the numbers joined to letters in which no scorer reads a figure: "Q4", "9-pin", "the 20th century"."""
    text, whole = completion.text, whole_length(completion)
    for match in JOINED.finditer(text):
        if match.end() <= whole and read.is_free(*match.span()):
            place = number_places(case.document).get(digits_value(match[1]))
            verdict = "supported" if place else "ungrounded"
            reason = f"the source {'has' if place else 'lacks'} the number"
            yield make_span(text, *match.span(), "count", verdict, reason, place, case.cluster)


@DocumentCache
def number_places(document: str) -> dict[Fraction, tuple[int, int]]:
    """Return a place for each number of a source, in digits or words; the number of an ordinal counts."""
    numbers = [(digits_value(match[0]), match.span()) for match in NUMBER.finditer(document)]
    figures = [
        (each.value, (each.start, each.end)) for each in figures_in(document) if isinstance(each.value, Fraction)
    ]
    words = [(Fraction(ORDINALS[match[0].lower()]), match.span()) for match in ORDINAL.finditer(document)]
    return dict([*words, *figures, *numbers])


def among(registry: Registry | None = None, code: citations.Code | None = None) -> Scorer:
    """Make the scorer of all checkable facts with a closed list of names, or another list of Code sections."""
    config = {
        "code": (code or citations.known_code()).config,
        "names": (registry or Registry({}, frozenset())).config,
    }

    @scorer(metrics=METRICS, name="facts", config=config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """Facts that neither source nor list supports. A failed completion counts as a fabricated one of each type."""
        return _score(case, completion, registry, code)

    return fabricated


fabricated = among()


def _score(case: Case, completion: Completion, registry: Registry | None, code: citations.Code | None) -> Score:
    if completion.finish_reason == "error":
        counts = {f"{what}_{kind}": 1 for what in ("claims", "fabricated") for kind in TYPES}
        counts |= dict.fromkeys(("claims", "fabricated", "responses_with", "mispaired"), 1)
        return Score(name="facts", value=1.0, counts=counts)
    spans = judge(case, completion, registry, code)
    types = [TYPE_OF_KIND.get(span.kind, "name") for span in spans]
    bad = [(span, kind) for span, kind in zip(spans, types, strict=True) if is_fabricated(span)]
    bad_types = [kind for _, kind in bad]
    mispaired = [span.quote for span, kind in bad if span.verdict == joins.VERDICT and kind != "citation"]
    counts = {"claims": len(spans), "fabricated": len(bad), "responses_with": int(bool(bad))}
    counts |= {"unclear": sum(span.verdict == UNCLEAR for span in spans), "mispaired": len(mispaired)}
    counts |= {f"claims_{kind}": types.count(kind) for kind in TYPES}
    counts |= {f"fabricated_{kind}": bad_types.count(kind) for kind in TYPES}
    listed = {f"fabricated_{kind}": [span.quote for span, k in bad if k == kind] for kind in TYPES if kind in bad_types}
    return Score(
        name="facts",
        value=float(len(bad)),
        extracted={"fabricated": [span.quote for span, _ in bad], "mispaired": mispaired} | listed,
        counts=counts,
        spans=spans,
    )
