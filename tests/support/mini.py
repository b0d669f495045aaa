"""A small suite in a folder of its own, with scripted answers, for tests of everything around the engine."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support import forked

NAMES = ["holdover", "assignment", "as is"]
TEST = '''"""Mini: clauses are found."""

from harness import Suite
from harness.scoring.legal import clauses

suite = Suite(scorers=[clauses.among(["holdover", "assignment", "as is"])], slices=["instrument"], max_tokens=8)


@suite.case
def test_finds_every_clause(record):
    assert record.scores.clauses.missing == []


@suite.case(where={"kind": "no_such_clause"})
def test_never_invents_a_clause(record):
    assert record.scores.clauses.invented == []
'''
GATES = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.5

[[gate]]
metric = "clause_exact_set"
rule = "at_least"
value = 0.5
slice = "instrument"
"""


def rows(n: int = 40) -> list[dict[str, object]]:
    """Every second case holds no clause; each case is a contract of its own."""
    return [
        {
            "id": f"c{i}",
            "input": {"document": f"Contract {i}."},
            "expected": [NAMES[i % 3]] if i % 2 else [],
            "cluster": f"k{i}",
            "tags": {"instrument": "lease" if i % 4 < 2 else "deed", "kind": "clause" if i % 2 else "no_such_clause"},
        }
        for i in range(n)
    ]


def right(cases: list[dict[str, object]]) -> dict[str, str]:
    """The right answer to every case."""
    return {str(c["id"]): "; ".join(c["expected"]) or "none" for c in cases}  # type: ignore[arg-type]


def write_suite(
    root: Path,
    cases: list[dict[str, object]] | None = None,
    test: str = TEST,
    gates: str = GATES,
    name: str = "mini",
) -> Path:
    """Write evalsuites/legal/NAME below `root`; returns its folder."""
    folder = root / "evalsuites" / "legal" / name
    folder.mkdir(parents=True, exist_ok=True)
    cases = rows() if cases is None else cases
    (folder / "cases.jsonl").write_text("\n".join(json.dumps(c) for c in cases))
    (folder / "prompt.jinja").write_text("Which clauses? {{ document }}")
    (folder / "gates.toml").write_text(gates)
    (folder / f"test_{name}.py").write_text(test)
    # Python takes a module of the same second and size for the one that it has compiled.
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    return folder


def write_script(root: Path, **answers: dict[str, str]) -> Path:
    """Write the fake engine's answers: variant -> case id -> text."""
    path = root / "script.json"
    path.write_text(json.dumps(answers))
    return path


def pytest_in(
    root: Path,
    *words: str,
    env: dict[str, str] | None = None,
    libraries: forked.Libraries = "commands",
    chosen: Sequence[str] = ("evalsuites",),
    remembers: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run pytest on the suites below `root` in a process of its own, with the fake engine and an own cache.

    `chosen` are folders or node ids to run; `remembers` keeps pytest's own cache, for `--lf` and its like.
    """
    forgets = [] if remembers else ["-p", "no:cacheprovider"]
    command = [*chosen, *forgets, "-p", "no:hypothesispytest", *words]
    if "--engine" not in words:
        command += ["--engine", "fake", "--script", "script.json"]
    settings = {**os.environ, "TUNEGATE_CACHE": str(root / "cache"), "PYTEST_ADDOPTS": "", **(env or {})}
    return forked.run("pytest", *command, cwd=root, env=settings, libraries=libraries)
