"""The progress display of training: a live view on a terminal, and occasional lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from harness.formatting import format_duration, phrase, with_interval
from harness.progress import widgets
from harness.progress.progress import LINE_EVERY_S
from harness.progress.screen import Screen
from harness.progress.terminal import print_line, terminal_of
from harness.progress.widgets import Series
from training.hooks import DATA, MODEL, RESULT, TRAINING, VALIDATION, Update
from training.validation import Validation, ValidationSet


class TrainingProgress:
    """Shows every Update that it is called with; `held` names the metrics."""

    def __init__(self, quiet: bool = False, is_alone: bool = True) -> None:
        """`is_alone`: no other process of the same training run prints on the terminal."""
        self.quiet = quiet
        self.held = ValidationSet()
        self._terminal = terminal_of(sys.stderr) if is_alone and not quiet else None
        self._picture = TrainingPicture()
        self._screen: Screen | None = None
        self._next_line = 0.0
        self._validation = ""

    def say(self, text: str) -> None:
        """Print one line, above the live view where there is one."""
        if self._screen is not None:
            self._screen.say(text)
        elif not self.quiet:
            print_line(text)

    def at(self, stage: str) -> None:
        """Show that a stage starts."""
        self._picture.stage = stage
        if self._terminal is not None and self._screen is None:
            self._screen = Screen(self._terminal, self._picture.draw)
            self._screen.open()

    def __call__(self, update: Update) -> None:
        if self.quiet:
            return
        self._picture.add(update)
        if update.measured is not None:
            mark = ", the best so far" if update.is_best else ""
            if update.measured.validation_loss is not None:
                self._validation = f", validation {update.measured.validation_loss:.4f}"
            at = f"step {update.step}" if update.step else "before the first step"
            self.say(f"training: {at}: {self._metrics(update.measured)}{mark}")
        elif self._terminal is None and (time.monotonic() >= self._next_line or update.step == update.total):
            self._next_line = time.monotonic() + LINE_EVERY_S
            left = f", about {format_duration(update.seconds_left)} left" if update.seconds_left else ""
            losses = f"loss {update.loss:.4f}{self._validation}"
            self.say(
                f"training: {update.step}/{update.total} steps, {losses}, lr {update.lr:.2e}, {_speed(update)}{left}"
            )

    def _metrics(self, measured: Validation) -> str:
        """Format the result of a validation in one line."""
        parts = []
        for questions, level in ((self.held.select, measured.task), (self.held.forgetting, measured.general)):
            if level is not None:
                name, is_share = "metric", False
                if questions is not None:
                    name, is_share = questions.metric.name, questions.metric.is_percentage([level.value])
                parts.append(f"{phrase(name)} {with_interval(level.value, level.low, level.high, is_share)}")
        if measured.validation_loss is not None:
            parts.append(f"validation loss {measured.validation_loss:.4f}")
        if measured.general_loss is not None:
            parts.append(f"general text loss {measured.general_loss:.4f}")
        return ", ".join(parts)

    def close(self) -> None:
        """Restore the terminal."""
        if self._screen is not None:
            self._screen.close()
            self._screen = None


STAGES = (DATA, MODEL, TRAINING, RESULT)
SPARK_COLUMNS = 40


class TrainingPicture:
    """The state and layout of the live view."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.stage = DATA
        self.step: Update | None = None
        self.losses, self.validations = Series(), Series()
        self.best_step = 0

    def add(self, update: Update) -> None:
        """Add an update."""
        if update.measured is None:
            self.step = update
            if update.loss is not None:
                self.losses.add(update.loss)
            return
        if update.measured.validation_loss is not None:
            self.validations.add(update.measured.validation_loss)
        if update.is_best:
            self.best_step = update.step

    def draw(self, columns: int, rows: int) -> RenderableType:
        """Render the view for a terminal of this size."""
        return Group(*list(self._rows(columns))[: max(1, rows - 1)])

    def _rows(self, columns: int) -> Iterator[RenderableType]:
        stage = TRAINING if self.stage == VALIDATION else self.stage
        yield widgets.trail(STAGES, STAGES.index(stage))
        step, elapsed = self.step, format_duration(time.monotonic() - self.started)
        if step is None:
            yield widgets.line(f"{self.stage}, {elapsed}")
            return
        yield widgets.bar(step.step, step.total, "steps")
        yield from widgets.flow([self.stage, *_facts(step, elapsed)], columns)
        yield from self._losses(columns)
        yield from widgets.flow(
            [
                f"resumes after step {step.saved_step} if interrupted" if step.saved_step else "",
                f"best adapter at step {self.best_step}" if self.best_step else "",
            ],
            columns,
            "dim",
        )

    def _losses(self, columns: int) -> Iterator[RenderableType]:
        table = Table.grid(padding=(0, 1, 0, 0))
        for _ in range(3):
            table.add_column(no_wrap=True)
        for name, series in (("loss", self.losses), ("validation loss", self.validations)):
            if series.last is not None:
                room = max(1, min(SPARK_COLUMNS, columns - len("validation loss 0.0000  ")))
                spark = widgets.Sparkline(list(series.means), room)
                table.add_row(widgets.line(name), widgets.line(f"{series.last:.4f}"), spark)
        yield table


def _speed(step: Update) -> str:
    return f"{step.tokens_per_s:,.0f} tokens/s ({step.answer_tokens_per_s:,.0f} answer)"


def _facts(step: Update, elapsed: str) -> list[str]:
    return [
        _speed(step),
        f"learning rate {step.lr:.2e}",
        f"{step.peak_memory_mib:,} MiB peak" if step.peak_memory_mib is not None else "",
        elapsed,
        f"about {format_duration(step.seconds_left)} left" if step.seconds_left else "",
    ]
