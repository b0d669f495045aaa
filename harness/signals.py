"""Turns a request to end into what Ctrl-C does, so that everything is put in order first. Knows no command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Sent by service managers, by schedulers, and by a terminal that is closed."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, such a request raises KeyboardInterrupt; one that is ignored, as by `nohup`, stays ignored.

    Does nothing outside the main thread, which alone receives signals.
    """
    is_main = threading.current_thread() is threading.main_thread()
    heard = [number for number in ENDINGS if is_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
