"""Knows graphics cards by name: how much they hold and how fast they are at best. The facts lie in cards.toml."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec
from msgspec import Struct

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
    raw = (Path(__file__).parent / "cards.toml").read_bytes()
    return tuple(msgspec.toml.decode(raw, type=dict[str, list[Card]])["card"])


def find(device: str) -> Card | None:
    """The card that CUDA calls `device`, or None."""
    words = set(re.split(r"[\s-]+", device))
    if words & NOT_THE_CARD:
        return None
    return next((card for card in cards() if words.issuperset(card.words)), None)
