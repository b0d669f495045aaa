"""A run's metrics as OpenMetrics text, for GitLab's metrics report.

GitLab compares values as strings, strips what follows a `#`, and splits each line as a shell would. So numbers are
rounded to six digits, and label values contain no character that either would interpret.
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
    "tunegate_metric": ("Value of a metric.", lambda estimate: estimate.value),
    "tunegate_metric_low": ("Lower end of its interval.", lambda estimate: estimate.low),
    "tunegate_metric_high": ("Upper end of its interval.", lambda estimate: estimate.high),
    "tunegate_metric_n": ("Number of cases or claims.", lambda estimate: estimate.n),
}


def render(rows: Iterable[MetricRow]) -> str:
    """Render all measured metrics, one family after the other, in the order of the run."""
    measured = [(_labels(row), row.estimate) for row in rows if row.estimate.value is not None]
    lines = []
    for family, (description, of) in FAMILIES.items():
        lines += [f"# HELP {family} {description}", f"# TYPE {family} gauge"]
        lines += [
            f"{family}{labels} {number(value)}" for labels, estimate in measured if (value := of(estimate)) is not None
        ]
    return "\n".join([*lines, "# EOF"]) + "\n"


def number(value: float) -> str:
    """Format a count as it is, any other number with six significant digits and never as negative zero."""
    return str(value) if isinstance(value, int) else f"{value + 0.0:.6g}"


def label(foreign: str) -> str:
    """Make a label value without quotes, `#`, backslashes or line breaks; a changed one ends with its digest."""
    clean = FOREIGN.sub("_", shown(foreign))[:LONGEST]
    return clean if clean == foreign else f"{clean}-{digest(foreign)[-8:]}"


def _labels(row: MetricRow) -> str:
    named = {"suite": row.suite, "variant": row.variant, "metric": row.metric}
    if row.slice is not None:
        named |= {"slice": row.slice, "slice_value": row.slice_value or ""}
    return "{" + ",".join(f'{name}="{label(value)}"' for name, value in named.items()) + "}"
