"""Cases and training rows: whole instruments, and questions on the sections of the Georgia Code that they name.

python -m evalsuites.legal.citations.cases --split train --out train.jsonl
"""

import random
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from evalsuites.legal.citations.floor import sections_of
from evalsuites.legal.instruments.documents import Instrument, Question
from evalsuites.legal.instruments.excerpts import excerpts, of_split
from evalsuites.training_rows import command
from harness.schema import Case

NONE = "not in the document"
ABSENT = "not_in_document"
SIZES = (2, 3, 4)
MOST_WORDS = 450
PARTS = 2
"""Excerpts of a training instrument for one question: so many that name the section, and so many that do not."""
ROWS = {"train": 1200, "dev": 120}
"""Rows written when --rows is not given."""


def eval_cases(source: str | Path = "test") -> list[Case]:
    """Return the suite's cases, always the same.

    `source` may be a folder of other instruments.
    """
    return [case for instrument in of_split(source) for case, _ in questions_of(instrument)]


def questions_of(instrument: Instrument) -> Iterator[tuple[Case, str]]:
    """Yield the questions on one instrument with their right answers."""
    for number, question in enumerate(instrument.sidecar.questions, 1):
        yield case_of(instrument, question, number), answer(question)


def answer(question: Question) -> str:
    """Return the right answer: what is required, and the section."""
    return "; ".join(question.answer) or NONE


def case_of(instrument: Instrument, question: Question, number: int) -> Case:
    """Return the case of one question."""
    tags = {"kind": question.kind, "instrument": instrument.sidecar.instrument, "state": "Georgia"}
    tags["answer"] = answer(question)
    if question.stale:
        tags["stale"] = " + ".join(question.stale)
    return Case(
        id=f"{instrument.id}-q{number}",
        input={"document": instrument.text, "question": question.ask},
        expected=list(question.answer),
        cluster=instrument.id,
        tags=tags,
    )


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield questions of `train` or `dev` with their right answers; validation has whole instruments only.

    Training also asks parts of the instruments: with the paragraphs that name the section, and without them.
    """
    rng = random.Random(f"{seed} {split}")
    pairs = [pair for instrument in of_split(split) for pair in questions_of(instrument)]
    if split == "train":
        pairs += [pair for instrument in of_split(split) for pair in _parts(instrument, rng)]
    rng.shuffle(pairs)
    yield from pairs[:rows]


def _parts(instrument: Instrument, rng: random.Random) -> Iterator[tuple[Case, str]]:
    """Ask excerpts what can be told from a part: questions whose whole answer is one section, and those without one."""
    windows = list(excerpts(instrument, SIZES, MOST_WORDS))
    for number, question in enumerate(instrument.sidecar.questions, 1):
        if question.stale or len(question.answer) > 1:
            continue
        section = sections_of(" ".join(question.answer))
        naming = [each for each in windows if section and section <= sections_of(each.text)]
        others = [each for each in windows if each not in naming]
        for drawn, right in ((naming, question.answer), (others, ())):
            for excerpt in rng.sample(drawn, min(PARTS if section else 2 * PARTS, len(drawn))):
                part = replace(question, answer=right, kind=question.kind if right == question.answer else ABSENT)
                case = case_of(instrument, part, number)
                document = {"document": excerpt.text}
                name = f"{case.id}-p{excerpt.first}-{excerpt.last}"
                yield replace(case, id=name, input=case.input | document), answer(part)


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, instruments=True)
