"""Scores every checkable fact of an answer together: citations, figures, names and quotations. Knows no plain claim.

This is the fabrication rate of checkable facts. It is precise on numbers and blind to most else, so it is no rate of
"hallucination". Shorter and refusing answers lower it: read it beside the answer rate and the answer's length.

Where two facts overlap, the longer one is the claim: what stands in a quotation is judged with it, and the number in
the name of a bank is no count.
"""

from __future__ import annotations

from operator import attrgetter

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import Scorer, Taken, scorer
from harness.scoring.grounding import citations, figures, names, quotations
from harness.scoring.grounding.registry import Registry
from harness.scoring.text.refusals import without_denied

GROUNDED = ("supported", "derived", "registered")
"""Verdicts of facts that stand; every other verdict is a fabrication."""
START = attrgetter("start")
TYPES = ("citation", "figure", "name", "quote")
TYPE_OF_KIND = {
    "citation": "citation",
    "section": "citation",
    "money": "figure",
    "percent": "figure",
    "date": "figure",
    "duration": "figure",
    "count": "figure",
    "quote": "quote",
}
"""Type of each kind of fact; every kind that is not here is a name's."""
SAID_OF = {
    "citation": "references to sections of the Georgia Code and of the contract",
    "figure": "amounts, percentages, dates, periods and counts",
    "name": "parties, departments, courts, guidelines and other names",
    "quote": "quotations of four words or more",
}
METRICS = [
    Metric(
        name="fabrication_rate",
        scorer="facts",
        numerator="fabricated",
        denominator="claims",
        higher_is_better=False,
        says="Share of the checkable facts stated (citations, figures, names, quotations) that nothing bears out.",
    ),
    Metric(
        name="fabrication_response_rate",
        scorer="facts",
        numerator="responses_with",
        higher_is_better=False,
        says="Share of answers that state at least one checkable fact which nothing bears out.",
    ),
    Metric(
        name="claims_per_answer",
        scorer="facts",
        numerator="claims",
        unbounded=True,
        says="Checkable facts stated, for each answer.",
    ),
    *(
        Metric(
            name=f"fabrication_rate_{kind}",
            scorer="facts",
            numerator=f"fabricated_{kind}",
            denominator=f"claims_{kind}",
            higher_is_better=False,
            says=f"Share of the {said} stated that nothing bears out.",
        )
        for kind, said in SAID_OF.items()
    ),
]


def is_fabricated(span: Span) -> bool:
    """Whether a judged fact has no ground."""
    return span.verdict not in GROUNDED


def judge(
    case: Case, completion: Completion, registry: Registry | None = None, code: citations.Code | None = None
) -> list[Span]:
    """A span, with its verdict, for each checkable fact of an answer, in order of appearance; none overlap."""
    found = [
        *citations.judge_all(case, completion, code),
        *quotations.judge_all(case, completion),
        *names.judge_all(case, completion, registry),
        *figures.judge_all(case, completion),
    ]
    claimed = without_denied(case, completion.text, found, GROUNDED)
    taken = Taken()
    longest_first = sorted(claimed, key=lambda span: span.start - span.end)
    return sorted([s for s in longest_first if taken.add(s.start, s.end)], key=START)


def among(registry: Registry | None = None, code: citations.Code | None = None) -> Scorer:
    """The scorer of all checkable facts that also knows a closed list of names, or another list of Code sections."""
    config = {
        "code": (code or citations.known_code()).config,
        "names": (registry or Registry({}, frozenset())).config,
    }

    @scorer(metrics=METRICS, name="facts", config=config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """Facts that neither source nor list bears out. A failed completion counts as a fabricated one of each type."""
        return _score(case, completion, registry, code)

    return fabricated


@scorer(metrics=METRICS, name="facts", config=citations.fabricated.config)
def fabricated(case: Case, completion: Completion) -> Score:
    """Facts that the source does not bear out. A failed completion counts as a fabricated one."""
    return _score(case, completion, None, None)


def _score(case: Case, completion: Completion, registry: Registry | None, code: citations.Code | None) -> Score:
    if completion.finish_reason == "error":
        counts = {f"{what}_{kind}": 1 for what in ("claims", "fabricated") for kind in TYPES}
        return Score(name="facts", value=1.0, counts={"claims": 1, "fabricated": 1, "responses_with": 1} | counts)
    spans = judge(case, completion, registry, code)
    types = [TYPE_OF_KIND.get(span.kind, "name") for span in spans]
    bad = [(span, kind) for span, kind in zip(spans, types, strict=True) if is_fabricated(span)]
    bad_types = [kind for _, kind in bad]
    counts = {"claims": len(spans), "fabricated": len(bad), "responses_with": int(bool(bad))}
    counts |= {f"claims_{kind}": types.count(kind) for kind in TYPES}
    counts |= {f"fabricated_{kind}": bad_types.count(kind) for kind in TYPES}
    listed = {f"fabricated_{kind}": [span.quote for span, k in bad if k == kind] for kind in TYPES if kind in bad_types}
    return Score(
        name="facts",
        value=float(len(bad)),
        extracted={"fabricated": [span.quote for span, _ in bad]} | listed,
        counts=counts,
        spans=spans,
    )


BORNE_OUT = frozenset(
    {
        *("supported", "derived", "registered", "found", "carried"),
        *("correct", "right", "accepted", "kept", "quoted"),
    }
)
"""In the answer's favour."""

FABRICATED = frozenset(
    {
        *("ungrounded", "unsupported", "invented", "contradictory", "false"),
        *("misgrounded", "mispaired", "wrong_subject", "wrong_sign", "wrong_unit", "wrong_arithmetic"),
    }
)
"""The answer states something that its source does not bear out."""

OTHER = frozenset({"wrong", "missing", "stale", "repeated", "unmatched", "unclaimed", "unreadable", "violation"})
"""Against the answer or undecided, but no fabrication: not what was asked for, badly written, or not read."""
