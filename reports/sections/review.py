"""Human review: empty, and said so, as long as nobody reviewed."""

from __future__ import annotations

from reports.evidence import Evidence
from reports.model import Section, Text

NOBODY = (
    "Nobody has reviewed these answers. No score in this report is a lawyer's or any other person's; agreement with "
    "people, preference and review time are not measured."
)


def section(evidence: Evidence) -> Section:
    return Section(id="review", title="Human review", blocks=[Text(text=NOBODY, tone="caution")])
