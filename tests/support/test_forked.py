"""A forked command is what a started one is: arguments, folder, streams, exit codes, signals, and its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.forked import Forked

SHOWS = """
import os, sys
print(sys.argv[1:], __name__, os.getcwd(), os.environ["GIVEN"], sys.stdin.read(), sys.path[0])
print("trouble", file=sys.stderr)
sys.exit({code})
"""
WAITS = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda number, frame: sys.exit(7))
print("waiting", flush=True)
time.sleep(60)
"""
SLEEPS = "import time; print('waiting', flush=True); time.sleep(60)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"shows": SHOWS.format(code=3), "says": SHOWS.format(code="'why'"), "waits": WAITS}.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    return tmp_path


def until_it_waits(process: Forked) -> None:
    while "waiting" not in process.said()[0]:
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize(("module", "code", "last"), [("shows", 3, "trouble\n"), ("says", 1, "trouble\nwhy\n")])
def test_arguments_folder_environment_streams_and_exit_code(folder: Path, module: str, code: int, last: str) -> None:
    done = forked.run(module, "a b", "", cwd=folder, env={"GIVEN": "x"})
    assert (done.returncode, done.stderr) == (code, last)
    assert done.stdout == f"['a b', ''] __main__ {folder} x  {folder}\n"


def test_the_folder_is_no_place_for_modules_where_that_is_said(folder: Path) -> None:
    done = forked.run("shows", cwd=folder, env={"GIVEN": "x"}, safe_path=True)
    assert done.returncode == 1 and "No module named shows" in done.stderr


@pytest.mark.parametrize(("module", "number", "code"), [
    ("waits", signal.SIGINT, 7), ("sleeps", signal.SIGTERM, -15), ("sleeps", signal.SIGKILL, -9),
])  # fmt: skip
def test_signals_reach_it(folder: Path, module: str, number: signal.Signals, code: int) -> None:
    process = Forked(module, cwd=folder)
    until_it_waits(process)
    process.send_signal(number)
    assert (process.wait(30), process.poll()) == (code, code)


def test_a_wait_ends_in_time_and_who_leaves_leaves_nothing_running(folder: Path) -> None:
    process = Forked("sleeps", cwd=folder)
    until_it_waits(process)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    pid = process.pid
    process._line.close()
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.01)
    raise AssertionError("it runs on")


@pytest.mark.parametrize(("module", "number", "code"), [
    ("waits", signal.SIGINT, 7), ("sleeps", signal.SIGTERM, -15), ("sleeps", signal.SIGKILL, None),
])  # fmt: skip
def test_a_program_for_shells_passes_everything_on(
    folder: Path, module: str, number: signal.Signals, code: int | None
) -> None:
    """Killed outright, it takes the command with it."""
    env = os.environ | {"PYTHONPATH": str(folder)}
    with subprocess.Popen(forked.program(module), cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        assert process.stdout.read() == ""
    assert code is None or process.returncode == code


def test_commands_on_a_path_are_the_projects_own(tmp_path: Path) -> None:
    env = os.environ | {"PATH": f"{forked.programs()}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", "tunegate nonsense"], cwd=tmp_path, env=env, capture_output=True, text=True)
    started = subprocess.run([sys.executable, "-m", "tunegate.cli.main", "nonsense"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (started.returncode, started.stderr)
    assert "No such command 'nonsense'" in done.stderr
