"""Says what is going on: stage, bar, tokens/s, time left. Knows no engine and computes no score.

On a terminal it draws bars with rich; elsewhere it prints a line now and then, so that logs stay readable.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY_S = 15.0


class Stage(Protocol):
    """One long piece of work."""

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        """`done` more units of the total are finished, `tokens` tokens went through."""


class Progress:
    """Reports stages on stderr; `quiet=True` says nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, text: str) -> None:
        """One line for the user."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def stage(self, name: str, total: int, unit: str = "answers") -> Iterator[Stage]:
        """Report one stage of `total` units until the block ends."""
        if self.quiet:
            yield _Silent()
        elif sys.stderr.isatty():
            with _bar(name, total, unit) as stage:
                yield stage
        else:
            lines = _Lines(name, total, unit)
            yield lines
            lines.close()


class _Silent:
    def advance(self, done: int = 1, tokens: int = 0) -> None:
        pass


class _Lines:
    """A line every LINE_EVERY_S seconds and one at the end."""

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = self.tokens = 0
        self.start = self.last = time.monotonic()

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        self.done += done
        self.tokens += tokens
        if time.monotonic() - self.last >= LINE_EVERY_S:
            self.last = time.monotonic()
            self._print()

    def _print(self) -> None:
        seconds = max(time.monotonic() - self.start, 1e-9)
        left = seconds * (self.total - self.done) / self.done if self.done else None
        rate = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens else ""
        wait = f", {clock(left)} left" if left else ""
        print(
            f"{self.name}: {self.done}/{self.total} {self.unit}{rate}, {clock(seconds)}{wait}",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        self._print()


@contextmanager
def _bar(name: str, total: int, unit: str) -> Iterator[Stage]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + "{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(name, total=total, rate="")
        start = time.monotonic()
        tokens_done = 0

        class Bar:
            def advance(self, done: int = 1, tokens: int = 0) -> None:
                nonlocal tokens_done
                tokens_done += tokens
                rate = tokens_done / max(time.monotonic() - start, 1e-9)
                bars.update(task, advance=done, rate=f", {rate:,.0f} tokens/s" if tokens_done else "")

        yield Bar()


def clock(seconds: float) -> str:
    """Seconds as a person says them: `42 s`, `3 min 20 s`, `1 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
