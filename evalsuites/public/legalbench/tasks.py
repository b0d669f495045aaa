"""Read classification tasks in LegalBench's own layout: rows, instruction, and the prompt that its paper used.

Expects the folder `legalbench` below the one that TUNEGATE_DATA names, with `tasks/<task>/train.tsv` and `README.md`,
and for published tasks `test.tsv`, which may have `base_prompt.txt` next to it.
"""

import re
from pathlib import Path

from msgspec import Struct

from evalsuites.public import data
from harness.errors import Unavailable, UserError, refuse_all
from harness.files import read_text
from harness.suites.tables import Hub, rows_of

TASK_TYPE = re.compile(r"\*\*Task type\*\*:.*(?:classification|choice)", re.IGNORECASE)
BLOCK = re.compile(r"^```text\n(.*?)\n```", re.MULTILINE | re.DOTALL)
"""What a README quotes of the question put to the model."""
HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
"""The task in a sentence: the README's first heading of this level."""
EXPECTED = "Take the whole folder of the task from a copy of LegalBench"
WHERE = (
    "the tasks of LegalBench are not on this machine: set TUNEGATE_DATA to a folder with legalbench/tasks/*/train.tsv "
    "and README.md, from github.com/HazyResearch/legalbench (the contract tasks: CC BY 4.0)"
)

Row = dict[str, str]
"""A row's cells by column, without white space around them."""


class Task(Struct, frozen=True, kw_only=True):
    name: str
    instruction: str
    train: list[Row]
    """The few-shot rows."""
    test: list[Row]
    """The published rows; empty without test.tsv."""
    base_prompt: str
    """The paper's prompt, with few-shot rows and `{{column}}` for each cell of a row; empty without the file."""


def load() -> list[Task]:
    """Every classification task, by name. Raises Unavailable without any, UserError for files that cannot be read."""
    folder = data.data_folder("legalbench", ["tasks"], WHERE) / "tasks"
    readmes = {file.parent: read_text(file.parent / "README.md", EXPECTED) for file in folder.glob("*/train.tsv")}
    found = [_task(path, text) for path, text in sorted(readmes.items()) if TASK_TYPE.search(text)]
    if not found:
        raise Unavailable(WHERE)
    return found


def _task(folder: Path, readme: str) -> Task:
    instruction = "\n".join(BLOCK.findall(readme) or HEADING.findall(readme)[:1])
    if not instruction:
        raise UserError(
            f"{folder / 'README.md'}: has no instruction: expected a ```text block or a line that begins with '### '. "
            f"{EXPECTED}"
        )
    test, prompt = folder / "test.tsv", folder / "base_prompt.txt"
    return Task(
        name=folder.name,
        instruction=instruction,
        train=_rows(folder / "train.tsv"),
        test=_rows(test) if test.exists() else [],
        base_prompt=read_text(prompt, EXPECTED) if prompt.exists() else "",
    )


def _rows(file: Path) -> list[Row]:
    try:
        rows = list(rows_of(str(file), ["answer"], Hub()))
    except UserError as error:
        raise UserError(f"{file.parent / str(error)}. {EXPECTED}") from None
    problems = [
        f"{file}: {row.where} {row.problem or f'has no answer. {EXPECTED}'}"
        for row in rows
        if row.problem or not row.cells["answer"].strip()
    ]
    refuse_all(problems, f"{file}: rows that cannot be used")
    return [{column: cell.strip() for column, cell in row.cells.items()} for row in rows]
