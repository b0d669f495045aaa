"""Throughput of training steps: tokens, FLOPs, seconds and memory.

Tokens are those of the rows, without padding, fillers and recomputation. A prefix that several rows share is computed
once but counts for each row; `computed_tokens` and the FLOPs count it once.
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
from harness.progress.time_left import TimeLeft
from training.batching import Micro
from training.checkpointing import TrainingState
from training.data.tokenize import Document
from training.estimate import shapes
from training.estimate.flops import Flops, count

SKIPPED_STEPS = 10
"""First steps that a run's rates exclude: they fill caches and select kernels."""


class ThroughputMeter(Struct, frozen=True, kw_only=True):
    """Measures steps on devices of one kind."""

    flops: Flops
    """FLOPs of this model and adapter."""
    device: Any
    """torch.device."""
    peak: float | None = None
    """Peak FLOPs per second of all devices together; None if unknown, as on a CPU."""

    def line(self, rows: Sequence[Document], micros: Sequence[Micro], seconds: float) -> dict[str, Any]:
        """Return the fields of a step's log line; `micros` has the step's `rows` of all devices."""
        totals = {
            "tokens": sum(len(row.ids) for row in rows),
            "computed_tokens": sum(len(m.ids) for m in micros if m.weight),
            "answer_tokens": sum(row.answers for row in rows),
            "flops": self.flops.of(micros),
            "seconds": round(seconds, 4),
        }
        return totals | per_second(totals, totals["seconds"], self.peak) | {"peak_memory_mib": peak_mib(self.device)}


def meter(
    config: dict[str, Any], dtype: Any, adapter: Iterable[Any], accelerator: Any, peak_tflops: float | None
) -> ThroughputMeter:
    """Return the meter of a loaded model from the fields of its config.json, its number format and its adapter."""
    peak = peak_of(accelerator.device, str(dtype).removeprefix("torch."), peak_tflops)
    return ThroughputMeter(
        flops=count(shapes.of(config), sum(p.numel() for p in adapter)),
        device=accelerator.device,
        peak=None if peak is None else peak * accelerator.num_processes,
    )


def per_second(totals: dict[str, Any], seconds: float, peak: float | None) -> dict[str, float | None]:
    """Return tokens, answer tokens and FLOPs per second, and model FLOPs utilisation (MFU: PaLM, arXiv 2204.02311)."""
    seconds = max(seconds, 1e-9)
    flops = totals["flops"] / seconds
    return {
        "tokens_per_s": round(totals["tokens"] / seconds, 1),
        "answer_tokens_per_s": round(totals["answer_tokens"] / seconds, 1),
        "tflops_per_s": round(flops / 1e12, 6),
        "mfu": None if peak is None else round(flops / peak, 4),
    }


def rates(log: Sequence[dict[str, Any]], peak: float | None = None) -> dict[str, float | int | None]:
    """Return the rates over all steps after the first ten, or over all if there are no more than ten."""
    steps = [row for row in log if "loss" in row]
    counted = steps[SKIPPED_STEPS:] or steps
    totals = {key: sum(row[key] for row in counted) for key in ("tokens", "answer_tokens", "flops", "seconds")}
    return {"steps_counted": len(counted)} | per_second(totals, totals["seconds"], peak)


def peak_of(device: Any, dtype: str, given_tflops: float | None) -> float | None:
    """Return the peak FLOPs per second of one device, as configured or else as its vendor states; None if unknown."""
    if given_tflops is not None:
        return given_tflops * 1e12
    if device.type != "cuda":
        return None
    import torch

    card = usage.find(torch.cuda.get_device_name(device))
    return card.peak(dtype) if card else None


def peak_mib(device: Any) -> int:
    """Return the peak memory so far in MiB: allocated on a CUDA device, or resident in this process."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (2**20 if sys.platform == "darwin" else 2**10))


RECENT_STEPS = 20


class Clock:
    """Adds the seconds of this session to the state, and estimates the remaining time."""

    def __init__(self, state: TrainingState) -> None:
        self.state = state
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.step_s: list[float] = []
        self.evaluation_s = 0.0
        self.time_left = TimeLeft()

    def add(self, seconds: float) -> None:
        """Record the duration of a step."""
        self.step_s.append(seconds)

    def tick(self) -> None:
        """Update the state's totals."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.state.wall_s += wall - self.wall
        self.state.cpu_s += cpu - self.cpu
        self.wall, self.cpu = wall, cpu

    def left(self, steps: int, evaluate_every: int) -> float | None:
        """Estimate the remaining seconds from the last steps and the last validation; None in the first 30."""
        recent = self.step_s[-RECENT_STEPS:]
        evaluations = math.ceil(steps / evaluate_every) if evaluate_every else 0
        return self.time_left.update(steps * sum(recent) / len(recent) + evaluations * self.evaluation_s)
