"""Print a line, find the terminal to draw on, and lend it to a child process.

With NO_COLOR, a dumb terminal or CI, output is plain lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from harness.env import in_ci

LENT = "TUNEGATE_TERMINAL"
"""Environment variable with the descriptor of the terminal that a child process may draw on."""
SHOW_CURSOR = b"\x1b[?25h"
DUMB = ("dumb", "unknown")


def print_line(text: str) -> None:
    """Print one line for the user on standard error; a terminal that has closed, or a full disk, ends no work."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def terminal_of(stream: TextIO) -> int | None:
    """Return the descriptor of the terminal behind `stream`, or of the lent one; None where output is plain lines."""
    if not wants_drawing(os.environ):
        return None
    candidates = (_descriptor(stream), _lent())
    return next((number for number in candidates if number is not None and is_terminal(number)), None)


def wants_drawing(environment: Mapping[str, str]) -> bool:
    """Whether a terminal in this environment may be drawn on."""
    return not (environment.get("NO_COLOR") or environment.get("TERM", "").lower() in DUMB or in_ci(environment))


@contextmanager
def lent(stream: TextIO) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """Yield the descriptors and the environment that lend the terminal of `stream` to a child; empty without one.

    The descriptor is a new one, because the child's standard error is redirected. The cursor is shown afterwards, since
    a killed child leaves it hidden.
    """
    descriptor = terminal_of(stream)
    if descriptor is None:
        yield (), {}
        return
    other = os.dup(descriptor)
    try:
        yield (other,), {LENT: str(other)}
    finally:
        with suppress(OSError):
            os.write(other, SHOW_CURSOR)
        os.close(other)


def is_lent() -> bool:
    """Whether the terminal is the parent's, which prints the output of this process."""
    return _lent() is not None


def _descriptor(stream: TextIO) -> int | None:
    """Return the descriptor of a stream that says it is a terminal; a notebook's has that of its server's terminal."""
    try:
        return stream.fileno() if stream.isatty() else None
    except (OSError, ValueError, AttributeError):
        return None


def _lent() -> int | None:
    text = os.environ.get(LENT, "")
    return int(text) if text.isdecimal() else None


def is_terminal(descriptor: int) -> bool:
    """Whether a terminal is behind this descriptor."""
    try:
        return os.isatty(descriptor)
    except (OSError, OverflowError):
        return False
