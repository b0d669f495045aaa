"""Write the suite's cases, and training and dev rows for them.

python -m evalsuites.policy.handbook.generate --split eval --out evalsuites/policy/handbook/cases.jsonl
python -m evalsuites.policy.handbook.generate --split train --rows 2400 --out train.jsonl
"""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.policy.handbook import handbooks, questions
from evalsuites.policy.handbook.bank import Bank, Topic, load
from evalsuites.policy.handbook.handbooks import Guideline, Handbook
from evalsuites.policy.handbook.questions import ANSWERABLE, SILENT, UNANSWERABLE, Draw, Kind
from evalsuites.training_rows import command
from harness.schema import Case

FOLDER = Path(__file__).parent
EVAL_SEED = "eval-1"
EXCERPT = (3, 6)
"""Fewest and most guidelines of an excerpt."""
DECLINED_KEPT = 0.43
"""Share of the training questions without an answer that are kept, which leaves them three rows in ten: with half, as
in the suite, a small model learns to decline long before it learns to answer."""
ROWS = {"train": 2400, "dev": 240}
"""Rows written when --rows is not given."""


def eval_cases() -> list[Case]:
    """The suite's cases, always the same: a handbook for each company, four questions on each."""
    bank = load("eval")
    companies = [f"{stem} {bank.trades[i % len(bank.trades)]}" for i, stem in enumerate(bank.stems)]
    rng = random.Random(EVAL_SEED)
    return [case for i, company in enumerate(companies) for case in _cases(bank, company, bank.topic, i, rng)]


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Cases and right answers of the split `train` or `dev`, whose topics and companies differ."""
    bank = load("train")
    learning = split == "train"
    topics = [topic for topic in bank.topic if topic.dev != learning]
    stems = bank.stems[::2] if learning else bank.stems[1::2]
    rng = random.Random(f"{split}-{seed}")
    drafted = (
        case
        for i in itertools.count()
        for case in _cases(bank, f"{rng.choice(stems)} {rng.choice(bank.trades)}", topics, i, rng, f"-{i}")
    )
    kept = (c for c in drafted if not learning or c.tags["answerable"] == "yes" or rng.random() < DECLINED_KEPT)
    for case in itertools.islice(kept, rows):
        yield case, questions.in_a_sentence(case.expected)


def _cases(
    bank: Bank, company: str, topics: list[Topic], turn: int, rng: random.Random, suffix: str = ""
) -> Iterator[Case]:
    """Two questions with an answer and two without, of kinds that take turns, on one handbook."""
    book = handbooks.draw(bank, company, topics, rng)
    for number, kind in enumerate(_kinds(turn), 1):
        yield _case(book, Draw(book, bank, rng), kind, f"{book.cluster}{suffix}", number)


def _kinds(turn: int) -> list[Kind]:
    """Over 25 turns each kind comes up equally often, with every kind of the other sort."""
    first, second = 2 * turn, 2 * turn + 1
    shift = turn // len(ANSWERABLE)
    return [
        ANSWERABLE[first % len(ANSWERABLE)],
        UNANSWERABLE[(first + shift) % len(UNANSWERABLE)],
        ANSWERABLE[second % len(ANSWERABLE)],
        UNANSWERABLE[(second + shift) % len(UNANSWERABLE)],
    ]


def _case(book: Handbook, draw: Draw, kind: Kind, cluster: str, number: int) -> Case:
    asked = kind(draw)
    name = kind.__name__
    return Case(
        id=f"{cluster}-{number}",
        input={
            "document": excerpt(book, asked.about, draw.rng),
            "question": asked.text,
            "guidelines": "; ".join(g.id for g in book.guidelines),
            "departments": "; ".join(book.departments),
        },
        expected=asked.parts or [SILENT],
        cluster=cluster,
        tags={"kind": name, "answerable": "yes" if asked.parts else "no"},
    )


def excerpt(book: Handbook, about: Guideline, rng: random.Random) -> str:
    """Some guidelines of a handbook in order, the one asked about among them, and the list of departments."""
    others = [g for g in book.guidelines if g != about]
    picked = [about, *rng.sample(others, min(rng.randint(*EXCERPT) - 1, len(others)))]
    lines = [g.text for g in book.guidelines if g in picked]
    return "\n".join([book.heading, *lines, f"Departments: {'; '.join(book.departments)}"])


if __name__ == "__main__":
    command(FOLDER, eval_cases, training_pairs, ROWS)
