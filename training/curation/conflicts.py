"""Finds rows that answer the very prompt of an earlier row otherwise: one of the two is wrong, or both may be right."""

from __future__ import annotations

from training.curation.exact import folded, key
from training.curation.findings import Check, Finding, Found
from training.curation.sample import Sample, short
from training.curation.settings import Settings


def find(sample: Sample, settings: Settings) -> Found:
    """Each row whose prompt an earlier row has too, with another answer."""
    first: dict[bytes, int] = {}
    findings = []
    for index, prompt in enumerate(sample.prompts):
        earlier = first.setdefault(key(prompt), index)
        if folded(sample.answers[index]) != folded(sample.answers[earlier]):
            findings.append(
                Finding(
                    row=index,
                    reason=f"the prompt of {sample.where(earlier)} with another answer",
                    quote=short(sample.answers[index]),
                    other=sample.where(earlier),
                    other_quote=short(sample.answers[earlier]),
                )
            )
    return Found(findings=findings)


CHECK = Check(
    name="conflicting_answers",
    says="Rows with the prompt of an earlier row and another answer.",
    action="flag",
    find=find,
)
