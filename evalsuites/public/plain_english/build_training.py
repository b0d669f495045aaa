"""Writes chat rows for training and validation, with the suite's own prompt. Knows no model.

python -m evalsuites.public.plain_english.build_training --out DIR

The rows come from services and documents that the suite asks nothing about, and expect no summary that the suite
expects. They are few, so `own_pairs.toml` adds passages of invented services.
"""

import argparse
import random
import tomllib
from pathlib import Path

from evalsuites.generated import chat_rows, fill, write_rows
from evalsuites.public.plain_english.cases import cases
from harness.errors import UserError
from harness.schema import Case

SPLITS = ("train", "validation")
OWN = 144
"""Rows of invented services in the training rows: each phrase four times, with other words and names."""
FOLDER = Path(__file__).parent


def training_cases(split: str, seed: int, own: int = OWN) -> list[Case]:
    """The cases of a split that the suite does not ask, shuffled; for training with `own` of invented services."""
    if split not in SPLITS:
        raise UserError(f"the split '{split}' is what the suite asks; train on 'train' and 'validation'")
    found = [*cases(split), *(own_cases(own, seed) if split == "train" else [])]
    random.Random(f"{split} {seed}").shuffle(found)
    return found


def own_cases(count: int, seed: int) -> list[Case]:
    """Passages of invented services with their summaries, phrase by phrase in turn."""
    bank = tomllib.loads((FOLDER / "own_pairs.toml").read_text("utf-8"))
    rng = random.Random(f"own {seed}")
    made = []
    for at in range(count):
        pair = bank["pair"][at % len(bank["pair"])]
        values = {name: rng.choice(pool) for name, pool in bank["pools"].items()}
        passage, summary = (fill(pair[part], values, rng) for part in ("passage", "summary"))
        made.append(Case(id=f"own-{at}", input={"document": passage}, expected=[summary], cluster=values["service"]))
    return made


def answer(case: Case) -> str:
    """A person's summary, with capitals at the start of its sentences, which the data has lost."""
    return ". ".join(part[:1].upper() + part[1:] for part in case.expected[0].split(". "))


def write(out: Path, seed: int, own: int = OWN) -> dict[str, int]:
    """Write train.jsonl and validation.jsonl into `out`, and return their numbers of lines."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = {split: [(case, answer(case)) for case in training_cases(split, seed, own)] for split in SPLITS}
    return {split: write_rows(out / f"{split}.jsonl", chat_rows(FOLDER, found)) for split, found in pairs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training rows from passages that the suite does not ask about.")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl and validation.jsonl")
    parser.add_argument("--own", type=int, default=OWN, help="training rows of invented services")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another order")
    args = parser.parse_args()
    try:
        written = write(args.out, args.seed, args.own)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(", ".join(f"{count} rows in {args.out / split}.jsonl" for split, count in written.items()))


if __name__ == "__main__":
    main()
