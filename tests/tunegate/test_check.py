"""`tunegate check` finds what a run would refuse, without a model, and pre-commit runs it for the files of a commit."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command import PROGRAMS, outcome, run
from tests.support.mini import right, write_script, write_suite
from tests.support.mini import rows as mini_rows

ROOT = Path(__file__).parents[2]
HOOKS = ROOT / ".pre-commit-hooks.yaml"
CONFIG = 'base = "smollm2-135m-instruct"\n\n[data]\ntrain = ["rows.jsonl"]\n'
SUITE = Path("evalsuites/legal/mini")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite and a training configuration, both valid, in the current folder."""
    write_suite(tmp_path, mini_rows(8))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"instruction": "Which?", "output": "none"}) + "\n")
    (tmp_path / "train.toml").write_text(CONFIG)
    (tmp_path / "evalsuites/legal/shared.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def break_file(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "paths", [["evalsuites"], [f"{SUITE}/cases.jsonl", f"{SUITE}/gates.toml"], ["evalsuites/legal/shared.py"]]
)
def test_a_folder_or_any_file_of_a_suite_stands_for_the_suite(project: Path, paths: list[str]) -> None:
    assert outcome("check", *paths, "train.toml") == (0, "train.toml: valid\nlegal/mini: valid, 8 cases\n", "")


REPEATED = (
    "1 case repeats the input of a case of another cluster (but for capitals, white space and punctuation), such as "
    "'c2' and 'c5'. A duplicate counts twice: remove one, or give both one cluster"
)


@pytest.mark.parametrize(("old", "new", "said"), [
    ("Contract 5", "Contract  2", REPEATED),
    ("Contract 5.", "contract '2' !", REPEATED),
    ('Contract 5."', 'Contract  2", "question": "Which?"', REPEATED.replace("input", "document").replace(
        "A duplicate counts twice: remove one, or give both", "One source counts as several: give both")),
    ('"instrument": "deed"', '"Instrument": "deed"', "4 of 8 cases have no 'instrument' and are judged by no gate of "
     "clause_exact_set. Add the tag, or a gate without slice"),
])  # fmt: skip
def test_what_weakens_a_valid_suite_is_a_warning(project: Path, old: str, new: str, said: str) -> None:
    break_file(SUITE / "cases.jsonl", old, new)
    assert outcome("check", str(SUITE)) == (0, f"legal/mini: valid, 8 cases\nlegal/mini: {said}\n", "")
    write_script(Path(), tuned=right(mini_rows(8)))
    _, out, err = outcome("eval", "m", "--engine", "fake", "--script", "script.json")
    assert said in " ".join((out + err).split()), out + err


def test_a_label_that_no_case_expects_is_a_warning_where_a_gate_is_on_the_mean_over_labels(project: Path) -> None:
    break_file(SUITE / "cases.jsonl", '["assignment"]', '["Holdover"]')
    valid = "legal/mini: valid, 8 cases\n"
    assert outcome("check", str(SUITE)) == (0, valid, "")
    break_file(SUITE / "gates.toml", "clause_recall", "clause_macro_f1")
    assert outcome("check", str(SUITE)) == (
        0,
        f"{valid}legal/mini: no case expects 'assignment', so no gate of clause_macro_f1 judges it. Add such cases, or "
        "remove the label from the scorer\n",
        "",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new", "said"), [
    ("gates.toml", "clause_recall", "clause_recal", "unknown metric 'clause_recal'"),
    ("gates.toml", '"instrument"', '"county"', "unknown slice 'county'"),
    ("gates.toml", "[[gate]]", "[[gate", "gates.toml: not valid TOML"),
    ("cases.jsonl", '"id": "c3"', '"id": "c2"', "id 'c2' is already used on line 3"),
    ("cases.jsonl", "Contract 6", "Contract 2", "1 case repeats the input, expected and tags of .*'c2' and 'c6'"),
    ("cases.jsonl", '"k6"', '" K2"', "1 cluster is written in several ways, .* as several: 'k2', ' K2'. Write each"),
    ("cases.jsonl", '"k6"', '"k2\\u200b"', r"1 cluster is written in several ways, .*: 'k2', 'k2\\u200b'. Write each"),
    ("cases.jsonl", '["assignment"]', '["arson"]', "expects 'arson', which is not in the list"),
    ("prompt.jinja", "document", "text", "the prompt needs a variable its input lacks"),
    ("prompt.jinja", "}}", "}", "not a Jinja template"),
    ("test_mini.py", "Suite(", "Suite((", r"cannot be imported: SyntaxError: .*test_mini\.py, line \d"),
    ("test_mini.py", "no_such_clause", "no_clause", "no case has the tags {'kind': 'no_clause'} that"),
    ("test_mini.py", "@suite.case\ndef", "class All:\n  @suite.case\n  def", "would never run: it is inside a class"),
    ("test_mini.py", "(record)", "(record, word)", r"record alone \(missing a required argument: 'word'\)"),
    ("test_mini.py", "suite = ", "exit(3)\nsuite = ", "cannot be imported: SystemExit: 3"),
    ("test_mini.py", "suite = ", "import pytest\npytest.importorskip('no_such')\nsuite = ", "imported: Skipped: could"),
])  # fmt: skip
def test_a_fault_of_a_suite_is_named_with_its_file(project: Path, file: str, old: str, new: str, said: str) -> None:
    break_file(SUITE / file, old, new)
    code, out, err = outcome("check", str(SUITE / file))
    assert (code, out) == (4, "") and err.startswith("tunegate: ") and re.search(said, err), err


