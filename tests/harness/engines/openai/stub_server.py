"""A small OpenAI-compatible server in a thread: made-up answers that depend on weights and ids, and faults."""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.files import digest
from tests.support.processes import free_port

CUT = "cut"
"""In place of a response: the connection is closed without one."""
Response = tuple[int, dict[str, str], bytes]
Body = dict[str, Any]


def number(*what: Any) -> int:
    return int(digest(list(what))[:8], 16)


def is_canary(body: Body) -> bool:
    return body["max_tokens"] == 8 and "logprobs" in body


class Stub:
    """`models` maps a served name to the number of its weights: equal numbers answer alike."""

    def __init__(
        self, models: dict[str, int], *, owned_by: str = "vllm", limit: int | None = 512, port: int = 0
    ) -> None:
        self.models, self.owned_by, self.limit = dict(models), owned_by, limit
        self.parents: dict[str, str] = {}
        self.version = "0.32.0"
        self.seen: list[tuple[str, dict[str, str], Body]] = []
        self.answered: list[Body] = []
        self.fault: Callable[[Body], Response | str | float | None] = lambda body: None
        self.change: Callable[[Body], Body] = lambda answer: answer
        self.mixes = False
        self.slow_s = 0.0
        self.busy = self.most_busy = 0
        self._at_work: list[str] = []
        self._lives = 0
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self.port = port or free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def questions(self) -> list[Body]:
        """AnsweredTask bodies that are not the canary's."""
        return [body for body in self.answered if not is_canary(body)]

    def start(self) -> None:
        """Listen, on the same port as before."""
        stub = self

        class Handler(_Handler):
            owner = stub

        class Server(_Server):
            life = self._lives

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection, as a killed process does."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            self._lives += 1
            for one in self._sockets:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
            self._sockets.clear()

    def respond(self, path: str, headers: dict[str, str], body: Body, life: int) -> Response | str:
        question = bool(body) and not is_canary(body)
        with self._lock:
            self.seen.append((path, headers, body))
            self.busy += question
            self.most_busy = max(self.most_busy, self.busy)
            if body:
                self._at_work.append(body["model"])
        try:
            return self._response(path, body, life)
        finally:
            with self._lock:
                self.busy -= question
                if body:
                    self._at_work.remove(body["model"])

    def _response(self, path: str, body: Body, life: int) -> Response | str:
        if path == "/v1/models":
            return as_json(200, {"object": "list", "data": [self._card(name) for name in self.models]})
        if path == "/version" and self.owned_by == "vllm":
            return as_json(200, {"version": self.version})
        if path != "/v1/completions":
            return as_json(404, {"detail": "Not Found"})
        time.sleep(self.slow_s)
        found = self.fault(body)
        if isinstance(found, float):
            time.sleep(found)
        elif found is not None:
            return found
        if body["model"] not in self.models:
            return as_json(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        with self._lock:
            mixed = self.mixes and any(name in self.parents for name in self._at_work)
            if life != self._lives:
                return CUT
            self.answered.append(body)
        return as_json(200, self.change(self._answer(body, mixed)))

    def _card(self, name: str) -> Body:
        card = {"id": name, "object": "model", "owned_by": self.owned_by, "root": f"/models/{self.models[name]}"}
        return card | {"parent": self.parents.get(name), "max_model_len": None if name in self.parents else self.limit}

    def _answer(self, body: Body, mixed: bool) -> Body:
        weights = self.models[body["model"]] + (100 if mixed and body["model"] not in self.parents else 0)
        luck = body["seed"] if body["temperature"] > 0 else 0
        stops, most = body.get("stop_token_ids") or [], body["max_tokens"]
        drawn = number("length", weights, body["prompt"], luck) % (2 * most) + 1
        ended = bool(stops) and drawn <= most
        length = drawn if ended else most
        ids = [3 + number(weights, body["prompt"], luck, at) % 200 for at in range(length)]
        if ended:
            ids[-1] = stops[0]
        choice: Body = {"index": 0, "text": f"text of {ids}", "finish_reason": "stop" if ended else "length"}
        if "logprobs" in body:
            levels = [-(number("p", weights, body["prompt"], luck, at) % 1000) / 500 for at in range(length)]
            choice["logprobs"] = {"tokens": [f"token_id:{i}" for i in ids], "token_logprobs": levels}
            asked = body.get("logprob_token_ids") or []
            choice["logprobs"]["top_logprobs"] = [{f"token_id:{i}": -0.5 - i for i in [*asked, 9]}] * length
        if body.get("return_token_ids"):
            choice |= {"token_ids": ids, "prompt_token_ids": body["prompt"]}
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": length}
        return {"model": body["model"], "choices": [choice], "usage": usage}


def as_json(status: int, body: Any, **headers: str) -> Response:
    return status, headers, json.dumps(body).encode()


class _Server(ThreadingHTTPServer):
    life: int
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    owner: Stub
    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.owner._lock:
            self.owner._sockets.add(self.connection)

    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _reply(self, body: Body) -> None:
        found = self.owner.respond(self.path, dict(self.headers.items()), body, self.server.life)
        if isinstance(found, str):
            self.close_connection = True
            return
        status, headers, content = found
        try:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass
