"""Parts of instruments: consecutive paragraphs that cut no labelled passage in two."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from evalsuites.legal.instruments.documents import Instrument, Passage, instruments, read_folder

DEV_EVERY = 6
"""One training instrument in so many is kept for validation."""


class Excerpt(NamedTuple):
    """Consecutive paragraphs of one instrument, and the labelled passages in them."""

    instrument: Instrument
    first: int
    """Number of the first paragraph, from 1."""
    last: int
    text: str
    clauses: tuple[Passage, ...]
    near_misses: tuple[Passage, ...]

    @property
    def types(self) -> list[str]:
        """The types of clauses in it, each once, in the order of the text."""
        return list(dict.fromkeys(passage.type for passage in self.clauses))


def of_split(split: str | Path) -> list[Instrument]:
    """Return the instruments of `test`, `train` or `dev`, or of a folder; `dev` is apart from `train` in its folder.

    Raises ValueError for another name.
    """
    if isinstance(split, Path):
        return read_folder(split)
    if split not in {"test", "train", "dev"}:
        raise ValueError(f"split {split!r}: expected test, train, dev, or the Path of a folder")
    if split == "test":
        return list(instruments("test"))
    rows = list(instruments("train"))
    return [each for at, each in enumerate(rows) if (at % DEV_EVERY == 0) == (split == "dev")]


def excerpts(instrument: Instrument, sizes: Sequence[int], most_words: int) -> Iterator[Excerpt]:
    """Yield every excerpt of these many paragraphs and at most so many words.

    What an amendment in the same file supersedes looks binding where it stands alone, so no excerpt has it.
    """
    paragraphs = instrument.paragraphs
    superseded = [passage for passage in instrument.near_misses if passage.note == "superseded"]
    for size in sizes:
        for first in range(len(paragraphs) - size + 1):
            start, end = paragraphs[first][0], paragraphs[first + size - 1][1]
            text = instrument.text[start:end]
            if len(text.split()) > most_words or any(p.start < end and start < p.end for p in superseded):
                continue
            every = (*instrument.clauses, *instrument.near_misses)
            if any(p.start < start < p.end or p.start < end < p.end for p in every):
                continue
            inside = [
                tuple(p for p in passages if start <= p.start and p.end <= end)
                for passages in (instrument.clauses, instrument.near_misses)
            ]
            yield Excerpt(instrument, first + 1, first + size, text, *inside)


def apart(chosen: Sequence[Excerpt], candidate: Excerpt) -> bool:
    """Whether a candidate shares no paragraph with the excerpts of one instrument that were chosen before."""
    return all(candidate.last < other.first or other.last < candidate.first for other in chosen)


def shuffled(excerpts_of: Iterator[Excerpt], seed: str) -> list[Excerpt]:
    """Return excerpts in the random order of a seed."""
    listed = list(excerpts_of)
    random.Random(seed).shuffle(listed)
    return listed


def tags_of(instrument: Instrument) -> dict[str, str]:
    """Return the tags that every case of an instrument has: its kind, its style and the state."""
    sidecar = instrument.sidecar
    return {"instrument": sidecar.instrument, "style": sidecar.style, "state": "Georgia"}


def numbered(instrument: Instrument) -> str:
    """Return the whole text with the number of each paragraph in front of it."""
    return "\n\n".join(f"[{n}] {instrument.text[a:b]}" for n, (a, b) in enumerate(instrument.paragraphs, 1))


def paragraph_of(instrument: Instrument, passage: Passage) -> int:
    """Return the number of the paragraph in which a passage begins, from 1."""
    return next(n for n, (_, end) in enumerate(instrument.paragraphs, 1) if passage.start < end)
