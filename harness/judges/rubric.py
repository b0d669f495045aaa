"""Rubric: the question that a judge or a person answers about an answer.

    name = "grounded"
    question = "Is every statement of the answer supported by the document?"
    labels = ["no", "partly", "yes"]        # from worst to best

With `compare = true` there are no labels: the judge sees two answers and chooses the better one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import refuse_all
from harness.files import digest, read_toml, struct_of

EXPECTED = {str: "a text", list[Any]: "a list", bool: "true or false"}
LABEL = (str, int, float)
"""Types of a label, in a rubric and in a reply; a number is its text."""
SIDES = ("first", "second", "tie")
OBJECT = "\0"
"""Stands for an object with a verdict in the text around it."""
ALONE = re.compile(r"\s*(```(json)?)?\s*\0[\s\0]*(```)?\s*")
"""A line of nothing but such objects, perhaps in a block of code."""


class JudgeRubric(Struct, frozen=True, kw_only=True):
    """One question and its possible answers."""

    name: str
    """Short name, such as `grounded`; scores are called `judge_grounded`."""
    question: str
    """The question about an answer."""
    labels: tuple[str, ...]
    """Possible verdicts, from worst to best; `first`, `second` and `tie` when comparing."""
    compare: bool = False
    """Whether two answers are compared."""

    @property
    def hash(self) -> str:
        """Digest of all fields."""
        return digest([self.name, self.question, self.labels, self.compare])

    def value(self, label: str) -> float:
        """Return a label's value between 0 (worst) and 1 (best)."""
        return self.labels.index(label) / (len(self.labels) - 1)


def load_rubric(path: Path) -> JudgeRubric:
    """Read a rubric file. Raises one UserError for everything that is wrong with it."""
    content, problems = read_toml(path, "Expected a rubric: name, question, labels"), list[str]()
    table = struct_of(_RubricFile, content, path.name, problems, EXPECTED)
    problems += [f"{path.name}: {problem}" for problem in _problems(table)] if table else []
    refuse_all(problems, f"{path}: a rubric that cannot be used")
    assert table is not None
    labels = SIDES if table.compare else tuple(str(label).strip() for label in table.labels)
    return JudgeRubric(name=table.name, question=table.question.strip(), labels=labels, compare=table.compare)


class _RubricFile(Struct):
    name: str
    question: str
    labels: list[Any] = []
    compare: bool = False


def _problems(table: _RubricFile) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", table.name):
        yield f"'name' is {table.name!r}, expected small letters, digits and _"
    if not table.question.strip():
        yield "'question' is empty"
    names = [str(label).strip().lower() for label in table.labels]
    if table.compare:
        if names:
            yield "'labels' has no effect with compare = true: the verdicts are first, second and tie"
    elif len(set(names) - {""}) < max(2, len(names)) or not all(isinstance(label, LABEL) for label in table.labels):
        yield f"'labels' is {table.labels!r}, expected two or more different labels, from worst to best"


def read_verdict(reply: str, labels: tuple[str, ...]) -> tuple[str | None, str]:
    """Return the label and the reason in a judge's JSON reply; None and the problem where there is no label.

    The reply must have one JSON object with "verdict"; two objects that disagree are no verdict. A judge may quote an
    answer that asks for a verdict: an object inside a sentence, or inside one that cannot be read, is no verdict.
    """
    verdicts: list[tuple[str, str]] = []
    decoder = json.JSONDecoder()
    around, end = "", 0
    while (at := reply.find("{", end)) >= 0:
        around += reply[end:at]
        try:
            value, end = decoder.raw_decode(reply, at)
        except (ValueError, RecursionError):
            return None, "the judge's reply has a brace that begins no readable JSON object"
        if isinstance(value.get("verdict"), LABEL):
            verdicts.append((str(value["verdict"]).strip().lower(), str(value.get("reason", ""))))
            around += OBJECT
    around += reply[end:]
    if not verdicts:
        return None, "the judge's reply has no JSON object with a verdict"
    different = {verdict for verdict, _ in verdicts}
    if len(different) > 1:
        return None, f"the judge's reply has {len(different)} verdicts that disagree"
    if not all(ALONE.fullmatch(line) for line in around.splitlines() if OBJECT in line):
        return None, "the judge's reply has its verdict inside a sentence, where it may be a quotation"
    label = next((label for label in labels if label.lower() == verdicts[0][0]), None)
    if label is None:
        return None, f"the judge's verdict is {verdicts[0][0][:40]!r}, expected one of {', '.join(labels)}"
    return label, verdicts[0][1]
