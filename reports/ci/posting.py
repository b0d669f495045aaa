"""Puts comments on a pull request: updates its own, makes those that are missing. Knows no run.

Its own are those whose first line is one of its markers *and* that the bot's account wrote: anybody can write a marker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from reports import figures, words
from reports.ci import event, pages
from reports.ci.export import Export
from reports.ci.github import PUBLIC, GitHub
from reports.ci.log import inert
from reports.ci.pages import RUN_MARKER

BOT = "github-actions[bot]"
"""Who writes with the token that GitHub gives a workflow."""
MARKER = re.compile(r"<!-- tunegate:[a-z0-9:-]+ -->")


REPOSITORY = re.compile(r"(?!\.\.?/)[\w.-]+/(?!\.\.?$)[\w.-]+")


def post(
    found: Export | None, says: str, repo: str, number: int | None, author: str | None, env: Mapping[str, str]
) -> str:
    """Post an export's comments, or `says` where there is none, and tell in one line what was done.

    Without `number`, the pull request is that of the event file that the environment names; nothing is posted where it
    has moved on to another commit. `says` is also what comments on suites say that the export does not have.
    """
    if not REPOSITORY.fullmatch(repo):
        raise UserError(f"the repository is '{inert(repo)}', and not OWNER/NAME. Give it with --repo")
    github = GitHub(env.get("GITHUB_TOKEN", ""), env.get("GITHUB_API_URL") or PUBLIC)
    about = {"commit": "", "link": ""}
    conclusion = ""
    if number is None:
        happened = event.read(Path(env.get("GITHUB_EVENT_PATH", "GITHUB_EVENT_PATH")))
        number = event.pull_request(github, repo, happened)
        about = {"commit": happened.workflow_run.head_sha, "link": happened.link}
        conclusion = happened.conclusion
        if number is None:
            return f"nothing posted: {figures.short(about['commit'])} is the head of no open pull request any more"
    bodies = pages.comments(found, **about, conclusion=conclusion) if found else {}
    done = publish(github, repo, number, bodies, pages.standing_in(says, **about), author or BOT)
    return f"{repo}#{number}: {words.count(done['new'], 'new comment')}, {done['updated']} updated"


def publish(
    github: GitHub, repo: str, number: int, bodies: Mapping[str, str], others: str, author: str = BOT
) -> dict[str, int]:
    """Post `bodies`, each below its marker, to pull request `number`; returns how many were `new` and `updated`.

    Comments of ours that are not among them are about another commit: they then say `others`. Where there are neither
    bodies nor comments of ours, one that says `others` is made.
    """
    own = _own(github, repo, number, author)
    heir = next((mark for mark in bodies if mark not in own), None)
    if heir is not None and RUN_MARKER in own:
        own[heir] = own.pop(RUN_MARKER)  # the first suite without a comment takes the one that stood in
    wanted = {mark: f"{mark}\n{others}" for mark in own or (() if bodies else (RUN_MARKER,))} | dict(bodies)
    done = {"new": 0, "updated": 0}
    for mark, body in wanted.items():
        if mark in own:
            github.call("PATCH", f"/repos/{repo}/issues/comments/{own[mark]}", {"body": body})
        else:
            github.call("POST", f"/repos/{repo}/issues/{number}/comments", {"body": body})
        done["updated" if mark in own else "new"] += 1
    return done


def _own(github: GitHub, repo: str, number: int, author: str) -> dict[str, int]:
    """Ids of the author's comments by marker, the oldest of each."""
    found: dict[str, int] = {}
    for entry in github.pages(f"/repos/{repo}/issues/{number}/comments"):
        mark = MARKER.match(_text(entry, "body"))
        if mark and _text(entry.get("user") or {}, "login") == author:
            found.setdefault(mark[0], int(entry["id"]))
    return found


def _text(entry: Mapping[str, Any], key: str) -> str:
    found = entry.get(key)
    return found if isinstance(found, str) else ""
