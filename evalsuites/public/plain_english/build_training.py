"""Writes chat rows for training and validation, with the suite's own prompt. Knows no model.

python -m evalsuites.public.plain_english.build_training --out DIR

The rows come from services and documents that the suite asks nothing about, and expect no summary that the suite
expects. They are few.
"""

import argparse
import random
from pathlib import Path

from evalsuites.generated import chat_rows, write_rows
from evalsuites.public.plain_english.cases import cases
from harness.errors import UserError
from harness.schema import Case

SPLITS = ("train", "validation")


def training_cases(split: str, seed: int) -> list[Case]:
    """The cases of a split that the suite does not ask, shuffled."""
    if split not in SPLITS:
        raise UserError(f"the split '{split}' is what the suite asks; train on 'train' and 'validation'")
    found = cases(split)
    random.Random(f"{split} {seed}").shuffle(found)
    return found


def answer(case: Case) -> str:
    """A person's summary, with capitals at the start of its sentences, which the data has lost."""
    return ". ".join(part[:1].upper() + part[1:] for part in case.expected[0].split(". "))


def write(out: Path, seed: int) -> dict[str, int]:
    """Write train.jsonl and validation.jsonl into `out`, and return their numbers of lines."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(__file__).parent
    pairs = {split: [(case, answer(case)) for case in training_cases(split, seed)] for split in SPLITS}
    return {split: write_rows(out / f"{split}.jsonl", chat_rows(folder, found)) for split, found in pairs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training rows from passages that the suite does not ask about.")
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
