"""The pytest plugin, run as a user runs it: cases, gates, exit codes, partial runs, workers."""

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.suites.prompts import PlainRenderer
from tests.support.mini import GATES, TEST, only_run, pytest_in, right, rows, write_script, write_suite

CASES = rows()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the mini suite whose model is always right."""
    write_suite(tmp_path)
    write_script(tmp_path, tuned=right(CASES))
    return tmp_path


def test_a_right_model_passes_with_one_item_a_case_and_a_gate_a_slice(root: Path) -> None:
    done = pytest_in(root, env={"SECRET_KEY": "hush-hush"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "63 passed" in done.stdout  # 40 cases, 20 without a clause, 1 gate and one for each of 2 slice values
    assert re.search(r"^  clause recall +100% \(\d+% to 100%\)$", done.stdout, re.MULTILINE) and "PASS" in done.stdout
    run = only_run(root)
    assert [v.outcome for v in run.verdicts] == ["pass"] * 3
    assert (run.manifest.status, run.manifest.suites[0].name) == ("finished", "legal/mini")
    text = (run.path / "run.json").read_text()
    assert "hush-hush" not in text and "--engine" not in text


def test_a_wrong_model_fails_its_gates_and_its_misses_do_not_fail_the_cases(root: Path) -> None:
    write_script(root, tuned=dict.fromkeys(right(CASES), "holdover"))
    done = pytest_in(root, "-v", "-rf")
    assert done.returncode == 1
    assert "MISS" in done.stdout
    assert "gate[clause_exact_set-at_least-0.5" in done.stdout
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed and all("gate[" in line for line in failed)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_miss_never_stops_the_session_and_workers_make_one_run(root: Path, workers: list[str]) -> None:
    answers = right(CASES) | {"c1": "none"}
    write_script(root, tuned=answers)
    done = pytest_in(root, "-x", "-q", *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 miss" in done.stdout and "62 passed" in done.stdout
    assert len(only_run(root).records) == 40


def test_must_makes_a_miss_a_failure(root: Path) -> None:
    write_suite(root, test=TEST.replace("@suite.case\n", "@suite.case(must=True)\n"))
    write_script(root, tuned=right(CASES) | {"c1": "none"})
    done = pytest_in(root, "-q")
    assert done.returncode == 1
    assert "FAILED evalsuites/legal/mini/test_mini.py::test_finds_every_clause[c1]" in done.stdout
    assert "assert ['assignment'] == []" in done.stdout


@pytest.mark.parametrize(("word", "kind"), [("return", "bool"), ("yield", "generator")])
def test_a_case_test_that_asserts_nothing_fails(root: Path, word: str, kind: str) -> None:
    """Written as a function of its own, it would hold for any answer."""
    write_suite(root, test=TEST.replace("assert record.scores.clauses.missing", f"{word} record.scores.clauses"))
    done = pytest_in(root, "-q", chosen=["evalsuites/legal/mini/test_mini.py::test_finds_every_clause[c1]"])
    assert done.returncode == 1 and f"test_finds_every_clause returned a {kind}, expected None" in done.stdout


def test_the_gates_of_a_suite_of_a_class_of_its_own_are_judged(root: Path) -> None:
    test = TEST.replace("suite = Suite(", "class Mine(Suite):\n    pass\n\n\nsuite = Mine(")
    write_suite(root, test=test)
    write_script(root, tuned=dict.fromkeys(right(CASES), "holdover"))
    done = pytest_in(root, "-q", "-rf")
    assert done.returncode == 1 and "::gate[clause_exact_set-at_least-0.5" in done.stdout, done.stdout


def test_gates_of_a_suite_of_which_only_cases_were_collected_are_said_not_to_have_run(root: Path) -> None:
    hidden = f"{TEST}\n\nsuites, suite = [suite], None\n"
    write_suite(root, test=hidden)
    write_suite(root, name="other")
    done = pytest_in(root, "-q", "--eval-require-gates")
    assert done.returncode == 1 and "gates that did not run: legal/mini clause_recall" in done.stdout, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_required_gates_cover_a_suite_that_skips_itself_while_it_is_collected(root: Path, workers: list[str]) -> None:
    write_suite(root, name="other", test=f'import pytest\n\npytest.importorskip("no_such_package")\n{TEST}')
    done = pytest_in(root, "-q", "--eval-require-gates", *workers)
    said = "gates that did not run: evalsuites/legal/other/test_other.py: skipped while it was collected"
    assert done.returncode == 1 and said in done.stdout, done.stdout


@pytest.mark.parametrize("hides", ["renamed", "ignored", "within a function"])
def test_required_gates_cover_a_suite_that_pytest_does_not_find(hides: str, root: Path) -> None:
    other = write_suite(root, name="other")
    file = other / "test_other.py"
    if hides == "renamed":
        file.rename(other / "check_other.py")
    elif hides == "ignored":
        (root / "evalsuites" / "conftest.py").write_text('collect_ignore_glob = ["*other*"]\n')
    else:
        file.write_text("def suite():\n    from harness import Suite\n\n    return Suite(scorers=[])\n")
    done = pytest_in(root, "-q", "--eval-require-gates")
    said = "gates that did not run: evalsuites/legal/other/gates.toml belongs to no suite that was found"
    assert done.returncode == 1 and said in done.stdout, done.stdout
    assert pytest_in(root, "-q").returncode == 0


@pytest.mark.parametrize(("here", "given"), [
    ("evalsuites", ["legal"]), ("evalsuites/legal", []), ("docs", ["../evalsuites"]), (".", ["link"]),
])  # fmt: skip
def test_required_gates_cover_a_left_out_suite_from_every_folder(here: str, given: list[str], root: Path) -> None:
    other = write_suite(root, name="other")
    (root / "docs").mkdir()
    (root / "link").symlink_to("evalsuites")
    words = ("-q", "--eval-require-gates", "--eval-script", str(root / "script.json"), "--engine", "fake")
    ignored = (root / "link" if given == ["link"] else root / "evalsuites") / "legal" / "other"
    done = pytest_in(root / here, *words, "--ignore", str(ignored), chosen=given)
    assert done.returncode == 1 and "other/gates.toml belongs to no suite" in done.stdout, done.stdout
    shutil.rmtree(other)
    assert pytest_in(root / here, *words, chosen=given).returncode == 0


def test_any_other_exception_is_a_real_failure(root: Path) -> None:
    write_suite(root, test=TEST.replace("record.scores.clauses.missing", "record.scores.nothing"))
    done = pytest_in(root, "-q")
    assert done.returncode == 1
    assert "no scorer named 'nothing' ran" in done.stdout


def test_xfail_on_a_case_test_is_honoured(root: Path) -> None:
    marked = TEST.replace("@suite.case\ndef", "@suite.case\n@pytest.mark.xfail\ndef").replace(
        "from harness import", "import pytest\nfrom harness import"
    )
    write_suite(root, test=marked)
    write_script(root, tuned=right(CASES) | {"c1": "none"})
    done = pytest_in(root, "-q")
    assert "1 xfailed" in done.stdout and "39 xpassed" in done.stdout


def test_junit_shows_a_miss_as_passed_and_a_gate_with_value_interval_n_and_bar(root: Path) -> None:
    write_script(root, tuned=right(CASES) | {"c1": "none"})
    pytest_in(root, "-q", "--junitxml=junit.xml")
    cases = {c.get("name"): c for c in ET.parse(root / "junit.xml").iter("testcase")}
    miss = cases["test_finds_every_clause[c1]"]
    assert miss.find("failure") is None
    assert {p.get("name") for p in miss.iter("property")} == {"miss"}
    gate = {p.get("name"): p.get("value") for p in cases["gate[clause_recall-at_least-0.5]"].iter("property")}
    assert gate["n"] == "20" and gate["value"] == "0.95" and gate["outcome"] == "pass"
    assert 0 < float(gate["low"]) < 0.95 < float(gate["high"]) <= 1
    assert gate["bar"] == "at least 50.0%" and gate["seen"].startswith("95.0% (95% confidence: at least")


def test_deselecting_cases_leaves_gates_whole(root: Path) -> None:
    done = pytest_in(root, "-q", "-k", "c1 or gate")
    assert done.returncode == 0, done.stdout
    assert {r.case.id for r in only_run(root).records} == {str(c["id"]) for c in CASES}


def test_without_gates_only_the_selected_cases_are_asked(root: Path) -> None:
    done = pytest_in(root, "-q", "-k", "c1 and not gate and not c10")
    assert "No gate was judged" in done.stdout
    asked = {r.case.id for r in only_run(root).records}
    assert "c1" in asked and "c10" not in asked and "c2" not in asked


@pytest.mark.slow
def test_require_gates_fails_when_gates_skip_or_are_deselected(root: Path) -> None:
    assert pytest_in(root, "-q", "--eval-require-gates").returncode == 0
    partial = pytest_in(root, "-q", "--eval-require-gates", "--eval-limit", "10")
    assert partial.returncode == 1 and "gates that did not run" in partial.stdout
    assert pytest_in(root, "-q", "--eval-require-gates", "-k", "not gate").returncode == 1
    one = "evalsuites/legal/mini/test_mini.py::gate[clause_recall-at_least-0.5]"
    some = pytest_in(root, "-q", "--eval-require-gates", chosen=[one])
    assert some.returncode == 1 and "did not run: legal/mini clause_exact_set-at_least-0.5[" in some.stdout


MARKED = """def pytest_collection_modifyitems(items):
    for item in items:
        if "lease" in item.name:
            item.add_marker("{mark}")
