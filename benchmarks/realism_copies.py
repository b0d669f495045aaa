"""How much of a text also stands in other texts, word for word, but for conventional phrases of the trade."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from realism_measures import GRAM, words

PHRASES = Path(__file__).parent.parent / "evalsuites" / "legal" / "instruments" / "conventional_phrases.txt"
READ = {".txt", ".md", ".json", ".jsonl", ".csv"}
"""Files of the data folder that are text."""
RUN = 15
"""Words of a run that no text may have in common with real text."""


class Copied(NamedTuple):
    """What a text shares with others: the share of its runs of eight words, and every run of RUN words or more."""

    share: float
    runs: list[str]


class Index:
    """The runs of eight words of some texts, as sorted 64-bit digests."""

    def __init__(self, texts: Iterable[str]) -> None:
        digests = (digest for text in texts for digest in _digests(words(text)))
        self.digests = np.unique(np.fromiter(digests, dtype=np.uint64))

    def holds(self, listed: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each run of eight of these words is in the texts; shape (runs,)."""
        asked = np.fromiter(_digests(listed), dtype=np.uint64)
        if not len(self.digests):
            return np.zeros(len(asked), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self.digests, asked), len(self.digests) - 1)
        return self.digests[at] == asked


def copied(text: str, index: Index, phrases: Sequence[Sequence[str]], least: int = RUN) -> Copied:
    """Compare a text with the texts of an index; runs count only words outside the conventional phrases."""
    listed = words(text)
    shared = index.holds(listed)
    free = ~conventional(listed, phrases)
    counted = np.array([bool(free[at : at + GRAM].any()) for at in range(len(shared))], dtype=np.bool_)
    long = [(start, end) for start, end in _runs(shared) if end - start >= least and free[start:end].sum() >= GRAM]
    runs = [" ".join(listed[start:end]) for start, end in long]
    return Copied(float((shared & counted).mean()) if len(shared) else 0.0, runs)


def conventional(listed: Sequence[str], phrases: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """Whether each word belongs to a conventional phrase; shape (words,)."""
    inside = np.zeros(len(listed), dtype=np.bool_)
    first: dict[str, list[Sequence[str]]] = {}
    for phrase in phrases:
        first.setdefault(phrase[0], []).append(phrase)
    for at, word in enumerate(listed):
        for phrase in first.get(word, ()):
            if list(listed[at : at + len(phrase)]) == list(phrase):
                inside[at : at + len(phrase)] = True
    return inside


def phrases() -> list[list[str]]:
    """Return the committed conventional phrases as words."""
    lines = PHRASES.read_text("utf-8").splitlines()
    return [words(line) for line in lines if line and not line.startswith("#")]


def real_texts(folder: Path) -> Iterator[str]:
    """Yield every text of the data folder, raw."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in READ and file.is_file():
            yield file.read_text("utf-8", "replace")


def _digests(listed: Sequence[str]) -> Iterator[int]:
    for at in range(len(listed) - GRAM + 1):
        gram = " ".join(listed[at : at + GRAM])
        yield int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "big")


def _runs(shared: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Ranges of words that consecutive shared runs of eight cover."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shared.astype(np.int8), [0]])))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield start, end + GRAM - 1
