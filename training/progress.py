"""Shows a training: a bar on a terminal, a line now and then elsewhere. Computes nothing."""

from __future__ import annotations

import sys
import time
from typing import Any

from harness.clock import clock
from harness.progress import LINE_EVERY_S
from harness.schema import Estimate
from training.evaluation import Held, Measured
from training.hooks import Update


class TrainingProgress:
    """Call it with every Update; `close` it at the end. `held` says what the metrics are."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bars: Any = None
        self.task: Any = None
        self.last = 0.0
        self.validation = ""
        self.held = Held()

    def say(self, text: str) -> None:
        """One line for the user."""
        if self.quiet:
            return
        if self.bars is not None:
            self.bars.console.print(text, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def __call__(self, update: Update) -> None:
        if self.quiet:
            return
        if update.measured is not None:
            mark = ", the best so far" if update.is_best else ""
            if update.measured.validation_loss is not None:
                self.validation = f", validation {update.measured.validation_loss:.4f}"
            at = f"step {update.step}" if update.step else "before the first step"
            self.say(f"training: {at}: {self._found(update.measured)}{mark}")
        elif sys.stderr.isatty():
            self._bar(update)
        elif time.monotonic() - self.last >= LINE_EVERY_S or update.step == update.total:
            self.last = time.monotonic()
            left = f", {clock(update.seconds_left)} left" if update.seconds_left else ""
            self.say(f"training: {update.step}/{update.total} steps, {self._figures(update)}{left}")

    def _found(self, measured: Measured) -> str:
        """What an evaluation found, in one line."""
        said = []
        for asked, found in ((self.held.select, measured.task), (self.held.forgetting, measured.general)):
            if found is not None:
                said.append(f"{asked.metric.name if asked else 'metric'} {_with_interval(found)}")
        if measured.validation_loss is not None:
            said.append(f"validation loss {measured.validation_loss:.4f}")
        if measured.general_loss is not None:
            said.append(f"general text loss {measured.general_loss:.4f}")
        return ", ".join(said)

    def _figures(self, update: Update) -> str:
        return (
            f"loss {update.loss:.4f}{self.validation}, lr {update.lr:.2e}, {update.tokens_per_s:,.0f} tokens/s "
            f"({update.answer_tokens_per_s:,.0f} answer)"
        )

    def _bar(self, update: Update) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self.bars is None:
            columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
            self.bars = Progress(*columns, console=Console(stderr=True))
            self.bars.start()
            self.task = self.bars.add_task("training", total=update.total, figures="")
        left = f", {clock(update.seconds_left)} left" if update.seconds_left else ""
        self.bars.update(self.task, completed=update.step, figures=self._figures(update) + left)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bars is not None:
            self.bars.stop()
            self.bars = None


def _with_interval(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "not measured" if found.value is None else f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
