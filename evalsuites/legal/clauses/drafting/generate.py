"""Write the suite's cases, and training and dev rows for them.

python -m evalsuites.legal.clauses.drafting.generate --split eval --out evalsuites/legal/clauses/cases.jsonl
python -m evalsuites.legal.clauses.drafting.generate --split train --rows 2400 --out train.jsonl
"""

import argparse
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.generated import DEV_CASES, case_rows, chat_rows, dev_cases, write_rows
from evalsuites.legal.clauses.drafting.assemble import Excerpt, contracts
from evalsuites.legal.clauses.drafting.bank import CLAUSES, load
from harness.schema import Case

SUITE = Path(__file__).parents[1]
EVAL_CONTRACTS = 168
EVAL_SEED = "eval-1"
LONE_SHARE = 0.5
"""Share of the training rows with only a clause, or only a near miss: a small model learns the concept from these
before it can find it among other paragraphs."""
NONE_KEPT = 0.43
"""Share of the drafted training rows without a clause that are kept, which leaves them three rows in ten. With half, as
in the suite, a small model learns to say "none" long before it learns a clause."""
ROWS = {"train": 2400, "dev": 240}
"""Rows written when --rows is not given."""


def eval_cases() -> list[Case]:
    """The suite's cases, always the same."""
    return [_case(excerpt) for excerpt in contracts(load("eval"), EVAL_CONTRACTS, EVAL_SEED)]


def _case(excerpt: Excerpt) -> Case:
    tags = {
        "instrument": excerpt.instrument,
        "kind": "clause" if excerpt.main else "no_such_clause",
        "style": excerpt.style,
        "state": "Georgia",
    }
    if excerpt.main:
        tags["clause"] = excerpt.main
    return Case(
        id=excerpt.id,
        input={"document": excerpt.document},
        expected=excerpt.clauses,
        cluster=excerpt.contract,
        tags=tags,
    )


def training_pairs(split: str, rows: int, seed: int, without: str | None = None) -> Iterator[tuple[Case, str]]:
    """Cases of the split `train` or `dev`, with their right answers.

    The dev rows come from other contracts and from drafting that no training row has. `without` keeps the
    cases but takes one clause out of every answer.
    """
    bank = load("train").part(held_out=split == "dev")
    learning = split == "train"
    drafted = contracts(bank, rows, f"{split}-{seed}", LONE_SHARE if learning else 0.0)
    rng = random.Random(f"{split}-{seed}")
    kept = (e for e in drafted if e.clauses or not learning or rng.random() < NONE_KEPT)
    for excerpt in itertools.islice(kept, rows):
        yield _case(excerpt), "; ".join(name for name in excerpt.clauses if name != without) or "none"


def training_rows(split: str, rows: int, seed: int, without: str | None = None) -> Iterator[dict[str, object]]:
    """Chat rows of the split `train` or `dev`, with the suite's own prompt."""
    return chat_rows(SUITE, training_pairs(split, rows, seed, without))


def write(split: str, out: Path, rows: int | None, seed: int, without: str | None) -> int:
    """Write one split and return its number of lines."""
    if split == "eval":
        return write_rows(out, case_rows(eval_cases()))
    if split == DEV_CASES:
        return write_rows(out, case_rows(dev_cases(training_pairs("dev", rows or ROWS["dev"], seed), eval_cases())))
    return write_rows(out, training_rows(split, rows or ROWS[split], seed, without))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draft Georgia real-estate excerpts with known clauses.")
    parser.add_argument("--split", choices=("eval", "train", "dev", DEV_CASES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--rows", type=int, help="rows of train, dev or dev-cases; the eval split has a fixed size")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other contracts; not for eval")
    parser.add_argument("--without", choices=tuple(CLAUSES), help="leave this clause out of every answer")
    args = parser.parse_args()
    if args.split == "eval" and (args.rows or args.seed or args.without):
        parser.error("--split eval is fixed: it takes neither --rows nor --seed nor --without")
    if args.split == DEV_CASES and args.without:
        parser.error("--split dev-cases has right answers only: it does not take --without")
    print(f"{write(args.split, args.out, args.rows, args.seed, args.without)} rows in {args.out}")


if __name__ == "__main__":
    main()
