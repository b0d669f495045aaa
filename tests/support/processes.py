"""Ports and processes, for tests that start servers."""

import random
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PORTS = range(16_000, 32_000)
"""Below those that the kernel gives to connections, one of which could take a port before the server does."""
LIMIT_S = 240.0
"""Longest wait for what normally takes a moment."""
_unused = random.SystemRandom().sample(PORTS, len(PORTS))


def free_port() -> int:
    """Return a port that was free a moment ago, another one each time."""
    while True:
        port = _unused.pop()
        with suppress(OSError), socket.socket() as own:
            own.bind(("127.0.0.1", port))
            return port


def runs(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_end(pids: Iterable[int]) -> bool:
    """Whether all of these processes end; one that was killed needs its turn on the processor for that."""
    left, end = list(pids), time.monotonic() + LIMIT_S
    while (left := list(filter(runs, left))) and time.monotonic() < end:
        time.sleep(0.01)
    return not left
