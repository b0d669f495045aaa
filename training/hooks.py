"""The interface between the training loop and its caller: updates, hooks, and the exceptions that end it early.

It is separate from the loop so that the display and the run folder's code load without torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from harness.errors import UserError
from training.checkpointing import TrainingState
from training.validation import Validation

DATA, MODEL, TRAINING, VALIDATION, RESULT = "data", "model", "training", "validation", "result"
"""Stages of training."""


class Stopped(Exception):
    """The user stopped training; the state is that of the last finished step."""


class NotFinite(UserError):
    """The loss or its gradient is infinite or NaN; the state is that of the last finished step."""


class Update(Struct, frozen=True, kw_only=True):
    """The outcome of one step or one validation."""

    step: int
    """Weight updates done."""
    total: int
    """Weight updates in all."""
    loss: float | None = None
    """Loss of this step's rows before the update, in nats per answer token."""
    measured: Validation | None = None
    """Result of a validation; at step 0 of the base model."""
    is_best: bool = False
    """Whether it is the best validation so far."""
    lr: float = 0.0
    """Learning rate of this step."""
    tokens_per_s: float = 0.0
    """Tokens per second of this step."""
    answer_tokens_per_s: float = 0.0
    """Learnt tokens per second of this step."""
    peak_memory_mib: int | None = None
    """Peak memory so far."""
    saved_step: int = 0
    """Last step whose state is saved; an interrupted run resumes after it."""
    seconds_left: float | None = None
    """Estimated remaining time, including validations."""


def _ignore(_: Any) -> None:
    pass


class Hooks(Struct, frozen=True, kw_only=True):
    """Callbacks of the loop, which writes nothing itself."""

    log: Callable[[dict[str, Any]], None] = _ignore
    """Append a line to the training log."""
    save: Callable[[TrainingState], None] = _ignore
    """Save the state."""
    progress: Callable[[Update], None] = _ignore
    """Show an update."""
    stop: Callable[[], bool] = lambda: False
    """Return whether the user asked to stop."""
    at: Callable[[str], None] = _ignore
    """Show that a stage starts."""
    say: Callable[[str], None] = _ignore
    """Print one line."""
