"""Verdicts of claims, and the score of a scorer that counts claims which nothing supports."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.schema import Case, Completion, Score, Span
from harness.scoring.text.refusals import without_denied

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
"""The answer states something that its source does not support."""

UNCLEAR = "unclear"
"""The source has it in part, or neither proves nor refutes it."""

OTHER = frozenset(
    {UNCLEAR, "wrong", "missing", "stale", "repeated", "unmatched", "unclaimed", "unreadable", "violation"}
)
"""Against the answer or undecided, but no fabrication: not what was asked for, badly written, or not readable."""


def failed_score(name: str, claims: str, fabricated: str = "fabricated") -> Score:
    """Make the score of a failed completion: it counts as one fabricated claim."""
    return Score(name=name, value=1.0, counts={claims: 1, fabricated: 1, "responses_with": 1})


def score_answer(
    name: str, case: Case, completion: Completion, spans: list[Span], grounded: tuple[str, ...], listed: Sequence[str]
) -> Score:
    """Score the claims of an answer, without those that it denies; a failed completion counts as one fabricated."""
    if completion.finish_reason == "error":
        return failed_score(name, name)
    stated = without_denied(case, completion.text, spans, grounded)
    return score_claims(name, name, stated, (*grounded, UNCLEAR), listed)


def score_claims(
    name: str,
    claims: str,
    spans: Sequence[Span],
    grounded: Collection[str],
    listed: Sequence[str],
    fabricated: str = "fabricated",
) -> Score:
    """Count claims whose verdict is not in `grounded`; the value is their number.

    `claims` and `fabricated` name the counts. The score lists the quotes of each verdict in `listed`, and of all
    fabricated claims.
    """
    bad = [span for span in spans if span.verdict not in grounded]
    quotes = {verdict: [span.quote for span in spans if span.verdict == verdict] for verdict in listed}
    quotes.setdefault(fabricated, [span.quote for span in bad])
    return Score(
        name=name,
        value=float(len(bad)),
        extracted=quotes,
        counts={claims: len(spans), fabricated: len(bad), "responses_with": int(bool(bad))},
        spans=list(spans),
    )
