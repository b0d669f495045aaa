"""The web application of a review: sessions, pages and requests.

All pages of a reviewer have the address `/`, so no URL names an item, side or model. The token of a link is exchanged
for a session cookie; only hashes of both are stored. The organiser's are kept in memory alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sys
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.errors import UserError
from harness.runs.folder import now
from reports.review import pages, progress, workflow
from reports.review.items import Material
from reports.review.schema import Reviewer
from reports.review.storage import Conflict, ReviewDatabase, secret_hash
from reports.review.workflow import earlier

SAFE = ("GET", "HEAD")


class HostGuard:
    """ASGI middleware that rejects requests for other hosts or from other origins, and sets the security headers."""

    def __init__(self, app: ASGIApp, origins: Iterable[str], policy: str) -> None:
        self.app = app
        self.origins = set(origins)
        self.hosts = {urlsplit(origin).netloc for origin in self.origins}
        self.headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            # `no-referrer` would make browsers send the origin of forms as `null`.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        refused = self.refuses(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(f"{refused}\n", status_code=403) if refused else self.app
        await app(scope, receive, send_guarded)

    def refuses(self, method: str, headers: Headers) -> str:
        """Say why a request is rejected; empty where it is allowed."""
        if headers.get("host") not in self.hosts:
            return "This review is not served under that host name."
        if method not in SAFE and headers.get("origin") not in self.origins:
            return "This request does not come from a page of the review."
        return ""


ORGANISER = "/organiser"
WRONG_KEY = "This key is not valid. Copy the whole link again, or ask for a new one."
LARGEST_BODY = 2_000_000
MONTH_S = 30 * 24 * 3600


def application(state: ReviewDatabase, material: Material, origins: Iterable[str], organiser: str) -> ASGIApp:
    """Build the application for people who use one of these origins, such as `http://127.0.0.1:8765`.

    `organiser` is the hash of the token that opens the organiser's page.
    """
    origins = list(origins)
    site = Site(state, material, urlsplit(origins[0]), organiser)
    routes = [
        Route("/", site.page, methods=["GET"]),
        Route("/enter", site.ask_token, methods=["GET"]),
        Route("/enter", site.enter, methods=["POST"]),
        Route("/organiser", site.organise, methods=["GET"]),
        Route("/organiser", site.enter_organiser, methods=["POST"]),
        Route("/do/{action}", site.act, methods=["POST"]),
    ]
    app = Starlette(routes=routes, max_body_size=LARGEST_BODY)
    return HostGuard(app, origins, pages.policy(packet=False))


class Site:
    """Handles the requests of one review."""

    def __init__(self, state: ReviewDatabase, material: Material, address: SplitResult, organiser: str) -> None:
        self.state = state
        self.material = material
        self.plan = state.plan()
        self.is_secure = address.scheme == "https"
        # Cookies are shared between ports: two reviews on one machine need two names.
        self.cookie = f"{'__Host-' if self.is_secure else ''}review-{address.port or 'default'}"
        self.organiser = organiser
        self.organiser_sessions: set[str] = set()

    def page(self, request: Request) -> Response:
        reviewer = self._reviewer(request)
        if reviewer is None:
            return self._html([pages.enter_page()], 401)
        position = workflow.position_of(self.state, reviewer)
        if position.task and position.stage == "task":
            self.state.open_task(position.task.id)
        boot = {"csrf": self._csrf(request), "shortcuts": reviewer.shortcuts}
        return HTMLResponse(
            pages.document([self._next(position, reviewer)], title=pages.TITLE, plan=self.plan, boot=boot)
        )

    def _next(self, position: workflow.ReviewPosition, reviewer: Reviewer) -> pages.Page:
        has_previous = workflow.previous(position) is not None
        if position.stage == "consent":
            return pages.consent_page(reviewer, position.tasks, progress.estimate(position.tasks, self.material))
        if position.stage == "rubric":
            return pages.rubric_page(position.tasks)
        if position.stage == "guess":
            guess_tasks = workflow.guess_tasks_of(position.tasks, self.plan.seed, reviewer.name)
            return pages.guess_page([(t, self.material.item(t.key)) for t in guess_tasks], position.tasks, has_previous)
        if position.task is None:
            return pages.done_page()
        if position.stage == "feedback":
            return pages.feedback_page(position.task, position.tasks)
        task, tasks = position.task, position.tasks
        opinions = earlier(self.state, reviewer, task)
        effort = progress.estimate(tasks, self.material, since=task)
        return pages.task_page(task, self.material.item(task.key), tasks, effort, opinions, has_previous)

    def organise(self, request: Request) -> Response:
        session = request.cookies.get(f"{self.cookie}-organiser", "")
        if secret_hash(session) not in self.organiser_sessions:
            return self._html([pages.enter_page(address=ORGANISER)])
        page = pages.organiser_page(progress.read(self.state, self.material), now())
        return HTMLResponse(pages.document([page], title="Progress of the review", plan=self.plan))

    async def enter_organiser(self, request: Request) -> Response:
        token = _token(await request.form())
        if not hmac.compare_digest(secret_hash(token), self.organiser):
            return self._html([pages.enter_page(WRONG_KEY, ORGANISER)], 403)
        session = secrets.token_urlsafe(32)
        self.organiser_sessions.add(secret_hash(session))
        return self._signed_in(ORGANISER, f"{self.cookie}-organiser", session)

    def ask_token(self, request: Request) -> Response:
        return self._html([pages.enter_page()])

    async def enter(self, request: Request) -> Response:
        return await run_in_threadpool(self._enter, _token(await request.form()))

    def _enter(self, token: str) -> Response:
        reviewer = self.state.by_token(token) if token else None
        if reviewer is None or reviewer.packet_hash:
            return self._html([pages.enter_page(WRONG_KEY)], 403)
        session = secrets.token_urlsafe(32)
        self.state.start_session(session, reviewer.name)
        return self._signed_in("/", self.cookie, session)

    def _signed_in(self, address: str, cookie: str, session: str) -> Response:
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            cookie, session, max_age=MONTH_S, path="/", secure=self.is_secure, httponly=True, samesite="strict"
        )
        return response

    async def act(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._act, request, body)

    def _act(self, request: Request, body: bytes) -> Response:
        reviewer = self._reviewer(request)
        action = workflow.ACTIONS.get(request.path_params["action"])
        if reviewer is None or action is None:
            return _refusal("Your session has ended. Open your link again.", 403)
        if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), self._csrf(request).encode()):
            return _refusal("This request does not come from a page of the review. Reload the page.", 403)
        try:
            reply = action(self.state, self.material, reviewer, msgspec.json.decode(body))
        except (msgspec.DecodeError, workflow.SubmissionRefused) as problem:
            return _refusal(str(problem), 422)
        except Conflict as problem:
            return _refusal(str(problem), 409)
        except UserError as problem:
            sys.stderr.write(f"tunegate: {problem}\n")
            return _refusal("The review server could not save this. Please tell the person who invited you.", 507)
        return JSONResponse(reply or {})

    def _reviewer(self, request: Request) -> Reviewer | None:
        session = request.cookies.get(self.cookie)
        return self.state.by_session(session) if session else None

    def _csrf(self, request: Request) -> str:
        """Derive the CSRF token from the session, so that it needs no storage and does not reveal the session."""
        session = request.cookies.get(self.cookie, "")
        return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest()

    def _html(self, parts: list[pages.Page], status: int = 200) -> Response:
        return HTMLResponse(pages.document(parts, title=pages.TITLE), status_code=status)


def _token(form: FormData) -> str:
    return str(form.get("token", "")).strip().rpartition("#")[2]


def _refusal(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status_code=status)
