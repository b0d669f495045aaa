"""What a pytest session shows and when it stops: single cases, chosen gates, engine time, collection errors, --pdb."""

import re
from pathlib import Path

import pytest

from tests.support.mini import GATES, TEST, only_run, pytest_in, right, rows, write_script, write_suite

CASE = "evalsuites/legal/mini/test_mini.py::test_finds_every_clause[c1]"
GATE = "evalsuites/legal/mini/test_mini.py::gate[clause_recall-at_least-0.5]"
WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
STRICT = GATES + '\n[[gate]]\nmetric = "clause_exact_set"\nrule = "at_least"\nvalue = 0.999\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the mini suite whose model misses c1."""
    write_suite(tmp_path)
    write_script(tmp_path, tuned=right(rows()) | {"c1": "none"})
    return tmp_path


def section(text: str) -> list[str]:
    """Lines of the section that tunegate adds to pytest's summary."""
    after = re.split(r"^=+ tunegate =+$", text, flags=re.MULTILINE)[1]
    return re.split(r"^(?:=+ .* =+|\d+ \w+.* in .*s)$", after, flags=re.MULTILINE)[0].strip().splitlines()


@pytest.mark.slow
@WORKERS
def test_one_case_shows_its_prompt_expected_answer_and_scores_and_no_gate(root: Path, workers: list[str]) -> None:
    done = pytest_in(root, "-q", *workers, chosen=[CASE])
    assert done.returncode == 6 and "No gate was judged in this session: exit code 6." in done.stdout
    said = section(done.stdout)
    text = "\n".join(said)
    assert "legal/mini c1, test_finds_every_clause: miss" in said
    assert "Which clauses? Contract 1." in text
    assert re.search(r"^  expected: assignment$", text, re.MULTILINE)
    assert re.search(r"^  answer: none$", text, re.MULTILINE)
    assert re.search(r"Clauses 0\b.*missing: assignment", text)
    assert "PASS" not in text and "SKIPPED" not in text and "Clause exact set" not in text
    assert len(said) <= 15


def test_a_passed_case_and_a_failed_one_are_shown_too(root: Path) -> None:
    passed = section(pytest_in(root, "-q", chosen=[CASE.replace("c1]", "c3]")]).stdout)
    assert "legal/mini c3, test_finds_every_clause: passed" in passed
    write_suite(root, test=TEST.replace("@suite.case\n", "@suite.case(must=True)\n"))
    failed = section(pytest_in(root, "-q", chosen=[CASE]).stdout)
    assert "legal/mini c1, test_finds_every_clause: failed" in failed
    assert "The session stopped before its gates: exit code 1." in section(pytest_in(root, "-q", "-x").stdout)


def test_the_baselines_answer_is_shown_beside_the_tuned_one(root: Path) -> None:
    write_script(root, tuned=right(rows()), baseline={"c1": "holdover"})
    words = ["-q", "--checkpoint", "new", "--baseline", "old"]
    text = "\n".join(section(pytest_in(root, *words, chosen=[CASE]).stdout))
    assert re.search(r"^  baseline answer: holdover$", text, re.MULTILINE)
    assert re.search(r"^  tuned answer: assignment$", text, re.MULTILINE)


def test_a_long_prompt_is_cut_in_the_middle_unless_v_asks_for_all(root: Path) -> None:
    cases = rows()
    cases[1]["input"] = {"document": "begins here. " + "and so on. " * 2000 + "ends here."}
    write_suite(root, cases=cases)
    cut = "\n".join(section(pytest_in(root, chosen=[CASE]).stdout))
    assert "begins here" in cut and "ends here" in cut and "characters" in cut and len(cut) < 6000
    assert len("\n".join(section(pytest_in(root, "-v", chosen=[CASE]).stdout))) > 22_000


def test_a_shown_case_hides_secrets_and_shows_hidden_characters(root: Path) -> None:
    secret = "sk-proj-" + "a1" * 20
    cases = rows()
    cases[1]["input"] = {"document": f"Contract {secret} \u202e 1"}
    write_suite(root, cases=cases)
    write_script(root, tuned=right(rows()) | {"c1": "\x1b[31mnone"})
    done = pytest_in(root, "-q", chosen=[CASE])
    assert secret not in done.stdout and "\x1b[31m" not in done.stdout
    assert "⟨U+202E⟩" in done.stdout and "⟨U+001B⟩" in done.stdout


def test_several_cases_without_gates_show_estimates_and_no_verdicts(root: Path) -> None:
    text = "\n".join(section(pytest_in(root, "-q", "-k", "lease and not gate").stdout))
    assert "legal/mini: " in text and re.search(r"^  clause recall +\d", text, re.MULTILINE)
    assert "SKIPPED" not in text and "at least" not in text and "No gate was judged" in text


def test_only_chosen_gates_are_shown_and_the_others_counted(root: Path) -> None:
    write_suite(root, gates=STRICT)
    text = "\n".join(section(pytest_in(root, "-q", chosen=[GATE]).stdout))
    assert re.search(r"PASS +clause recall at least 50.0%: ", text)
    assert "at least 99.9%" not in text
    assert "3 other gates of legal/mini were not selected: 1 fail, 2 pass" in " ".join(text.split())


def test_the_first_three_misses_are_shown_and_rm_shows_all(root: Path) -> None:
    write_script(root, tuned=dict.fromkeys(right(rows()), "none"))
    text = pytest_in(root, "-q").stdout
    assert "first 3 of 20 misses (-rm shows all):" in text and text.count(": miss\n") == 3
    assert pytest_in(root, "-q", "-rm").stdout.count(": miss\n") == 20


