"""Text as comparable words and hashed runs of words, prompts without boilerplate lines, and work on all cores.

White space separates words, and each character of a script without spaces (Chinese, Japanese, Thai) is a word. Words
are normalised (NFKC), casefolded and stripped of everything but letters and digits: "Seller's," is "sellers", and
"and/or" is one word. Cyrillic and Greek letters that look like Latin ones are these, as in a copy that
hides a leak. Hashes have 64 bits and are the same in every process; two different runs collide about once in 10^19
pairs.
"""

from __future__ import annotations

import hashlib
import html
import multiprocessing
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import repeat, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from harness.threads import cores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters."""
TOKEN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
BASE = 0x9E3779B97F4A7C15
"""Odd, so that multiplication modulo 2^64 is invertible."""


ALIKE = "аеорсухѕіјһԁԛԝӏгвкмнтαβγεζηικμνορτυχ"
LOOK_ALIKES = str.maketrans(ALIKE, "aeopcyxsijhdqwlrbkmhtabyezhikmvoptux")
"""Small letters that are, or whose capitals are, a Latin one by confusables.txt of Unicode (UTS #39)."""
ALIKE_LETTER = re.compile(f"[{ALIKE}]")


def latin(text: str) -> str:
    """Return a casefolded text with Latin letters in place of those that look like them."""
    return text.translate(LOOK_ALIKES) if ALIKE_LETTER.search(text) else text


@lru_cache(maxsize=1 << 18)
def word(token: str) -> str:
    """Return the comparable form of one token, or the empty string."""
    if token.isascii() and token.isalnum():
        return token.lower()
    return latin("".join(c for c in unicodedata.normalize("NFKC", token).casefold() if c.isalnum()))


def tokens(text: str) -> list[str]:
    """Return the parts of a text that may be words, in order."""
    return text.split() if text.isascii() else TOKEN.findall(text)


def words(text: str) -> list[str]:
    """Return all words of a text, in order."""
    return [w for token in tokens(text) if (w := word(token))]


def places(text: str) -> list[tuple[int, int]]:
    """Return the span of each of `words(text)`."""
    return [match.span() for match in TOKEN.finditer(text) if word(match[0])]


HTML = "a|abbr|b|br|code|div|em|font|h[1-6]|i|li|mark|p|pre|s|small|span|strong|sub|sup|table|tbody|td|th|thead|tr|u|ul"
TAG = re.compile(rf"</?(?:(?:{HTML})(?:\s+[^\s<>]+){{0,9}}\s*|[a-z][\w.:-]*\s*)/?>|_", re.IGNORECASE)
"""A tag of HTML with few words, so that none hides a run of words; any tag that is a name alone; or an underscore."""
ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[bfnrt])")
"""A character in a string of JSON or of a program; several backslashes where that is in another."""


def without_markup(text: str) -> str:
    """Return a text without tags and entities of HTML, escapes and underscores, which would join or part its words."""
    if "\\" in text:
        text = ESCAPE.sub(lambda match: _character(match[1]), text)
    text = html.unescape(text)
    return TAG.sub(" ", text) if "<" in text or "_" in text else text


def _character(code: str | None) -> str:
    """Return the character with this hexadecimal code; a space for white space and half a surrogate pair."""
    return " " if code is None or 0xD800 <= int(code, 16) < 0xE000 else chr(int(code, 16))


class HashedWords(NamedTuple):
    """The hashes of the words of concatenated texts; text `i` has `hashes[starts[i] : starts[i + 1]]`."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]


class Runs(NamedTuple):
    """Runs of words, one per row of three arrays of shape (runs,): hash, index of the text, index of the first word."""

    hashes: NDArray[np.uint64]
    owners: NDArray[np.int32]
    at: NDArray[np.int64]


def hashed_words(texts: Sequence[str]) -> HashedWords:
    """Return the hash of every word of the texts, in order."""
    import numpy as np

    by_text = [np.array([h for token in tokens(text) if (h := _hash(token)) is not None], np.uint64) for text in texts]
    starts = np.concatenate(([0], np.cumsum([len(hashes) for hashes in by_text], dtype=np.int64)))
    return HashedWords(np.concatenate([np.zeros(0, np.uint64), *by_text]), starts)


@lru_cache(maxsize=1 << 18)
def _hash(token: str) -> int | None:
    """Return the hash of a token's word; None where it has no letter or digit."""
    form = word(token)
    return int.from_bytes(hashlib.blake2b(form.encode(), digest_size=8).digest()) if form else None


