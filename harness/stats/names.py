"""What cases and contracts are called, read only when somebody asks. Knows none of their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np

from harness.shelf import Texts
from harness.stats.intervals import Codes

LONGEST = 64
"""Bytes up to which names are sorted as an array of one width."""


class Names(Sequence[str]):
    """Some of the texts that lie on a shelf, in an order of their own: four bytes a name."""

    def __init__(self, texts: Texts, rows: Codes) -> None:
        self._texts, self._rows = texts, rows.astype(np.int32)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]  # a slice of names is not needed
        return self._raw(range(len(self))[place]).decode("utf-8", "surrogatepass")

    def _raw(self, place: int) -> bytes:
        return self._texts.read(int(self._rows[place]))

    def order(self, then: Codes) -> Codes:
        """Places by name, in the order of code points, and equal names by `then`."""
        raw = [self._raw(place) for place in range(len(self))]
        if max(map(len, raw), default=0) > LONGEST:
            places = sorted(range(len(raw)), key=lambda place: (raw[place], then[place]))
            return np.array(places, dtype=np.int64)
        order: Codes = np.lexsort((then, np.array(raw, dtype=np.bytes_)))
        return order


def code(*names: str) -> int:
    """64 bits that stand for these names: among a million cases two share theirs once in forty million runs."""
    return int.from_bytes(
        blake2b("\n".join(names).encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True
    )


class Keys:
    """What tells cases from one another, id and input hash; the variants of a suite may share them."""

    def __init__(self, codes: Codes, ids: Sequence[str], inputs: Sequence[str]) -> None:
        self.codes, self.ids, self.inputs = codes, ids, inputs
        self._matches: dict[int, tuple[Keys, Codes]] = {}

    @classmethod
    def of(cls, named: Iterable[tuple[str, str]]) -> Keys:
        """Keys of these ids and input hashes."""
        found = list(named)
        codes = np.array([code(*names) for names in found], dtype=np.int64)
        return cls(codes, [case_id for case_id, _ in found], [input_hash for _, input_hash in found])

    def __len__(self) -> int:
        return len(self.codes)

    def matched(self, other: Keys) -> Codes:
        """For each of these its number in the other, or -1."""
        if other is self:
            return np.arange(len(self))
        if id(other) not in self._matches:
            self._matches[id(other)] = (other, _places(self.codes, other.codes))
        return self._matches[id(other)][1]


def _places(codes: Codes, others: Codes) -> Codes:
    """Where each code is among the others, the last of equal ones; -1 where it is not."""
    if not len(others):
        return np.full(len(codes), -1)
    order = np.argsort(others, kind="stable")
    place = order[np.maximum(np.searchsorted(others, codes, side="right", sorter=order) - 1, 0)]
    return np.where(others[place] == codes, place, -1)
