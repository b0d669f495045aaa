"""Find references to the Official Code of Georgia Annotated, and to other law, in every written form.

A reference is a section, or a range with its two ends. A headed form names the Code ("O.C.G.A. § 44-14-1"); a bare form
("Section 44-14-1", "Section 1 of Chapter 14 of Title 44") is read only if the text is known to be about Georgia, since
other states number their codes the same way. Other law is a title or chapter of the Code, a federal statute or
regulation, an act, a court rule or a case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from harness.scoring.text.normalize import Normal, normalise

DASH = "[-\u2010-\u2013\u2212]"
BREAK = rf"{DASH}(?:[ \t]*\r?\n[ \t]*)?"
SECTION = rf"\d{{1,2}}{BREAK}\d{{1,2}}[A-Z]?{BREAK}\d{{1,4}}(?:\.\d+)?(?!\d)"
SHORT_END = rf"{DASH}\d{{1,4}}(?:\.\d+)?(?!\d)"
HEAD = (
    r"(?:(?<!\w)O\.?\s?C\.?\s?G\.?\s?A\.?|(?:Official\s+)?Code\s+of\s+Georgia(?:\s+Annotated)?"
    r"|\b(?:Ga\.?|Georgia)\s+Code(?:\s+Ann(?:\.|otated)?)?|\bCode\s+(?:Sections?|§{1,2}))"
)
MARK = r"(?:§{1,2}|Sections?|Secs?\.?)"
SUBSECTION = r"(?:\s?\([A-Za-z0-9.]{1,4}\))*"
BRACKETED = re.compile(r"\((\w{1,3}(?:\.\d)?)\)")
SUBSECTION_OF = re.compile(
    r"(?:\b(?:sub)?(?:section|paragraph|division)s?\s+(?:\(\w{1,3}\))+\s+of\s+)+(?:the\s+)?$", re.I
)
JOINT = rf"(?:\s*,?\s*\b(?:and|or|through|thru|to)\b|\s*[,;&]|\s*{DASH})\s*{MARK}?\s*"
BODY = rf"{SECTION}{SUBSECTION}(?:{JOINT}(?:{SECTION}|{SHORT_END}){SUBSECTION})*(?:,?\s+et\.?\s+seq\b\.?)?"
HEADED = re.compile(rf"(?=[OCG]){HEAD},?\s*{MARK}?\s*(?P<body>{BODY})", re.I)
BARE = re.compile(
    rf"(?=[OCGS§\d])(?P<mark>(?:{HEAD},?\s*{MARK}?|{MARK})\s*)?(?<![\w.$/-])(?P<body>{BODY})(?!{DASH}\d)", re.I
)
"""Both patterns begin with a look at the first letter, which avoids trying all heads at each character."""
GEORGIAN = re.compile(r"C\.?\s?G\.?\s?A|Georgia|\bGa\b", re.I)
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
TITLE, CHAPTER = r"\bTitle\s+(?P<title_>\d{1,2})", r"\bChapter\s+(?P<chapter_>\d{1,2}[A-Z]?)"
OWN = rf"(?:Code\s+)?(?:Sections?|§)\s*(?P<section_>\d{{1,4}}(?:\.\d+)?(?![\d-]))(?P<sub_>{SUBSECTION})"
OF = r"(?:,|,?\s+of|,?\s+under)\s+(?:the\s+)?"
DOWN = rf"{TITLE}(?:,?\s+{CHAPTER}(?:,?\s+Article\s+\w{{1,4}})?(?:,?\s+{OWN})?)?".replace("_>", "1>")
UP = rf"(?:{OWN}{OF})?{CHAPTER}{OF}{TITLE}".replace("_>", "2>")
IN_WORDS = re.compile(
    rf"(?P<head>{HEAD},?\s+)?(?:{DOWN}|{UP})(?P<after>{OF}{HEAD})?(?!{OF}(?:U\.?\s?S|United|Code\s+of\s+Fed|C\.?F))",
    re.I,
)
NUMBER = rf"\d{{1,5}}[a-z]{{0,3}}(?:[.-]\d{{1,4}}[a-z]?){{0,3}}(?![\w%]|,\d){SUBSECTION}"
NUMBERS = rf"{NUMBER}(?:(?:,|,?\s+(?:and|or|through|to))\s+{MARK}?\s*{NUMBER}){{0,19}}"
ACRONYM = (
    r"(?:U\.?\s?S\.?\s?C\.?|C\.?\s?F\.?\s?R\.?|I\.?R\.?C\.?|U\.?C\.?C\.?|RESPA|TILA|ERISA|FMLA|FRCP|FRE"
    r"|U\.?S\.?C\.?R\.?|Treas(?:ury|\.)\s+Reg(?:ulation|\.))"
)
RULES = (
    r"(?:(?:Federal|Fed\.|Uniform|Unif\.|Georgia|Ga\.|Bankruptcy|Local|State|Superior|Super\.|Supreme|Court|Ct\.)\s+){1,4}"
    r"(?:Rules?|R\.)(?:\s+(?:of|and|Civil|Civ\.|Criminal|Crim\.|Appellate|App\.|Bankruptcy|Bankr\.|Professional|Conduct"
    r"|Procedure|P\.|Evidence|Evid\.))*"
)
ACT = (
    r"(?:(?!(?:Under|See|In|The)\s)(?:[A-Z][\w.'-]*\s+(?:(?:of|and)\s+)?){1,7}(?<!Dress )"
    r"(?:Act(?:\s+of\s+\d{4})?|Code(?!\s+of))\b|Code\s+of\s+Federal\s+Regulations)"
)
LAW = re.compile(
    rf"(?:\b(?P<volume>\d{{1,2}})\s+|\bTitle\s+(?P<title>\d{{1,2}}){OF})?"
    rf"(?<![\w.])(?:(?P<law>{ACRONYM}|{RULES}),?\s+(?:(?i:{MARK})|Parts?|Rule)?|(?P<act>{ACT}),?\s+{MARK})"
    rf"\s*(?P<numbers>{NUMBERS})"
    rf"|(?:\b(?:[Ss]ections?|[Rr]ules?|Parts?)|§{{1,2}})\s*(?P<first>{NUMBERS}){OF}(?:[Tt]itle\s+(?P<in>\d{{1,2}}){OF})?"
    rf"(?P<book>{RULES}|{ACT}|{ACRONYM}(?!\w))"
)
ALIASES = {"irc": "26 usc", "bc": "11 usc", "usbc": "11 usc"}
"""Laws with two names, by their initials."""
REPORTED = (
    r"(?<![\w.$-])\d{1,4}\s+(?:(?:Ga|U\.\s?S|F|P|A|So|[NS]\.\s?[EW]|B\.\s?R|S\.\s?Ct|L\.\s?Ed|Ala|Cal|Fla|Ill|Mass|Miss"
    r"|N\.\s?[CJY]|Pa|S\.\s?C|Tenn|Tex|Va)\.(?:\s?(?:App|Supp)\.)?(?:\s?(?:2d|3d|4th))?|WL)\s+\d{1,7}(?![\w%])"
)
WORDS = r"(?:(?:(?:[A-Z]|Inc|Co|Corp|Ltd)\.)+|[A-Z][\w&'’-]*)"
PARTY = rf"{WORDS}(?:,?\s+(?:(?:of|the|and|for|&)\s+){{0,2}}{WORDS}){{0,6}}"
NAME = rf"\b(?!(?:In(?! re)|See|Under|Per|But|The)\s)(?:(?:In\s+re|Ex\s+parte)\s+{PARTY}|{PARTY}\s+vs?\.\s+{PARTY})"
CASE = re.compile(
    rf"(?:{NAME},?\s+)?{REPORTED}(?:,\s+(?:{REPORTED}|\d{{1,4}}\b(?!\s+[A-Z]))){{0,9}}(?:\s+\([^()\n]{{4,40}}\))?|{NAME}"
)


class Citation(NamedTuple):
    """One reference in a text: its range, and the section, or the first and last section, that it names.

    A reference to other law has keys instead of sections, which are equal for two ways to write it.
    """

    start: int
    end: int
    sections: tuple[str, ...]
    subsections: tuple[str, ...] = ()
    """Of a single section, from the outermost."""

    @property
    def label(self) -> str:
        """The section, or both ends of the range, for messages."""
        return " through ".join(self.sections)


@lru_cache(maxsize=64)
def citations_in(text: str, bare: bool) -> tuple[Citation, ...]:
    """List references to sections of the Code in order, with offsets into `text`; `bare`: also without its name."""
    normal = normalise(text)
    citations = [c for c in _in_words(normal, bare) if c.sections[0].count("-") == 2]
    for match in (BARE if bare else HEADED).finditer(normal.text):
        head = normal.text[match.start() : match.start("body")]
        if not GEORGIAN.search(head) and _elsewhere(normal.text, match):
            continue
        for start, end, sections in _parts(match["body"]):
            written = match["body"][start:end]
            if not head and "(" not in written and NO_SECTION.fullmatch(sections[0]):
                continue
            first = match.start() if start == 0 else match.start("body") + start
            outer = SUBSECTION_OF.search(normal.text, max(0, first - 80), first) if start == 0 else None
            inner = BRACKETED.findall(outer[0])[::-1] if outer else []
            subsections = (*inner, *BRACKETED.findall(written)) if len(sections) == 1 else ()
            first = outer.start() if outer else first
            citations.append(Citation(*normal.original(first, match.start("body") + end), sections, subsections))
    return tuple(sorted(citations))


@lru_cache(maxsize=64)
def other_law_in(text: str, bare: bool) -> tuple[Citation, ...]:
    """List references to other law in order, with offsets into `text`; `bare` as for sections of the Code."""
    normal = normalise(text)
    found = [c for c in _in_words(normal, bare) if c.sections[0].count("-") < 2]
    for match in LAW.finditer(normal.text):
        name = match["law"] or match["act"] or match["book"]
        title = match["volume"] or match["title"] or match["in"] or ""
        initials = re.sub("[^A-Z]", "", name).lower()
        law = f"{title} {ALIASES.get(initials, initials)}".strip()
        group = "numbers" if match["numbers"] else "first"
        for number in re.finditer(f"({NUMBER.replace(SUBSECTION, '')}){SUBSECTION}", match[group]):
            first = match.start(group) + number.start() if number.start() else match.start()
            last = match.end() if number.end() == len(match[group]) else match.start(group) + number.end()
            subsections = tuple(BRACKETED.findall(number[0]))
            found.append(Citation(*normal.original(first, last), (f"{law} {number[1].lower()}",), subsections))
    for match in CASE.finditer(normal.text):
        reports = [re.sub(r"[\s.]", "", report).lower() for report in re.findall(REPORTED, match[0])]
        found.append(Citation(*normal.original(*match.span()), tuple(reports) or (_parties(match[0]),)))
    return tuple(sorted(found))


def _parties(name: str) -> str:
    """A case's name by the words next to its "v."."""
    first, _, second = re.sub(r"\s+vs?\.\s+", "\n", name).lower().partition("\n")
    return f"{first.split()[-1]} v {second.split()[0]}".replace(",", "") if second else first


