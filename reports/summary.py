"""Shorten a report to two pages for signing: decision, what changed, limits and sign-off."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from reports.model import Block, Facts, Headline, Intervals, ReportModel, Section, Text

KEPT = ("verdict", "picture", "limits", "signoff")
"""Sections of the summary."""
FEW = 2
"""Most suites for which the summary has what changed."""
MOST_GATES = {1: 6, 2: 3}
"""Most unmet gates named of a suite, by the number of suites; one where there are more suites."""
GENERAL = 3
"""Limits at the end of their section that hold for every suite."""
MOST_ROWS = 6
"""Most metrics in the chart."""


def summary(model: ReportModel) -> ReportModel:
    """Return the summary of a report; every part of it is in the report too."""
    suites = sum(isinstance(block, Headline) for section in model.sections for block in section.blocks)
    kept = [section for section in model.sections if section.id in KEPT]
    sections = [structs.replace(section, blocks=list(_blocks(section, suites))) for section in kept]
    title = model.title.replace("Evaluation report", "Evaluation summary", 1)
    return structs.replace(model, title=title, sections=[section for section in sections if section.blocks])


def _blocks(section: Section, suites: int) -> Iterator[Block]:
    for block in section.blocks:
        if isinstance(block, Headline):
            yield _headline(block, suites)
        elif section.id == "picture":
            if isinstance(block, Facts) and suites <= FEW:
                yield block
            if isinstance(block, Intervals) and suites == 1:
                yield structs.replace(block, rows=block.rows[:MOST_ROWS])
                if len(block.rows) > MOST_ROWS or any(isinstance(other, Text) for other in section.blocks):
                    yield Text(text="The report has the metrics that are not in this chart.", tone="muted")
        elif section.id == "limits":
            if isinstance(block, Text) and (suites <= FEW or block in section.blocks[-GENERAL:]):
                yield block
        elif section.id == "signoff" or (isinstance(block, Text) and block.tone == "caution"):
            yield block


def _headline(block: Headline, suites: int) -> Headline:
    """Shorten a suite's verdict; "What changed" repeats its glance, and has no room where suites are many."""
    shown = block.unmet[: MOST_GATES.get(suites, 1)]
    first, _, more = block.reason.partition(". ")
    others = " The report names the others." if more or len(shown) < len(block.unmet) else ""
    short = structs.replace(block, unmet=shown, reason=f"{first.rstrip('.')}.{others}", glance=[])
    return short if suites <= FEW else structs.replace(short, objective="")
