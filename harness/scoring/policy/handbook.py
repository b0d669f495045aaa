"""Parse the guidelines that a document shows, and what a case of a handbook asks and expects.

A guideline is a paragraph of the source, or a line, that begins with its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from harness.errors import UserError
from harness.schema import Case
from harness.scoring.policy.register import (
    LABEL,
    MARKED,
    Register,
    canonical,
    departments_in,
    id_ranges,
    ids_in,
    register,
)
from harness.scoring.text.normalize import plain
from harness.scoring.text.quantities import Figure, figures_in
from harness.scoring.text.refusals import declines

POINTS = re.compile(r"[\w.-]+ points?")
TIMES = re.compile(r"(?<=x)| times\b")
NUMBER = re.compile(r"[\w.,]+")


class Guideline(NamedTuple):
    """One guideline in the source."""

    start: int
    end: int
    text: str
    figures: dict[str, tuple[int, int]]
    """Range in the source by unit and value."""


class ExpectedAnswer(NamedTuple):
    """What a right answer states; empty if the handbook has no answer."""

    ids: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    """Unit and value."""
    words: tuple[str, ...] = ()
    """Other values, in lower case."""
    declines_rest: bool = False
    """Whether the answer must also say that the handbook does not answer the rest of the question."""

    @property
    def answerable(self) -> bool:
        return bool(self.ids or self.departments or self.figures or self.words)


class HandbookQuestion(NamedTuple):
    """What a case asks and expects."""

    register: Register
    expected: ExpectedAnswer
    mentioned: frozenset[str]
    """Ids, departments and figures that the question names."""
    granted: frozenset[str]
    """Departments and figures that a right answer names, if the case has one in words."""


def read_question(case: Case) -> HandbookQuestion:
    """Parse a case. Raises UserError if it has no register, or expects an id that the register lacks."""
    missing = [name for name in ("guidelines", "departments") if name not in case.input]
    if missing:
        raise UserError(
            f"case '{case.id}': input lacks '{missing[0]}'. List the whole handbook's {missing[0]}, separated by ';'"
        )
    inputs = case.input
    expected = tuple(case.expected)
    lists = inputs["guidelines"], inputs["departments"]
    return _parsed(inputs.get("question", ""), expected, *lists, inputs.get("answer", ""), case.id)


@lru_cache(maxsize=1024)
def _parsed(
    question: str, expected: tuple[str, ...], guidelines: str, departments: str, answer: str, case_id: str
) -> HandbookQuestion:
    known = register(guidelines, departments)
    ids = frozenset(m.label for m in ids_in(plain(question), known))
    return HandbookQuestion(
        known, _expected(expected, known, case_id), ids | _named(plain(question), known), _named(plain(answer), known)
    )


def _named(text: str, known: Register) -> frozenset[str]:
    """Departments and figures of a text."""
    figures = values_in(text, id_ranges(text, known))
    return frozenset(m.label for m in departments_in(text, known)) | frozenset(map(value_of, figures))


def _expected(expected: tuple[str, ...], known: Register, case_id: str) -> ExpectedAnswer:
    """The expected parts by kind."""
    parts = [item for item in expected if not declines(item)]
    ids, departments, figures, words = [], [], [], []
    for item in parts:
        number = canonical(item)
        if number in known.ids and (item in known.written or not item.isdecimal()):
            ids.append(number)
        elif item in known.names.values():
            departments.append(item)
        elif MARKED.match(item):
            raise UserError(f"case '{case_id}': expected {item!r} is not in the handbook's list of guidelines")
        elif in_item := figures_of(item):
            figures.append(value_of(in_item[0]))
        else:
            words.append(plain(item).casefold())
    rest = bool(parts) and len(parts) < len(expected)
    return ExpectedAnswer(tuple(ids), tuple(departments), tuple(figures), tuple(words), rest)


def value_of(figure: Figure) -> str:
    """Return unit and value of a figure as one text; a bare count has the unit ''."""
    return f"{figure.unit.replace(' ', '-')} {figure.value}"


HEAD_OF_LINE = re.compile(rf"^[*#> \t]*(?:{LABEL}\s*)?", re.I | re.M)


@lru_cache(maxsize=256)
def guidelines_of(document: str, known: Register) -> dict[str, Guideline]:
    """Parse the guidelines that a document shows, by canonical id: from a head to the next or to an empty line."""
    heads = list(_heads(document, known))
    guidelines: dict[str, Guideline] = {}
    for at, (number, start) in enumerate(heads):
        following = heads[at + 1][1] if at + 1 < len(heads) else len(document)
        text = re.split(r"\n\s*\n", document[start:following], maxsplit=1)[0].rstrip()
        ids = id_ranges(text, known)
        figures = {value_of(f): (start + f.start, start + f.end) for f in values_in(text, ids)}
        # A shorter text of the same id is a line that begins with a reference.
        if number not in guidelines or len(text) > len(guidelines[number].text):
            guidelines[number] = Guideline(start, start + len(text), text, figures)
    return guidelines


def _heads(document: str, known: Register) -> Iterator[tuple[str, int]]:
    """Ids that begin a line, with the start of the line."""
    for line in HEAD_OF_LINE.finditer(document):
        patterns = [known.coded, known.number] if known.coded else [known.number]
        for match in filter(None, (pattern.match(document, line.end()) for pattern in patterns)):
            number = canonical(match[0])
            is_labelled = line[0].strip("*#> \t") != ""
            if number in known.ids and (is_labelled or not match[0].isdecimal()):
                yield number, line.start()
                break


def values_in(text: str, ids: Sequence[tuple[int, int]]) -> list[Figure]:
    """List the figures of a text that are not ids."""
    return [f for f in figures_of(text) if not any(i[0] <= f.start < i[1] for i in ids)]


def figures_of(text: str) -> list[Figure]:
    """List the figures of a text; a handbook's points are a count ("a warning at seven points"), 1.6 times is 160%."""
    return [
        f._replace(kind="count", unit="", value=f.value / 100, step=f.step / 100)
        if f.kind == "percent" and isinstance(f.value, Fraction) and POINTS.fullmatch(text, f.start, f.end)
        else f._replace(kind="percent", unit="bp", value=f.value * 10_000)
        if f.unit == "" and isinstance(f.value, Fraction) and f.value.denominator > 1 and TIMES.match(text, f.end)
        else f
        for f in figures_in(text)
    ]


def number_of(figure: str) -> str:
    """Return the number of a written figure as a count without a unit, or the empty string if it has none."""
    number = NUMBER.search(figure)
    read = figures_of(number[0]) if number else []
    return value_of(read[0]) if read else ""
