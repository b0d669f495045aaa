"""Cases and training rows: tasks on fact sheets and letters.

python -m evalsuites.finance.report.cases --split train --out train.jsonl
"""

import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.finance.report.sheets import Sheet, Task, sheets
from evalsuites.training_rows import command
from harness.schema import Case

FOLDER = Path(__file__).parent
DEV_SHEETS = 5
"""Training sheets whose tasks are kept for validation."""
ROWS = {"train": 1032, "dev": 120}
"""Rows written when --rows is not given."""


def eval_cases() -> list[Case]:
    """Return the suite's cases, always the same: every task of every test sheet."""
    return [case_of(sheet, task, n) for sheet in sheets("test") for n, task in enumerate(sheet.sidecar.tasks, 1)]


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, in random order, at most as many as there are tasks."""
    chosen = sheets("train")[:DEV_SHEETS] if split == "dev" else sheets("train")[DEV_SHEETS:]
    pairs = [
        (case_of(sheet, task, number), task.answer)
        for sheet in chosen
        for number, task in enumerate(sheet.sidecar.tasks, 1)
    ]
    random.Random(f"{split} {seed}").shuffle(pairs)
    yield from pairs[:rows]


def case_of(sheet: Sheet, task: Task, number: int) -> Case:
    """Return the case of a task."""
    absent = {"absent": task.absent} if task.absent else {}
    return Case(
        id=f"{sheet.id}-{number:02d}",
        input={"document": sheet.text, "question": task.ask, "facts": sheet.facts},
        expected=[task.answer],
        cluster=sheet.id,
        tags={"kind": task.kind, "layout": sheet.sidecar.layout, **absent},
    )


if __name__ == "__main__":
    command(FOLDER, eval_cases, training_pairs, ROWS)
