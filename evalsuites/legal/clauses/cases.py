"""Cases and training rows: excerpts of one to three paragraphs, and the types of clauses in them.

python -m evalsuites.legal.clauses.cases --split train --out train.jsonl
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path

from evalsuites.legal.instruments.documents import Instrument, clause_types
from evalsuites.legal.instruments.excerpts import Excerpt, apart, excerpts, of_split, shuffled, tags_of
from evalsuites.training_rows import command
from harness.schema import Case

SIZES = (1, 2, 3)
MOST_WORDS = 330
PER_INSTRUMENT = {True: 4, False: 3}
"""Excerpts of one test instrument with a clause, and without."""
ROWS = {"train": 2400, "dev": 240}
"""Rows written when --rows is not given."""
TURNS = (True, False, True)
"""Training rows with a clause, and without, in turn. With as many without a clause as in the suite, a small model
learns to say "none" long before it learns a clause."""


def asked_in(instrument: Instrument) -> list[str]:
    """Return the clause types that are asked about in an instrument of its kind."""
    return [t.name for t in clause_types().values() if instrument.sidecar.instrument in t.instruments]


def eval_cases(source: str | Path = "test") -> list[Case]:
    """Return the suite's cases, always the same: of each instrument excerpts that share no paragraph.

    `source` may be a folder of other instruments.
    """
    cases: list[Case] = []
    seen: Counter[str] = Counter()
    for instrument in of_split(source):
        drawn = shuffled(excerpts(instrument, SIZES, MOST_WORDS), instrument.id)
        chosen: list[Excerpt] = []
        for has_clause, most in PER_INSTRUMENT.items():
            left = [each for each in drawn if bool(each.clauses) == has_clause]
            for _ in range(most):
                left = [each for each in left if apart(chosen, each)]
                if not left:
                    break
                best = min(left, key=lambda each: _rank(each, seen))
                chosen.append(best)
                seen.update(best.types)
        cases += [case_of(each, seen) for each in sorted(chosen, key=lambda each: each.first)]
    return cases


def _rank(excerpt: Excerpt, seen: Counter[str]) -> tuple[int, int]:
    """Excerpts with the types seen least come first; of those without a clause, the ones with a near miss."""
    return min((seen[name] for name in excerpt.types), default=0), -len(excerpt.near_misses)


def case_of(excerpt: Excerpt, seen: Counter[str]) -> Case:
    """Return the case of one excerpt; its tag `clause` is the type that the suite has least of."""
    types = sorted(excerpt.types, key=asked_in(excerpt.instrument).index)
    tags = tags_of(excerpt.instrument)
    tags["kind"] = "clause" if types else "no_such_clause"
    if types:
        tags["clause"] = min(types, key=lambda name: (seen[name], name))
    return Case(
        id=f"{excerpt.instrument.id}-p{excerpt.first}-{excerpt.last}",
        input={
            "document": excerpt.text,
            "clause_types": "; ".join(asked_in(excerpt.instrument)),
            "near_misses": "; ".join(dict.fromkeys(p.type for p in excerpt.near_misses if p.type not in types)),
        },
        expected=types,
        cluster=excerpt.instrument.id,
        tags=tags,
    )


def training_pairs(split: str, rows: int, seed: int, without: str | None = None) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, instruments in turn, until there are `rows` or no more.

    `without` keeps the cases but takes one clause type out of every answer.
    """
    left = [shuffled(excerpts(each, SIZES, MOST_WORDS), f"{seed} {each.id}") for each in of_split(split)]
    written = 0
    for has_clause in cycle(TURNS):
        if written >= rows or not any(left):
            return
        for drawn in left:
            at = next((n for n, each in enumerate(drawn) if bool(each.clauses) == has_clause), None)
            if at is None and has_clause:
                drawn.clear()
            if at is None or written >= rows:
                continue
            case = case_of(drawn.pop(at), Counter())
            yield case, answer(name for name in case.expected if name != without)
            written += 1


def answer(types: Iterable[str]) -> str:
    """Return types as an answer lists them."""
    return "; ".join(types) or "none"


if __name__ == "__main__":
    command(Path(__file__).parent, eval_cases, training_pairs, ROWS, without=list(clause_types()), instruments=True)
