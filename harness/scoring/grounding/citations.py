"""Score references to the Georgia Code, other law and sections of the source: is each in the source, does it exist?

Verdicts on a Code section: `supported` (the source names it), `unclear` (the source names it without the subsection),
`mispaired` (the source names other subsections of it), `unsupported` (it exists, the source does not name it),
`wrong_subject` (it exists, and the answer states another section's subject as its own), `ungrounded` (neither in the
source nor in the list of sections) and `invented` (its chapter is declared complete and lacks it). All but the first
two are fabricated. A range is one reference, supported only if both ends are; a range in the source supports the
sections within it. A title or chapter is supported by a section of it. Federal law, acts, court rules and cases are
`supported` or `unclear`: no list of them is known. A section of the contract ("Section 4.2") is supported if the source
uses its number, and `ungrounded` otherwise.

The last reference of a cut answer is not judged if it is broken off. The list of sections is not the whole Code: no
chapter is complete unless the caller says so (`against(complete=...)`), so by default no reference is `invented`.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness.errors import UserError, refuse_all
from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import DocumentCache, RangeSet, Scorer, make_span, ratios, scorer, whole_length
from harness.scoring.grounding.citation_parser import Citation, citations_in, other_law_in, within
from harness.scoring.grounding.claims import UNCLEAR, score_answer
from harness.scoring.summaries import FUNCTION
from harness.scoring.text.guideline_ids import numbered, sections_in
from harness.scoring.text.refusals import sentence_around

DESCRIBED = re.compile(
    r"(?:\s?\(\w{1,4}\))*(?:,?\s+(?:which|that))?\s+(?:only\s+|also\s+)?(?:governs|concerns|covers|addresses|regulates"
    r"|deals\s+with|is\s+about|relates\s+to|requires|provides|sets|fixes|limits|caps|defines|lists|allows|permits|states|says)\s+"
    r"(?P<subject>[^.;\n]{8,240})",
    re.I,
)
WORD = re.compile(r"[a-z]{4,}")
STEM = 6
"""Letters of a word that are compared; whole words, or short ones, find too many sections about the same thing."""
MAX_SECTIONS = 4
"""A word in the descriptions of more sections distinguishes none."""
MIN_SHARED = 2
"""Distinguishing words that a description must share with another section's subject."""
CONTEXT = 300
"""Characters of the source around a reference that describe it."""


@lru_cache(maxsize=1024)
def stems(text: str) -> frozenset[str]:
    """Return the first letters of a text's longer words, without words that describe nothing."""
    return frozenset(word[:STEM] for word in WORD.findall(text.lower()) if word not in FUNCTION)


@DocumentCache
def subjects_in(document: str) -> dict[str, set[str]]:
    """Return the stems around each section of the Code that a source names: of its sentence, if it names no other."""
    subjects: dict[str, set[str]] = defaultdict(set)
    starts = [citation.start for citation in named_in(document)]
    for citation in named_in(document):
        start, end = sentence_around(document, citation.start, citation.end)
        if bisect_left(starts, end) - bisect_left(starts, start) == 1:
            subjects[citation.sections[0]] |= stems(document[start : citation.start] + document[citation.end : end])
    return subjects


def other_subject(text: str, citation: Citation, starts: Sequence[int], known: Code, document: str) -> str | None:
    """Return the section that the words around a reference are about instead, or None.

    What the source says around its own references counts as well. `starts`: of all references, in order.
    """
    section = citation.sections[0]
    start, end = sentence_around(text, citation.start, citation.end)
    described = DESCRIBED.match(text, citation.end)
    is_alone = bisect_left(starts, end) - bisect_left(starts, start) == 1
    if section not in known.subjects or not (described or is_alone):
        return None
    sentence = stems(text[start : citation.start] + text[citation.end : end]) if is_alone else frozenset()
    subject = stems(described["subject"]) if described else sentence
    if (subject | sentence) & stems(known.sections[section].governs):
        return None
    places = [c for c in named_in(document) if section in c.sections]
    subject = subject.difference(*(_around(document, c) for c in places))
    said = subjects_in(document)
    best, size = None, MIN_SHARED - 1
    for other, words in known.subjects.items():
        shared = len(subject & (words | (said.get(other, set()) - known.common)))
        if shared > size:
            best, size = other, shared
    return best


