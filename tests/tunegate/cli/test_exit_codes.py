"""Exit codes of the commands that judge: nothing judged is never 0, and a defect is never the code of a failed gate."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import PYTEST, TUNEGATE, run, tunegate
from tests.support.mini import GATES, TEST, pytest_in, right, rows, write_script, write_suite

CASES = rows()
NEEDS_BASELINE = """[objective]
text = "Find more clauses than before."

[[gate]]
metric = "clause_exact_set"
rule = "improves"
"""
IMPROVES = NEEDS_BASELINE[NEEDS_BASELINE.index("\n[[gate]]") :]
FAKE = ("--engine", "fake", "--script", "script.json")
JUDGED, FAILED, DEFECT, BAD_INPUT, NOTHING_JUDGED = 0, 1, 3, 4, 6
"""As docs/reference/exit-codes.md has them."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose model is always right and whose one gate asks for a baseline."""
    write_suite(tmp_path, gates=NEEDS_BASELINE)
    write_script(tmp_path, tuned=right(CASES))
    return tmp_path


def newest_run(root: Path) -> str:
    return max((root / "runs").glob("2*/MANIFEST.sha256"), key=lambda p: p.stat().st_mtime_ns).parent.name


@pytest.mark.slow
def test_a_comparison_with_a_baseline_that_was_never_accepted_judges_nothing(root: Path) -> None:
    done = tunegate(root, "compare", "accepted", "new", *FAKE)
    assert done.returncode == NOTHING_JUDGED, done.stdout + done.stderr
    assert "No gate was judged" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [
    (),
    ("--baseline", "accepted"),
    ("--limit", "10"),
    ("-k", "not gate"),
    ("-n", "2", "-k", "not gate"),
])  # fmt: skip
def test_a_session_without_a_verdict_judges_nothing(root: Path, words: tuple[str, ...]) -> None:
    done = pytest_in(root, "-q", *words)
    assert done.returncode == NOTHING_JUDGED, done.stdout + done.stderr
    assert "No gate was judged in this session" in done.stdout


@pytest.mark.parametrize("mark", ["skip", "long"])
def test_a_session_whose_suites_are_all_skipped_judges_nothing(tmp_path: Path, mark: str) -> None:
    write_suite(tmp_path, test=TEST.replace("suite = ", f"import pytest\n\npytestmark = pytest.mark.{mark}\nsuite = "))
    write_script(tmp_path, tuned=right(CASES))
    done = pytest_in(tmp_path, "-q")
    assert done.returncode == NOTHING_JUDGED, done.stdout + done.stderr


@pytest.mark.slow
def test_gate_and_rescore_without_a_verdict_judge_nothing(root: Path) -> None:
    pytest_in(root, "-q")
    for command in ("regate", "rescore"):
        done = tunegate(root, command, newest_run(root))
        assert done.returncode == NOTHING_JUDGED, (command, done.stdout + done.stderr)
        assert "No gate was judged" in done.stderr


@pytest.mark.slow
def test_a_run_without_a_verdict_is_not_accepted(root: Path) -> None:
    pytest_in(root, "-q")
    done = tunegate(root, "baseline", "accept", newest_run(root), "--reason", "in production")
    assert done.returncode == NOTHING_JUDGED and "no gate was judged" in done.stderr, done.stderr


def test_a_judge_whose_every_answer_is_unreadable_judged_nothing(root: Path) -> None:
    pytest_in(root, "-q")
    (root / "rubric.toml").write_text('name = "tone"\nquestion = "Is it polite?"\nlabels = ["no", "yes"]\n')
    ids = [f"{c['id']}/tuned/asked" for c in CASES]
    (root / "judge.json").write_text(json.dumps({"judge": dict.fromkeys(ids, "I would rather not say.")}))
    words = ("--rubric", "rubric.toml", "--by", "j", "--engine", "fake", "--script", "judge.json")
    done = tunegate(root, "judge", newest_run(root), *words)
    assert "0 answers judged, 40 unscored" in done.stdout, done.stdout + done.stderr
    assert done.returncode == NOTHING_JUDGED


