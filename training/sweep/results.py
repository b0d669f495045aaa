"""The table of a sweep: measurements, ranking and selection bias. It is stored as sweep.json after every point."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from harness.errors import NOT_JSON, UserError
from harness.files import write_atomic
from harness.schema import Estimate


def expected_best(count: int) -> float:
    """Return the expected maximum of `count` independent standard normals; 0 for one.

    It is the mean of x * k * Phi(x)^(k - 1) for standard normal x, that of the highest order statistic (David and
    Nagaraja, Order Statistics, 3rd edition, 2003, section 3.1).
    """
    from scipy.stats import norm

    return float(norm.expect(lambda x: x * count * norm.cdf(x) ** (count - 1)))


FILE = "sweep.json"
LOSS = "validation loss"


class SweepMeasure(Struct, frozen=True, kw_only=True):
    """The metric that ranks the points."""

    name: str = LOSS
    """Metric of a suite, or the validation loss in nats per answer token."""
    higher_is_better: bool = False
    """Direction."""
    suite: str = ""
    """Suite of the metric; empty for the loss."""


class SweepRow(Struct, frozen=True, kw_only=True):
    """The results of one point."""

    number: int
    """1 for the first."""
    values: dict[str, Any]
    """Its settings: `table.key` to value."""
    steps_planned: int
    """Weight updates planned."""
    status: Literal["waiting", "finished", "failed"] = "waiting"
    """Progress."""
    inputs: str = ""
    """Digest of its training data, base and settings."""
    run: str = ""
    """Name of its run folder."""
    error: str | None = None
    """Last output line of a failed training run."""
    metric: Estimate | None = None
    """The metric of the selected adapter on the validation cases; None where the loss selects."""
    before: Estimate | None = None
    """The metric of its base model."""
    validation_loss: float | None = None
    """Validation loss of the selected adapter."""
    best_step: int | None = None
    """Step of the selected adapter."""
    steps: int | None = None
    """Weight updates done."""
    trainable_parameters: int | None = None
    """Parameters of the adapter."""
    tokens_per_s: float | None = None
    """Tokens of the rows per second."""
    peak_memory_mib: int | None = None
    """Peak memory."""
    wall_s: float | None = None
    """Duration in seconds."""
    diagnosis: str = ""
    """Name of the diagnosis of its curves."""


class Confirmed(Struct, frozen=True, kw_only=True):
    """The evaluation of the winner on the suite's test cases."""

    point: int
    """Number of the winner."""
    trained: str
    """Name of its run folder."""
    run: str
    """Name of the evaluation's run folder."""
    metric: Estimate
    """Metric of the winner."""
    baseline: Estimate | None = None
    """Metric of the base model."""
    difference: Estimate | None = None
    """Winner minus base model, paired."""
    gates: dict[str, int] = field(default_factory=dict)
    """Number of the suite's gates by outcome."""
    earlier: list[str] = field(default_factory=list)
    """Other sweeps that used the same test cases before."""


class Caution(Struct, frozen=True, kw_only=True):
    """Selection bias: how much better the best of several equally good points would look by chance."""

    points: int
    """Points compared."""
    standard_error: float
    """Standard error of the winner's metric."""
    at_most: float
    """Upper bound, in the metric's unit: the points share their cases, which makes it smaller. The selection of each
    point's step is not included."""


class SweepTable(Struct, frozen=True, kw_only=True):
    """The state of a sweep."""

    name: str
    """Name of the training configuration."""
    measure: SweepMeasure
    """The metric that ranks the points."""
    rows: list[SweepRow]
    """Every point, by number."""
    confirmed: Confirmed | None = None
    """The evaluation of the winner."""

    @property
    def ranked(self) -> list[SweepRow]:
        """Finished points, best first; ties go to the lower loss, the smaller adapter, the earlier point."""
        return sorted((row for row in self.rows if row.status == "finished"), key=self._rank)

    @property
    def winner(self) -> SweepRow | None:
        """The best point with a measured metric."""
        best = next(iter(self.ranked), None)
        return best if best is not None and self.value(best) is not None else None

    @property
    def failed(self) -> list[SweepRow]:
        """Points whose training failed."""
        return [row for row in self.rows if row.status == "failed"]

    def value(self, row: SweepRow) -> float | None:
        """Return the metric that ranks a point."""
        if not self.measure.suite:
            return row.validation_loss
        return row.metric.value if row.metric else None

    @property
    def caution(self) -> Caution | None:
        """The selection bias; None where the winner's metric has no interval."""
        from harness.stats.power import standard_error

        best = self.winner
        error = standard_error(best.metric) if best and best.metric else None
        if error is None:
            return None
        count = sum(self.value(row) is not None for row in self.ranked)
        return Caution(points=count, standard_error=error, at_most=error * expected_best(count))

    def _rank(self, row: SweepRow) -> tuple[float, float, float, int]:
        worst = float("inf")
        value = self.value(row)
        signed = worst if value is None else -value if self.measure.higher_is_better else value
        loss = worst if row.validation_loss is None else row.validation_loss
        return signed, loss, row.trainable_parameters or worst, row.number


def finished(row: SweepRow, run: str, record: Mapping[str, Any], inputs: str) -> SweepRow:
    """Return the row of a finished point from `record`, the `training` of its run's manifest."""
    selection = record.get("selection") or {}
    before, best = (_estimate(selection.get(when)) for when in ("before", "best"))
    return SweepRow(
        number=row.number,
        values=row.values,
        steps_planned=row.steps_planned,
        status="finished",
        inputs=inputs,
        run=run,
        metric=best,
        before=before,
        validation_loss=record.get("best_validation_loss"),
        best_step=record.get("best_step"),
        steps=record.get("steps"),
        trainable_parameters=record.get("trainable_parameters"),
        tokens_per_s=(record.get("rates") or {}).get("tokens_per_s"),
        peak_memory_mib=record.get("peak_memory_mib"),
        wall_s=record.get("wall_s"),
        diagnosis=(record.get("diagnosis") or {}).get("name", ""),
    )


def _estimate(fields: Mapping[str, Any] | None) -> Estimate | None:
    return msgspec.convert(fields, Estimate) if fields else None


def read(folder: Path) -> SweepTable | None:
    """Read the table of a sweep from its folder; None where there is none. Raises UserError if it is unreadable."""
    file = folder / FILE
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=SweepTable)
    except (OSError, *NOT_JSON) as error:
        raise UserError(
            f"{file}: cannot be read: {error}. Move it away; finished training runs are found again"
        ) from None


def as_json(table: SweepTable) -> bytes:
    """Encode the table with its ranking and selection bias."""
    whole = msgspec.to_builtins(table) | {
        "ranking": [row.number for row in table.ranked],
        "caution": msgspec.to_builtins(table.caution),
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)


REFUSED = "Free space; finished points are not trained again"
"""What to do where the disk refuses a file of a sweep."""


def write(table: SweepTable, folder: Path) -> None:
    """Write sweep.json, whole or not at all."""
    write_atomic(folder / FILE, as_json(table), REFUSED)
