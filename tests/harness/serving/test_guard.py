"""The guard lets through what the key guards, what monitors read and a platform's own routes, and nothing else."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.serving.path_guard import ROUTES, PathGuard, Routes


def sent(kind: str, path: str) -> list[Any]:
    """What comes back for one path; the application behind it answers with its name."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send("the application")

    async def send(message: Any) -> None:
        found.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(PathGuard(app)({"type": kind, "path": path}, receive, send))
    return found


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/health", "/metrics", "/ping", "/version"])
def test_guarded_paths_and_monitors_pass(path: str) -> None:
    assert sent("http", path) == ["the application"]


@pytest.mark.parametrize(
    "path", ["/invocations", "/tokenize", "/generative_scoring", "/v1", "/v11/x", "/metrics/../x", "//v1/models", ""]
)
def test_every_other_path_is_not_there(path: str) -> None:
    start, body = sent("http", path)
    assert start["status"] == 404 and body["body"] == b'{"error": "Not Found"}'


def test_other_websockets_are_closed_and_the_lifespan_passes() -> None:
    assert sent("websocket", "/elsewhere") == [{"type": "websocket.close", "code": 1008}]
    assert sent("websocket", "/v1/realtime") == sent("lifespan", "") == ["the application"]


KEY = "a-long-random-text"
BEARER = {"Authorization": f"Bearer {KEY}"}
SAGEMAKER = {"X-Amzn-SageMaker-Custom-Attributes": KEY}
CHAT = {"messages": [{"role": "user", "content": "Who owns the land?"}]}


