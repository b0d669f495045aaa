"""Finds key terms in a text: listed words in any case, and figures in any way to write them. Judges no text.

A term is one or more alternatives, `deposit|earnest money`. An alternative that is a figure (`$25,000`, `30 days`) is
found wherever the same value is written; any other is found as whole words.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from harness.scoring.figure_forms import SizeKey, figures_in, size_key
from harness.scoring.normal import normalise
from harness.scoring.phrases import lower

BREAK_COST = 80
"""Characters that the end of a sentence counts as."""
MOST_PLACES = 50
"""Places of one term that are looked at; an answer with more of them is no summary."""
BREAK = re.compile(r"[.;!?\n](?:(?<=\n)|(?=\s))")
GAPS = re.compile(r"\s\s")
SAME_LENGTH = str.maketrans({"’": "'", "‘": "'", "\u2010": "-", "\u2011": "-", "\u2013": "-", "\n": " ", "\t": " "})

Place = tuple[int, int]
"""Where a term stands: first character and one past the last."""


class Term(NamedTuple):
    """One key term in its alternatives."""

    says: str
    words: tuple[str, ...]
    """Lower-case alternatives in words."""
    figures: frozenset[SizeKey]
    """Alternatives that are figures, by unit and value."""
    kinds: frozenset[str]
    """Kinds of those figures."""


class Standing(NamedTuple):
    """A place with the ends of sentences before it added on, so that distances grow over them."""

    start: int
    end: int
    place: Place


class Reading(NamedTuple):
    """An answer made ready for look-ups; places are offsets into the original."""

    text: str
    """Lower case, single spaces."""
    origin: Sequence[int] | None
    """Offset of each of its characters in the original, None where equal."""
    figures: Mapping[SizeKey, list[Place]]
    """Places of its figures by unit and value."""
    breaks: Sequence[int]
    """Ends of its sentences."""

    def standing(self, place: Place) -> Standing:
        start, end = place
        breaks = self.breaks
        return Standing(
            start + BREAK_COST * bisect_left(breaks, start), end + BREAK_COST * bisect_left(breaks, end), place
        )


@lru_cache(maxsize=4096)
def term_of(written: str) -> Term:
    """The term that `a|b` stands for."""
    words, figures, kinds = [], set(), set()
    for alternative in (part.strip() for part in written.split("|")):
        whole = [f for f in figures_in(alternative) if (f.start, f.end) == (0, len(alternative))]
        if whole:
            figures.add(size_key(whole[0].unit, whole[0].value))
            kinds.add(whole[0].kind)
        elif alternative:
            words.append(" ".join(alternative.lower().translate(SAME_LENGTH).split()))
    return Term(written.strip(), tuple(words), frozenset(figures), frozenset(kinds))


def read(text: str, whole: int | None = None) -> Reading:
    """An answer, up to the offset `whole`, made ready for look-ups."""
    cut = text if whole is None else text[:whole]
    normal = normalise(cut)
    low = lower(normal.text.translate(SAME_LENGTH))
    origin: Sequence[int] | None = normal.starts
    if GAPS.search(low):
        kept = [i for i, c in enumerate(low) if not (c.isspace() and low[i - 1 : i].isspace())]
        low = "".join(" " if low[i].isspace() else low[i] for i in kept)
        origin = [origin[i] for i in kept] if origin is not None else kept
    figures: dict[SizeKey, list[Place]] = {}
    for figure in figures_in(text):
        if figure.end <= len(cut):
            figures.setdefault(size_key(figure.unit, figure.value), []).append((figure.start, figure.end))
    return Reading(low, origin, figures, [m.start() for m in BREAK.finditer(cut)])


def places(term: Term, reading: Reading) -> list[Place]:
    """Where a term stands in an answer."""
    found = [place for value in term.figures for place in reading.figures.get(value, ())]
    for words in term.words:
        found.extend(islice(_whole_words(words, reading), MOST_PLACES))
    return found[:MOST_PLACES]


def _whole_words(words: str, reading: Reading) -> Iterator[Place]:
    text, at = reading.text, reading.text.find(words)
    while at >= 0:
        end = at + len(words)
        starts_inside = at > 0 and words[0].isalnum() and text[at - 1].isalnum()
        ends_inside = end < len(text) and words[-1].isalnum() and text[end].isalnum()
        if not starts_inside and not ends_inside:
            yield (at, end) if reading.origin is None else (reading.origin[at], reading.origin[end - 1] + 1)
        at = text.find(words, at + 1)
