"""Cut a numbered excerpt out of an agreement, around evidence or around the results of a word search."""

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
"""Separates sentences that do not follow each other."""
NUMBERED = re.compile(r"\[\d{1,3}\]")
WORD = re.compile(r"[a-z]{3,}")
PROSE = 8
"""A sentence with fewer words is a heading."""
HOW_MANY = (1, 1, 1, 1, 2, 2, 2, 3)
"""Sentences around which an excerpt without evidence is cut: about the shares of those with evidence."""


class Excerpt(Struct, frozen=True, kw_only=True):
    text: str
    """One sentence per line, `[1] ...`."""
    evidence: tuple[int, ...]
    """Numbers of the sentences it was cut around."""
    positions: tuple[int, ...]
    """Positions of its sentences in the agreement."""


def around(agreement: Agreement, core: Sequence[int]) -> Excerpt | None:
    """Cut out the sentences of `core` with their neighbours; None if they are too many or too long."""
    sentences = agreement.sentences
    chosen = {at for at in core if sentences[at]}
    if not chosen or len(chosen) > MOST_EVIDENCE or _words(sentences, chosen) > MOST:
        return None
    for at in _neighbours(core, len(sentences)):
        if _words(sentences, chosen) >= ENOUGH or len(chosen) >= MOST_SENTENCES:
            break
        if sentences[at] and at not in chosen and _words(sentences, chosen) + len(sentences[at].split()) <= MOST:
            chosen.add(at)
    positions = sorted(chosen)
    if any(NUMBERED.search(sentences[at]) for at in positions):
        return None
    lines: list[str] = []
    for number, at in enumerate(positions, 1):
        if number > 1 and any(sentences[between] for between in range(positions[number - 2] + 1, at)):
            lines.append(GAP)
        lines.append(f"[{number}] {sentences[at]}")
    evidence = tuple(positions.index(at) + 1 for at in sorted(set(core)) if at in chosen)
    return Excerpt(text="\n".join(lines), evidence=evidence, positions=tuple(positions))


def _neighbours(core: Sequence[int], count: int) -> Iterator[int]:
    for distance in (1, 2, 3):
        for at in core:
            yield from (near for near in (at - distance, at + distance) if 0 <= near < count)


def _words(sentences: Sequence[str], chosen: Iterable[int]) -> int:
    return sum(len(sentences[at].split()) for at in chosen)


def words_in(agreement: Agreement) -> dict[int, set[str]]:
    """Return the words of each sentence that is not a heading and fits an excerpt."""
    return {
        at: set(WORD.findall(text.lower()))
        for at, text in enumerate(agreement.sentences)
        if PROSE <= len(text.split()) <= MOST
    }


def nearest(words_by_sentence: dict[int, set[str]], statement: str, name: str) -> list[int]:
    """Return the one to three sentences that share most words with a statement, weighted by rarity.

    How many depends on the agreement's name and the statement alone.
    """
    words = set(WORD.findall(statement.lower()))
    counts = {word: sum(word in one for one in words_by_sentence.values()) for word in words}
    weight = {word: math.log(len(words_by_sentence) / count) for word, count in counts.items() if count}
    # `fsum` rounds once, so that the order of a set cannot break a tie.

    def rank(at: int) -> tuple[float, int]:
        return -math.fsum(weight[word] for word in words & words_by_sentence[at]), at

    ranked = sorted(words_by_sentence, key=rank)
    draw = int(hashlib.sha256(f"{name} {statement}".encode()).hexdigest()[:8], 16)
    return sorted(ranked[: HOW_MANY[draw % len(HOW_MANY)]])
