"""The guard lets through what the key guards and what monitors read, and nothing else."""

import asyncio
from typing import Any

import pytest

from harness.serving.guard import Guard


def sent(kind: str, path: str) -> list[Any]:
    """What comes back for one path; the application behind it answers with its name."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send("the application")

    async def send(message: Any) -> None:
        found.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(Guard(app)({"type": kind, "path": path}, receive, send))
    return found


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/health", "/metrics", "/ping", "/version"])
def test_guarded_paths_and_monitors_pass(path: str) -> None:
    assert sent("http", path) == ["the application"]


@pytest.mark.parametrize(
    "path",
    ["/invocations", "/tokenize", "/generative_scoring", "/v1", "/v11/x", "/metrics/../x", "//v1/models", ""],
)
def test_every_other_path_is_not_there(path: str) -> None:
    start, body = sent("http", path)
    assert start["status"] == 404 and body["body"] == b'{"error": "Not Found"}'


def test_other_websockets_are_closed_and_the_lifespan_passes() -> None:
    assert sent("websocket", "/elsewhere") == [{"type": "websocket.close", "code": 1008}]
    assert sent("websocket", "/v1/realtime") == sent("lifespan", "") == ["the application"]
