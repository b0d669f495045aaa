"""Remembers which ranges of a text are taken, and tells whether another one is free. Knows no text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable


class Taken:
    """Ranges that do not overlap; asking and adding stay fast for many thousands of them."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> bool:
        """Take a range if it overlaps none; whether it was free."""
        at = bisect_left(self.starts, end)
        if at and self.ends[at - 1] > start:
            return False
        self.starts.insert(at, start)
        self.ends.insert(at, end)
        return True

    def is_free(self, start: int, end: int) -> bool:
        """Whether a range overlaps none that is taken."""
        at = bisect_left(self.starts, end)
        return not (at and self.ends[at - 1] > start)
