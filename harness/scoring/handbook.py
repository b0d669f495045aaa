"""Reads a handbook of numbered guidelines and what a case asks of it. Judges nothing.

A guideline is one line of the source that opens with its id ("Guideline 4.2 ..."). Knows no wording of answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.errors import UserError
from harness.schema import Case
from harness.scoring.declining import declines
from harness.scoring.figure_forms import Figure, figures_in
from harness.scoring.handbook_forms import MARKED, Register, departments_in, id_ranges, ids_in, register
from harness.scoring.kept import Kept
from harness.scoring.normal import plain

LINE = re.compile(r"^(?:Guideline\s+|§\s*)?(?P<id>\d{1,3}(?:\.\d{1,3})+[a-z]?)(?![\w%])[^\n]*", re.I | re.M)


class Line(NamedTuple):
    """One guideline as the source shows it."""

    start: int
    end: int
    text: str
    figures: dict[str, tuple[int, int]]
    """Place in the source by unit and value."""


class Wanted(NamedTuple):
    """What a right answer states; nothing at all where the handbook has no answer."""

    ids: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    """Unit and value."""
    words: tuple[str, ...] = ()
    """Other values, in lower case."""

    @property
    def answerable(self) -> bool:
        return any(self)


class Asked(NamedTuple):
    """What a case asks, as verdicts read it."""

    known: Register
    wanted: Wanted
    question: frozenset[str]
    """Ids, departments and figures that the question names."""


def asked_by(case: Case) -> Asked:
    """What a case asks. Refuses a case without a register, and an expected id that the register lacks."""
    lacking = [name for name in ("guidelines", "departments") if name not in case.input]
    if lacking:
        raise UserError(
            f"case '{case.id}': input lacks '{lacking[0]}'. List the whole handbook's {lacking[0]}, separated by ';'"
        )
    given = case.input
    return _asked(given.get("question", ""), tuple(case.expected), given["guidelines"], given["departments"], case.id)


@lru_cache(maxsize=1024)
def _asked(question: str, expected: tuple[str, ...], guidelines: str, departments: str, case_id: str) -> Asked:
    known = register(guidelines, departments)
    question = plain(question)
    named = [m.says for m in (*ids_in(question, known), *departments_in(question, known))]
    return Asked(known, _wanted(expected, known, case_id), frozenset([*named, *map(value_of, figures_in(question))]))


def _wanted(expected: tuple[str, ...], known: Register, case_id: str) -> Wanted:
    """The expected parts by kind."""
    if all(declines(item) for item in expected):
        return Wanted()
    ids, departments, figures, words = [], [], [], []
    for item in expected:
        number = MARKED.sub("", item)
        if number in known.ids:
            ids.append(number)
        elif number != item:
            raise UserError(f"case '{case_id}': expected {item!r} is not in the handbook's list of guidelines")
        elif item in known.names.values():
            departments.append(item)
        elif found := figures_in(item):
            figures.append(value_of(found[0]))
        else:
            words.append(plain(item).casefold())
    return Wanted(tuple(ids), tuple(departments), tuple(figures), tuple(words))


def value_of(figure: Figure) -> str:
    """Unit and value of a figure, as one text; a bare count has the unit ''."""
    return f"{figure.unit.replace(' ', '-')} {figure.value}"


@Kept
def lines(document: str) -> dict[str, Line]:
    """The guidelines that a source shows, by number."""
    found: dict[str, Line] = {}
    for match in LINE.finditer(document):
        at = match.start()
        figures = {value_of(f): (at + f.start, at + f.end) for f in values_in(match[0], list(id_ranges(match[0])))}
        found[match["id"]] = Line(at, match.end(), match[0], figures)
    return found


def values_in(text: str, ids: Sequence[tuple[int, int, bool]]) -> list[Figure]:
    """Figures that are no ids."""
    return [f for f in figures_in(text) if not any(i[0] <= f.start < i[1] for i in ids)]
