"""What is printed meanwhile is kept, line by line, whoever prints it."""

import os
import subprocess
import sys
import time

import pytest

from harness.progress.capture import CapturedOutput


def test_libraries_in_c_and_children_are_kept_too(capfd: pytest.CaptureFixture[str]) -> None:
    with CapturedOutput(everything=True) as aside:
        os.write(1, b"from Python\n")
        os.write(2, b"from C\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        assert aside.lines() == ["from Python", "from C", "from a child"]
        assert aside.lines() == []
    assert aside.rest() == []
    print("afterwards")
    assert capfd.readouterr().out == "afterwards\n"


def test_a_line_is_given_out_once_it_is_whole(capfd: pytest.CaptureFixture[str]) -> None:
    with CapturedOutput(everything=True) as aside:
        os.write(1, b"half ")
        assert aside.lines() == []
        os.write(1, "übrig\nunfin".encode())
        assert aside.lines() == ["half übrig"]
    assert aside.rest() == ["unfin"]


def test_a_bar_that_overwrites_itself_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with CapturedOutput(everything=True) as aside:
        os.write(2, b"\r 10%\r 50%\r100%\n")
        assert aside.lines() == ["100%"]
    assert aside.rest() == []


def test_both_are_restored_where_the_work_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), CapturedOutput(everything=True):
        raise RuntimeError
    os.write(1, b"out\n")
    os.write(2, b"err\n")
    assert capfd.readouterr() == ("out\n", "err\n")


def test_what_does_not_go_to_a_terminal_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with CapturedOutput(everything=False) as aside:
        os.write(1, b"to a file\n")
        assert aside.lines() == []
    assert aside.rest() == []
    assert capfd.readouterr().out == "to a file\n"


def test_a_child_that_outlives_the_view_prints_on_without_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print('early', flush=True); sys.stdin.read(); print('late', flush=True)"
    with CapturedOutput(everything=True) as aside:
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        found: list[str] = []
        for _ in range(12_000):
            found += aside.lines()
            if found:
                break
            time.sleep(0.02)
        assert found == ["early"]
    aside.rest()
    child.communicate()
    assert child.returncode == 0
