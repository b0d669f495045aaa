"""Row lengths, in tokens of the base model as training renders them: too long for `max_length`, and a histogram.

Loads the model's tokenizer and config.json, and no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle
from statistics import median
from typing import Any

from harness.errors import UserError, refuse_all
from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, RowFinding, Sample
from training.curation.text import spread
from training.data.rows import TrainingRow
from training.data.tokenize import render_all, shortest_length

NO_BASE = "no base model is given, so tokens are not counted. Set one with --base"


@lru_cache(maxsize=2)
def _renderer(folder: str) -> Any:
    from harness.suites.prompts import Renderer

    return Renderer(folder)


def _measure(rows: Sequence[TrainingRow], folder: str, max_length: int) -> list[tuple[int, bool]]:
    """Return the tokens of every row, and whether its answer fits into `max_length`."""
    problems: list[str] = []
    rendered = render_all([(row.where, row.chat) for row in rows], _renderer(folder), problems)
    refuse_all(problems, "rows that cannot be trained on")
    special = _renderer(folder).marker_ids
    return [(len(ids), shortest_length(ids, mask, special) <= max_length) for ids, mask in rendered]


def tokens(sample: Sample, settings: CheckSettings) -> list[tuple[int, bool]]:
    """Return the tokens of every row and whether its answer fits.

    Raises UserError where `settings.base` is no model or reads fewer tokens than `settings.max_length`, and for rows
    whose turns cannot be trained as they are served.
    """
    from training.model_checks import base_folder

    def count() -> list[tuple[int, bool]]:
        folder = base_folder(settings.base)
        limit = _renderer(str(folder)).max_positions
        if settings.max_length > limit:
            raise UserError(
                f"--max-length is {settings.max_length:,}; {settings.base} reads at most {limit:,} tokens. "
                f"Set {limit:,} or less"
            )
        return spread(_measure, sample.rows, str(folder), settings.max_length)

    counts: list[tuple[int, bool]] = sample.cached("tokens", count)
    return counts


def find_cut(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row whose prompt training would shorten."""
    if not settings.base:
        return CheckResult(skipped=NO_BASE)
    findings = [
        RowFinding(
            row=index,
            reason=f"{count:,} tokens: training drops {count - settings.max_length:,} of its prompt",
            quote=sample.quote(index),
        )
        for index, (count, fits) in enumerate(tokens(sample, settings))
        if fits and count > settings.max_length
    ]
    return CheckResult(findings=findings, notes=[f"A row may have {settings.max_length:,} tokens (--max-length)."])


def find_refused(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row that training refuses because its answer alone is too long."""
    if not settings.base:
        return CheckResult(skipped=NO_BASE)
    findings = [
        RowFinding(
            row=index,
            reason=f"{count:,} tokens: its answer does not fit into {settings.max_length:,}, so training refuses it",
            quote=sample.quote(index),
        )
        for index, (count, fits) in enumerate(tokens(sample, settings))
        if not fits
    ]
    return CheckResult(findings=findings)


CUT = Check(
    name="long_prompts",
    description="Rows whose prompt training shortens to fit the maximum length.",
    action="flag",
    find=find_cut,
)
REFUSED = Check(
    name="long_answers",
    description="Rows whose answer does not fit, which training refuses.",
    action="drop",
    find=find_refused,
)


BARS = 12
UNUSUAL = 5
"""A row is unusually long or short where its length differs from the median by this factor."""


def sizes(sample: Sample, settings: CheckSettings) -> tuple[str, list[int]]:
    """Return the unit (`tokens` or `words`) and the length of every row."""
    if settings.base:
        return "tokens", [count for count, _ in tokens(sample, settings)]
    pairs = zip(sample.prompts, sample.answers, strict=True)
    return "words", [len(prompt.split()) + len(answer.split()) for prompt, answer in pairs]


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Describe the rows' lengths with quantiles and a histogram."""
    unit, lengths = sizes(sample, settings)
    ordered = sorted(lengths)
    middle = median(ordered)
    quantiles = {name: ordered[round(share * (len(ordered) - 1))] for name, share in (("5 %", 0.05), ("95 %", 0.95))}
    answers = sum(len(answer.split()) for answer in sample.answers)
    unusual = sum(size > UNUSUAL * middle or size < middle / UNUSUAL for size in lengths)
    notes = [
        f"{sum(lengths):,} {unit} in all. A row has {ordered[0]:,} to {ordered[-1]:,}, half of them at most "
        f"{middle:,.0f}, nine in ten from {quantiles['5 %']:,} to {quantiles['95 %']:,}. Answers: {answers:,} words.",
    ]
    if unusual:
        notes.append(f"Rows more than {UNUSUAL} times as long, or as short, as the one in the middle: {unusual:,}.")
    return CheckResult(
        tables=[_histogram(unit, lengths)], notes=notes, counts={unit: sum(lengths), "unusual_length": unusual}
    )


def _histogram(unit: str, lengths: Sequence[int]) -> FindingTable:
    width = _width(min(lengths), max(lengths))
    first = min(lengths) // width
    counts = [0] * (max(lengths) // width + 1 - first)
    for size in lengths:
        counts[size // width - first] += 1
    bars = list(enumerate(counts, first))
    return FindingTable(
        title=f"Rows by length in {unit}",
        headings=[unit, "rows"],
        rows=[[f"{n * width:,} to {(n + 1) * width - 1:,}", f"{count:,}"] for n, count in bars],
        bars=[count / max(counts) for count in counts],
    )


def _width(shortest: int, longest: int) -> int:
    """Return the smallest bar width of 1, 2, 5, 10, 20, 50 ... that gives at most BARS bars."""
    width, steps = 1, cycle((2, 2.5, 2))
    while longest // width - shortest // width >= BARS:
        width = round(width * next(steps))
    return width


CHECK = Check(name="lengths", description="Lengths of the rows.", action="keep", find=find)
