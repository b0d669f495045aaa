"""Sentences, items of lists and values of JSON in an answer that lists clauses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

SPECIAL = re.compile(r"<\|im_start\|>(?:assistant|(?s:user.*))|<\|?/?[a-z_]{1,20}\|?>|```(?:\w+(?=\s*\n))?", re.I)
"""Special tokens, and code fences with their language."""
TABLE_HEAD = re.compile(r"^[ \t]*\|[^\n]*\n(?=[ \t]*\|[ \t|:-]*$)", re.M)
BRACKETS = re.compile(r"(?!\A\([^()]*\)\W*\Z)\([^()\n]{0,400}\)|\[[,;§.\s–-]*\d[\d,;§.\s–-]*\]")
HIDDEN = "\0"
JSON = re.compile(r"(?:^|:)[ \t]*(?=\{\s*\"|\[\s*[\"{])", re.M)
"""What leads to an object, or to a list of names."""
JSON_DECODER = json.JSONDecoder(object_pairs_hook=tuple)
LINE = re.compile(r"[^\n\r]+")
SPLIT = re.compile(r"(?P<item>[;•●▪◦‣·])|(?<=[\w)\]\"'”’*%_][.!?])[\"'”’*_)]*\s+(?=[A-Z\"“*_(\[])")
"""The end of an item or a sentence in a line."""
HEADLINE = re.compile(r"[ \t]*(?:#+[^\n]*|\*\*[^*\n]+\*\*[ \t]*)\n\s*[-*+•\d|#]")
"""A line that is a heading by its marks."""
LEAD_IN = re.compile(
    r"\s*(?:(?!\[\s?\])(?:\[[\dxX✓✔, ]{1,9}\]|[-*+–—#>\[\"'“(✓✔✅]+)\s*)*"
    r"(?:\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{2,5})[.)]\s+)?[*_\s]*(?i:(?:yes|sure|certainly)\s*,\s*)?"
)
"""Bullets, numbers and marks of quotation or emphasis before an item."""
BULLET = re.compile(r"[-*+–—#✓✔✅\d.]|[a-zA-Z]\)")


class Unit(NamedTuple):
    """A sentence, an item of a list, or a value of JSON; `body` is where it begins after its bullet."""

    start: int
    body: int
    end: int
    is_bulleted: bool = False
    follows: bool = False
    """Whether it follows another sentence in its line."""
    is_heading: bool = False
    json: object = None
    """An object of JSON is a tuple of pairs."""


def flat(text: str) -> str:
    """The text with its special marks as line breaks, and with what is in brackets hidden from the separators."""
    for marks in (SPECIAL, TABLE_HEAD):
        text = marks.sub(lambda m: "\n" * len(m[0]), text)
    return BRACKETS.sub(lambda m: m[0][0] + HIDDEN * (len(m[0]) - 2) + m[0][-1], text)


def units(text: str, shown: str) -> Iterator[Unit]:
    """Objects and lists of JSON in an answer, and the sentences and items around them; `text` is the flat one."""
    at = end = 0
    while start := JSON.search(text, end):
        try:
            value, end = JSON_DECODER.raw_decode(shown, start.end())
        except (ValueError, RecursionError):
            break
        yield from sentences(text, at, start.end())
        yield Unit(start.end(), start.end(), end, json=value)
        at = end
    yield from sentences(text, at, len(text))


def sentences(text: str, start: int, end: int) -> Iterator[Unit]:
    """The sentences and items of lists in a range of a flat text."""
    for line in LINE.finditer(text, start, end):
        is_heading = bool(HEADLINE.match(text, line.start()))
        splits = list(SPLIT.finditer(text, _lead_in(text, *line.span())[0], line.end()))
        starts = [(line.start(), False), *((split.end(), not split["item"]) for split in splits)]
        ends = [*(split.start() for split in splits), line.end()]
        for (at, follows), stop in zip(starts, ends, strict=True):
            yield Unit(at, *_lead_in(text, at, stop), follows, is_heading)


def _lead_in(text: str, start: int, end: int) -> tuple[int, int, bool]:
    """Where a unit begins after its bullet, where it ends, and whether it has a bullet."""
    lead_in = LEAD_IN.match(text, start, end)
    return (lead_in.end(), end, bool(BULLET.search(lead_in[0]))) if lead_in else (start, end, False)
