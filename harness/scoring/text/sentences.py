"""Cut an answer into the sentences that are held to a source."""

from __future__ import annotations

import re
from collections.abc import Iterator

ABBREVIATION = re.compile(r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Sec|Art|v|Ga|Ann|Jr|Sr|approx)|\b[A-Z])\.$")
NO_SENTENCE_END = re.compile(r"(?:\b[ap]\.m|\bO\.C\.G\.A|\bvs|\bU\.S)\.$")
"""Such an abbreviation ends a sentence if a capital letter follows."""
STOP = re.compile(r"[.!?]+[\"”’)\]]*(?=\s)|\n")
CLOSED = re.compile(r"[.!?|][\"”’)\]*]*\s*$")
LETTER = re.compile(r"[^\W\d_]")
BULLET = re.compile(r"[\s*•#>-]*(?:\d+[.)]\s+)?")
SEPARATOR = re.compile(r"[\s|:-]+")
LEAST_WORDS = 4
"""A sentence or line with fewer words, such as a heading, is no statement."""


def statements(text: str, whole: bool = True) -> Iterator[tuple[int, int, str]]:
    """Yield the range and the words of each sentence; a row of a table is one, below the table's header.

    If the text is not `whole`, its last sentence needs its full stop.
    """
    header = ""
    for match in re.finditer(r"[^\n]+", text):
        line, at = match[0].replace("**", "  "), match.start()
        is_cut = not whole and match.end() == len(text.rstrip()) and not CLOSED.search(line)
        if line.lstrip().startswith("|"):
            row = " ".join(line.split())
            if header and not SEPARATOR.fullmatch(row) and not is_cut:
                yield at, match.end(), f"{header}\n{row}"
            header = header or row
            continue
        header = ""
        for start, end in _joined(line)[: -1 if is_cut else None]:
            said = " ".join(line[start:end].split()).rstrip(",")
            if len(re.findall(r"\w+", said)) >= LEAST_WORDS:
                yield at + start, at + end, said


def _joined(line: str) -> list[tuple[int, int]]:
    """The sentences of a line; an abbreviation does not end one."""
    ranges: list[tuple[int, int]] = []
    for start, end in sentences(line):
        before = line[ranges[-1][0] : ranges[-1][1]] if ranges else ""
        if before and (line[start].islower() or (NO_SENTENCE_END.search(before) and not line[start].isupper())):
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return ranges


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of sentences and lines with a letter."""
    start = 0
    for stop in STOP.finditer(text):
        if stop[0] != "\n" and ABBREVIATION.search(text, start, stop.end()):
            continue
        yield from _sentence(text, start, stop.end())
        start = stop.end()
    yield from _sentence(text, start, len(text))


def _sentence(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    bullet = BULLET.match(text, start, end)
    start = bullet.end() if bullet else start
    end = start + len(text[start:end].rstrip())
    if LETTER.search(text, start, end):
        yield start, end
