"""A process that has imported libraries and forks a command whenever it is asked for one.

    python -m tests.support.fork_server LIBRARIES ADDRESS PID

It ends with the process PID. What a command may need of the project it imports itself.
"""

from __future__ import annotations

import atexit
import fcntl
import io
import json
import os
import resource
import runpy
import signal
import socket
import sys
import termios
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.threads import before_torch

COMMANDS = (
    *("datasets", "jinja2", "jsonschema", "matplotlib.figure", "matplotlib.backends.backend_svg", "msgspec", "pytest"),
    *("rich.live", "rich.table", "scipy.special", "scipy.stats", "starlette.applications", "typer", "uvicorn"),
)
TRAINING = (*COMMANDS, "transformers", "transformers.models.auto.modeling_auto", "peft", "accelerate")
VLLM = (*TRAINING, "setproctitle", "vllm", "vllm.entrypoints.llm", "vllm.v1.engine.core", "vllm.v1.worker.cpu_worker")
LIBRARIES = {"commands": COMMANDS, "training": TRAINING, "vllm": VLLM}
ROOT = Path(__file__).parents[2]
LOOKS_EVERY_S = 1.0
"""How often it looks whether whom it serves is there still."""


def serve(libraries: str, address: Path, served: int) -> None:
    """Take requests at once, and fulfil them once everything is imported."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen(128)
    Path(f"{address}.new").rename(address)
    before_torch()
    for name in LIBRARIES[libraries]:
        import_module(name)
    if naming := sys.modules.get("setproctitle"):
        naming.getproctitle()  # It looks for its place in memory now, before any environment is replaced.
    sys.path[:] = [folder for folder in sys.path if Path(folder) != ROOT]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener.settimeout(LOOKS_EVERY_S)
    while _is_there(served):
        with suppress(TimeoutError):
            line, _ = listener.accept()
            line.settimeout(None)
            if os.fork() == 0:
                listener.close()
                _attend(line)
            line.close()
    os._exit(0)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _attend(line: socket.socket) -> None:
    """In a process of its own: fork the command, tell its process id and how it ended; kill it if nobody listens."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, *_ = socket.recv_fds(line, 1, 3)
    asked = b""
    while not asked.endswith(b"\n"):
        asked += line.recv(1 << 16)
    pid = os.fork()
    if pid == 0:
        line.close()
        become(streams, **json.loads(asked))
    for stream in streams:
        os.close(stream)

    has_ended = threading.Event()

    def kill_when_alone() -> None:
        with suppress(OSError):
            line.recv(1)
        if not has_ended.is_set():
            os.kill(pid, signal.SIGKILL)

    with suppress(OSError):
        line.sendall(f"{pid}\n".encode())
        threading.Thread(target=kill_when_alone, daemon=True).start()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # Its number becomes nobody else's while it may be killed.
        has_ended.set()
        line.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def become(
    streams: list[int], words: list[str], cwd: str, env: dict[str, str], path: list[str] | None = None,
    terminal: bool = False, room: int | None = None, executable: str | None = None,
) -> None:  # fmt: skip
    """Be `python -P -m WORDS`, as far as the command can see, with `path` before all other folders of modules.

    With `terminal` its stdin is a terminal, whose keys and closing it hears of. `room` is the bytes of its largest
    file, `executable` the Python with which it starts others.
    """
    if terminal:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = list(map(_text, range(3)))
    sys.path[:0] = [*(path or []), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv, sys.executable = words, executable or sys.executable
    code: Any = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _text(number: int) -> io.TextIOWrapper:
    """The stream as Python opens it for a new process."""
    at_once = number == 2 or bool(os.environ.get("PYTHONUNBUFFERED"))
    return io.TextIOWrapper(
        open(number, "wb" if number else "rb", closefd=False),
        encoding="utf-8",
        errors="backslashreplace" if number == 2 else "strict",
        line_buffering=at_once or os.isatty(number),
        write_through=at_once,
    )


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
