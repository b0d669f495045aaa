"""The state of training between two steps: saving, loading, and rewinding the log to it.

Dropout is seeded for every step and the learning rate is a function of the step, so neither has state to save.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.errors import UserError
from harness.files import replacing, write_atomic

FILE = "state.pt"


class TrainingState(Struct, kw_only=True, forbid_unknown_fields=True):
    """The state of training between two steps."""

    step: int = 0
    """Weight updates done."""
    adapter: dict[str, Any] = field(default_factory=dict)
    """Tensors of the adapter by parameter name."""
    optimizer: dict[str, Any] = field(default_factory=dict)
    """State of the optimizer."""
    before: dict[str, Any] = field(default_factory=dict)
    """`validation.Validation` of the base model, as a mapping."""
    best_step: int | None = None
    """Step of the best validation; None without validation data."""
    best: dict[str, Any] = field(default_factory=dict)
    """`validation.Validation` at best_step, or the last one without validation data."""
    best_adapter: dict[str, Any] = field(default_factory=dict)
    """Tensors of the adapter at best_step."""
    misses: int = 0
    """Validations since best_step."""
    stopped_early: bool = False
    """Whether patience ran out."""
    wall_s: float = 0.0
    """Seconds of training and validation in all sessions."""
    cpu_s: float = 0.0
    """CPU seconds in all sessions."""
    fingerprint: dict[str, Any] = field(default_factory=dict)
    """Settings and digests that a resumed run must share."""


def save(folder: Path, state: TrainingState) -> None:
    """Write the state as one file, atomically. Raises UserError where the disk refuses it."""
    import torch

    with written(folder / FILE):
        with replacing(folder / FILE, parents=True) as file:
            torch.save({name: getattr(state, name) for name in state.__struct_fields__}, file)
        _sync_folder(folder)


@contextmanager
def written(path: Path, part: Path | None = None) -> Iterator[None]:
    """Turn a write that the disk refuses into a UserError, and remove the folder `part` that was written so far."""
    try:
        yield
    except Exception as error:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        reason = _refusal(error)
        if reason is None:
            raise
        raise UserError(
            f"{path}: cannot be written ({reason}). Free space and run the same command; it resumes from the "
            "last saved step"
        ) from None


def _refusal(error: Exception) -> str | None:
    """Return the disk's error message, or None for another error.

    torch hides Python's error as the cause of its own, and safetensors gives the number only.
    """
    first: BaseException | None = error
    while first is not None:
        if isinstance(first, OSError):
            return first.strerror or str(first)
        first = first.__cause__ or first.__context__
    number = re.search(r"os error (\d+)", str(error))
    return os.strerror(int(number[1])) if number else None


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def load(folder: Path, fingerprint: dict[str, Any]) -> TrainingState | None:
    """Load the saved state, or None if there is none.

    Raises UserError for an unreadable file and for a state of other settings or data.
    """
    import torch

    file = folder / FILE
    if not file.exists():
        return None
    try:
        state = msgspec.convert(torch.load(file, map_location="cpu", weights_only=True), TrainingState)
    except Exception as error:  # torch raises many types; some advise to run code from the file.
        raise UserError(
            f"{file}: cannot be read: it is truncated or no training state ({type(error).__name__}). "
            "Start over with --fresh"
        ) from None
    refuse_changes(folder.parent, state.fingerprint, fingerprint)
    return state


def refuse_changes(run: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise a UserError that names every setting or digest that differs from the start of the run."""
    changed = [
        f"{key} was {then.get(key)!r}, is {now.get(key)!r}"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    ]
    if changed:
        raise UserError(
            f"{run}: cannot resume with other settings or data than at its start: {'; '.join(changed)}. "
            "Restore them, or start over with --fresh"
        )


def rewind_log(file: Path, step: int) -> None:
    """Drop the lines of a log after `step`, whose steps run again, and an incomplete last line. Step 0 drops all."""
    if not file.exists():
        return
    lines = []
    for line in file.read_bytes().splitlines(keepends=True):
        try:
            if step and line.endswith(b"\n") and msgspec.json.decode(line)["step"] <= step:
                lines.append(line)
        except msgspec.DecodeError:
            continue
    with written(file):
        write_atomic(file, b"".join(lines))
