"""Items by their node ids: on the command line, and with pytest's own --lf, --ff and --sw."""

import subprocess
from pathlib import Path

import pytest

from tests.support.mini import GATES, TEST, only_run, pytest_in, right, rows, write_script, write_suite

MINI = "evalsuites/legal/mini/test_mini.py"
OTHER = "evalsuites/legal/other/test_other.py"
STRICT = GATES.replace(
    '"clause_recall"\nrule = "at_least"\nvalue = 0.5', '"clause_recall"\nrule = "at_least"\nvalue = 0.99'
)
FAILED_GATE = f"{MINI}::gate[clause_recall-at_least-0.99]"
MUST = TEST.replace("@suite.case\n", "@suite.case(must=True)\n")
FAILED_CASE = f"{OTHER}::test_finds_every_clause[c1]"
ODD = ["a::b", "a/b", "two words", "Größe-日本", "back\\slash", "c1-r2", "-k", "x@y", "100%", "{c}", "'q'", '"q"', "::"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two suites: in `mini` one gate fails on one miss, in `other` the same miss fails a case that must not miss."""
    write_suite(tmp_path, gates=STRICT)
    write_suite(tmp_path, test=MUST, name="other")
    write_script(tmp_path, tuned=right(rows()) | {"c1": "none"})
    return tmp_path


def again(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return pytest_in(root, *words, remembers=True)


def ran(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Node ids in the order in which they were run, of a session with -v."""
    ended = (" PASSED", " FAILED", " MISS", " SKIPPED")
    lines = (line.split(" [")[0] for line in done.stdout.splitlines() if "::" in line)
    return [
        line.removesuffix(end)
        for line in lines
        for end in ended
        if line.startswith("evalsuites") and line.endswith(end)
    ]


def collected(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith("evalsuites") and "::" in line]


def test_lf_runs_exactly_what_failed_last(root: Path) -> None:
    first = again(root, "-v")
    assert first.returncode == 1, first.stdout + first.stderr
    assert "2 failed" in first.stdout
    done = again(root, "-v", "--lf")
    assert ran(done) == [FAILED_CASE, FAILED_GATE], done.stdout
    assert "rerun previous 2 failures" in done.stdout


@pytest.mark.slow
def test_ff_runs_what_failed_last_before_the_rest(root: Path) -> None:
    again(root, "-q")
    assert ran(again(root, "-v", "--ff"))[:2] == [FAILED_CASE, FAILED_GATE]


@pytest.mark.slow
def test_lf_works_with_several_workers(root: Path) -> None:
    again(root, "-q", "-n", "2")
    done = again(root, "-q", "--lf", "-n", "2")
    assert "2 failed" in done.stdout, done.stdout


def test_a_gate_that_lf_runs_again_judges_its_whole_suite_and_asks_no_other(root: Path) -> None:
    write_suite(root, name="other")  # there a miss is no failure
    again(root, "-q", "--eval-runs", "first")
    done = again(root, "-v", "--lf", "--eval-runs", "second")
    assert ran(done) == [FAILED_GATE]
    run = only_run(root, "second")
    asked = {(suite, record.case.id) for suite, record in zip(run.suite_of, run.records, strict=True)}
    assert asked == {("legal/mini", f"c{i}") for i in range(40)}
    (judged,) = [v for v in run.verdicts if v.gate == "clause_recall-at_least-0.99"]
    assert judged.outcome == "inconclusive" and judged.observed is not None and judged.observed.n == 20


def test_what_passes_when_run_again_is_no_last_failure(root: Path) -> None:
    write_suite(root)
    again(root, "-q")
    write_script(root, tuned=right(rows()))
    assert ran(again(root, "-v", "--lf")) == [FAILED_CASE]
    assert "no previously failed tests" in again(root, "--lf", "--collect-only").stdout


@pytest.mark.slow
def test_sw_stops_at_a_failure_and_resumes_there_without_leaving_out_a_gate(root: Path) -> None:
    first = again(root, "-v", "--sw")
    assert ran(first)[-1] == FAILED_CASE
    stopped_again = again(root, "-v", "--sw")
    assert ran(stopped_again) == [FAILED_CASE]
    write_suite(root)
    write_script(root, tuned=right(rows()))
    rest = ran(again(root, "-v", "--sw"))
    assert rest[0] == FAILED_CASE
    gates = [item for item in rest if "::gate[" in item]
    assert [item.split("::")[0] for item in gates] == [MINI] * 3 + [OTHER] * 3


def test_node_ids_on_the_command_line_collect_exactly_those_items(tmp_path: Path) -> None:
    near = [{**rows(2)[1], "id": case_id + more} for case_id in ODD for more in ("", "1", ":")]
    write_suite(tmp_path, cases=[*rows(12), *near], test=MUST)
    items = [f"{MINI}::test_finds_every_clause[{case_id}]" for case_id in ODD]
    assert collected(pytest_in(tmp_path, "--collect-only", "-q", chosen=items)) == items


def test_lf_knows_cases_with_odd_ids(tmp_path: Path) -> None:
    cases = [{**rows(2)[1], "id": case_id, "input": {"document": case_id}} for case_id in ODD]
    write_suite(tmp_path, cases=[*rows(12), *cases], test=MUST)
    write_script(tmp_path, tuned=right(rows(12)) | dict.fromkeys(ODD, "none"))
    again(tmp_path, "-q")
    failed = [line for line in collected(again(tmp_path, "--collect-only", "-q", "--lf")) if "::gate[" not in line]
    assert failed == [f"{MINI}::test_finds_every_clause[{case_id}]" for case_id in ODD]


def test_gates_of_slices_and_suites_that_wait_have_node_ids_too(root: Path) -> None:
    gate = f"{MINI}::gate[clause_exact_set-at_least-0.5[instrument=lease]]"
    assert collected(pytest_in(root, "--collect-only", "-q", chosen=[gate])) == [gate]
    waits = TEST.replace("suite = ", "import pytest\n\npytestmark = pytest.mark.long\nsuite = ")
    write_suite(root, test=waits)
    assert "marked long" in pytest_in(root, "-rs", chosen=[f"{MINI}::suite"]).stdout


def test_one_answer_of_several_is_an_item_that_lf_finds(tmp_path: Path) -> None:
    write_suite(tmp_path, test=MUST, cases=[{**row, "cluster": "k"} for row in rows(2)])
    write_script(tmp_path, tuned={"c0": "none", "c1": "none"})
    second = f"{MINI}::test_finds_every_clause[c1-r2]"
    assert collected(pytest_in(tmp_path, "--collect-only", "-q", "--eval-repeats", "3", chosen=[second])) == [second]
    again(tmp_path, "-q", "--eval-repeats", "3")
    failed = collected(again(tmp_path, "--collect-only", "-q", "--lf", "--eval-repeats", "3"))
    assert [item for item in failed if "::gate[" not in item] == [
        f"{MINI}::test_finds_every_clause[c1{repeat}]" for repeat in ("", "-r2", "-r3")
    ]


def test_a_case_named_as_another_cases_second_answer_is_refused(tmp_path: Path) -> None:
    write_suite(tmp_path, cases=[*rows(12), {**rows(2)[1], "id": "c1-r2"}])
    assert pytest_in(tmp_path, "--collect-only", "-q").returncode == 0
    done = pytest_in(tmp_path, "--collect-only", "-q", "--eval-repeats", "2")
    assert done.returncode == 4
    assert "legal/mini" in done.stderr and "'c1-r2'" in done.stderr and "rename" in done.stderr


@pytest.mark.slow
def test_gates_that_are_required_refuse_lf_and_a_project_without_suites_does_not(root: Path) -> None:
    again(root, "-q")
    done = again(root, "-q", "--lf", "--eval-require-gates")
    assert done.returncode == 4
    assert "--lf runs only what failed last" in done.stderr and "--eval-require-gates" in done.stderr
    in_ci = pytest_in(root, "-q", "--lf", "-n", "2", remembers=True, env={"CI": "true"})
    assert in_ci.returncode == 4 and "CI is set" in in_ci.stdout
    (root / "plain").mkdir()
    (root / "plain" / "test_plain.py").write_text("def test_plain():\n    assert sum([1, 2]) == 3\n")
    assert pytest_in(root, "--lf", chosen=["plain"], remembers=True, env={"CI": "true"}).returncode == 0
