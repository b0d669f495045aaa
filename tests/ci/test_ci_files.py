"""The workflow files themselves: what they may do, what they are pinned to, and what must never stand in them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.ci.runner import ROOT, workflow
from tests.docs.needs import REAL

WORKFLOWS = sorted(path.name for path in (ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB = "docs/ci/gitlab-ci.yml"
FILES = [*(f".github/workflows/{name}" for name in WORKFLOWS), GITLAB]
OPT_IN = re.compile(r"not os\.environ\.get\(\"(TUNEGATE_[A-Z]+)\"\)")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def jobs(name: str) -> list[dict[str, Any]]:
    return list(workflow(f".github/workflows/{name}")["jobs"].values())


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in jobs(name) for step in job["steps"]]


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


@pytest.mark.parametrize("name", [*FILES, "deploy/skypilot.yaml"])
def test_nothing_is_installed_from_a_release_that_no_index_has(name: str) -> None:
    known = re.findall(r'TUNEGATE: "(.*)"', code(name))
    assert set(known) <= {"", ".", ".[train,metrics]"}
    assert not re.search(r"install.* tunegate\b", code(name))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(name: str) -> None:
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used and all(PINNED.fullmatch(action) for action in used)
    lines = [line for line in (ROOT / ".github/workflows" / name).read_text().splitlines() if "uses:" in line]
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines)


def test_one_action_has_one_pin_everywhere() -> None:
    used = {step["uses"] for name in WORKFLOWS for step in steps(name) if "uses" in step}
    assert len({action.split("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_checkout_leaves_credentials_behind(name: str) -> None:
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_expression_stands_inside_a_shell_block(name: str) -> None:
    assert not any("${{" in step.get("run", "") for step in steps(name))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_ends_by_itself_and_rights_are_stated(name: str) -> None:
    assert "permissions" in workflow(f".github/workflows/{name}")
    assert all(1 <= job["timeout-minutes"] <= 120 for job in jobs(name))


def test_the_gate_reads_only_and_always_starts() -> None:
    file = workflow(".github/workflows/eval-gate.yml")
    assert file["on"] == {"pull_request": None, "merge_group": None}  # no paths: filter, no branches
    assert file["permissions"] == {"contents": "read"}
    (job,) = jobs("eval-gate.yml")
    assert "permissions" not in job and "if" not in job
    (checkout,) = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["fetch-depth"] == 0 and "ref" not in checkout["with"]
    always = [step["name"] for step in job["steps"] if step.get("if") == "always()"]
    assert always == ["Show the outcome", "Upload what the comment is made of"]
    assert file["defaults"]["run"]["shell"] == "bash"


def test_every_week_the_opt_in_tests_run_too() -> None:
    file = workflow(".github/workflows/weekly.yml")
    assert set(file["on"]) == {"schedule", "workflow_dispatch"} and file["permissions"] == {"contents": "read"}
    assert steps("weekly.yml")[-1]["run"] == "bash .ci/run test-all"
    assert (ROOT / ".ci" / "run").read_text().endswith('make "${1:-test}"\n')
    makefile = (ROOT / "Makefile").read_text()
    opt_in = {name for path in (ROOT / "tests").rglob("test_*.py") for name in OPT_IN.findall(path.read_text())}
    assert len(opt_in) >= 3
    assert all(f"{name}=1" in makefile for name in opt_in | set(REAL.values()))


def test_run_folders_with_answers_and_documents_are_no_artifact() -> None:
    (upload,) = [s for s in steps("eval-gate.yml") if s.get("uses", "").startswith("actions/upload-artifact@")]
    assert upload["with"]["path"].split() == ["out/summary.md", "out/verdicts.json", "out/junit.xml"]


def test_the_comment_may_write_to_pull_requests_and_never_checks_out_the_change() -> None:
    file = workflow(".github/workflows/eval-gate-comment.yml")
    assert file["on"]["workflow_run"]["workflows"] == [workflow(".github/workflows/eval-gate.yml")["name"]]
    assert file["permissions"] == {}
    (job,) = jobs("eval-gate-comment.yml")
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    (checkout,) = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert "head_sha" not in code(".github/workflows/eval-gate-comment.yml")


def test_the_token_reaches_only_the_steps_that_post() -> None:
    with_token = [s for s in steps("eval-gate-comment.yml") if "GITHUB_TOKEN" in s.get("env", {})]
    assert [step["run"].split()[:3] for step in with_token] == [["tunegate", "ci", "comment"]] * 3
    assert not any("GITHUB_TOKEN" in str(step) for step in steps("eval-gate.yml"))


def test_gitlab_runs_on_merge_requests_and_keeps_its_reports_whatever_happens() -> None:
    job = workflow(GITLAB)["eval-gate"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    kept = job["artifacts"]
    assert (kept["when"], kept["expose_as"]) == ("always", "eval gate")
    assert kept["reports"] == {"junit": "out/junit.xml", "metrics": "out/metrics.txt"}
    assert kept["paths"] == ["out/summary.md", "out/verdicts.json"]
    assert job["variables"]["GIT_DEPTH"] == "0"
