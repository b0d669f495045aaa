"""Write the suite's cases for inspection, and training and dev rows of whole contracts.

python -m evalsuites.legal.clauses_long.generate --split train --rows 600 --out train.jsonl
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from evalsuites import generated
from evalsuites.legal.clauses_long.bank import load
from evalsuites.legal.clauses_long.cases import build, cases_of
from evalsuites.legal.clauses_long.contract import PARAGRAPHS, contracts
from harness.schema import Case

SUITE = Path(__file__).parent
ROWS = {"train": 600, "dev": 120}
"""Rows written when --rows is not given; two to a contract."""
TRAINING_PARAGRAPHS = (5, PARAGRAPHS[1])
"""Training contracts may be shorter than the suite's: they cost less, and what a clause is can be learned there."""


def eval_cases() -> list[Case]:
    """The suite's cases, always the same."""
    return build()


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Cases with their right answers, of the split `train` or `dev`.

    The dev rows come from clause and near-miss phrases that no training row has, and from contracts as long as the
    suite's.
    """
    learning = split == "train"
    bank = load("train", held_out=not learning)
    drafted = contracts(bank, (rows + 1) // 2, f"{split}-{seed}", TRAINING_PARAGRAPHS if learning else PARAGRAPHS)
    cases = (case for contract in drafted for case in cases_of(contract))
    for case in itertools.islice(cases, rows):
        yield case, "; ".join(case.expected) or "none"


if __name__ == "__main__":
    generated.command(SUITE, eval_cases, training_pairs, ROWS)
