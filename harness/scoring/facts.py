"""Scores every checkable fact of an answer together: Code sections and figures. Knows no claim in plain words.

This is the fabrication rate of checkable facts. It is precise on numbers and blind to the rest, so it is no rate of
"hallucination". Shorter and refusing answers lower it: read it beside the answer rate and the answer's length.
"""

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring import citations, figures
from harness.scoring.base import scorer

GROUNDED = ("supported", "derived", "registered")
"""Verdicts of facts that stand; every other verdict is a fabrication."""


def is_fabricated(span: Span) -> bool:
    """Whether a judged fact has no ground."""
    return span.verdict not in GROUNDED


def judge(case: Case, completion: Completion) -> list[Span]:
    """A span, with its verdict, for each checkable fact of an answer, in order of appearance."""
    return sorted(citations.judge(case, completion) + figures.judge(case, completion), key=lambda span: span.start)


@scorer(
    metrics=[
        Metric(
            name="fabrication_rate",
            scorer="facts",
            numerator="fabricated",
            denominator="claims",
            higher_is_better=False,
            says="Share of the checkable facts stated (Code sections and figures) that the source does not bear out.",
        ),
        Metric(
            name="fabrication_response_rate",
            scorer="facts",
            numerator="responses_with",
            higher_is_better=False,
            says="Share of answers that state at least one checkable fact which the source does not bear out.",
        ),
        Metric(
            name="claims_per_answer",
            scorer="facts",
            numerator="claims",
            says="Checkable facts stated, for each answer.",
        ),
    ],
    name="facts",
    config=citations.fabricated.config,
)
def fabricated(case: Case, completion: Completion) -> Score:
    """Code sections and figures that the source does not bear out. A failed completion counts as one fabricated."""
    if completion.finish_reason == "error":
        return Score(name="facts", value=1.0, counts={"claims": 1, "fabricated": 1, "responses_with": 1})
    spans = judge(case, completion)
    bad = [span for span in spans if is_fabricated(span)]
    return Score(
        name="facts",
        value=float(len(bad)),
        extracted={"fabricated": [span.quote for span in bad]},
        counts={"claims": len(spans), "fabricated": len(bad), "responses_with": int(bool(bad))},
        spans=spans,
    )
