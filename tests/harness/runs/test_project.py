"""Run folders are written where the user works, and every command looks for them there and says where it looked."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.runs.project import runs_of
from tests.support.command import run_pytest, tunegate
from tests.support.mini import pytest_in, right, rows, write_script, write_suite

SECTION = '[tool.tunegate]\nruns = "evaluations"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in a folder of its own, as a user has one next to others."""
    project = tmp_path / "work" / "project"
    project.mkdir(parents=True)
    write_suite(project)
    write_script(project, tuned=right(rows()))
    return project


def session(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest in a folder that need not be the project's."""
    settings = os.environ | {"TUNEGATE_CACHE": str(folder / "cache")}
    return run_pytest("-q", "-p", "no:cacheprovider", "--engine", "fake", *words, cwd=folder, env=settings)


def runs_below(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("run.json"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_checkpoint_elsewhere_does_not_move_the_runs(root: Path, tmp_path: Path, workers: tuple[str, ...]) -> None:
    checkpoint = tmp_path / "models" / "adapter"
    checkpoint.mkdir(parents=True)
    done = pytest_in(root, "-q", "--checkpoint", str(checkpoint), *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = runs_below(tmp_path)
    assert made.parent == root / "runs"


def test_runs_are_written_below_the_working_folder_where_suites_are_elsewhere(root: Path, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    words = (str(root / "evalsuites"), "--eval-script", str(root / "script.json"))
    assert session(desk, *words).returncode == 0
    assert session(desk, *words, "--eval-runs", "mine").returncode == 0
    assert {made.parent for made in runs_below(tmp_path)} == {desk / "runs", desk / "mine"}


def test_a_folder_inside_the_project_uses_the_runs_of_the_project(root: Path) -> None:
    (root / "pyproject.toml").write_text(SECTION)
    inside = root / "evalsuites" / "legal"
    script = ("--script", str(root / "script.json"))
    assert session(inside, "mini", *script).returncode == 0
    (made,) = runs_below(root)
    assert made.parent == root / "evaluations"
    found = tunegate(inside, "report", made.name)
    assert found.returncode == 0, found.stderr
    assert made.name in tunegate(inside, "runs").stdout
    assert tunegate(inside, "compare", "old", "new", "--suite", "mini", "--engine", "fake", *script).returncode == 0
    assert {made.parent for made in runs_below(root)} == {root / "evaluations"}


def test_what_is_not_found_is_said_with_the_folder_that_was_searched(root: Path) -> None:
    (root / "pyproject.toml").write_text(SECTION)
    where = str(root / "evaluations")
    for words in ("report x", "regate x", "baseline accept x --reason y", "ci comment x"):
        done = tunegate(root / "evalsuites", *words.split())
        assert done.returncode == 4 and f"run 'x': no run has that name in {where}" in done.stderr, done.stderr
    assert tunegate(root / "evalsuites", "runs").stdout == f"no runs in {where}. Create one with: pytest evalsuites\n"
    assert str(root / "other") in tunegate(root, "runs", "--runs", "other").stdout


@pytest.mark.parametrize(
    "section", ['[tool.tunegate]\nrun = "x"\n', "[tool.tunegate]\nruns = 3\n", "[tool]\ntunegate = 3\n"]
)
def test_a_section_that_cannot_be_used_is_a_usage_error(root: Path, section: str) -> None:
    (root / "pyproject.toml").write_text(section)
    with pytest.raises(UserError, match=r"pyproject\.toml: tool\.tunegate is .*takes two keys: runs"):
        runs_of(None, root)
    for done in (pytest_in(root, "-q"), tunegate(root, "runs")):
        assert done.returncode == 4 and "takes two keys" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_a_broken_file_of_a_folder_above_is_none_of_ours(root: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool")
    assert runs_of(None, root) == root / "runs"
