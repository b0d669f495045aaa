"""The fact scorer against the injected-error set: recall by operator and false alarms on faithful text.

An error counts as caught only where a fabricated fact overlaps it (or touches the seam, where words were dropped); a
finding elsewhere in the copy does not count. A faithful copy is a false alarm when it holds any fabricated fact.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from injected import FAITHFUL, ORIGINS, Copy, copies

from harness.schema import Span
from harness.scoring.grounding import facts
from harness.stats import intervals

LEAST_RECALL, MOST_ALARMS = 0.95, 0.02
TARGETED = ("swap a figure", "invent a section", "swap a section", "invent a party", "invent a department")
"""Operators whose errors are citations, figures and names: the target of recall holds for them."""


class Rate(NamedTuple):
    """A share of copies, with its interval clustered by source."""

    operator: str
    kind: str
    """`all`, or the operator's own division."""
    origin: str
    part: str
    """`open` or `frozen`."""
    value: float
    low: float
    high: float
    n: int
    clusters: int

    @property
    def target(self) -> float | None:
        if self.operator in FAITHFUL:
            return MOST_ALARMS
        return LEAST_RECALL if self.operator in TARGETED else None

    @property
    def met(self) -> bool | None:
        """Whether the value is on the right side of the target; None where there is no target."""
        if self.target is None:
            return None
        return self.value <= self.target if self.operator in FAITHFUL else self.value >= self.target


def findings(copy: Copy) -> list[Span]:
    """The fabricated facts that the scorer finds in a copy."""
    return [span for span in facts.judge(copy.case, copy.completion) if facts.is_fabricated(span)]


def hit(copy: Copy, found: Iterable[Span]) -> bool:
    """Whether the error is caught; for a faithful copy, whether there is a false alarm."""
    if copy.operator in FAITHFUL:
        return any(True for _ in found)
    return any(_overlap(span, start, end) for span in found for start, end in copy.spans)


def _overlap(span: Span, start: int, end: int) -> bool:
    if start == end:
        return span.start <= start <= span.end
    return span.start < end and start < span.end


def judged(parts: Iterable[str]) -> list[tuple[Copy, bool]]:
    """Every copy of these parts (`open`, `frozen`) with what the scorer made of it."""
    wanted = {part == "frozen" for part in parts}
    kept = [copy for origin in ORIGINS for copy in copies(origin) if copy.frozen in wanted]
    return [(copy, hit(copy, findings(copy))) for copy in kept]


def rates(results: Iterable[tuple[Copy, bool]]) -> list[Rate]:
    """A rate for each operator, whole and by kind, of each origin and part."""
    grouped: dict[tuple[str, str, str, str], list[tuple[str, bool]]] = defaultdict(list)
    for copy, caught in results:
        for kind in ("all", copy.kind):
            part = "frozen" if copy.frozen else "open"
            grouped[copy.operator, kind, copy.origin, part].append((copy.case.cluster, caught))
    return [_rate(*key, outcomes) for key, outcomes in grouped.items()]


def _rate(operator: str, kind: str, origin: str, part: str, outcomes: list[tuple[str, bool]]) -> Rate:
    names = {name: number for number, name in enumerate(sorted({cluster for cluster, _ in outcomes}))}
    caught = np.array([float(found) for _, found in outcomes])
    bounds = intervals.proportion(caught, np.ones(len(caught)), np.array([names[cluster] for cluster, _ in outcomes]))
    return Rate(operator, kind, origin, part, float(caught.mean()), bounds.low, bounds.high, len(outcomes), len(names))
