"""The steps of action.yml, executed as eval-gate.yml calls it: exit codes, whose bars decide, what the job shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from reports.ci import collect
from reports.ci.export import Export, load
from tests.ci.conftest import FAKE, Change
from tests.ci.runner import bash, commands, commit_all, environment, git, workflow
from tests.support.mini import GATES, TEST, right, rows, write_script, write_suite

CHECK = "Check the inputs"
BARS = "Take thresholds and accepted baselines from the base commit"
JUDGE = "Evaluate and judge"
SHOW = "Show the outcome"
BROKEN_ENGINE = """import harness.engines.fake
from harness.errors import EngineFailed


def start(*_):
    raise EngineFailed("the engine could not start: there is no device")


harness.engines.fake.start = start
"""
ENDS_WITH_0 = """import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    yield
    session.exitstatus = 0
"""


def exported(change: Change) -> Export:
    return load(change.folder / "out" / "verdicts.json")


@pytest.mark.slow
def test_a_good_model_passes_and_is_shown_to_with_the_report_that_is_asked_for(change: Change) -> None:
    job = change.judge(report="yes")
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0, "Write the report": 0}, job.log
    says = "No policy lets this run approve a merge: it has the answers of a script, not of a model"
    assert job.commands == [("warning", says)]
    assert "PASS, no merge" in job.summary and "Clause recall, excerpt" in job.summary
    found = exported(change)
    assert (found.outcome, found.suites[0].counts) == ("pass", {"pass": 3})
    assert found.commit == change.run.manifest.git["commit"]
    assert (change.folder / "out" / "junit.xml").is_file()
    assert (change.folder / "out" / "report" / "report.html").is_file()


@pytest.mark.slow
def test_a_bad_model_turns_the_job_red_and_every_gate_is_named(change: Change) -> None:
    write_script(change.folder, tuned=dict.fromkeys(right(rows()), "holdover"))
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert len(job.annotations("error")) == sum(v.outcome != "pass" for v in change.run.verdicts) == 3
    assert "FAIL" in job.summary and exported(change).outcome == "fail"


@pytest.mark.slow
def test_an_engine_that_cannot_start_is_a_crash_and_no_verdict(change: Change) -> None:
    (change.folder / "conftest.py").write_text(BROKEN_ENGINE)
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 3, SHOW: 0}, job.log
    assert ["the run failed before it finished" in said for said in job.annotations("error")] == [True]
    assert (exported(change).status, exported(change).outcome) == ("failed", "skipped")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--collect-only", "--help"])
def test_settings_of_a_change_that_keep_pytest_from_running_turn_the_job_red(change: Change, option: str) -> None:
    (change.folder / "pytest.toml").write_text(f'[pytest]\naddopts = ["{option}"]\n')
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 6, SHOW: 0}, job.log
    assert exported(change).status == "none" and "There is no run" in job.summary


@pytest.mark.slow
def test_a_hook_of_a_change_that_ends_pytest_with_0_turns_no_failed_gate_green(change: Change) -> None:
    (change.folder / "evalsuites" / "conftest.py").write_text(ENDS_WITH_0)
    write_script(change.folder, tuned=dict.fromkeys(right(rows()), "holdover"))
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert "although pytest ended with 0" in job.log and exported(change).outcome == "fail"


@pytest.mark.slow
def test_folders_of_a_change_never_stand_in_for_gates_or_runs_of_the_job(change: Change) -> None:
    for name in (".bars/evalsuites/legal/mini/extra.txt", "out/runs/other/run.json"):
        (change.folder / name).parent.mkdir(parents=True)
        (change.folder / name).write_text("{}")
        git(change.folder, "add", "-f", name)
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0}, job.log
    assert exported(change).run_id == change.run.manifest.run_id and not list(change.folder.rglob("extra.txt"))


@pytest.mark.slow
def test_a_suite_that_cannot_be_read_is_a_usage_error_and_there_is_no_run(change: Change) -> None:
    write_suite(change.folder, cases=[{"id": "a"}])
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 4, SHOW: 0}, job.log
    assert ["There is no run" in said for said in job.annotations("error")] == [True]
    assert exported(change).status == "none" and "There is no run" in job.summary


@pytest.mark.slow
def test_a_change_without_any_suite_does_not_pass(change: Change) -> None:
    for path in (change.folder / "evalsuites").rglob("*.*"):
        path.unlink()
    (change.folder / "evalsuites" / "README").touch()
    job = change.judge()
    assert job.codes[JUDGE] != 0, job.log
    assert exported(change).outcome != "pass"


@pytest.mark.slow
def test_gates_that_skip_do_not_pass(change: Change) -> None:
    job = change.judge(FAKE + " --eval-limit 10")
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert len(job.annotations("warning")) == 3
    assert "NOT JUDGED" in job.summary and exported(change).outcome != "pass"


@pytest.mark.slow
def test_a_change_that_lowers_its_own_bar_is_judged_by_the_base_and_said_to(change: Change) -> None:
    write_suite(change.folder, gates=GATES.replace("value = 0.5", "value = 0.1"))
    write_script(change.folder, tuned=right(rows()) | {f"c{i}": "none" for i in range(1, 30, 2)})
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    verdicts = {v.gate: v.outcome for v in change.run.verdicts}
    assert verdicts["clause_recall-at_least-0.5"] == "fail"
    assert job.commands[0][0] == "warning" and "0.5 -> 0.1" in job.commands[0][1]
    assert (
        job.summary.startswith("#### The gates changed\n") and "0.5 -&#62; 0.1" in job.summary.split("## Evaluation")[0]
    )


@pytest.mark.slow
def test_a_base_that_is_newer_than_the_events_decides(change: Change) -> None:
    """The merge commit that GitHub makes, and that is judged, holds what was raised meanwhile."""
    head = commit_all(change.folder)
    git(change.folder, "checkout", "-q", "-b", "newer", change.base)
    write_suite(change.folder, gates=GATES.replace("value = 0.5", "value = 0.999"))
    commit_all(change.folder)
    git(change.folder, "merge", "-q", "--no-ff", head)
    job = change.judge(values={"github.event.pull_request.head.sha": head}, is_committed=True)
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0} and "at least 99.9%" in job.summary, job.log


@pytest.mark.slow
@pytest.mark.parametrize("suites", ["evalsuites", "evalsuites/legal/mini"])
def test_a_file_of_gates_above_the_suites_of_the_base_does_not_replace_them(change: Change, suites: str) -> None:
    """It would make their domain look new. An attribute of the change keeps it out of what git unpacks."""
    write_suite(change.folder, gates=GATES.replace("value = 0.5", "value = 0.1"))
    write_script(change.folder, tuned=right(rows()) | {f"c{i}": "none" for i in range(1, 30, 2)})
    (change.folder / "evalsuites" / "legal" / "gates.toml").touch()
    (change.folder / ".gitattributes").write_text("evalsuites/legal/gates.toml export-ignore\n")
    job = change.judge(suites=suites)
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert {v.outcome for v in change.run.verdicts if v.gate == "clause_recall-at_least-0.5"} == {"fail"}


@pytest.mark.slow
def test_a_change_of_what_guards_the_gate_is_named_before_everything_else(change: Change) -> None:
    guards = [
        ".github/workflows/eval-gate.yml",
        ".pytest.toml",
        "conftest.py",
        "evalsuites/legal/conftest.py",
        "evalsuites/pytest.ini",
        "tox.ini",
    ]
    for name in (*guards, "notes.md"):
        (change.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (change.folder / name).write_text("")
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0}, job.log
    said = [text for text in exported(change).moved if "guards the gate" in text]
    assert [text.split(" ")[0] for text in said] == guards
    assert job.summary.startswith("#### The gates changed\n") and job.annotations("warning")[0].startswith(".github/")


@pytest.mark.parametrize(("inputs", "event", "found"), [
    ({"comment": "true"}, "pull_request", "comment must be"),
    ({"report": "true"}, "pull_request", "report must be"),
    ({"checkpoint": ""}, "pull_request", "checkpoint is empty"),
    ({}, "pull_request_target", "event is pull_request_target"),
    ({}, "workflow_run", "event is workflow_run"),
])  # fmt: skip
def test_an_input_or_event_that_cannot_be_used_is_named_before_code_of_the_change_runs(
    change: Change, inputs: dict[str, str], event: str, found: str
) -> None:
    job = change.judge(event=event, **inputs)
    assert job.codes[CHECK] == 4 and not {BARS, JUDGE} & job.codes.keys(), job.log
    assert found in job.annotations("error")[0]


@pytest.mark.slow
def test_no_input_is_run_as_code(change: Change) -> None:
    text = "$(touch owned)`touch owned`'; touch owned; \" ; touch owned #"
    names = ("checkpoint", "baseline", "engine", "options", "suites", "first-adoption")
    job = change.judge(values={"github.event.pull_request.number": text}, **dict.fromkeys(names, text))
    assert job.codes[JUDGE] == 4, job.log
    assert not list(change.folder.rglob("owned"))


@pytest.fixture
def two(change: Change) -> Change:
    """A change on top of a base that has a second suite."""
    other = change.folder / "evalsuites" / "legal" / "other"
    shutil.copytree(change.folder / "evalsuites" / "legal" / "mini", other)
    (other / "test_mini.py").rename(other / "test_other.py")
    change.base = commit_all(change.folder)
    return change


@pytest.mark.slow
@pytest.mark.parametrize("how", ["removed", "marked long"])
def test_a_suite_of_the_base_that_is_not_judged_turns_the_job_red(two: Change, how: str) -> None:
    other = two.folder / "evalsuites" / "legal" / "other"
    if how == "removed":
        shutil.rmtree(other)
    else:
        (other / "test_other.py").write_text(
            TEST.replace("suite = ", "import pytest\npytestmark = pytest.mark.long\nsuite = ")
        )
    job = two.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert "gates that did not run: legal/other" in job.log
    assert job.annotations("error") == [collect.LEFT_OUT]
    found = exported(two)
    assert (found.outcome, [suite.outcome for suite in found.suites]) == ("inconclusive", ["pass", "skipped"])
    assert "NOT JUDGED: legal/other" in job.summary


@pytest.mark.slow
def test_a_suite_of_the_base_behind_a_link_that_leaves_its_folder_is_named_and_data_may_be_behind_one(
    two: Change,
) -> None:
    suites = two.folder / "evalsuites" / "legal"
    cases = (suites / "mini" / "cases.jsonl").rename(two.folder / "cases.jsonl")
    (suites / "mini" / "cases.jsonl").symlink_to("../../../cases.jsonl")
    two.base = commit_all(two.folder)
    assert two.judge().codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0} and cases.is_file()
    (suites / "other").rename(two.folder / "other")
    (suites / "other").symlink_to("../../other")
    two.base = commit_all(two.folder)
    job = two.judge()
    assert job.codes[BARS] == 4 and JUDGE not in job.codes, job.log
    assert ["evalsuites/legal/other leads out" in said for said in job.annotations("error")][:1] == [True]


@pytest.mark.slow
def test_a_new_suite_is_judged_by_bars_of_its_own_and_said_to_be_new(two: Change) -> None:
    two.base = git(two.folder, "rev-parse", "HEAD~1")
    job = two.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0}, job.log
    assert [said.split(" ")[0] for said in job.annotations("warning")] == ["evalsuites/legal/other", "No"]
    assert {suite.name: suite.outcome for suite in exported(two).suites} == {
        "legal/mini": "pass",
        "legal/other": "pass",
    }


@pytest.mark.slow
def test_a_suite_whose_folder_the_base_has_without_gates_is_new_too(change: Change) -> None:
    """Its cases, say, came with an earlier change."""
    other = change.folder / "evalsuites" / "legal" / "other"
    other.mkdir()
    (other / "cases.jsonl").touch()
    change.base = commit_all(change.folder)
    write_suite(change.folder, name="other")
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0}, job.log
    said = "evalsuites/legal/other has no gates in the base, so it is judged by its own gates."
    assert said in [warning.strip() for warning in job.annotations("warning")]


@pytest.mark.slow
def test_a_link_of_the_base_to_a_suite_with_gates_is_not_replaced(change: Change) -> None:
    other = change.folder / "evalsuites" / "legal" / "other"
    other.symlink_to("mini")
    change.base = commit_all(change.folder)
    other.unlink()
    write_suite(change.folder, name="other", gates=GATES.replace("value = 0.5", "value = 0.1"))
    write_script(change.folder, tuned=right(rows()) | {f"c{i}": "none" for i in range(1, 30, 2)})
    job = change.judge()
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    gates = {v.gate for v in change.run.verdicts if v.suite == "legal/other" and v.metric == "clause_recall"}
    assert gates == {"clause_recall-at_least-0.5"}


@pytest.mark.slow
def test_only_the_chosen_suites_are_run_and_required(two: Change) -> None:
    shutil.rmtree(two.folder / "evalsuites" / "legal" / "other")
    job = two.judge(suites="./evalsuites/legal/mini/")
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 0, SHOW: 0}, job.log
    assert [suite.name for suite in exported(two).suites] == ["legal/mini"]


@pytest.mark.slow
def test_suites_and_options_on_lines_of_their_own_all_count(two: Change) -> None:
    lines = "evalsuites/legal/mini\nevalsuites/legal/other\n"
    job = two.judge(f"{FAKE}\n--eval-limit 10\n", suites=lines)
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert [(info.name, info.asked) for info in two.run.manifest.suites] == [("legal/mini", 10), ("legal/other", 10)]


@pytest.mark.slow
@pytest.mark.parametrize(("values", "judged"), [
    ({}, False),
    ({"vars.TUNEGATE_FIRST_ADOPTION": "8"}, False),
    ({"vars.TUNEGATE_FIRST_ADOPTION": "7"}, True),
    ({
        "vars.TUNEGATE_FIRST_ADOPTION": "12",
        "github.event.pull_request.number": "",
        "github.event.merge_group.head_ref": "refs/heads/gh-readonly-queue/main/pr-12-0123abcd",
    }, True),
    ({
        "vars.TUNEGATE_FIRST_ADOPTION": "12",
        "github.event.pull_request.number": "",
        "github.event.merge_group.head_ref": "refs/heads/gh-readonly-queue/main/pr-123-0123abcd",
    }, False),
])  # fmt: skip
def test_first_suites_come_only_with_the_one_change_that_was_named(
    adopting: Change, values: dict[str, str], judged: bool
) -> None:
    job = adopting.judge("--collect-only -q", values)
    assert job.codes[BARS] == (0 if judged else 4), job.log
    assert (JUDGE in job.codes) is judged
    assert bool(job.annotations("error")) is not judged or "There is no run" in job.log
    assert ("its own gates" in job.log) is judged


@pytest.fixture
def adopting(change: Change) -> Change:
    """A change on top of a base that has no suites yet."""
    git(change.folder, "rm", "-q", "-r", "evalsuites")
    change.base = commit_all(change.folder)
    write_suite(change.folder)
    return change


@pytest.mark.slow
def test_a_base_that_git_does_not_have_is_no_first_adoption(change: Change) -> None:
    change.base = "0" * 40
    job = change.judge(values={"vars.TUNEGATE_FIRST_ADOPTION": "7"})
    assert job.codes[BARS] not in (0, 4) and JUDGE not in job.codes


@pytest.mark.parametrize("code", range(6))
def test_the_step_leaves_with_the_code_of_pytest_and_lets_commands_act_again(tmp_path: Path, code: int) -> None:
    """After a pytest that ends with 0 there must be a run."""
    (tmp_path / "out" / "runs").mkdir(parents=True)
    stub = tmp_path / "bin" / "pytest"
    stub.parent.mkdir()
    stub.write_text(f"#!/bin/sh\nprintf '::error::forged'\nexit {code}\n")
    stub.chmod(0o755)
    env = environment(tmp_path, **dict.fromkeys(("SUITES", "CHECKPOINT", "BASELINE", "ENGINE", "OPTIONS"), ""))
    env["PATH"] = f"{stub.parent}:{env['PATH']}"
    (step,) = [s for s in workflow("action.yml")["runs"]["steps"] if s["name"] == JUDGE]
    done = bash(step["run"], tmp_path, env)
    assert done.returncode == (code or 6)
    assert [name for name, _ in commands(done.stdout + "::notice::after\n")] == ["stop-commands", "notice"]


HOSTILE = [
    "::error::forged",
    "  ::add-mask::forged",
    "::stop-commands::0123456789abcdef0123456789abcdef",
    "::0123456789abcdef0123456789abcdef::",
    "##[error]forged",
    "a\r::warning title=x::forged",
]
PRINTS = (
    TEST
    + """

