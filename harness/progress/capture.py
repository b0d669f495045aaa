"""Capture output while a live view is on the terminal, so that the two do not mix.

The file descriptors themselves are redirected, so that C libraries and child processes (vLLM's) are captured too. The
output goes to a file in memory, not a pipe: no writer waits for a reader or for space on a disk, and none fails that
writes after the end.
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
        """Return the complete lines since the last call."""
        *whole, self._begun = (self._begun + self._new()).split(b"\n")
        return [_text(line) for line in whole]

    def rest(self) -> list[str]:
        """Return the rest after the context has ended; the last call."""
        with self._file:
            lines = self.lines()
        return [*lines, _text(self._begun)] if self._begun else lines

    def _new(self) -> bytes:
        data = bytearray()
        while chunk := os.pread(self._file.fileno(), CHUNK_BYTES, self._read):
            data += chunk
            self._read += len(chunk)
        return bytes(data)


def _text(line: bytes) -> str:
    """Return the last state of a line that was overwritten with carriage returns."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]


def _new_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("tunegate-aside"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())  # Not Linux.


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
