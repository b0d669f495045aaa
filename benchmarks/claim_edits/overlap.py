"""How much of a statement its source has: what a reader of overlap alone goes by."""

import re

WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*|[$%§]")
MEASURES = ("new words", "new pairs of words", "new triples of words", "longest copied run", "precision", "recall")
"""The first three are shares of the statement; precision and recall are those of the nearest sentence's words."""
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def overlap(source: str, statement: str) -> tuple[float, ...]:
    """Return MEASURES of a statement."""
    said, there = WORD.findall(statement.lower()), WORD.findall(source.lower())
    new = [_new(said, there, size) for size in (1, 2, 3)]
    words = set(said)
    nearest = max((set(WORD.findall(s.lower())) for s in SENTENCE_END.split(source)), key=lambda s: _dice(s, words))
    shared = len(words & nearest)
    return (*new, _copied(said, there), shared / max(1, len(words)), shared / max(1, len(nearest)))


def _new(said: list[str], there: list[str], size: int) -> float:
    known = {tuple(there[n : n + size]) for n in range(len(there) - size + 1)}
    runs = [tuple(said[n : n + size]) for n in range(len(said) - size + 1)]
    return sum(run not in known for run in runs) / max(1, len(runs))


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / max(1, len(one) + len(other))


def _copied(said: list[str], there: list[str]) -> float:
    """Share of the statement that its longest run of words in the source is."""
    places: dict[str, list[int]] = {}
    for at, word in enumerate(there):
        places.setdefault(word, []).append(at)
    longest, runs = 0, dict[int, int]()
    for word in said:
        runs = {at: runs.get(at - 1, 0) + 1 for at in places.get(word, ())}
        longest = max(longest, *runs.values(), 0)
    return longest / max(1, len(said))
