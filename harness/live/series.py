"""A series of any length, kept as a bounded number of means. Knows nothing of what it is a series of."""

from __future__ import annotations

MOST = 1024


class Series:
    """Numbers in their order; neighbours are averaged once there are too many."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self.last: float | None = None
        self._each = 1
        self._open: list[float] = []

    def add(self, value: float) -> None:
        """One number more."""
        self.last = value
        self._open.append(value)
        if len(self._open) < self._each:
            return
        self.means.append(sum(self._open) / self._each)
        self._open = []
        if len(self.means) == MOST:
            self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
            self._each *= 2
