"""Measure what completions cost an engine: tokens, seconds, memory, and its share of the device's peak.

Utilisation is 2 * P * (uncached prompt tokens + generated tokens) / (seconds * peak): two FLOPs for each of the model's
P parameters and each token that is computed. Attention and adapters are left out, so it is a little too low. Seconds
are those of generation, including the caller's work between two completions.
"""

from __future__ import annotations

import functools
import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.checkpoints.model_files import CheckpointFolder
from harness.schema import Completion

NOT_THE_CARD = {"Laptop", "D", "MIG"}
"""Words in a device name that make it a slower namesake, or a part of a card."""


class Card(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A GPU and its peak rates."""

    name: str
    """Common name."""
    words: list[str]
    """Words that are all in its CUDA device name."""
    memory_gb: float
    """1e9 bytes."""
    bf16_tflops: float | None = None
    """Dense peak in bfloat16, 1e12 FLOPs per second; None where it is not supported."""
    fp32_tflops: float | None = None
    """Dense peak in float32, without TF32."""
    source: str
    """Source of the numbers."""
    planned: bool = False
    """Whether `tunegate plan` checks that a training run fits on it."""

    def peak(self, dtype: str) -> float | None:
        """Return the peak FLOPs per second in a torch data type."""
        tflops = {"bfloat16": self.bf16_tflops, "float32": self.fp32_tflops}.get(dtype)
        return None if tflops is None else tflops * 1e12


@functools.cache
def cards() -> tuple[Card, ...]:
    """List all known cards."""
    raw = (Path(__file__).parent / "gpus.toml").read_bytes()
    return tuple(msgspec.toml.decode(raw, type=dict[str, list[Card]])["card"])


def find(device: str) -> Card | None:
    """Find the card with the CUDA name `device`, or None."""
    words = set(re.split(r"[\s-]+", device))
    if words & NOT_THE_CARD:
        return None
    return next((card for card in cards() if words.issuperset(card.words)), None)


EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""Keys of config.json that a mixture of experts has one of."""
RESIDENT = "highest resident sets of this process and its children"
ON_DEVICE = "reserved on the device by vLLM's process"


class VariantUsage(Struct, kw_only=True):
    """Cost of the completions of one variant; cached ones cost nothing."""

    answers: int = 0
    """Computed completions."""
    prompt_tokens: int = 0
    """Tokens of the prompts."""
    cached_prompt_tokens: int = 0
    """Of them, tokens in the prefix cache of an earlier prompt."""
    generated_tokens: int = 0
    """Tokens of the completions."""
    answer_s: float = 0.0
    """Seconds from the first request to the last completion, without loading and canary."""
    flops_a_token: float | None = None
    """FLOPs per token of the model; None where unknown."""

    def add(self, completion: Completion) -> None:
        """Count one completion; failed requests were not computed."""
        if completion.finish_reason != "error":
            self.answers += 1
            self.prompt_tokens += completion.prompt_tokens
            self.generated_tokens += completion.output_tokens

    @property
    def flops(self) -> float | None:
        """Return the FLOPs of the computed tokens."""
        computed = self.prompt_tokens - self.cached_prompt_tokens + self.generated_tokens
        return None if self.flops_a_token is None else self.flops_a_token * computed


class UsageMeter:
    """Counters over the life of an engine, for all models that it loads."""

    def __init__(self) -> None:
        self.spent: dict[str, VariantUsage] = {}
        self.loads = 0
        self.load_s = 0.0
        self.peak_memory_bytes: int | None = None
        self.peak_memory_of = ""
        self._unknown: list[str] = []

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Time the load of one model, whether or not it succeeds."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.loads += 1
            self.load_s += time.monotonic() - start

    @contextmanager
    def answering(self, variant: str, folder: Path) -> Iterator[VariantUsage]:
        """Time the completions of one variant by the weights in a folder."""
        spent = self.spent.setdefault(variant, VariantUsage())
        spent.flops_a_token, why_not = flops_a_token(folder)
        self._unknown += [why_not] if why_not else []
        start = time.monotonic()
        try:
            yield spent
        finally:
            spent.answer_s += time.monotonic() - start

    def memory(self, on_device_bytes: int | None) -> None:
        """Record the peak memory: on the device where vLLM's process reports it, else resident."""
        peak_bytes = resident_bytes() if on_device_bytes is None else on_device_bytes
        if peak_bytes is not None and peak_bytes > (self.peak_memory_bytes or 0):
            self.peak_memory_bytes = peak_bytes
            self.peak_memory_of = RESIDENT if on_device_bytes is None else ON_DEVICE

    def describe(self, device: str | None, dtype: str, devices: int = 1) -> dict[str, Any]:
        """Return what the manifest records; {} where nothing was loaded. `device` is a card's name, None a CPU."""
        if not self.loads:
            return {}
        peak, why_not = peak_of(device, dtype)
        peak = peak and peak * devices
        whole = [*self.spent.values()]
        return {
            "variants": {variant: _rates([spent], peak) for variant, spent in self.spent.items()},
            "whole": _rates(whole, peak),
            "loads": self.loads,
            "load_s": round(self.load_s, 1),
            "peak_tflops": None if peak is None else peak / 1e12,
            "why_no_utilisation": "; ".join(dict.fromkeys([why_not] * (peak is None) + self._unknown)),
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_memory_of": self.peak_memory_of,
        }


def _rates(some: Iterable[VariantUsage], peak: float | None) -> dict[str, float | int | None]:
    """Sum over variants and compute rates; None where there was no request or a number is unknown."""
    spent = list(some)
    prompt, cached = sum(s.prompt_tokens for s in spent), sum(s.cached_prompt_tokens for s in spent)
    generated, seconds = sum(s.generated_tokens for s in spent), sum(s.answer_s for s in spent)
    flops = [s.flops for s in spent if s.flops is not None]
    is_known = peak is not None and seconds and len(flops) == len(spent)
    return {
        "answers": sum(s.answers for s in spent),
        "prompt_tokens": prompt,
        "cached_prompt_tokens": cached,
        "prefix_hit_rate": round(cached / prompt, 4) if prompt else None,
        "generated_tokens": generated,
        "answer_s": round(seconds, 1),
        "prompt_tokens_per_s": round(prompt / seconds, 1) if seconds else None,
        "generated_tokens_per_s": round(generated / seconds, 1) if seconds else None,
        "utilisation": round(sum(flops) / (seconds * peak), 4) if is_known and peak else None,
    }


def peak_of(device: str | None, dtype: str) -> tuple[float | None, str]:
    """Return the peak FLOPs per second of a card in a data type, or why it is unknown."""
    if device is None:
        return None, "the peak of a processor is not known"
    card = find(device)
    peak = card.peak(dtype) if card else None
    return peak, "" if peak else f"the peak of '{device}' in {dtype} is not known"


def flops_a_token(folder: Path) -> tuple[float | None, str]:
    """Return two FLOPs per parameter of a model, or why this count does not apply."""
    files = CheckpointFolder(folder)
    config, own = files.config, files.text_config
    if files.quantization_file:
        return None, "the weights are packed, so that their parameters are not counted"
    if any(own.get(key) for key in EXPERTS) or "vision_config" in config:
        return None, "a token passes only some of the model's parameters"
    return 2.0 * sum(math.prod(shape) for shape in files.shapes.values()), ""


def resident_bytes() -> int | None:
    """Sum the peak resident sets of this process and its children, in bytes; None where the system has no /proc.

    The peaks may be at different times, so this is an upper bound of the memory in use.
    """
    try:
        return sum(map(_high_water, ["self", *_children("self")]))
    except OSError:
        return None


def _children(pid: str) -> list[str]:
    """List the process ids below one; a process that ends meanwhile has none."""
    below: list[str] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            own = task.read_text("ascii").split()
        except OSError:
            continue
        for child in own:
            below += [child, *_children(child)]
    return below


def _high_water(pid: str) -> int:
    try:
        return kernel_bytes(f"/proc/{pid}/status", "VmHWM") or 0
    except OSError:
        if pid == "self":
            raise
        return 0


def free_memory_bytes() -> int:
    """Return the memory available to new processes, in bytes; all of the machine's if the system does not report it."""
    free = None
    with suppress(OSError):
        free = kernel_bytes("/proc/meminfo", "MemAvailable")
    return free if free is not None else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def kernel_bytes(file: str, field: str) -> int | None:
    """Return a field that a file in /proc has in kB, such as `VmRSS`, in bytes; None without the field.

    Raises OSError where the system has no such file.
    """
    lines = Path(file).read_text("ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