def test_a_small_suite_run_whole_lists_no_case(root: Path) -> None:
    write_suite(root, cases=rows(4))
    assert "Which clauses?" not in pytest_in(root, "-q").stdout


SLOW = """import time

import _pytest.timing
import harness.evaluation.run

clocks = time.perf_counter, _pytest.timing.perf_counter
made = harness.evaluation.run.run_once
slept = 0


def now():
    return clocks[0]() + slept


def slowly(*words):
    global slept
    slept += 1000
    return made(*words)


def pytest_collection_finish():
    harness.evaluation.run.run_once = slowly
    time.perf_counter = _pytest.timing.perf_counter = now


def pytest_unconfigure():
    harness.evaluation.run.run_once = made
    time.perf_counter, _pytest.timing.perf_counter = clocks
"""
"""The clocks of the engine's and of the tests' time go on by more than a busy machine can take."""


@pytest.mark.slow
@WORKERS
def test_durations_show_the_engine_as_an_entry_of_its_own_that_is_no_test(root: Path, workers: list[str]) -> None:
    (root / "conftest.py").write_text(SLOW)
    done = pytest_in(root, "--durations=3", "--junitxml=junit.xml", *workers)
    assert "62 passed" in done.stdout and "1 miss" in done.stdout
    shown = re.findall(r"^([\d.]+)s (\S+) +(\S+)$", done.stdout, re.MULTILINE)
    slow = [(when, name) for seconds, when, name in shown if float(seconds) >= 1000]
    assert slow == [("call", "tunegate::engine")]
    assert 'tests="63"' in (root / "junit.xml").read_text()


def test_no_engine_time_is_shown_where_none_was_spent(root: Path) -> None:
    (root / "conftest.py").write_text(SLOW)
    (root / "evalsuites" / "test_plain.py").write_text("def test_plain():\n    assert sum([1, 2]) == 3\n")
    assert "tunegate::engine" not in pytest_in(root, "--durations=0", "-vv", "--collect-only", "-q").stdout
    assert "tunegate::engine" not in pytest_in(root, "--durations=0", "-vv", "-k", "plain").stdout
    assert "tunegate::engine" in pytest_in(root, "--durations=0", "-vv", "-k", "c1 and not gate").stdout


@pytest.mark.slow
@WORKERS
def test_a_collection_error_stops_the_session_before_anything_is_asked(root: Path, workers: list[str]) -> None:
    (root / "evalsuites" / "test_broken.py").write_text("import nowhere_to_be_found\n")
    done = pytest_in(root, *workers)
    assert done.returncode == 2, done.stdout
    assert "error during collection" in done.stdout and "nowhere_to_be_found" in done.stdout
    assert not (root / "runs").exists() and "answers for" not in done.stdout


def test_an_option_of_a_suite_that_no_run_can_use_is_one_line(root: Path) -> None:
    (root / "evalsuites" / "test_broken.py").write_text("from harness import Suite\nSuite(scorers=[], max_tokens=0)\n")
    done = pytest_in(root)
    said = "\ntunegate: evalsuites/test_broken.py:2: Suite(...): 'max_tokens' is 0, expected a whole number of at"
    assert done.returncode == 2 and said in done.stdout
    assert "in __init__" not in done.stdout and "UserError" not in done.stdout


def test_a_collection_error_can_be_passed_over_and_still_fails_the_session(root: Path) -> None:
    (root / "evalsuites" / "test_broken.py").write_text("import nowhere_to_be_found\n")
    done = pytest_in(root, "--continue-on-collection-errors")
    assert done.returncode == 1, done.stdout
    assert "62 passed" in done.stdout and len(only_run(root).records) == 40


def test_pdb_opens_at_a_failure_and_not_at_a_miss(root: Path) -> None:
    missed = pytest_in(root, "-q", "--pdb")
    assert "1 miss" in missed.stdout and "PDB" not in missed.stdout and missed.returncode == 0
    write_suite(root, test=TEST.replace("@suite.case\n", "@suite.case(must=True)\n"))
    assert "entering PDB" in pytest_in(root, "-q", "--pdb").stdout


def test_x_stops_at_the_first_failure_with_every_answer_kept(root: Path) -> None:
    write_suite(root, test=TEST.replace("@suite.case\n", "@suite.case(must=True)\n"))
    done = pytest_in(root, "-x")
    assert done.returncode == 1 and "stopping after 1 failures" in done.stdout
    assert len(only_run(root).records) == 40


@pytest.mark.slow
@WORKERS
def test_a_faulty_suite_ends_the_session_with_its_message_under_workers_too(root: Path, workers: list[str]) -> None:
    write_suite(root, gates=GATES.replace("at_least", "atleast"))
    done = pytest_in(root, *workers)
    assert done.returncode == 4, done.stdout
    assert "unknown rule 'atleast'" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("chosen", "workers"), [(CASE, []), (GATE, []), (GATE, ["-n", "2"])])
def test_an_item_chosen_by_its_id_is_refused_with_what_is_wrong_with_its_suite(
    root: Path, chosen: str, workers: list[str]
) -> None:
    write_suite(root, gates=GATES.replace("at_least", "atleast"))
    done = pytest_in(root, *workers, chosen=[chosen])
    said = done.stdout + done.stderr
    assert done.returncode == 4 and "unknown rule 'atleast'" in said and "not found" not in said, said
