"""Scores references to the Georgia Code: is each section in the source, and if not, is it known to exist?

Four verdicts: `supported` (the source names it), `unsupported` (it exists, the source does not name it), `ungrounded`
(neither in the source nor known here) and `invented` (its chapter is declared complete here and lacks it). All but the
first are fabricated. A range is one reference, supported only if both ends are; a range in the source supports what
lies in it. A reference that a cut answer breaks off in is not judged. The list of sections is not the Code and no
chapter of it is declared complete, so nothing is called invented yet. Knows not what a section says.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import scorer, unbroken
from harness.scoring.citation_forms import Citation, citations_in, within

SECTIONS = Path(__file__).with_name("georgia_sections.csv")
COMPLETE_CHAPTERS: frozenset[str] = frozenset()
"""Chapters, such as `44-14`, of which every section is listed."""
SEVERITY = ["supported", "unsupported", "ungrounded", "invented"]
"""Verdicts from mild to grave; a range gets the graver of its ends'."""
REASONS = {
    "supported": "the source names it",
    "unsupported": "a section of this number exists, but the source does not name it",
    "ungrounded": "the source does not name it and it is not among the known sections",
    "invented": "its chapter has no section of this number",
}

METRICS = [
    Metric(
        name="fabricated_citation",
        scorer="citations",
        numerator="fabricated",
        higher_is_better=False,
        says="Code sections cited without support in the source, for each answer.",
    ),
    Metric(
        name="citation_fabrication_rate",
        scorer="citations",
        numerator="fabricated",
        denominator="citations",
        higher_is_better=False,
        says="Share of the Code sections cited that have no support in the source.",
    ),
]


class Section(NamedTuple):
    """One row of the list of known sections."""

    section: str
    governs: str
    as_of: str
    confidence: str


@lru_cache(maxsize=1)
def known_sections() -> dict[str, Section]:
    """The list of known sections, by number."""
    with SECTIONS.open(encoding="utf-8", newline="") as file:
        return {row["section"]: Section(**row) for row in csv.DictReader(file)}


def judge(case: Case, completion: Completion) -> list[Span]:
    """A span, with its verdict, for each reference in an answer."""
    text = completion.text
    whole = unbroken(completion)
    written = [c for c in citations_in(text, case.tags.get("state") == "Georgia") if c.end <= whole]
    if not written:
        return []
    named = citations_in(case.document, True)
    return [_span(text, citation, named, case.cluster) for citation in written]


def _span(text: str, citation: Citation, named: Sequence[Citation], cluster: str) -> Span:
    judged = [_verdict(section, named) for section in citation.sections]
    verdict, ground = max(judged, key=lambda pair: SEVERITY.index(pair[0]))
    return Span(
        start=citation.start,
        end=citation.end,
        quote=text[citation.start : citation.end],
        kind="citation",
        verdict=verdict,
        reason=f"{citation.says}: {REASONS[verdict]}",
        source=SourceSpan(doc_id=cluster, start=ground.start, end=ground.end) if ground else None,
    )


def _verdict(section: str, named: Sequence[Citation]) -> tuple[str, Citation | None]:
    for citation in named:
        if section in citation.sections or (len(citation.sections) == 2 and within(section, citation.sections)):
            return "supported", citation
    if section in known_sections():
        return "unsupported", None
    return ("invented" if section.rsplit("-", 1)[0] in COMPLETE_CHAPTERS else "ungrounded"), None


@scorer(
    metrics=METRICS,
    name="citations",
    config={"sections": SECTIONS.read_text("utf-8"), "complete": sorted(COMPLETE_CHAPTERS)},
)
def fabricated(case: Case, completion: Completion) -> Score:
    """References to the Georgia Code without support in the source. A failed completion counts as one fabricated."""
    if completion.finish_reason == "error":
        return Score(name="citations", value=1.0, counts={"citations": 1, "fabricated": 1, "responses_with": 1})
    spans = judge(case, completion)
    bad = [span for span in spans if span.verdict != "supported"]
    listed = {verdict: [s.quote for s in spans if s.verdict == verdict] for verdict in SEVERITY}
    return Score(
        name="citations",
        value=float(len(bad)),
        extracted=listed | {"fabricated": [span.quote for span in bad]},
        counts={"citations": len(spans), "fabricated": len(bad), "responses_with": int(bool(bad))},
        spans=spans,
    )
