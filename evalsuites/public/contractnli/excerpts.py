"""Cuts a numbered excerpt out of an agreement, around evidence or around what a word search finds. Knows no split."""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from evalsuites.public.contractnli.ndas import Agreement

ENOUGH = 90
"""Words at which no further neighbour is added."""
MOST = 170
"""Words in the longest excerpt."""
MOST_SENTENCES = 9
MOST_EVIDENCE = 4
"""Sentences that decide, at most; a statement with more is left out."""
GAP = "..."
"""Stands between sentences that do not follow each other."""
NUMBERED = re.compile(r"\[\d{1,3}\]")
WORD = re.compile(r"[a-z]{3,}")
PROSE = 8
"""Words from which a sentence is no heading."""
HOW_MANY = (1, 1, 1, 1, 2, 2, 2, 3)
"""Sentences around which an excerpt without evidence is cut: about the shares of those with evidence."""


class Excerpt(Struct, frozen=True, kw_only=True):
    text: str
    """One sentence a line, `[1] ...`."""
    evidence: tuple[int, ...]
    """Numbers of the sentences it was cut around."""
    positions: tuple[int, ...]
    """Which sentences of the agreement it holds."""


def around(agreement: Agreement, core: Sequence[int]) -> Excerpt | None:
    """Sentences of `core` with their neighbours, nearest first, or None where they are too many or too long."""
    sentences = agreement.sentences
    held = {at for at in core if sentences[at]}
    if not held or len(held) > MOST_EVIDENCE or _words(sentences, held) > MOST:
        return None
    for at in _neighbours(core, len(sentences)):
        if _words(sentences, held) >= ENOUGH or len(held) >= MOST_SENTENCES:
            break
        if sentences[at] and at not in held and _words(sentences, held) + len(sentences[at].split()) <= MOST:
            held.add(at)
    positions = sorted(held)
    if any(NUMBERED.search(sentences[at]) for at in positions):
        return None
    lines: list[str] = []
    for number, at in enumerate(positions, 1):
        if number > 1 and any(sentences[between] for between in range(positions[number - 2] + 1, at)):
            lines.append(GAP)
        lines.append(f"[{number}] {sentences[at]}")
    evidence = tuple(positions.index(at) + 1 for at in sorted(set(core)) if at in held)
    return Excerpt(text="\n".join(lines), evidence=evidence, positions=tuple(positions))


def _neighbours(core: Sequence[int], count: int) -> Iterator[int]:
    for distance in (1, 2, 3):
        for at in core:
            yield from (near for near in (at - distance, at + distance) if 0 <= near < count)


def _words(sentences: Sequence[str], held: Iterable[int]) -> int:
    return sum(len(sentences[at].split()) for at in held)


def words_in(agreement: Agreement) -> dict[int, set[str]]:
    """The words of each sentence that is no heading and fits an excerpt."""
    return {
        at: set(WORD.findall(text.lower()))
        for at, text in enumerate(agreement.sentences)
        if PROSE <= len(text.split()) <= MOST
    }


def nearest(said: dict[int, set[str]], statement: str, name: str) -> list[int]:
    """The one to three sentences that share most words with a statement, rare words first: a word search's hits.

    How many depends on the agreement's name and the statement alone.
    """
    wanted = set(WORD.findall(statement.lower()))
    weight = {word: math.log(len(said) / found) for word in wanted if (found := sum(word in s for s in said.values()))}
    # `fsum` rounds once, so that the order of a set cannot break a tie.
    ranked = sorted(said, key=lambda at: (-math.fsum(weight[word] for word in wanted & said[at]), at))
    draw = int(hashlib.sha256(f"{name} {statement}".encode()).hexdigest()[:8], 16)
    return sorted(ranked[: HOW_MANY[draw % len(HOW_MANY)]])
