"""How fast units come, and when they will all be there. Knows no unit."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

WINDOW_S = 120.0


class Mark(NamedTuple):
    """How far it was at one time."""

    at: float
    """Seconds on a clock."""
    units: int
    """Units done."""
    tokens: int
    """Their tokens."""


class Pace:
    """Rates over the last two minutes. The wait for the first unit, while an engine loads, is no part of them."""

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()
        self._now = 0.0

    def mark(self, at: float, units: int, tokens: int) -> None:
        """So far it is at this time."""
        self._now = at
        if not units:
            self._marks.clear()
        if not self._marks or self._marks[-1].units != units:
            self._marks.append(Mark(at, units, tokens))
        while len(self._marks) > 2 and self._marks[1].at < at - WINDOW_S:
            self._marks.popleft()

    @property
    def per_s(self) -> tuple[float, float]:
        """Units and tokens a second; zeros before there are any."""
        if len(self._marks) < 2:
            return 0.0, 0.0
        first, last = self._marks[0], self._marks[-1]
        seconds = max(self._now - first.at, 1e-9)
        return (last.units - first.units) / seconds, (last.tokens - first.tokens) / seconds

    def left(self, units: int) -> float | None:
        """Seconds for so many units more; None where nobody can tell yet."""
        rate = self.per_s[0]
        return units / rate if rate and units else None
