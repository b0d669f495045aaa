"""A small suite in a folder of its own, with scripted answers, for tests of everything around the engine."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines.config import EngineConfig
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, load_run
from harness.suites.discovery import find_suites
from harness.suites.suite import Suite
from tests.support.command import run_pytest

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
    root: Path, cases: list[dict[str, object]] | None = None, test: str = TEST, gates: str = GATES, name: str = "mini"
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


def write_script(root: Path, **answers: Mapping[str, object]) -> Path:
    """Write the fake engine's answers: variant -> case id -> text."""
    path = root / "script.json"
    path.write_text(json.dumps(answers))
    return path


def suites(root: Path) -> list[Suite]:
    """All suites below `root`."""
    return list(find_suites([str(root / "evalsuites")]))


def job_of(root: Path, **more: Any) -> Job:
    """The job of all suites below `root` for the script's tuned model; `more` are fields of the job."""
    fields: dict[str, Any] = {"candidate": "new", "engine": EngineConfig(name="fake", script=root / "script.json")}
    if "suites" not in more:
        fields["suites"] = [SuiteJob(suite=suite, cases=suite.cases) for suite in suites(root)]
    return Job(**{**fields, **more})


def make_run(root: Path, runs: Path | None = None, **more: Any) -> RunData:
    """Run the job that `job_of` makes."""
    folder = RunFolder.create(runs or root / "runs", "test")
    return load_run(run(job_of(root, **more), folder, Progress(quiet=True)).path)


def evaluate(
    root: Path,
    tuned: Mapping[str, str],
    baseline: Mapping[str, str] | str | None = None,
    *,
    runs: Path | None = None,
    bars: Path | None = None,
    fail: Sequence[str] = (),
    limit: int | None = None,
    names: Sequence[str] | None = None,
) -> RunData:
    """Run the suites below `root` with a model's answers; `baseline` is another's, or `accepted`.

    `fail` are ids of cases whose request fails, `limit` is the number of cases of each suite, `names` chooses suites.
    """
    answers = {"tuned": tuned} | ({} if isinstance(baseline, str | None) else {"baseline": baseline})
    script = write_script(root, **answers, fail={"tuned": list(fail)})
    return make_run(
        root,
        runs,
        suites=[SuiteJob(suite=s, cases=s.cases[:limit]) for s in suites(root) if names is None or s.name in names],
        baseline=baseline if isinstance(baseline, str | None) else "old",
        bars=bars,
        engine=EngineConfig(name="fake", script=script, use_cache=False),
    )


def compare(root: Path, tuned: dict[str, str] | None = None, baseline: dict[str, str] | None = None) -> RunData:
    """Write the mini suite and run it; by default the tuned model is right and the baseline is not."""
    write_suite(root)
    answers = right(rows())
    return evaluate(root, tuned or answers, baseline or dict.fromkeys(answers, "nothing is listed"))


def only_run(root: Path, runs: str = "runs") -> RunData:
    """The one run below `root`."""
    (found,) = [path for path in (root / runs).iterdir() if path.is_dir()]
    return load_run(found)


def pytest_in(
    root: Path,
    *words: str,
    env: dict[str, str] | None = None,
    chosen: Sequence[str] = ("evalsuites",),
    remembers: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run pytest on the suites below `root`, with the fake engine and a cache of its own.

    `chosen` are folders or node ids to run; `remembers` keeps pytest's own cache, for `--lf` and its like.
    """
    words = (*chosen, *([] if remembers else ["-p", "no:cacheprovider"]), *words)
    if "--engine" not in words:
        words = (*words, "--engine", "fake", "--eval-script", "script.json")
    settings = {**os.environ, "TUNEGATE_CACHE": str(root / "cache"), "PYTEST_ADDOPTS": "", **(env or {})}
    return run_pytest(*words, cwd=root, env=settings)
