"""What training steps cost: tokens, arithmetic, seconds, memory. Knows no model beyond its shapes.

Tokens are those of the rows: no pad, no filler and no computing twice adds to them. A beginning that several rows share
is computed once and still is part of each row; `computed_tokens` and the FLOPs tell the difference.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from harness.engines import usage
from training.batching import Micro
from training.checkpointing import TrainingState
from training.data.tokenize import Document
from training.estimate import shapes
from training.estimate.flops import Flops, count

SKIPPED_STEPS = 10
"""Steps at the start that are no part of a run's rates: they fill caches and choose kernels."""


class ThroughputMeter(Struct, frozen=True, kw_only=True):
    """Counts the cost of a step on devices of one kind."""

    flops: Flops
    """Arithmetic of this model and adapter."""
    device: Any
    """torch.device."""
    peak: float | None = None
    """Most FLOPs a second of all devices together; None where nobody knows, as on a processor."""

    def line(self, rows: Sequence[Document], micros: Sequence[Micro], seconds: float) -> dict[str, Any]:
        """Fields of the training log for one step: `micros` holds the step's `rows` on all devices."""
        done = {
            "tokens": sum(len(row.ids) for row in rows),
            "computed_tokens": sum(len(m.ids) for m in micros if m.weight),
            "answer_tokens": sum(row.answers for row in rows),
            "flops": self.flops.of(micros),
            "seconds": round(seconds, 4),
        }
        return done | by_second(done, done["seconds"], self.peak) | {"peak_memory_mib": peak_mib(self.device)}


def meter(
    config: dict[str, Any], dtype: Any, adapter: Iterable[Any], accelerator: Any, peak_tflops: float | None
) -> ThroughputMeter:
    """The meter of a loaded model: fields of its config.json, its number format, its adapter's tensors."""
    peak = peak_of(accelerator.device, str(dtype).removeprefix("torch."), peak_tflops)
    return ThroughputMeter(
        flops=count(shapes.of(config), sum(p.numel() for p in adapter)),
        device=accelerator.device,
        peak=None if peak is None else peak * accelerator.num_processes,
    )


def by_second(done: dict[str, Any], seconds: float, peak: float | None) -> dict[str, float | None]:
    """Tokens, answer tokens and FLOPs by second, and the last as a share of the peak (MFU)."""
    seconds = max(seconds, 1e-9)
    flops = done["flops"] / seconds
    return {
        "tokens_per_s": round(done["tokens"] / seconds, 1),
        "answer_tokens_per_s": round(done["answer_tokens"] / seconds, 1),
        "tflops_per_s": round(flops / 1e12, 6),
        "mfu": None if peak is None else round(flops / peak, 4),
    }


def rates(log: Sequence[dict[str, Any]], peak: float | None = None) -> dict[str, float | int | None]:
    """Rates over all steps but the first ten, which warm up; over all where there are no more than ten."""
    steps = [row for row in log if "loss" in row]
    counted = steps[SKIPPED_STEPS:] or steps
    done = {key: sum(row[key] for row in counted) for key in ("tokens", "answer_tokens", "flops", "seconds")}
    return {"steps_counted": len(counted)} | by_second(done, done["seconds"], peak)


def peak_of(device: Any, dtype: str, given_tflops: float | None) -> float | None:
    """Most FLOPs a second of one device: what the configuration says, else what its maker says of the card."""
    if given_tflops is not None:
        return given_tflops * 1e12
    if device.type != "cuda":
        return None
    import torch

    card = usage.find(torch.cuda.get_device_name(device))
    return card.peak(dtype) if card else None


def peak_mib(device: Any) -> int:
    """Most memory in use at once so far, MiB: allocated on a CUDA device, or resident in this process."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (2**20 if sys.platform == "darwin" else 2**10))


RECENT_STEPS = 20


class Clock:
    """Seconds of this session, added to the state's totals at each tick."""

    def __init__(self, state: TrainingState) -> None:
        self.state = state
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.step_s: list[float] = []
        self.evaluation_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one step."""
        self.step_s.append(seconds)

    def tick(self) -> None:
        """Bring the state's totals up to date."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.state.wall_s += wall - self.wall
        self.state.cpu_s += cpu - self.cpu
        self.wall, self.cpu = wall, cpu

    def left(self, steps: int, evaluate_every: int) -> float:
        """Estimate from the last steps and the last evaluation."""
        recent = self.step_s[-RECENT_STEPS:]
        evaluations = math.ceil(steps / evaluate_every) if evaluate_every else 0
        return steps * sum(recent) / len(recent) + evaluations * self.evaluation_s
