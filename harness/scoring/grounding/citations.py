"""Score references to the Georgia Code, and to sections of the source itself: is each in the source, does it exist?

Verdicts on a Code section: `supported` (the source names it), `unsupported` (it exists, the source does not name it),
`wrong_subject` (it exists, and the answer describes another section's subject as its own), `ungrounded` (neither in
the source nor in the list of sections) and `invented` (its chapter is declared complete and lacks it). All but the
first are fabricated. A range is one reference, supported only if both ends are; a range in the source supports the
sections within it. A section of the contract ("Section 4.2") is supported if the source uses its number, and
`ungrounded` otherwise.

The last reference of a cut answer is not judged if it is broken off. The list of sections is not the whole Code: no
chapter is complete unless the caller says so (`against(complete=...)`), so by default no reference is `invented`.
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
from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import DocumentCache, RangeSet, Scorer, make_span, scorer, whole_length
from harness.scoring.grounding.citation_parser import Citation, citations_in, within
from harness.scoring.grounding.claims import failed_score, score_claims
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
MAX_SECTIONS = 4
"""A word in the descriptions of more sections distinguishes none."""
MIN_SHARED = 2
"""Distinguishing words that a description must share with another section's subject."""
CONTEXT = 300
"""Characters of the source around a reference that describe it."""
EMPTY_WORDS = (
    "which that with from before after what when where under other unless given into upon this such must shall"
)
EMPTY = frozenset(EMPTY_WORDS.split())


def stems(text: str) -> set[str]:
    """Return the first letters of a text's words, without words that describe nothing."""
    return {word[:STEM] for word in WORD.findall(text.lower()) if word not in EMPTY}


def other_subject(
    text: str, end: int, section: str, lines: Mapping[str, str], source: str, places: Sequence[tuple[int, int]]
) -> str | None:
    """Return the section that the words after a reference describe instead, or None. `lines`: subject by section."""
    described = DESCRIBED.match(text, end) if section in lines else None
    if described is None:
        return None
    subject = stems(described["subject"])
    if subject & stems(lines[section]):
        return None
    subjects = {known: stems(line) for known, line in lines.items()}
    sections_with = Counter(stem for words in subjects.values() for stem in words)
    best, size = None, MIN_SHARED - 1
    for known, words in subjects.items():
        shared = {stem for stem in subject & words if sections_with[stem] <= MAX_SECTIONS}
        if len(shared) > size and not any(shared & stems(source[max(0, a - CONTEXT) : b + CONTEXT]) for a, b in places):
            best, size = known, len(shared)
    return best


SECTIONS = Path(__file__).with_name("georgia_sections.csv")
GROUNDED = ("supported",)
SEVERITY = ["supported", "unsupported", "wrong_subject", "ungrounded", "invented"]
"""Verdicts from mild to severe; a range gets the more severe one of its ends."""
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
        says="Sections of the Code or of the contract cited without support in the source, per answer.",
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
    """Known sections by number, and the chapters, such as `44-14`, of which every section is listed."""

    sections: dict[str, KnownSection]
    complete: frozenset[str]
    read: dict[str, str]
    """Subjects of the sections whose row was checked against the Code."""

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
    expected = list(KnownSection._fields)
    if not rows or list(rows[0]) != expected:
        raise UserError(
            f"{path}: found columns {list(rows[0]) if rows else []}, expected {expected} and at least one row"
        )
    known = {row["section"]: KnownSection(**row) for row in rows}
    times_listed = Counter(row["section"] for row in rows)
    problems = [f"section {number} is listed {times} times" for number, times in times_listed.items() if times > 1]
    chapters = {number.rsplit("-", 1)[0] for number in known}
    for chapter in complete:
        if not CHAPTER.fullmatch(chapter) or chapter not in chapters:
            problems.append(f"chapter {chapter!r} is declared complete, but no section of it is listed")
    refuse_all(problems, f"{path.name}: sections that cannot be used")
    read = {number: row.governs for number, row in known.items() if row.confidence == "read"}
    return Code(known, frozenset(complete), read)


@lru_cache(maxsize=1)
def known_code() -> Code:
    """Return this project's list, of which no chapter is complete."""
    return code()


@DocumentCache
def named_in(document: str) -> tuple[Citation, ...]:
    """Return the references of a source."""
    return citations_in(document, True)


def judge(case: Case, completion: Completion, known: Code | None = None) -> list[Span]:
    """Judge each reference of an answer, without those that it denies."""
    return without_denied(case, completion.text, judge_all(case, completion, known), GROUNDED)


def judge_all(case: Case, completion: Completion, known: Code | None = None) -> list[Span]:
    """Judge each reference of an answer, in order."""
    text = completion.text
    whole = whole_length(completion)
    references = [c for c in citations_in(text, case.tags.get("state") == "Georgia") if c.end <= whole]
    ranges = RangeSet((c.start, c.end) for c in references)
    sections = [s for s in sections_in(text) if s.end <= whole and ranges.is_free(s.start, s.end)]
    if not references and not sections:
        return []
    named = named_in(case.document) if references else ()
    known = known or known_code()
    spans = [_span(case, text, citation, named, known) for citation in references]
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
    place = (ground.start, ground.end) if ground else None
    reason = f"{citation.label}: {reason}"
    return make_span(text, citation.start, citation.end, "citation", verdict, reason, place, case.cluster)


def _section_span(case: Case, text: str, section: Id) -> Span:
    place = numbered(case.document).get(section.id)
    verdict, uses = ("supported", "uses") if place else ("ungrounded", "does not use")
    reason = f"{section.id}: the source {uses} this number"
    return make_span(text, section.start, section.end, "section", verdict, reason, place, case.cluster)


def _verdict(section: str, named: Sequence[Citation], known: Code) -> tuple[str, Citation | None]:
    for citation in named:
        if section in citation.sections or (len(citation.sections) == 2 and within(section, citation.sections)):
            return "supported", citation
    if section in known.sections:
        return "unsupported", None
    return ("invented" if section.rsplit("-", 1)[0] in known.complete else "ungrounded"), None


def against(sections: str | Path = SECTIONS, complete: Sequence[str] = ()) -> Scorer:
    """Make the scorer of references with another list of sections, or with chapters declared complete."""
    known = code(sections, complete)

    @scorer(metrics=METRICS, name="citations", config=known.config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """References without support in the source. A failed completion counts as one fabricated reference."""
        return _score(case, completion, known)

    return fabricated


@scorer(metrics=METRICS, name="citations", config=known_code().config)
def fabricated(case: Case, completion: Completion) -> Score:
    """References without support in the source. A failed completion counts as one fabricated reference."""
    return _score(case, completion, known_code())


def _score(case: Case, completion: Completion, known: Code) -> Score:
    if completion.finish_reason == "error":
        return failed_score("citations", "citations")
    return score_claims("citations", "citations", judge(case, completion, known), GROUNDED, SEVERITY)
