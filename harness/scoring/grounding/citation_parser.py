"""Find references to the Official Code of Georgia Annotated in text, in every written form.

A reference is a section, or a range with its two ends. A headed form names the Code ("O.C.G.A. § 44-14-1"); a bare form
("Section 44-14-1", "13-1-11(a)") is read only if the text is known to be about Georgia, since other states number their
codes the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from harness.scoring.text.normalize import normalise

DASH = "[-\u2010-\u2013\u2212]"
SECTION = rf"\d{{1,2}}{DASH}\d{{1,2}}[A-Z]?{DASH}\d{{1,4}}(?:\.\d+)?(?!\d)"
SHORT_END = rf"{DASH}\d{{1,4}}(?:\.\d+)?(?!\d)"
HEAD = (
    r"(?:(?<!\w)O\.?\s?C\.?\s?G\.?\s?A\.?|(?:Official\s+)?Code\s+of\s+Georgia(?:\s+Annotated)?"
    r"|\b(?:Ga\.?|Georgia)\s+Code(?:\s+Ann(?:\.|otated)?)?|\bCode\s+(?:Sections?|§{1,2}))"
)
MARK = r"(?:§{1,2}|Sections?|Secs?\.?)"
SUBSECTION = r"(?:\s?\([A-Za-z0-9.]{1,4}\))*"
JOINT = rf"(?:\s*,?\s*\b(?:and|or|through|thru|to)\b|\s*[,;&]|\s*{DASH})\s*{MARK}?\s*"
BODY = rf"{SECTION}{SUBSECTION}(?:{JOINT}(?:{SECTION}|{SHORT_END}){SUBSECTION})*(?:,?\s+et\.?\s+seq\b\.?)?"
HEADED = re.compile(rf"(?=[OCG]){HEAD},?\s*{MARK}?\s*(?P<body>{BODY})", re.I)
BARE = re.compile(
    rf"(?=[OCGS§\d])(?P<mark>(?:{HEAD},?\s*{MARK}?|{MARK})\s*)?(?<![\w.$/-])(?P<body>{BODY})(?!{DASH}\d)", re.I
)
"""Both patterns begin with a look at the first letter, which avoids trying all heads at each character."""
GEORGIAN = re.compile(r"C\.?\s?G\.?\s?A|Georgia|\bGa\b", re.I)
HINT = re.compile(rf"\d{DASH}\d{{1,2}}[A-Z]?{DASH}\d", re.I)
LONGEST_HEAD = 80
"""Characters before a section's number where its head may begin."""
PART = re.compile(
    rf"(?P<joint>{JOINT})?(?:(?P<full>{SECTION})|(?P<short>{SHORT_END})){SUBSECTION}(?:,?\s+et\.?\s+seq\b\.?)?", re.I
)
RANGE = re.compile(rf"through|thru|\bto\b|{DASH}", re.I)
AFTER = re.compile(r"[\s,(]{0,3}(?:of\s+the\s+)?(?:N\.\s?D\.|North\s+Dakota|N\.\s?C\.|S\.\s?C\.)", re.I)
"""A code of another state named after the section."""
NO_SECTION = re.compile(r"9-1-1|(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01])-(?:\d\d|(?:19|20)\d\d)")
ELSEWHERE = re.compile(
    r"(?:\b(?:Alabama|Florida|(?:North|South)\s+(?:Carolina|Dakota)|Tennessee|Century|Utah|Idaho|Virginia|Mississippi"
    r"|Indiana|New\s+Mexico|Wyoming|Montana|Rhode\s+Island|Colorado|Internal\s+Revenue|U\.\s?S\.)|N\.\s?D\.|S\.\s?C\."
    r"|Miss\.|Tenn\.|Cent\.|Ala\.|Va\.|Ind\.)[\w\s.§]{0,24}$",
    re.I,
)


class Citation(NamedTuple):
    """One reference in a text: its range, and the section, or the first and last section, that it names."""

    start: int
    end: int
    sections: tuple[str, ...]

    @property
    def label(self) -> str:
        """The section, or both ends of the range, for messages."""
        return " through ".join(self.sections)


@lru_cache(maxsize=64)
def citations_in(text: str, bare: bool) -> tuple[Citation, ...]:
    """List references in order of appearance, with offsets into `text`; `bare` also reads forms that name no code."""
    if not HINT.search(text) and (text.isascii() or not HINT.search(normalise(text).text)):
        return ()
    normal = normalise(text)
    citations: list[Citation] = []
    for match in _written(BARE if bare else HEADED, normal.text):
        head = normal.text[match.start() : match.start("body")]
        if not GEORGIAN.search(head) and _elsewhere(normal.text, match):
            continue
        for start, end, sections in _parts(match["body"]):
            if not head and "(" not in match["body"][start:end] and NO_SECTION.fullmatch(sections[0]):
                continue
            first = match.start() if start == 0 else match.start("body") + start
            citations.append(Citation(*normal.original(first, match.start("body") + end), sections))
    return tuple(citations)


def _written(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches of a pattern, in the order of its `finditer`, searched for only near numbers of the right form."""
    end = 0
    for hint in HINT.finditer(text):
        if hint.start() >= end:
            match = pattern.search(text, max(end, hint.start() - LONGEST_HEAD))
            if match is None:
                return
            end = match.end()
            yield match


def _elsewhere(text: str, match: re.Match[str]) -> bool:
    """Whether another state's code is named before or after a reference."""
    before = ELSEWHERE.search(text, max(0, match.start() - 60), match.start("body"))
    return bool(before or AFTER.match(text, match.end()))


def _parts(body: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """The references in a list such as "44-5-61, 44-5-62 and 44-14-160 through 44-14-162"; a range is one of them."""
    open_start, open_end = 0, 0
    sections: tuple[str, ...] = ()
    for part in PART.finditer(body):
        section = _canonical(part["full"]) if part["full"] else _continued(sections[-1], part["short"])
        if sections and len(sections) == 1 and RANGE.search(part["joint"] or ""):
            open_end, sections = part.end(), (sections[0], section)
            continue
        if sections:
            yield open_start, open_end, sections
        open_start, open_end, sections = part.end("joint") if part["joint"] else part.start(), part.end(), (section,)
    if sections:
        yield open_start, open_end, sections


def _canonical(section: str) -> str:
    return re.sub(DASH, "-", section).upper()


def _continued(before: str, short: str) -> str:
    """The section that "-162.4" means after "44-14-162"."""
    return before.rsplit("-", 1)[0] + _canonical(short)


def within(section: str, ends: tuple[str, ...]) -> bool:
    """Whether a section is in a range of one chapter, ends included, by number."""
    chapter, number = section.rsplit("-", 1)
    low, high = ends[0].rsplit("-", 1), ends[-1].rsplit("-", 1)
    return chapter == low[0] == high[0] and _order(low[1]) <= _order(number) <= _order(high[1])


def _order(number: str) -> tuple[int, int]:
    whole, _, part = number.partition(".")
    return int(whole), int(part or 0)
