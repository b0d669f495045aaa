"""Cases and training rows: a few pages of an instrument, and one type of clause to quote from them.

python -m evalsuites.legal.extraction.cases --split train --out train.jsonl
"""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evalsuites.legal.clauses.cases import asked_in
from evalsuites.legal.instruments.documents import clause_types, flat
from evalsuites.legal.instruments.excerpts import Excerpt, excerpts, of_split, shuffled, tags_of
from evalsuites.training_rows import command
from harness.schema import Case

SIZES = (3, 4, 5)
MOST_WORDS = 520
PER_INSTRUMENT = {True: 3, False: 1}
"""Cases of one test instrument whose clause is there, and is not."""
ABSENT_EVERY = 4
"""One training row in so many asks for a clause that is not there."""
ROWS = {"train": 1600, "dev": 160}
"""Rows written when --rows is not given."""


def eval_cases(source: str | Path = "test") -> list[Case]:
    """Return the suite's cases, always the same: the questions on one instrument have different types.

    `source` may be a folder of other instruments.
    """
    cases = []
    seen: Counter[str] = Counter()
    for instrument in of_split(source):
        drawn = shuffled(excerpts(instrument, SIZES, MOST_WORDS), instrument.id)
        asked: set[str] = set()
        for is_there, most in PER_INSTRUMENT.items():
            for _ in range(most):
                options = [
                    (excerpt, name) for excerpt in drawn for name in _askable(excerpt, is_there) if name not in asked
                ]
                if not options:
                    break
                excerpt, name = min(options, key=lambda option: seen[option[1]])
                asked.add(name)
                seen[name] += 1
                cases.append(case_of(excerpt, name))
    return cases


def _askable(excerpt: Excerpt, is_there: bool) -> list[str]:
    """Types that can be asked for: those in the excerpt; or those not in it, near misses if there are any."""
    if is_there:
        return excerpt.types
    near = [passage.type for passage in excerpt.near_misses if passage.type not in excerpt.types]
    return near or [name for name in asked_in(excerpt.instrument) if name not in excerpt.types]


def case_of(excerpt: Excerpt, name: str) -> Case:
    """Return the case that asks an excerpt for one type of clause."""
    instrument = excerpt.instrument
    passages = [flat(instrument.text[p.start : p.end]) for p in excerpt.clauses if p.type == name]
    is_near = any(passage.type == name for passage in excerpt.near_misses)
    return Case(
        id=f"{instrument.id}-p{excerpt.first}-{excerpt.last}-{name.replace(' ', '-').replace(chr(39), '')}",
        input={"document": excerpt.text, "clause_type": name, "counts": clause_types()[name].counts},
        expected=passages,
        cluster=instrument.id,
        tags={
            **tags_of(instrument),
            "clause": name,
            "kind": "clause" if passages else "near_miss" if is_near else "absent",
        },
    )


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, instruments in turn, none twice."""
    rng = random.Random(f"{seed} {split}")
    # Several times each excerpt, since it can be asked for several types.
    left = [shuffled(excerpts(each, SIZES, MOST_WORDS), f"{seed} {each.id}") * 3 for each in of_split(split)]
    given: set[str] = set()
    written = 0
    while written < rows and any(left):
        for options in left:
            is_there = rng.randrange(ABSENT_EVERY) != 0
            while options and written < rows:
                excerpt = options.pop()
                names = _askable(excerpt, is_there)
                case = case_of(excerpt, rng.choice(names)) if names else None
                if case is not None and case.id not in given:
                    given.add(case.id)
                    yield case, answer(case)
                    written += 1
                    break


def answer(case: Case) -> str:
    """Return the right answer to a case."""
    return "\n".join(case.expected) or "none"


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, instruments=True)
