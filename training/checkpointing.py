"""Keeps the state of a training so that it can go on after any stop. Knows no model code and no data.

Dropout is seeded anew for every step and the learning rate is a function of the step, so neither has state to keep.
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
    """What a training knows between two steps."""

    step: int = 0
    """Weight updates done."""
    adapter: dict[str, Any] = field(default_factory=dict)
    """Tensors of the adapter by parameter name."""
    optimizer: dict[str, Any] = field(default_factory=dict)
    """The optimizer's own state."""
    before: dict[str, Any] = field(default_factory=dict)
    """`evaluation.Measured` of the base model, as a mapping."""
    best_step: int | None = None
    """Step of the best evaluation; None where nothing tells one from another."""
    best: dict[str, Any] = field(default_factory=dict)
    """`evaluation.Measured` at best_step, or at the last evaluation where nothing is chosen."""
    best_adapter: dict[str, Any] = field(default_factory=dict)
    """Tensors of the adapter at best_step."""
    misses: int = 0
    """Evaluations since then."""
    stopped_early: bool = False
    """Patience ran out."""
    wall_s: float = 0.0
    """Seconds of training and validation in all sessions."""
    cpu_s: float = 0.0
    """Processor seconds in all sessions."""
    fingerprint: dict[str, Any] = field(default_factory=dict)
    """Settings and digests that a resumed run must share."""


def save(folder: Path, state: TrainingState) -> None:
    """Write the state as one file, whole or not at all."""
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
            f"{path}: cannot be written ({reason}). Free space and run the same command again; it goes on from the "
            "last saved step"
        ) from None


def _refusal(error: Exception) -> str | None:
    """What the disk said, or None where it was not the disk.

    torch reports its own confusion over what Python's file said before, and safetensors the bare number.
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
    """The saved state, or None where nothing was saved. Other settings or data than now are a UserError."""
    import torch

    file = folder / FILE
    if not file.exists():
        return None
    try:
        found = msgspec.convert(torch.load(file, map_location="cpu", weights_only=True), TrainingState)
    except Exception as error:  # torch raises many kinds, and some advise to run what is in the file.
        raise UserError(
            f"{file}: cannot be read: it is cut, or no state of a training ({type(error).__name__}). "
            "Start anew with --fresh"
        ) from None
    refuse_changes(folder.parent, found.fingerprint, fingerprint)
    return found


def refuse_changes(run: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise a UserError that names every setting or digest that is not what the run began with."""
    changed = [
        f"{key} was {then.get(key)!r}, is {now.get(key)!r}"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    ]
    if changed:
        raise UserError(
            f"{run}: cannot go on with other settings or data than it began with: {'; '.join(changed)}. "
            "Set them back, or start anew with --fresh"
        )


def rewind_log(file: Path, step: int) -> None:
    """Drop the lines of a log that are past `step`, and a torn last line: those steps run again. Step 0 drops all."""
    if not file.exists():
        return
    kept = []
    for line in file.read_bytes().splitlines(keepends=True):
        try:
            if step and line.endswith(b"\n") and msgspec.json.decode(line)["step"] <= step:
                kept.append(line)
        except msgspec.DecodeError:
            continue
    with written(file):
        write_atomic(file, b"".join(kept))
