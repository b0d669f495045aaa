"""Draw a picture at the bottom of a terminal and print lines above it.

A thread draws the picture, so that work never waits for it; an error in drawing does not end a run.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from harness.progress.capture import CapturedOutput
from harness.progress.terminal import is_lent
from harness.sanitize import shown

EVERY_S = 0.5
SIZE = os.terminal_size((80, 24))
"""Size of a terminal that does not report its own."""

Draw = Callable[[int, int], RenderableType]
"""Returns the picture for a number of columns and rows."""


class Screen:
    """A context that shows the picture; afterwards it is removed and the cursor is restored."""

    def __init__(self, descriptor: int, draw: Draw) -> None:
        self._descriptor, self._draw = descriptor, draw
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._failed = ""

    def __enter__(self) -> Screen:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Start drawing."""
        encoding = getattr(sys.stderr, "encoding", None)
        with ExitStack() as opened:
            file = opened.enter_context(os.fdopen(os.dup(self._descriptor), "w", encoding=encoding, errors="replace"))
            self._console = Console(
                file=file, force_terminal=True, force_interactive=True, legacy_windows=False, highlight=False
            )
            self._aside = CapturedOutput(everything=is_lent())
            opened.callback(self._last_words)
            opened.enter_context(self._aside)
            self._measure()
            opened.callback(self._console.show_cursor, True)
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            opened.enter_context(self._live)
            opened.callback(self._stop)
            self._thread = threading.Thread(target=self._go_on, name="tunegate-screen", daemon=True)
            self._thread.start()
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Remove the picture."""
        with suppress(OSError):  # The terminal may have closed.
            self._opened.close()

    def say(self, text: str) -> None:
        """Print one line above the picture."""
        with self._lock, suppress(OSError):
            self._print([*self._aside.lines(), text])

    def _go_on(self) -> None:
        while not self._failed:
            self._tick()
            if self._over.wait(EVERY_S):
                return

    def _tick(self) -> None:
        with self._lock:
            try:
                columns, rows = self._measure()
                picture = self._draw(columns, rows)
                self._print(self._aside.lines())
                self._live.update(picture, refresh=True)
            except Exception as error:  # Any error: the run continues, and the error is shown at the end.
                self._failed = f"the live view ended early: {type(error).__name__}: {error}"

    def _measure(self) -> os.terminal_size:
        """Return the current columns and rows, from the terminal itself, because standard output is redirected."""
        with suppress(OSError):
            size = os.get_terminal_size(self._console.file.fileno())
            self._console.size = size if size.columns and size.lines else SIZE
        return os.terminal_size(self._console.size)

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._console.print(Text(shown(Text.from_ansi(line).plain)), soft_wrap=True)

    def _stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _last_words(self) -> None:
        self._print([*self._aside.rest(), *filter(None, [self._failed])])
