"""Closes what the API key of vLLM's server does not guard. Runs inside that server and knows no key.

vLLM 0.32 asks for the key below /v1, /v2, /inference and /cohere only; /invocations, /generative_scoring and /tokenize
answer anyone (entrypoints/serve/middleware/authenticate.py). Here everything is closed but /v1 and what monitors need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

GUARDED = "/v1/"
"""Paths that begin so ask for the key."""
OPEN = ("/health", "/metrics", "/ping", "/version")
"""Paths that answer without it."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware: 404 for every path that is neither guarded nor meant to be open."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "lifespan" or path in OPEN or path.startswith(GUARDED):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"error": "Not Found"}'})
