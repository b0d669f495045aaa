"""A server as a child: waited for, watched, and stopped with everything that it started."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.errors import EngineFailed
from harness.serving import server
from harness.serving.server import Child
from harness.signals import interruptible
from tests.support.processes import LIMIT_S, all_end, runs

STUBBORN = """
import os, signal, subprocess, sys, time
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("grandchild", os.getpid(), flush=True)
else:
    subprocess.Popen([sys.executable, *sys.argv, "grandchild"])
    print("child", os.getpid(), flush=True)
time.sleep(600)
"""


Start = Callable[[str], Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with this code, which is stopped after the test."""
    with ExitStack() as children:

        def one(code: str) -> Child:
            (tmp_path / "server.py").write_text(code)
            child = Child([sys.executable, str(tmp_path / "server.py"), "own"], os.environ, tmp_path / "server.log")
            children.callback(child.stop)
            return child

        yield one


def pids(log: Path) -> dict[str, int]:
    return {line.split()[0]: int(line.split()[1]) for line in log.read_text().splitlines()}


def test_stopping_ends_children_that_do_not_listen(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FOLLOW_S", 0.5)
    child = start(STUBBORN)
    child.wait_until(lambda: child.log.read_text().count("\n") == 2, LIMIT_S, lambda text: None)
    found = pids(child.log)
    assert found.keys() == {"child", "grandchild"} and all(map(runs, found.values()))
    child.stop()
    assert all_end(found.values())


def test_a_server_that_ignores_the_request_is_ended_all_the_same(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LEAVE_S", 0.5)
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
    )
    child = start(code)
    child.wait_until(lambda: "up" in child.log.read_text(), LIMIT_S, lambda text: None)
    child.stop()
    with pytest.raises(EngineFailed, match="ended with code -9"):
        child.watch()


def test_a_server_that_fails_gives_the_error_that_the_others_follow_from(start: Start) -> None:
    code = """
print("(EngineCore pid=7) WARNING 01-01 [x.py:1] ImportError: no such kernel, another is used")
print("(EngineCore pid=7) ERROR 01-01 [core.py:9] ValueError: no room for the KV cache")
print("RuntimeError: Engine core initialization failed. See root cause above.")
raise SystemExit(3)
"""
    child = start(code)
    with pytest.raises(EngineFailed) as caught:
        child.wait_until(lambda: False, LIMIT_S, lambda text: None)
    said = str(caught.value)
    assert "ended with code 3. Its last output: ValueError: no room for the KV cache. Its log: " in said
    assert "\n" not in said and caught.value.exit_code == 3


def test_a_server_that_ends_without_an_error_gives_its_last_lines(start: Start) -> None:
    child = start("print('one\\ntwo\\nthree\\nfour')")
    with pytest.raises(EngineFailed, match=r"Its last output: two \| three \| four\."):
        child.wait_until(lambda: False, LIMIT_S, lambda text: None)


def test_a_server_that_is_never_healthy_is_not_waited_for_any_longer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SAY_EVERY_S", 0.0)
    said: list[str] = []
    child = start("import time; time.sleep(600)")
    with pytest.raises(EngineFailed, match=r"not healthy after 2 s.*--start-timeout"):
        child.wait_until(lambda: False, 2, said.append)
    assert said and said[0].startswith("the server loads, ")


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="the server cannot be started: No such file or directory: no-such-program"):
        Child(["no-such-program"], os.environ, tmp_path / "server.log")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_ends_the_watch(start: Start, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start("import time; time.sleep(600)")
    wait = child._process.wait

    def wait_and_ask() -> int:
        """A request that came before the watch would end the tests."""
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        return wait()

    before = signal.signal(number, signal.SIG_DFL)
    try:
        with interruptible(), monkeypatch.context() as watched:
            watched.setattr(child._process, "wait", wait_and_ask)
            child.watch()
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_signal_of_the_terminal_does_not_reach_the_server(start: Start) -> None:
    child = start("import os, time; print('group', os.getpgid(0), flush=True); time.sleep(600)")
    child.wait_until(lambda: "group" in child.log.read_text(), LIMIT_S, lambda text: None)
    assert pids(child.log)["group"] != os.getpgid(0)


def test_the_process_that_serves_takes_its_server_with_it(tmp_path: Path) -> None:
    """Through a process of its own, as `tunegate serve` is one."""
    (tmp_path / "server.py").write_text(STUBBORN)
    code = f"""
import os, sys
from pathlib import Path
from harness.signals import interruptible
from harness.serving import server as process
process.FOLLOW_S = 0.5
with interruptible():
    words = [sys.executable, {str(tmp_path / "server.py")!r}, "own"]
    child = process.Child(words, os.environ, Path({str(tmp_path / "log")!r}))
    try:
        child.watch()
    finally:
        child.stop()
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    log = tmp_path / "log"
    end = time.monotonic() + LIMIT_S
    while not log.exists() or log.read_text().count("\n") < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    found = pids(log)
    parent.terminate()
    assert parent.wait(LIMIT_S) == 0
    assert all_end(found.values())
