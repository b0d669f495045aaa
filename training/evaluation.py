"""What is measured of a model between steps, and which of two measurements is better. Knows no model and no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from harness.schema import Estimate, Metric
from training.data import Document
from training.questions import Questions


class Held(Struct, frozen=True, kw_only=True):
    """What no step learns from."""

    documents: Sequence[Document] = ()
    """Validation rows."""
    general: Sequence[Document] = ()
    """General text, to see what tuning makes the model forget."""
    select: Questions | None = None
    """Cases whose metric chooses the adapter."""
    forgetting: Questions | None = None
    """General cases; they choose nothing."""

    @property
    def chooses(self) -> bool:
        """Whether anything here tells one step's adapter from another's."""
        return bool(self.documents) or self.select is not None

    @property
    def is_empty(self) -> bool:
        """Nothing to measure."""
        return not (self.chooses or self.general or self.forgetting)


class Measured(Struct, frozen=True, kw_only=True):
    """One measurement. Losses in nats: by answer token of the validation rows, by token of the general text."""

    validation_loss: float | None = None
    general_loss: float | None = None
    task: Estimate | None = None
    """The metric of `Held.select`."""
    general: Estimate | None = None
    """The metric of `Held.forgetting`."""

    @property
    def line(self) -> dict[str, Any]:
        """Fields of the training log; what was not measured is left out."""
        found: dict[str, Any] = {"validation_loss": self.validation_loss, "general_loss": self.general_loss}
        for name, estimate in (("task", self.task), ("general", self.general)):
            if estimate is not None:
                found |= {f"{name}_metric": estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return {key: value for key, value in found.items() if value is not None}


def is_better(now: Measured, best: Measured | None, metric: Metric | None) -> bool:
    """Whether `now` is chosen over an earlier best: by the metric, and by the validation loss where it is the same.

    Without a metric the loss alone chooses. A tie in everything goes to the earlier one.
    """
    if best is None:
        return True
    return _rank(now, metric) > _rank(best, metric)


def _rank(found: Measured, metric: Metric | None) -> tuple[float, float]:
    """Larger is better."""
    lowest = float("-inf")
    loss = lowest if found.validation_loss is None else -found.validation_loss
    if metric is None:
        return loss, 0.0
    value = found.task.value if found.task else None
    return (lowest if value is None else value if metric.higher_is_better else -value), loss
