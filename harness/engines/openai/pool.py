"""Send HTTP requests to OpenAI-compatible servers, with retries and load balancing.

Only 429, 5xx and connection errors are retried. A server that failed pauses and must pass the canary before it gets
requests again; meanwhile the others get its requests.
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

from harness.engines.openai import metrics
from harness.engines.openai.config import KEYS, api_key, without_key
from harness.engines.openai.metrics import Counters
from harness.errors import NOT_JSON, EngineFailed, UserError

IN_FLIGHT = 64
"""Requests that one server works on at a time."""
ATTEMPTS = 4
"""Tries of one request by servers that answer otherwise."""
REST_S = 0.5
"""Rest of a server after its first fault; each further one doubles it."""
MOST_REST_S = 20.0
CONNECT_S = 10.0
LOOK_S = 30.0
"""Longest wait for what needs no model: the list of models, the version."""
KEPT_OPEN_S = 2.0
"""Idle connections are closed before the server does it (uvicorn: 5 s), or a request would meet a closed one."""
TICK_S = 0.02
BUSY = "429"
ENDS = {401, 403, 404, 405}
"""Answers that every further request would get too."""


class Fault(Exception):
    """A try that failed and may be made again."""

    def __init__(self, kind: str, says: str, wait_s: float | None = None) -> None:
        super().__init__(f"{kind}: {says}" if says else kind)
        self.kind, self.wait_s = kind, wait_s


class RequestRefused(Exception):
    """A try that would fail again; the message is what the server said."""


class Server:
    """One server, as far as it is known."""

    def __init__(self, url: str, room: int) -> None:
        self.url = url
        self.version = "unknown"
        self.models: dict[str, dict[str, Any]] = {}
        self.most_room = self.room = room
        self.busy = self.asked = self.in_a_row = 0
        self.rests_until = 0.0
        self.proven = self.being_proven = False
        self.last_fault = ""
        self.faults: Counter[str] = Counter()
        self.counters = Counters()


class Pool:
    """All servers of a run. `prove` looks at a server before it is asked; it raises Fault where that must wait."""

    def __init__(
        self,
        urls: Sequence[str],
        prove: Callable[[Server], Awaitable[None]],
        *,
        timeout_s: float,
        patience_s: float,
        most: int | None = None,
    ) -> None:
        self.servers = [Server(url, most or IN_FLIGHT) for url in urls]
        self.most = most or IN_FLIGHT * len(self.servers)
        self.timeout_s, self.patience_s = timeout_s, patience_s
        self._prove = prove
        self._client: httpx.AsyncClient | None = None
        self._signs_of_life = 0
        self._down_since: float | None = None

    async def ask(self, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], Server, float]:
        """What a server said to one request, which one, and in how many ms.

        Refused where no try would help; EngineFailed where no server answers for `patience_s`.
        """
        tries, before = 0, 0
        while True:
            server = await self._free(model)
            server.busy += 1
            start = time.monotonic()
            try:
                said = await self.send(server, "POST", "/v1/completions", body)
            except Fault as fault:
                server.busy -= 1
                self.rest(server, fault)
                before = before if tries else self._signs_of_life
                tries += fault.kind != BUSY
                if tries >= ATTEMPTS and self._signs_of_life > before:
                    raise RequestRefused(f"{fault}, {tries} times, while other requests were answered") from None
            except BaseException:
                server.busy -= 1
                raise
            else:
                server.busy -= 1
                server.asked += 1
                self.lives(server)
                return said, server, (time.monotonic() - start) * 1000

    async def _free(self, model: str) -> Server:
        """The least busy server that has the model and room; waits for one."""
        while True:
            for server in self.servers:
                if not server.proven and not server.being_proven and time.monotonic() >= server.rests_until:
                    await self._look(server)
            having = [s for s in self.servers if model in s.models]
            if not having and all(s.proven for s in self.servers):
                raise EngineFailed(
                    f"HTTP 404: no server has the model '{model}' any more. Serve it again and run the same command"
                )
            now = time.monotonic()
            free = [s for s in having if s.proven and s.busy < s.room and now >= s.rests_until]
            if free:
                return min(free, key=lambda s: s.busy)
            await asyncio.sleep(TICK_S)

    async def _look(self, server: Server) -> None:
        server.being_proven = True
        try:
            await self._prove(server)
        except Fault as fault:
            self.rest(server, fault)
        else:
            server.proven = True
            self.lives(server)
        finally:
            server.being_proven = False

    def lives(self, server: Server) -> None:
        """A server answered."""
        self._signs_of_life += 1
        self._down_since = None
        server.in_a_row = 0
        server.room = min(server.most_room, server.room + 1)

    def rest(self, server: Server, fault: Fault) -> None:
        """Leave a server alone for a while; EngineFailed where none has answered for too long."""
        now = time.monotonic()
        if now >= server.rests_until:
            server.in_a_row += 1
            server.room = max(1, server.room // 2) if fault.kind == BUSY else server.room
        own = min(MOST_REST_S, REST_S * 2.0 ** min(server.in_a_row - 1, 20))
        wait = min(self.patience_s, fault.wait_s if fault.wait_s is not None else own)
        server.rests_until = max(server.rests_until, now + wait)
        server.proven = server.proven and fault.kind == BUSY
        server.last_fault = str(fault)
        server.faults[fault.kind] += 1
        self._down_since = now if self._down_since is None else self._down_since
        if now - self._down_since >= self.patience_s and not any(s.busy for s in self.servers):
            raise EngineFailed(
                f"no server has answered for {self.patience_s:g} s: {self.faults()}. Start it again, or name another "
                "with --url, and run the same command"
            )

    def faults(self) -> str:
        """The last fault of each server that had one."""
        return "; ".join(f"{s.url}: {s.last_fault}" for s in self.servers if s.last_fault)

    async def learn(self, server: Server) -> None:
        """Ask a server for its models and its version; one that lists no models is an EngineFailed."""
        try:
            listed = (await self.send(server, "GET", "/v1/models"))["data"]
            server.models = {str(card["id"]): dict(card) for card in listed}
        except (RequestRefused, TypeError, KeyError, ValueError) as error:
            raise EngineFailed(f"{server.url}: /v1/models does not list models ({error}). Correct --url") from None
        try:
            server.version = f"vllm {(await self.send(server, 'GET', '/version'))['version']}"
        except (RequestRefused, EngineFailed, KeyError):
            server.version = "unknown"
        server.counters.look(await self._counted(server))

    async def _counted(self, server: Server) -> dict[str, float]:
        """What the server counts; {} where it does not say. It is only told, so no fault of it is one of the run."""
        try:
            got = await self._opened().get(server.url + metrics.PATH, timeout=min(LOOK_S, self.timeout_s))
        except httpx.HTTPError:
            return {}
        return metrics.read(got.text) if got.status_code == 200 else {}

    async def send_in_turn(self, server: Server, body: dict[str, Any]) -> dict[str, Any]:
        """One request to this server and no other; where it is too busy, again and again for `patience_s`."""
        end = time.monotonic() + self.patience_s
        while True:
            try:
                return await self.send(server, "POST", "/v1/completions", body)
            except Fault as fault:
                if fault.kind != BUSY or time.monotonic() >= end:
                    raise
                await asyncio.sleep(min(self.patience_s, REST_S if fault.wait_s is None else fault.wait_s))

    async def send(self, server: Server, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One try: the JSON object that came back with status 200. Fault and Refused as their names say."""
        limit = self.timeout_s if body else min(LOOK_S, self.timeout_s)
        try:
            timeout = httpx.Timeout(limit, connect=CONNECT_S)
            got = await self._opened().request(method, server.url + path, json=body, timeout=timeout)
        except httpx.TimeoutException as error:
            limit = CONNECT_S if isinstance(error, httpx.ConnectTimeout) else limit
            raise Fault("timeout", f"no answer in {limit:g} s") from None
        except httpx.RequestError as error:
            raise Fault("connection", without_key(str(error)) or type(error).__name__) from None
        status = f"HTTP {got.status_code}"
        if got.status_code == 429 or got.status_code >= 500:
            raise Fault(BUSY if got.status_code == 429 else "5xx", f"{status}: {_said(got)}", _retry_after(got))
        if got.status_code in ENDS or got.is_redirect:
            raise _ends(server, got)
        if got.status_code != 200:
            raise RequestRefused(f"{status}: {_said(got)}")
        try:
            said = got.json()
        except NOT_JSON:
            said = None
        if not isinstance(said, dict):
            raise RequestRefused(f"{server.url}{path} did not answer with a JSON object: {_said(got)}")
        return said

    def _opened(self) -> httpx.AsyncClient:
        """The one client, made in the loop that uses it; the key stands in its headers and nowhere else."""
        if self._client is None:
            key = api_key()
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                limits=httpx.Limits(max_connections=None, keepalive_expiry=KEPT_OPEN_S),
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
        self._client = None


