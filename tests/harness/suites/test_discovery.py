"""Suites are found once each, under one name, and import what lies in the folders around them."""

import re
import sys
import tokenize
from pathlib import Path
from typing import TextIO

import pytest

from harness.errors import UserError
from harness.gates.config import suites_with_bars
from harness.suites.discovery import find_suites
from tests.support.mini import pytest_in, right, rows, write_script, write_suite
from tunegate.check import check

SECOND = "# A second suite.\nfrom harness import Suite\n\nsuite = Suite(scorers=[])\n"


def test_a_suite_under_two_names_or_below_two_folders_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_suite(tmp_path)
    monkeypatch.chdir(folder.parents[2])
    assert [suite.name for suite in find_suites(["legal/mini"])] == ["legal/mini"]
    test = folder / "test_mini.py"
    test.write_text(test.read_text() + "\n\nalias = suite\n")
    assert [suite.name for suite in find_suites([str(tmp_path), str(folder), str(test)])] == ["legal/mini"]
    user = "from evalsuites.legal.mini.test_mini import suite\n"
    (folder / "test_cases.py").write_text(user)  # Loaded before the file that it imports.
    assert [suite.name for suite in find_suites([str(folder)])] == ["legal/mini"]
    (folder / "test_cases.py").write_text("from harness import Suite\n\ndef make():\n    return Suite(scorers=[])\n")
    test.write_text("from evalsuites.legal.mini.test_cases import make\nsuite = make()\n")
    assert [suite.name for suite in find_suites([str(folder)])] == ["legal/mini"]
    (tmp_path / "test_user.py").write_text(user)
    assert [suite.name for suite in find_suites([str(tmp_path / "test_user.py")])] == []


@pytest.mark.parametrize("place", [".ipynb_checkpoints", "env"])
def test_a_copy_of_an_editor_and_the_tests_of_installed_packages_are_no_suites(tmp_path: Path, place: str) -> None:
    other = write_suite(tmp_path) / place / "test_mini-checkpoint.py"
    other.parent.mkdir()
    other.write_text(SECOND)
    if place == "env":
        (other.parent / "pyvenv.cfg").touch()
    assert [suite.name for suite in find_suites([str(tmp_path)])] == ["legal/mini"]
    assert [suite.name for suite in find_suites([str(other.parent)])] == [f"mini/{place}"]


@pytest.mark.parametrize("file", ["cases.jsonl", "gates.toml"])
def test_another_file_of_a_suite_is_a_mistake_of_the_user(tmp_path: Path, file: str) -> None:
    with pytest.raises(UserError, match=rf"{file}: is no suite\. Name the folder of the suite"):
        list(find_suites([str(write_suite(tmp_path) / file)]))


@pytest.mark.parametrize("other", ["evalsuites/legal/mini/test_more.py", "copy/legal/mini/test_copy.py"])
def test_two_suites_with_one_name_are_refused(tmp_path: Path, other: str) -> None:
    folder = write_suite(tmp_path)
    (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / other).write_text(SECOND)
    places = f"{re.escape(str(folder / 'test_mini.py'))}:6 and {re.escape(str(tmp_path / other))}:4"
    with pytest.raises(UserError, match=f"legal/mini is the name of two suites, {places}"):
        list(find_suites([str(tmp_path / "evalsuites"), str(tmp_path / other)]))


def test_pytest_refuses_two_suites_in_one_folder(tmp_path: Path) -> None:
    folder = write_suite(tmp_path)
    (folder / "test_more.py").write_text(SECOND)
    done = pytest_in(tmp_path, "--collect-only", "-q")
    assert done.returncode == 4
    assert "legal/mini is the name of two suites" in done.stdout + done.stderr
    assert "test_mini.py:6 and evalsuites/legal/mini/test_more.py:4" in done.stdout + done.stderr


SHARED = """from harness import Suite
from harness.scoring.legal import clauses


def suite_of():
    return Suite(scorers=[clauses.found])
"""