@pytest.mark.slow
def test_a_failed_gate_wins_over_a_skipped_one(root: Path) -> None:
    write_suite(root, gates=GATES + IMPROVES)
    write_script(root, tuned=dict.fromkeys(right(CASES), "none"))
    assert pytest_in(root, "-q").returncode == FAILED
    again = tunegate(root, "regate", newest_run(root))
    assert again.returncode == FAILED and f"next: tunegate report {newest_run(root)} " in again.stdout
    assert tunegate(root, "compare", "accepted", "new", *FAKE).returncode == FAILED


@pytest.mark.slow
def test_a_passed_gate_beside_a_skipped_one_is_enough_unless_gates_are_required(root: Path) -> None:
    write_suite(root, gates=GATES + IMPROVES)
    compare = ("compare", "accepted", "new", *FAKE)
    assert tunegate(root, *compare).returncode == JUDGED
    required = tunegate(root, *compare, "--require-gates")
    assert required.returncode == FAILED
    assert "--require-gates: gates that did not run: legal/mini clause_exact_set-improves" in required.stderr
    assert pytest_in(root, "-q").returncode == JUDGED
    assert pytest_in(root, "-q", "--eval-require-gates").returncode == FAILED


@pytest.mark.slow
def test_gates_are_required_in_ci_unless_that_is_switched_off(root: Path) -> None:
    write_suite(root, gates=GATES + IMPROVES)
    pytest_in(root, "-q")
    commands = (("compare", "accepted", "new", *FAKE), ("regate", newest_run(root)), ("rescore", newest_run(root)))
    for words in commands:
        in_ci = tunegate(root, *words, CI="true")
        assert in_ci.returncode == FAILED and "CI is set" in in_ci.stderr, in_ci.stdout + in_ci.stderr
        assert tunegate(root, *words, "--no-require-gates", CI="true").returncode == JUDGED
        assert tunegate(root, *words, CI="false").returncode == JUDGED
    in_ci = pytest_in(root, "-q", env={"CI": "true"})
    assert in_ci.returncode == FAILED and "CI is set" in in_ci.stdout, in_ci.stdout
    assert pytest_in(root, "-q", "--eval-no-require-gates", env={"CI": "true"}).returncode == JUDGED


def test_required_gates_cover_those_of_a_file_that_lost_its_suite(root: Path) -> None:
    write_suite(root)
    (write_suite(root, name="other") / "test_other.py").write_text("def test_plain():\n    pass\n")
    compare = ("compare", "accepted", "new", *FAKE)
    done = tunegate(root, *compare)
    said = "evalsuites/legal/other/gates.toml belongs to no suite that was found"
    assert done.returncode == JUDGED and f"not run: {said}\n" in done.stderr, done.stdout + done.stderr
    required = tunegate(root, *compare, "--require-gates")
    assert required.returncode == FAILED and f"did not run: {said}\n" in required.stderr, required.stderr


def test_where_gates_are_required_every_suite_of_a_run_is_scored_again(root: Path) -> None:
    write_suite(root, name="other")
    pytest_in(root, "-q")
    words = ("rescore", newest_run(root), "--suite", "evalsuites/legal/other", "--require-gates")
    done = tunegate(root, *words)
    assert done.returncode == FAILED and "did not run: legal/mini: not judged" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("words", [("--checkpoint", "new"), ("--baseline", "accepted"), ("--eval-bars", "main")])