def _around(document: str, citation: Citation) -> frozenset[str]:
    """The stems near a reference of the source, and of its whole sentence."""
    start, end = sentence_around(document, citation.start, citation.end)
    return stems(document[max(0, min(start, citation.start - CONTEXT)) : max(end, citation.end + CONTEXT)])


SECTIONS = Path(__file__).with_name("georgia_sections.csv")
GROUNDED = ("supported",)
SEVERITY = ["supported", UNCLEAR, "mispaired", "unsupported", "wrong_subject", "ungrounded", "invented"]
"""Verdicts from mild to severe; a range gets the more severe one of its ends."""
REASONS = {
    "supported": "the source names it",
    UNCLEAR: "the source does not name it, or not this subsection of it",
    "mispaired": "the source gives other subsections of it",
    "unsupported": "a section of this number exists, but the source does not name it",
    "wrong_subject": "the answer describes it as what another section governs",
    "ungrounded": "the source does not name it and it is not among the known sections",
    "invented": "its chapter has no section of this number",
}
CHAPTER = re.compile(r"\d{1,2}-\d{1,2}[A-Z]?")
IN_CODE = re.compile(r"\d+(?:-|$)")
"""How a title, chapter or section of the Code begins, unlike the key of other law."""
STATUTE_TEXT = 3000
"""Characters of the source after a section's number in which its subsections are looked for."""
LISTED = re.compile(r"[^()]{0,160}\(a\).*?\(b\)", re.S)
"""How the text of a section with subsections begins."""

METRICS = ratios(
    "citations",
    {},
    {
        "fabricated_citation = fabricated": "Sections of the Code or of the contract cited without support in the "
        "source, per answer.",
        "citation_fabrication_rate = fabricated / citations": "Share of the sections cited, of the Code or of the "
        "contract, that have no support in the source.",
    },
    unbounded=["fabricated_citation"],
)


class KnownSection(NamedTuple):
    """One row of the list of known sections."""

    section: str
    governs: str
    as_of: str
    confidence: str


class Code(NamedTuple):
    """Known sections by number, and the chapters, such as `44-14`, of which every section is listed."""

    sections: dict[str, KnownSection]
    complete: frozenset[str]
    subjects: dict[str, frozenset[str]]
    """Stems that distinguish the sections whose row was checked against the Code."""
    common: frozenset[str]
    """Stems of more sections."""

    @property
    def config(self) -> dict[str, list[str] | list[KnownSection]]:
        return {"sections": sorted(self.sections.values()), "complete": sorted(self.complete)}


def code(sections: str | Path = SECTIONS, complete: Sequence[str] = ()) -> Code:
    """Read a list of sections (CSV: section, governs, as_of, confidence), with its chapters that are complete.

    Raises UserError for a file that cannot be read, or rows that cannot be used.
    """
    path = Path(sections)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}). Name a CSV file of sections") from None
    found, expected = list(rows[0]) if rows else [], list(KnownSection._fields)
    if found != expected:
        raise UserError(f"{path}: found columns {found}, expected {expected} and at least one row")
    known = {row["section"]: KnownSection(**row) for row in rows}
    times_listed = Counter(row["section"] for row in rows)
    problems = [f"section {number} is listed {times} times" for number, times in times_listed.items() if times > 1]
    chapters = {number.rsplit("-", 1)[0] for number in known}
    for chapter in complete:
        if not CHAPTER.fullmatch(chapter) or chapter not in chapters:
            problems.append(f"chapter {chapter!r} is declared complete, but no section of it is listed")
    refuse_all(problems, f"{path.name}: sections that cannot be used")
    subjects = {number: stems(row.governs) for number, row in known.items() if row.confidence == "read"}
    sections_with = Counter(stem for words in subjects.values() for stem in words)
    common = frozenset(stem for stem, count in sections_with.items() if count > MAX_SECTIONS)
    return Code(known, frozenset(complete), {number: words - common for number, words in subjects.items()}, common)


@lru_cache(maxsize=1)
def known_code() -> Code:
    """Return this project's list, of which no chapter is complete."""
    return code()


@DocumentCache
def named_in(document: str) -> tuple[Citation, ...]:
    """Return the references of a source to sections of the Code."""
    return citations_in(document, True)


