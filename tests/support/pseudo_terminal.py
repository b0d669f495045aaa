"""A pseudo-terminal: runs a command on it, as at a keyboard, and says what stood on its screen."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len

from tests.support.command import Fork

LIMIT_S = 900.0
"""A command that takes longer hangs."""
CTRL_C = b"\x03"
UNSET = ("NO_COLOR", "CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES", "PYTEST_ADDOPTS")
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Seen:
    """All that was written to the terminal, played back on a screen of its size."""

    def __init__(self, written: str, code: int, columns: int, rows: int) -> None:
        self.written, self.code = written, code
        self.columns, self.rows = columns, rows
        self.screen: list[list[str]] = [[]]
        self.row = self.column = 0
        self.cursor_is_shown = True
        self.frames: list[str] = []
        """What stood there each time that a picture was about to be replaced."""
        self.unknown: list[str] = []
        """Control characters and sequences besides those that move, erase, colour, or show and hide the cursor."""
        self._play()

    @property
    def text(self) -> str:
        """What stands there now, above the visible part too."""
        return "\n".join("".join(line).rstrip() for line in self.screen)

    def _play(self) -> None:
        place, was_erasing = 0, False
        while place < len(self.written):
            found = SEQUENCE.match(self.written, place)
            if found is None:
                was_erasing = was_erasing and self.written[place] == "\r"
                self._put(self.written[place])
                place += 1
                continue
            if found[2] == "K" and not was_erasing:
                self.frames.append(self.text)
                was_erasing = True
            self._obey(found[1], found[2])
            place = found.end()

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._to_row(self.row + 1)
        elif ord(character) < 32 or 127 <= ord(character) < 160:
            self.unknown.append(character)
        else:
            width = cell_len(character)
            if self.column + width > self.columns:
                self._to_row(self.row + 1)
                self.column = 0
            line = self.screen[self.row]
            line.extend(" " * (self.column + width - len(line)))
            line[self.column : self.column + width] = [character, *[""] * (width - 1)]
            self.column += width

    def _to_row(self, row: int) -> None:
        self.row = row
        self.screen.extend([] for _ in range(row + 1 - len(self.screen)))

    def _obey(self, numbers: str, letter: str) -> None:
        if letter == "A":
            self.row = max(self.row - int(numbers or 1), len(self.screen) - self.rows, 0)
        elif letter == "K" and numbers == "2":
            self.screen[self.row] = []
        elif numbers == "?25":
            self.cursor_is_shown = letter == "h"
        elif letter != "m":
            self.unknown.append(f"{numbers}{letter}")


def run_on_terminal(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    columns: int = 100,
    rows: int = 30,
    type_when: tuple[Callable[[str], bool], bytes | signal.Signals | None] | None = None,
    answers: Sequence[bytes] = (),
) -> Seen:
    """Run `tunegate WORDS` or `pytest WORDS` to its end.

    `type_when` types the bytes, or sends the signal, once what it wrote meets a test; None hangs up. Of the `answers`,
    one is typed whenever it has written "> ".
    """
    waiting = list(answers)
    settings = {name: value for name, value in os.environ.items() if name not in UNSET}
    settings |= {"TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[2]), **(environment or {})}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    child = Fork(*command, cwd=folder, env=settings, terminal=(ours, theirs))
    os.close(theirs)
    written, until = b"", time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            some = os.read(ours, 1 << 16)
        except OSError:  # Linux says the other end's close so.
            break
        written += some
        if waiting and written.endswith(b"> "):
            os.write(ours, waiting.pop(0))
        if type_when is not None and type_when[0](written.decode("utf-8", "replace")):
            if type_when[1] is None:
                break
            if isinstance(type_when[1], signal.Signals):
                os.kill(child.pid or 0, type_when[1])
            else:
                os.write(ours, type_when[1])
            type_when = None
    else:
        child.kill()
    os.close(ours)
    child.join()
    return Seen(written.decode("utf-8"), child.exitcode or 0, columns, rows)
