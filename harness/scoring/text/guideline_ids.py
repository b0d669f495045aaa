"""Find ids of guidelines, and section numbers of a contract or handbook, in text.

A guideline id follows its word ("Guideline 4.2", "Policies HR-07 and HR-09"); is alone, if the caller says that such
codes are ids ("HR-07"); or is enclosed in brackets, quotation marks or a cell, or a line's first or last, if the source
has it as a heading ("(4.2)", "| 400.1 |", "EMP 2.07"). A section number follows "Section", "Article", "Paragraph",
"Clause", "§" or a short form. Brackets after a number ("4.2(b)") are not compared, and a section of a statute that the
text names is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from harness.scoring.base import DocumentCache
from harness.scoring.text.normalize import normalise

DASH = "[-\u2010-\u2013\u2212]"
CODE = rf"[A-Z]{{1,5}}{DASH}\d{{1,4}}(?:\.\d{{1,3}}){{0,3}}[a-h]?(?![\w-]|\.\d)"
NUMBER = r"\d{1,3}(?:\.\d{1,3}){0,4}(?![\w%]|[-,\u2010-\u2013.]\d)"
NO_UNIT = (
    r"(?!\s*(?:%|per\s?cent|dollars|(?:(?:business|calendar)\s+)?(?:minutes?|hours?|days?|weeks?|months?|years?)\b))"
)
ROMAN_NUMBER = r"[IVXL]{1,6}(?:\.\d{1,3})?(?!\w)"
ID = rf"(?:{CODE}|{NUMBER}{NO_UNIT})"
JOINT = rf"(?:\s*,?\s*(?:\band\b|\bor\b|&|\bto\b|\bthrough\b|{DASH})\s*|\s*,\s*)"
SUB = r"(?:\s?\(\w{1,4}\))*"
GUIDELINE = re.compile(
    r"(?<!\w)(?:(?i:guidelines?|polic(?:y|ies)|procedures?|directives?)|Standards?|Rules?)\s+"
    rf"(?:(?i:no)\.\s*|(?i:number)\s+|#)?(?P<ids>{ID}(?:{JOINT}{ID})*)"
)
BARE = re.compile(rf"(?<![\w$./-])(?P<ids>{CODE})")
SECTION = re.compile(
    r"(?:§§?|(?<!\w)(?i:sec(?:tions?|s?\.)|art(?:icles?|s?\.)|para(?:graphs?|s?\.)|clauses?))\s*"
    rf"(?P<ids>(?:{NUMBER}{NO_UNIT}|{ROMAN_NUMBER})(?:{SUB}{JOINT}(?:§\s*)?{NUMBER}{NO_UNIT})*)"
)
STATUTE = re.compile(
    rf"{SUB}(?:\s*,)?\s+(?:of|under)\s+(?:the\s+)?(?:[A-Z][\w.&-]*\s+(?:of\s+)?){{0,6}}(?:Code|Acts?|Law|Statutes?|Regulations?|Rules?|C\.F\.R|U\.S\.C)\b"
)
CODE_BEFORE = re.compile(r"(?:Code|Act|Stat(?:utes)?\.?|U\.?S\.?C\.?|C\.?F\.?R\.?|Ann\.?|Law|A\.)\s*,?\s*$")
HOUSE = (
    rf"(?:[A-Z]{{2,4}} \d{{1,3}}(?:\.\d{{1,3}})+|[IVXL]{{1,5}}\.\d{{1,3}}|\d{{1,3}}{DASH}\d{{2}})[a-z]?(?![\w-]|\.\d)"
)
"""Numbers of some handbooks: "EMP 2.07", "II.4", "5-04"."""
HOUSE_HEAD = re.compile(
    rf"^[-*# \t]*(?:(?i:section|article|policy|rule|§)\s*)?(?P<ids>{HOUSE})[.):]?\s+[-–\"“A-Z]", re.M
)
ENCLOSED = re.compile(
    rf"(?:^[ \t*•-]*|[(\[|\"'][ \t*]*)(?P<ids>{HOUSE}|{CODE}|\d{{1,3}}(?:\.\d{{1,3}}){{1,4}}|\d{{1,3}}(?=\([a-z]))"
    rf"(?={SUB}[ \t*]*(?:[)\]|\"'.:;,]|$))",
    re.M,
)
HEADED = re.compile(rf"(?:^|\n|(?<=[.;:])\s)[ \t]*(?:[-*#]+[ \t]*)?(?P<ids>{NUMBER})[.):]?[ \t]+(?=[\"“*]*[A-Z])")
MARKED = re.compile(rf"^[-*#> \t]*[\[(]?(?P<ids>{NUMBER})[.)\]]{{1,2}}[*_]*(?=[ \t])", re.M)
"""A number with a mark at the beginning of a line: "[12]", "(12)", "12."."""
DOTTED = re.compile(r"(?<![\w$€£.,-])(?P<ids>\d{1,3}(?:\.\d{1,3}){1,4})(?!\w|%|\.\d|\s*(?:%|per|million|billion))")
PART = re.compile(rf"(?P<joint>{JOINT})?(?P<id>{CODE}|{NUMBER}|{ROMAN_NUMBER})")
RANGE = re.compile(rf"to\b|through|{DASH}")
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}


class Id(NamedTuple):
    """One id: its range in the text and its canonical form."""

    start: int
    end: int
    id: str


def guidelines_in(text: str, bare: bool, headings: Collection[str] = ()) -> list[Id]:
    """List guideline ids in order of appearance; the word before a list is part of its first id.

    `bare` says that codes are ids also alone, `headings` which numbers are where they are enclosed.
    """
    normal = normalise(text)
    by_end: dict[int, Id] = {}
    for match in GUIDELINE.finditer(normal.text):
        by_end.update((part.end, part) for part in _parts(match))
    if bare:
        for match in BARE.finditer(normal.text):
            by_end.setdefault(match.end(), Id(match.start(), match.end(), canonical(match["ids"])))
    for match in ENCLOSED.finditer(normal.text) if headings else ():
        if canonical(match["ids"]) in headings:
            by_end.setdefault(match.end(), Id(*match.span("ids"), canonical(match["ids"])))
    return [Id(*normal.original(i.start, i.end), i.id) for _, i in sorted(by_end.items())]


def sections_in(text: str) -> list[Id]:
    """List the section numbers referred to, in order of appearance."""
    normal = normalise(text)
    ids: list[Id] = []
    for match in SECTION.finditer(normal.text):
        if not (
            STATUTE.match(normal.text, match.end())
            or CODE_BEFORE.search(normal.text, max(0, match.start() - 30), match.start())
        ):
            ids.extend(Id(*normal.original(i.start, i.end), i.id) for i in _parts(match))
    return ids


@DocumentCache
def numbered(text: str) -> dict[str, tuple[int, int]]:
    """Map each number that a source uses in a heading or reference, its parents, and each code to its first range."""
    normal = normalise(text)
    places: dict[str, tuple[int, int]] = {}
    for pattern in (HEADED, MARKED, SECTION, GUIDELINE, DOTTED, BARE):
        for match in pattern.finditer(normal.text):
            parts = list(_parts(match))
            for at, part in enumerate(parts):
                place = normal.original(part.start, part.end)
                places.setdefault(part.id, place)
                if at and RANGE.search(normal.text, parts[at - 1].end, part.start):
                    places |= {i: place for i in _between(parts[at - 1].id, part.id) if i not in places}
    for match in HOUSE_HEAD.finditer(normal.text):
        places.setdefault(canonical(match["ids"]), normal.original(*match.span("ids")))
    for number, place in list(places.items()):
        while "." in number:
            number = canonical(number.rpartition(".")[0])
            places.setdefault(number, place)
    return places


def canonical(text: str) -> str:
    """Return an id in its canonical form: upper case, plain hyphens, no leading zeros, Roman numerals as digits."""
    plain = re.sub(r"(?<![\d.])0+(?=\d)", "", re.sub(DASH, "-", text)).upper()
    if plain and all(letter in ROMAN for letter in plain):
        values = [ROMAN[letter] for letter in plain]
        return str(sum(-v if v < max(values[i:]) else v for i, v in enumerate(values)))
    return plain


def _parts(match: re.Match[str]) -> Iterator[Id]:
    offset = match.start("ids")
    first = match.start()
    while match.string[first] in " \t\n\r":
        first += 1
    for at, part in enumerate(PART.finditer(match["ids"])):
        yield Id(offset + part.start("id") if at else first, offset + part.end(), canonical(part["id"]))


def _between(first: str, last: str) -> list[str]:
    """The numbers of a range of one parent, such as 4.1 through 4.5."""
    parent, _, low = first.rpartition(".")
    other, _, high = last.rpartition(".")
    if parent != other or not (low.isdecimal() and high.isdecimal()):
        return []
    return [f"{parent}.{n}" if parent else str(n) for n in range(int(low), min(int(high), int(low) + 200) + 1)]
