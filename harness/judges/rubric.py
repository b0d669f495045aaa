"""Rubric: the question that a judge or a person answers about an answer.

    name = "grounded"
    question = "Is every statement of the answer supported by the document?"
    labels = ["no", "partly", "yes"]        # from worst to best

With `compare = true` there are no labels: the judge sees two answers and chooses the better one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import refuse_all
from harness.files import digest, read_toml

KEYS = {"name": str, "question": str, "labels": list, "compare": bool}
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
    content = read_toml(path, "Expected a rubric: name, question, labels")
    refuse_all([f"{path.name}: {p}" for p in _problems(content)], f"{path}: a rubric that cannot be used")
    compare = content.get("compare", False)
    labels = SIDES if compare else tuple(str(label).strip() for label in content["labels"])
    return JudgeRubric(name=content["name"], question=content["question"].strip(), labels=labels, compare=compare)


def _problems(content: dict[str, Any]) -> list[str]:
    problems = [f"unknown key '{key}'. Known: {', '.join(KEYS)}" for key in content if key not in KEYS]
    problems += [
        f"'{key}' is {content[key]!r}, expected {kind.__name__}"
        for key, kind in KEYS.items()
        if key in content and not isinstance(content[key], kind)
    ]
    problems += [f"'{key}' is missing" for key in ("name", "question") if key not in content]
    if problems:
        return problems
    if not re.fullmatch(r"[a-z][a-z0-9_]*", content["name"]):
        problems.append(f"'name' is {content['name']!r}, expected small letters, digits and _")
    if not content["question"].strip():
        problems.append("'question' is empty")
    labels = content.get("labels", [])
    if content.get("compare") and labels:
        problems.append("'labels' has no effect with compare = true: the verdicts are first, second and tie")
    if not content.get("compare"):
        names = [str(label).strip().lower() for label in labels]
        is_text = all(isinstance(label, LABEL) for label in labels)
        if len(names) < 2 or len(set(names)) < len(names) or not all(names) or not is_text:
            problems.append(f"'labels' is {labels!r}, expected two or more different labels, from worst to best")
    return problems


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
