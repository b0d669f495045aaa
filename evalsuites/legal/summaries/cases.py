"""Cases and training rows: whole instruments with their summaries, and in training single clauses.

python -m evalsuites.legal.summaries.cases --split train --out train.jsonl
"""

import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.legal.instruments.documents import Instrument, flat
from evalsuites.legal.instruments.excerpts import Excerpt, excerpts, of_split, tags_of
from evalsuites.training_rows import command
from harness.schema import Case

WHOLE, PART = "this contract in at most 120 words", "this part of a contract in a sentence for each clause"
SIZES = (1, 2)
MOST_WORDS = 330
ROWS = {"train": 1200, "dev": 120}
"""Rows written when --rows is not given."""


def eval_cases(source: str | Path = "test") -> list[Case]:
    """Return the suite's cases, always the same: one for each instrument.

    `source` may be a folder of other instruments.
    """
    return [case_of(instrument) for instrument in of_split(source)]


def case_of(instrument: Instrument) -> Case:
    """Return the case that asks for a summary of a whole instrument."""
    sidecar = instrument.sidecar
    tags = tags_of(instrument)
    tags["summary"] = flat(sidecar.summary)
    tags["kind"] = "changed" if sidecar.stale else "plain"
    if sidecar.stale:
        tags["stale"] = " + ".join(sidecar.stale)
    return Case(
        id=instrument.id,
        input={"document": instrument.text, "what": WHOLE},
        expected=list(sidecar.terms),
        cluster=instrument.id,
        tags=tags,
    )


def part_of(excerpt: Excerpt) -> tuple[Case, str]:
    """Return the case that asks for a summary of an excerpt, with its answer: what each of its clauses says."""
    answer = " ".join(flat(passage.note) for passage in excerpt.clauses)
    case = Case(
        id=f"{excerpt.instrument.id}-p{excerpt.first}-{excerpt.last}",
        input={"document": excerpt.text, "what": PART},
        expected=[],
        cluster=excerpt.instrument.id,
        tags={"instrument": excerpt.instrument.sidecar.instrument, "kind": "part", "summary": answer},
    )
    return case, answer


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers: every whole instrument, and parts of them.

    Validation has whole instruments only, as the suite does.
    """
    rng = random.Random(f"{seed} {split}")
    chosen = of_split(split)
    pairs = [(case_of(each), flat(each.sidecar.summary)) for each in chosen]
    if split == "train":
        parts = [part for each in chosen for part in excerpts(each, SIZES, MOST_WORDS) if part.clauses]
        rng.shuffle(parts)
        pairs += map(part_of, parts[: max(0, rows - len(pairs))])
        rng.shuffle(pairs)
    yield from pairs[:rows]


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, instruments=True)
