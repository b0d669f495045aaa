"""Which devices training fits on, and which settings would make it fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.engines import usage
from harness.engines.usage import Card, free_memory_bytes
from training import model_checks
from training.config import Config, Lora
from training.estimate import memory
from training.estimate.duration import device_name
from training.estimate.memory import Memory, Pass
from training.estimate.shapes import Shapes

MARGIN = 1.15
"""An estimate with this factor below the device's memory fits; a larger one is called close. Measured peaks were up to
13% above their estimates (benchmarks/memory_estimate.py)."""
SHORTEST = 256
"""Smallest data.max_length to suggest, in tokens."""

METHODS = {"none": "LoRA", "nf4": "QLoRA"}
"""Training methods by their value of model.quantise."""
Answer = Literal["yes", "close", "no", "cannot"]
CHECKPOINTING = {"off": (False,), "on": (True,), "auto": (False, True)}
"""Values to try in order, by train.gradient_checkpointing."""


class Device(Struct, frozen=True, kw_only=True):
    """A GPU or CPU to train on."""

    name: str
    """Display name."""
    memory_bytes: int
    """Total memory of a GPU; free memory of a CPU."""
    dtype: str
    """Number format of a base that is not quantised."""
    nf4: bool
    """Whether it supports a base in NF4."""
    on_cpu: bool
    """Whether it is a CPU."""
    peak: float | None
    """Peak FLOPs per second in `dtype`; None if unknown."""


class Fit(Struct, frozen=True, kw_only=True):
    """Whether training fits on a device."""

    device: str
    """Device name."""
    quantise: str
    """`none` is LoRA, `nf4` is QLoRA."""
    dtype: str
    """Compute format of the base."""
    fits: Answer
    """Whether there is enough memory; `cannot` where the device does not support the format."""
    needs: Memory | None
    """The estimate."""
    holds: int
    """Memory of the device in bytes."""
    checkpointing: bool
    """Whether gradient checkpointing is on."""
    would_fit: str
    """Settings that would make it fit; empty where it fits, or where none would."""


def of_card(card: Card, config: Config) -> Device:
    """Return a GPU with the number format that `training.model_checks.chosen_dtype` would choose."""
    able = card.bf16_tflops is not None
    wanted = config.train.dtype
    dtype = wanted if wanted != "auto" else "bfloat16" if able else "float32"
    return Device(
        name=card.name,
        memory_bytes=int(card.memory_gb * 1e9),
        dtype=dtype,
        nf4=able,
        on_cpu=False,
        peak=card.peak(dtype),
    )


def this_machine(config: Config) -> Device:
    """Return the CUDA device that training would use, or the CPU."""
    import torch

    dtype = model_checks.chosen_dtype(config) if config.model.quantise == "none" else "bfloat16"
    given = None if config.train.peak_tflops is None else config.train.peak_tflops * 1e12
    if not torch.cuda.is_available():
        return Device(name="cpu", memory_bytes=free_memory_bytes(), dtype=dtype, nf4=True, on_cpu=True, peak=given)
    name = str(torch.cuda.get_device_name(0))
    card = usage.find(name)
    return Device(
        name=device_name(name),
        memory_bytes=int(torch.cuda.get_device_properties(0).total_memory),
        dtype=dtype,
        nf4=bool(torch.cuda.is_bf16_supported()),
        on_cpu=False,
        peak=given or (card.peak(dtype) if card else None),
    )


def needs_checkpointing(device: Device, shapes: Shapes, config: Config, size: Pass) -> bool:
    """Whether training as configured might not fit without gradient checkpointing."""
    quantise = config.model.quantise
    dtype = "bfloat16" if quantise == "nf4" else device.dtype
    now = Setting(lora=config.lora, dtype=dtype, quantise=quantise, size=size, checkpointing=False)
    return _room(now.needs(shapes, device), device) != "yes"


def judge(device: Device, shapes: Shapes, config: Config, largest: Pass, longest: Pass, quantise: str) -> Fit:
    """Judge one device and one form of the base, `none` or `nf4`, by the largest pass and that of the longest row."""
    dtype = "bfloat16" if quantise == "nf4" else device.dtype
    fits: Answer = "cannot"
    needs, would_fit = None, ""
    setting = Setting(lora=config.lora, dtype=dtype, quantise=quantise, size=largest, checkpointing=False)
    if device.nf4 or dtype != "bfloat16":
        for checkpointing in CHECKPOINTING[config.train.gradient_checkpointing]:
            setting = msgspec.structs.replace(setting, checkpointing=checkpointing)
            needs = setting.needs(shapes, device)
            fits = _room(needs, device)
            if fits == "yes":
                break
        would_fit = "" if fits == "yes" else _change_that_fits(device, shapes, config, longest, setting)
    return Fit(
        device=device.name,
        quantise=quantise,
        dtype=dtype,
        fits=fits,
        needs=needs,
        holds=device.memory_bytes,
        checkpointing=setting.checkpointing,
        would_fit=would_fit,
    )


def _room(needs: Memory, device: Device) -> Answer:
    if needs.total * MARGIN <= device.memory_bytes:
        return "yes"
    return "close" if needs.total <= device.memory_bytes else "no"


def serves(device: Device, shapes: Shapes) -> bool:
    """Whether the base and a full key-value cache, both in bfloat16, fit for an evaluation."""
    return sum(memory.serving(shapes)) * MARGIN <= device.memory_bytes


class Setting(Struct, frozen=True, kw_only=True):
    """The settings that determine the memory of training on one device."""

    lora: Lora
    """The adapter."""
    dtype: str
    """Compute format of the base."""
    quantise: str
    """`none` or `nf4`."""
    size: Pass
    """The largest micro-batch."""
    checkpointing: bool
    """Whether gradient checkpointing is on."""

    def needs(self, shapes: Shapes, device: Device) -> Memory:
        """Estimate the peak memory."""
        return memory.estimate(
            shapes, self.lora, self.dtype, self.quantise, self.size, device.on_cpu, self.checkpointing
        )


def _change_that_fits(device: Device, shapes: Shapes, config: Config, longest: Pass, now: Setting) -> str:
    """Return the first change that is enough alone, else the first two that are enough together, else nothing."""
    changes = list(_changes(device, config, longest, now))
    pairs = [
        (f"{a}, {b}", first | second) for a, first in changes for b, second in changes if not first.keys() & second
    ]
    for text, change in [*changes, *pairs]:
        needs = msgspec.structs.replace(now, **change).needs(shapes, device)
        if _room(needs, device) == "yes":
            return text
    return ""


def _changes(device: Device, config: Config, longest: Pass, now: Setting) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield settings that save memory, cheapest first, each with the fields of Setting that it changes."""
    if now.size.tokens > longest.tokens:
        yield f"train.pack_tokens = {longest.tokens}", {"size": longest}
    if not now.checkpointing:
        yield 'train.gradient_checkpointing = "on"', {"checkpointing": True}
    if now.dtype == "float32" and device.nf4:
        yield 'train.dtype = "bfloat16"', {"dtype": "bfloat16"}
    if now.quantise == "none" and device.nf4:
        yield 'model.quantise = "nf4"', {"quantise": "nf4", "dtype": "bfloat16"}
    if now.lora.r > 8:
        yield "lora.r = 8", {"lora": msgspec.structs.replace(now.lora, r=8)}
    length = config.data.max_length // 2
    while length >= SHORTEST:
        if longest.shortest <= length < longest.tokens:
            size = Pass(tokens=length, answers=longest.answers)
            yield f"data.max_length = {length}, train.pack_tokens = {length}", {"size": size}
        length //= 2
