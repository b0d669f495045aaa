"""Writes chat rows for training and validation, and validation cases, with the suite's own prompt. Knows no model.

python -m evalsuites.public.contractnli.build_training --out DIR

The rows come from agreements that the suite asks nothing about, nor about any near-duplicate of them.
"""

import random
from collections import defaultdict
from pathlib import Path

from evalsuites.public import training_files
from evalsuites.public.contractnli.cases import cases
from harness.schema import Case

REPEATS = 3
"""Times that a case may stand in the training rows, so that the rare labels of a statement come up as often as its
common one; without that a model learns one answer a statement, which is right for three rows in four."""


def training_cases(split: str, seed: int) -> list[Case]:
    """The cases of a split, shuffled; for training, rare labels of each statement are repeated up to REPEATS times."""
    training_files.refuse_test(split)
    found = cases(split)
    if split == "train":
        held: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
        for case in found:
            held[case.tags["statement"]][case.expected[0]].append(case)
        for by_label in held.values():
            most = max(map(len, by_label.values()))
            for mine in by_label.values():
                wanted = min(most, REPEATS * len(mine)) - len(mine)
                found += [mine[at % len(mine)] for at in range(wanted)]
    random.Random(f"{split} {seed}").shuffle(found)
    return found


def answer(case: Case) -> str:
    """The right answer as the prompt asks for it."""
    return " ".join([case.expected[0], *(f"[{number}]" for number in case.tags.get("evidence", "").split())])


def write(out: Path, seed: int) -> dict[str, int]:
    """Write all training rows, and all validation rows and cases, into `out`."""
    drawn = {split: training_cases(split, seed) for split in training_files.SPLITS}
    return training_files.write(out, Path(__file__).parent, drawn, answer)


if __name__ == "__main__":
    training_files.command(
        "Training rows from ContractNLI agreements that the suite leaves.",
        write,
        {"seed": (0, "another seed gives another order")},
    )
