"""Axes and marks of interval plots. Knows no suite."""

from __future__ import annotations

from collections.abc import Mapping

from harness.schema import Estimate
from reports import figures
from reports.model import Mark, Tick


def share_ticks() -> list[Tick]:
    """0% to 100% in quarters."""
    return [Tick(at=at, text=figures.tick(at, "share")) for at in (0.0, 0.25, 0.5, 0.75, 1.0)]


def turned_ticks(reach: float) -> list[Tick]:
    """A symmetric axis of percentage points around 0 that holds `reach`, a share; both sides count upwards."""
    end = next((step for step in (0.02, 0.04, 0.06, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8) if reach <= step), 1.0)
    places = (-end, -end / 2, 0.0, end / 2, end)
    return [Tick(at=at, text=figures.tick(abs(at), "points").lstrip("+")) for at in places]


def mark(variant: str, found: Estimate, unit: figures.Unit = "share") -> Mark | None:
    """An estimate as a mark, or None where nothing was measured."""
    if found.value is None:
        return None
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    return Mark(variant=variant, value=found.value, low=low, high=high, text=figures.estimate(found, unit))


def marks_of(found: Mapping[str, Estimate | None]) -> list[Mark]:
    """One mark for each variant that has a number."""
    made = [mark(name, estimate) for name, estimate in found.items() if estimate is not None]
    return [m for m in made if m is not None]
