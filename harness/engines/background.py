"""An event loop in a thread of its own, so that answers arrive while the caller is at work. Knows no server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

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
