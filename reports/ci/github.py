"""The part of GitHub's REST API that comments need. The token goes to one host only: no redirect is followed."""

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
    403: "The token lacks the permission; the job needs `permissions: pull-requests: write`",
    404: "Check --repo and --pr, and that the token may read the repository",
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: urllib would send the token along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class GitHub:
    """A client of one API address with one token."""

    def __init__(self, token: str, api_url: str = PUBLIC) -> None:
        """Check address and token. Raises UserError where `api_url` is neither https nor local, or `token` is empty."""
        where = urlsplit(api_url)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in ("127.0.0.1", "localhost")):
            raise UserError(f"GITHUB_API_URL is '{inert(api_url)}'. It must begin with https://, to protect the token")
        self._token = token.strip()  # A secret that was saved with its line end.
        if not self._token:
            raise UserError("no token: set GITHUB_TOKEN in the environment")
        self._base = api_url.rstrip("/")
        self._opener = urllib.request.build_opener(_NoRedirect)

    def call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """Send a request and decode the JSON response. Raises UserError for any failure."""
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
                raise UserError(
                    f"{method} {path}: the response is larger than {number_format.number(MOST_BYTES)} bytes"
                )
            return msgspec.json.decode(raw)
        except urllib.error.HTTPError as error:
            hint = HINTS.get(error.code, "Nothing more was sent; retry the job")
            raise UserError(
                f"{method} {path}: GitHub answered {error.code} {inert(str(error.reason))}. {hint}"
            ) from None
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise UserError(f"{method} {path}: cannot reach GitHub: {inert(str(error))}. Retry the job") from None
        except NOT_JSON:
            raise UserError(f"{method} {path}: the response is not JSON. Check GITHUB_API_URL") from None

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield every entry of a list, page by page. Raises UserError past MOST_PAGES."""
        for number in range(1, MOST_PAGES + 1):
            page = self.call("GET", f"{path}?{urlencode({**query, 'per_page': str(PAGE), 'page': str(number)})}")
            yield from page
            if len(page) < PAGE:
                return
        raise UserError(
            f"GET {path}: more than {number_format.number(MOST_PAGES * PAGE)} entries, the limit of this client"
        )


PAGE_OF_RUN = re.compile(r"https?://[\w.-]+(:\d+)?/[\w.-]+/[\w.-]+/actions/runs/\d+")
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
    """The used fields of a `workflow_run` event; GitHub sends more."""

    workflow_run: WorkflowRun
    repository: Repository

    @property
    def link(self) -> str:
        """Address of the run's page; empty where it does not look like one."""
        return self.workflow_run.html_url if PAGE_OF_RUN.fullmatch(self.workflow_run.html_url) else ""

    @property
    def conclusion(self) -> str:
        """GitHub's word for how the run ended; empty while it runs."""
        conclusion = self.workflow_run.conclusion or ""
        return conclusion if WORD.fullmatch(conclusion) else ""


class PullRequestEvent(Struct):
    """The used field of a `pull_request` event."""

    pull_request: PullRequest