def _in_words(normal: Normal, bare: bool) -> Iterator[Citation]:
    """Sections, chapters and titles of the Code in words; a title alone only with the name of the Code."""
    if "itle" not in normal.text and "ITLE" not in normal.text:
        return
    for match in IN_WORDS.finditer(normal.text):
        parts = [match[f"{part}1"] or match[f"{part}2"] for part in ("title", "chapter", "section")]
        if match["head"] or match["after"] or (bare and parts[1]):
            subsections = BRACKETED.findall(match["sub1"] or match["sub2"] or "")
            name = "-".join(part.upper() for part in parts if part)
            yield Citation(*normal.original(*match.span()), (name,), tuple(subsections))


def _elsewhere(text: str, match: re.Match[str]) -> bool:
    """Whether another state's code is named before or after a reference."""
    before = ELSEWHERE.search(text, max(0, match.start() - 60), match.start("body"))
    return bool(before or AFTER.match(text, match.end()))


def _parts(body: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """The references in a list such as "44-5-61, 44-5-62 and 44-14-160 through 44-14-162"; a range is one of them."""
    open_start, open_end = 0, 0
    sections: tuple[str, ...] = ()
    for part in PART.finditer(body):
        section = _canonical(part["full"] or part["short"])
        if not part["full"]:  # "-162.4" means 44-14-162.4 after "44-14-162"
            section = sections[-1].rsplit("-", 1)[0] + section
        if sections and len(sections) == 1 and RANGE.search(part["joint"] or ""):
            open_end, sections = part.end(), (sections[0], section)
            continue
        if sections:
            yield open_start, open_end, sections
        open_start, open_end, sections = part.end("joint") if part["joint"] else part.start(), part.end(), (section,)
    if sections:
        yield open_start, open_end, sections


def _canonical(section: str) -> str:
    return re.sub(BREAK, "-", section).upper()


def within(section: str, ends: tuple[str, ...]) -> bool:
    """Whether a section is in a range of one chapter, ends included, by number."""
    chapter, number = section.rsplit("-", 1)
    low, high = ends[0].rsplit("-", 1), ends[-1].rsplit("-", 1)
    return chapter == low[0] == high[0] and _order(low[1]) <= _order(number) <= _order(high[1])


def _order(number: str) -> tuple[int, int]:
    whole, _, part = number.partition(".")
    return int(whole), int(part or 0)
