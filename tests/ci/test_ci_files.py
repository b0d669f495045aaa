"""The workflow files themselves: what they may do, what they are pinned to, and what must never stand in them."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest

from tests.ci.runner import ROOT, component, documents, workflow
from tests.docs.needs import REAL

WORKFLOWS = sorted(path.name for path in (ROOT / ".github" / "workflows").glob("*.yml"))
ACTION, GITLAB = "action.yml", "templates/eval-gate.yml"
PLACES = [*(f".github/workflows/{name}" for name in WORKFLOWS), ACTION]
FILES = [*PLACES, GITLAB]
TYPES = ["opened", "synchronize", "reopened", "edited"]
"""GitHub's own, and `edited`: a green check stays on a commit whose pull request gets another target branch."""
OPT_IN = re.compile(r"not os\.environ\.get\(\"(TUNEGATE_[A-Z]+)\"\)")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def jobs(name: str) -> list[dict[str, Any]]:
    return list(workflow(f".github/workflows/{name}")["jobs"].values())


def steps(place: str) -> list[dict[str, Any]]:
    """The steps of a workflow or of the action."""
    if place == ACTION:
        return list(workflow(place)["runs"]["steps"])
    return [step for job in workflow(place)["jobs"].values() for step in job["steps"]]


def uses(place: str, action: str) -> list[dict[str, Any]]:
    """The steps that use an action."""
    return [step for step in steps(place) if step.get("uses", "").startswith(f"{action}@")]


def code(name: str) -> str:
    """A file without its comments."""
    return re.sub(r"(^|\s)#.*", "", (ROOT / name).read_text(), flags=re.MULTILINE)


def test_all_workflows_are_looked_at() -> None:
    assert WORKFLOWS == ["check.yml", "eval-gate-comment.yml", "eval-gate.yml", "weekly.yml"]


@pytest.mark.parametrize("name", FILES)
def test_no_file_hides_an_exit_code_or_runs_a_change_with_rights(name: str) -> None:
    text = code(name)
    for never in (
        "|| true",
        "continue-on-error",
        "allow_failure",
        "pull_request_target",
        "set +e",
        "; exit 0",
        "write-all",
    ):
        assert never not in text


@pytest.mark.parametrize("name", FILES)
def test_no_folder_of_the_checkout_can_stand_in_for_a_python_module(name: str) -> None:
    """Without -I, `python -m` and `python -c` look for modules in the working folder first."""
    assert not re.search(r"\bpython3? -[mc]", code(name))


@pytest.mark.parametrize("name", [*FILES, "deploy/skypilot.yaml"])
def test_nothing_is_installed_from_a_release_that_no_index_has(name: str) -> None:
    assert set(re.findall(r'TUNEGATE: "(.*)"', code(name))) <= {""}
    assert not re.search(r"install.* tunegate\b", code(name))


@pytest.mark.parametrize("name", PLACES)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(name: str) -> None:
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used and all(action == "./" or PINNED.fullmatch(action) for action in used)
    lines = [line for line in (ROOT / name).read_text().splitlines() if "uses:" in line]
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$|uses: \./$", line) for line in lines)


