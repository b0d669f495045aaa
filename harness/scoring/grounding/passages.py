"""Read a text as passages, with the figures and the parties of each in their contexts.

A passage is a sentence, over the ends of wrapped lines, or a row of a table. Parties are roles in a contract,
departments and other names that act, and people in charge ("the shift manager").
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from harness.scoring.grounding.contexts import Fact, Text
from harness.scoring.grounding.name_detection import names_in
from harness.scoring.summaries import FUNCTION, stem
from harness.scoring.text.layout import Range
from harness.scoring.text.quantities import size_key

BESIDE = 0.2
"""Weight of a word of the passages before and after."""
NAMED = 0.2
"""Least weight, at a figure, of a word that names a row or a column."""
PAIRS = (
    ("seller vendor", "buyer purchaser vendee"),
    ("landlord lessor owner licensor", "tenant lessee resident renter licensee"),
    ("lender bank holder mortgagee", "borrower grantor mortgagor"),
)
"""Roles on the two sides of a contract."""
SIDES = {
    role: (f"pair {n}", side)
    for n, pair in enumerate(PAIRS)
    for side, roles in enumerate(pair)
    for role in roles.split()
}
ROLE_TERMS = {stem(role) for role in SIDES}
NAME = r"[A-Z][a-z]+(?:['’]s?)?(?:,? (?:and |of )?[A-Z][a-z]+(?:['’]s?)?)+"
PERSON = (
    r"(?:(?<=[Tt]he )|(?<=[Yy]our )|(?<=[Tt]heir )|(?<=\ba ))(?:[a-z]+ )?(?:manager|leader|lead|supervisor|director"
    r"|foreman|overseer|controller|officer|coordinator|custodian)"
)
ACTS = re.compile(
    rf"({NAME})\s+(?:\w+ly\s+)?(?:shall|may|must|can|will|has|have|is|are|agrees?|pays?|keeps?|decides?|approves?|checks?"
    r"|sends?|gives?|hands?|runs?|orders?|signs?|answers?|books?|bears?|receives?|tells?|posts?|settles?)\b"
)
ACTED_ON = re.compile(rf"\b(?:by|to|with|from|tells?|calls?|asks?|of)\s+(?:the\s+)?({NAME})")
POSSESSIVE = re.compile(r"['’]s?\b")
LETTER = re.compile(r"(?:\b[A-Z][a-z]+ |\A)([A-Z])(?![\w'’.])")
"""A letter that tells things apart: "Class A", or the label of a row."""
CLAUSE = re.compile(r"[,;:()|](?!\d)|\b(?:and|or|but|while|whereas)\b")
UNIT = re.compile(r"minute|hour|day|week|month|year", re.I)
Key = tuple[str | int, ...]
AXES: dict[str, Callable[[Fact], Range]] = {"column": attrgetter("column"), "row": attrgetter("row")}


@dataclass(frozen=True, eq=False)
class Item:
    """A figure or a party with what it is about."""

    passages: Passages
    start: int
    end: int
    kind: str
    """What may be in its place: a unit, two sides of a contract, an organisation."""
    keys: frozenset[Key]
    """The readings of a figure, or the party."""
    fact: Fact | None = None
    """The figure; None for a party."""

    @cached_property
    def terms(self) -> dict[str, float]:
        """The terms of its context by their weight; the names of roles say nothing of a party."""
        if self.fact:
            return self.fact.terms if self.is_cell else self.passages.around((self.start, self.end))
        around = self.passages.around((self.start, self.end))
        return {term: weight for term, weight in around.items() if term not in ROLE_TERMS}

    @property
    def is_count(self) -> bool:
        return self.fact is not None and self.fact.figure.kind == "count"

    @property
    def is_cell(self) -> bool:
        return self.fact is not None and self.fact.row[0] >= 0

    def line(self, axis: str) -> Range:
        """Return the row or the column of a cell."""
        return AXES[axis](self.fact) if self.fact else (-1, -1)


class Passages:
    """A text in passages: sentences, over the ends of wrapped lines, and rows of tables."""

    def __init__(self, text: Text) -> None:
        self.text, self.written = text, text.text
        rows = {self.written.rfind("\n", 0, cell.start) + 1 for cell in text.cells}
        rows |= {self.written.find("\n", cell.end) + 1 or len(self.written) for cell in text.cells}
        sentences = (end for end in text.ends if self.written[end - 1 : end] != "\n")
        self.bounds = sorted({0, len(self.written), *sentences, *text.paragraphs, *rows})

    def passage(self, at: int, more: int = 0) -> Range:
        """Return the range of the passage at an offset, with so many on either side."""
        number, last = bisect_right(self.bounds, at), len(self.bounds) - 1
        return self.bounds[max(0, number - 1 - more)], self.bounds[min(number + more, last)]

    def around(self, place: Range) -> dict[str, float]:
        """Return the terms of a passage, and with less weight those of the passages before and after it."""
        beside = self.text.near(place, *self.passage(place[0], 1))
        return {term: weight * BESIDE for term, weight in beside.items()} | self.text.near(
            place, *self.passage(place[0])
        )

    def words(self, start: int, end: int) -> set[str]:
        """Return the terms in a range, and the letters that tell things apart."""
        return {*self.text.terms(start, end), *LETTER.findall(self.written[start:end])}

    def figures(self) -> Iterator[Item]:
        """Yield the figures."""
        for fact in self.text.facts[: len(self.text.figures)]:
            keys = frozenset(size_key(reading.unit, reading.value) for reading in fact.readings)
            yield Item(self, *fact.figure[:2], fact.figure.unit, keys, fact)

    def parties(self, named: re.Pattern[str]) -> Iterator[Item]:
        """Yield the mentions of parties."""
        for match in named.finditer(self.written):
            words = POSSESSIVE.sub("", match[0]).lower().split()
            side = SIDES[match["role"].lower()] if match["role"] else None
            if side and is_no_role(self.written, match.start(), match[0]):
                continue
            key = side or ("organisation", " ".join(words))
            yield Item(self, *match.span(), key[0], frozenset({key}))

    def clause(self, item: Item) -> set[str]:
        """Return the terms of the clause of an item, up to the next amount, or of the labels of a cell."""
        if item.is_cell:
            labels = self.text.label_ranges(item.fact.figure) if item.fact else ()
            letters = {word for label in labels for word in self.words(*label)}
            return letters | {term for term, weight in item.terms.items() if weight >= NAMED}
        first, last = self.passage(item.start)
        cuts = [match.span() for match in CLAUSE.finditer(self.written, first, last)]
        cuts += [f[:2] for f in self.text.figures if f.kind in ("money", "percent") and first <= f.start < last]
        start = max([first, *(cut[1] for cut in cuts if cut[1] <= item.start)])
        end = min([last, *(cut[0] for cut in cuts if cut[0] >= item.end)])
        return self.words(start, item.start) | self.words(item.end, end)

    def unit(self, item: Item) -> str:
        """Return the unit of time that a period is written in, and how exact a date is."""
        if item.kind == "date" and item.fact:
            return str(len(str(item.fact.figure.value)))
        is_period = item.fact is not None and item.fact.figure.kind == "duration"
        words = UNIT.findall(self.written, item.start, item.end) if is_period else ()
        return words[-1].lower() if words else ""


def is_no_role(text: str, start: int, role: str) -> bool:
    """Whether a role is a word of a name ("Citizens Bank") or an ordinary word ("bank statements")."""
    before = text[max(0, start - 16) : start].rstrip().rpartition(" ")[2]
    if role[0].isupper():
        return before[:1].isupper() and before.isalpha() and before.lower() not in FUNCTION
    return before.lower() not in ("the", "by", "to", "from", "each", "either", "a", "an")


def parties_of(document: str) -> re.Pattern[str]:
    """The pattern of the parties of a source: roles in a contract, departments, and names that act in it."""
    acts, acted_on = (set(pattern.findall(document)) for pattern in (ACTS, ACTED_ON))
    names = {document[n.start : n.end] for n in names_in(document) if n.kind == "department"} | (acts & acted_on)
    plain = sorted({" ".join(POSSESSIVE.sub("", name).split()) for name in names}, key=len, reverse=True)
    spelled = "|".join(re.escape(name).replace(r"\ ", r"['’s]*\s+") for name in plain)
    return re.compile(rf"\b(?:(?P<name>{spelled or '(?!)'})|{PERSON}|(?P<role>(?i:{'|'.join(SIDES)})))(?:['’]?s)?\b")
