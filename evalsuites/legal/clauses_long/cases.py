"""Cases and training rows: whole instruments with numbered paragraphs, and the types of clauses in them.

python -m evalsuites.legal.clauses_long.cases --split train --out train.jsonl
"""

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from evalsuites.legal.clauses.cases import asked_in
from evalsuites.legal.instruments.documents import Instrument
from evalsuites.legal.instruments.excerpts import numbered, of_split, paragraph_of, tags_of
from evalsuites.training_rows import command
from harness.schema import Case

PARTS = 2
"""Cases of one test instrument with clauses; each asks about another part of its types. One more has none."""
LENGTHS = ((1000, "under 1,000 words"), (1200, "1,000 to 1,199 words"))
LONGEST = "1,200 words or more"
ROWS = {"train": 1200, "dev": 120}
"""Rows written when --rows is not given."""


def eval_cases(source: str | Path = "test") -> list[Case]:
    """Return the suite's cases, always the same.

    `source` may be a folder of other instruments.
    """
    return [
        case_of(instrument, types, f"{instrument.id}-{part}")
        for instrument in of_split(source)
        for part, types in enumerate(parts(instrument, instrument.id), 1)
    ]


def parts(instrument: Instrument, seed: str) -> list[list[str]]:
    """Deal the clause types of an instrument's kind into parts, at random, and add a part of types that it lacks.

    The added part is made of its near misses and of other absent types. Types of other kinds of instruments are not
    asked for, since nobody marked in a deed what is, for example, a provision on closing costs.
    """
    rng = random.Random(seed)
    types = asked_in(instrument)
    there = {passage.type for passage in instrument.clauses}
    near = dict.fromkeys(passage.type for passage in instrument.near_misses if passage.type not in there)
    absent = [name for name in types if name not in there and name not in near]
    none = [*near, *absent]
    rng.shuffle(types)
    rng.shuffle(none)
    return [*(types[part::PARTS] for part in range(PARTS)), none]


def case_of(instrument: Instrument, types: list[str], case_id: str) -> Case:
    """Return the case that asks an instrument for these types."""
    places: dict[str, list[int]] = {}
    for passage in instrument.clauses:
        if passage.type in types:
            places.setdefault(passage.type, []).append(paragraph_of(instrument, passage))
    there = sorted(places, key=types.index)
    near = dict.fromkeys(p.type for p in instrument.near_misses if p.type in types and p.type not in places)
    count = len(instrument.text.split())
    return Case(
        id=case_id,
        input={
            "document": numbered(instrument),
            "clause_types": "; ".join(types),
            "near_misses": "; ".join(near),
            "places": "; ".join(listed(name, places[name]) for name in there),
        },
        expected=there,
        cluster=instrument.id,
        tags={
            **tags_of(instrument),
            "kind": "clause" if there else "no_such_clause",
            "length": next((name for most, name in LENGTHS if count < most), LONGEST),
        },
    )


def listed(name: str, paragraphs: list[int]) -> str:
    """Return a type with its paragraphs as an answer has it: `repair (9, 11)`."""
    return f"{name} ({', '.join(map(str, sorted(set(paragraphs))))})"


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers: every round asks for other parts of the types."""
    cases = (
        case_of(instrument, types, f"{instrument.id}-{turn}-{part}")
        for turn in range(rows)
        for instrument in of_split(split)
        for part, types in enumerate(parts(instrument, f"{seed} {turn} {instrument.id}"), 1)
    )
    for case in islice(cases, rows):
        yield case, case.input["places"] or "none"


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, instruments=True)
