"""GitHub's REST API, as little of it as comments need. The token goes to one host only: no redirect is followed."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Meta, Struct, field

from harness.errors import NOT_JSON, UserError
from reports import number_format, wording
from reports.ci import markdown
from reports.ci.export import Export, inert
from reports.ci.markdown import RUN_MARKER

PUBLIC = "https://api.github.com"
PAGE = 100
MOST_PAGES = 50
MOST_BYTES = 64 << 20
TIMEOUT_S = 30
HINTS = {
    401: "The token is not valid; GITHUB_TOKEN must hold one",
    403: "The token may not do this; the job needs `permissions: pull-requests: write`",
    404: "Check --repo and --pr, and that the token may read the repository",
}


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib would send the token along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class GitHub:
    """A client of one API address with one token."""

    def __init__(self, token: str, api_url: str = PUBLIC) -> None:
        """`api_url` is https, or http on this machine; anything else is a UserError, as is an empty token."""
        where = urlsplit(api_url)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in ("127.0.0.1", "localhost")):
            raise UserError(f"GITHUB_API_URL is '{inert(api_url)}'. It must begin with https://, for the token's sake")
        if not token:
            raise UserError("no token: set GITHUB_TOKEN in the environment. It is read from nowhere else")
        self._token = token
        self._base = api_url.rstrip("/")
        self._opener = urllib.request.build_opener(_Stay)

    def call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """One request, and its answer decoded from JSON. Any failure is a UserError."""
        request = urllib.request.Request(
            self._base + path,
            method=method,
            data=None if body is None else msgspec.json.encode(body),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "tunegate",
            },
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                raw = answer.read(MOST_BYTES + 1)
            if len(raw) > MOST_BYTES:
                raise UserError(f"{method} {path}: the answer is larger than {number_format.number(MOST_BYTES)} bytes")
            return msgspec.json.decode(raw)
        except urllib.error.HTTPError as error:
            hint = HINTS.get(error.code, "Nothing more was sent; run it again")
            raise UserError(
                f"{method} {path}: GitHub answered {error.code} {inert(str(error.reason))}. {hint}"
            ) from None
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise UserError(f"{method} {path}: GitHub was not reached: {inert(str(error))}. Run it again") from None
        except NOT_JSON:
            raise UserError(f"{method} {path}: the answer is no JSON. Check GITHUB_API_URL") from None

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page after page."""
        for number in range(1, MOST_PAGES + 1):
            found = self.call("GET", f"{path}?{urlencode({**query, 'per_page': str(PAGE), 'page': str(number)})}")
            yield from found
            if len(found) < PAGE:
                return
        raise UserError(f"GET {path}: more than {number_format.number(MOST_PAGES * PAGE)} entries; more are not read")


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
        happened = read(Path(env.get("GITHUB_EVENT_PATH", "GITHUB_EVENT_PATH")))
        number = pull_request(github, repo, happened)
        about = {"commit": happened.workflow_run.head_sha, "link": happened.link}
        conclusion = happened.conclusion
        if number is None:
            return (
                f"nothing posted: {number_format.short(about['commit'])} is the head of no open pull request any more"
            )
    bodies = markdown.comments(found, **about, conclusion=conclusion) if found else {}
    done = publish(github, repo, number, bodies, markdown.standing_in(says, **about), author or BOT)
    return f"{repo}#{number}: {wording.count(done['new'], 'new comment')}, {done['updated']} updated"


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
