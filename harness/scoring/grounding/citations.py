"""Scores references to the Georgia Code, and to sections of the source itself: is each in the source, does it exist?

Verdicts on a Code section: `supported` (the source names it), `unsupported` (it exists, the source does not name it),
`wrong_subject` (it exists, and the answer describes another section's subject as its own), `ungrounded` (neither in
the source nor known here) and `invented` (its chapter is declared complete and lacks it). All but the first are
fabricated. A range is one reference, supported only if both ends are; a range in the source supports what lies in it.
A section of the contract ("Section 4.2") is supported where the source uses its number, and `ungrounded` otherwise.

A reference that a cut answer breaks off in is not judged. The list of Code sections is not the Code: no chapter of it
is complete unless the caller says so (`against(complete=...)`), so by default nothing is called invented.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness.errors import UserError, refuse_all
from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import DocumentCache, Scorer, Taken, scorer, unbroken
from harness.scoring.grounding.citation_parser import Citation, citations_in, within
from harness.scoring.text.guideline_ids import Id, numbered, sections_in
from harness.scoring.text.refusals import without_denied

DESCRIBED = re.compile(
    r"(?:\s?\(\w{1,4}\))*(?:,?\s+(?:which|that))?\s+(?:only\s+|also\s+)?(?:governs|concerns|covers|addresses|regulates"
    r"|deals\s+with|is\s+about|relates\s+to|requires|provides|sets|fixes|limits|caps|defines|lists|allows|permits|states|says)\s+"
    r"(?P<subject>[^.;\n]{8,240})",
    re.I,
)
WORD = re.compile(r"[a-z]{4,}")
STEM = 6
"""Letters of a word that are compared."""
MOST_SECTIONS = 4
"""Most sections of the list that a telling word may describe."""
FEWEST_SHARED = 2
AROUND = 300
"""Characters of the source around a reference that describe it."""
EMPTY_WORDS = (
    "which that with from before after what when where under other unless given into upon this such must shall"
)
EMPTY = frozenset(EMPTY_WORDS.split())


def stems(text: str) -> set[str]:
    """Words of a text, cut short, without those that describe nothing."""
    return {word[:STEM] for word in WORD.findall(text.lower()) if word not in EMPTY}


def other_subject(
    text: str, end: int, section: str, lines: Mapping[str, str], source: str, places: Sequence[tuple[int, int]]
) -> str | None:
    """The section that the words behind a reference describe instead, or None. `lines` holds those that were read."""
    described = DESCRIBED.match(text, end) if section in lines else None
    if described is None:
        return None
    said = stems(described["subject"])
    if said & stems(lines[section]):
        return None
    told = {known: stems(line) for known, line in lines.items()}
    spread = Counter(stem for words in told.values() for stem in words)
    best, size = None, FEWEST_SHARED - 1
    for known, words in told.items():
        shared = {stem for stem in said & words if spread[stem] <= MOST_SECTIONS}
        if len(shared) > size and not any(shared & stems(source[max(0, a - AROUND) : b + AROUND]) for a, b in places):
            best, size = known, len(shared)
    return best


SECTIONS = Path(__file__).with_name("georgia_sections.csv")
SEVERITY = ["supported", "unsupported", "wrong_subject", "ungrounded", "invented"]
"""Verdicts from mild to grave; a range gets the graver of its ends'."""
REASONS = {
    "supported": "the source names it",
    "unsupported": "a section of this number exists, but the source does not name it",
    "wrong_subject": "the answer describes it as what another section governs",
    "ungrounded": "the source does not name it and it is not among the known sections",
    "invented": "its chapter has no section of this number",
}
CHAPTER = re.compile(r"\d{1,2}-\d{1,2}[A-Z]?")

METRICS = [
    Metric(
        name="fabricated_citation",
        scorer="citations",
        numerator="fabricated",
        higher_is_better=False,
        unbounded=True,
        says="Sections of the Code or of the contract cited without support in the source, for each answer.",
    ),
    Metric(
        name="citation_fabrication_rate",
        scorer="citations",
        numerator="fabricated",
        denominator="citations",
        higher_is_better=False,
        says="Share of the sections cited, of the Code or of the contract, that have no support in the source.",
    ),
]


class KnownSection(NamedTuple):
    """One row of the list of known sections."""

    section: str
    governs: str
    as_of: str
    confidence: str


class Code(NamedTuple):
    """What is known of the Code: sections by number, and the chapters, such as `44-14`, of which each is listed."""

    sections: dict[str, KnownSection]
    complete: frozenset[str]
    read: dict[str, str]
    """What the sections govern whose line was read at its source."""

    @property
    def config(self) -> dict[str, list[str] | list[KnownSection]]:
        return {"sections": sorted(self.sections.values()), "complete": sorted(self.complete)}


