"""Tell a rise from a fall: of a figure as it is written, and of two figures of a source by their order in time.

The time of a figure in a table is in its labels; in a sentence it follows the figure ("$31.7 million in 2023"). "From A
to B" needs none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations

from harness.scoring.grounding.contexts import Fact
from harness.scoring.grounding.cues import moved_by
from harness.scoring.grounding.derivations import FALL, FIRST_YEAR, LAST_YEAR, POINTS, RISE
from harness.scoring.text.quantities import Figure

FROM, TO = re.compile(r"\bfrom\s+$", re.I), re.compile(r"\s+to\s+")
WHEN = re.compile(r"(?P<kind>[yqm])(?P<number>\d+)")
CHANGES = ("difference", POINTS, RISE, FALL)
"""Rules that compare a figure with an earlier one."""
Time = tuple[int, int]
"""Year, and month or 0."""


def direction(fact: Fact) -> int:
    """Return -1 for a negative figure, 1 or -1 for the size of a rise or a fall, else 0."""
    text, start = fact.text, fact.figure.start
    return -1 if fact.sign < 0 else moved_by(text.text, start, text.sentence(start)[0])


def is_opposite(fact: Fact, origins: Iterable[Fact]) -> bool:
    """Whether a figure is said to be a rise and is a fall wherever the source has it, or the other way round."""
    said = direction(fact)
    return bool(said) and all(direction(each) == -said for each in origins)


def is_reversed(fact: Fact, rule: str, lines: Iterable[Sequence[Fact]]) -> bool:
    """Whether a figure is a rise by its words, and a fall for all pairs of the source that are so far apart.

    `lines` are the rows, columns and sentences of the source.
    """
    said = direction(fact) if rule in CHANGES else 0
    if not said:
        return False
    moves = {
        _move(one, other) for line in lines for one, other in combinations(line, 2) if _yields(one, other, fact, rule)
    }
    return moves == {-said}


def _yields(one: Fact, other: Fact, fact: Fact, rule: str) -> bool:
    """Whether two figures differ by a figure, in one of its readings."""
    first, second = one.figure, other.figure
    if first.unit != second.unit or isinstance(first.value, str) or isinstance(second.value, str):
        return False
    for a, b in zip(one.readings, other.readings, strict=False):
        low, high = sorted((Fraction(a.value), Fraction(b.value)))
        for reading in fact.readings if a.unit == b.unit and low > 0 else ():
            if rule in (RISE, FALL):
                share = (high - low) / (low if rule == RISE else high) * 10000
                if reading.unit == "bp" and abs(share - Fraction(reading.value)) * 2 <= reading.step:
                    return True
            elif reading.unit == a.unit and reading.value == high - low:
                return True
    return False


def _move(one: Fact, other: Fact) -> int:
    """Return 1 if the later of two figures is larger, -1 if it is smaller, 0 if their order in time is not said."""
    size = 1 if Fraction(other.figure.value) > Fraction(one.figure.value) else -1
    if one.sign < 0 or other.sign < 0:
        return 0
    text, start, end = one.text.text, one.figure.start, one.figure.end
    if FROM.search(text, max(0, start - 6), start) and TO.fullmatch(text, end, other.figure.start):
        return size
    first, second = _time(one), _time(other)
    return 0 if first is None or second is None or first == second else size if second > first else -size


def _time(fact: Fact) -> Time | None:
    """Return when a figure was so, if its labels or the words between it and the next figure say one time."""
    text = fact.text
    if fact.row[0] >= 0:
        terms = [term for start, end in text.label_ranges(fact.figure) for term in text.terms(start, end)]
        return _one_time(terms)
    first, last = text.sentence(fact.figure.start)
    same = [f for f in text.figures if first <= f.start < last and f.unit == fact.figure.unit and not _is_year(f)]
    if any(WHEN.fullmatch(term) for term in text.terms(first, same[0].start if same else fact.figure.start)):
        return None
    following = [f.start for f in same if f.start > fact.figure.start]
    return _one_time(text.terms(fact.figure.end, following[0] if following else last))


def _is_year(figure: Figure) -> bool:
    return figure.kind == "count" and FIRST_YEAR < Fraction(figure.value) < LAST_YEAR


def _one_time(terms: Iterable[str]) -> Time | None:
    found: dict[str, set[int]] = {"y": set(), "q": set(), "m": set()}
    for match in filter(None, map(WHEN.fullmatch, terms)):
        found[match["kind"]].add(int(match["number"]))
    months = {3 * quarter for quarter in found["q"]} if found["q"] else found["m"]
    if len(found["y"]) > 1 or len(months) > 1 or not (found["y"] or months):
        return None
    return max(found["y"], default=0), max(months, default=0)
