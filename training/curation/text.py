"""Text as comparable words and hashed runs of words, prompts without boilerplate lines, and work on all cores.

White space separates words, and each character of a script without spaces (Chinese, Japanese, Thai) is a word. Words
are normalised (NFKC), casefolded and stripped of everything but letters and digits: "Seller's," is "sellers", and
"and/or" is one word. Hashes have 64 bits and are the same in every process; two different runs collide about once in
10^19 pairs.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters."""
TOKEN = re.compile(rf"{UNSPACED.pattern}|[^\s{UNSPACED.pattern[1:-1]}]+")
BASE = 0x9E3779B97F4A7C15
"""Odd, so that multiplication modulo 2^64 is invertible."""
UNKNOWN = 0
"""Number of a word that is not in the vocabulary."""


@lru_cache(maxsize=1 << 18)
def word(token: str) -> str:
    """Return the comparable form of one token, or the empty string."""
    if token.isascii() and token.isalnum():
        return token.lower()
    return "".join(c for c in unicodedata.normalize("NFKC", token).casefold() if c.isalnum())


def tokens(text: str) -> list[str]:
    """Return the parts of a text that may be words, in order."""
    return (text if text.isascii() else UNSPACED.sub(r" \g<0> ", text)).split()


def words(text: str) -> list[str]:
    """Return all words of a text, in order."""
    return [w for token in tokens(text) if (w := word(token))]


def places(text: str) -> list[tuple[int, int]]:
    """Return the span of each of `words(text)`."""
    return [match.span() for match in TOKEN.finditer(text) if word(match[0])]


class Numbered(NamedTuple):
    """The word numbers of concatenated texts; text `i` is `ids[starts[i] : starts[i + 1]]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]


class Runs(NamedTuple):
    """Runs of words, one per row of three arrays of shape (runs,): hash, index of the text, index of the first word."""

    hashes: NDArray[np.uint64]
    owners: NDArray[np.int32]
    at: NDArray[np.int64]


class Vocabulary:
    """Numbers words in the order of their first occurrence."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._tokens: dict[str, int] = {}

    def number(self, texts: Sequence[str], learn: bool = True) -> Numbered:
        """Return the texts' words as numbers; without `learn`, new words are all UNKNOWN."""
        import numpy as np

        parts: list[NDArray[np.int32]] = []
        starts = np.zeros(len(texts) + 1, np.int64)
        known = self._tokens
        for index, text in enumerate(texts):
            found = tokens(text)
            for token in set(found).difference(known):
                self._add(token, learn)
            ids = [number for token in found if (number := known[token]) >= 0]
            parts.append(np.array(ids, np.int32))
            starts[index + 1] = starts[index] + len(ids)
        return Numbered(np.concatenate(parts) if parts else np.zeros(0, np.int32), starts)

    def __len__(self) -> int:
        return len(self._numbers)

    def _add(self, token: str, learn: bool) -> None:
        """Store the number of a token; -1 where it has no letter or digit."""
        form = word(token)
        if not form:
            self._tokens[token] = -1
        elif learn:
            self._tokens[token] = self._numbers.setdefault(form, len(self._numbers) + 1)
        else:
            self._tokens[token] = self._numbers.get(form, UNKNOWN)


def runs(numbered: Numbered, size: int, short: bool = False) -> Runs:
    """Return every run of `size` words within one text; with `short`, a shorter text is one run."""
    import numpy as np

    ids, starts = numbered
    lengths = np.diff(starts)
    run_counts = np.maximum(lengths - size + 1, 0)
    owners = np.repeat(np.arange(len(lengths), dtype=np.int32), run_counts)
    at = np.arange(int(run_counts.sum()), dtype=np.int64)
    at += np.repeat(
        starts[:-1] - np.concatenate(([0], np.cumsum(run_counts)[:-1])) if len(run_counts) else at[:0], run_counts
    )
    spread_ids = _spread_bits(ids)
    hashes = np.zeros(len(at), np.uint64)
    base = np.uint64(BASE)
    for step in range(size):
        hashes *= base
        hashes += spread_ids[at + step]
    if not short:
        return Runs(hashes, owners, at)
    short_texts = np.flatnonzero((lengths < size) & (lengths > 0))
    short_hashes = lengths[short_texts].astype(np.uint64)
    for step in range(size - 1):
        inside = lengths[short_texts] > step
        short_hashes *= base
        short_hashes[inside] += spread_ids[starts[short_texts][inside] + step]
    return Runs(
        np.concatenate((hashes, short_hashes)),
        np.concatenate((owners, short_texts.astype(np.int32))),
        np.concatenate((at, starts[short_texts])),
    )


def _spread_bits(ids: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Spread the ids over 64 bits (the finaliser of splitmix64, Steele, Lea and Flood 2014)."""
    import numpy as np

    x = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(BASE)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


OPENING_WORDS = 5
MIN_PROMPTS = 5


def without_boilerplate(prompts: Sequence[str]) -> list[str]:
    """Return each prompt without the lines that all prompts of its task begin and end with.

    Prompts with the same first five words belong to one task; fewer than five different prompts keep their lines.
    """
    tasks: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(dict)
    for prompt in prompts:
        tasks[_opening(prompt)].setdefault(prompt, prompt.split("\n"))
    boilerplate = {task: _shared(list(lines.values())) for task, lines in tasks.items() if len(lines) >= MIN_PROMPTS}
    return [_cut(prompt, boilerplate.get(_opening(prompt), (0, 0))) for prompt in prompts]


def _opening(prompt: str) -> tuple[str, ...]:
    return tuple(prompt.split(None, OPENING_WORDS)[:OPENING_WORDS])


def _shared(prompts: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return how many lines all prompts begin with, and how many all end with."""
    return _leading(prompts), _leading([lines[::-1] for lines in prompts])


def _leading(prompts: Sequence[Sequence[str]]) -> int:
    first = prompts[0]
    count = min(map(len, prompts))
    for lines in prompts:
        count = next((at for at in range(count) if lines[at] != first[at]), count)
    return count


def _cut(prompt: str, boilerplate: tuple[int, int]) -> str:
    first, last = boilerplate
    if not first and not last:
        return prompt
    lines = prompt.split("\n")
    return "\n".join(lines[first : max(first, len(lines) - last)])


T = TypeVar("T")
PARALLEL_FROM = 20_000
"""Items from which worker processes, each of which imports its libraries again, save more time than they cost."""
CHUNK = 2_000


def spread(work: Callable[..., list[T]], items: Sequence[Any], *more: Any) -> list[T]:
    """Return `work(items, *more)`, a list of one result per item, computed on all cores where there are many items.

    `work` is a function at the top level of a module, so that worker processes can import it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(items) < PARALLEL_FROM or cores < 2:
        return work(items, *more)
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        return [result for results in pool.map(work, chunks, *map(repeat, more)) for result in results]