def test_an_evaluation_in_ci_that_collects_no_suite_fails(root: Path, words: tuple[str, ...]) -> None:
    shutil.copytree(root / "evalsuites", root / "main")
    (root / "evalsuites" / "legal" / "mini" / "test_mini.py").write_text("def test_plain():\n    pass\n")
    in_ci = pytest_in(root, "-q", *words, env={"CI": "true"})
    assert in_ci.returncode == FAILED and "gates that did not run: " in in_ci.stdout, in_ci.stdout
    assert ("legal/mini (main has gates for it)" in in_ci.stdout) == ("main" in words)
    assert pytest_in(root, "-q", *words, "--eval-no-require-gates", env={"CI": "true"}).returncode == JUDGED
    assert pytest_in(root, "-q", env={"CI": "true"}).returncode == JUDGED


def test_required_gates_cover_suites_that_are_skipped_by_a_mark(root: Path) -> None:
    skipped = TEST.replace("suite = ", "import pytest\n\npytestmark = pytest.mark.skip\nsuite = ")
    folder = write_suite(root, test=skipped).rename(root / "evalsuites" / "legal" / "skipped")
    (folder / "test_mini.py").rename(folder / "test_skipped.py")
    write_suite(root)
    assert pytest_in(root, "-q").returncode == JUDGED
    required = pytest_in(root, "-q", "--eval-require-gates")
    assert required.returncode == FAILED and "test_skipped.py::gate[" in required.stdout, required.stdout


def test_a_mark_does_not_excuse_a_gate(root: Path) -> None:
    for mark in ("xfail", "xfail(run=False)"):
        write_suite(root, test=TEST.replace("suite = ", f"import pytest\n\npytestmark = pytest.mark.{mark}\nsuite = "))
        write_script(root, tuned=dict.fromkeys(right(CASES), "none"))
        done = pytest_in(root, "-q")
        assert done.returncode == FAILED, (mark, done.stdout)


@pytest.mark.parametrize(("test", "code"), [("assert 1", 0), ("assert 0", 1), ("", 5)])
def test_a_project_without_suites_sees_the_ordinary_codes_of_pytest(tmp_path: Path, test: str, code: int) -> None:
    (tmp_path / "evalsuites").mkdir()
    body = f"def test_plain():\n    {test}\n" if test else "# no test\n"
    (tmp_path / "evalsuites" / "test_plain.py").write_text(body)
    (tmp_path / "script.json").write_text("{}")
    for env in ({}, {"CI": "true"}):
        done = pytest_in(tmp_path, "-q", env=env)
        assert done.returncode == code and "tunegate" not in done.stdout, done.stdout
    assert not (tmp_path / "runs").exists()


def traceback_named_in(said: str) -> str:
    """The one line that tells of the defect names a file; its content."""
    line = next(line for line in said.splitlines() if "a defect in tunegate" in line)
    named = re.search(r"Traceback: (\S+)", line)
    assert named is not None, line
    return Path(named[1]).read_text("utf-8")


SECRET = "sk-" + "a1B2" * 8


