"""What answers cost an engine: tokens, seconds, memory, and its share of the device's peak. Starts no engine.

Utilisation is 2 * P * (uncached prompt tokens + generated tokens) / (seconds * peak): two FLOPs for each of the model's
P parameters and each token that is computed. Attention and adapters are left out, so it is a little too low. Seconds
are those of answering, with what the caller does between two answers.
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
    name: str
    """What people call it."""
    words: list[str]
    """Words that all stand in the name that CUDA gives it."""
    memory_gb: float
    """1e9 bytes."""
    bf16_tflops: float | None = None
    """Dense peak in bfloat16, 1e12 FLOPs a second; None where it cannot."""
    fp32_tflops: float | None = None
    """Dense peak in float32, without TF32."""
    source: str
    """Where the figures come from."""
    planned: bool = False
    """`tunegate plan` asks whether a training fits on it."""

    def peak(self, dtype: str) -> float | None:
        """Most FLOPs a second in a number format of torch."""
        found = {"bfloat16": self.bf16_tflops, "float32": self.fp32_tflops}.get(dtype)
        return None if found is None else found * 1e12


@functools.cache
def cards() -> tuple[Card, ...]:
    """All cards that are known."""
    raw = (Path(__file__).parent / "gpus.toml").read_bytes()
    return tuple(msgspec.toml.decode(raw, type=dict[str, list[Card]])["card"])


def find(device: str) -> Card | None:
    """The card that CUDA calls `device`, or None."""
    words = set(re.split(r"[\s-]+", device))
    if words & NOT_THE_CARD:
        return None
    return next((card for card in cards() if words.issuperset(card.words)), None)


EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""Keys of config.json that a mixture of experts has one of."""
RESIDENT = "highest resident sets of this process and its children"
ON_DEVICE = "reserved on the device by vLLM's process"


class VariantUsage(Struct, kw_only=True):
    """What the answers of one variant cost; answers from the cache cost nothing."""

    answers: int = 0
    """Answers that were computed."""
    prompt_tokens: int = 0
    """Tokens of the prompts."""
    cached_prompt_tokens: int = 0
    """Those of them that the engine had computed before, for another prompt."""
    generated_tokens: int = 0
    """Tokens of the answers."""
    answer_s: float = 0.0
    """From the first question to the last answer, without loading and canary."""
    flops_a_token: float | None = None
    """Of the model that answered; None where nobody knows."""

    def add(self, completion: Completion) -> None:
        """Count one answer; a request that failed was not computed."""
        if completion.finish_reason != "error":
            self.answers += 1
            self.prompt_tokens += completion.prompt_tokens
            self.generated_tokens += completion.output_tokens

    @property
    def flops(self) -> float | None:
        """Arithmetic of the tokens that were computed."""
        computed = self.prompt_tokens - self.cached_prompt_tokens + self.generated_tokens
        return None if self.flops_a_token is None else self.flops_a_token * computed


class UsageMeter:
    """Counts over the life of an engine, whatever models it loads."""

    def __init__(self) -> None:
        self.spent: dict[str, VariantUsage] = {}
        self.loads = 0
        self.load_s = 0.0
        self.peak_memory_bytes: int | None = None
        self.peak_memory_of = ""
        self._unknown: list[str] = []

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Around the load of one model, whether it succeeds or not."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.loads += 1
            self.load_s += time.monotonic() - start

    @contextmanager
    def answering(self, variant: str, folder: Path) -> Iterator[VariantUsage]:
        """Around the answers of one variant by the weights in a folder."""
        spent = self.spent.setdefault(variant, VariantUsage())
        spent.flops_a_token, why_not = flops_a_token(folder)
        self._unknown += [why_not] if why_not else []
        start = time.monotonic()
        try:
            yield spent
        finally:
            spent.answer_s += time.monotonic() - start

    def memory(self, on_device_bytes: int | None) -> None:
        """Look at the most memory so far: on the device where vLLM's process says it, else resident."""
        found = resident_bytes() if on_device_bytes is None else on_device_bytes
        if found is not None and found > (self.peak_memory_bytes or 0):
            self.peak_memory_bytes = found
            self.peak_memory_of = RESIDENT if on_device_bytes is None else ON_DEVICE

    def describe(self, device: str | None, dtype: str, devices: int = 1) -> dict[str, Any]:
        """What the manifest records; {} where nothing was loaded. `device` is a card's name, None a processor."""
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
    """Sums over variants, and what follows from them; None where nothing was asked or nobody knows."""
    spent = list(some)
    prompt, cached = sum(s.prompt_tokens for s in spent), sum(s.cached_prompt_tokens for s in spent)
    generated, seconds = sum(s.generated_tokens for s in spent), sum(s.answer_s for s in spent)
    flops = [s.flops for s in spent if s.flops is not None]
    known = peak is not None and seconds and len(flops) == len(spent)
    return {
        "answers": sum(s.answers for s in spent),
        "prompt_tokens": prompt,
        "cached_prompt_tokens": cached,
        "prefix_hit_rate": round(cached / prompt, 4) if prompt else None,
        "generated_tokens": generated,
        "answer_s": round(seconds, 1),
        "prompt_tokens_per_s": round(prompt / seconds, 1) if seconds else None,
        "generated_tokens_per_s": round(generated / seconds, 1) if seconds else None,
        "utilisation": round(sum(flops) / (seconds * peak), 4) if known and peak else None,
    }


def peak_of(device: str | None, dtype: str) -> tuple[float | None, str]:
    """Most FLOPs a second of a card in a number format, or why nobody knows."""
    if device is None:
        return None, "the peak of a processor is not known"
    card = find(device)
    peak = card.peak(dtype) if card else None
    return peak, "" if peak else f"the peak of '{device}' in {dtype} is not known"


def flops_a_token(folder: Path) -> tuple[float | None, str]:
    """Two FLOPs for each parameter of a model, or why they cannot be counted so."""
    files = CheckpointFolder(folder)
    config, own = files.config, files.text_config
    if files.is_quantized:
        return None, "the weights are packed, so that their parameters are not counted"
    if any(own.get(key) for key in EXPERTS) or "vision_config" in config:
        return None, "a token passes only some of the model's parameters"
    return 2.0 * sum(math.prod(shape) for shape in files.shapes.values()), ""


def resident_bytes() -> int | None:
    """The highest resident sets of this process and its children so far, together; None where the system has no /proc.

    They need not have been that high at once, so it is the most that can have been in use.
    """
    try:
        return sum(map(_high_water, ["self", *_children("self")]))
    except OSError:
        return None


def _children(pid: str) -> list[str]:
    """Process ids below one; a process that ends meanwhile has none."""
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
    """Memory of this machine that new processes can have; all of it where the system does not say."""
    free = None
    with suppress(OSError):
        free = kernel_bytes("/proc/meminfo", "MemAvailable")
    return free if free is not None else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def kernel_bytes(file: str, field: str) -> int | None:
    """Bytes of a field that a file below /proc has in kB, such as `VmRSS`; None without the field.

    Raises OSError where the system has no such file.
    """
    lines = Path(file).read_text("ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
