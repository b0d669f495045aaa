"""The project's commands in processes forked from one that has imported the libraries of others that they need.

Importing those takes most of a short command. All else of a process is as if it had been started: arguments, folder,
environment, streams, exit code, signals, memory, and the project's own modules, which it imports itself. Tests of what
a command imports, and of commands as documents have them, start it for real.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from harness.threads import before_torch

LIBRARIES = (
    *("datasets", "jinja2", "jsonschema", "matplotlib.figure", "matplotlib.backends.backend_svg", "msgspec", "pytest"),
    *("rich.live", "rich.table", "scipy.special", "scipy.stats", "typer"),
)
TRAINING = (*LIBRARIES, "transformers", "transformers.models.auto.modeling_auto", "peft")


ROOT = Path(__file__).parents[1]


class Forked:
    """A running `python -m MODULE WORDS`, with the methods of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        module: str,
        words: tuple[str, ...],
        cwd: Path,
        env: dict[str, str],
        imports: tuple[str, ...] = LIBRARIES,
        path: tuple[str, ...] = (),
    ) -> None:
        self._said: list[IO[str]] = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115
        self._line, theirs = socket.socketpair()
        with theirs:
            streams = [theirs.fileno(), *(file.fileno() for file in self._said)]
            socket.send_fds(_server(imports), [b"!"], streams)
        self._line.sendall(json.dumps([module, words, str(cwd), env, path]).encode() + b"\n")
        self._answers = self._line.makefile("r")
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Exit code; minus the signal where one ended it."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._answers.readline())
            except TimeoutError:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0) from None
        return self.returncode

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        if self.returncode is None and _has_ended(self._line):
            self.wait()
        return self.returncode

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it said on stdout and stderr, once it has ended."""
        self.wait(timeout)
        for file in self._said:
            file.seek(0)
        return cast(tuple[str, str], tuple(file.read() for file in self._said))


def run(
    module: str, *words: str, cwd: Path, env: dict[str, str], timeout: float = 240, safe_path: bool = False
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of `python -m MODULE WORDS`, its output captured, without anything on stdin.

    With `safe_path` as by -P, the folder is no place for modules.
    """
    process = Forked(module, words, cwd, env, path=() if safe_path else (str(cwd),))
    try:
        out, error = process.communicate(timeout)
    finally:
        process.kill()
    return subprocess.CompletedProcess([module, *words], process.wait(), out, error)


def tunegate(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `tunegate WORDS` in a folder, with a cache of its own there."""
    env = os.environ | {"TUNEGATE_CACHE": str(folder / "cache")} | environment
    return run("harness.cli", *words, cwd=folder, env=env)


def _has_ended(line: socket.socket) -> bool:
    line.settimeout(0)
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@cache
def _server(imports: tuple[str, ...]) -> socket.socket:
    """The line to this process's own server, which ends with it."""
    line, theirs = socket.socketpair()
    command = [sys.executable, "-m", "tests.forked", str(theirs.fileno()), *imports]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # Read where a library loads, and what tests compute is small.
    subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=alone)
    theirs.close()
    return line


def _serve(line: socket.socket, imports: list[str]) -> None:
    """Fork a command whenever one is asked for, until whoever started this is gone."""
    before_torch()
    for name in imports:
        import_module(name)
    sys.path[:] = [folder for folder in sys.path if Path(folder) != ROOT]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, given, *_ = socket.recv_fds(line, 1, 3)
        if not asked:
            os._exit(0)
        asking, *streams = given
        if os.fork() == 0:
            line.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _attend(socket.socket(fileno=asking), streams)
            os._exit(0)
        for file in given:
            os.close(file)


def _attend(asking: socket.socket, streams: list[int]) -> None:
    """Fork the command itself, tell its process id, and then how it ended."""
    asked = json.loads(asking.makefile("r").readline())
    child = os.fork()
    if child == 0:
        asking.close()
        _become(asked, streams)
    asking.sendall(f"{child}\n".encode())
    asking.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n".encode())


def _become(asked: list[Any], streams: list[int]) -> None:
    """Be `python -m MODULE WORDS`, as far as the command can see."""
    import runpy

    module, words, cwd, env, path = asked
    for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, streams[0]), (2, streams[1])):
        os.dup2(file, stream)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = [*path, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [module, *words]
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    for stream_file in (sys.stdout, sys.stderr):
        stream_file.flush()
    os._exit(int(cast(int, code or 0)))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
