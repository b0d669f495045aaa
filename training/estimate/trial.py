"""A trial of a few training steps that measures speed and memory; it keeps no adapter."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.engines.usage import kernel_bytes
from training import model as models
from training.checkpointing import TrainingState
from training.config import Lora, Model, Optim, Train
from training.data.tokenize import Document
from training.hooks import Hooks
from training.loop import Loop
from training.throughput import peak_mib, per_second
from training.validation import ValidationSet

WARM_UP = 1
"""Steps that are not timed."""


class Trial(Struct, frozen=True, kw_only=True):
    """Measurements of a trial."""

    steps: int
    """Steps timed."""
    tokens_per_s: float
    """Tokens of the rows per second."""
    flops_per_s: float
    """FLOPs per second."""
    base_bytes: int
    """Memory of this process before the model was loaded: the interpreter and its libraries. 0 on a CUDA device."""
    peak_bytes: int
    """Peak memory of this process or of the CUDA device."""


def run(
    folder: Path,
    documents: Sequence[Document],
    steps: Sequence[Sequence[int]],
    dtype: str,
    lora: Lora,
    train: Train,
    form: Model,
) -> Trial:
    """Load the model and train it on `steps`, lists of document indices; the first step is a warm-up."""
    base = reset_peak()
    model = models.load(folder, lora, dtype, train.seed, form)
    log: list[dict[str, Any]] = []
    loop = Loop(model, train, Optim(), Hooks(log=log.append), TrainingState())
    loop.run(documents, steps, ValidationSet())
    rows = log[WARM_UP:] or log
    totals = {key: sum(row[key] for row in rows) for key in ("tokens", "answer_tokens", "flops", "seconds")}
    device = loop.accelerator.device
    on_cuda = device.type == "cuda"
    return Trial(
        steps=len(rows),
        tokens_per_s=per_second(totals, totals["seconds"], None)["tokens_per_s"] or 0.0,
        flops_per_s=totals["flops"] / max(totals["seconds"], 1e-9),
        base_bytes=0 if on_cuda else base,
        peak_bytes=peak_mib(device) * 2**20 if on_cuda else max(base, resident("VmHWM")),
    )


def reset_peak() -> int:
    """Reset this process's peak memory, where the system allows it; return the bytes in use now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    return resident("VmRSS")


def resident(field: str) -> int:
    """Return `VmRSS` (current) or `VmHWM` (peak) of this process in bytes, or the peak where the system has neither."""
    with contextlib.suppress(OSError):
        if (size := kernel_bytes("/proc/self/status", field)) is not None:
            return size
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
