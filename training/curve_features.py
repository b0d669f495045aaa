"""Features of the curves of a training run; its diagnosis is made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import Struct

FEW = 3
"""Steps of the level at the start: few, since a loss may fall fast; and the fewest that show a loss that has risen."""
STRETCH = 5
"""Any other level covers the last fifth of the steps before it,"""
WIDEST = 20
"""but at most this many."""
BEFORE_SPIKE = 10
"""Steps before a spike that it is compared with."""
SPIKE_NATS = 0.25
"""Smallest rise of a spike in nats: the learnt tokens lose a fifth of their probability. Where a loss is near zero, a
few harder rows of a step double it."""


class CurveFeatures(Struct, frozen=True, kw_only=True):
    """Features of the curves of one training run. Losses in nats per answer token."""

    steps: int
    """Weight updates in the log."""
    first: float
    """Level of the training loss at the start."""
    late_from: int
    """Step after which the last third starts."""
    middle: float
    """Level after two thirds of the steps."""
    last: float
    """Level at the end."""
    risen: float
    """The level at the end, or that of the last FEW steps if it is lower: in a short training, one step may decide."""
    at_best: float
    """Level at the lowest validation loss, or at the end without validation."""
    validations: list[tuple[int, float]]
    """Step and validation loss, without the base model's."""
    norms: list[float]
    """Gradient norms before clipping, after the warm-up."""
    spikes: list[int]
    """Steps from which two of three losses are twice the median of the ten before and SPIKE_NATS above it, and above
    the level at the start. A single high loss is normal for rows with long answers."""
    lr: float
    """Highest learning rate."""
    answers: int | None
    """Learnt tokens of the training rows; None if the record does not have them."""
    answers_expected: int | None
    """Tokens of the answer texts, each with its end token."""
    tasks: list[tuple[int, float]]
    """Step and task metric; step 0 is the base model."""
    higher_is_better: bool | None
    """Direction of the task metric; None if the record does not have it."""
    kept: int | None
    """Step of the kept adapter; None if the record does not have it."""
    general: tuple[float, float] | None
    """Loss on general text before and after; None if it was not measured."""

    @property
    def fall(self) -> float:
        """Fall of the training loss, as a share of its level at the start."""
        return (self.first - self.last) / self.first if self.first else 0.0

    @property
    def late_share(self) -> float:
        """Share of the fall that is in the last third of the steps; 0 without a fall."""
        return (self.middle - self.last) / (self.first - self.last) if self.first > self.last else 0.0

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the lowest validation loss."""
        return min(self.validations, key=lambda v: (v[1], v[0]), default=None)

    @property
    def best_task(self) -> float:
        """Best value of the task metric, which may be the base model's; the farthest from it without a direction."""
        values = [value for _, value in self.tasks]
        if self.higher_is_better is None:
            return max(values, key=lambda value: abs(value - values[0]))
        return (max if self.higher_is_better else min)(values)

    @property
    def kept_task(self) -> float:
        """Task metric of the kept adapter, or at the end if that is unknown."""
        return next((value for step, value in self.tasks if step == self.kept), self.tasks[-1][1])


def read(log: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> CurveFeatures | None:
    """Return the features of a training log and its run record; None for fewer than three steps."""
    trained = [row for row in log if "loss" in row]
    if len(trained) < 3:
        return None
    steps = [row["step"] for row in trained]
    losses = [row["loss"] for row in trained]
    held_out = [(row["step"], row["validation_loss"]) for row in log if row["step"] and "validation_loss" in row]
    best = min(held_out, key=lambda v: (v[1], v[0]), default=(steps[-1], 0.0))[0]
    late = round(len(losses) * 2 / 3)
    rows = record.get("train") or {}
    return CurveFeatures(
        steps=len(trained),
        first=median(losses[:FEW]),
        late_from=steps[late - 1],
        middle=level(losses, late),
        last=level(losses, len(losses)),
        risen=min(level(losses, len(losses)), median(losses[-FEW:])),
        at_best=level(losses, sum(step <= best for step in steps)),
        validations=held_out,
        norms=[row["grad_norm"] for row in trained[_warm_up(trained) :]],
        spikes=[steps[here] for here in range(len(losses)) if _spikes(losses, here) and not _spikes(losses, here - 1)],
        lr=max(row["lr"] for row in trained),
        answers=rows.get("answer_tokens"),
        answers_expected=rows.get("answer_tokens_expected"),
        tasks=[(row["step"], row["task_metric"]) for row in log if row.get("task_metric") is not None],
        higher_is_better=(record.get("selection") or {}).get("higher_is_better"),
        kept=record.get("best_step"),
        general=_general(record.get("forgetting")),
    )


def level(losses: Sequence[float], at: int) -> float:
    """Return the median of the stretch that ends at index `at`."""
    width = min(max(1, len(losses) // STRETCH), WIDEST)
    return median(losses[max(at - width, 0) : max(at, 1)])


def _warm_up(trained: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of steps before the highest learning rate."""
    return max(range(len(trained)), key=lambda i: (trained[i]["lr"], -i))


def _spikes(losses: Sequence[float], start: int) -> bool:
    earlier, current = losses[max(0, start - BEFORE_SPIKE) : max(0, start)], losses[max(0, start) : start + 3]
    if len(earlier) < BEFORE_SPIKE or len(current) < 3:
        return False
    before = median(earlier)
    return median(current) > max(2 * before, before + SPIKE_NATS, median(losses[:FEW]))


def _general(losses: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if not losses or losses.get("before") is None or losses.get("after") is None:
        return None
    return losses["before"], losses["after"]
