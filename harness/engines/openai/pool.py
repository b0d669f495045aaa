"""Send HTTP requests to OpenAI-compatible servers, with retries and load balancing.

Only 429, 5xx and connection errors are retried. A server that failed pauses and must pass the canary before it gets
requests again; meanwhile other servers get its requests.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import Any, TypeVar

import httpx

from harness.engines.openai.config import KEYS, key_header, without_key
from harness.errors import NOT_JSON, EngineFailed, UserError
from harness.schema import Completion, Request

IN_FLIGHT = 64
"""Largest number of requests in flight per server."""
ATTEMPTS = 4
"""Attempts of one request while other requests succeed."""
PAUSE_S = 0.5
"""Pause of a server after its first fault, in seconds; each further fault doubles it."""
MAX_PAUSE_S = 20.0
CONNECT_S = 10.0
"""Longest wait for a connection, in seconds."""
LOOK_S = 30.0
"""Longest wait for replies that need no model, such as the list of models, in seconds."""
KEEPALIVE_S = 2.0
"""Idle connections are closed before the server closes them (uvicorn: 5 s), or a request could meet a closed one."""
TICK_S = 0.02
PROVE_EVERY_S = 30.0
"""Longest time that answers wait for the next canary of their server, in seconds."""
BUSY = "429"
FINAL = {401, 403, 404, 405}
"""Statuses that every further request would get too."""


class Fault(Exception):
    """A failed attempt that may be retried."""

    def __init__(self, kind: str, reason: str, wait_s: float | None = None) -> None:
        super().__init__(f"{kind}: {reason}" if reason else kind)
        self.kind, self.wait_s = kind, wait_s


class RequestRefused(Exception):
    """A failed attempt that would fail again; the message is the server's."""


class Server:
    """State of one server."""

    def __init__(self, url: str, room: int) -> None:
        self.url = url
        self.version = "unknown"
        self.models: dict[str, dict[str, Any]] = {}
        self.max_room = self.room = room
        self.busy = self.asked = self.consecutive_faults = 0
        self.paused_until = 0.0
        self.proven = self.is_being_proven = False
        self.last_fault = ""
        self.faults: Counter[str] = Counter()
        self.unproven: list[tuple[float, Request, Completion]] = []
        """Answers since the last canary, each with its time of arrival."""

    @property
    def is_due(self) -> bool:
        """Whether its answers have waited long enough for a canary."""
        return bool(self.unproven) and time.monotonic() - self.unproven[0][0] >= PROVE_EVERY_S


