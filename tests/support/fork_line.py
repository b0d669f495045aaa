"""Asks a server of forks to run `python -P -m MODULE WORDS`; as a program it stands for that in shells and launchers.

    python -I -S fork_line.py ADDRESS MODULE WORDS...

Only the standard library, and little of it: a program that starts in 20 ms stands for one that takes a second.
"""

import json
import os
import signal
import socket
import sys
from typing import Any


def ask(address: str, words: list[str], streams: list[int], **more: Any) -> tuple[socket.socket, int]:
    """Start the command on the given stdin, stdout and stderr; returns the line to its keeper and its process id.

    `more` is for `fork_server.become`. The exit code comes on the line once the command has ended; who closes the line
    before kills it.
    """
    line = socket.socket(socket.AF_UNIX)
    line.connect(address)
    socket.send_fds(line, [b"!"], streams)
    line.sendall(json.dumps({"words": words, **more}).encode() + b"\n")
    return line, next_number(line)


def next_number(line: socket.socket) -> int:
    """The number that comes next."""
    digits = b""
    while (byte := line.recv(1)) != b"\n":
        if not byte:
            raise ConnectionError(f"the server of forks has ended after saying {digits!r}")
        digits += byte
    return int(digits)


def main() -> None:
    address, *words = sys.argv[1:]
    here = os.getcwd()  # noqa: PTH109 - pathlib takes as long to load as all else
    line, pid = ask(address, words, [0, 1, 2], cwd=here, env=dict(os.environ))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: os.kill(pid, number))
    code = next_number(line)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
