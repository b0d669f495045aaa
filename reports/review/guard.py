"""Stands before the whole application: refuses other hosts and origins, and sends what every answer must carry.

Knows no reviewer. A page of another site can make a browser send requests here, so the Host must be one that reviewers
use (against DNS rebinding) and what changes something must come from a page of this origin.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD")


class Guard:
    """An ASGI application around another one."""

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
        """Why a request is not answered; empty where it is."""
        if headers.get("host") not in self.hosts:
            return "This review is not served under that name."
        if method not in SAFE and headers.get("origin") not in self.origins:
            return "This request does not come from a page of the review."
        return ""
