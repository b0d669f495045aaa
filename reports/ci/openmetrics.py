"""The run's metrics as OpenMetrics text, for GitLab's metrics report. Knows no report.

GitLab compares values as strings, strips what follows a `#`, and splits each line as a shell would, so that numbers are
rounded to six digits and label values hold nothing that either would take for its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from harness.files import digest
from harness.sanitize import shown
from harness.schema import Estimate, MetricRow

FOREIGN = re.compile(r"[^\w ./:=+@%()-]")
LONGEST = 120
FAMILIES: dict[str, tuple[str, Callable[[Estimate], float | None]]] = {
    "tunegate_metric": ("Value of a metric.", lambda found: found.value),
    "tunegate_metric_low": ("Lower end of its interval.", lambda found: found.low),
    "tunegate_metric_high": ("Upper end of its interval.", lambda found: found.high),
    "tunegate_metric_n": ("Cases or claims behind it.", lambda found: found.n),
}


def render(rows: Iterable[MetricRow]) -> str:
    """All measured metrics, one family after the other, each in the order of the run."""
    measured = [(_labels(row), row.estimate) for row in rows if row.estimate.value is not None]
    lines = []
    for family, (says, of) in FAMILIES.items():
        lines += [f"# HELP {family} {says}", f"# TYPE {family} gauge"]
        lines += [f"{family}{labels} {number(value)}" for labels, found in measured if (value := of(found)) is not None]
    return "\n".join([*lines, "# EOF"]) + "\n"


def number(value: float) -> str:
    """A count as it is, anything else at six significant digits; never a negative zero."""
    return str(value) if isinstance(value, int) else f"{value + 0.0:.6g}"


def label(foreign: str) -> str:
    """A label value without quotes, `#`, backslashes or breaks; one that had to change ends with its digest."""
    clean = FOREIGN.sub("_", shown(foreign))[:LONGEST]
    return clean if clean == foreign else f"{clean}-{digest(foreign)[-8:]}"


def _labels(row: MetricRow) -> str:
    named = {"suite": row.suite, "variant": row.variant, "metric": row.metric}
    if row.slice is not None:
        named |= {"slice": row.slice, "slice_value": row.slice_value or ""}
    return "{" + ",".join(f'{name}="{label(found)}"' for name, found in named.items()) + "}"
