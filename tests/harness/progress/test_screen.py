"""A picture at the foot of a terminal harms nobody: not the run, not the lines above it, not the terminal."""

import os
import pty
import select
from collections.abc import Iterator

import pytest
from rich.console import RenderableType
from rich.text import Text

from harness.progress import screen
from harness.progress.screen import Screen
from tests.support.pseudo_terminal import Seen


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """The keyboard's end and the program's."""
    monkeypatch.setattr(screen, "EVERY_S", 0.01)
    ends = pty.openpty()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def seen(keyboard: int) -> Seen:
    written = b""
    while select.select([keyboard], [], [], 0.1)[0]:
        written += os.read(keyboard, 1 << 16)
    return Seen(written.decode(), 0, 80, 24)


def still(columns: int, rows: int) -> RenderableType:
    return Text(f"a picture of {columns} by {rows}")


def test_lines_stand_above_the_picture_and_stay(terminal: tuple[int, int]) -> None:
    keyboard, ours = terminal
    with Screen(ours, still) as it:
        it.say("first [bold]line[/bold] \x1b[2Jof \u202eall")
        it.say("second")
    found = seen(keyboard)
    assert found.text.splitlines()[:2] == ["first [bold]line[/bold] of ⟨U+202E⟩all", "second"]
    assert "a picture of 80 by 24" in "\n".join(found.frames) and "a picture" not in found.text
    assert found.cursor_is_shown and found.unknown == []


def test_a_picture_that_cannot_be_drawn_ends_no_run_and_says_so(terminal: tuple[int, int]) -> None:
    keyboard, ours = terminal

    def broken(columns: int, rows: int) -> RenderableType:
        raise ValueError("no such colour")

    with Screen(ours, broken) as it:
        it.say("the run goes on")
    found = seen(keyboard)
    assert found.text.strip().splitlines() == [
        "the run goes on", "the live view ended early: ValueError: no such colour"
    ]  # fmt: skip
    assert found.cursor_is_shown


def test_a_terminal_that_goes_away_ends_no_run(terminal: tuple[int, int]) -> None:
    keyboard, ours = terminal
    with Screen(ours, still) as it:
        os.close(keyboard)
        it.say("to nobody")


def test_an_error_of_the_run_passes_through_and_the_cursor_is_back(terminal: tuple[int, int]) -> None:
    keyboard, ours = terminal
    with pytest.raises(KeyboardInterrupt), Screen(ours, still):
        raise KeyboardInterrupt
    assert seen(keyboard).cursor_is_shown
