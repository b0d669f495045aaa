"""The names of the plugin's options: the short ones give way to those of a project or of another plugin."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.engines.base import ENGINES
from harness.runs.folder import load_manifest
from tests.support.command import run_pytest
from tests.support.mini import right, rows, write_script, write_suite
from tunegate.pytest_plugin.options import BARE, OPTIONS
from tunegate.pytest_plugin.options import ENGINES as ENGINES_IN_HELP

VALUES = {"flag": 'action="store_true"', "number": "type=int", "text": "", "many": 'action="append"'}
OWN = {"url": "text", "limit": "number", "engine": "text", "checkpoint": "text", "baseline": "text", "long": "flag"}
"""Options that a project may define itself -> what they take."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_suite(tmp_path)
    write_script(tmp_path, tuned=right(rows()))
    return tmp_path


def defining(*names: str) -> str:
    """Source of a plugin that defines options."""
    lines = [f'    parser.addoption("--{name}", {VALUES[OWN[name]]})'.replace(", )", ")") for name in names]
    return "\n".join(["def pytest_addoption(parser):", *lines, ""])


def session(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"TUNEGATE_CACHE": str(root / "cache"), "PYTEST_ADDOPTS": ""} | environment
    return run_pytest("-q", "-p", "no:cacheprovider", *words, cwd=root, env=env)


def checkpoints(root: Path) -> set[str]:
    """Names of the checkpoints of all runs."""
    made = [load_manifest(path) for path in (root / "runs").iterdir() if path.is_dir()]
    return {one.name.removeprefix("fake:") for manifest in made for one in manifest.checkpoints.values()}


def test_help_shows_the_long_names_and_the_three_short_ones(root: Path) -> None:
    text = " ".join(session(root, "--help").stdout.split())
    assert [name for name in OPTIONS if f"--eval-{name}" not in text] == []
    assert tuple(name for name in OPTIONS if f" --{name}" in text) == BARE
    assert set(ENGINES_IN_HELP.replace(",", "").replace(" or", "").split()) == set(ENGINES)


def test_short_and_old_names_are_read_where_nobody_else_has_them(root: Path) -> None:
    done = session(
        root, "evalsuites", "--engine", "fake", "--script=script.json", "--limit", "3", "--checkpoint", "new"
    )
    assert done.returncode == 6 and "3 answers for tuned new" in done.stdout, done.stdout + done.stderr
    assert checkpoints(root) == {"new"}


@pytest.mark.parametrize("name", OWN)
def test_a_project_that_defines_a_name_starts_and_has_it(root: Path, name: str) -> None:
    (root / "conftest.py").write_text(defining(name))
    value = {"flag": None, "number": 3, "text": "theirs"}[OWN[name]]
    (root / "test_theirs.py").write_text(
        f"def test_value(request):\n    assert request.config.getoption('--{name}') == {value or True!r}\n"
    )
    given = [f"--{name}"] + ([] if value is None else [str(value)])
    done = session(root, "test_theirs.py", *given)
    assert done.returncode == 0 and "tunegate" not in done.stdout, done.stdout + done.stderr


def test_the_long_names_work_next_to_a_projects_own(root: Path) -> None:
    (root / "conftest.py").write_text(defining(*OWN))
    words = ("--eval-engine", "fake", "--eval-script", "script.json", "--eval-checkpoint", "new", "--eval-limit", "4")
    done = session(root, "evalsuites", *words, "--checkpoint", "theirs")
    assert done.returncode == 6 and "4 answers for tuned new" in done.stdout, done.stdout + done.stderr
    assert checkpoints(root) == {"new"} and "defined by this project" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_one_line_says_that_a_name_belongs_to_the_project(root: Path, workers: tuple[str, ...]) -> None:
    (root / "conftest.py").write_text(defining("checkpoint"))
    words = ("--engine", "fake", "--script", "script.json", "--checkpoint", "new")
    done = session(root, "evalsuites", *words, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "new" not in checkpoints(root)
    said = "--checkpoint: defined by this project or a plugin; tunegate does not read it. Use --eval-checkpoint instead"
    assert done.stdout.count(said) == 1


def test_an_option_of_a_plugin_or_of_a_conftest_in_a_subfolder_is_theirs(root: Path) -> None:
    (root / "theirs.py").write_text(defining("url", "limit"))
    words = ("evalsuites", "-p", "theirs", "--engine", "fake", "--script", "script.json")
    done = session(root, *words, "--url", "http://shop", "--limit", "2", PYTHONPATH=str(root))
    assert done.returncode == 0 and "--limit: defined" in done.stdout, done.stdout + done.stderr
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "sub" / "deep" / "conftest.py").write_text(defining(*OWN))
    (root / "sub" / "deep" / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    done = session(root, "sub", "--engine", "fake", "--checkpoint", "new")
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_folder_that_a_short_option_names_is_not_searched_for_conftest_files(root: Path) -> None:
    adapter = root / "adapter"
    adapter.mkdir()
    (adapter / "conftest.py").write_text("import pathlib\n\npathlib.Path('loaded').touch()\n")
    session(root, "evalsuites", "--engine", "fake", "--script", "script.json", "--checkpoint", str(adapter))
    assert not (root / "loaded").exists() and checkpoints(root) == {str(adapter)}


def test_messages_name_options_as_pytest_has_them(root: Path) -> None:
    done = session(root, "evalsuites", "--engine", "openai")
    assert done.returncode == 4 and "Add --eval-url http://HOST:PORT" in done.stderr
    done = session(root, "evalsuites", "--engine", "nothing")
    assert done.returncode == 4 and "--engine nothing: expected one of: vllm, " in done.stderr
    required = session(
        root, "evalsuites", "--engine", "fake", "--eval-script", "script.json", "--eval-limit", "1", CI="1"
    )
    assert "--eval-require-gates (on because CI is set; --eval-no-require-gates turns it off)" in required.stdout
