"""Copies of shipped suites stand alone, outside the project, under their new names."""

import subprocess
import sys
from pathlib import Path

import pytest

from evalsuites.legal.clauses.cases import eval_cases
from harness.scaffold.copy_suite import SHIPPED, shipped
from harness.suites.cases import load_cases
from tests.support.mini import only_run
from tests.support.new_suite import right_answers, run_pytest, script, tunegate

NOT_ALONE = {"general/claims", "general/facts", "legal/clauses_long", "legal/extraction", "legal/paragraphs"}
"""Built from the modules of another suite."""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of every shipped suite that stands alone, named copy_1, copy_2 ..."""
    folder = tmp_path_factory.mktemp("copies")
    for number, name in enumerate(names(), 1):
        done = tunegate(folder, "init", f"mine/copy_{number}", "--from", name)
        assert done.returncode == 0, done.stderr
        assert f"a copy of {name}" in done.stdout
    return folder


def names() -> list[str]:
    return [name for name in shipped() if name not in NOT_ALONE]


def test_the_shipped_suites_are_those_of_the_project() -> None:
    assert {"legal/clauses", "brand/voice", "general/basics"} <= set(shipped())
    assert Path(__file__).parents[3] / "evalsuites" == SHIPPED


@pytest.mark.slow
def test_every_copy_is_collected_by_pytest_and_found_by_the_commands(copies: Path) -> None:
    done = run_pytest(copies, "evalsuites", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    code = (
        "from harness.suites.discovery import find_suites; print(*sorted(s.name for s in find_suites(['evalsuites'])))"
    )
    found = subprocess.run([sys.executable, "-P", "-c", code], cwd=copies, capture_output=True, text=True, check=True)
    assert found.stdout.split() == sorted(f"mine/copy_{number}" for number in range(1, len(names()) + 1))


def test_no_copy_imports_a_shipped_suite_and_none_brings_what_was_accepted_for_it(copies: Path) -> None:
    for number, name in enumerate(names(), 1):
        folder = copies / "evalsuites" / "mine" / f"copy_{number}"
        for path in folder.rglob("*.py"):
            strange = [
                line
                for line in path.read_text("utf-8").splitlines()
                if line.strip().startswith(("from evalsuites", "import evalsuites"))
                and f"mine.copy_{number}" not in line
            ]
            assert strange == [], (name, path)
        assert not list(folder.rglob("baseline.json")) and not list(folder.rglob("noise.json"))
        assert (folder / f"test_copy_{number}.py").is_file()
        assert [p.name for p in folder.glob("test_*.py")] == [f"test_copy_{number}.py"]


def test_source_and_licence_notes_are_kept_and_the_copy_says_what_it_is(copies: Path) -> None:
    for number, name in enumerate(names(), 1):
        folder = copies / "evalsuites" / "mine" / f"copy_{number}"
        was, now = ((f / "README.md").read_text("utf-8") for f in (SHIPPED / name, folder))
        assert f"A copy of `{name}`, which comes with tunegate" in now
        notes = [line for line in was.splitlines() if "icence" in line and "evalsuites" not in line]
        assert all(line in now for line in notes), name
        told = [f"licence={part}" for part in declared(SHIPPED / name).split("licence=")[1:]]
        assert told and all(text in declared(folder) for text in told)


def declared(folder: Path) -> str:
    (path,) = folder.glob("test_*.py")
    return path.read_text("utf-8")


def test_a_baseline_that_was_accepted_does_not_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.scaffold import copy_suite

    source = tmp_path / "shipped" / "legal" / "fees"
    source.mkdir(parents=True)
    for name in ("baseline.json", "noise.json", "gates.toml", "cases.jsonl", "test_fees.py"):
        (source / name).write_text("x")
    monkeypatch.setattr(copy_suite, "SHIPPED", tmp_path / "shipped")
    made = tmp_path / "made"
    copy_suite.copy_suite("legal/fees", "my", "own", made)
    assert sorted(p.name for p in made.iterdir()) == ["README.md", "cases.jsonl", "gates.toml", "test_own.py"]


@pytest.mark.slow
def test_a_copy_asks_scores_and_judges_as_the_original_does(tmp_path: Path) -> None:
    assert tunegate(tmp_path, "init", "leases/clauses", "--from", "legal/clauses").returncode == 0
    folder = tmp_path / "evalsuites" / "leases" / "clauses"
    assert load_cases(folder / "cases.jsonl") == eval_cases() and not (folder / "cases.py").exists()
    answers = right_answers("list", folder / "cases.jsonl")
    words = ("--engine", "fake", "--script", script(tmp_path, answers))
    done = tunegate(tmp_path, "compare", "old", "new", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    run = only_run(tmp_path)
    assert {(v.suite, v.outcome) for v in run.verdicts} == {("leases/clauses", "pass")}
    assert "keyword_floor" in run.manifest.checkpoints
