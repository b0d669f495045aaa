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
from evalsuites.public.overlap import agreements, apart, unseen
from harness.schema import Case

PASSAGES = 5000
"""Passages that training rows come from when --passages is not given: more than there are."""
TIMES = 2
"""Training rows of a passage with a clause; others have one. Half of the passages have none, as in the test, but a
small model that trains on as many learns to say "none" long before it learns a clause."""
SEVERAL = 2
"""Training rows of a passage with two clauses or more when --several is not given."""
VALIDATION_SHARE = 8
"""One validation row for so many training passages."""


def training_cases(split: str, seed: int, passages: int = PASSAGES, several: int = SEVERAL) -> list[Case]:
    """At most `passages` cases of the split `train` or `validation`; of `train`, those with a clause TIMES times.

    Those with more than one come `several` times.
    """
    data.refuse_test(split)
    rng = random.Random(f"{split} {seed}")
    tested = [case.document for case in cases("test")] + agreements()
    drawn = draw(apart(unseen(cases(split)), tested), passages, rng)
    if split == "train":
        drawn = repeat(drawn, several)
        rng.shuffle(drawn)
    return drawn


def repeat(drawn: list[Case], several: int) -> list[Case]:
    """Those with one clause TIMES times, those with more `several` times."""
    times = {0: 1, 1: TIMES}
    return [case for case in drawn for _ in range(times.get(len(case.expected), several))]


def draw(pool: list[Case], passages: int, rng: random.Random) -> list[Case]:
    """Cases with a clause, category by category in turn so that rare ones are not lost, and as many without."""
    rng.shuffle(pool)
    turns = zip_longest(*([c for c in pool if c.tags.get("clause") == name] for name in NAMES))
    with_clause = [case for turn in turns for case in turn if case is not None][: passages // 2]
    without = [case for case in pool if not case.expected][: passages // 2]
    drawn = with_clause + without
    rng.shuffle(drawn)
    return drawn


def answer(case: Case) -> str:
    """Return the right answer in the prompt's format."""
    return "; ".join(case.expected) or "none"


def write(out: Path, passages: int, seed: int, several: int = SEVERAL) -> dict[str, int]:
    """Write the rows of `passages` training passages at most, and validation rows and cases to them, into `out`."""
    counts = {"train": passages, "validation": max(2, passages // VALIDATION_SHARE)}
    drawn = {split: training_cases(split, seed, count, several) for split, count in counts.items()}
    return data.write_training_files(out, Path(__file__).parent, drawn, answer)


if __name__ == "__main__":
    data.training_command(
        "Training rows from CUAD contracts that the suite does not use.",
        write,
        {
            "passages": (PASSAGES, "training passages at most"),
            "seed": (0, "another seed draws other passages"),
            "several": (SEVERAL, "training rows of a passage with two clauses or more"),
        },
    )
