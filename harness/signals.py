"""Convert SIGTERM and SIGHUP into KeyboardInterrupt, so that clean-up runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Signals of service managers, schedulers and closed terminals."""


def handled(*more: signal.Signals) -> list[signal.Signals]:
    """Return the endings to handle, and `more`: one that is ignored, as by `nohup`, stays ignored.

    None outside the main thread, which alone receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    return [*more, *(number for number in ENDINGS if signal.getsignal(number) is not signal.SIG_IGN)]


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt for these signals inside the block."""
    before = {number: signal.signal(number, _interrupt) for number in handled()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