@DocumentCache
def law_of(document: str) -> tuple[Citation, ...]:
    """Return the references of a source to sections of the Code and to other law."""
    return named_in(document) + other_law_in(document, True)


def judge_all(case: Case, completion: Completion, known: Code | None = None) -> list[Span]:
    """Judge each reference of an answer, in order."""
    text, whole, bare = completion.text, whole_length(completion), case.tags.get("state") == "Georgia"
    ranges = RangeSet()
    references = [c for c in citations_in(text, bare) if c.end <= whole and ranges.add(c.start, c.end)]
    laws = [c for c in other_law_in(text, bare) if c.end <= whole and ranges.add(c.start, c.end)]
    sections = [s for s in sections_in(text) if s.end <= whole and ranges.is_free(s.start, s.end)]
    named = law_of(case.document) if laws else named_in(case.document) if references else ()
    starts = [citation.start for citation in references]
    spans = [_span(case, text, one, starts, named, known or known_code()) for one in (*references, *laws)]
    for section in sections:
        place = numbered(case.document).get(section.id)
        verdict, uses = ("supported", "uses") if place else ("ungrounded", "does not use")
        reason = f"{section.id}: the source {uses} this number"
        spans.append(make_span(text, section.start, section.end, "section", verdict, reason, place, case.cluster))
    return sorted(spans, key=lambda span: span.start)


def _span(
    case: Case, text: str, cited: Citation, starts: Sequence[int], named: Sequence[Citation], known: Code
) -> Span:
    judged = [_verdict(section, named, known) for section in cited.sections]
    is_code = bool(IN_CODE.match(cited.sections[0]))
    verdict, ground = (max if is_code else min)(judged, key=lambda pair: SEVERITY.index(pair[0]))
    same = [c for c in named if cited.sections[0] in c.sections]
    if verdict == "supported" and is_code and cited.subsections and same:
        verdict, ground = _subsection(case.document, cited.subsections, same)
    reason = REASONS[verdict]
    if verdict in ("supported", UNCLEAR, "unsupported") and len(cited.sections) == 1:
        other = other_subject(text, cited, starts, known, case.document)
        if other:
            verdict, reason = "wrong_subject", f"{REASONS['wrong_subject']}, {other}: {known.sections[other].governs}"
    place = (ground.start, ground.end) if ground else None
    reason = f"{cited.label}: {reason}"
    return make_span(text, cited.start, cited.end, "citation", verdict, reason, place, case.cluster)


def _subsection(document: str, asked: tuple[str, ...], same: Sequence[Citation]) -> tuple[str, Citation]:
    """The verdict on a subsection of a section that the source names in the references `same`."""
    other = []
    for citation in same:
        given, text_after = citation.subsections, document[citation.end : citation.end + STATUTE_TEXT]
        if given[: len(asked)] == asked or (not given and f"({asked[0]})" in text_after):
            return "supported", citation
        is_heading = not document[: citation.start].rpartition("\n")[2].strip(" \t#*§")
        if given != asked[: len(given)] or (not given and is_heading and LISTED.match(text_after)):
            other.append(citation)
    return ("mispaired", other[0]) if other else (UNCLEAR, same[0])


def _verdict(section: str, named: Sequence[Citation], known: Code) -> tuple[str, Citation | None]:
    """The verdict on a section, title or chapter of the Code, or on a key of other law, and its place in the source."""
    is_section = section.count("-") == 2 and bool(IN_CODE.match(section))
    for citation in named:
        if any(one == section or one.startswith(f"{section}-") for one in citation.sections) or (
            is_section and len(citation.sections) == 2 and within(section, citation.sections)
        ):
            return "supported", citation
    if not IN_CODE.match(section):
        return UNCLEAR, None
    if any(one == section or one.startswith(f"{section}-") for one in known.sections):
        return "unsupported", None
    return ("invented" if section.rsplit("-", 1)[0] in known.complete else "ungrounded"), None


def against(sections: str | Path = SECTIONS, complete: Sequence[str] = ()) -> Scorer:
    """Make the scorer of references with another list of sections, or with chapters declared complete."""
    known = code(sections, complete)

    @scorer(metrics=METRICS, name="citations", config=known.config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """References without support in the source. A failed completion counts as one fabricated reference."""
        return score_answer("citations", case, completion, judge_all(case, completion, known), GROUNDED, SEVERITY)

    return fabricated


fabricated = against()
