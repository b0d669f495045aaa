"""The GitLab job's script, executed against a target branch that is fetched: exit codes, bars, reports."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.ci.conftest import FAKE
from tests.ci.runner import bash, commit_all, component, copy_of, environment, git
from tests.support.mini import GATES, right, rows, write_script, write_suite

INPUTS = {"package": "tunegate", "checkpoint": "a-model", "engine": "fake"}
JOB = component(**INPUTS)


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    """A clone of a change that has not seen the target branch, as a runner makes it."""
    origin = copy_of(project, tmp_path / "origin")
    git(origin, "checkout", "-q", "-b", "topic")
    git(tmp_path, "clone", "-q", "--single-branch", "--branch", "topic", f"file://{origin}", "clone")
    return tmp_path / "clone"


def run(
    clone: Path, adopting: str = "", options: str = FAKE, suites: str = "evalsuites", **more: str
) -> tuple[int, str]:
    """Commit, then run script and after_script; returns the script's exit code and the log."""
    commit_all(clone)
    home = clone.parent / "home"
    home.mkdir()
    job = component(**INPUTS, options=options, suites=suites)
    known = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_IID": "7", **more}
    env = environment(home, **job["variables"], **known, TUNEGATE_FIRST_ADOPTION=adopting)
    done = bash("\n".join(job["script"]), clone, env)
    after = bash("\n".join(job["after_script"]), clone, env)
    assert after.returncode == 0, after.stdout
    return done.returncode, done.stdout + after.stdout


@pytest.mark.slow
def test_a_good_model_passes_and_leaves_every_report_that_gitlab_is_told_of(clone: Path) -> None:
    code, log = run(clone)
    assert code == 0, log
    for path in [*JOB["artifacts"]["paths"], *JOB["artifacts"]["reports"].values()]:
        assert (clone / path).stat().st_size > 0
    assert (
        'tunegate_metric{suite="legal/mini",variant="tuned",metric="clause_recall"} 1\n'
        in (clone / "out/metrics.txt").read_text()
    )
    assert len(list(ET.parse(clone / "out/junit.xml").iter("testcase"))) == 63


def test_the_job_installs_what_the_project_names(tmp_path: Path) -> None:
    (tmp_path / "python").write_text('#!/bin/sh\necho "python $*"\n')
    (tmp_path / "python").chmod(0o755)
    job = component(**INPUTS | {"package": "tunegate[train] @ file:///a b"})
    env = environment(tmp_path, **job["variables"], PATH=f"{tmp_path}:/usr/bin:/bin")
    done = bash("\n".join(job["before_script"]), tmp_path, env)
    assert (done.returncode, done.stdout) == (0, "python -I -m pip install tunegate[train] @ file:///a b\n")


def test_the_builds_of_torch_for_processors_are_installed_unless_the_project_has_a_gpu() -> None:
    assert JOB["variables"]["PIP_EXTRA_INDEX_URL"].endswith("/whl/cpu")
    job = component(**INPUTS | {"extra-index-url": ""})
    assert job["variables"]["PIP_EXTRA_INDEX_URL"] == ""


@pytest.mark.slow
def test_a_change_that_lowers_its_own_bar_is_judged_by_the_target_branch(clone: Path) -> None:
    write_suite(clone, gates=GATES.replace("value = 0.5", "value = 0.1"))
    write_script(clone, tuned=right(rows()) | {f"c{i}": "none" for i in range(1, 30, 2)})
    code, log = run(clone)
    assert code == 1, log
    assert (clone / "out/summary.md").read_text().startswith("#### The gates changed\n")


@pytest.mark.slow
def test_in_a_pipeline_of_a_fork_the_target_branch_is_not_the_forks_own(clone: Path, project: Path) -> None:
    copy_of(project, clone.parent / "upstream.git")
    fork = clone.parent / "origin"
    git(fork, "checkout", "-q", "main")
    for own in (fork, clone):
        write_suite(own, gates=GATES.replace("value = 0.5", "value = 0.1"))
        commit_all(own)
    write_script(clone, tuned=right(rows()) | {f"c{i}": "none" for i in range(1, 30, 2)})
    upstream = {"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_PROJECT_URL": f"file://{clone.parent}/upstream"}
    code, log = run(clone, CI_PROJECT_ID="2", **upstream)
    assert code == 1, log
    assert (clone / "out/summary.md").read_text().startswith("#### The gates changed\n")


@pytest.mark.slow
def test_a_suite_of_the_target_behind_a_link_that_leaves_its_folder_is_named(clone: Path) -> None:
    origin = clone.parent / "origin"
    git(origin, "checkout", "-q", "main")
    (origin / "evalsuites" / "legal" / "mini").rename(origin / "mini")
    (origin / "evalsuites" / "legal" / "mini").symlink_to("../../mini")
    commit_all(origin)
    code, log = run(clone)
    assert code == 4 and "evalsuites/legal/mini leads out of evalsuites" in log


@pytest.mark.slow
def test_suites_on_lines_of_their_own_all_count(clone: Path) -> None:
    code, log = run(clone, suites="evalsuites/legal/mini\nevalsuites/legal/gone\n")
    assert code != 0 and "evalsuites/legal/gone" in log


@pytest.mark.slow
@pytest.mark.parametrize(("adopting", "expected"), [("", 4), ("8", 4), ("7", 6)])
def test_first_suites_come_only_with_the_one_merge_request_that_was_named(
    clone: Path, adopting: str, expected: int
) -> None:
    origin = clone.parent / "origin"
    git(origin, "checkout", "-q", "main")
    git(origin, "rm", "-q", "-r", "evalsuites")
    commit_all(origin)
    code, log = run(clone, adopting, "--collect-only -q")
    assert code == expected, log
    assert ("its own gates" in log) is (expected == 6)
