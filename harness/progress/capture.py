"""Keeps what is printed while a picture stands on the terminal, so that it does not run into it. Draws nothing.

The file descriptors themselves are turned, so that libraries in C and processes that were started here (vLLM's) are
kept too. A file in memory takes it all, not a pipe: nobody who prints waits for a reader or for room on a disk, and
none breaks who prints on after the end.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, suppress
from typing import BinaryIO, cast

from harness.progress.terminal import is_terminal

CHUNK_BYTES = 1 << 16


class CapturedOutput:
    """A context in which standard output and error go to a file: `everything`, or what would go to a terminal."""

    def __init__(self, everything: bool) -> None:
        self._everything = everything
        self._read = 0
        self._begun = b""

    def __enter__(self) -> CapturedOutput:
        self._file = _new_file()
        with ExitStack() as opened:
            for number in (1, 2):
                if self._everything or is_terminal(number):
                    self._turn(number, opened)
            self._turned = opened.pop_all()
        return self

    def _turn(self, number: int, opened: ExitStack) -> None:
        _flush()
        before = os.dup(number)
        opened.callback(os.close, before)
        opened.callback(os.dup2, before, number)
        opened.callback(_flush)
        os.dup2(self._file.fileno(), number)

    def __exit__(self, *_: object) -> None:
        self._turned.close()

    def lines(self) -> list[str]:
        """Whole lines that came since the last call."""
        *whole, self._begun = (self._begun + self._new()).split(b"\n")
        return [_text(line) for line in whole]

    def rest(self) -> list[str]:
        """All that is left once the context has ended; the last call."""
        with self._file:
            found = self.lines()
        return [*found, _text(self._begun)] if self._begun else found

    def _new(self) -> bytes:
        found = bytearray()
        while some := os.pread(self._file.fileno(), CHUNK_BYTES, self._read):
            found += some
            self._read += len(some)
        return bytes(found)


def _text(line: bytes) -> str:
    """What a terminal would show of a line that was overwritten: its last state."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]


def _new_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("tunegate-aside"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())  # Not Linux.


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