class Server:
    """Stands for vLLM behind the guard: keeps what reaches it with the key, and refuses answers of no token."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = json.loads((await receive())["body"] or "null")
        self.reached.append((scope["path"], body))
        status = 400 if body and body.get("max_tokens") == 0 else 200
        headers = dict(scope["headers"])
        assert body is None or headers[b"authorization"] == f"Bearer {KEY}".encode()
        assert headers[b"content-length"] == str(len(json.dumps(body).encode())).encode() or body is None
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b'{"answer": ', "more_body": True})
        await send({"type": "http.response.body", "body": f"{len(self.reached)}}}".encode()})


Answer = tuple[int, Any]


def ask(app: Any, path: str, body: Any = None, headers: Any = None, method: str = "POST") -> Answer:
    """Status and JSON of one request through the guard, its body in two pieces."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    pieces = [
        {"type": "http.request", "body": sent[:3], "more_body": True},
        {"type": "http.request", "body": sent[3:], "more_body": False},
    ]
    said: list[Any] = []

    async def receive() -> Any:
        return pieces.pop(0) if method == "POST" else {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        said.append(message)

    encoded = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    encoded.append((b"content-length", str(len(sent)).encode()))
    asyncio.run(app({"type": "http", "method": method, "path": path, "headers": encoded}, receive, send))
    raw = b"".join(message.get("body", b"") for message in said[1:])
    return said[0]["status"], json.loads(raw)


@pytest.fixture
def server() -> Server:
    return Server()


Guarded = Callable[..., PathGuard]


@pytest.fixture
def guarded(server: Server, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    """Makes the guard as a server has it whose environment names a platform's routes and the key."""

    def make(is_open: bool = False, predict: str = "/invocations") -> PathGuard:
        routes = Routes(health="/v1/endpoints/7/health", predict=predict, model="clauses", is_open=is_open)
        monkeypatch.setenv(ROUTES, msgspec.json.encode(routes).decode())
        monkeypatch.setenv("VLLM_API_KEY", KEY)
        return PathGuard(server)

    return make


@pytest.mark.parametrize("headers", [BEARER, {"Authorization": f"bearer {KEY}"}, SAGEMAKER])
def test_a_prediction_with_the_key_reaches_vllms_own_route_and_names_the_approved_model(
    headers: dict[str, str], server: Server, guarded: Guarded
) -> None:
    assert ask(guarded(), "/invocations", CHAT, headers) == (200, {"answer": 1})
    assert server.reached == [("/v1/chat/completions", {"model": "clauses", **CHAT})]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": KEY}, {"Authorization": "Bearer other"}, {"X-Amzn-SageMaker-Custom-Attributes": f"{KEY}x"}],
)
def test_a_prediction_without_the_key_reaches_nothing(
    headers: dict[str, str], server: Server, guarded: Guarded
) -> None:
    assert ask(guarded(), "/invocations", CHAT, headers)[0] == 401
    assert server.reached == []


def test_a_platform_that_authenticates_callers_needs_no_key(guarded: Guarded) -> None:
    assert ask(guarded(is_open=True), "/invocations", CHAT)[0] == 200


def test_a_model_that_a_request_names_is_left_as_it_is(server: Server, guarded: Guarded) -> None:
    ask(guarded(), "/invocations", CHAT | {"model": "base"}, BEARER)
    assert server.reached[0][1]["model"] == "base"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/invocations"])
@pytest.mark.parametrize("model", [{}, {"model": None}, {"model": ""}])
def test_a_request_without_a_model_is_for_the_deployed_one(
    path: str, model: dict[str, Any], server: Server, guarded: Guarded
) -> None:
    """vLLM would answer with an adapter's base."""
    assert ask(guarded(), path, CHAT | model, BEARER)[0] == 200
    assert [body for _, body in server.reached] == [CHAT | {"model": "clauses"}]


@pytest.mark.parametrize("body", [b'{"model":  "base"}', b"", b"{", b"[1]", b'"x"'])
def test_other_bodies_reach_vllm_byte_for_byte(body: bytes, guarded: Guarded) -> None:
    reached: list[tuple[Any, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append((dict(scope["headers"])[b"content-length"], (await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    guard = guarded()
    guard.app = app
    ask(guard, "/v1/completions", body, BEARER)
    assert reached == [(str(len(body)).encode(), body)]


def test_a_request_without_the_key_is_left_to_vllm_unread(guarded: Guarded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["more_body"]  # The first piece: the guard has read none.
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    guard = guarded()
    guard.app = app
    assert ask(guard, "/v1/completions", CHAT)[0] == 401


@pytest.mark.parametrize(("names", "listed"), [("base clauses", "clauses base"), ("base", "base")])
def test_the_deployed_model_is_listed_before_its_base(names: str, listed: str, guarded: Guarded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        cards = json.dumps({"object": "list", "data": [{"id": name} for name in names.split()]}).encode()
        headers = [(b"content-length", str(len(cards)).encode()), (b"access-control-allow-origin", b"*")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": cards})

    guard = guarded()
    guard.app = app
    assert ask(guard, "/v1/models", method="GET", headers=BEARER) == (
        200, {"object": "list", "data": [{"id": name} for name in listed.split()]},
    )  # fmt: skip


def test_the_instances_of_vertex_become_predictions_in_their_order(server: Server, guarded: Guarded) -> None:
    guard = guarded(predict="/v1/endpoints/7:predict")
    body = {"instances": [CHAT, {"prompt": "Rent", "max_tokens": 2}], "parameters": {"max_tokens": 9}}
    found = ask(guard, "/v1/endpoints/7:predict", body, BEARER)
    assert found == (200, {"predictions": [{"answer": 1}, {"answer": 2}]})
    assert server.reached == [
        ("/v1/chat/completions", {"model": "clauses", "max_tokens": 9, **CHAT}),
        ("/v1/completions", {"model": "clauses", "max_tokens": 2, "prompt": "Rent"}),
    ]


def test_an_instance_that_vllm_refuses_fails_the_whole_request_and_is_named(server: Server, guarded: Guarded) -> None:
    status, said = ask(guarded(), "/invocations", {"instances": [CHAT, CHAT | {"max_tokens": 0}]}, BEARER)
    assert status == 400 and said["error"].startswith("instances[1]: ")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"[" * 100_000, {}, {"text": "x"}, {"instances": {}}, {"instances": ["x"]},
     {"instances": [{"text": "x"}]}, {"instances": [CHAT], "parameters": [1]},
     {"instances": [CHAT | {"stream": True}]}],
)  # fmt: skip
def test_what_is_no_request_is_refused_before_it_reaches_vllm(body: Any, server: Server, guarded: Guarded) -> None:
    status, said = ask(guarded(), "/invocations", body, BEARER)
    assert status == 400 and "instances" in said["error"] and server.reached == []


def test_the_health_route_needs_no_key_and_a_prediction_is_a_post(server: Server, guarded: Guarded) -> None:
    guard = guarded()
    assert ask(guard, "/v1/endpoints/7/health", method="GET")[0] == 200 and server.reached == [("/health", None)]
    assert ask(guard, "/invocations", method="GET", headers=BEARER)[0] == 405


def test_without_a_platform_its_routes_are_not_there(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    assert ask(PathGuard(server), "/invocations", CHAT, BEARER)[0] == 404 and server.reached == []
