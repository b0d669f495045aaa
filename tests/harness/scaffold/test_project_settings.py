"""`tunegate init` writes pyproject.toml, or adds to it what is missing, and changes nothing that is there."""

import tomllib
from pathlib import Path

import pytest

from tests.support.command import tunegate

INIT = ("init", "contracts/fees", "--yes")


def settings(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]


def test_a_new_project_gets_its_settings(tmp_path: Path) -> None:
    done = tunegate(tmp_path, *INIT)
    assert done.returncode == 0, done.stderr
    assert settings(tmp_path) == {
        "tunegate": {"runs": "runs"},
        "pytest": {"ini_options": {"testpaths": ["evalsuites"]}},
    }
    assert "written: pyproject.toml ([tool.tunegate], [tool.pytest.ini_options])" in done.stdout


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_what_a_project_has_already_stays_byte_for_byte(tmp_path: Path, end: str) -> None:
    before = f'[project]\nname = "theirs"  # a comment{end}'.encode()
    (tmp_path / "pyproject.toml").write_bytes(before)
    done = tunegate(tmp_path, *INIT)
    assert (tmp_path / "pyproject.toml").read_bytes().startswith(before)
    # Their other tests still run where nothing is named.
    assert settings(tmp_path) == {"tunegate": {"runs": "runs"}, "pytest": {"ini_options": {}}}
    assert "added to pyproject.toml: [tool.tunegate], [tool.pytest.ini_options]" in done.stdout


def test_nothing_is_added_twice(tmp_path: Path) -> None:
    whole = '[tool.tunegate]\nruns = "elsewhere"\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'
    (tmp_path / "pyproject.toml").write_text(whole)
    done = tunegate(tmp_path, *INIT)
    assert (tmp_path / "pyproject.toml").read_text() == whole and "pyproject" not in done.stdout


@pytest.mark.parametrize("file", ["pytest.ini", "tox.ini", "setup.cfg"])
def test_settings_of_pytest_in_another_file_are_enough(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("[pytest]\n")
    tunegate(tmp_path, *INIT)
    assert settings(tmp_path) == {"tunegate": {"runs": "runs"}}


@pytest.mark.parametrize("broken", ["[tool", "tool = {}\n", "\ufeff[project]\n"])
def test_a_file_that_cannot_be_added_to_is_left_alone_and_named(tmp_path: Path, broken: str) -> None:
    (tmp_path / "pyproject.toml").write_text(broken, "utf-8")
    done = tunegate(tmp_path, *INIT)
    assert done.returncode == 0 and (tmp_path / "pyproject.toml").read_text("utf-8") == broken
    assert "pyproject.toml was left as it is" in done.stdout and "[tool.tunegate]" in done.stdout, done.stdout
