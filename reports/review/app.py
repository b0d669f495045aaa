"""The review as a web application: who is there, which page is next, what a page may send. Decides nothing itself.

All pages have the one address `/`: nothing about items, sides or models stands in a URL. A token of a link is exchanged
for a session cookie, and neither is kept but as a hash.
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
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from harness.errors import UserError
from reports.review import pages, stages
from reports.review.adjudication import earlier
from reports.review.guard import Guard
from reports.review.material import Material
from reports.review.schema import Reviewer
from reports.review.state import Conflict, State

LARGEST_BODY = 2_000_000
MONTH_S = 30 * 24 * 3600


def application(state: State, material: Material, origins: Iterable[str]) -> ASGIApp:
    """The application, for reviewers who use one of these origins, such as `http://127.0.0.1:8765`."""
    origins = list(origins)
    site = Site(state, material, urlsplit(origins[0]))
    routes = [
        Route("/", site.page, methods=["GET"]),
        Route("/enter", site.ask_token, methods=["GET"]),
        Route("/enter", site.enter, methods=["POST"]),
        Route("/do/{action}", site.act, methods=["POST"]),
    ]
    app = Starlette(routes=routes, max_body_size=LARGEST_BODY)
    return Guard(app, origins, pages.policy(packet=False))


class Site:
    """Answers requests about one review."""

    def __init__(self, state: State, material: Material, address: SplitResult) -> None:
        self.state = state
        self.material = material
        self.plan = state.plan()
        self.is_secure = address.scheme == "https"
        # Cookies know no port: two reviews on one machine need two names.
        self.cookie = f"{'__Host-' if self.is_secure else ''}review-{address.port or 'default'}"

    def page(self, request: Request) -> Response:
        reviewer = self._reviewer(request)
        if reviewer is None:
            return self._html([pages.enter_page()], 401)
        here = stages.where(self.state, reviewer)
        if here.task and here.stage == "task":
            self.state.open_task(here.task.id)
        boot = {"csrf": self._csrf(request), "shortcuts": reviewer.shortcuts}
        return HTMLResponse(pages.document([self._next(here, reviewer)], title=pages.TITLE, plan=self.plan, boot=boot))

    def _next(self, here: stages.Here, reviewer: Reviewer) -> pages.Page:
        has_previous = stages.previous(here) is not None
        if here.stage == "consent":
            return pages.consent_page(reviewer, here.tasks)
        if here.stage == "rubric":
            return pages.rubric_page(here.tasks)
        if here.stage == "guess":
            asked = stages.asked_about(here.tasks, self.plan.seed, reviewer.name)
            return pages.guess_page([(t, self.material.item(t.key)) for t in asked], here.tasks, has_previous)
        if here.task is None:
            return pages.done_page()
        if here.stage == "feedback":
            return pages.feedback_page(here.task, here.tasks)
        said = earlier(self.state, reviewer, here.task)
        return pages.task_page(here.task, self.material.item(here.task.key), here.tasks, said, has_previous)

    def ask_token(self, request: Request) -> Response:
        return self._html([pages.enter_page()])

    async def enter(self, request: Request) -> Response:
        token = str((await request.form()).get("token", "")).strip().rpartition("#")[2]
        return await run_in_threadpool(self._enter, token)

    def _enter(self, token: str) -> Response:
        reviewer = self.state.by_token(token) if token else None
        if reviewer is None or reviewer.packet_hash:
            problem = "This key opens no review. Please copy the whole link again, or ask for a new one."
            return self._html([pages.enter_page(problem)], 403)
        session = secrets.token_urlsafe(32)
        self.state.start_session(session, reviewer.name)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            self.cookie, session, max_age=MONTH_S, path="/", secure=self.is_secure, httponly=True, samesite="strict"
        )
        return response

    async def act(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._act, request, body)

    def _act(self, request: Request, body: bytes) -> Response:
        reviewer = self._reviewer(request)
        action = stages.ACTIONS.get(request.path_params["action"])
        if reviewer is None or action is None:
            return _refusal("You are not logged in any more. Open your link again.", 403)
        if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), self._csrf(request).encode()):
            return _refusal("This request does not come from the review's own page. Load it again.", 403)
        try:
            said = action(self.state, self.material, reviewer, msgspec.json.decode(body))
        except (msgspec.DecodeError, stages.Refused) as problem:
            return _refusal(str(problem), 422)
        except Conflict as problem:
            return _refusal(str(problem), 409)
        except UserError as problem:
            sys.stderr.write(f"tunegate: {problem}\n")
            return _refusal("The review server could not write this down. Please tell who invited you.", 507)
        return JSONResponse(said)

    def _reviewer(self, request: Request) -> Reviewer | None:
        session = request.cookies.get(self.cookie)
        return self.state.by_session(session) if session else None

    def _csrf(self, request: Request) -> str:
        """Follows from the session, so that nothing more is kept, and says nothing about it."""
        session = request.cookies.get(self.cookie, "")
        return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest()

    def _html(self, parts: list[pages.Page], status: int = 200) -> Response:
        return HTMLResponse(pages.document(parts, title=pages.TITLE), status_code=status)


def _refusal(says: str, status: int) -> Response:
    return JSONResponse({"error": says}, status_code=status)
