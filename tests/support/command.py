"""Runs the project's commands inside the test process, as if each had a process of its own.

Importing the libraries takes most of a short command, and here they are imported already. Arguments, folder,
environment, streams and exit code are the command's own; what it changes of the process is restored. A test of signals,
of a terminal, of what a command imports or of its start uses `run` or `Process`, which start one.
"""

from __future__ import annotations

import importlib
import io
import logging
import multiprocessing.context
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tunegate.cli import main as cli

ROOT = Path(__file__).parents[2]
LIMIT_S = 900.0
"""A command that takes longer hangs."""
TUNEGATE = ("-P", "-m", "tunegate.cli.main")
PYTEST = ("-P", "-m", "pytest")
PROGRAMS = Path(sys.executable).parent
"""Where `tunegate` and `pytest` are, for the PATH of a shell."""
WITHOUT_CHARTS = str(Path(__file__).parent / "without_charts")
"""The PYTHONPATH of a process whose reports have tables only."""
INSTALLED = (str(ROOT), *{os.path.realpath(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")})
# They hold on to the streams and hooks of the whole process, or collect its garbage five times.
WITHOUT = ("faulthandler", "hypothesispytest", "threadexception", "unraisableexception")
FORKED: dict[str, Callable[[], object]] = {
    "tunegate": cli.main,
    "pytest": lambda: sys.exit(pytest.main([*_without_plugins(), *sys.argv[1:]])),
}
typer.main.get_command = cache(typer.main.get_command)  # Typer makes all commands for each call, in 0.1 s.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def tunegate(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `tunegate WORDS` in a folder, with a cache of its own there."""
    return run_tunegate(*words, cwd=folder, env=os.environ | {"TUNEGATE_CACHE": str(folder / "cache")} | environment)


def run_tunegate(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `tunegate WORDS` in a folder and an environment, the process's own without one."""
    return run_here(cli.main, ["tunegate", *words], cwd, env)


def outcome(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `tunegate WORDS` in the current folder."""
    done = run_tunegate(*words, cwd=Path.cwd())
    return done.returncode, done.stdout, done.stderr


def run_pytest(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `pytest WORDS` in a folder; with workers (-n) in a process, because they start from its state."""
    if "-n" in words:
        env = {"PYTHONPATH": WITHOUT_CHARTS} | dict(os.environ if env is None else env)
        return run(*PYTEST, *_without_plugins(), *words, cwd=cwd, env=env)
    return run_here(FORKED["pytest"], ["pytest", *words], cwd, env)


def _without_plugins() -> list[str]:
    return [word for name in WITHOUT for word in ("-p", f"no:{name}")]


class Process(subprocess.Popen[bytes]):
    """`python WORDS`, started and running; what it prints goes to files, so that it never waits for a reader."""

    def __init__(self, *words: str, cwd: Path, env: Mapping[str, str] | None = None, **more: Any) -> None:
        """`more` are arguments of Popen."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._files = os.dup(out.fileno()), os.dup(err.fileno())
            given = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, "env": env and dict(env)} | more
            super().__init__([sys.executable, *words], cwd=cwd, **given)

    def output(self) -> tuple[str, str]:
        """What it has printed so far on stdout and stderr."""
        return _read(self._files[0]), _read(self._files[1])

    def finish(self, timeout: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Wait for its end; it is killed if that does not come in time."""
        try:
            self.wait(timeout)
        finally:
            self.kill()
            self.wait()
        return subprocess.CompletedProcess(self.args, self.returncode, *self.output())

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)
        super().__del__()  # type: ignore[misc]


class Fork(multiprocessing.context.ForkProcess):
    """`tunegate WORDS` or `pytest WORDS` in a fork of this process, which has loaded the libraries already.

    It can be killed or interrupted like any other process. `terminal` has the keyboard's and the program's end of the
    terminal that it runs on; without one, what it prints goes to files. `command` runs in place of the program.
    """

    def __init__(
        self,
        *words: str,
        cwd: Path,
        env: Mapping[str, str],
        terminal: tuple[int, int] | None = None,
        command: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._command, self._given = command or FORKED[words[0]], (list(words), cwd, env)
        self._terminal = terminal
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
        self.start()

    def run(self) -> None:
        """Run the command, in the fork. Threads of torch do not survive a fork, so it computes with one."""
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        if self._terminal is None:
            streams = _streams(self._out.fileno(), self._err.fileno())
        else:
            keyboard, program = self._terminal
            os.close(keyboard)  # The terminal hangs up when the test ends, however that does.
            os.login_tty(program)
            streams = _streams(1, 2, 0)
        with streams, _state(*self._given):
            self._command()

    def poll(self) -> int | None:
        """Exit code; None while it runs."""
        return self.exitcode

    def output(self) -> tuple[str, str]:
        """What it has printed so far on stdout and stderr."""
        return _read(self._out.fileno()), _read(self._err.fileno())


def run(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in a process of its own."""
    return Process(*words, cwd=cwd, env=env).finish(timeout)


def run_here(
    command: Callable[[], object], words: list[str], cwd: Path, env: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    """Call a program's `command` in this process, with `words` as its name and arguments."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with _streams(out.fileno(), err.fileno()), _state(words, cwd, os.environ if env is None else env):
            code: Any = 0
            try:
                command()
            except SystemExit as left:
                code = left.code
            except BaseException:
                traceback.print_exc()
                code = 1
            if isinstance(code, str):
                print(code, file=sys.stderr)
                code = 1
        return subprocess.CompletedProcess(words, int(code or 0), _read(out.fileno()), _read(err.fileno()))


def _read(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode("utf-8", "replace")


def _text(number: int) -> io.TextIOWrapper:
    """A stream as Python opens it. Loggers keep it, so it stays open and writes to whatever the descriptor is then."""
    file = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", write_through=bool(number))


STREAMS = [_text(number) for number in range(3)]


@contextmanager
def _streams(out: int, err: int, given: int | None = None) -> Iterator[None]:
    """The descriptors themselves are replaced, so that what other processes write is there too.

    `given` is the descriptor of stdin, which is empty without one.
    """
    _flush()
    before = sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as put_back, Path(os.devnull).open() as nothing:
        for number, file in enumerate((nothing.fileno() if given is None else given, out, err)):
            kept = os.dup(number)
            put_back.callback(os.close, kept)
            put_back.callback(os.dup2, kept, number)
            os.dup2(file, number)
        sys.stdin, sys.stdout, sys.stderr = STREAMS
        try:
            yield
        finally:
            _flush()
            sys.stdin, sys.stdout, sys.stderr = before


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            stream.flush()


@contextmanager
def _state(words: list[str], cwd: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Everything else that a command may change of its process."""
    given = dict(env)
    environment, folder = dict(os.environ), Path.cwd()
    argv, path, finders = sys.argv, list(sys.path), list(sys.meta_path)
    modules = dict(sys.modules)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    interruptions: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interruptions.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    logger = logging.getLogger()
    log = logger.level, list(logger.handlers)
    os.environ.clear()
    os.environ.update(given)
    os.chdir(cwd)
    sys.argv = words
    sys.path[:] = [*filter(None, given.get("PYTHONPATH", "").split(os.pathsep)), *(p for p in path if p != str(ROOT))]
    for name in _suites():
        del sys.modules[name]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv, sys.path[:], sys.meta_path[:] = argv, path, finders
        for name in [name for name in sys.modules if name not in modules and _is_of_a_test(name)]:
            del sys.modules[name]
        sys.modules.update(modules)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        logger.level, logger.handlers[:] = log
    if interruptions:  # A command makes an exit code of it; who presses Ctrl-C wants the tests to end.
        raise KeyboardInterrupt


def _suites() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]


def _is_of_a_test(name: str) -> bool:
    """A suite, or a module from a folder that is neither the project's nor of an installed package."""
    if name.partition(".")[0] == "evalsuites":
        return True
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", ()))
    return bool(places) and not any(os.path.realpath(place).startswith(INSTALLED) for place in places)
