"""Sentences, items of lists and values of JSON in an answer that lists clauses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

SPECIAL = re.compile(r"<\|?/?[a-z_]{1,20}\|?>|```(?:\w+(?=\s*\n))?", re.I)
"""Special tokens, and code fences with their language."""
TABLE_HEAD = re.compile(r"^[ \t]*\|[^\n]*\n(?=[ \t]*\|[ \t|:-]*$)", re.M)
BRACKETS = re.compile(r"\([^()\n]{0,400}\)|\[[,;§.\s–-]*\d[\d,;§.\s–-]*\]")
HIDDEN = "\0"
JSON = re.compile(r"(?:^|:)[ \t]*(?=\{\s*\"|\[\s*[\"{])", re.M)
"""What leads to an object, or to a list of names."""
JSON_DECODER = json.JSONDecoder(object_pairs_hook=tuple)
LINE = re.compile(r"[^\n\r]+")
LISTS = re.compile(r"[;•●▪◦‣·]")
SPLIT = re.compile(rf"{LISTS.pattern}|(?<=[\w)\]\"'”’*%_][.!?])[\"'”’*_)]*\s+(?=[A-Z\"“*_(\[])")
"""The end of an item or a sentence in a line."""
HEADLINE = re.compile(r"[ \t]*(?:#+[^\n]*|\*\*[^*\n]+\*\*[ \t]*)\n\s*[-*+•\d|#]")
"""A line that is a heading by its marks."""
BULLET = re.compile(
    r"\s*(?:(?!\[\s?\])(?:\[[\dxX✓✔, ]{1,9}\]|[-*+–—#>\[\"'“(✓✔✅]+)\s*)*"
    r"(?:\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{2,5})[.)]\s+)?[*_\s]*"
)
MARKED = re.compile(r"[-*+–—#✓✔✅\d.]|[a-zA-Z]\)")
"""What tells the bullet of an item from marks of quotation or emphasis."""


class Unit(NamedTuple):
    """A sentence, an item of a list, or a value of JSON."""

    start: int
    body: int
    """Where it begins after its bullet."""
    end: int
    in_list: bool
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


def units(text: str) -> Iterator[Unit]:
    """Objects and lists of JSON in a flat text, and the sentences and items around them."""
    at = end = 0
    while start := JSON.search(text, end):
        try:
            value, end = JSON_DECODER.raw_decode(text, start.end())
        except (ValueError, RecursionError):
            break
        yield from sentences(text, at, start.end())
        yield Unit(start.end(), start.end(), end, in_list=True, json=value)
        at = end
    yield from sentences(text, at, len(text))


def sentences(text: str, *place: int) -> Iterator[Unit]:
    """The sentences and items of lists in a range of a flat text."""
    for line in LINE.finditer(text, *place):
        start, stop = line.span()
        bullet = BULLET.match(text, start, stop)
        body = bullet.end() if bullet else start
        is_heading = bool(HEADLINE.match(text, start))
        splits = list(SPLIT.finditer(text, body, stop))
        listed = [True, *(bool(LISTS.match(split[0])) for split in splits)]
        in_list = any(listed[1:]) or bool(bullet and MARKED.search(bullet[0]))
        starts = [start, *(split.end() for split in splits)]
        ends = [*(split.start() for split in splits), stop]
        for at, end, is_item in zip(starts, ends, listed, strict=True):
            bullet = BULLET.match(text, at, end)
            is_bulleted = bool(bullet and MARKED.search(bullet[0]))
            if text[at:end].strip(" \t*_"):
                yield Unit(at, bullet.end(), end, in_list and is_item, is_bulleted, not is_item, is_heading)
