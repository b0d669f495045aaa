"""Cases and training rows: single paragraphs of instruments, and which of six types of clauses they contain.

python -m evalsuites.legal.paragraphs.cases --split train --out train.jsonl
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from evalsuites.legal.clauses.cases import answer
from evalsuites.legal.instruments.documents import Instrument
from evalsuites.legal.instruments.excerpts import Excerpt, excerpts, of_split, shuffled, tags_of
from evalsuites.training_rows import command
from harness.schema import Case

ASKED = {
    "security deed": ("future advances", "tax and insurance escrow"),
    "purchase agreement": ("financing contingency", "closing costs"),
    "commercial lease": ("holdover", "early termination"),
    "residential lease": ("holdover", "early termination"),
}
"""The clauses that are asked for, by kind of instrument."""
TYPES = tuple(dict.fromkeys(name for names in ASKED.values() for name in names))
MOST_WORDS = 100
PER_INSTRUMENT = {True: 2, False: 2}
"""Paragraphs of one test instrument with a clause of these types, and without."""
ROWS = {"train": 444, "dev": 93}
"""Rows written when --rows is not given."""
TURNS = (True, False, False)
"""Training rows with a clause, and without, in turn."""


def paragraphs(instrument: Instrument, seed: str) -> list[Excerpt]:
    """Return an instrument's paragraphs in the random order of a seed."""
    return shuffled(excerpts(instrument, (1,), MOST_WORDS), seed)


def asked_in(instrument: Instrument) -> tuple[str, ...]:
    """Return the types that are asked for in an instrument of its kind."""
    return ASKED[instrument.sidecar.instrument]


def types_in(excerpt: Excerpt) -> list[str]:
    """Return which of the types asked for a paragraph has, in their order in the question."""
    return [name for name in asked_in(excerpt.instrument) if name in excerpt.types]


def eval_cases() -> list[Case]:
    """Return the suite's cases, always the same: of each instrument two paragraphs with a clause and two without."""
    cases: list[Case] = []
    for instrument in of_split("test"):
        drawn = paragraphs(instrument, instrument.id)
        for has_clause, most in PER_INSTRUMENT.items():
            cases += [case_of(each) for each in drawn if bool(types_in(each)) == has_clause][:most]
    return cases


def case_of(excerpt: Excerpt) -> Case:
    """Return the case of one paragraph."""
    types = types_in(excerpt)
    tags = tags_of(excerpt.instrument)
    tags["kind"] = "clause" if types else "no_such_clause"
    if types:
        tags["clause"] = types[0]
    return Case(
        id=f"{excerpt.instrument.id}-p{excerpt.first}",
        input={
            "document": excerpt.text,
            "clause_types": "; ".join(asked_in(excerpt.instrument)),
        },
        expected=types,
        cluster=excerpt.instrument.id,
        tags=tags,
    )


def training_pairs(split: str, rows: int, seed: int, without: str | None = None) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, instruments in turn, until there are `rows` or no more.

    `without` keeps the cases but takes one clause type out of every answer.
    """
    left: dict[bool, list[list[Excerpt]]] = {True: [], False: []}
    for instrument in of_split(split):
        drawn = paragraphs(instrument, f"{seed} {instrument.id}")
        for kind, every in left.items():
            every.append([each for each in drawn if bool(types_in(each)) == kind])
    turns = {kind: _in_turn(every) for kind, every in left.items()}
    for _, kind in zip(range(rows), cycle(TURNS), strict=False):
        excerpt = next(turns[kind], None)
        if excerpt is None:
            return
        case = case_of(excerpt)
        yield case, answer(name for name in case.expected if name != without)


def _in_turn(drawn: list[list[Excerpt]]) -> Iterator[Excerpt]:
    """Yield one paragraph of each instrument, then a second one of each, and so on."""
    for at in range(max(map(len, drawn), default=0)):
        yield from (each[at] for each in drawn if at < len(each))


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, without=TYPES)
