"""The project's commands in processes forked from one that has imported the libraries of others that they need.

Importing those takes most of a short command. All else of a process is as if it had been started: arguments, folder,
environment, streams, exit code, signals, memory, and the project's own modules, which it imports itself. Tests of what
a command imports, of its start, and of commands as users type them against real models, start it for real.

A server for each set of libraries serves all processes of a test run.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Literal, cast

from tests.support import fork_line

ROOT = Path(__file__).parents[2]
FOLDER = "TUNEGATE_FORKS"
"""Names the folder of the servers' addresses for all processes of a test run."""
PATIENCE_S = 60.0

Libraries = Literal["commands", "training", "vllm"]


class Forked:
    """A running `python -m WORDS`, with the methods of `subprocess.Popen` that tests use.

    What it says is kept for `communicate`, unless its stdin, stdout and stderr are given as `streams`.
    """

    def __init__(
        self,
        *words: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        libraries: Libraries = "commands",
        safe_path: bool = False,
        streams: Sequence[int] = (),
        terminal: bool = False,
        room: int | None = None,
        executable: str | None = None,
    ) -> None:
        """With `safe_path` as by -P, the folder is no place for modules; `terminal` says that stdin is one.

        `room` is the bytes of the largest file that it may write, as on a disk that fills; `executable` is the Python
        with which it starts others.
        """
        self._said: list[IO[bytes]] = [tempfile.TemporaryFile() for _ in range(0 if streams else 2)]  # noqa: SIM115
        path = [] if safe_path else [str(cwd)]
        with Path(os.devnull).open() as nothing:
            given = list(streams) or [nothing.fileno(), *(file.fileno() for file in self._said)]
            self._line, self.pid = fork_line.ask(
                address(libraries),
                list(words),
                given,
                cwd=str(cwd),
                env=dict(os.environ if env is None else env),
                path=path,
                terminal=terminal,
                room=room,
                executable=executable,
            )
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Exit code; minus the signal where one ended it."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = fork_line.next_number(self._line)
            except TimeoutError:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0) from None
            self._line.close()
        return self.returncode

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        if self.returncode is None and _has_ended(self._line):
            self.wait()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it said on stdout and stderr, once it has ended."""
        self.wait(timeout)
        return self.said()

    def said(self) -> tuple[str, str]:
        """What it has said so far."""
        sizes = [os.fstat(file.fileno()).st_size for file in self._said]
        read = [os.pread(file.fileno(), size, 0) for file, size in zip(self._said, sizes, strict=True)]
        return cast(tuple[str, str], tuple(text.decode("utf-8", "replace") for text in read))


def run(
    *words: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 240,
    safe_path: bool = False,
    libraries: Libraries = "commands",
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of `python -m WORDS`, its output captured, without anything on stdin."""
    process = Forked(*words, cwd=cwd, env=env, safe_path=safe_path, libraries=libraries)
    try:
        out, error = process.communicate(timeout)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.wait(), out, error)


def tunegate(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `tunegate WORDS` in a folder, with a cache of its own there."""
    env = os.environ | {"TUNEGATE_CACHE": str(folder / "cache")} | environment
    return run("tunegate.cli.main", *words, cwd=folder, env=env)


def program(module: str, libraries: Libraries = "commands") -> list[str]:
    """The beginning of a command line that runs `python -P -m MODULE` so, for shells and launchers."""
    return [sys.executable, "-I", "-S", fork_line.__file__, address(libraries), module]


@cache
def programs() -> Path:
    """A folder with `tunegate` and `pytest` that run so, for the PATH of a shell."""
    made = folder() / f"bin-{os.getpid()}"
    made.mkdir()
    for name, module in {"tunegate": "tunegate.cli.main", "pytest": "pytest"}.items():
        (made / name).write_text(f'#!/bin/sh\nexec {shlex.join(program(module))} "$@"\n')
        (made / name).chmod(0o755)
    return made


@cache
def python(libraries: Libraries) -> str:
    """A Python whose `-m MODULE WORDS` run so."""
    made = folder() / f"python-{libraries}-{os.getpid()}"
    *forks, _ = program("", libraries)
    made.write_text(
        f'#!/bin/sh\nif [ "$1" = -m ]; then shift; exec {shlex.join(forks)} "$@"; fi\nexec {sys.executable} "$@"\n'
    )
    made.chmod(0o755)
    return str(made)


@cache
def address(libraries: Libraries) -> str:
    """Where the server is asked; the first who needs it starts it."""
    place = folder() / libraries
    with (folder() / f"{libraries}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            command = [
                sys.executable,
                "-m",
                "tests.support.fork_server",
                libraries,
                str(place),
                (folder() / "pid").read_text(),
            ]
            # Threads are counted where a library loads, and what tests compute is small.
            settings = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, env=settings, start_new_session=True)
            end = time.monotonic() + PATIENCE_S
            while not place.exists():
                if time.monotonic() > end:
                    raise TimeoutError(f"no server of forks with {libraries} came up within {PATIENCE_S:.0f} s")
                time.sleep(0.01)
    return str(place)


@cache
def folder() -> Path:
    """The folder of the addresses; who asks first, before the test run has other processes, makes and removes it."""
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="forks-")
        (Path(os.environ[FOLDER]) / "pid").write_text(str(os.getpid()))
    return Path(os.environ[FOLDER])


def remove_folder() -> None:
    """Remove it, if this process made it."""
    if (folder() / "pid").read_text() == str(os.getpid()):
        shutil.rmtree(folder(), ignore_errors=True)


def _has_ended(line: socket.socket) -> bool:
    line.settimeout(0)
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
