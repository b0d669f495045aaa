"""Count the things that a text lists: items of a list, rows of a table, and names in a row, by the words that lead in.

A count of an answer is right if a list of the source with its noun has as many items. It is wrong only if all lists
with its noun together have fewer: a smaller number may count some of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from harness.scoring.base import DocumentCache
from harness.scoring.grounding.contexts import Text, source_of
from harness.scoring.summaries import FUNCTION, stem

ITEM = re.compile(r"(?P<indent>[ \t]*)(?:(?P<bullet>[-*•–])|\(?(?P<number>\d{1,2}|[a-z]|[ivx]{1,4})[.)])[ \t]+(?=\S)")
INLINE = re.compile(r"(?<!\w)\((?P<mark>[a-h]|\d)\)\s")
NAME = r"(?:[A-Z][\w.&'’-]*)(?:\s+(?:of\s+)?[A-Z][\w.&'’-]*)*"
NAMES = re.compile(rf"(?P<first>{NAME})(?P<more>(?:,\s+{NAME})*),?\s+and\s+(?P<last>{NAME})")
TOTAL = re.compile(r"\W*(?:total|all|average|sum|net|overall|mean)\b", re.I)
WORD = re.compile(r"[A-Za-z]+")
NOUN = re.compile(r"(?:\s+[A-Za-z-]+){1,4}")
GENERIC = frozenset(
    map(stem, ("parts", "items", "steps", "things", "elements", "components", "points", "pieces", "documents"))
)
"""Nouns of the items of any list, which its lead need not have."""
MIN_SHARED = 4
MOST_ENDING = 2
"""Letters that two forms of a word have in common, and those that they may differ in: "signers" and "signed"."""


class Listing(NamedTuple):
    """A list: how many things it has, the stems of the words that lead it in, and of those that may name its items."""

    size: int
    words: frozenset[str]
    nouns: frozenset[str]


def stems(text: str) -> frozenset[str]:
    """Return the stems of the words with content."""
    return frozenset(stem(word) for word in map(str.lower, WORD.findall(text)) if word not in FUNCTION)


def _listing(size: int, lead: str) -> Listing:
    return Listing(size, stems(lead), stems(" ".join(word for word in WORD.findall(lead) if word.endswith("s"))))


def noun_after(text: str, end: int) -> str:
    """Return the stem of the noun that a number counts: the last plural of the words after it, or ""."""
    match = NOUN.match(text, end)
    words = []
    for word in WORD.findall(match[0].lower()) if match else ():
        if word in FUNCTION:
            break
        words.append(word)
    plurals = [word for word in words[:3] if word.endswith("s") and not word.endswith("ss")]
    return stem(plurals[-1]) if plurals else ""


def is_form_of(one: str, other: str) -> bool:
    """Whether two stems are of one word: "signer" and "sign"."""
    shared = max(MIN_SHARED, max(len(one), len(other)) - MOST_ENDING)
    return one == other or (min(len(one), len(other)) >= shared and one[:shared] == other[:shared])


@DocumentCache
def listings_of(document: str) -> tuple[Listing, ...]:
    """Return the lists of a source."""
    return tuple(listings_in(source_of(document)))


def listings_in(text: Text) -> Iterator[Listing]:
    """Yield the lists of a text."""
    yield from _lines(text.text)
    yield from _inline(text)
    yield from _tables(text)
    for match in NAMES.finditer(text.text):
        start, end = text.sentence(match.start())
        count = 2 + match["more"].count(", ")
        if count > 2:
            words = stems(text.text[start : match.start()] + " " + text.text[match.end() : end])
            yield Listing(count, words, words)


def _lines(text: str) -> Iterator[Listing]:
    """Lists with an item on each line; a line that is no item and no continuation of one leads in the next list."""
    lead, count, kind = "", 0, ""
    for line in [*text.splitlines(), "end"]:
        item = ITEM.match(line)
        here = (
            "" if not item else item["indent"] + ("-" if item["bullet"] else "1" if item["number"].isdigit() else "a")
        )
        if item and (not count or here == kind):
            kind = here if not count else kind
            count += 1
        elif line.strip() and not (count and (item or line[0].isspace())):
            if count > 1:
                yield _listing(count, lead)
            lead, count = line, 1 if item else 0
            kind = here


def _inline(text: Text) -> Iterator[Listing]:
    """Lists such as "(a) a form; (b) a survey; and (c) a fee"."""
    run: list[re.Match[str]] = []
    for match in [*INLINE.finditer(text.text), None]:
        expected = chr(ord(run[-1]["mark"]) + 1) if run else ""
        if match and match["mark"] == expected:
            run.append(match)
            continue
        if len(run) > 1:
            start = run[0].start()
            yield _listing(len(run), text.text[text.sentence(start)[0] : start])
        run = [match] if match and match["mark"] in "a1" else []


def _tables(text: Text) -> Iterator[Listing]:
    """The rows of tables, without their totals, by the words of the caption and of the first head."""
    for _, cells in groupby(text.cells, key=lambda cell: cell.table):
        rows: dict[int, str] = {}
        captions: dict[str, None] = {}
        for cell in cells:
            first = text.text[slice(*cell.labels[0])] if cell.labels else ""
            rows.setdefault(cell.row, first)
            captions |= dict.fromkeys(text.text[start:end] for start, end in cell.captions)
        count = sum(not TOTAL.match(label) for label in rows.values())
        if count > 1:
            yield _listing(count, " ".join(captions))


def counted(noun: str, sentence: Iterable[str], listings: Iterable[Listing]) -> list[int]:
    """Return the sizes of the lists that a noun counts, in a sentence with these stems."""
    others = set(sentence) - {noun}
    return [
        listing.size
        for listing in listings
        if any(is_form_of(noun, word) for word in listing.nouns) or (noun in GENERIC and others & listing.words)
    ]