"""
REPORTED_AS_PASSED = """import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
"""
ENDED_WITH_0 = "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"


@pytest.mark.parametrize(("conftest", "said"), [
    (MARKED.format(mark="skip"), "did not run: evalsuites/legal/mini/test_mini.py::gate[clause_exact_set-at_least"),
    (MARKED.format(mark="xfail"), "FAILED evalsuites/legal/mini/test_mini.py::gate[clause_exact_set-at_least"),
    (REPORTED_AS_PASSED, "did not pass: legal/mini clause_exact_set-at_least-0.5[instrument=lease]"),
    (ENDED_WITH_0, "did not pass: legal/mini clause_exact_set-at_least-0.5[instrument=lease]"),
], ids=["skip", "xfail", "report", "exit code"])  # fmt: skip
def test_no_conftest_excuses_a_required_gate(root: Path, conftest: str, said: str) -> None:
    (root / "conftest.py").write_text(conftest)
    write_suite(root, gates=GATES.replace("value = 0.5", "value = 0.3", 1))
    write_script(root, tuned={k: "holdover" if int(k[1:]) % 4 < 2 else v for k, v in right(CASES).items()})
    done = pytest_in(root, "-q", "--eval-require-gates")
    assert done.returncode == 1 and said in done.stdout, done.stdout
    assert [verdict.outcome for verdict in only_run(root).verdicts].count("pass") == 2


@pytest.mark.parametrize("conftest", [MARKED.format(mark="skip"), REPORTED_AS_PASSED, ENDED_WITH_0])
def test_no_conftest_hides_a_gate_that_failed_where_none_is_required(root: Path, conftest: str) -> None:
    (root / "conftest.py").write_text(conftest)
    write_script(root, tuned=dict.fromkeys(right(CASES), "holdover") | {f"c{i}": "none" for i in range(2, 40, 4)})
    done = pytest_in(root, "-q", "--eval-no-require-gates")
    assert done.returncode == 1, done.stdout
    (root / "conftest.py").unlink()
    assert pytest_in(root, "-q", "--eval-no-require-gates", "--eval-limit", "4").returncode == 6


def test_repeats_are_items_of_their_own(root: Path) -> None:
    done = pytest_in(root, "--collect-only", "-q", "--eval-repeats", "2")
    assert "test_finds_every_clause[c0]" in done.stdout and "test_finds_every_clause[c0-r2]" in done.stdout


def test_collecting_asks_no_engine_writes_no_run_and_lists_gates_last(root: Path) -> None:
    names = [line for line in pytest_in(root, "--collect-only", "-q").stdout.splitlines() if "::" in line]
    assert ["gate[" in n for n in names] == [False] * 60 + [True] * 3
    assert not (root / "runs").exists()


def test_keywords_do_not_search_a_text_in_a_tag(root: Path) -> None:
    text = "The deed, the lease and whatever else a summary of the contract may name."
    write_suite(root, [case | {"tags": {**case["tags"], "summary": text}} for case in CASES])
    done = pytest_in(root, "--collect-only", "-q", "-k", "deed and not gate")
    assert "30/63 tests collected" in done.stdout


def test_the_baseline_answers_in_the_same_run_and_is_compared(root: Path) -> None:
    gates = GATES + '\n[[gate]]\nmetric = "clause_exact_set"\nrule = "improves"\n'
    write_suite(root, gates=gates)
    write_script(root, tuned=right(CASES), baseline=dict.fromkeys(right(CASES), "none"))
    done = pytest_in(root, "-q", "--checkpoint", "new", "--baseline", "old")
    assert done.returncode == 0, done.stdout
    run = only_run(root)
    (row,) = [c for c in run.metrics.comparisons if c.comparison.metric == "clause_exact_set" and c.slice is None]
    assert (row.comparison.wins, row.comparison.losses, row.comparison.ties) == (20, 0, 20)
    assert [v.outcome for v in run.verdicts if v.rule == "improves"] == ["pass"]


def test_an_unknown_checkpoint_is_a_usage_error(root: Path) -> None:
    done = pytest_in(root, "-q", "--engine", "transformers", "--checkpoint", "./nowhere")
    assert done.returncode == 4
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr


def test_a_suite_marked_long_waits_for_the_option(root: Path) -> None:
    write_suite(root, test=TEST.replace("suite = ", "import pytest\n\npytestmark = pytest.mark.long\nsuite = "))
    without = pytest_in(root, "-q")
    assert "marked long" in without.stdout and "63 passed" not in without.stdout
    assert "63 passed" in pytest_in(root, "-q", "--eval-long").stdout


def test_an_engine_error_counts_against_the_candidate_and_is_named(root: Path) -> None:
    write_script(root, tuned={k: v for k, v in right(CASES).items() if k != "c1"}, fail={"tuned": ["c1"]})
    done = pytest_in(root, "-q")
    assert done.returncode == 1  # 1 of 40 is above the cap of 1%
    run = only_run(root)
    assert [r.case.id for r in run.records if r.error] == ["c1"]
    assert {v.slice_value: v.outcome for v in run.verdicts} == {None: "fail", "lease": "fail", "deed": "pass"}


@pytest.mark.parametrize(("mark", "code", "said"), [("(must=True, ", 1, "\nno answer: "), ("(", 6, "1 miss")])
def test_a_case_without_an_answer_meets_no_test(root: Path, mark: str, code: int, said: str) -> None:
    """What must not be in an answer is not in one that the engine never gave."""
    test = TEST.replace("record.scores.clauses.invented == []", "'holdover' not in record.completion.text")
    write_suite(root, test=test.replace("@suite.case(where", f"@suite.case{mark}where"))
    write_script(root, tuned={k: v for k, v in right(CASES).items() if k != "c0"}, fail={"tuned": ["c0"]})
    done = pytest_in(root, "-q", chosen=["evalsuites/legal/mini/test_mini.py::test_never_invents_a_clause[c0]"])
    assert done.returncode == code and said in done.stdout, done.stdout


SAMPLED = TEST.replace("max_tokens=8", "max_tokens=8, samples=3, temperature=0.7")
FITTING = TEST.replace("max_tokens=8", "max_tokens=8, leave_out_long=True")


def test_a_suite_may_ask_for_several_samples_a_case(root: Path) -> None:
    write_suite(root, test=SAMPLED)
    done = pytest_in(root, "--collect-only", "-q")
    assert "test_finds_every_clause[c1-r3]" in done.stdout and "[c1-r4]" not in done.stdout


def test_cases_longer_than_the_context_are_refused_unless_the_suite_leaves_them_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = rows(200)
    write_script(root, tuned=right(cases))
    cases[3]["input"] = {"document": "long " * 400}
    monkeypatch.setattr(PlainRenderer, "max_positions", 500)
    write_suite(root, cases=cases)
    refused = pytest_in(root, "-q")
    assert refused.returncode == 4
    assert "1 case longer than the model's 500 tokens" in refused.stdout + refused.stderr
    write_suite(root, cases=cases, test=FITTING)
    done = pytest_in(root, "-q", "-rs", "--eval-runs", "fitting")
    assert "1 of 200 cases (0.5%) are longer than 500 tokens; left out" in done.stdout + done.stderr
    assert "c3 is longer than the model's context and was left out" in done.stdout
    assert done.returncode == 0, done.stdout
    assert only_run(root, "fitting").manifest.suites[0].left_out == ["c3"]


def test_no_gate_passes_where_many_cases_are_too_long_but_for_a_slice_that_fits(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model with a short context must not pass on the easy cases alone."""
    monkeypatch.setattr(PlainRenderer, "max_positions", 500)
    leases = rows()
    for place in (1, 4, 5):
        leases[place]["input"] = {"document": "long " * 400}
    write_suite(root, cases=leases, test=FITTING)
    done = pytest_in(root, "-q")
    assert done.returncode == 1 and "than the model's context: 3 of 40 cases" in done.stdout
    assert [(v.slice_value, v.outcome) for v in only_run(root).verdicts] == [
        (None, "inconclusive"), ("deed", "pass"), ("lease", "inconclusive"),
    ]  # fmt: skip


