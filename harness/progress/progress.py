"""Report the progress of work: a live view on a terminal, occasional lines elsewhere so that logs stay readable."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from harness.formatting import format_duration
from harness.progress import tracing
from harness.progress.terminal import print_line, terminal_of
from harness.progress.time_left import TimeLeft
from harness.schema import Completion

LINE_EVERY_S = 15.0


class Stage(Protocol):
    """One piece of work."""

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        """Count `done` finished units and `tokens` processed tokens."""

    def answered(self, completion: Completion, cached: bool) -> None:
        """Count one completion, new or `cached`."""


class View(Protocol):
    """A way to show progress."""

    def say(self, text: str) -> None:
        """Print one line for the user."""

    def work(self, *names: str) -> AbstractContextManager[None]:
        """Group stages of these names, which follow one another."""

    def stage(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Stage]:
        """Show one stage until the block ends."""


class Progress:
    """Shows progress on stderr, or on the caller's `terminal`; `quiet=True` shows nothing."""

    def __init__(self, quiet: bool = False, terminal: TextIO | None = None) -> None:
        self._view = _view(quiet, terminal or sys.stderr)

    def say(self, text: str) -> None:
        """Print one line for the user."""
        self._view.say(text)

    def work(self, *names: str) -> AbstractContextManager[None]:
        """Group stages of these names, which follow one another."""
        return self._view.work(*names)

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "answers") -> Iterator[Stage]:
        """Show one stage until the block ends; without a `total` where the amount of work is unknown."""
        with tracing.span(name.partition(" (")[0], stage=name), self._view.stage(name, total, unit) as stage:
            yield stage


def _view(quiet: bool, stream: TextIO) -> View:
    if quiet:
        return Silent()
    terminal_descriptor = terminal_of(stream)
    if terminal_descriptor is None:
        return Lines()
    from harness.progress.evaluation_view import Live

    return Live(terminal_descriptor)


class Silent:
    """Shows nothing; both a view and its stages."""

    def say(self, text: str) -> None:
        pass

    def work(self, *names: str) -> AbstractContextManager[None]:
        return nullcontext()

    def stage(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Stage]:
        return nullcontext(self)

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        pass

    def answered(self, completion: Completion, cached: bool) -> None:
        pass


class Lines:
    """Plain lines on stderr."""

    def say(self, text: str) -> None:
        print_line(text)

    def work(self, *names: str) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Stage]:
        if total is None:
            yield Silent()
            return
        lines = _StageLines(self, name, total, unit)
        yield lines
        lines.close()


class _StageLines:
    """Prints a line every LINE_EVERY_S seconds and one at the end."""

    def __init__(self, lines: Lines, name: str, total: int, unit: str) -> None:
        self.lines, self.name, self.total, self.unit = lines, name, total, unit
        self.done = self.done_before = self.cached = self.tokens = 0
        self.start = self.last = time.monotonic()
        self.first_new: float | None = None
        self.time_left = TimeLeft()

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        now = time.monotonic()
        self.done += done
        self.tokens += tokens
        if self.first_new is None:
            self.first_new, self.done_before = now, self.done
        new = self.done - self.done_before
        left = self.time_left.text((now - self.first_new) * (self.total - self.done) / new if new else None)
        if now - self.last >= LINE_EVERY_S:
            self.last = now
            self.close(left)

    def answered(self, completion: Completion, cached: bool) -> None:
        self.cached += cached
        if cached and self.first_new is None:  # Neither cached completions nor loading the engine are the rate.
            self.done += 1
        else:
            self.advance(1, 0 if cached else completion.prompt_tokens + completion.output_tokens)

    def close(self, left: str = "") -> None:
        """Print the current counts."""
        seconds = max(time.monotonic() - self.start, 1e-9)
        cached = f", {self.cached:,} from the cache" if self.cached else ""
        rate = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens else ""
        parts = f"{self.name}: {self.done}/{self.total} {self.unit}{cached}{rate}, {format_duration(seconds)}"
        self.lines.say(f"{parts}, {left}" if left else parts)