@pytest.mark.parametrize(
    "error", [KeyError("tuned"), RecursionError(f"refused {SECRET}"), SystemExit("stopped by a library")]
)
def test_an_unexpected_exception_of_a_command_is_told_as_a_defect_in_one_line_without_secrets(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("harness.runs.history.past_runs", broken)
    done = tunegate(tmp_path, "runs")
    assert done.returncode == DEFECT and done.stderr.startswith("tunegate: ") and len(done.stderr.splitlines()) == 1
    written = traceback_named_in(done.stderr)
    assert type(error).__name__ in done.stderr and "in broken" in written and SECRET not in done.stderr + written


def test_a_reader_that_has_enough_is_no_defect_and_no_failed_gate(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, *TUNEGATE, "runs"], stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (2, "")


WHERE = {
    "while suites are collected": "tunegate.pytest_plugin.session.EvaluationSession.gate_ids",
    "while the run is made": "harness.evaluation.run.run",
    "while an item reads the run": "tunegate.pytest_plugin.session.EvaluationSession.properties",
    "while the run is summed up": "reports.render.terminal.lines",
}
"""Parts on the plugin's own side that a conftest breaks."""


@pytest.mark.slow
@pytest.mark.parametrize(("part", "workers"), [
    *((part, ()) for part in WHERE),
    ("while suites are collected", ("-n", "2")),
    ("while the run is made", ("-n", "2")),
])  # fmt: skip
def test_a_defect_inside_a_session_ends_it_with_the_code_of_an_internal_error(
    root: Path, part: str, workers: tuple[str, ...]
) -> None:
    (root / "conftest.py").write_text(
        "import harness.evaluation.run, tunegate.pytest_plugin.session, reports.render.terminal\n\n"
        "def broken(*_, **__):\n    raise KeyError('nobody expected this')\n\n"
        f"{WHERE[part]} = broken\n"
    )
    # In processes of their own: what the conftest breaks would stay broken for the tests that follow.
    words = ("evalsuites", "-p", "no:cacheprovider", "-q", "--engine", "fake", "--script", "script.json", *workers)
    done = run(*PYTEST, *words, cwd=root, env=os.environ | {"TUNEGATE_CACHE": str(root / "cache")})
    output = done.stdout + done.stderr
    assert done.returncode == DEFECT, output
    assert "INTERNALERROR" not in output
    assert "in broken" in traceback_named_in(output)


@pytest.mark.slow
def test_an_output_without_unicode_changes_no_exit_code(root: Path) -> None:
    environment = os.environ | {"TUNEGATE_CACHE": str(root / "cache"), "PYTHONIOENCODING": "latin-1"}
    done = run(*TUNEGATE, "eval", "new", *FAKE, cwd=root, env=environment)
    assert done.returncode == NOTHING_JUDGED and r"\u2013 NOT JUDGED" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1].endswith("/report/report.html")


@pytest.mark.slow
@pytest.mark.parametrize("words", [("eval", "new", *FAKE), ("power", "--strict"), ("check", "evalsuites")])
@pytest.mark.parametrize(("added", "said"), [
    ("import sys\n\nsys.exit()", r"cannot be imported: SystemExit \(test_mini\.py:\d+\)"),
    ("import pytest\n\npytest.importorskip('nowhere')", "cannot be imported: Skipped: could not import 'nowhere'"),
    ("import nowhere", r"cannot be imported: ModuleNotFoundError: No module named 'nowhere' \(test_mini\.py:\d+\)"),
    ("suite.domain", r"cannot be imported: AttributeError: .* no attribute 'domain' \(test_mini\.py:\d+\)"),
    ("def (", r"cannot be imported: SyntaxError: .*test_mini\.py, line \d+"),
])  # fmt: skip
def test_an_error_in_a_suites_own_file_is_bad_input_for_every_command(
    root: Path, words: tuple[str, ...], added: str, said: str
) -> None:
    write_suite(root, test=f"{TEST}\n\n{added}\n")
    done = tunegate(root, *words)
    assert done.returncode == BAD_INPUT and re.search(said, done.stderr), done.stderr
    assert "Traceback (most recent call last)" not in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("eval", "new", *FAKE), ("check", "evalsuites"), ("pytest",)])
@pytest.mark.parametrize(("old", "new", "said"), [
    ("suite = Suite(", "suite = Suite(cases=lambda: [1 / 0], ", "its cases cannot be read"),
    ("\n\n\n", "\n\nsuite.scorers[0].check = lambda case: 1 / 0\n\n", "a scorer cannot check case 'c0'"),
])  # fmt: skip
def test_an_error_in_what_a_suite_calls_on_its_cases_is_bad_input_too(
    root: Path, words: tuple[str, ...], old: str, new: str, said: str
) -> None:
    write_suite(root, test=TEST.replace(old, new, 1))
    done = pytest_in(root, "-q") if words == ("pytest",) else tunegate(root, *words)
    said = rf"legal/mini: {said}: ZeroDivisionError: .* \(test_mini\.py:\d+\)"
    assert done.returncode == BAD_INPUT and re.search(said, done.stdout + done.stderr), done.stdout + done.stderr