def test_all_faults_of_all_files_are_named_together(project: Path) -> None:
    break_file(SUITE / "gates.toml", "clause_recall", "clause_recal")
    break_file(SUITE / "prompt.jinja", "document", "text")
    Path("train.toml").write_text(CONFIG.replace("rows.jsonl", "row.jsonl") + "\n[lora]\nrank = 8\n")
    code, _, err = outcome("check", "evalsuites", "train.toml", "none.toml", "rows.jsonl")
    assert code == 4
    for said in ("clause_recal'", "the prompt needs", "row.jsonl, which is not a file", "did you mean 'lora.r'?"):
        assert said in err
    assert "none.toml: does not exist. Name a suite's folder" in err and "rows.jsonl: belongs to no suite" in err


def test_two_suites_of_one_name_in_a_project_are_a_fault(project: Path) -> None:
    shutil.copytree("evalsuites", "other/evalsuites")
    assert outcome("check", ".") == (0, "legal/mini: valid, 8 cases\n" * 2, "")
    shutil.copytree(SUITE, "evalsuites/more/legal/mini")
    code, _, err = outcome("check", ".")
    both = "evalsuites/legal/mini/test_mini.py:6 and evalsuites/more/legal/mini/test_mini.py:6"
    assert code == 4 and f"legal/mini is the name of two suites, {both}" in err, err


def test_another_toml_file_is_no_training_configuration(project: Path) -> None:
    for path in (Path("pyproject.toml"), SUITE / "words.toml"):
        path.write_text("[project]\nname = 'x'\n")
    assert outcome("check", "pyproject.toml") == (
        4,
        "",
        "tunegate: pyproject.toml: belongs to no suite. Name a suite's folder or one of its files, or a training "
        "configuration with 'base' and [data]\n",
    )
    assert outcome("check", f"{SUITE}/words.toml") == (0, "legal/mini: valid, 8 cases\n", "")


@pytest.mark.parametrize("path", [str(SUITE), f"{SUITE}/test_mini.py"])
def test_a_test_file_without_a_suite_is_a_fault(project: Path, path: str) -> None:
    break_file(SUITE / "test_mini.py", "suite = Suite(", "def suite():\n    return Suite(")
    break_file(SUITE / "test_mini.py", "@suite.case", "# @suite.case")
    code, out, err = outcome("check", path, "train.toml")
    assert (code, out) == (4, "train.toml: valid\n") and f"{path}: belongs to no suite" in err, err


def test_a_test_of_a_suites_own_code_stands_for_the_suite(project: Path) -> None:
    (SUITE / "tests").mkdir()
    (SUITE / "tests/test_words.py").write_text("def test_words():\n    assert True\n")
    assert outcome("check", f"{SUITE}/tests/test_words.py") == (0, "legal/mini: valid, 8 cases\n", "")


def test_a_suite_whose_data_is_elsewhere_is_named_and_no_fault(project: Path) -> None:
    test = next(SUITE.glob("test_*.py"))
    code = "from harness.errors import Unavailable\n\ndef absent():\n    raise Unavailable('the data is elsewhere')\n\n"
    test.write_text(test.read_text().replace("suite = Suite(", f"{code}suite = Suite(cases=absent, "))
    assert outcome("check", "evalsuites") == (0, "legal/mini: not checked: the data is elsewhere\n", "")


def test_the_check_loads_no_model_library(project: Path) -> None:
    code = "\n".join([
        "import sys",
        "from tunegate.cli.main import main",
        "sys.argv = ['tunegate', 'check', 'evalsuites', 'train.toml']",
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code",
        "print(*{m.partition('.')[0] for m in sys.modules})",
    ])  # fmt: skip
    done = run("-c", code, cwd=project, env=os.environ | {"PYTHONPATH": str(ROOT)})
    modules = done.stdout.splitlines()[-1].split()
    assert "legal/mini: valid" in done.stdout, done.stderr
    assert not {"torch", "transformers", "datasets", "vllm", "scipy"} & set(modules)


# ---- pre-commit


def pre_commit(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("pre_commit")
    places = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PRE_COMMIT_HOME": str(cwd / "home"), "PYTHONPATH": str(ROOT)}
    return run("-m", "pre_commit", *words, cwd=cwd, env=os.environ | places)


def git(folder: Path, *words: str) -> None:
    author = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True)


def test_the_hooks_obey_the_schema_of_pre_commit(tmp_path: Path) -> None:
    assert pre_commit("validate-manifest", str(HOOKS), cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_pre_commit_checks_what_a_commit_changes(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The hooks run the tunegate that is installed here, because an environment of their own needs a package index."""
    hooks = tmp_path_factory.mktemp("hooks")
    (hooks / HOOKS.name).write_text(HOOKS.read_text().replace("language: python", "language: system"))
    (project / ".gitignore").write_text("home\n")
    for folder in (hooks, project):
        git(folder, "init")
        git(folder, "add", "-A")
        git(folder, "commit", "-m", "first")
    (project / "README.md").write_text("Of no concern.")
    git(project, "add", "-A")
    unconcerned = pre_commit("try-repo", str(hooks), cwd=project)
    assert unconcerned.returncode == 0 and unconcerned.stdout.count("(no files to check)Skipped") == 2, unconcerned
    right = pre_commit("try-repo", str(hooks), "--all-files", cwd=project)
    assert right.returncode == 0 and right.stdout.count("Passed") == 2, right.stdout + right.stderr
    break_file(SUITE / "gates.toml", "clause_recall", "clause_recal")
    git(project, "add", "-A")
    wrong = pre_commit("try-repo", str(hooks), cwd=project)
    assert wrong.returncode == 1 and "exit code: 4" in wrong.stdout and "unknown metric 'clause_recal'" in wrong.stdout
    assert wrong.stdout.count("Skipped") == 1
