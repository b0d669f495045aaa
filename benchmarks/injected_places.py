"""An edited copy of a text and where in it the edit stands; the ways to put words in."""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

SENTENCE = re.compile(r"(?:(?<=^)|(?<=[.;]\s))[A-Z][^.;:“”\"\n]{40,200}(?=[.;](?:\s|$))")


class Edit(NamedTuple):
    """One changed copy of a text."""

    text: str
    spans: tuple[tuple[int, int], ...]
    """Where the error stands in `text`; empty for a faithful copy."""
    kind: str
    """What was changed: the operator's own division."""


def put(text: str, start: int, end: int, new: str, kind: str) -> Edit:
    """The text with `new` in place of `text[start:end]`, which is where the error stands."""
    return Edit(text[:start] + new + text[end:], ((start, start + len(new)),), kind)


def at_an_end(text: str, frame: str, name: str, kind: str, rng: random.Random) -> Iterator[Edit]:
    """`frame` with `name` in it, put before the full stop of a sentence."""
    ends = [match.end() for match in SENTENCE.finditer(text)]
    if ends:
        at = rng.choice(ends)
        first = at + frame.index("{}")
        added = frame.format(name)
        yield Edit(text[:at] + added + text[at:], ((first, first + len(name)),), kind)


def exchanged(text: str, first: tuple[int, int], second: tuple[int, int], kind: str) -> Edit:
    """Two ranges of a text in each other's place."""
    one, two = text[slice(*first)], text[slice(*second)]
    between = text[first[1] : second[0]]
    changed = text[: first[0]] + two + between + one + text[second[1] :]
    start = first[0] + len(two) + len(between)
    return Edit(changed, ((first[0], first[0] + len(two)), (start, start + len(one))), kind)
