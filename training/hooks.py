"""How the training loop speaks to the world, and what ends it before its time. Knows no model and no files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from harness.errors import UserError
from training.validation import Validation

if TYPE_CHECKING:
    from training.checkpointing import TrainingState


DATA, MODEL, TRAINING, VALIDATION, RESULT = "data", "model", "training", "validation", "result"
"""Stages of a training."""


class Stopped(Exception):
    """The user asked to stop; the state is that of the last finished step."""


class NotFinite(UserError):
    """The loss or its gradient is no number; the state is that of the last finished step."""


class Update(Struct, frozen=True, kw_only=True):
    """What one step or one evaluation tells the user."""

    step: int
    """Weight updates done."""
    total: int
    """Weight updates in all."""
    loss: float | None = None
    """Loss of this step's rows before the update, nats per answer token."""
    measured: Validation | None = None
    """What an evaluation found; step 0 is the base model."""
    is_best: bool = False
    """No earlier evaluation was better."""
    lr: float = 0.0
    """Learning rate of this step."""
    tokens_per_s: float = 0.0
    """Tokens of this step by its seconds."""
    answer_tokens_per_s: float = 0.0
    """Learnt tokens of this step by its seconds."""
    peak_memory_mib: int | None = None
    """Most memory in use at once so far."""
    saved_step: int = 0
    """Last step whose state is kept: a training that is interrupted goes on after it."""
    seconds_left: float | None = None
    """Estimate for the rest, evaluations included."""


class Hooks(Struct, frozen=True, kw_only=True):
    """How the loop speaks to the world; it writes nothing itself."""

    log: Callable[[dict[str, Any]], None]
    """Takes one line of the training log."""
    save: Callable[[TrainingState], None]
    """Keeps the state."""
    progress: Callable[[Update], None]
    """Shows what is going on."""
    stop: Callable[[], bool]
    """True once the user asked to stop."""
    at: Callable[[str], None] = lambda stage: None
    """Shows which stage begins."""
