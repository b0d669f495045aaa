"""Cut passages out of a contract: some around labels, some without labels."""

import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from msgspec import Struct

from evalsuites.public.cuad.contracts import NAMES, SHORT, Contract, Label

MOST = 450
"""Characters in the longest passage."""
LEAST = 80
"""Characters in the shortest passage."""
GAP = 120
"""Characters between an unlabelled passage and the nearest label of the 16 categories: the sentence after a label
often carries the same clause on."""
ENOUGH = 120
"""Characters of a label, or half of it, that a passage must include to have its category."""

UNIT_END = re.compile(r"[.;:?!][\"”’)]*\s+(?=[\"“(\[]?[A-Z0-9(])")
ABBREVIATED = re.compile(
    r"(?:^|[\s(\"“])(?:Inc|Corp|Ltd|Co|Nos?|Secs?|Arts?|Mr|Mrs|Ms|Dr|St|vs?|cf|Attn|[A-Z](?:\.[A-Z])*|[\d.()]{1,8}"
    r"|\(?[a-zA-Z]\)?|[ivxIVX]{1,5})\.\s+$"
)
NOT_PROSE = re.compile(r"[._]{4}|(?:\b\S ){8}|(?:\d\.\d\D{1,80}){3}")
"""Leaders, spaced letters, and the numbers of a table of contents."""
COMMON = re.compile(
    r"\b(?:a|all|an|and|any|as|at|be|by|for|from|in|is|its?|no|not|o[fnr]|shall|such|the|this|that|to|under|upon|which"
    r"|will|with)\b"
)
"""Words that prose is full of and lists of names are not."""
RAREST_FIRST = (
    "renewal notice",
    "uncapped liability",
    "first refusal",
    "renewal term",
    "change of control",
    "termination for convenience",
    "minimum commitment",
    "insurance",
    "revenue sharing",
    "post-termination services",
    "exclusivity",
    "audit rights",
    "liability cap",
    "anti-assignment",
    "expiration date",
    "governing law",
)
"""The first of these in a passage with several categories names it: renewal is mostly next to an expiration date."""


class Passage(Struct, frozen=True, kw_only=True):
    start: int
    """First code point in the contract's text."""
    end: int
    """One past the last code point."""
    clauses: list[str]
    """Its categories of NAMES, in that order."""
    main: str = ""
    """Its first category of RAREST_FIRST, or the empty string."""


def unit_starts(contract: Contract) -> list[int]:
    """Where sentences, list items and paragraphs start, and the end of the text."""
    starts = {0, len(contract.text), *contract.paragraphs}
    for match in UNIT_END.finditer(contract.text):
        if not ABBREVIATED.search(contract.text[max(0, match.start() - 12) : match.end()]):
            starts.add(match.end())
    return sorted(starts)


def labelled(contract: Contract, starts: list[int]) -> Iterator[Passage]:
    """One passage a label of the 16 categories, in the order of the text, without overlaps."""
    after = 0
    for label in contract.labels:
        if label.category in NAMES and label.end - label.start >= SHORT and label.start >= after:
            start, end = _around(contract.text, starts, label)
            clauses = carried(contract.labels, max(start, after), end)
            if clauses is not None and label.category in clauses and readable(contract.text[max(start, after) : end]):
                yield Passage(
                    start=max(start, after), end=end, clauses=clauses, main=min(clauses, key=RAREST_FIRST.index)
                )
                after = end


def _around(text: str, starts: list[int], label: Label) -> tuple[int, int]:
    """The label's sentences where they fit into MOST characters, else the label, else its first MOST characters."""
    first = starts[bisect_right(starts, label.start) - 1]
    last = starts[bisect_left(starts, label.end)]
    for start, end in ((first, last), (first, label.end), (label.start, last), (label.start, label.end)):
        if end - start <= MOST:
            return start, end
    return label.start, cut(text, starts, label.start, MOST)


def cut(text: str, starts: list[int], start: int, length: int) -> int:
    """End of a passage of about `length` characters: a unit's end in its second half, else the next unit's end that
    MOST allows, else the last whole word."""
    at = bisect_right(starts, start + length)
    if starts[at - 1] >= start + length // 2:
        return starts[at - 1]
    if at < len(starts) and starts[at] <= start + MOST:
        return starts[at]
    return text.rfind(" ", start, start + length)


def carried(labels: list[Label], start: int, end: int) -> list[str] | None:
    """Categories of NAMES of text[start:end], or None if it has too little of some label to decide."""
    shares: dict[str, bool] = {}
    for label in labels:
        inside = min(end, label.end) - max(start, label.start)
        if label.category in NAMES and inside > 0:
            clear = inside >= min(ENOUGH, (label.end - label.start) / 2)
            shares[label.category] = shares.get(label.category, False) or clear
    return [name for name in NAMES if name in shares] if all(shares.values()) else None


def unlabelled(contract: Contract, starts: list[int], lengths: list[int]) -> Iterator[Passage]:
    """Passages that no label of any category touches, as long as `lengths`, from all over the contract, no overlaps."""
    rng = random.Random(f"unlabelled {contract.name}")
    order = starts[:-1]
    rng.shuffle(order)
    taken = [(lab.start - (GAP if lab.category in NAMES else 0), lab.end + GAP) for lab in contract.labels]
    at = 0
    for length in lengths:
        while at < len(order):
            start = order[at]
            end = cut(contract.text, starts, start, length)
            at += 1
            free = all(end <= first or last <= start for first, last in taken)
            if free and end - start >= 0.6 * length and readable(contract.text[start:end]):
                taken.append((start, end))
                yield Passage(start=start, end=end, clauses=[])
                break


def readable(text: str) -> bool:
    """Whether it is prose, and no heading, table, address or signature."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    letters = sum(map(len, words))
    common = len(COMMON.findall(text.lower()))
    return (
        LEAST <= len(text) <= MOST
        and letters >= 0.7 * len(text)
        and common >= 0.2 * len(words)
        and not NOT_PROSE.search(text)
    )