def runs(hashed: HashedWords, size: int, short: bool = False) -> Runs:
    """Return every run of `size` words within one text; with `short`, a shorter text is one run."""
    import numpy as np

    word_hashes, starts = hashed
    lengths = np.diff(starts)
    texts = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    at = np.flatnonzero(texts[: 1 - size] == texts[size - 1 :])
    owners = texts[at]
    hashes = np.zeros(len(at), np.uint64)
    base = np.uint64(BASE)
    for step in range(size):
        hashes *= base
        hashes += word_hashes[at + step]
    if not short:
        return Runs(hashes, owners, at)
    short_texts = np.flatnonzero((lengths < size) & (lengths > 0))
    short_hashes = lengths[short_texts].astype(np.uint64)
    for step in range(size - 1):
        inside = lengths[short_texts] > step
        short_hashes *= base
        short_hashes[inside] += word_hashes[starts[short_texts][inside] + step]
    return Runs(
        np.concatenate((hashes, short_hashes)),
        np.concatenate((owners, short_texts.astype(np.int32))),
        np.concatenate((at, starts[short_texts])),
    )


MIN_PROMPTS = 5


class PromptParts(NamedTuple):
    """The lines of a prompt that it shares with its task, and the others."""

    boilerplate: str
    content: str


def parted(prompts: Sequence[str]) -> list[PromptParts]:
    """Part the lines that all prompts with one first line begin with, and those that all with one last line end with.

    They are boilerplate if five different prompts or more have them, and more than there are such groups: the other
    groups are documents, each with several questions.
    """
    by_lines = [prompt.split("\n") for prompt in prompts]
    starts, ends = _shared(by_lines), _shared([lines[::-1] for lines in by_lines])
    parts = []
    for lines, start, end in zip(by_lines, starts, ends, strict=True):
        stop = max(start, len(lines) - end)
        parts.append(PromptParts("\n".join(lines[:start] + lines[stop:]), "\n".join(lines[start:stop])))
    return parts


def _shared(prompts: Sequence[list[str]]) -> list[int]:
    """Return how many lines at the start of each prompt are boilerplate."""
    groups: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for lines in prompts:
        groups[lines[0]].add(tuple(lines))
    large = {first: group for first, group in groups.items() if len(group) >= MIN_PROMPTS}
    shared = {first: _leading(group) for first, group in large.items() if len(group) > len(large)}
    return [shared.get(lines[0], 0) for lines in prompts]


def _leading(prompts: Collection[tuple[str, ...]]) -> int:
    """Return how many lines all prompts begin with: those that the first and the last in order begin with."""
    pairs = zip(min(prompts), max(prompts), strict=False)
    return sum(1 for _ in takewhile(lambda lines: lines[0] == lines[1], pairs))


T = TypeVar("T")
PARALLEL_FROM = 20_000
"""Items from which worker processes, each of which imports its libraries again, save more time than they cost."""
CHUNK = 2_000


def spread(work: Callable[..., list[T]], items: Sequence[Any], *more: Any) -> list[T]:
    """Return `work(items, *more)`, a list of one result per item, computed on all cores where there are many items.

    `work` is a function at the top level of a module, so that worker processes can import it.
    """
    if len(items) < PARALLEL_FROM or cores() < 2:
        return work(items, *more)
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("spawn")) as pool:
        return [result for results in pool.map(work, chunks, *map(repeat, more)) for result in results]
