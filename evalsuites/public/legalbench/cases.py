"""Build cases: a row of a task after its instruction and its few-shot rows."""

import re
from collections import Counter

from evalsuites.public.legalbench.first_label import SEPARATOR
from evalsuites.public.legalbench.tasks import EXPECTED, Row, Task, load
from harness.errors import UserError
from harness.schema import Case

ANSWER = "Label:"
NOT_SHOWN = {"index", "answer", "document_name", "slice"}
"""Columns about a row, and its answer."""
FIELD = re.compile(r"\{\{(.+?)\}\}")


def cases() -> list[Case]:
    """Return a case for every row to be answered, of the data that TUNEGATE_DATA names."""
    return [case for task in load() for case in cases_of(task)]


def cases_of(task: Task) -> list[Case]:
    """The rows of test.tsv; without it each row of train.tsv, with the others as shots: only a check of the format."""
    of_shots = Counter(row["answer"] for row in task.train)
    commonest_first = dict.fromkeys(
        [label for label, _ in of_shots.most_common()] + [row["answer"] for row in task.test]
    )
    labels = SEPARATOR.join(commonest_first)
    drawn = []
    for number, row in enumerate(task.test or task.train):
        shots, document = published(task, row) if task.test and task.base_prompt else assembled(task, row)
        protocol = "published task" if task.test else "format check"
        drawn.append(
            Case(
                id=f"{task.name}-{number}",
                input={"shots": shots, "document": document},
                expected=[row["answer"]],
                cluster=row.get("document_name") or f"{task.name}-{number}",
                tags={"task": task.name, "protocol": protocol, "labels": labels},
            )
        )
    return drawn


def published(task: Task, row: Row) -> tuple[str, str]:
    """Split the paper's prompt before the block that has the row's cells, and fill them in. Raises UserError."""
    fields = list(FIELD.finditer(task.base_prompt))
    names = {field[1] for field in fields}
    if not names or names - row.keys():
        raise UserError(
            f"legalbench/tasks/{task.name}/base_prompt.txt: has the fields {', '.join(sorted(names)) or '(none)'}, "
            f"expected columns of test.tsv: {', '.join(row)}. {EXPECTED}"
        )
    at = max(0, task.base_prompt.rfind("\n\n", 0, fields[0].start()))
    return task.base_prompt[:at].strip(), FIELD.sub(lambda field: row[field[1]], task.base_prompt[at:]).strip()


def assembled(task: Task, row: Row) -> tuple[str, str]:
    """Instruction and shots, and the row: its cells as `Column: cell`, the answer after ANSWER."""
    shots = [f"{_shown(shot)} {shot['answer']}" for shot in task.train if shot is not row]
    return "\n\n".join([task.instruction, *shots]), _shown(row)


def _shown(row: Row) -> str:
    cells = [f"{column.capitalize()}: {cell}" for column, cell in row.items() if column not in NOT_SHOWN]
    return "\n".join([*cells, ANSWER])


def commonest(case: Case) -> str:
    """Floor: the answer that most few-shot rows of the task have, the first of them where several do."""
    return case.tags["labels"].split(SEPARATOR)[0]
