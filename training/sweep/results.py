"""The table of a sweep: what each point measured, in which order they stand, how far chance may have put them there.

It is kept as sweep.json, which is written whole after every point. Trains nothing and shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from harness.errors import NOT_JSON, UserError
from harness.files import write_atomic
from harness.schema import Estimate

FURTHEST = 12.0
"""Standard deviations; a normal beyond them adds nothing that a double can hold."""


def expected_best(count: int) -> float:
    """Mean of the largest of `count` independent standard normals; 0 for one.

    It is the integral of x * k * phi(x) * Phi(x)^(k - 1): the mean of the highest order statistic (David and Nagaraja,
    Order Statistics, 3rd edition, 2003, section 3.1).
    """
    if count < 2:
        return 0.0
    from scipy import integrate, special

    def density(x: float) -> float:
        return x * count * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * float(special.ndtr(x)) ** (count - 1)

    found, _ = integrate.quad(density, -FURTHEST, FURTHEST, limit=200, epsabs=1e-10)
    return float(found)


def standard_error(found: Estimate) -> float | None:
    """Half of the interval in normal quantiles; None where there is no interval."""
    from harness.stats.intervals import critical

    if found.low is None or found.high is None:
        return None
    return (found.high - found.low) / 2 / critical(found.level)


FILE = "sweep.json"
LOSS = "validation loss"


class SweepMeasure(Struct, frozen=True, kw_only=True):
    """What the points are compared by."""

    name: str = LOSS
    """Metric of a suite, or the validation loss in nats by answer token."""
    higher_is_better: bool = False
    """Direction."""
    suite: str = ""
    """Suite whose metric it is; empty for the loss."""


class SweepRow(Struct, frozen=True, kw_only=True):
    """One point."""

    number: int
    """1 for the first."""
    values: dict[str, Any]
    """What it changes: `table.key` to value."""
    steps_planned: int
    """Weight updates planned."""
    status: Literal["waiting", "finished", "failed"] = "waiting"
    """How far it is."""
    inputs: str = ""
    """Digest of everything that it was trained on."""
    run: str = ""
    """Name of its run folder."""
    error: str | None = None
    """Last line of a failed training."""
    metric: Estimate | None = None
    """The metric of the kept adapter on the validation cases; None where the loss chooses."""
    before: Estimate | None = None
    """The same of its base model."""
    validation_loss: float | None = None
    """Of the kept adapter."""
    best_step: int | None = None
    """Step of the kept adapter."""
    steps: int | None = None
    """Weight updates done."""
    trainable_parameters: int | None = None
    """Size of the adapter."""
    tokens_per_s: float | None = None
    """Tokens of the rows by second."""
    peak_memory_mib: int | None = None
    """Most memory at once."""
    wall_s: float | None = None
    """Seconds of the training."""
    diagnosis: str = ""
    """What its curves show."""


class Confirmed(Struct, frozen=True, kw_only=True):
    """The winner on the suite's test cases, which were asked once."""

    point: int
    """The winner's number."""
    trained: str
    """Name of its run folder."""
    run: str
    """Name of the evaluation's run folder."""
    metric: Estimate
    """The winner's level."""
    baseline: Estimate | None = None
    """The base model's."""
    difference: Estimate | None = None
    """Winner minus base model, paired."""
    gates: dict[str, int] = field(default_factory=dict)
    """How many gates of the suite had each outcome."""
    earlier: list[str] = field(default_factory=list)
    """Other sweeps that asked the same test before."""


class Caution(Struct, frozen=True, kw_only=True):
    """How much better the best of several equally good points would look by chance."""

    points: int
    """Points compared."""
    standard_error: float
    """Of the winner's metric."""
    at_most: float
    """In the metric's unit. The points share their cases, which makes it less; what the choice of each point's step
    adds is not in it."""


class SweepTable(Struct, frozen=True, kw_only=True):
    """A sweep as far as it is."""

    name: str
    """Name of the training that it varies."""
    measure: SweepMeasure
    """What the points are compared by."""
    rows: list[SweepRow]
    """Every point, in its order."""
    confirmed: Confirmed | None = None
    """The winner's test."""

    @property
    def ranked(self) -> list[SweepRow]:
        """Finished points, the best first; ties go to the lower loss, the smaller adapter, the earlier point."""
        return sorted((row for row in self.rows if row.status == "finished"), key=self._place)

    @property
    def winner(self) -> SweepRow | None:
        """The best point that measured anything."""
        best = next(iter(self.ranked), None)
        return best if best is not None and self.value(best) is not None else None

    @property
    def failed(self) -> list[SweepRow]:
        """Points whose training ended with an error."""
        return [row for row in self.rows if row.status == "failed"]

    def value(self, row: SweepRow) -> float | None:
        """What a point is compared by."""
        if not self.measure.suite:
            return row.validation_loss
        return row.metric.value if row.metric else None

    @property
    def caution(self) -> Caution | None:
        """None where no interval says how certain the winner's number is."""
        best = self.winner
        error = standard_error(best.metric) if best and best.metric else None
        if error is None:
            return None
        count = sum(self.value(row) is not None for row in self.ranked)
        return Caution(points=count, standard_error=error, at_most=error * expected_best(count))

    def _place(self, row: SweepRow) -> tuple[float, float, float, int]:
        worst = float("inf")
        value = self.value(row)
        signed = worst if value is None else -value if self.measure.higher_is_better else value
        loss = worst if row.validation_loss is None else row.validation_loss
        return signed, loss, row.trainable_parameters or worst, row.number


def finished(row: SweepRow, run: str, record: Mapping[str, Any], inputs: str) -> SweepRow:
    """The row of a point whose training made `record`, the `training` of a finished run's manifest."""
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


def _estimate(found: Mapping[str, Any] | None) -> Estimate | None:
    return msgspec.convert(found, Estimate) if found else None


def read(folder: Path) -> SweepTable | None:
    """The table of a sweep that began before; None where there is none."""
    file = folder / FILE
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=SweepTable)
    except (OSError, *NOT_JSON) as error:
        raise UserError(f"{file}: cannot be read: {error}. Move it away; finished trainings are found again") from None


def as_json(table: SweepTable) -> bytes:
    """The table with what follows from it: the ranking, and the caution."""
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
