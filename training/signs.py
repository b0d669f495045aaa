"""Reads the curves of a training as a handful of numbers. Judges nothing.

A level is the median of a stretch of steps, so that one odd batch does not move it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import Struct

AT_START = 3
"""Steps behind the level at the start: few, since a loss may fall fast."""
STRETCH = 5
"""Any other level is taken over the last fifth of the steps before it,"""
WIDEST = 20
"""but over no more than this many."""
BEFORE_SPIKE = 10
"""Steps that a spike is measured against."""


class Signs(Struct, frozen=True, kw_only=True):
    """What the curves of one training say. Losses in nats per answer token."""

    steps: int
    """Weight updates in the log."""
    first: float
    """Level of the training loss at the start."""
    late_from: int
    """Step after which the last third begins."""
    middle: float
    """The same after two thirds of the steps."""
    last: float
    """The same at the end."""
    at_best: float
    """The same where validation was lowest; at the end where there was no validation."""
    validations: list[tuple[int, float]]
    """Step and validation loss, without the base model's."""
    norms: list[float]
    """Gradient norms before clipping, after the warm-up."""
    spikes: list[int]
    """Steps from which two of three losses are twice the median of the ten before, and above the level at the
    start. A single step is the doing of its rows: long answers among short ones."""
    lr: float
    """Highest learning rate."""
    answers: int | None
    """Tokens that are learnt in the training rows; None where the record does not say."""
    answers_expected: int | None
    """Tokens of the answers alone, each with its end token."""
    tasks: list[tuple[int, float]]
    """Step and task metric, turned so that higher is better; step 0 is the base model."""
    general: tuple[float, float] | None
    """Loss on general text before and after; None where it was not measured."""

    @property
    def fall(self) -> float:
        """How far the training loss came down, as a share of its level at the start."""
        return (self.first - self.last) / self.first if self.first else 0.0

    @property
    def late_share(self) -> float:
        """Share of that fall which came in the last third of the steps; 0 where it did not fall."""
        return (self.middle - self.last) / (self.first - self.last) if self.first > self.last else 0.0

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the lowest validation."""
        return min(self.validations, key=lambda v: (v[1], v[0]), default=None)


def read(log: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> Signs | None:
    """Signs of a training log and its run record; None where fewer than three steps were logged."""
    trained = [row for row in log if "loss" in row]
    if len(trained) < 3:
        return None
    steps = [row["step"] for row in trained]
    losses = [row["loss"] for row in trained]
    held_out = [(row["step"], row["validation_loss"]) for row in log if row["step"] and "validation_loss" in row]
    best = min(held_out, key=lambda v: (v[1], v[0]), default=(steps[-1], 0.0))[0]
    late = round(len(losses) * 2 / 3)
    rows = record.get("train") or {}
    sign = 1 if (record.get("selection") or {}).get("higher_is_better", True) else -1
    return Signs(
        steps=len(trained),
        first=median(losses[:AT_START]),
        late_from=steps[late - 1],
        middle=level(losses, late),
        last=level(losses, len(losses)),
        at_best=level(losses, sum(step <= best for step in steps)),
        validations=held_out,
        norms=[row["grad_norm"] for row in trained[_warm_up(trained) :]],
        spikes=[steps[here] for here in range(len(losses)) if _spikes(losses, here) and not _spikes(losses, here - 1)],
        lr=max(row["lr"] for row in trained),
        answers=rows.get("answer_tokens"),
        answers_expected=rows.get("answer_tokens_expected"),
        tasks=[(row["step"], sign * row["task_metric"]) for row in log if row.get("task_metric") is not None],
        general=_general(record.get("forgetting")),
    )


def level(losses: Sequence[float], at: int) -> float:
    """Median of the stretch that ends at index `at`."""
    width = min(max(1, len(losses) // STRETCH), WIDEST)
    return median(losses[max(at - width, 0) : max(at, 1)])


def _warm_up(trained: Sequence[Mapping[str, Any]]) -> int:
    """Steps before the learning rate is highest."""
    return max(range(len(trained)), key=lambda i: (trained[i]["lr"], -i))


def _spikes(losses: Sequence[float], here: int) -> bool:
    before, now = losses[max(0, here - BEFORE_SPIKE) : max(0, here)], losses[max(0, here) : here + 3]
    if len(before) < BEFORE_SPIKE or len(now) < 3:
        return False
    return median(now) > max(2 * median(before), median(losses[:AT_START]))


def _general(found: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if not found or found.get("before") is None or found.get("after") is None:
        return None
    return found["before"], found["after"]