def test_cases_that_a_scorer_cannot_score_are_refused_together_before_anything_is_asked(root: Path) -> None:
    test = TEST.replace("import Suite\n", "import Suite\nfrom harness.scoring import short_answer\n")
    write_suite(root, test=test.replace("scorers=[", "scorers=[short_answer.accepted, "), cases=wrongly_tagged())
    done = pytest_in(root, "-q")
    said = done.stdout + done.stderr
    assert (
        done.returncode == 4 and "case 'c1': tag match is 'like'" in said and "case 'c5': tag match is 'like'" in said
    )
    assert not (root / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("where", "said"), [
    ('must=True, where={"kind": "no_clause"}', "no case has the tags {'kind': 'no_clause'} that where= of test_never"),
    ('must=True)\ndef test_finds_every_clause(record):\n    assert False\n\n\n@suite.case(',
     "test_finds_every_clause would never run: it is inside a class or function, or a later one has its name"),
])  # fmt: skip
@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_case_test_that_would_never_run_is_refused(root: Path, workers: list[str], where: str, said: str) -> None:
    """A required test must not pass by testing nothing."""
    write_suite(root, test=TEST.replace('where={"kind": "no_such_clause"}', where))
    done = pytest_in(root, "-q", *workers)
    assert done.returncode == 4 and f"legal/mini: {said}" in done.stdout + done.stderr
    assert not (root / "runs").exists()


def test_a_case_test_whose_cases_the_limit_leaves_out_is_not_refused(root: Path) -> None:
    write_suite(root, sorted(CASES, key=lambda case: not case["expected"]))
    done = pytest_in(root, "-q", "--eval-limit", "5")
    assert "5 passed, 3 skipped" in done.stdout, done.stdout


def wrongly_tagged() -> list[dict[str, object]]:
    cases = rows()
    for at in (1, 5):
        cases[at]["tags"] = {"match": "like", "instrument": "lease", "kind": "clause"}
    return cases
