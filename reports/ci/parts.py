"""Markdown for GitHub, in parts that are kept or left out whole, so that a cut never falls inside a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports import markdown, words

PART_BYTES = 12_000
"""A table or list is begun anew past this size, so that no part is large."""
CELL = 240
"""Code points of foreign text in one place."""
LINKING = re.compile(r"&#(64|35|58);")
"""Escaped @, # and colon: GitHub looks for mentions, issue numbers and emoji after it has read the entities."""


@dataclass(frozen=True)
class Part:
    """Lines that stand or fall together."""

    title: str
    """What a reader misses when it is left out."""
    lines: Sequence[str]
    """Markdown lines, blank line at the end included."""

    @property
    def size(self) -> int:
        """Bytes, line ends included."""
        return sum(len(line.encode()) + 1 for line in self.lines)


def text(foreign: str, most: int = CELL) -> str:
    """Foreign text as one line that is no mark-up, mention, reference or link; cut after `most` code points."""
    short = foreign if len(foreign) <= most else foreign[: most - 1] + "…"
    return LINKING.sub(r"&#\1;&#8203;", markdown.escape(short))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Part]:
    """A table of cells that are Markdown already, under a heading; a large one is several parts with the head again."""
    head = [_line(columns), _line(["---"] * len(columns))]
    return [_part(title, at, [*head, *chunk, ""]) for at, chunk in enumerate(_chunks(map(_line, rows)))]


def bullets(title: str, texts: Iterable[str]) -> list[Part]:
    """Foreign sentences as a list under a heading; a long one is several parts."""
    lines = (f"- {text(found)}" for found in texts)
    return [_part(title, at, [*chunk, ""]) for at, chunk in enumerate(_chunks(lines))]


def join(parts: Sequence[Part], most_bytes: int) -> str:
    """The parts in order as long as they fit, then what is left out; the first part is always kept."""
    used, kept = 0, 0
    for at, part in enumerate(parts):
        rest = sum(later.size for later in parts[at + 1 :])
        needed = min(rest, len(_missing(parts[at + 1 :]).encode()) + 1)
        if at and used + part.size + needed > most_bytes:
            break
        used, kept = used + part.size, at + 1
    lines = [line for part in parts[:kept] for line in part.lines]
    left_out = [_missing(parts[kept:])] if kept < len(parts) else []
    return "\n".join([*lines, *left_out]).rstrip("\n") + "\n"


def _missing(parts: Sequence[Part]) -> str:
    names = ", ".join(text(title, 80) for title in list(dict.fromkeys(part.title for part in parts))[:10])
    return f"{words.count(len(parts), 'part')} left out to stay within the size limit: {names}."


def _part(title: str, at: int, lines: list[str]) -> Part:
    named = text(title) + (" (continued)" if at else "")
    return Part(title=title, lines=[f"#### {named}", "", *lines])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _chunks(lines: Iterable[str]) -> list[list[str]]:
    chunks: list[list[str]] = []
    size = 0
    for line in lines:
        if not chunks or size > PART_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(line)
        size += len(line.encode()) + 1
    return chunks