def code(sections: str | Path = SECTIONS, complete: Sequence[str] = ()) -> Code:
    """A list of sections (CSV: section, governs, as_of, confidence) and the chapters of it that are complete."""
    path = Path(sections)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}). Name a CSV file of sections") from None
    expected = list(KnownSection._fields)
    if not rows or list(rows[0]) != expected:
        raise UserError(f"{path}: found columns {list(rows[0]) if rows else []}, expected {expected} and a row or more")
    known = {row["section"]: KnownSection(**row) for row in rows}
    often = Counter(row["section"] for row in rows)
    problems = [f"section {number} stands {times} times" for number, times in often.items() if times > 1]
    chapters = {number.rsplit("-", 1)[0] for number in known}
    for chapter in complete:
        if not CHAPTER.fullmatch(chapter) or chapter not in chapters:
            problems.append(f"chapter {chapter!r} is declared complete, but no section of it is listed")
    refuse_all(problems, f"{path.name}: sections that cannot be used")
    read = {number: row.governs for number, row in known.items() if row.confidence == "read"}
    return Code(known, frozenset(complete), read)


@lru_cache(maxsize=1)
def known_code() -> Code:
    """The list of this project, of which no chapter is complete."""
    return code()


@DocumentCache
def named_in(document: str) -> tuple[Citation, ...]:
    """References of a source."""
    return citations_in(document, True)


def judge(case: Case, completion: Completion, known: Code | None = None) -> list[Span]:
    """A span, with its verdict, for each reference that an answer makes."""
    return without_denied(case, completion.text, judge_all(case, completion, known), ("supported",))


def judge_all(case: Case, completion: Completion, known: Code | None = None) -> list[Span]:
    """The same with references that the answer denies, in order."""
    text = completion.text
    whole = unbroken(completion)
    written = [c for c in citations_in(text, case.tags.get("state") == "Georgia") if c.end <= whole]
    taken = Taken((c.start, c.end) for c in written)
    sections = [s for s in sections_in(text) if s.end <= whole and taken.is_free(s.start, s.end)]
    if not written and not sections:
        return []
    named = named_in(case.document) if written else ()
    known = known or known_code()
    spans = [_span(case, text, citation, named, known) for citation in written]
    spans += [_section_span(case, text, section) for section in sections]
    return sorted(spans, key=lambda span: span.start)


def _span(case: Case, text: str, citation: Citation, named: Sequence[Citation], known: Code) -> Span:
    judged = [_verdict(section, named, known) for section in citation.sections]
    verdict, ground = max(judged, key=lambda pair: SEVERITY.index(pair[0]))
    reason = REASONS[verdict]
    if verdict in ("supported", "unsupported") and len(citation.sections) == 1:
        places = [(c.start, c.end) for c in named if citation.sections[0] in c.sections]
        other = other_subject(text, citation.end, citation.sections[0], known.read, case.document, places)
        if other:
            verdict, reason = "wrong_subject", f"{REASONS['wrong_subject']}, {other}: {known.read[other]}"
    return Span(
        start=citation.start,
        end=citation.end,
        quote=text[citation.start : citation.end],
        kind="citation",
        verdict=verdict,
        reason=f"{citation.says}: {reason}",
        source=SourceSpan(doc_id=case.cluster, start=ground.start, end=ground.end) if ground else None,
    )


def _section_span(case: Case, text: str, section: Id) -> Span:
    place = numbered(case.document).get(section.id)
    return Span(
        start=section.start,
        end=section.end,
        quote=text[section.start : section.end],
        kind="section",
        verdict="supported" if place else "ungrounded",
        reason=f"{section.id}: the source {'uses' if place else 'does not use'} this number",
        source=SourceSpan(doc_id=case.cluster, start=place[0], end=place[1]) if place else None,
    )


def _verdict(section: str, named: Sequence[Citation], known: Code) -> tuple[str, Citation | None]:
    for citation in named:
        if section in citation.sections or (len(citation.sections) == 2 and within(section, citation.sections)):
            return "supported", citation
    if section in known.sections:
        return "unsupported", None
    return ("invented" if section.rsplit("-", 1)[0] in known.complete else "ungrounded"), None


def against(sections: str | Path = SECTIONS, complete: Sequence[str] = ()) -> Scorer:
    """The scorer of references by another list of sections, or with chapters of it declared complete."""
    known = code(sections, complete)

    @scorer(metrics=METRICS, name="citations", config=known.config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """References without support in the source. A failed completion counts as one fabricated."""
        return _score(case, completion, known)

    return fabricated


@scorer(metrics=METRICS, name="citations", config=known_code().config)
def fabricated(case: Case, completion: Completion) -> Score:
    """References without support in the source. A failed completion counts as one fabricated."""
    return _score(case, completion, known_code())


def _score(case: Case, completion: Completion, known: Code) -> Score:
    if completion.finish_reason == "error":
        return Score(name="citations", value=1.0, counts={"citations": 1, "fabricated": 1, "responses_with": 1})
    spans = judge(case, completion, known)
    bad = [span for span in spans if span.verdict != "supported"]
    listed = {verdict: [s.quote for s in spans if s.verdict == verdict] for verdict in SEVERITY}
    return Score(
        name="citations",
        value=float(len(bad)),
        extracted=listed | {"fabricated": [span.quote for span in bad]},
        counts={"citations": len(spans), "fabricated": len(bad), "responses_with": int(bool(bad))},
        spans=spans,
    )
