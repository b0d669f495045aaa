"""Turns Ctrl-C and a polite kill into a flag, so that work ends at a clean point. A second Ctrl-C ends at once."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any


class StopSignal:
    """A context in which the first SIGINT or SIGTERM only sets a flag. Does nothing outside the main thread."""

    def __init__(self, quiet: bool = False) -> None:
        """`quiet`: another process of the same training says it."""
        self.quiet = quiet
        self._set = False
        self._before: dict[int, Any] = {}

    def is_set(self) -> bool:
        """True once the user asked to stop."""
        return self._set

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self._set = True
        if not self.quiet:
            print("stopping: saving the last finished step", file=sys.stderr, flush=True)
