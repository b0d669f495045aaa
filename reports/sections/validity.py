"""How far a scorer may be trusted: its agreement with people's labels and with known errors, beside its metric.

The figures are written by benchmarks/scorer_validity.py into the scorers' package; nothing is measured here.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from harness.schema import Estimate, Metric
from reports import number_format, wording
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView

FILE = "validity.json"
BADGES = {None: "", True: "pass", False: "fail"}
SHORT = "balanced accuracy"
"""The measure that stands beside the metric; the others are in the section's tables."""
LEAD = (
    "A metric is worth what its scorer is worth. These figures come from labelled texts of other domains and from "
    "errors put into faithful text; docs/scorer-validity.md says how they were measured."
)


class ValidityFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure of a scorer."""

    set: str
    """Labelled set."""
    detector: str
    """What was measured: the scorer, a plain rule, or their difference."""
    measure: str
    """Name of the figure."""
    value: float
    """The figure, a share."""
    low: float
    """Lower end of its 95% interval, clustered by source."""
    high: float
    """Upper end."""
    n: int
    """Texts."""
    clusters: int
    """Sources."""
    target: float | None = None
    """Bar, where one was set beforehand."""
    met: bool | None = None
    """Whether the figure reaches it."""

    @property
    def estimate(self) -> Estimate:
        """The figure as reports show one."""
        shown = {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "clusters": self.clusters}
        return msgspec.convert(shown | {"method": "clustered by source"}, Estimate)

    @property
    def unit(self) -> number_format.Unit:
        """Points for a difference of two detectors."""
        return "points" if "minus" in self.detector else "share"


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of the scorer behind one metric."""

    says: str
    """What the metric counts."""
    scorer: str
    """Version of the scorer that was measured."""
    rows: list[ValidityFigure]
    """The figures."""


@cache
def _measured() -> tuple[dict[str, Validity], str]:
    """Validity by metric name, and the day of measurement; empty where nothing was measured."""
    file = files("harness.scoring") / FILE
    if not file.is_file():
        return {}, ""
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    day = str(found.pop("measured", ""))
    return {name: msgspec.convert(table, Validity) for name, table in found.items()}, day


def of(metric: Metric) -> Validity | None:
    """What was measured for a metric's scorer; metrics of one name from another scorer have nothing."""
    from harness.scoring.grounding import facts

    found = _measured()[0].get(metric.name)
    return found if found and metric.scorer == facts.fabricated.name else None


def beside(metric: Metric) -> str:
    """One line for the place where the metric is shown; empty where nothing was measured."""
    found = of(metric)
    if found is None:
        return ""
    shown = [f"{number_format.estimate(f.estimate)} on {f.set}" for f in _short(found)]
    return f"scorer's balanced accuracy against people (50% is chance): {'; '.join(shown)}" if shown else ""


def _short(found: Validity) -> list[ValidityFigure]:
    """The scorer's own figure of the short measure on every set."""
    first = found.rows[0].detector if found.rows else ""
    return [f for f in found.rows if f.measure == SHORT and f.detector == first]


def section(evidence: RunView) -> Section | None:
    known = {m.name: m for suite in evidence.suites for m in suite.metrics if of(m)}
    blocks: list[Block] = []
    for name, metric in known.items():
        found = of(metric)
        assert found is not None
        blocks.append(Text(text=_measured_with(found)))
        blocks += [_table(name, title, found) for title in dict.fromkeys(f.set for f in found.rows)]
    return Section(id="validity", title="Scorer validity", lead=LEAD, blocks=blocks) if blocks else None


def _measured_with(found: Validity) -> str:
    from harness.scoring.grounding import facts

    said = f"{wording.capital(found.says)} Measured on {_measured()[1]} with scorer version {found.scorer}"
    now = facts.fabricated.version
    return f"{said}." if now == found.scorer else f"{said}; this is version {now}, and the figures may differ for it."


def _table(name: str, title: str, found: Validity) -> Table:
    rows = [
        [
            Cell(text=f.measure, note=f.detector),
            Cell(
                text=number_format.value(f.estimate, f.unit),
                note=number_format.interval(f.estimate, f.unit),
                estimate=f.estimate,
            ),
            Cell(text="" if f.target is None else number_format.quantity(f.target, "share"), badge=BADGES[f.met]),
            Cell(text=number_format.number(f.n), note=wording.count(f.clusters, "source")),
        ]
        for f in found.rows
        if f.set == title
    ]
    columns = ["Measure", "Value, 95% interval", "Target", "Texts"]
    return Table(caption=f"{name}: {title}", columns=columns, rows=rows, numeric=[1, 2, 3], folded=True)
