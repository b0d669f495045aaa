"""Finds rows that are longer than the training takes, by the tokens of the base model and the project's own rendering.

Loads the model's tokenizer and config.json, and no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle
from statistics import median
from typing import Any

from harness.errors import UserError
from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, RowFinding, Sample
from training.curation.text import spread
from training.data.tokenize import cut_prompt

NO_BASE = "no base model is given, so tokens are not counted. Name one with --base"


@lru_cache(maxsize=2)
def _renderer(folder: str) -> Any:
    from harness.suites.prompts import Renderer

    return Renderer(folder)


def _look(chats: Sequence[list[dict[str, str]]], folder: str, max_length: int) -> list[tuple[int, bool]]:
    """Tokens of every row, and whether its answer still fits where it is longer than `max_length`."""
    renderer = _renderer(folder)
    rows = []
    for chat in chats:
        ids, mask = renderer.training(chat)
        over = len(ids) - max_length
        rows.append((len(ids), over <= 0 or cut_prompt(ids, mask, over) is not None))
    return rows


def tokens(sample: Sample, settings: CheckSettings) -> list[tuple[int, bool]]:
    """Tokens of every row and whether its answer fits; a base model that is no model is a UserError."""
    from training.model_checks import base_folder

    def make() -> list[tuple[int, bool]]:
        folder = base_folder(settings.base)
        most = _renderer(str(folder)).max_positions
        if settings.max_length > most:
            raise UserError(
                f"--max-length is {settings.max_length:,}; {settings.base} reads at most {most:,} tokens. "
                f"Set {most:,} or less"
            )
        return spread(_look, [row.chat for row in sample.rows], str(folder), settings.max_length)

    made: list[tuple[int, bool]] = sample.once("tokens", make)
    return made


def find_cut(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row whose prompt a training would shorten."""
    if not settings.base:
        return CheckResult(skipped=NO_BASE)
    findings = [
        RowFinding(
            row=index,
            reason=f"{count:,} tokens: {count - settings.max_length:,} of its prompt are left out by a training",
            quote=sample.quote(index),
        )
        for index, (count, fits) in enumerate(tokens(sample, settings))
        if fits and count > settings.max_length
    ]
    return CheckResult(findings=findings, notes=[f"A row may have {settings.max_length:,} tokens (--max-length)."])


def find_refused(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row that a training refuses, since its answer alone is too long."""
    if not settings.base:
        return CheckResult(skipped=NO_BASE)
    findings = [
        RowFinding(
            row=index,
            reason=f"{count:,} tokens: its answer does not fit into {settings.max_length:,}, and a training refuses it",
            quote=sample.quote(index),
        )
        for index, (count, fits) in enumerate(tokens(sample, settings))
        if not fits
    ]
    return CheckResult(findings=findings)


CUT = Check(
    name="long_prompts",
    says="Rows whose prompt is shortened to fit the longest length of a training.",
    action="flag",
    find=find_cut,
)
REFUSED = Check(
    name="long_answers",
    says="Rows whose answer does not fit, which a training refuses.",
    action="drop",
    find=find_refused,
)


BARS = 12
UNUSUAL = 5
"""A row is unusually long or short where it is so many times as long or as short as the median."""


def sizes(sample: Sample, settings: CheckSettings) -> tuple[str, list[int]]:
    """The unit, and the length of every row in it."""
    if settings.base:
        return "tokens", [count for count, _ in tokens(sample, settings)]
    pairs = zip(sample.prompts, sample.answers, strict=True)
    return "words", [len(prompt.split()) + len(answer.split()) for prompt, answer in pairs]


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
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
    return CheckResult(
        tables=[_histogram(unit, found)], notes=notes, counts={unit: sum(found), "unusual_length": unusual}
    )


def _histogram(unit: str, found: Sequence[int]) -> FindingTable:
    width = _width(min(found), max(found))
    first = min(found) // width
    counts = [0] * (max(found) // width + 1 - first)
    for size in found:
        counts[size // width - first] += 1
    bars = list(enumerate(counts, first))
    return FindingTable(
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
