"""Trains one point in a process of its own and relays what it says. Knows no sweep."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from msgspec import Struct

from harness.errors import EXIT_INTERRUPTED, EXIT_OK
from harness.live.terminal import lent

ADAPTER = "adapter: "
"""How `tunegate train` names what it made."""


class Ended(Struct, frozen=True, kw_only=True):
    run: Path | None = None
    """Run folder of a finished training."""
    error: str | None = None
    """Why there is none, in one line."""
    stopped: bool = False
    """It was asked to stop, and can go on."""


class Processes:
    """A context that starts trainings one after another and passes Ctrl-C or a polite kill on to the one that runs.

    A training has a session of its own, so that each signal reaches it once. A second one ends it at once. The
    terminal is lent to it for its live view.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        self.options = options
        """Further options of every `tunegate train`."""
        self.asked_to_stop = False
        self._running: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Processes:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True
        if self._running is not None:
            self._running.send_signal(signal.SIGINT)

    def train(self, config: Path, relay: Callable[[str], None]) -> Ended:
        """Run `tunegate train` on a configuration to its end; `relay` takes each line that it prints."""
        command = [sys.executable, "-m", "harness.cli", "train", str(config), *self.options]
        last, run = "", None
        with (
            lent(sys.stderr) as (descriptors, environment),
            subprocess.Popen(
                command,
                pass_fds=descriptors,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            ) as process,
        ):
            self._running = process
            if self.asked_to_stop:
                process.send_signal(signal.SIGINT)
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if line.startswith(ADAPTER):
                        run = Path(line.removeprefix(ADAPTER).strip()).parent
                    elif line.strip():
                        last = line.strip()
                        relay(last)
            except BaseException:
                process.send_signal(signal.SIGINT)
                raise
            finally:
                process.wait()
                self._running = None
        return _ended(process.returncode, run, last)


def _ended(code: int, run: Path | None, last: str) -> Ended:
    if code == EXIT_OK and run is not None:
        return Ended(run=run)
    if code in (EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGTERM):
        return Ended(stopped=True)
    if code < 0:
        name = signal.Signals(-code).name
        return Ended(error=f"killed by {name}; the last it said was: {last or 'nothing'}")
    return Ended(error=last.removeprefix("tunegate: ") or f"ended with code {code} and said nothing")
