"""Find the passages of a source that a sentence is held to: short windows around its nearest sentences, by BM25."""

import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

from harness.errors import MissingExtra, Unavailable

TOKENS = 120
"""Longest window."""
TOKEN = re.compile(r"\d|[^\W\d]{1,7}|[^\w\s]")
"""About a token of the embedded model, which reads each digit by itself."""
PIECE_WORDS = 40
"""A longer sentence is cut into pieces of about this length, so that a window holds more than one."""
GAP = "\n...\n"
"""Separates windows."""
SENTENCE_END = re.compile(r"(?<=[.!?;])[\"”’)]*\s+")
WORD = re.compile(r"\S+")
TERM = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
STEM = 5
"""Letters by which two words are the same: "terminates" is "termination"."""


class Passage(NamedTuple):
    """A part of a source."""

    text: str
    """Its words, with single spaces and line breaks."""
    start: int
    end: int


def text_of(found: Sequence[Passage]) -> str:
    """Return passages as the text that a prompt shows."""
    return GAP.join(passage.text for passage in found)


def passages(source: str, sentence: str, count: int = 1, tokens: int = TOKENS) -> list[Passage]:
    """Return up to `count` windows of `tokens`, in the order of the source, around the pieces nearest to a sentence.

    A source that fits one window is returned whole. Raises Unavailable without bm25s.
    """
    parts, index = _indexed(source)
    sizes = [_tokens(part.text) for part in parts]
    if sum(sizes) <= tokens:
        return [Passage(source.strip(), 0, len(source))]
    terms = _terms(sentence)
    scores = index.get_scores(terms) if terms else [0.0] * len(parts)
    taken: set[int] = set()
    spans: list[tuple[int, int]] = []
    for at in sorted(range(len(parts)), key=lambda at: (-float(scores[at]), at)):
        if at not in taken:
            spans.append(_grown(at, sizes, taken, tokens))
            taken.update(range(*spans[-1]))
        if len(spans) == count:
            break
    return [_window(parts[start:end]) for start, end in sorted(spans)]


def _window(parts: Sequence[Passage]) -> Passage:
    text = " ".join(part.text for part in parts).replace(" \n", "\n").strip()
    return Passage(text, parts[0].start, parts[-1].end)


def _grown(at: int, sizes: Sequence[int], taken: set[int], tokens: int) -> tuple[int, int]:
    """The range around a piece that fits; grows by one piece to the right, then one to the left."""
    start, end, size = at, at + 1, sizes[at]
    grew = True
    while grew:
        grew = False
        for near in (end, start - 1):
            if 0 <= near < len(sizes) and near not in taken and size + sizes[near] <= tokens:
                start, end, size, grew = min(start, near), max(end, near + 1), size + sizes[near], True
    return start, end


@lru_cache(maxsize=256)
def _indexed(source: str) -> tuple[tuple[Passage, ...], Any]:
    """The pieces of a source and their index."""
    parts = tuple(pieces(source))
    index = _library().BM25()
    index.index([_terms(part.text) or [""] for part in parts], show_progress=False)
    return parts, index


def check_library() -> None:
    """Raise MissingExtra without bm25s; nothing is loaded."""
    if find_spec("bm25s") is None:
        raise MissingExtra("the retrieval of passages", "bm25s", "claims")


@cache
def _library() -> ModuleType:
    """Import bm25s without numba, which it uses where it finds it: vLLM 0.32 cannot load once numba is loaded."""
    has_numba = "numba" in sys.modules
    if not has_numba:
        sys.modules["numba"] = None  # type: ignore[assignment]
    try:
        check_library()
        return importlib.import_module("bm25s")
    except MissingExtra as missing:
        raise Unavailable(str(missing)) from None
    finally:
        if not has_numba:
            del sys.modules["numba"]


def pieces(source: str) -> list[Passage]:
    """Split a source into sentences and lines; a long one is cut into equal parts. One that opens a line says so."""
    cut, at = [], 0
    for whole in source.splitlines(keepends=True):
        line, opening = whole.splitlines()[0], "\n"
        for first, last in _sentences(line):
            words = [match.span() for match in WORD.finditer(line, first, last)]
            count = -(-len(words) // PIECE_WORDS)
            bounds = [round(len(words) * part / count) for part in range(count + 1)] if count else []
            for start, end in pairwise(bounds):
                text = opening + " ".join(line[a:b] for a, b in words[start:end])
                cut.append(Passage(text, at + words[start][0], at + words[end - 1][1]))
                opening = ""
        at += len(whole)
    return cut


def _sentences(line: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in SENTENCE_END.finditer(line):
        yield start, end.start()
        start = end.end()
    yield start, len(line)


def _tokens(text: str) -> int:
    return len(TOKEN.findall(text))


def _terms(text: str) -> list[str]:
    """Its words without endings, and its numbers, each once and in order."""
    return list(dict.fromkeys(term if term[0].isdigit() else term[:STEM] for term in TERM.findall(text.lower())))
