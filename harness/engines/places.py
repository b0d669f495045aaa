"""Remembers where the answer to each key lies in a file, 16 bytes an answer. Opens no file.

Keys are told apart by 64 bits of their digest, so a place is where to look, not proof of what is there.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_NEW = 100_000
"""Places beside the sorted ones; beyond, they are sorted in."""


class Places:
    """Places by key; of a key that is added twice both, the later one first."""

    def __init__(self) -> None:
        self._new: list[tuple[int, int]] = []
        self._new_of: dict[int, list[int]] = {}
        self._codes: NDArray[np.int64] | None = None
        self._at: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._new) + (0 if self._codes is None else len(self._codes))

    def add(self, key: str, place: int) -> None:
        """The answer to this key begins at this byte."""
        code = _code(key)
        self._new.append((code, place))
        self._new_of.setdefault(code, []).append(place)
        if len(self._new) >= MOST_NEW:
            self._sort_in()

    def of(self, key: str) -> list[int]:
        """Where the answer to this key may begin."""
        code = _code(key)
        found = self._new_of.get(code, [])[::-1]
        if self._codes is not None and self._at is not None:
            first, last = self._codes.searchsorted(code, "left"), self._codes.searchsorted(code, "right")
            found += self._at[first:last][::-1].tolist()
        return found

    def _sort_in(self) -> None:
        import numpy as np

        new = np.array(self._new, dtype=np.int64).reshape(-1, 2)
        codes, at = new[np.argsort(new[:, 0], kind="stable")].T
        if self._codes is not None and self._at is not None:
            where = self._codes.searchsorted(codes, "right")
            codes, at = np.insert(self._codes, where, codes), np.insert(self._at, where, at)
        self._codes, self._at = np.ascontiguousarray(codes), np.ascontiguousarray(at)
        self._new, self._new_of = [], {}


def _code(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), signed=True)
