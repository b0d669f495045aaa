"""Where a live view is drawn, and where plain lines are wanted."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

import pytest

from harness.progress.evaluation_view import Live
from harness.progress.progress import Lines, Progress, Silent
from harness.progress.terminal import LENT, is_terminal, lent, terminal_of
from tests.support.pseudo_terminal import UNSET
from training.progress import TrainingProgress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """A stream on a terminal, in an environment that wants drawing."""
    for name in (*UNSET, LENT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as stream:
        yield stream


def test_a_terminal_is_drawn_on(terminal: TextIO) -> None:
    assert terminal_of(terminal) == terminal.fileno()


@pytest.mark.parametrize("setting", ["NO_COLOR=1", "TERM=dumb", "TERM=unknown", "CI=true", "CI=1", "CI=woodpecker"])
def test_whoever_asks_for_plain_lines_gets_them(
    terminal: TextIO, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    assert terminal_of(terminal) is None


@pytest.mark.parametrize("setting", ["NO_COLOR=", "CI=false", "CI=0", "CI="])
def test_a_setting_that_says_no_is_none(terminal: TextIO, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    assert terminal_of(terminal) == terminal.fileno()


def test_a_pipe_a_text_and_a_closed_stream_are_no_terminal(terminal: TextIO) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stream:
        assert terminal_of(stream) is None
    assert terminal_of(stream) is None
    assert terminal_of(io.StringIO()) is None


def test_the_stream_of_a_notebook_is_no_terminal_though_its_server_has_one(terminal: TextIO) -> None:
    class Notebook(io.StringIO):
        def fileno(self) -> int:
            return terminal.fileno()

    assert not Notebook().isatty() and terminal_of(Notebook()) is None


def test_a_terminal_is_lent_to_a_process_whose_output_is_read(terminal: TextIO) -> None:
    code = "import io; from harness.progress.terminal import terminal_of; print(terminal_of(io.StringIO()) is not None)"
    command = [sys.executable, "-c", code]
    with lent(terminal) as (descriptors, environment):
        child = subprocess.run(
            command, pass_fds=descriptors, env=os.environ | environment, capture_output=True, text=True, check=True
        )
        assert terminal.fileno() not in descriptors
    assert child.stdout == "True\n"
    assert not is_terminal(descriptors[0])
    alone = subprocess.run(command, capture_output=True, text=True, check=True)
    assert alone.stdout == "False\n"


def test_nothing_is_lent_where_there_is_no_terminal() -> None:
    with lent(io.StringIO()) as found:
        assert found == ((), {})


@pytest.mark.parametrize("value", ["", "x", "-1", "9999", "99999999999999999999"])
def test_a_lent_terminal_that_is_none_is_not_drawn_on(
    terminal: TextIO, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LENT, value)
    assert terminal_of(io.StringIO()) is None


def test_progress_draws_on_a_terminal_and_prints_lines_elsewhere(terminal: TextIO) -> None:
    assert isinstance(Progress(terminal=terminal)._view, Live)
    assert isinstance(Progress(terminal=io.StringIO())._view, Lines)
    assert isinstance(Progress(quiet=True, terminal=terminal)._view, Silent)


@pytest.fixture
def closed_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """Standard error on a terminal whose window was closed."""
    ours, theirs = pty.openpty()
    os.close(ours)
    stream = os.fdopen(theirs, "w", buffering=1)
    monkeypatch.setattr(sys, "stderr", stream)
    yield stream
    with suppress(OSError):
        stream.close()


@pytest.mark.parametrize("view", [Lines(), Live(2), TrainingProgress(is_alone=False)])
def test_work_goes_on_after_its_terminal_closed(view: Lines | Live | TrainingProgress, closed_terminal: TextIO) -> None:
    view.say("training: 1/9 steps")
    with pytest.raises(OSError, match="Input/output error"):
        print("a line", file=closed_terminal, flush=True)
