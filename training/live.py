"""The live view of a training: stage, steps, losses, rates, time left, what is kept. Computes nothing.

The training hands on what it tells; the thread that draws does all the rest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from harness.clock import clock
from harness.live import parts
from harness.live.screen import Screen
from harness.live.series import Series
from training.hooks import DATA, MODEL, RESULT, TRAINING, VALIDATION, Update

STAGES = (DATA, MODEL, TRAINING, RESULT)
SPARK_COLUMNS = 40


class TrainingView:
    """The view of one training on a terminal; it stands from the first stage to `close`."""

    def __init__(self, terminal: int) -> None:
        self._picture = Picture()
        self._terminal = terminal
        self._screen: Screen | None = None

    def at(self, stage: str) -> None:
        """A stage begins."""
        self._picture.stage = stage
        if self._screen is None:
            self._screen = Screen(self._terminal, self._picture.draw)
            self._screen.open()

    def show(self, update: Update) -> None:
        """Take in what a step or an evaluation tells."""
        self._picture.add(update)

    def say(self, text: str) -> None:
        """One line that stays."""
        if self._screen is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._screen.say(text)

    def close(self) -> None:
        """Take the view away."""
        if self._screen is not None:
            self._screen.close()
            self._screen = None


class Picture:
    """What is known of a training, and how it looks."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stage = DATA
        self.step: Update | None = None
        self.losses, self.validations = Series(), Series()
        self.best_step = 0

    def add(self, update: Update) -> None:
        """Take in what a step or an evaluation tells."""
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
        """The picture for a terminal of this size."""
        return Group(*list(self._rows(columns))[: max(1, rows - 1)])

    def _rows(self, columns: int) -> Iterator[RenderableType]:
        stage = TRAINING if self.stage == VALIDATION else self.stage
        yield parts.trail(STAGES, STAGES.index(stage))
        step, spent = self.step, clock(time.monotonic() - self.began)
        if step is None:
            yield parts.line(f"{self.stage}, {spent}")
            return
        yield parts.bar(step.step, step.total, "steps")
        yield from parts.flow([self.stage, *_facts(step, spent)], columns)
        yield from self._losses(columns)
        yield from parts.flow(
            [
                f"goes on after step {step.saved_step} if interrupted" if step.saved_step else "",
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
                spark = parts.Sparkline(list(series.means), room)
                table.add_row(parts.line(name), parts.line(f"{series.last:.4f}"), spark)
        yield table


def _facts(step: Update, spent: str) -> list[str]:
    return [
        f"{step.tokens_per_s:,.0f} tokens/s ({step.answer_tokens_per_s:,.0f} answer)",
        f"learning rate {step.lr:.2e}",
        f"{step.peak_memory_mib:,} MiB at most" if step.peak_memory_mib is not None else "",
        spent,
        f"about {clock(step.seconds_left)} left" if step.seconds_left else "",
    ]
