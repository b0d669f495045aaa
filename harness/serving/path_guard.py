"""Middleware in vLLM's server: closes paths that its API key does not guard, and serves a cloud platform's routes.

vLLM 0.32 checks its key below /v1, /v2, /inference and /cohere only; /invocations, /generative_scoring and /tokenize
answer anyone (entrypoints/serve/middleware/authenticate.py). Only /v1, what monitors read, and the routes of the
platform that `tunegate serve --platform` names are open here.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from msgspec import Struct

GUARDED = "/v1/"
"""Paths with this prefix require the key."""
OPEN = ("/health", "/metrics", "/ping", "/version")
"""Paths that need no key."""
ROUTES = "GUARD_ROUTES"
"""Environment variable of the server that holds `Routes` as JSON; `tunegate serve` alone sets it."""
SERVER_KEY = "VLLM_API_KEY"
"""Environment variable from which vLLM's server reads its key."""
REPLACED = (b"authorization", b"content-encoding", b"content-length", b"content-type", b"transfer-encoding")
"""Headers that do not fit a request to vLLM's route."""
SAGEMAKER_KEY = b"x-amzn-sagemaker-custom-attributes"
"""InvokeEndpoint cannot send Authorization to the container; CustomAttributes arrive in this header."""
TAKES = {"messages": "/v1/chat/completions", "prompt": "/v1/completions"}
"""vLLM's route for a request that has this field. Its own /invocations replaces `model` by a header of SageMaker's, and
so answers with an adapter's base where there is none."""
BODY = (
    'expected a JSON object: an OpenAI request with "messages" or "prompt", or {"instances": [REQUEST, ...], '
    '"parameters": {...}}'
)
NO_STREAM = '"stream" is not possible in "instances". Send the request itself as the body'

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Routes(Struct, frozen=True, kw_only=True):
    """A cloud platform's routes for health and predictions."""

    health: str
    """Answers without a key."""
    predict: str
    """Takes an OpenAI request, or Vertex AI's `instances`; needs the key."""
    model: str
    """The model of a request that names none: without it vLLM would answer with an adapter's base."""
    is_open: bool
    """`predict` needs no key, because the platform authenticates callers."""


class PathGuard:
    """ASGI middleware: 404 for every path that is neither guarded nor open on purpose."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.key = os.environ.get(SERVER_KEY, "")
        routes = os.environ.get(ROUTES)
        self.routes = msgspec.json.decode(routes, type=Routes) if routes else None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and self.routes and path == self.routes.predict:
            await self._predict(self.routes, scope, receive, send)
        elif scope["type"] == "http" and self.routes and path == self.routes.health:
            await self.app({**scope, "path": "/health", "raw_path": b"/health"}, receive, send)
        elif scope["type"] == "lifespan" or path in OPEN or path.startswith(GUARDED):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _respond(send, 404, {"error": "Not Found"})

    async def _predict(self, routes: Routes, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a platform's prediction request with vLLM's own route, once for each instance."""
        if scope["method"] != "POST":
            return await _respond(send, 405, {"error": "Method Not Allowed"})
        if self.key and not routes.is_open and not self._has_key(scope):
            return await _respond(send, 401, {"error": "Unauthorized"})
        try:
            body = json.loads(await _read(receive))
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return await _respond(send, 400, {"error": BODY})
        is_one = "instances" not in body
        instances, parameters = [body] if is_one else body["instances"], body.get("parameters") or {}
        if not isinstance(parameters, dict) or not _are_requests(instances):
            return await _respond(send, 400, {"error": BODY})
        requests = [{"model": routes.model} | ({} if is_one else parameters) | instance for instance in instances]
        if is_one:
            return await self.app(*self._request(scope, requests[0], receive), send)
        if any(request.get("stream") for request in requests):
            return await _respond(send, 400, {"error": NO_STREAM})
        answers = await asyncio.gather(*(self._answer(scope, request, receive) for request in requests))
        for place, (status, answer) in enumerate(answers):
            if status != 200:
                message_text = answer.decode("utf-8", "replace")
                return await _respond(send, status, {"error": f"instances[{place}]: {message_text}"})
        await _respond(send, 200, b'{"predictions": [' + b", ".join(answer for _, answer in answers) + b"]}")

    def _has_key(self, scope: Message) -> bool:
        """Whether the request has the key, as a bearer token or in SageMaker's custom attributes."""
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        bearer = token if scheme.lower() == b"bearer" else b""
        given = (bearer, headers.get(SAGEMAKER_KEY, b""))
        return any(hmac.compare_digest(value, self.key.encode()) for value in given)

    async def _answer(self, scope: Message, request: dict[str, Any], receive: Receive) -> tuple[int, bytes]:
        """Return status and body of vLLM's response to one request."""
        status, body = 500, b""

        async def keep(message: Message) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body += message.get("body", b"")

        await self.app(*self._request(scope, request, receive), keep)
        return status, body

    def _request(self, scope: Message, request: dict[str, Any], receive: Receive) -> tuple[Message, Receive]:
        """Return scope and body of a request to vLLM's route; after the body, the client's messages are passed on."""
        body = json.dumps(request).encode()
        headers = [(name, value) for name, value in scope["headers"] if name not in REPLACED]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(b"authorization", f"Bearer {self.key}".encode())] if self.key else []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def once() -> Message:
            return waiting.pop() if waiting else await receive()

        path = next(path for field, path in TAKES.items() if field in request)
        where = {"path": path, "raw_path": path.encode(), "query_string": b""}
        return {**scope, **where, "headers": headers}, once


def _are_requests(instances: Any) -> bool:
    return isinstance(instances, list) and all(isinstance(one, dict) and one.keys() & TAKES for one in instances)


async def _read(receive: Receive) -> bytes:
    """Read the whole body; one that a client did not finish is not JSON."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


async def _respond(send: Send, status: int, body: dict[str, Any] | bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    await send({"type": "http.response.body", "body": sent})
