"""Section: how far a scorer can be trusted: its agreement with people's labels and with known errors.

benchmarks/scorer_validity.py measures the numbers and writes them into the scorers' package.
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
"""The measure shown next to the metric; the others are in this section's tables."""
LEAD = (
    "A metric is only as good as its scorer. These numbers come from answers with known truth over the shipped "
    "documents, from labelled texts of other domains and from errors inserted into faithful text; "
    "docs/scorer-validity.md describes how they were measured."
)


class ValidityFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number about a scorer."""

    set: str
    """Labelled set."""
    detector: str
    """What was measured: the scorer, a plain rule, or their difference."""
    measure: str
    """Name of the measure."""
    value: float
    """The measured share."""
    low: float
    """Lower end of its 95% interval, clustered by source."""
    high: float
    """Upper end."""
    n: int
    """Texts."""
    clusters: int
    """Sources."""
    target: float | None = None
    """Target, where one was set beforehand."""
    met: bool | None = None
    """Whether the value reaches the target."""

    @property
    def estimate(self) -> Estimate:
        """The number as an estimate."""
        shown = {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "clusters": self.clusters}
        return msgspec.convert(shown | {"method": "clustered by source"}, Estimate)

    @property
    def unit(self) -> number_format.Unit:
        """`points` for a difference of two detectors, else `share`."""
        return "points" if "minus" in self.detector else "share"


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured about the scorer behind one metric."""

    says: str
    """What the metric counts."""
    scorer: str
    """Version of the scorer that was measured."""
    rows: list[ValidityFigure]
    """The measured numbers."""


@cache
def _measured() -> tuple[dict[str, Validity], str]:
    """Return validity by metric name, and the date of measurement; empty where nothing was measured."""
    file = files("harness.scoring") / FILE
    if not file.is_file():
        return {}, ""
    tables: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    day = str(tables.pop("measured", ""))
    return {name: msgspec.convert(table, Validity) for name, table in tables.items()}, day


def of(metric: Metric) -> Validity | None:
    """Return what was measured for a metric's scorer; None for a metric of the same name by another scorer."""
    from harness.scoring.grounding import facts

    validity = _measured()[0].get(metric.name)
    return validity if validity and metric.scorer == facts.fabricated.name else None


def note_for(metric: Metric) -> str:
    """Say in one line, next to the metric, how good its scorer is; empty where nothing was measured."""
    validity = of(metric)
    if validity is None:
        return ""
    shown = [f"{number_format.estimate(f.estimate)} on {f.set}" for f in _short(validity)]
    return f"scorer's balanced accuracy (50% is chance): {'; '.join(shown)}" if shown else ""


def _short(validity: Validity) -> list[ValidityFigure]:
    """Return the scorer's own value of the short measure on every set."""
    first = validity.rows[0].detector if validity.rows else ""
    return [f for f in validity.rows if f.measure == SHORT and f.detector == first]


def section(evidence: RunView) -> Section | None:
    known = {m.name: m for suite in evidence.suites for m in suite.metrics if of(m)}
    blocks: list[Block] = []
    for name, metric in known.items():
        validity = of(metric)
        assert validity is not None
        blocks.append(Text(text=_measured_with(validity)))
        blocks += [_table(name, title, validity) for title in dict.fromkeys(f.set for f in validity.rows)]
    return Section(id="validity", title="Scorer validity", lead=LEAD, blocks=blocks) if blocks else None


def _measured_with(validity: Validity) -> str:
    from harness.scoring.grounding import facts

    text = f"{wording.capital(validity.says)} Measured on {_measured()[1]} with scorer version {validity.scorer}"
    now = facts.fabricated.version
    return f"{text}." if now == validity.scorer else f"{text}; this is version {now}, for which the numbers may differ."


def _table(name: str, title: str, validity: Validity) -> Table:
    rows = [
        [
            Cell(text=f.measure, note=f.detector),
            number_format.estimate_cell(f.estimate, f.unit),
            Cell(text="" if f.target is None else number_format.quantity(f.target, "share"), badge=BADGES[f.met]),
            Cell(text=number_format.number(f.n), note=wording.count(f.clusters, "source")),
        ]
        for f in validity.rows
        if f.set == title
    ]
    columns = ["Measure", "Value, 95% interval", "Target", "Texts"]
    return Table(caption=f"{name}: {title}", columns=columns, rows=rows, numeric=[1, 2, 3], folded=True)
