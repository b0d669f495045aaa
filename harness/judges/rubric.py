"""A rubric: the question that a judge or a person answers about an answer. Knows no engine.

    name = "grounded"
    question = "Is every statement of the answer supported by the document?"
    labels = ["no", "partly", "yes"]        # from worst to best

With `compare = true` there are no labels: the judge sees two answers and says which one is better.
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
SIDES = ("first", "second", "tie")


class JudgeRubric(Struct, frozen=True, kw_only=True):
    """One question and its possible answers."""

    name: str
    """Short name, such as `grounded`; scores are called `judge_grounded`."""
    question: str
    """What is asked about an answer."""
    labels: tuple[str, ...]
    """Possible verdicts, from worst to best; `first`, `second` and `tie` when comparing."""
    compare: bool = False
    """Two answers are compared."""

    @property
    def hash(self) -> str:
        """Digest of everything above."""
        return digest([self.name, self.question, self.labels, self.compare])

    def value(self, label: str) -> float:
        """A label's place between 0 (worst) and 1 (best)."""
        return self.labels.index(label) / (len(self.labels) - 1)


def load_rubric(path: Path) -> JudgeRubric:
    """Read a rubric file; everything that is wrong with it is named in one UserError."""
    found = read_toml(path, "Expected a rubric: name, question, labels")
    refuse_all([f"{path.name}: {p}" for p in _problems(found)], f"{path}: a rubric that cannot be used")
    compare = found.get("compare", False)
    labels = SIDES if compare else tuple(label.strip() for label in found["labels"])
    return JudgeRubric(name=found["name"], question=found["question"].strip(), labels=labels, compare=compare)


def _problems(found: dict[str, Any]) -> list[str]:
    problems = [f"unknown key '{key}'. Known: {', '.join(KEYS)}" for key in found if key not in KEYS]
    problems += [
        f"'{key}' is {found[key]!r}, expected {kind.__name__}"
        for key, kind in KEYS.items()
        if key in found and not isinstance(found[key], kind)
    ]
    problems += [f"'{key}' is missing" for key in ("name", "question") if key not in found]
    if problems:
        return problems
    if not re.fullmatch(r"[a-z][a-z0-9_]*", found["name"]):
        problems.append(f"'name' is {found['name']!r}, expected small letters, digits and _")
    if not found["question"].strip():
        problems.append("'question' is empty")
    labels = found.get("labels", [])
    if found.get("compare") and labels:
        problems.append("'labels' has no effect with compare = true: the verdicts are first, second and tie")
    if not found.get("compare"):
        names = [str(label).strip().lower() for label in labels]
        if len(names) < 2 or len(set(names)) < len(names) or not all(names):
            problems.append(f"'labels' is {labels!r}, expected two or more different labels, from worst to best")
    return problems


def read_verdict(reply: str, labels: tuple[str, ...]) -> tuple[str | None, str]:
    """The label in a judge's JSON reply with the reason it gave; None, and what is wrong, where there is none.

    The reply must hold one JSON object with "verdict"; two objects that disagree are no verdict.
    """
    found: list[tuple[str, str]] = []
    decoder = json.JSONDecoder()
    at = reply.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(reply, at)
        except (json.JSONDecodeError, RecursionError):
            end = at + 1
        else:
            if isinstance(value, dict) and isinstance(value.get("verdict"), str):
                found.append((value["verdict"].strip().lower(), str(value.get("reason", ""))))
        at = reply.find("{", end)
    if not found:
        return None, "the judge's reply holds no JSON object with a verdict"
    said = {verdict for verdict, _ in found}
    if len(said) > 1:
        return None, f"the judge's reply holds {len(said)} verdicts that disagree"
    label = next((label for label in labels if label.lower() == found[0][0]), None)
    if label is None:
        return None, f"the judge said {found[0][0][:40]!r}, which is none of {', '.join(labels)}"
    return label, found[0][1]
