"""Which pull request a workflow run belongs to, from GitHub's own event; never from what the run left behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from harness.errors import NOT_JSON, UserError
from reports.ci.github import GitHub

PAGE_OF_RUN = re.compile(r"https://[\w.-]+(:\d+)?/[\w.-]+/[\w.-]+/actions/runs/\d+")
WORD = re.compile(r"[a-z_]{0,40}")
Sha = Annotated[str, Meta(pattern=r"\A[0-9a-f]{40,64}\Z")]


class Repository(Struct):
    id: int = 0


class Base(Struct):
    repo: Repository


class Head(Struct):
    sha: Sha


class PullRequest(Struct):
    number: int
    head: Head
    base: Base
    state: str = "open"


class Owner(Struct):
    login: str


class HeadRepository(Struct):
    owner: Owner


class WorkflowRun(Struct):
    head_sha: Sha
    html_url: str = ""
    head_branch: str | None = None
    head_repository: HeadRepository | None = None
    pull_requests: list[PullRequest] = field(default_factory=list)
    conclusion: str | None = None


class Event(Struct):
    """The fields of a `workflow_run` event that are used; GitHub sends more."""

    workflow_run: WorkflowRun
    repository: Repository

    @property
    def link(self) -> str:
        """The run's page, or empty where it does not look like one."""
        return self.workflow_run.html_url if PAGE_OF_RUN.fullmatch(self.workflow_run.html_url) else ""

    @property
    def conclusion(self) -> str:
        """How the run ended, in GitHub's word; empty while it runs."""
        found = self.workflow_run.conclusion or ""
        return found if WORD.fullmatch(found) else ""


def read(path: Path) -> Event:
    """The event file that GITHUB_EVENT_PATH names. One of another kind is a UserError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Event)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Give --pr N, or run it on workflow_run") from None
    except NOT_JSON:
        raise UserError(f"{path}: is no workflow_run event. Give --pr N, or run it on workflow_run") from None


def pull_request(github: GitHub, repo: str, event: Event) -> int | None:
    """The open pull request whose head is still the commit that ran; None where it moved on or is closed.

    The event names it, unless it comes from a fork: then the open pull requests of that fork's branch are asked for.
    """
    run = event.workflow_run
    named = [pull.number for pull in run.pull_requests if pull.base.repo.id == event.repository.id]
    if named:
        found = [github.call("GET", f"/repos/{repo}/pulls/{number}") for number in named]
    elif run.head_repository is not None and run.head_branch:
        head = f"{run.head_repository.owner.login}:{run.head_branch}"
        found = list(github.pages(f"/repos/{repo}/pulls", state="open", head=head))
    else:
        found = []
    fitting = [pull for pull in map(_pull, found) if pull.state == "open" and pull.head.sha == run.head_sha]
    if len(fitting) > 1:
        raise UserError(
            f"commit {run.head_sha[:12]} is the head of {len(fitting)} open pull requests, and their bars may differ. "
            "Nothing was posted; close all but one"
        )
    return fitting[0].number if fitting else None


def _pull(entry: Any) -> PullRequest:
    try:
        return msgspec.convert(entry, PullRequest)
    except msgspec.ValidationError as error:
        raise UserError(f"GitHub's answer on a pull request cannot be read: {error}. Check GITHUB_API_URL") from None
