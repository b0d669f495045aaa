"""Middleware in vLLM's server: closes unguarded paths, names the model in requests, and serves a platform's routes.

vLLM 0.32 checks its key below /v1, /v2, /inference and /cohere only; /invocations, /generative_scoring and /tokenize
answer anyone (entrypoints/serve/middleware/authenticate.py). Only /v1, what monitors read, and the routes of the
platform that `tunegate serve --platform` names are open here.

vLLM answers a request without a model's name with the base of an adapter, and lists that base first
(entrypoints/serve/engine/serving.py, openai/models/serving.py). Here both mean the adapter.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec
from msgspec import Struct

GUARDED = "/v1/"
"""Paths with this prefix require the key."""
MODELS = "/v1/models"
OPEN = ("/health", "/metrics", "/ping", "/version")
"""Paths that need no key."""
ROUTES = "GUARD_ROUTES"
"""Environment variable of the server that holds `Routes` as JSON; `tunegate serve` alone sets it."""
SERVER_KEY = "VLLM_API_KEY"
"""Environment variable from which vLLM's server reads its key."""
REPLACED = (b"authorization", b"content-encoding", b"content-type")
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
    """The model of requests that name none, and a cloud platform's routes for health and predictions."""

    model: str
    """Answers requests without a name, and is listed first."""
    health: str | None = None
    """Answers without a key."""
    predict: str | None = None
    """Takes an OpenAI request, or Vertex AI's `instances`; needs the key."""
    is_open: bool = False
    """`predict` needs no key, because the platform authenticates callers."""

    def named(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request with a model. An empty name is none, as for vLLM."""
        return request if request.get("model") else request | {"model": self.model}


class PathGuard:
    """ASGI middleware: 404 for every path that is neither guarded nor open on purpose."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.key = os.environ.get(SERVER_KEY, "")
        routes = os.environ.get(ROUTES)
        self.routes = msgspec.json.decode(routes, type=Routes) if routes else None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        routes = self.routes if scope["type"] == "http" else None
        if routes and path == routes.predict:
            await self._predict(routes, scope, receive, send)
        elif routes and path == routes.health:
            await self.app({**scope, "path": "/health", "raw_path": b"/health"}, receive, send)
        elif routes and path == MODELS and scope["method"] == "GET":
            await self._list(routes, scope, receive, send)
        elif routes and path.startswith(GUARDED) and scope["method"] == "POST" and self._has_key(scope):
            await self._name(routes, scope, receive, send)
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
        if not routes.is_open and not self._has_key(scope):
            return await _respond(send, 401, {"error": "Unauthorized"})
        body = _json(await _read(receive))
        if not isinstance(body, dict):
            return await _respond(send, 400, {"error": BODY})
        is_one = "instances" not in body
        instances, parameters = [body] if is_one else body["instances"], body.get("parameters") or {}
        if not isinstance(parameters, dict) or not _are_requests(instances):
            return await _respond(send, 400, {"error": BODY})
        requests = [routes.named(({} if is_one else parameters) | instance) for instance in instances]
        if is_one:
            return await self.app(*self._request(scope, requests[0], receive), send)
        if any(request.get("stream") for request in requests):
            return await _respond(send, 400, {"error": NO_STREAM})
        answers = await asyncio.gather(*(self._answer(*self._request(scope, one, receive)) for one in requests))
        for place, (start, answer) in enumerate(answers):
            if start["status"] != 200:
                message_text = answer.decode("utf-8", "replace")
                return await _respond(send, start["status"], {"error": f"instances[{place}]: {message_text}"})
        await _respond(send, 200, b'{"predictions": [' + b", ".join(answer for _, answer in answers) + b"]}")

    async def _list(self, routes: Routes, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on vLLM's list of models with the routes' model first: many clients take the first one."""
        start, answer = await self._answer(scope, receive)
        if start["status"] == 200:
            models = json.loads(answer)
            models["data"].sort(key=lambda card: card["id"] != routes.model)
            answer = json.dumps(models).encode()
        await send({**start, "headers": _sized(start["headers"], answer)})
        await send({"type": "http.response.body", "body": answer})

    async def _name(self, routes: Routes, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on a request to vLLM, with the routes' model if it names none."""
        sent = await _read(receive)
        body = _json(sent)
        if isinstance(body, dict) and (named := routes.named(body)) is not body:
            sent = json.dumps(named).encode()
        await self.app({**scope, "headers": _sized(scope["headers"], sent)}, _after(sent, receive), send)

    def _has_key(self, scope: Message) -> bool:
        """Whether the request has the key, as a bearer token or in SageMaker's custom attributes, or needs none."""
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        bearer = token if scheme.lower() == b"bearer" else b""
        given = (bearer, headers.get(SAGEMAKER_KEY, b""))
        return not self.key or any(hmac.compare_digest(value, self.key.encode()) for value in given)

    async def _answer(self, scope: Message, receive: Receive) -> tuple[Message, bytes]:
        """Return start and body of vLLM's response to one request."""
        start: Message = {"type": "http.response.start", "status": 500, "headers": []}
        body = b""

        async def keep(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self.app(scope, receive, keep)
        return start, body

    def _request(self, scope: Message, request: dict[str, Any], receive: Receive) -> tuple[Message, Receive]:
        """Return scope and body of a request to vLLM's route."""
        body = json.dumps(request).encode()
        headers = [(name, value) for name, value in scope["headers"] if name not in REPLACED]
        headers += [(b"content-type", b"application/json")]
        headers += [(b"authorization", f"Bearer {self.key}".encode())] if self.key else []
        path = next(path for field, path in TAKES.items() if field in request)
        where = {"path": path, "raw_path": path.encode(), "query_string": b""}
        return {**scope, **where, "headers": _sized(headers, body)}, _after(body, receive)


def _are_requests(instances: Any) -> bool:
    return isinstance(instances, list) and all(isinstance(one, dict) and one.keys() & TAKES for one in instances)


def _json(body: bytes) -> Any:
    """Read JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _sized(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers with the length of this body."""
    others = [(name, value) for name, value in headers if name not in (b"content-length", b"transfer-encoding")]
    return [*others, (b"content-length", str(len(body)).encode())]


def _after(body: bytes, receive: Receive) -> Receive:
    """Return the body of a request, and after it the client's messages."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def once() -> Message:
        return waiting.pop() if waiting else await receive()

    return once


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
