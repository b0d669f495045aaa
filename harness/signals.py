"""Convert SIGTERM and SIGHUP into KeyboardInterrupt, so that clean-up runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Signals of service managers, schedulers and closed terminals."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt for these signals inside the block; one that is ignored, as by `nohup`, stays ignored.

    Does nothing outside the main thread, which alone receives signals.
    """
    is_main = threading.current_thread() is threading.main_thread()
    handled = [number for number in ENDINGS if is_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
