"""A throw-away repository whose base branch holds a small suite, and a way to judge a change of it as CI does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.runs.folder import RunData, load_run
from tests.ci.runner import Job, commit_all, copy_of, git, run_job
from tests.reports.conftest import write_run
from tests.support.mini import right, rows, write_script, write_suite

__all__ = ["write_run"]

FAKE = "--script script.json -q"
"""Options with which the engine `fake` answers by a script."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit: the mini suite, and a script by which the model is always right."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text("__pycache__/\nout/\n.bars/\n")
    write_suite(folder)
    write_script(folder, tuned=right(rows()))
    commit_all(folder)
    return folder


class Change:
    """A change of the project, in a copy of its own."""

    def __init__(self, project: Path, tmp_path: Path) -> None:
        self.base = git(project, "rev-parse", "HEAD")
        self.folder = copy_of(project, tmp_path / "change")
        self.home = tmp_path / "home"
        self.home.mkdir()

    def judge(
        self,
        options: str = FAKE,
        values: Mapping[str, str] | None = None,
        event: str = "pull_request",
        is_committed: bool = False,
        **inputs: str,
    ) -> Job:
        """Commit what was changed, and run the action on it; `values` are of expressions, `inputs` of the action."""
        if not is_committed:
            commit_all(self.folder)
        known = {
            "github.event.pull_request.base.sha || github.event.merge_group.base_sha": self.base,
            "github.event.pull_request.head.sha": "",
            "github.event.pull_request.number": "7",
            "github.event.merge_group.head_ref": "",
            "vars.TUNEGATE_FIRST_ADOPTION": "",
            "github.event.action": "synchronize",
            **(values or {}),
        }
        given = {"engine": "fake", "options": options, **inputs}
        return run_job("eval-gate.yml", self.folder, self.home, known, given, GITHUB_EVENT_NAME=event)

    @property
    def run(self) -> RunData:
        """The one run that was made."""
        (found,) = (self.folder / "out" / "runs").iterdir()
        return load_run(found)


@pytest.fixture
def change(project: Path, tmp_path: Path) -> Change:
    """A change of the project that changes nothing yet."""
    return Change(project, tmp_path)
