"""Cases and training rows: questions on excerpts of the handbooks.

python -m evalsuites.policy.handbook.cases --split train --out train.jsonl
"""

import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.policy.handbook.handbooks import SILENT, Handbook, Question, handbooks
from evalsuites.training_rows import command
from harness.schema import Case

FOLDER = Path(__file__).parent
WORDS = (320, 620)
"""Fewest and most words of an excerpt, as far as the sections of its question allow."""
DEV_HANDBOOKS = 3
"""Training handbooks whose questions are kept for validation."""
EXCERPTS_A_QUESTION = 3
DECLINED_KEPT = 0.7
"""Share of the training questions without an answer that are kept, which leaves them three rows in ten: with more, a
small model learns to decline long before it learns to answer."""
ROWS = {"train": 1200, "dev": 72}
"""Rows written when --rows is not given."""


def eval_cases() -> list[Case]:
    """Return the suite's cases, always the same."""
    rng = random.Random("policy/handbook")
    return [
        case_of(handbook, question, number, rng)
        for handbook in handbooks("test")
        for number, question in enumerate(handbook.sidecar.questions, 1)
    ]


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers: each question on several excerpts, no row twice."""
    rng = random.Random(f"{split} {seed}")
    books = handbooks("train")
    chosen = books[:DEV_HANDBOOKS] if split == "dev" else books[DEV_HANDBOOKS:]
    pairs = []
    for turn in range(1 if split == "dev" else EXCERPTS_A_QUESTION):
        for handbook in chosen:
            for number, question in enumerate(handbook.sidecar.questions, 1):
                if split == "dev" or question.answerable != "no" or rng.random() < DECLINED_KEPT:
                    case = case_of(handbook, question, number, rng, f"-{turn + 1}")
                    pairs.append((case, question.answer))
    rng.shuffle(pairs)
    yield from pairs[:rows]


def case_of(handbook: Handbook, question: Question, number: int, rng: random.Random, suffix: str = "") -> Case:
    """Return the case of a question, with an excerpt that holds the sections to be read for it."""
    rest = (SILENT,) if question.answerable != "yes" else ()
    return Case(
        id=f"{handbook.id}-{number:02d}{suffix}",
        input={
            "document": excerpt(handbook, question, rng),
            "question": question.ask,
            "guidelines": "; ".join(handbook.sidecar.sections),
            "departments": "; ".join(handbook.sidecar.departments),
            "answer": question.answer,
        },
        expected=[*question.expected, *rest],
        cluster=handbook.id,
        tags={"kind": question.kind, "answerable": question.answerable},
    )


def excerpt(handbook: Handbook, question: Question, rng: random.Random) -> str:
    """Return the title and some sections in order: those of the question, and others up to a drawn number of words."""
    wanted, most = set(question.sections), rng.randint(*WORDS)
    others = [number for number in handbook.sections if number not in wanted]
    rng.shuffle(others)
    for number in others:
        size = sum(len(handbook.sections[each].split()) for each in (*wanted, number))
        if size <= most:
            wanted.add(number)
    shown = [text for number, text in handbook.sections.items() if number in wanted]
    return "\n\n".join([handbook.title, *shown])


if __name__ == "__main__":
    command(FOLDER, eval_cases, training_pairs, ROWS)
