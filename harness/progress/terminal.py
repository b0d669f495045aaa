"""Whether there is a terminal to draw on, and how it is lent to a process of one's own. Draws nothing.

NO_COLOR, a dumb terminal and CI ask for plain lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from harness.env import in_ci

LENT = "TUNEGATE_TERMINAL"
"""Names, to a process whose output is read by its parent, the descriptor of the terminal that it may draw on."""
SHOW_CURSOR = b"\x1b[?25h"
DUMB = ("dumb", "unknown")


def terminal_of(stream: TextIO) -> int | None:
    """The descriptor of the terminal that `stream` writes to, or that was lent; None where plain lines are wanted."""
    if not wants_drawing(os.environ):
        return None
    return next((found for found in (_descriptor(stream), _lent()) if found is not None and is_terminal(found)), None)


def wants_drawing(environment: Mapping[str, str]) -> bool:
    """Whether a terminal in this environment may be drawn on."""
    return not (environment.get("NO_COLOR") or environment.get("TERM", "").lower() in DUMB or in_ci(environment))


@contextmanager
def lent(stream: TextIO) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """The descriptors and the environment that lend the terminal of `stream` to a child; both empty without one.

    The descriptor is a new one, as a child's own standard error goes elsewhere. Afterwards the cursor is shown: a child
    that was killed left it hidden.
    """
    found = terminal_of(stream)
    if found is None:
        yield (), {}
        return
    other = os.dup(found)
    try:
        yield (other,), {LENT: str(other)}
    finally:
        with suppress(OSError):
            os.write(other, SHOW_CURSOR)
        os.close(other)


def is_lent() -> bool:
    """Whether the terminal is a parent's, who reads what is printed here and prints it in turn."""
    return _lent() is not None


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
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
