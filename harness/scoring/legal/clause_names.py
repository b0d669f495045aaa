"""Known names of clause types in a text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from harness.scoring.text.normalize import plain


def words(listed: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(listed.split())


MAX_WORDS = 10
"""Words of a name, with small ones between."""
WORD = re.compile(r"[^\W_]+")
APOSTROPHE = re.compile("['’‘ʼ`]")
TOKEN = re.compile(rf"[^\W_]+(?:{APOSTROPHE.pattern}[^\W_]*)*")
INFLECTED = re.compile(r"(?<=x)es$|(?<=.[^s])s$")
SEPARATOR = re.compile(r"[;\n•●▪◦‣·]")
BREAK = re.compile(r"[.,:|!?]|\s[-–—]\s")
"""What a name goes across only where it is written exactly so."""
SMALL = words("a an the of for on upon to in is are and or")
"""Words between the words of a name that do not matter."""
CLAUSE = r"(?:clause|provision|covenant|language|term|requirement|obligation|right|duty|dutie|section|paragraph)s?"
"""A word that may follow a name."""


class Claim(NamedTuple):
    """A name in a text, its clause type if it is known, and what is said of it.

    That is: named, denied, absent, invented, or "none".
    """

    start: int
    end: int
    label: str = ""
    says: str = "named"


@lru_cache(maxsize=4096)
def key(name: str) -> str:
    """Return the form in which spellings of a clause type are equal: NFKC, lower case, words without punctuation."""
    text = plain(name).casefold().replace("instalment", "installment").replace("&", " and ")
    return " ".join(WORD.findall(APOSTROPHE.sub("", text)))


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    stem = INFLECTED.sub("", word)
    return stem.removesuffix("ing") if len(stem) > 6 else stem


def _forms(name: list[str]) -> list[str]:
    """The spellings under which a name is found: in one word or several, inflected, its main words in any order."""
    stems = [_stem(word) for word in name]
    main = sorted(stem for word, stem in zip(name, stems, strict=True) if word not in SMALL)
    return ["".join(stems), *([" ".join(main)] if len(main) > 1 else [])]


def _label(name: list[str], types: Mapping[str, str]) -> str | None:
    """The type of a name in another spelling; "insurance and escrow" is not the name "escrow of insurance"."""
    in_order = {name[0], name[-1]} & SMALL or {"and", "or"}.intersection(name)
    return next((types[form] for form in _forms(name)[: 1 if in_order else 2] if form in types), None)


@lru_cache(maxsize=256)
def _types_by_form(table: tuple[tuple[str, str], ...]) -> tuple[Mapping[str, str], frozenset[str]]:
    """Types by spelling, without the spellings of two types; and how the words of names begin."""
    types: dict[str, set[str]] = defaultdict(set)
    for name, label in table:
        for form in _forms(name.split()):
            types[form].add(label)
    openings = frozenset(word[:2] for name, _ in table for word in name.split())
    return {form: min(labels) for form, labels in types.items() if len(labels) == 1}, openings


def names_in(text: str, table: Mapping[str, str]) -> Iterator[Claim]:
    """The longest known name at each word; `table` maps keys to types."""
    types, openings = _types_by_form(tuple(table.items()))
    tokens = list(TOKEN.finditer(text))
    keys = [key(token[0]) for token in tokens]
    at = 0
    while at < len(tokens):
        most = MAX_WORDS if keys[at][:2] in openings else 0
        for stop in range(min(at + most, len(tokens)), at, -1):
            start, end = tokens[at].start(), tokens[stop - 1].end()
            if SEPARATOR.search(text, start, end):
                continue
            label = table.get(" ".join(keys[at:stop]))
            if not (label or BREAK.search(text, start, end)):
                label = _label(keys[at:stop], types)
            if label and (keys[at] != "no" or _is_alone(text, start, end)):
                yield Claim(start, end, label)
                at = stop - 1
                break
        at += 1


def _is_alone(text: str, start: int, end: int) -> bool:
    """Whether "no assignment" is the name of a clause, not "there is no assignment" or "no assignment clause"."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    is_led = re.search(r"[^\W\d_][^:(–—]*(?<!\s-\s)$", line)
    return not is_led and not re.match(rf"\W*{CLAUSE}\b", text[end : end + 20], re.I)
