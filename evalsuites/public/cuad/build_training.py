"""Write chat rows for training and validation, and validation cases, with the suite's own prompt.

python -m evalsuites.public.cuad.build_training --out DIR

The rows come from contracts that are neither in the suite nor near-duplicates of the suite's; those that tasks of
LegalBench show are left out where it is on this machine.
"""

import random
from itertools import zip_longest
from pathlib import Path

from evalsuites.public import data
from evalsuites.public.cuad.cases import cases
from evalsuites.public.cuad.contracts import NAMES
from evalsuites.public.overlap import unseen
from harness.schema import Case

ROWS = 1200
NONE_SHARE = {"train": 0.3, "validation": 0.5}
"""Share of rows without a clause. The test's share is one half, but a small model that trains on so many learns to say
"none" long before it learns a clause."""
VALIDATION_SHARE = 8
"""One validation row for so many training rows."""


def training_cases(split: str, rows: int, seed: int) -> list[Case]:
    """At most `rows` cases of the split `train` or `validation`; NONE_SHARE of them have no clause."""
    data.refuse_test(split)
    return draw(cases(split), rows, NONE_SHARE[split], random.Random(f"{split} {seed}"))


def draw(pool: list[Case], rows: int, none_share: float, rng: random.Random) -> list[Case]:
    """Cases with a clause, category by category in turn so that rare ones are not lost, and `none_share` without."""
    rng.shuffle(pool)
    turns = zip_longest(*([c for c in pool if c.tags.get("clause") == name] for name in NAMES))
    with_clause = [case for turn in turns for case in turn if case is not None][: round(rows * (1 - none_share))]
    wanted = round(len(with_clause) * none_share / (1 - none_share))
    drawn = [*with_clause, *[case for case in pool if not case.expected][:wanted]]
    rng.shuffle(drawn)
    return drawn


def answer(case: Case) -> str:
    """Return the right answer in the prompt's format."""
    return "; ".join(case.expected) or "none"


def write(out: Path, rows: int, seed: int) -> dict[str, int]:
    """Write `rows` training rows at most, and as many validation rows and cases as belong to them, into `out`."""
    counts = {"train": rows, "validation": max(2, rows // VALIDATION_SHARE)}
    drawn = {split: unseen(training_cases(split, count, seed)) for split, count in counts.items()}
    return data.write_training_files(out, Path(__file__).parent, drawn, answer)


if __name__ == "__main__":
    data.training_command(
        "Training rows from CUAD contracts that the suite does not use.",
        write,
        {"rows": (ROWS, "training rows at most"), "seed": (0, "another seed draws other passages")},
    )
