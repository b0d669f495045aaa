"""Scores answers that must be one accepted text and nothing else. Knows no source document."""

from __future__ import annotations

from msgspec.structs import replace

from harness.schema import Case, Completion, Metric, Score
from harness.scoring.base import scorer
from harness.scoring.short_answer import accepted

METRICS = [
    Metric(
        name="exact_rate",
        scorer="exact",
        numerator="correct",
        says="Share of answers that are an accepted text and nothing else.",
    ),
]


def _without_text(case: Case) -> list[str]:
    return [] if case.expected else [f"case '{case.id}': expected is empty. Name at least one accepted text"]


@scorer(metrics=METRICS, name="exact", check=_without_text)
def exactly(case: Case, completion: Completion) -> Score:
    """Right if the whole answer is one of the case's accepted texts.

    Case, punctuation, thousands separators and a leading article do not matter. An answer that is empty, failed or cut
    at the token limit is wrong.
    """
    found = accepted(replace(case, tags=case.tags | {"match": "exact"}), completion)
    return replace(found, name="exact")