def test_one_action_has_one_pin_everywhere() -> None:
    used = {step["uses"] for name in PLACES for step in steps(name) if "uses" in step}
    assert len({action.split("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize("name", PLACES)
def test_no_checkout_leaves_credentials_behind(name: str) -> None:
    assert all(step["with"]["persist-credentials"] is False for step in uses(name, "actions/checkout"))


@pytest.mark.parametrize("name", PLACES)
def test_no_expression_stands_inside_a_shell_block(name: str) -> None:
    assert not any("${{" in step.get("run", "") for step in steps(name))


def test_no_input_of_the_component_stands_inside_a_shell_block() -> None:
    job = documents(GITLAB)[1]["eval-gate"]
    assert not any("[[ inputs" in line for part in ("before_script", "script", "after_script") for line in job[part])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_ends_by_itself_and_rights_are_stated(name: str) -> None:
    assert "permissions" in workflow(f".github/workflows/{name}")
    assert all(1 <= job["timeout-minutes"] <= 120 for job in jobs(name))


def test_the_gate_reads_only_and_always_starts() -> None:
    file = workflow(".github/workflows/eval-gate.yml")
    assert file["on"] == {"pull_request": {"types": TYPES}, "merge_group": None}  # no paths: filter, no branches
    assert file["permissions"] == {"contents": "read"}
    (job,) = jobs("eval-gate.yml")
    assert "permissions" not in job and "if" not in job
    checkout, call = job["steps"]
    assert checkout["with"]["fetch-depth"] == 0 and "ref" not in checkout["with"]
    assert call["uses"] == "./" and "comment" not in call["with"]
    always = [step["name"] for step in steps(ACTION) if step.get("if", "").startswith("always()")]
    assert always == ["Show the outcome", "Write the report", "Upload what the comment is made of"]


def test_the_workflow_to_copy_starts_again_for_another_target_branch() -> None:
    assert f"on:\n  pull_request: {{types: [{', '.join(TYPES)}]}}" in (ROOT / "docs" / "ci.md").read_text()


def test_every_week_the_opt_in_tests_run_too() -> None:
    file = workflow(".github/workflows/weekly.yml")
    assert set(file["on"]) == {"schedule", "workflow_dispatch"} and file["permissions"] == {"contents": "read"}
    assert steps(".github/workflows/weekly.yml")[-1]["run"] == "bash .ci/run test-all"
    assert (ROOT / ".ci" / "run").read_text().endswith('make "${1:-test}" SLOW=1\n')
    makefile = (ROOT / "Makefile").read_text()
    opt_in = {name for path in (ROOT / "tests").rglob("test_*.py") for name in OPT_IN.findall(path.read_text())}
    assert len(opt_in) >= 3
    assert all(f"{name}=1" in makefile for name in opt_in | set(REAL.values()))


def test_only_a_quick_run_leaves_slow_tests_out() -> None:
    words = {"test": True, "test SLOW=1": False, "test-all": False, "coverage": False}
    alone = {"PATH": os.environ["PATH"]}  # Without the words of a make that started the tests.
    plans = {
        each: subprocess.run(
            ["make", "-n", *each.split()], cwd=ROOT, env=alone, capture_output=True, text=True, check=True
        )
        for each in words
    }
    assert {each: "not slow" in plan.stdout for each, plan in plans.items()} == words


def test_run_folders_with_answers_and_documents_are_no_artifact() -> None:
    (upload,) = uses(ACTION, "actions/upload-artifact")
    assert upload["with"]["path"].split() == ["out/summary.md", "out/verdicts.json", "out/junit.xml", "out/report"]
    assert workflow(ACTION)["inputs"]["report"]["default"] == "no"


def test_the_comment_may_write_to_pull_requests_and_never_checks_out_the_change() -> None:
    file = workflow(".github/workflows/eval-gate-comment.yml")
    assert file["on"]["workflow_run"]["workflows"] == [workflow(".github/workflows/eval-gate.yml")["name"]]
    assert file["permissions"] == {}
    (job,) = jobs("eval-gate-comment.yml")
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    checkout, call = job["steps"]
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert (call["uses"], call["with"]) == ("./", {"comment": "yes"})
    assert "head_sha" not in code(".github/workflows/eval-gate-comment.yml")


def test_the_token_reaches_only_the_steps_that_post_and_no_job_that_judges() -> None:
    with_token = [step for step in steps(ACTION) if "github.token" in str(step)]
    assert all("inputs.comment == 'yes'" in step["if"] for step in with_token)
    posting = [step["run"].split()[:3] for step in with_token if "run" in step]
    assert posting == [["tunegate", "ci", "comment"]] * 3 and len(with_token) == 4
    judging = [step for step in steps(ACTION) if "inputs.comment == 'no'" in step.get("if", "")]
    assert len(with_token) + len(judging) + 3 == len(steps(ACTION))
    assert "${{ secrets" not in code(ACTION)


def test_gitlab_runs_on_merge_requests_and_keeps_its_reports_whatever_happens() -> None:
    job = component(package="tunegate", checkpoint="a-model")
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    kept = job["artifacts"]
    assert (kept["when"], kept["expose_as"]) == ("always", "eval gate")
    assert kept["reports"] == {"junit": "out/junit.xml", "metrics": "out/metrics.txt"}
    assert kept["paths"] == ["out/summary.md", "out/verdicts.json"]
    assert job["variables"]["GIT_DEPTH"] == "0"
