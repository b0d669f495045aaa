"""Writes chat rows for training and validation, with the suite's own prompt. Knows no model.

python -m evalsuites.public.contractnli.build_training --out DIR

The rows come from agreements that the suite asks nothing about, nor about any near-duplicate of them.
"""

import argparse
import random
from collections import defaultdict
from pathlib import Path

from evalsuites.generated import chat_rows, write_rows
from evalsuites.public.contractnli.cases import cases
from harness.errors import UserError
from harness.schema import Case

SPLITS = ("train", "validation")
REPEATS = 3
"""Times that a case may stand in the training rows, so that the rare labels of a statement come up as often as its
common one; without that a model learns one answer a statement, which is right for three rows in four."""


def training_cases(split: str, seed: int) -> list[Case]:
    """The cases of a split, shuffled; for training, rare labels of each statement are repeated up to REPEATS times."""
    if split not in SPLITS:
        raise UserError(f"the split '{split}' is what the suite asks; train on 'train' and 'validation'")
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
    """Write train.jsonl and validation.jsonl into `out`, and return their numbers of lines."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(__file__).parent
    pairs = {split: [(case, answer(case)) for case in training_cases(split, seed)] for split in SPLITS}
    return {split: write_rows(out / f"{split}.jsonl", chat_rows(folder, found)) for split, found in pairs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training rows from ContractNLI agreements that the suite leaves.")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl and validation.jsonl")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another order")
    args = parser.parse_args()
    try:
        written = write(args.out, args.seed)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(", ".join(f"{count} rows in {args.out / split}.jsonl" for split, count in written.items()))


if __name__ == "__main__":
    main()
