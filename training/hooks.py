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
    total: int
    loss: float | None = None
    """Loss of this step's rows before the update, in nats per answer token."""
    measured: Validation | None = None
    """Result of a validation; at step 0 of the base model."""
    is_best: bool = False
    lr: float = 0.0
    tokens_per_s: float = 0.0
    answer_tokens_per_s: float = 0.0
    peak_memory_mib: int | None = None
    saved_step: int = 0
    """Last step whose state is saved; an interrupted run resumes after it."""
    seconds_left: float | None = None
    """Estimated remaining time, including validations."""


def _ignore(_: Any) -> None:
    pass


class Hooks(Struct, frozen=True, kw_only=True):
    """Callbacks of the loop, which writes nothing itself."""

    log: Callable[[dict[str, Any]], None] = _ignore
    save: Callable[[TrainingState], None] = _ignore
    progress: Callable[[Update], None] = _ignore
    stop: Callable[[], bool] = lambda: False
    """Return whether the user asked to stop."""
    at: Callable[[str], None] = _ignore
    say: Callable[[str], None] = _ignore