def test_a_suite_that_another_module_declares_is_refused_and_not_left_out(tmp_path: Path) -> None:
    """It would have the folder of that module, and its gates would never be read."""
    write_suite(tmp_path)
    write_suite(tmp_path, name="other", test="from evalsuites.shared import suite_of\n\nsuite = suite_of()\n")
    (tmp_path / "evalsuites" / "shared.py").write_text(SHARED)
    with pytest.raises(UserError, match=r"test_other\.py: its suite was declared at .*shared\.py:6, expected in this"):
        list(find_suites([str(tmp_path)]))
    done = pytest_in(tmp_path, "--collect-only", "-q")
    assert done.returncode == 4 and "was declared at evalsuites/shared.py:6" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_suite_behind_a_link_runs_under_the_name_of_the_link(tmp_path: Path) -> None:
    folder = write_suite(tmp_path)
    write_script(tmp_path, tuned=right(rows()))
    (tmp_path / "shared").mkdir()
    folder.rename(tmp_path / "shared" / "target")
    folder.symlink_to(tmp_path / "shared" / "target")
    (folder / "loop").symlink_to(tmp_path / "evalsuites")
    suites = str(tmp_path / "evalsuites")
    assert [suite.name for suite in find_suites([suites])] == suites_with_bars(Path(suites)) == ["legal/mini"]
    assert next(check([Path(suites), folder])).startswith("legal/mini: ")
    (folder / "loop").unlink()
    done = pytest_in(tmp_path, "-q", "--eval-require-gates")
    assert done.returncode == 0 and "legal/mini" in done.stdout, done.stdout + done.stderr


def test_pytest_refuses_a_suite_next_to_a_link_to_it(tmp_path: Path) -> None:
    folder = write_suite(tmp_path)
    (folder.parent / "twin").symlink_to(folder)
    done = pytest_in(tmp_path, "--collect-only", "-q")
    assert done.returncode == 4
    assert "legal/mini is collected twice, the second time through a link" in done.stdout + done.stderr


def test_folders_without_an_init_are_packages_below_evalsuites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]:
        monkeypatch.delitem(sys.modules, name)
    folder = write_suite(tmp_path)
    (folder / "answers.py").write_text("RIGHT = 'a'\n")
    test = folder / "test_mini.py"
    test.write_text(
        "from evalsuites.general.basics import __doc__ as installed\nfrom evalsuites.legal import clause_names\n"
        f"from evalsuites.legal.mini.answers import RIGHT\n{test.read_text()}"
    )
    assert [suite.name for suite in find_suites([str(folder)])] == ["legal/mini"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["test_mini.py", "names.py"])
def test_a_file_of_a_suite_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = write_suite(tmp_path)
    (folder / "names.py").write_text("")
    (folder / "test_mini.py").write_text("from evalsuites.legal.mini import names\n" + SECOND)
    real = tokenize.open

    def refuse(file: Path) -> TextIO:
        if Path(file).name == name:
            raise PermissionError(13, "Permission denied", str(file))
        return real(file)

    monkeypatch.setattr(tokenize, "open", refuse)
    with pytest.raises(UserError, match=rf"mini/{name}: cannot be read \(Permission denied\)\. Make it readable"):
        list(find_suites([str(folder)]))


def test_a_suite_is_loaded_again_only_with_the_files_that_it_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]:
        monkeypatch.delitem(sys.modules, name)
    folder = write_suite(tmp_path)
    (folder / "answers.py").write_text("RIGHT = 'a'\n")
    test = folder / "test_mini.py"
    test.write_text("from evalsuites.legal.mini.answers import RIGHT\n" + SECOND)
    assert len(list(find_suites([str(folder)]))) == 1
    test.write_text(test.read_text() + "suite.title = RIGHT\n")
    assert [suite.title for suite in find_suites([str(folder)])] == ["a"]
    (folder / "answers.py").write_text("RIGHT = LATER = 'b'\n")
    test.write_text(test.read_text().replace("RIGHT", "LATER"))
    with pytest.raises(UserError, match=r"answers\.py: changed since it was imported"):
        list(find_suites([str(folder)]))
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]:
        del sys.modules[name]
    assert [suite.title for suite in find_suites([str(folder)])] == ["b"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]:
        del sys.modules[name]


def test_case_tests_that_helpers_make_and_decorators_wrap_are_found(tmp_path: Path) -> None:
    folder = write_suite(tmp_path)
    (folder / "helpers.py").write_text("def strict(suite):\n    return suite.case(must=True)(lambda record: None)\n")
    with (folder / "test_mini.py").open("a") as file:
        file.write(
            "\n\nfrom unittest.mock import patch\nfrom evalsuites.legal.mini.helpers import strict\n\n"
            "test_strict = strict(suite)\n\n\n"
            "@suite.case\n@patch('os.getcwd')\ndef test_patched(record, cwd):\n    pass\n"
        )
    (suite,) = find_suites([str(folder)])
    assert [problem for test in suite.tests for problem in test.problems()] == [] and len(suite.tests) > 2
