"""Shows how long the rows are, in tokens where a base model is given and in words else. Finds no row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from statistics import median

from training.curation.findings import Check, Found, Table
from training.curation.fit import tokens
from training.curation.sample import Sample
from training.curation.settings import Settings

BARS = 12
UNUSUAL = 5
"""A row is unusually long or short where it is so many times as long or as short as the median."""


def sizes(sample: Sample, settings: Settings) -> tuple[str, list[int]]:
    """The unit, and the length of every row in it."""
    if settings.base:
        return "tokens", [count for count, _ in tokens(sample, settings)]
    pairs = zip(sample.prompts, sample.answers, strict=True)
    return "words", [len(prompt.split()) + len(answer.split()) for prompt, answer in pairs]


def find(sample: Sample, settings: Settings) -> Found:
    """A histogram of the rows' lengths, with quantiles."""
    unit, found = sizes(sample, settings)
    ordered = sorted(found)
    middle = median(ordered)
    at = {name: ordered[round(share * (len(ordered) - 1))] for name, share in (("5 %", 0.05), ("95 %", 0.95))}
    answers = sum(len(answer.split()) for answer in sample.answers)
    unusual = sum(size > UNUSUAL * middle or size < middle / UNUSUAL for size in found)
    notes = [
        f"{sum(found):,} {unit} in all. A row has {ordered[0]:,} to {ordered[-1]:,}, half of them at most "
        f"{middle:,.0f}, nine in ten from {at['5 %']:,} to {at['95 %']:,}. Answers have {answers:,} words.",
    ]
    if unusual:
        notes.append(f"Rows more than {UNUSUAL} times as long, or as short, as the one in the middle: {unusual:,}.")
    return Found(tables=[_histogram(unit, found)], notes=notes, counts={unit: sum(found), "unusual_length": unusual})


def _histogram(unit: str, found: Sequence[int]) -> Table:
    width = _width(min(found), max(found))
    first = min(found) // width
    counts = [0] * (max(found) // width + 1 - first)
    for size in found:
        counts[size // width - first] += 1
    bars = list(enumerate(counts, first))
    return Table(
        title=f"Rows by length in {unit}",
        headings=[unit, "rows"],
        rows=[[f"{n * width:,} to {(n + 1) * width - 1:,}", f"{count:,}"] for n, count in bars],
        bars=[count / max(counts) for count in counts],
    )


def _width(shortest: int, longest: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 ... that gives at most BARS bars."""
    width, steps = 1, cycle((2, 2.5, 2))
    while longest // width - shortest // width >= BARS:
        width = round(width * next(steps))
    return width


CHECK = Check(name="lengths", says="How long the rows are.", action="keep", find=find)
