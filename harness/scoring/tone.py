"""Finds marks of a tone: contractions, emoji, repeated marks, shouting, lists. Knows not which of them a voice allows.

Emoji are told by their place in Unicode, and a few faces made of marks (":)"); shouting is a word of four capitals or
more, so "USB" is none and "SALE" is one; two labelled lines ("Material: oak") or one bullet make a list. A contraction
with "'s" counts after a pronoun only, since "the lid's" may be a possessive.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

CONTRACTION = re.compile(
    r"\b(?:\w+n't|(?:i|you|we|they|he|she|it|that|there|who|what)'(?:re|ve|ll|d|m)"
    r"|(?:it|that|there|here|what|who|he|she|let|where|how)'s)(?!\w)",
    re.I,
)
EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\u231a-\u23ff\U0001f000-\U0001faff]+")
FACE = re.compile(r"[:;](?<![\w:;].)'?-?[)(DP](?![\w)(])")
REPEATED = re.compile(r"[!?][!?]+")
SHOUTED = re.compile(r"[A-Z](?<![\w@./'-].)[A-Z]{3,}(?![\w@/'-])")
BULLET = re.compile(r"^[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+\S", re.M)
LABEL = re.compile(r"^[ \t]*\**[A-Z][\w '-]{0,28}:\**[ \t]+\S", re.M)


class Mark(NamedTuple):
    """One mark of a tone: where, and which switch of a style guide speaks of it."""

    start: int
    end: int
    switch: str


WHY = {
    "contractions": "no contractions",
    "emoji": "no emoji",
    "repeated_marks": "one mark is enough",
    "all_caps": "no shouting in capitals",
    "lists": "plain sentences, no list",
}


def marks(text: str, glossary: Collection[str], watched: Collection[str] = tuple(WHY)) -> Iterator[Mark]:
    """Every mark of the switches `watched` in an even text; a word of the glossary is no shouting."""
    return (mark for mark in _marks(text, glossary, watched) if mark.switch in watched)


def _marks(text: str, glossary: Collection[str], watched: Collection[str]) -> Iterator[Mark]:
    if "'" in text and "contractions" in watched:
        yield from (Mark(*m.span(), "contractions") for m in CONTRACTION.finditer(text))
    if not text.isascii():
        yield from (Mark(*m.span(), "emoji") for m in EMOJI.finditer(text))
    if ":" in text or ";" in text:
        yield from (Mark(*m.span(), "emoji") for m in FACE.finditer(text))
    if "!" in text or "?" in text:
        yield from (Mark(*m.span(), "repeated_marks") for m in REPEATED.finditer(text))
    yield from _shouting(text, glossary)
    yield from _lists(text)


def _shouting(text: str, glossary: Collection[str]) -> Iterator[Mark]:
    """Neighbouring words in capitals are shouted once."""
    start = end = -1
    for match in SHOUTED.finditer(text):
        if match[0] in glossary:
            continue
        if start >= 0 and not text[end : match.start()].strip():
            end = match.end()
            continue
        if start >= 0:
            yield Mark(start, end, "all_caps")
        start, end = match.span()
    if start >= 0:
        yield Mark(start, end, "all_caps")


def _lists(text: str) -> Iterator[Mark]:
    """A text is charged once for being a list, where the list begins."""
    bullet = BULLET.search(text)
    labels = [] if bullet or "\n" not in text else list(LABEL.finditer(text))
    found = bullet or (labels[0] if len(labels) > 1 else None)
    if found:
        yield Mark(found.start() + len(found[0]) - len(found[0].lstrip()), found.end(), "lists")