def _ends(server: Server, got: httpx.Response) -> UserError:
    said = f"{server.url}: HTTP {got.status_code}: {_said(got)}"
    if got.status_code in (401, 403):
        return EngineFailed(f"{said}. Set the server's key in {KEYS[0]}")
    if got.is_redirect:
        return EngineFailed(f"{said}. It sends to another address, and the key is sent nowhere else: name that one")
    return EngineFailed(
        f"{said}. Expected an OpenAI-compatible server with /v1/completions that has the model; no other model is "
        "queried in its place"
    )


def _said(got: httpx.Response) -> str:
    """What a response says went wrong, in one line and without the key."""
    try:
        body = got.json()
        error = body.get("error", body) if isinstance(body, dict) else body
        text = error.get("message", error) if isinstance(error, dict) else error
    except NOT_JSON:
        text = got.text
    return " ".join(without_key(str(text)).split())[:300] or got.reason_phrase or "no reason given"


def _retry_after(got: httpx.Response) -> float | None:
    """Seconds that a server asks to wait; None where it asks nothing that can be read."""
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
"""Longest wait for cancelled work to end."""


class Background:
    """Starts with the first piece of work and can be started again after `close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of one coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._running()).result()

    def stream(self, work: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
        """Yield what `work` hands to the function it is given, as it does. Ends with it, or with its error."""
        arrived: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()

        async def whole() -> None:
            try:
                await work(lambda item: arrived.put((item,)))
            except BaseException as error:
                arrived.put(error)
                raise
            arrived.put(None)

        future = asyncio.run_coroutine_threadsafe(whole(), self._running())
        try:
            while (found := arrived.get()) is not None:
                if isinstance(found, BaseException):
                    raise found
                yield found[0]
        finally:
            future.cancel()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="tunegate-servers", daemon=True)
            self._thread.start()
        return self._loop

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel all work, run `last`, end the thread; safe to call twice."""
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
