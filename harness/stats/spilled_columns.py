"""Columns that grow at the end, and lie in a temporary file once they are long. Knows not what they hold.

Memory keeps the newest CHUNK bytes of a column and a few bytes for each chunk before, so that a run of any length fits.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import IO, Any

from harness.errors import UserError

CHUNK = 1 << 16
"""Bytes of a column that go to the file together."""


class Shelf:
    """The temporary file that columns share, made once one of them needs it. It has no name, and goes with them."""

    def __init__(self, what: str, room: str) -> None:
        self._what, self._room = what, room
        self._file: IO[bytes] | None = None
        self._end = 0

    def put(self, data: array[Any]) -> int:
        """Add bytes; returns where they begin. UserError where the disk has no room for them."""
        begin, left = self._end, memoryview(data).cast("B")
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as this
                weakref.finalize(self, self._file.close)
            while left:
                written = os.pwrite(self._file.fileno(), left, self._end)
                left, self._end = left[written:], self._end + written
        except OSError as error:
            raise UserError(
                f"{tempfile.gettempdir()}: {self._what} cannot be kept ({error.strerror}). Free space, or set TMPDIR "
                f"to a folder with {self._room}"
            ) from None
        return begin

    def get(self, begin: int, size: int) -> bytes:
        """Bytes that were put there."""
        assert self._file is not None
        return os.pread(self._file.fileno(), size, begin)


class Column:
    """Numbers of one type, appended one by one or many at once and read by place."""

    def __init__(self, shelf: Shelf, typecode: str) -> None:
        self._shelf = shelf
        self._new: array[Any] = array(typecode)
        self._begins, self._ends = array("Q"), array("Q", [0])

    def __len__(self) -> int:
        return self._ends[-1] + len(self._new)

    def append(self, value: float) -> None:
        """One number more."""
        self._new.append(value)
        if len(self._new) * self._new.itemsize >= CHUNK:
            self._put()

    def extend(self, values: Iterable[int] | bytes) -> None:
        """Some numbers more; they are put into one chunk."""
        self._new.extend(values)
        if len(self._new) * self._new.itemsize >= CHUNK:
            self._put()

    def _put(self) -> None:
        self._begins.append(self._shelf.put(self._new))
        self._ends.append(len(self))
        self._new = array(self._new.typecode)

    def read(self, begin: int = 0, end: int | None = None) -> array[Any]:
        """A copy of the numbers from `begin` up to `end`, or of all."""
        end = len(self) if end is None else end
        size, found = self._new.itemsize, array(self._new.typecode)
        for chunk in range(bisect_right(self._ends, begin) - 1, len(self._begins)):
            low, high = max(begin, self._ends[chunk]), min(end, self._ends[chunk + 1])
            if low >= high:
                return found
            found.frombytes(
                self._shelf.get(self._begins[chunk] + (low - self._ends[chunk]) * size, (high - low) * size)
            )
        found.extend(self._new[max(0, begin - self._ends[-1]) : max(0, end - self._ends[-1])])
        return found


class Texts:
    """Texts, appended one by one and read by place."""

    def __init__(self, shelf: Shelf) -> None:
        self._bytes, self._ends = Column(shelf, "B"), Column(shelf, "Q")
        self._ends.append(0)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, text: str) -> None:
        """One text more."""
        self._bytes.extend(text.encode("utf-8", "surrogatepass"))
        self._ends.append(len(self._bytes))

    def read(self, place: int) -> bytes:
        """One of them, in UTF-8."""
        begin, end = self._ends.read(place, place + 2)
        return self._bytes.read(begin, end).tobytes()
