"""Live view of an evaluation on a terminal: stages, a bar, the rate and the time left, drawn with rich.progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.formatting import format_duration
from harness.progress import widgets
from harness.progress.terminal import print_line
from harness.progress.time_left import TimeLeft
from harness.schema import Completion

if TYPE_CHECKING:
    from harness.progress.progress import Stage
    from harness.progress.screen import Screen

RATE_OVER_S = 120.0
"""The rate and the time left come from this many seconds."""


class Live:
    """A view (`harness.progress.progress.View`) on the terminal of this descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._picture: Picture | None = None
        self._screen: Screen | None = None

    def say(self, text: str) -> None:
        if self._screen is None:
            print_line(text)
        else:
            self._screen.say(text)

    @contextmanager
    def work(self, *names: str) -> Iterator[None]:
        from harness.progress.screen import Screen

        self._picture = Picture(names)
        try:
            with Screen(self._descriptor, self._picture.draw) as self._screen:
                yield
        finally:
            self._picture = self._screen = None

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Stage]:
        with ExitStack() as opened:
            if self._picture is None:
                opened.enter_context(self.work(name))
            assert self._picture is not None
            stage = LiveStage(name, total, unit)
            self._picture.begin(stage)
            try:
                yield stage
            finally:
                if total is not None:
                    self.say(stage.summary)


class LiveStage:
    """One stage: its counts, and the row that shows them."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.began = time.monotonic()
        self.done = self.cached = self.tokens = self.truncated = self.errors = 0
        self._lock = threading.Lock()
        self._time_left = TimeLeft()
        self.row = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn(unit, markup=False),
            TimeElapsedColumn(),
            auto_refresh=False,
            expand=True,
            speed_estimate_period=RATE_OVER_S,
            get_time=time.monotonic,
        )
        self._task = self.row.add_task(name, total=total)

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        with self._lock:
            self.done += done
            self.tokens += tokens
            self.row.advance(self._task, done)

    def answered(self, completion: Completion, cached: bool) -> None:
        with self._lock:
            if not cached and self.cached == self.done:  # Cached completions and loading the engine are not the rate.
                self.row.reset(self._task, completed=self.done)
        self.cached += cached
        self.truncated += completion.finish_reason == "length"
        self.errors += completion.finish_reason == "error"
        self.advance(1, 0 if cached else completion.prompt_tokens + completion.output_tokens)

    @property
    def facts(self) -> list[str]:
        """Counts that the bar does not show; empty strings where there is none."""
        is_waiting = self.done == self.cached and self.total is not None and self.done < self.total
        task = self.row.tasks[0]
        speed, left = task.speed, task.time_remaining
        return [
            f"{speed:,.1f} {self.unit}/s" if speed and not is_waiting else "",
            self._time_left.text(None if is_waiting else left),
            "waiting for the first new answer" if is_waiting and self.unit == "answers" else "",
            f"{self.cached:,} from the cache" if self.cached else "",
            f"{self.truncated:,} cut at the token limit" if self.truncated else "",
            f"{self.errors:,} errors" if self.errors else "",
        ]

    @property
    def summary(self) -> str:
        """The line that stays on the terminal when the stage has ended."""
        seconds = time.monotonic() - self.began
        cached = f", {self.cached:,} from the cache" if self.cached else ""
        rate = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens and seconds else ""
        return f"{self.name}: {self.done}/{self.total} {self.unit}{cached}{rate}, {format_duration(seconds)}"


class Picture:
    """Stages that belong together, as they are drawn."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.begun = 0
        self.stage: LiveStage | None = None

    def begin(self, stage: LiveStage) -> None:
        """Show this stage from now on."""
        self.begun += 1
        self.stage = stage

    def draw(self, columns: int, rows: int) -> RenderableType:
        """Render for a terminal of this size, in fewer than `rows` rows."""
        return Group(*list(self._rows(columns))[: max(1, rows - 1)])

    def _rows(self, columns: int) -> Iterator[RenderableType]:
        if len(self.names) > 1:
            yield widgets.trail(self.names, self.begun - 1)
        if self.stage is None:
            yield widgets.line("")
        elif self.stage.total is None:
            yield widgets.line(f"{self.stage.name}, {format_duration(time.monotonic() - self.stage.began)}")
        else:
            yield self.stage.row.get_renderable()
            yield from widgets.flow(self.stage.facts, columns)