@suite.case(must=True)
def test_shows_what_was_said(record):
    print()
    print(record.completion.text)
    print(record.case.id)
    assert record.completion.text == record.case.id
"""
)


@pytest.mark.slow
def test_no_text_of_a_model_or_case_becomes_a_command(change: Change) -> None:
    cases = rows()
    for case, text in zip(cases, HOSTILE, strict=False):
        case["id"] = re.sub(r"[\[\]\r]", "|", text)
    cases[7]["tags"] = {"instrument": "::error::forged\n##[error]forged", "kind": "clause"}
    write_suite(change.folder, cases=cases, test=PRINTS)
    write_script(change.folder, tuned={str(c["id"]): HOSTILE[i % len(HOSTILE)] for i, c in enumerate(cases)})
    job = change.judge(FAKE + " -rA")
    assert job.codes == {CHECK: 0, BARS: 0, JUDGE: 1, SHOW: 0}, job.log
    assert job.log.count("\n::error::forged\n") > 1  # it was printed at the start of a line
    unmet = [v for v in change.run.verdicts if v.outcome != "pass"]
    moved, *gates = [said for name, said in job.commands if name in ("error", "warning")]
    assert len(job.commands) == 1 + len(unmet) == 1 + len(gates) > 1
    assert moved.startswith("legal/mini/cases.jsonl differs")
    assert all(said.split(":")[0] in ("FAIL", "ERROR", "INCONCLUSIVE", "NOT JUDGED") for said in gates)
