"""Writes chat rows for training and validation, with the suite's own prompt. Knows no model.

python -m evalsuites.public.cuad.build_training --out DIR

The rows come from contracts that the suite asks nothing about, nor about any near-duplicate of them.
"""

import argparse
import json
import random
from itertools import zip_longest
from pathlib import Path

from evalsuites.public.cuad.cases import cases
from evalsuites.public.cuad.contracts import NAMES
from harness.errors import UserError
from harness.prompts import load_template, messages
from harness.schema import Case

ROWS = 1200
NONE_SHARE = {"train": 0.3, "validation": 0.5}
"""Share of rows without a clause. The test's share is one half, but a small model that trains on so many learns to say
"none" long before it learns a clause."""
VALIDATION_SHARE = 8
"""One validation row for so many training rows."""


def training_rows(split: str, rows: int, seed: int) -> list[dict[str, object]]:
    """At most `rows` chat rows of the split `train` or `validation`; NONE_SHARE of them hold no clause."""
    if split == "test":
        raise UserError("the split 'test' is what the suite asks; train on 'train' and 'validation'")
    template = load_template(Path(__file__).parent / "prompt.jinja")
    drawn = draw(cases(split), rows, NONE_SHARE[split], random.Random(f"{split} {seed}"))
    return [{"messages": [*messages(template, c), {"role": "assistant", "content": answer(c)}]} for c in drawn]


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
    """The right answer as the prompt asks for it."""
    return "; ".join(case.expected) or "none"


def write(out: Path, rows: int, seed: int) -> dict[str, int]:
    """Write train.jsonl and validation.jsonl into `out`, and return their numbers of lines."""
    out.mkdir(parents=True, exist_ok=True)
    written = {}
    for split, wanted in (("train", rows), ("validation", max(2, rows // VALIDATION_SHARE))):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in training_rows(split, wanted, seed)]
        (out / f"{split}.jsonl").write_text("".join(lines), "utf-8")
        written[split] = len(lines)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description="Training rows from CUAD contracts that the suite does not use.")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl and validation.jsonl")
    parser.add_argument("--rows", type=int, default=ROWS, help="training rows at most")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other passages")
    args = parser.parse_args()
    try:
        written = write(args.out, args.rows, args.seed)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(", ".join(f"{count} rows in {args.out / split}.jsonl" for split, count in written.items()))


if __name__ == "__main__":
    main()
