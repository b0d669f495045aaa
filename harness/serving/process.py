"""A server as a child process with its children: started, waited for, watched, stopped. Knows no model and no check."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import EngineFailed

LOOK_EVERY_S = 0.5
SAY_EVERY_S = 15.0
LEAVE_S = 30.0
"""Time in which a server must end that was asked to."""
FOLLOW_S = 5.0
"""Time in which its children must follow."""
FAULT = re.compile(r"\b\w*(?:Error|Exception)\b: .+")
HARMLESS = re.compile(r"\b(?:INFO|WARNING|DEBUG)\b")
MOST_WORDS = 400


class Child:
    """One server in a session of its own, so that a signal from the terminal reaches only the process that stops it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._stopped = False
        try:
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    command,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineFailed(f"the server cannot be started: {error.strerror}: {error.filename}") from None

    def wait_until(self, healthy: Callable[[], bool], timeout_s: float, say: Callable[[str], None]) -> None:
        """Return once it is healthy; EngineFailed where it ends before, or is not within the time."""
        start = said = time.monotonic()
        while not healthy():
            now = time.monotonic()
            if self._process.poll() is not None:
                raise self.ended()
            if now - start >= timeout_s:
                raise EngineFailed(
                    f"the server is not healthy after {timeout_s:g} s, and was stopped. Its last words: "
                    f"{self.last_words()}. Give it more time with --start-timeout; its log: {self.log}"
                )
            if now - said >= SAY_EVERY_S:
                said = now
                say(f"the server loads, {now - start:.0f} s")
            time.sleep(LOOK_EVERY_S)

    def watch(self) -> None:
        """Return when interrupted; EngineFailed when the server ends by itself."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            return
        raise self.ended()

    def ended(self) -> EngineFailed:
        """What to say of a server that ended by itself."""
        return EngineFailed(
            f"the server ended with code {self._process.returncode}. Its last words: {self.last_words()}. Its log: "
            f"{self.log}"
        )

    def last_words(self) -> str:
        """The first error in its log, which later ones follow from; its last lines where there is none."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        faults = [f.group() for line in lines if (f := FAULT.search(line)) and not HARMLESS.search(line)]
        words = faults[0] if faults else " | ".join([line.strip() for line in lines if line.strip()][-3:])
        return (words or "none")[:MOST_WORDS]

    def stop(self) -> None:
        """Ask the server to end, give it time, then end all that is left of its processes. Safe to call twice."""
        if self._stopped:
            return
        group = self._process.pid
        try:
            if self._process.poll() is None:
                self._process.terminate()
                self._process.wait(LEAVE_S)
            _await_end(group)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass  # A second interruption means now.
        finally:
            if _lives(group):
                os.killpg(group, signal.SIGKILL)
            self._process.wait()
            _await_end(group)
            self._stopped = True


def _await_end(group: int) -> None:
    end = time.monotonic() + FOLLOW_S
    while _lives(group) and time.monotonic() < end:
        time.sleep(0.05)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
