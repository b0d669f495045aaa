"""Cases and training rows: single paragraphs of instruments, and which of six types of clauses they contain.

python -m evalsuites.legal.paragraphs.cases --split train --out train.jsonl
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.legal.clauses.cases import answer
from evalsuites.legal.instruments.documents import Instrument
from evalsuites.legal.instruments.excerpts import Excerpt, excerpts, of_split, shuffled
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
ROWS = {"train": 2901, "dev": 64}
"""Rows written when --rows is not given; of `train` there are no more."""
WRITTEN = Path(__file__).parent / "written.jsonl"


def paragraphs(instrument: Instrument) -> list[Excerpt]:
    """Return an instrument's paragraphs in a random order, always the same."""
    return shuffled(excerpts(instrument, (1,), MOST_WORDS), instrument.id)


def types_in(excerpt: Excerpt) -> list[str]:
    """Return which of the types asked for a paragraph has, in their order in the question."""
    return [name for name in ASKED[excerpt.instrument.sidecar.instrument] if name in excerpt.types]


def eval_cases(source: str | Path = "test") -> list[Case]:
    """Return the suite's cases, always the same: of each instrument two paragraphs with a clause and two without.

    `source` may be a folder of other instruments.
    """
    cases: list[Case] = []
    for instrument in of_split(source):
        drawn = paragraphs(instrument)
        for has_clause, most in PER_INSTRUMENT.items():
            cases += [case_of(each) for each in drawn if bool(types_in(each)) == has_clause][:most]
    return cases


def case_of(excerpt: Excerpt) -> Case:
    """Return the case of one paragraph."""
    instrument = excerpt.instrument
    sidecar = instrument.sidecar
    name = f"{instrument.id}-p{excerpt.first}"
    return _case(name, sidecar.instrument, excerpt.text, types_in(excerpt), sidecar.style, instrument.id)


def _case(name: str, instrument: str, text: str, types: list[str], style: str, cluster: str) -> Case:
    tags = {
        "instrument": instrument,
        "style": style,
        "state": "Georgia",
        "kind": "clause" if types else "no_such_clause",
    }
    return Case(
        id=name,
        input={"document": text, "clause_types": "; ".join(ASKED[instrument])},
        expected=types,
        cluster=cluster,
        tags=tags | ({"clause": types[0]} if types else {}),
    )


def training_pairs(
    split: str, rows: int, seed: int, without: str | None = None, times: int = 1
) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, in a random order.

    `train` has all cases, among them those written for training, and so many `times` those with a clause.

    `without` keeps the cases but takes one clause type out of every answer.
    """
    rng = random.Random(f"{seed} {split}")
    cases = [case_of(each) for instrument in of_split(split) for each in paragraphs(instrument)]
    if split == "train":
        cases += written()
        cases += [case for case in cases if case.expected] * (times - 1)
    rng.shuffle(cases)
    for case in cases[:rows]:
        yield case, answer(name for name in case.expected if name != without)


def written() -> Iterator[Case]:
    """Yield the paragraphs that were written for training alone."""
    for number, line in enumerate(WRITTEN.read_text("utf-8").splitlines(), 1):
        row = json.loads(line)
        yield _case(
            f"written-{number:03}", row["instrument"], row["text"], row["types"], "written", f"written-{number:03}"
        )


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, without=TYPES, instruments=True)
