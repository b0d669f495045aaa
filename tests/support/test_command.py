"""A command inside the test process is what one in a process of its own is, and leaves the process as it was."""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import pytest

from tests.support import command
from tests.support.mini import TEST, pytest_in, right, rows, write_script, write_suite

PRINTS = """import os
import subprocess
import sys

print("from python")
os.write(2, b"from a library in C\\n")
subprocess.run([sys.executable, "-c", "print('from a process')"], check=True)
os.environ["SET_BY_THE_SUITE"] = "1"
"""


def state() -> list[object]:
    """What a command may change of its process."""
    streams = [sys.stdin, sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino]
    handlers = [signal.getsignal(number) for number in command.SIGNALS]
    log = [logging.getLogger().level, list(logging.getLogger().handlers), list(warnings.filters)]
    places = [Path.cwd(), list(sys.path), list(sys.meta_path), sys.argv]
    suites = {name: module for name, module in sys.modules.items() if name.startswith(("evalsuites", "test_mini"))}
    return [*streams, *handlers, *log, *places, suites, dict(os.environ)]


@pytest.mark.slow
def test_pytest_and_tunegate_leave_the_process_as_it_was(tmp_path: Path) -> None:
    write_suite(tmp_path, test=PRINTS + TEST)
    write_script(tmp_path, tuned=right(rows()))
    before = state()
    done = pytest_in(tmp_path, "-q", "-s", env={"OWN": "1"})
    compared = command.tunegate(tmp_path, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    assert state() == before
    assert done.returncode == 0 and "63 passed" in done.stdout and compared.returncode in (0, 1)
    for written in (done, compared):
        assert "from python\n" in written.stdout and "from a process\n" in written.stdout
        assert "from a library in C\n" in written.stderr and "from a" not in written.stderr.replace("from a lib", "")


def test_a_suite_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    write_suite(tmp_path)
    for name in ("test_finds_every_clause", "test_finds_other_clause"):
        write_suite(tmp_path, test=TEST.replace("test_finds_every_clause", name))
        assert f"::{name}[c1]" in pytest_in(tmp_path, "-q", "--collect-only").stdout


def test_a_mistake_is_an_exit_code_and_a_line(tmp_path: Path) -> None:
    done = command.tunegate(tmp_path, "report", "nowhere")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("tunegate: ") and done.stderr.count("\n") == 1


def test_ctrl_c_ends_the_tests_and_not_the_command_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.cli, "app", lambda **_: os.kill(os.getpid(), signal.SIGINT))
    before = state()
    with pytest.raises(KeyboardInterrupt):
        command.tunegate(tmp_path, "runs")
    assert state() == before


def test_a_started_process_is_read_while_it_runs_and_killed_when_it_takes_too_long(tmp_path: Path) -> None:
    process = command.Process("-c", "import time; print('begun', flush=True); time.sleep(60)", cwd=tmp_path)
    while "begun\n" not in process.output()[0]:
        assert process.poll() is None
    with pytest.raises(command.subprocess.TimeoutExpired):
        process.finish(timeout=0.1)
    assert process.returncode == -signal.SIGKILL
