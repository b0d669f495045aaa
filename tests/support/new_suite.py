"""What tests of new suites share: the command in a process of its own, right answers, and many rows of each kind."""

import csv
import json
import os
import subprocess
from pathlib import Path

from harness.scaffold.answer_kinds import kinds
from tests.support.command import run_pytest as run_pytest_in
from tests.support.command import run_tunegate

KINDS = list(kinds())
MANY = 340


def tunegate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, which is no part of the project."""
    return run_tunegate(*words, cwd=folder, env=_environment(folder))


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in `folder` as a user does, without the project's settings."""
    return run_pytest_in("-p", "no:cacheprovider", *words, cwd=folder, env=_environment(folder))


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TUNEGATE_CACHE": str(folder / "cache"), "PYTEST_ADDOPTS": ""}


def right_answers(kind: str, cases: Path) -> dict[str, str]:
    """The right answer to every case of a file."""
    found = {}
    for line in cases.read_text("utf-8").splitlines():
        case = json.loads(line)
        expected = case["expected"]
        if kind == "list":
            found[case["id"]] = "; ".join(expected) or "none"
        elif kind == "grounded":
            found[case["id"]] = f"It is {expected[0]}." if expected else "I cannot tell from the document."
        else:
            found[case["id"]] = expected[0]
    return found


def script(folder: Path, tuned: dict[str, str]) -> str:
    """Answers of the fake engine: the tuned model's as given, the baseline's all wrong."""
    path = folder / "script.json"
    wrong = {name: "I do not know" + " that" * (number % 2) + "." for number, name in enumerate(tuned)}
    path.write_text(json.dumps({"tuned": tuned, "baseline": wrong}))
    return str(path)


def many_rows(kind: str) -> list[dict[str, str]]:
    """Rows of a kind, each from a source of its own; a list has as many texts again without anything on it."""
    rows = []
    for n in range(MANY):
        told = {
            "label": (f"Ticket {n}: it broke.", "complaint"),
            "list": (f"Lease {n}: a deposit is due, and pets may stay.", '["deposit", "pets"]'),
            "number": (f"Invoice {n}: pay within {n + 3} days.", f"{n + 3} days"),
            "json": (f"Order {n}.", json.dumps({"customer": f"Shop {n}", "amount": n, "urgent": n % 2 == 0})),
            "text": (f"About the Como sofa, ticket {n}.", "Como sofa"),
            "grounded": (f"The guarantee of bench {n} is {n + 3} months.", f"{n + 3} months"),
        }[kind]
        rows.append({"id": f"r{n}", "text": told[0], "answer": told[1], "from": f"s{n}", "ask": "How long is it?"})
    if kind == "list":
        rows += [
            {"id": f"e{n}", "text": f"Lease {n}: a garden.", "answer": "none", "from": f"e{n}", "ask": ""}
            for n in range(MANY)
        ]
    return rows


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    """A table as a spreadsheet saves it: BOM and Windows line ends."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def import_words(kind: str, into: str) -> list[str]:
    """Options of `tunegate cases import` for `many_rows`."""
    words = ["--into", into, "--id", "id", "--input", "document=text", "--expected", "answer", "--cluster", "from"]
    words += ["--input", "question=ask"] if kind == "grounded" else []
    return [*words, *(["--none", "none"] if kind == "list" else []), "--replace"]
