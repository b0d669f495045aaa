"""Split contracts into train, validation and test; near-duplicates stay together."""

import hashlib
import zlib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

from evalsuites.public.overlap import linked

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = {"train": 0.58, "validation": 0.70, "test": 1.0}
"""Upper end of each split on the line from 0 to 1 that a group's hash falls on."""
OVERLAP = 0.5
"""Share of the smaller contract's runs of five words that makes two contracts near-duplicates."""
WORDS = 5
SAMPLE = 32
"""One run of words in so many is looked at when candidates are sought."""
CANDIDATE = 0.35
"""Overlap of the sample from which the whole contracts are compared."""


def side(group: list[str]) -> str:
    """The split of a group of near-duplicates, by the hash of its first name."""
    at = int(hashlib.sha256(min(group).encode()).hexdigest()[:12], 16) / 16**12
    return next(split for split, end in SPLITS.items() if at < end)


def groups(texts: Mapping[str, str]) -> list[list[str]]:
    """Group the names of near-duplicates. Depends on names and texts only, not on their order."""
    return linked(texts, near_duplicates(texts))


def near_duplicates(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of names whose texts share OVERLAP of their runs of five words, each pair and all pairs sorted."""
    import numpy as np

    runs = {name: _runs(text) for name, text in sorted(texts.items())}
    samples = {name: np.unique(found[found % SAMPLE == 0]) for name, found in runs.items()}
    distinct = cache(lambda name: np.unique(runs[name]))
    return [pair for pair in _candidates(samples) if _overlap(distinct(pair[0]), distinct(pair[1])) >= OVERLAP]


def _runs(text: str) -> "NDArray[Any]":
    """Hashes of all runs of five words in their order, case and punctuation aside."""
    import numpy as np

    plain = text.lower()
    for mark in (c for c in set(plain) if not (c.isalnum() or c in "_ ")):
        plain = plain.replace(mark, " ")
    said = plain.split()
    number = {word: zlib.crc32(word.encode()) for word in set(said)}
    words = np.array([number[word] for word in said], dtype=np.uint64)
    if len(words) < WORDS:
        return words[:0]
    run = np.zeros(len(words) - WORDS + 1, dtype=np.uint64)
    for at in range(WORDS):
        run = (run ^ words[at : at + len(run)]) * np.uint64(0x9E3779B97F4A7C15)
        run ^= run >> np.uint64(29)
    return run


def _candidates(samples: "Mapping[str, NDArray[Any]]") -> list[tuple[str, str]]:
    holders: dict[int, list[str]] = {}
    for name, sample in samples.items():
        for run in sample.tolist():
            holders.setdefault(run, []).append(name)
    shared = Counter(pair for names in holders.values() if len(names) > 1 for pair in combinations(names, 2))
    smaller = {pair: min(len(samples[pair[0]]), len(samples[pair[1]])) for pair in shared}
    return sorted(pair for pair, count in shared.items() if count >= CANDIDATE * smaller[pair])


def _overlap(first: "NDArray[Any]", second: "NDArray[Any]") -> float:
    import numpy as np

    smaller = min(len(first), len(second))
    return len(np.intersect1d(first, second, assume_unique=True)) / smaller if smaller else 0.0