class Pool:
    """All servers of a run. `prove` checks a server before it gets requests; it raises Fault to try again later."""

    def __init__(
        self,
        urls: Sequence[str],
        prove: Callable[[Server], Awaitable[None]],
        *,
        timeout_s: float,
        patience_s: float,
        max_in_flight: int | None = None,
    ) -> None:
        self.servers = [Server(url, max_in_flight or IN_FLIGHT) for url in urls]
        self.max_in_flight = max_in_flight or IN_FLIGHT * len(self.servers)
        self.timeout_s, self.patience_s = timeout_s, patience_s
        self._prove = prove
        self._client: httpx.AsyncClient | None = None
        self._n_successes = 0
        self._no_success_since: float | None = None

    async def ask(self, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], Server, float]:
        """Send one request; returns the response, its server and the latency in ms.

        Raises RequestRefused if a retry cannot help, EngineFailed if no server answers for `patience_s`.
        """
        tries, before = 0, 0
        while True:
            server = await self._free_server(model)
            server.busy += 1
            start = time.monotonic()
            try:
                try:
                    response = await self.send(server, "POST", "/v1/completions", body)
                finally:
                    server.busy -= 1
            except Fault as fault:
                self.pause(server, fault)
                before = before if tries else self._n_successes
                tries += fault.kind != BUSY
                if tries >= ATTEMPTS and self._n_successes > before:
                    raise RequestRefused(f"{fault}, {tries} times, while other requests were answered") from None
            else:
                server.asked += 1
                self.mark_alive(server)
                return response, server, (time.monotonic() - start) * 1000

    async def _free_server(self, model: str) -> Server:
        """Wait for a server with the model and with room; returns the least busy one. Raises EngineFailed."""
        while True:
            for server in self.servers:
                server.proven = server.proven and not server.is_due
                if not server.proven:
                    await self.prove_now(server)
            having = [s for s in self.servers if model in s.models]
            if not having and all(s.proven for s in self.servers):
                raise EngineFailed(
                    f"HTTP 404: no server has the model '{model}' any longer. Serve it and re-run the command"
                )
            now = time.monotonic()
            free = [s for s in having if s.proven and s.busy < s.room and now >= s.paused_until]
            if free:
                return min(free, key=lambda s: s.busy)
            await asyncio.sleep(TICK_S)

    async def prove_now(self, server: Server) -> None:
        """Check a server with `prove`, unless that happens already or the server pauses. Raises as `pause` does."""
        if server.is_being_proven or time.monotonic() < server.paused_until:
            return
        server.is_being_proven = True
        try:
            await self._prove(server)
        except Fault as fault:
            self.pause(server, fault)
        else:
            server.proven = True
            self.mark_alive(server)
        finally:
            server.is_being_proven = False

    def mark_alive(self, server: Server) -> None:
        """Record that a server answered."""
        self._n_successes += 1
        self._no_success_since = None
        server.consecutive_faults = 0
        server.room = min(server.max_room, server.room + 1)

    def pause(self, server: Server, fault: Fault) -> None:
        """Send a server no requests for a while. Raises EngineFailed if none has answered for `patience_s`."""
        now = time.monotonic()
        if now >= server.paused_until:
            server.consecutive_faults += 1
            server.room = max(1, server.room // 2) if fault.kind == BUSY else server.room
        own = min(MAX_PAUSE_S, PAUSE_S * 2.0 ** min(server.consecutive_faults - 1, 20))
        wait = min(self.patience_s, fault.wait_s if fault.wait_s is not None else own)
        server.paused_until = max(server.paused_until, now + wait)
        server.proven = server.proven and fault.kind == BUSY
        server.last_fault = str(fault)
        server.faults[fault.kind] += 1
        self._no_success_since = now if self._no_success_since is None else self._no_success_since
        if now - self._no_success_since >= self.patience_s and not any(s.busy for s in self.servers):
            raise EngineFailed(
                f"no server has answered for {self.patience_s:g} s: {self.faults()}. Restart it, or name another "
                "with --url, and re-run the command"
            )

    def faults(self) -> str:
        """List the last fault of each server that had one."""
        return "; ".join(f"{s.url}: {s.last_fault}" for s in self.servers if s.last_fault)

    async def learn(self, server: Server) -> None:
        """Query a server's models and version. Raises EngineFailed if it lists none, Fault if it does not answer."""
        try:
            listed = (await self.send(server, "GET", "/v1/models"))["data"]
            server.models = {str(card["id"]): dict(card) for card in listed}
        except (RequestRefused, TypeError, KeyError, ValueError) as error:
            raise EngineFailed(f"{server.url}: /v1/models does not list models ({error}). Correct --url") from None
        try:
            server.version = f"vllm {(await self.send(server, 'GET', '/version'))['version']}"
        except (RequestRefused, EngineFailed, KeyError):
            server.version = "unknown"

    async def send_in_turn(self, server: Server, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request to this server; retry for `patience_s` while it is busy. Raises as `send` does."""
        end = time.monotonic() + self.patience_s
        while True:
            try:
                return await self.send(server, "POST", "/v1/completions", body)
            except Fault as fault:
                if fault.kind != BUSY or time.monotonic() >= end:
                    raise
                await asyncio.sleep(min(self.patience_s, PAUSE_S if fault.wait_s is None else fault.wait_s))

    async def send(self, server: Server, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Try one request once; returns the JSON object. Raises Fault, RequestRefused or EngineFailed."""
        limit = self.timeout_s if body else min(LOOK_S, self.timeout_s)
        try:
            timeout = httpx.Timeout(limit, connect=CONNECT_S)
            got = await self._http_client().request(method, server.url + path, json=body, timeout=timeout)
        except httpx.TimeoutException as error:
            limit = CONNECT_S if isinstance(error, httpx.ConnectTimeout) else limit
            raise Fault("timeout", f"no answer in {limit:g} s") from None
        except httpx.RequestError as error:
            raise Fault("connection", without_key(str(error)) or type(error).__name__) from None
        status = f"HTTP {got.status_code}"
        if got.status_code == 429 or got.status_code >= 500:
            raise Fault(BUSY if got.status_code == 429 else "5xx", f"{status}: {_error_text(got)}", _retry_after(got))
        if got.status_code in FINAL or got.is_redirect:
            raise _final_error(server, got)
        if got.status_code != 200:
            raise RequestRefused(f"{status}: {_error_text(got)}")
        try:
            reply = got.json()
        except NOT_JSON:
            reply = None
        if not isinstance(reply, dict):
            raise RequestRefused(f"{server.url}{path} did not return a JSON object: {_error_text(got)}")
        return reply

    def _http_client(self) -> httpx.AsyncClient:
        """Return the only client, created in the loop that uses it; the key is only in its headers."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, keepalive_expiry=KEEPALIVE_S)
            self._client = httpx.AsyncClient(headers=key_header(), limits=limits)
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
        self._client = None


def _final_error(server: Server, got: httpx.Response) -> UserError:
    message = f"{server.url}: HTTP {got.status_code}: {_error_text(got)}"
    if got.status_code in (401, 403):
        return EngineFailed(f"{message}. Set the server's key in {KEYS[0]}")
    if got.is_redirect:
        return EngineFailed(
            f"{message}. It redirects to another address, which never receives the key: name that one with --url"
        )
    return EngineFailed(
        f"{message}. Expected an OpenAI-compatible server with /v1/completions that has the model; no other model is "
        "queried in its place"
    )


def _error_text(got: httpx.Response) -> str:
    """Return the error in a response, as one line without the key."""
    try:
        body = got.json()
        error = body.get("error", body) if isinstance(body, dict) else body
        text = error.get("message", error) if isinstance(error, dict) else error
    except NOT_JSON:
        text = got.text
    return " ".join(without_key(str(text)).split())[:300] or got.reason_phrase or "no reason given"


def _retry_after(got: httpx.Response) -> float | None:
    """Return the seconds that a server asks to wait; None without a valid header."""
    text = got.headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


T = TypeVar("T")
CLOSE_S = 10.0
"""Longest wait for cancelled work to end, in seconds."""


class Background:
    """An event loop in a thread. It starts with the first work, also after `close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one coroutine and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._started_loop()).result()

    def stream(self, work: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
        """Yield each item that `work` passes to its callback. Ends when `work` ends, with its error if it has one."""
        arrived: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()

        async def whole() -> None:
            try:
                await work(lambda item: arrived.put((item,)))
            except BaseException as error:
                arrived.put(error)
                raise
            arrived.put(None)

        future = asyncio.run_coroutine_threadsafe(whole(), self._started_loop())
        try:
            while (item := arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item[0]
        finally:
            future.cancel()

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="tunegate-servers", daemon=True)
            self._thread.start()
        return self._loop

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel all work, run `last` and end the thread; safe to call twice."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await last()

        try:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(end(), loop).result(CLOSE_S)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSE_S)
            if not thread.is_alive():
                loop.close()
