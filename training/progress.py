"""Says how a training goes: a live view on a terminal, a line now and then elsewhere. Computes nothing."""

from __future__ import annotations

import sys
import time

from harness.clock import clock
from harness.live.terminal import terminal_of
from harness.progress import LINE_EVERY_S
from harness.schema import Estimate
from training.evaluation import Held, Measured
from training.hooks import Update


class TrainingProgress:
    """Call it with every Update; `close` it at the end. `held` says what the metrics are."""

    def __init__(self, quiet: bool = False, is_alone: bool = True) -> None:
        """`is_alone`: no other process of the same training prints on the terminal."""
        self.quiet = quiet
        self.last = 0.0
        self.validation = ""
        self.held = Held()
        self.view = None
        terminal = terminal_of(sys.stderr) if is_alone and not quiet else None
        if terminal is not None:
            from training.live import TrainingView

            self.view = TrainingView(terminal)

    def say(self, text: str) -> None:
        """One line for the user."""
        if self.quiet:
            return
        if self.view is not None:
            self.view.say(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def at(self, stage: str) -> None:
        """A stage begins."""
        if self.view is not None:
            self.view.at(stage)

    def __call__(self, update: Update) -> None:
        if self.quiet:
            return
        if self.view is not None:
            self.view.show(update)
        if update.measured is not None:
            mark = ", the best so far" if update.is_best else ""
            if update.measured.validation_loss is not None:
                self.validation = f", validation {update.measured.validation_loss:.4f}"
            at = f"step {update.step}" if update.step else "before the first step"
            self.say(f"training: {at}: {self._found(update.measured)}{mark}")
        elif self.view is None and (time.monotonic() - self.last >= LINE_EVERY_S or update.step == update.total):
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

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.view is not None:
            self.view.close()


def _with_interval(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "not measured" if found.value is None else f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
