"""An estimate of the time left that is silent at first and does not jump."""

from __future__ import annotations

import math
import time

from harness.formatting import format_duration

SILENT_S = 30.0
"""No estimate is shown for this long: the first ones are wrong by factors."""
SMOOTHED_OVER_S = 30.0
"""Time constant of the exponential smoothing."""


class TimeLeft:
    """Smooths estimates of the seconds left, from the first estimate on, or from `began` on."""

    def __init__(self, began: float | None = None) -> None:
        self._began = began
        self._last: float | None = None
        self._end = 0.0

    def update(self, left_s: float | None) -> float | None:
        """Add an estimate, None where there is none yet, and return the smoothed seconds; None in the first 30."""
        if left_s is None:
            return None
        now = time.monotonic()
        if self._began is None:
            self._began = now
        is_silent = now - self._began < SILENT_S
        weight = 1.0 if is_silent or self._last is None else 1 - math.exp((self._last - now) / SMOOTHED_OVER_S)
        self._end += (now + left_s - self._end) * weight
        self._last = now
        return None if is_silent else max(0.0, self._end - now)

    def text(self, left_s: float | None) -> str:
        """Add an estimate and return it in words, such as `about 3 min left`; empty where none is shown."""
        left = self.update(left_s)
        return f"about {format_duration(left)} left" if left and left_s else ""