def page_of_run(env: Mapping[str, str]) -> str:
    """Return the address of the workflow run that this job belongs to; empty outside of GitHub Actions."""
    server, repo, run = (env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    page = f"{server}/{repo}/actions/runs/{run}"
    return page if PAGE_OF_RUN.fullmatch(page) else ""


def read(path: Path) -> Event:
    """Read the event file that GITHUB_EVENT_PATH names. Raises UserError where it is not a `workflow_run` event."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Event)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Give --pr N, or run it on workflow_run") from None
    except NOT_JSON:
        raise UserError(f"{path}: not a workflow_run event. Give --pr N, or run it on workflow_run") from None


def pull_request(github: GitHub, repo: str, event: Event) -> int | None:
    """Find the open pull request whose head is still the commit that ran; None where it is closed or has a newer head.

    The event names it, unless it comes from a fork: then it is searched among the open pull requests of that fork's
    branch. Raises UserError where several pull requests have this head.
    """
    run = event.workflow_run
    named = [pull.number for pull in run.pull_requests if pull.base.repo.id == event.repository.id]
    if named:
        pulls = [github.call("GET", f"/repos/{repo}/pulls/{number}") for number in named]
    elif run.head_repository is not None and run.head_branch:
        head = f"{run.head_repository.owner.login}:{run.head_branch}"
        pulls = list(github.pages(f"/repos/{repo}/pulls", state="open", head=head))
    else:
        pulls = []
    fitting = [pull for pull in map(_pull, pulls) if pull.state == "open" and pull.head.sha == run.head_sha]
    if len(fitting) > 1:
        raise UserError(
            f"commit {run.head_sha[:12]} is the head of {len(fitting)} open pull requests, and their gates may differ. "
            "Nothing was posted; close all but one"
        )
    return fitting[0].number if fitting else None


def _pull(entry: Any) -> PullRequest:
    try:
        return msgspec.convert(entry, PullRequest)
    except msgspec.ValidationError as error:
        raise UserError(f"GitHub's response for a pull request cannot be read: {error}. Check GITHUB_API_URL") from None


BOT = "github-actions[bot]"
"""The account of the token that GitHub gives a workflow."""
MARKER = re.compile(r"<!-- tunegate:[a-z0-9:-]+ -->")
REPOSITORY = re.compile(r"(?!\.\.?/)[\w.-]+/(?!\.\.?$)[\w.-]+")


def post(
    export: Export | None,
    says: str,
    repo: str,
    number: int | None,
    author: str | None,
    env: Mapping[str, str],
    has_report: bool = False,
) -> str:
    """Post an export's comments, or `says` where there is none, and return one line on what was done.

    Without `number`, the pull request is that of the event file that the environment names; nothing is posted where it
    has a newer head. With it, comments link to the workflow run of this job. Comments on suites that the export lacks
    also get the text `says`. Raises UserError where the repository is not OWNER/NAME or GitHub refuses.
    """
    if not REPOSITORY.fullmatch(repo):
        raise UserError(f"the repository is '{inert(repo)}'; expected OWNER/NAME. Set it with --repo")
    github = GitHub(env.get("GITHUB_TOKEN", ""), env.get("GITHUB_API_URL") or PUBLIC)
    if number is None:
        happened = read(_event_file(env))
        number = pull_request(github, repo, happened)
        commit, link, conclusion = happened.workflow_run.head_sha, happened.link, happened.conclusion
        if number is None:
            return f"nothing posted: {number_format.short(commit)} is no longer the head of an open pull request"
    else:
        commit, link, conclusion = _head(env, number), page_of_run(env), ""
    about = markdown.JudgedRun(commit=commit, link=link, conclusion=conclusion, has_report=has_report)
    bodies = markdown.comments(export, about) if export else {}
    done = publish(github, repo, number, bodies, markdown.standing_in(says, about), author or BOT)
    return f"{repo}#{number}: {wording.count(done['new'], 'new comment')}, {done['updated']} updated"


def _event_file(env: Mapping[str, str]) -> Path:
    return Path(env.get("GITHUB_EVENT_PATH") or "GITHUB_EVENT_PATH")


def _head(env: Mapping[str, str], number: int) -> str:
    """Return the head of pull request `number`, from the event of a job of its own; empty for another event."""
    try:
        pull = msgspec.json.decode(_event_file(env).read_bytes(), type=PullRequestEvent).pull_request
    except (OSError, *NOT_JSON):
        return ""
    return pull.head.sha if pull.number == number else ""


def publish(
    github: GitHub, repo: str, number: int, bodies: Mapping[str, str], others: str, author: str = BOT
) -> dict[str, int]:
    """Post `bodies`, each below its marker, to pull request `number`; return how many were `new` and `updated`.

    Our other comments are about another commit and get the text `others`; that on a run without suites leads to the new
    bodies. Without bodies and without comments of ours, one comment with the text `others` is posted.
    """
    own = _own(github, repo, number, author)
    heir = next((mark for mark in bodies if mark not in own), None)
    if heir is not None and RUN_MARKER in own:
        own[heir] = own.pop(RUN_MARKER)  # the first suite without a comment takes over the placeholder
    comments = {mark: f"{mark}\n{others}" for mark in own or (() if bodies else (RUN_MARKER,))}
    if bodies and RUN_MARKER in own:
        comments[RUN_MARKER] = f"{RUN_MARKER}\n{markdown.standing_in('see the comment on each suite')}"
    comments |= bodies
    done = {"new": 0, "updated": 0}
    for mark, body in comments.items():
        if mark in own:
            github.call("PATCH", f"/repos/{repo}/issues/comments/{own[mark]}", {"body": body})
        else:
            github.call("POST", f"/repos/{repo}/issues/{number}/comments", {"body": body})
        done["updated" if mark in own else "new"] += 1
    return done


def _own(github: GitHub, repo: str, number: int, author: str) -> dict[str, int]:
    """Return the IDs of the author's comments by marker, the oldest of each."""
    ids: dict[str, int] = {}
    for entry in github.pages(f"/repos/{repo}/issues/{number}/comments"):
        mark = MARKER.match(_text(entry, "body"))
        if mark and _text(entry.get("user") or {}, "login") == author:
            ids.setdefault(mark[0], int(entry["id"]))
    return ids


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
