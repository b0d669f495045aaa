"""Finds ids of guidelines, and section numbers of a contract or handbook, in text. Judges none.

A guideline id stands behind its word ("Guideline 4.2", "Policies HR-07 and HR-09") or, where the caller says that such
codes are ids, alone ("HR-07"). A section number stands behind "Section", "Article", "Paragraph", "Clause" or "§"; what
stands in brackets after it ("4.2(b)") is not compared, and a section of a statute that the text names is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scoring.base import DocumentCache
from harness.scoring.text.normalize import normalise

DASH = "[-\u2010-\u2013\u2212]"
CODE_NUMBER = rf"{DASH}\d{{1,4}}(?:\.\d{{1,3}}){{0,3}}(?![\w-]|\.\d)"
CODE = rf"[A-Z]{{1,5}}{CODE_NUMBER}"
NUMBER = r"\d{1,3}(?:\.\d{1,3}){0,4}(?![\w%]|[-,\u2010-\u2013.]\d)"
NO_UNIT = (
    r"(?!\s*(?:%|per\s?cent|dollars|(?:(?:business|calendar)\s+)?(?:minutes?|hours?|days?|weeks?|months?|years?)\b))"
)
ID = rf"(?:{CODE}|{NUMBER}{NO_UNIT})"
JOINT = rf"(?:\s*,?\s*(?:\band\b|\bor\b|&|\bto\b|\bthrough\b|{DASH})\s*|\s*,\s*)"
SUB = r"(?:\s?\(\w{1,4}\))*"
GUIDELINE = re.compile(
    r"[GgPpDdSR](?<!\w.)(?:(?i:(?<=g)uidelines?|(?<=p)olic(?:y|ies)|(?<=p)rocedures?|(?<=d)irectives?)|(?<=S)tandards?"
    rf"|(?<=R)ules?)\s+(?:(?i:no)\.\s*|(?i:number)\s+|#)?(?P<ids>{ID}(?:{JOINT}{ID})*)"
)
"""The first letter stands alone, since a pattern that starts with one of a few letters is searched for fast."""
BARE = re.compile(rf"(?P<ids>[A-Z](?<![\w$./-].)[A-Z]{{0,4}}{CODE_NUMBER})")
SECTION = re.compile(
    r"[SsAaPpCc§](?:(?<=§)§?|(?<!\w.)(?i:(?<=s)ections?|(?<=a)rticles?|(?<=p)aragraphs?|(?<=c)lauses?|(?<=s)ec\.))\s*"
    rf"(?P<ids>(?:{NUMBER}{NO_UNIT}|[IVXL]{{1,6}}(?!\w))(?:{SUB}{JOINT}(?:§\s*)?{NUMBER}{NO_UNIT})*)"
)
STATUTE = re.compile(
    rf"{SUB}(?:\s*,)?\s+(?:of|under)\s+(?:the\s+)?(?:[A-Z][\w.&-]*\s+(?:of\s+)?){{0,6}}(?:Code|Acts?|Law|Statutes?|Regulations?|Rules?|C\.F\.R|U\.S\.C)\b"
)
CODE_BEFORE = re.compile(r"(?:Code|Act|Stat(?:utes)?\.?|U\.?S\.?C\.?|C\.?F\.?R\.?|Ann\.?|Law|A\.)\s*,?\s*$")
HEADED = re.compile(rf"(?:^|\n|(?<=[.;:])\s)[ \t]*(?:[-*#]+[ \t]*)?(?P<ids>{NUMBER})[.):]?[ \t]+(?=[\"“*]*[A-Z])")
DOTTED = re.compile(r"(?P<ids>\d(?<![\w$€£.,-].)\d{0,2}(?:\.\d{1,3}){1,4})(?!\w|%|\.\d|\s*(?:%|per|million|billion))")
PART = re.compile(rf"(?P<joint>{JOINT})?(?P<id>{CODE}|{NUMBER}|[IVXL]{{1,6}}(?!\w))")
RANGE = re.compile(rf"to\b|through|{DASH}")
HINTS = ("uideline", "olic", "rocedure", "irective", "Standard", "Rule", "UIDELINE", "OLIC", "ROCEDURE", "IRECTIVE")
SECTION_HINTS = ("§", "ection", "rticle", "aragraph", "lause", "ec.", "ECTION", "RTICLE", "ARAGRAPH", "LAUSE", "EC.")
"""Parts of the words that must stand before an id; looking for them is faster than trying the pattern."""
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}


class Id(NamedTuple):
    """One id: its range in the text and its one form."""

    start: int
    end: int
    id: str


def guidelines_in(text: str, bare: bool) -> list[Id]:
    """Guideline ids in order of appearance; the word before a list belongs to its first id."""
    normal = normalise(text)
    found: dict[int, Id] = {}
    if any(hint in normal.text for hint in HINTS):
        for match in GUIDELINE.finditer(normal.text):
            found.update((part.end, part) for part in _parts(match))
    if bare:
        for match in BARE.finditer(normal.text):
            found.setdefault(match.end(), Id(match.start(), match.end(), canonical(match["ids"])))
    return [Id(*normal.original(i.start, i.end), i.id) for _, i in sorted(found.items())]


def sections_in(text: str) -> list[Id]:
    """Section numbers referred to, in order of appearance."""
    if not any(hint in text for hint in SECTION_HINTS):
        return []
    normal = normalise(text)
    found: list[Id] = []
    for match in SECTION.finditer(normal.text):
        if not (
            STATUTE.match(normal.text, match.end())
            or CODE_BEFORE.search(normal.text, max(0, match.start() - 30), match.start())
        ):
            found.extend(Id(*normal.original(i.start, i.end), i.id) for i in _parts(match))
    return found


@DocumentCache
def numbered(text: str) -> dict[str, tuple[int, int]]:
    """Where a source uses each number as a heading's or in a reference, its parents included; and each code."""
    normal = normalise(text)
    found: dict[str, tuple[int, int]] = {}
    for pattern in (HEADED, SECTION, GUIDELINE, DOTTED, BARE):
        for match in pattern.finditer(normal.text):
            parts = list(_parts(match))
            for at, part in enumerate(parts):
                place = normal.original(part.start, part.end)
                found.setdefault(part.id, place)
                if at and RANGE.search(normal.text, parts[at - 1].end, part.start):
                    found |= {i: place for i in _between(parts[at - 1].id, part.id) if i not in found}
    for number, place in list(found.items()):
        while "." in number:
            number = number.rpartition(".")[0]
            found.setdefault(number, place)
    return found


def canonical(text: str) -> str:
    """One form: upper case, plain hyphens, no leading zeros, Roman numerals as digits."""
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
