"""What is said while work goes on, and who says it. Knows no engine, computes no score and draws nothing.

On a terminal `harness.progress.screen` draws it; elsewhere it is a line now and then, so that logs stay readable.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from harness.formatting import format_duration
from harness.progress.terminal import terminal_of
from harness.schema import Completion

LINE_EVERY_S = 15.0


class Stage(Protocol):
    """One piece of work."""

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        """`done` more units of the total are finished, `tokens` tokens went through."""

    def answered(self, completion: Completion, cached: bool) -> None:
        """One unit more: an answer, new or `cached`."""


class View(Protocol):
    """Who shows work."""

    def say(self, text: str) -> None:
        """One line for the user."""

    def work(self, *names: str) -> AbstractContextManager[None]:
        """Stages of these names belong together and follow one another."""

    def stage(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Stage]:
        """One stage until the block ends."""


class Progress:
    """Shows work on stderr, or on the `terminal` of who calls; `quiet=True` says nothing."""

    def __init__(self, quiet: bool = False, terminal: TextIO | None = None) -> None:
        self._view = _view(quiet, terminal or sys.stderr)

    def say(self, text: str) -> None:
        """One line for the user."""
        self._view.say(text)

    def work(self, *names: str) -> AbstractContextManager[None]:
        """Stages of these names belong together and follow one another."""
        return self._view.work(*names)

    def stage(self, name: str, total: int | None = None, unit: str = "answers") -> AbstractContextManager[Stage]:
        """One stage until the block ends; without a `total` where nobody can tell how much it is."""
        return self._view.stage(name, total, unit)


def _view(quiet: bool, stream: TextIO) -> View:
    if quiet:
        return Silent()
    found = terminal_of(stream)
    if found is None:
        return Lines()
    from harness.progress.evaluation_view import Live

    return Live(found)


class Silent:
    """Says nothing. A view, and any stage of it."""

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
        print(text, file=sys.stderr, flush=True)

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
    """A line every LINE_EVERY_S seconds and one at the end."""

    def __init__(self, lines: Lines, name: str, total: int, unit: str) -> None:
        self.lines, self.name, self.total, self.unit = lines, name, total, unit
        self.done = self.tokens = 0
        self.start = self.last = time.monotonic()

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        self.done += done
        self.tokens += tokens
        if time.monotonic() - self.last >= LINE_EVERY_S:
            self.last = time.monotonic()
            self.close()

    def answered(self, completion: Completion, cached: bool) -> None:
        self.advance(1, completion.prompt_tokens + completion.output_tokens)

    def close(self) -> None:
        """Say where it stands."""
        seconds = max(time.monotonic() - self.start, 1e-9)
        left = seconds * (self.total - self.done) / self.done if self.done else None
        rate = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens else ""
        wait = f", {format_duration(left)} left" if left else ""
        self.lines.say(f"{self.name}: {self.done}/{self.total} {self.unit}{rate}, {format_duration(seconds)}{wait}")
