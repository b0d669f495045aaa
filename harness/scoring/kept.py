"""Keeps what was worked out of a source for the answers that follow, within a bound on memory. Knows no source.

In a run every case is answered by the baseline, then by the tuned model, and each time as often as the suite has
samples: what a rule finds in a source is needed again after all other sources of the suite have been read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_CHARACTERS = 4_000_000
"""Characters of the sources that each function's results are kept of: some 65 whole contracts, or 4,000 excerpts.

The scorers of facts keep some eleven bytes of each character of a contract, all together.
"""


class Kept(Generic[T]):
    """A function of a source's text, called once a source while there is room; the oldest results make room."""

    def __init__(self, function: Callable[[str], T], most: int = MOST_CHARACTERS) -> None:
        update_wrapper(self, function)
        self._function = function
        self._most = most
        self._size = 0
        self._found: dict[str, T] = {}

    def __call__(self, document: str) -> T:
        if document in self._found:
            return self._found[document]
        found = self._function(document)
        while self._found and self._size + len(document) > self._most:
            oldest = next(iter(self._found))
            self._size -= len(oldest)
            del self._found[oldest]
        self._size += len(document)
        self._found[document] = found
        return found
