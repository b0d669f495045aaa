"""A server on this machine that plays GitHub's REST API: comments of a pull request, and pull requests themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-test"
BOT = "github-actions[bot]"


@dataclass
class Server:
    """What the server knows and what it was asked."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    """Comments of pull request 5 of o/r, oldest first."""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    """Pull requests of o/r."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    """Status, Location and body of paths that answer otherwise."""
    tokens: set[str] = field(default_factory=set)
    """Every Authorization header that came."""

    def say(self, body: str, author: str = BOT) -> int:
        """Add a comment; returns its id."""
        number = 1000 + len(self.comments)
        self.comments.append({"id": number, "body": body, "user": {"login": author}})
        return number

    def pull(self, number: int, sha: str, head: str = "o:topic", state: str = "open") -> None:
        """Add a pull request."""
        self.pulls.append(
            {"number": number, "state": state, "head": {"sha": sha, "label": head}, "base": {"repo": {"id": 1}}}
        )

    @property
    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.comments]

    @property
    def writes(self) -> list[str]:
        """Methods of the requests that changed something."""
        return [method for method, _ in self.asked if method != "GET"]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, str]) -> Any:
        """What GitHub would answer; None for what it does not know."""
        if (method, path) == ("GET", "/repos/o/r/issues/5/comments"):
            return _page(self.comments, query)
        if (method, path) == ("POST", "/repos/o/r/issues/5/comments"):
            self.say(body["body"])
            return self.comments[-1]
        if method == "PATCH" and path.startswith("/repos/o/r/issues/comments/"):
            (found,) = [c for c in self.comments if str(c["id"]) == path.rsplit("/", 1)[1]]
            found["body"] = body["body"]
            return found
        if (method, path) == ("GET", "/repos/o/r/pulls"):
            fitting = [p for p in self.pulls if p["state"] in query["state"] and p["head"]["label"] in query["head"]]
            return _page(fitting, query)
        if method == "GET" and path.startswith("/repos/o/r/pulls/"):
            return next((p for p in self.pulls if str(p["number"]) == path.rsplit("/", 1)[1]), None)
        return None


def _page(entries: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
    size, number = int(query["per_page"][0]), int(query["page"][0])
    return entries[(number - 1) * size : number * size]


@contextmanager
def serving() -> Iterator[Server]:
    """Run the server on a free port of this machine until the block ends."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            where = urlsplit(self.path)
            state.asked.append((self.command, where.path))
            state.tokens.add(self.headers.get("Authorization", ""))
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, location, data = state.answers.get(where.path, (0, "", b""))
            if not status:
                body = json.loads(raw) if raw else {}
                found = state.answer(self.command, where.path, parse_qs(where.query), body)
                status, data = (404, b"{}") if found is None else (200, json.dumps(found).encode())
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    status, data = 401, b"{}"
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
