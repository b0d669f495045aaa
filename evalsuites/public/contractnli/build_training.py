"""Write chat rows for training and validation, and validation cases, with the suite's own prompt.

python -m evalsuites.public.contractnli.build_training --out DIR

The rows come from agreements that are neither in the suite nor near-duplicates of the suite's; those that tasks of
LegalBench show are left out where it is on this machine.
"""

import random
from collections import defaultdict
from pathlib import Path

from evalsuites.public import data
from evalsuites.public.contractnli.cases import cases
from evalsuites.public.overlap import unseen
from harness.schema import Case

REPEATS = 3
"""Times that a case may stand in the training rows, so that the rare labels of a statement come up as often as its
common one; without that a model learns one answer a statement, which is right for three rows in four."""


def training_cases(split: str, seed: int) -> list[Case]:
    """The cases of a split, shuffled; for training, rare labels of each statement are repeated up to REPEATS times."""
    data.refuse_test(split)
    drawn = cases(split)
    if split == "train":
        by_statement: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
        for case in drawn:
            by_statement[case.tags["statement"]][case.expected[0]].append(case)
        for by_label in by_statement.values():
            most = max(map(len, by_label.values()))
            for of_label in by_label.values():
                missing = min(most, REPEATS * len(of_label)) - len(of_label)
                drawn += [of_label[at % len(of_label)] for at in range(missing)]
    random.Random(f"{split} {seed}").shuffle(drawn)
    return drawn


def answer(case: Case) -> str:
    """Return the right answer in the prompt's format."""
    return " ".join([case.expected[0], *(f"[{number}]" for number in case.tags.get("evidence", "").split())])


def write(out: Path, seed: int) -> dict[str, int]:
    """Write all training rows, and all validation rows and cases, into `out`."""
    drawn = {split: unseen(training_cases(split, seed)) for split in data.SPLITS}
    return data.write_training_files(out, Path(__file__).parent, drawn, answer)


if __name__ == "__main__":
    data.training_command(
        "Training rows from ContractNLI agreements that the suite leaves.",
        write,
        {"seed": (0, "another seed gives another order")},
    )
