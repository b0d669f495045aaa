"""Distribution of the answers: labels and their balance, "none" answers and refusals, and the number of rows.

Semicolons separate several labels of one answer. Answers count as labels if nine in ten have labels of at most eight
words, and there is at most one distinct label per five rows and no more than two hundred.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harness.scoring.text.refusals import declines, refuses
from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, Sample, short
from training.curation.checks.duplicates import folded
from training.data.rows import FLOOR_ROWS

MAX_LABEL_WORDS = 8
MIN_LABELLED = 0.9
ROWS_PER_LABEL = 5
MAX_LABELS = 200


def labels(answers: Sequence[str]) -> list[tuple[str, ...]] | None:
    """Return the labels of every answer, folded and sorted, or None where the answers are free text."""
    by_row = [tuple(sorted({part for part in folded(answer).rstrip(".").split("; ") if part})) for answer in answers]
    brief = sum(all(len(label.split()) <= MAX_LABEL_WORDS for label in row) for row in by_row)
    distinct = {label for row in by_row for label in row}
    few = 0 < len(distinct) <= min(MAX_LABELS, max(2, len(answers) // ROWS_PER_LABEL))
    return by_row if few and brief >= MIN_LABELLED * len(answers) else None


def counted(by_row: Sequence[tuple[str, ...]]) -> list[tuple[str, int]]:
    """Return the number of rows with each label, most frequent first."""
    counts = Counter(label for row in by_row for label in row)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


SHOWN = 30
HEAVY = 0.8
"""Share of the answers from which one label is reported as dominant."""
RARE_ROWS = 10
"""A label in fewer rows is reported as rare."""


def find_imbalance(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Describe the share of each label."""
    by_row = labels(sample.answers)
    if by_row is None:
        return CheckResult(notes=["Answers are free text, so there are no labels to count."])
    rows = len(by_row)
    counts = counted(by_row)
    table = FindingTable(
        title="Rows by label",
        headings=["label", "rows", "share"],
        rows=[[short(label, 60), f"{count:,}", f"{count / rows:.1%}"] for label, count in counts[:SHOWN]],
        bars=[count / rows for _, count in counts[:SHOWN]],
    )
    notes = []
    if counts[0][1] >= HEAVY * rows:
        notes.append(
            f"“{short(counts[0][0], 60)}” is in {counts[0][1] / rows:.0%} of the answers: a model that always gives it "
            "is right as often."
        )
    rare = [label for label, count in counts if count < RARE_ROWS]
    if rare:
        notes.append(f"Labels in fewer than {RARE_ROWS} rows: {len(rare):,} of {len(counts):,}.")
    if len(counts) > SHOWN:
        notes.append(f"The table shows {SHOWN} of {len(counts):,} labels.")
    return CheckResult(tables=[table], notes=notes, counts={short(label, 60): count for label, count in counts})


BALANCE = Check(
    name="label_balance", description="How often each label is the answer.", action="keep", find=find_imbalance
)


NONE = re.compile(r"\W*(?:none|nothing|no|nil|n/?a|null|not applicable|no (?:such )?\w+)\W*", re.I)
MAX_REFUSAL_CHARS = 400
"""A longer answer that mentions a gap still answers."""


def kind(answer: str) -> str:
    """Classify an answer as `none`, `declines` or `answers`."""
    if NONE.fullmatch(answer):
        return "none"
    brief = len(answer) <= MAX_REFUSAL_CHARS
    return "declines" if brief and (refuses(answer) or declines(answer)) else "answers"


def find_missing_negatives(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Describe the shares of "none" answers and of refusals."""
    counts = {"none": 0, "declines": 0, "answers": 0}
    for answer, times in Counter(sample.answers).items():
        counts[kind(answer)] += times
    rows = len(sample.answers)
    table = FindingTable(
        title="Rows by kind of answer",
        headings=["answer", "rows", "share"],
        rows=[[name, f"{count:,}", f"{count / rows:.1%}"] for name, count in counts.items()],
        bars=[count / rows for count in counts.values()],
    )
    notes = []
    if counts["answers"] == rows:
        notes.append(
            "No answer is “none” or declines: a model trained on these rows never sees a question without an answer."
        )
    if not counts["answers"]:
        notes.append("Every answer is “none” or declines.")
    return CheckResult(tables=[table], notes=notes, counts=counts)


NEGATIVES = Check(
    name="negatives",
    description="How many answers are “none” or decline to answer.",
    action="keep",
    find=find_missing_negatives,
)


def warning(rows: int) -> str:
    """Return why so few rows are a risk, or the empty string where they are enough."""
    if rows >= FLOOR_ROWS:
        return ""
    return (
        f"{rows:,} rows; at least {FLOOR_ROWS:,} are recommended. With fewer, single rows decide what is learnt, "
        f"and a tenth for validation is {rows // 10:,} rows, too few to tell one checkpoint from another"
    )


def find_too_few_rows(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Warn where there are fewer rows than recommended."""
    text = warning(len(sample.rows))
    return CheckResult(notes=[f"{text}."] if text else [])


TOO_FEW_ROWS = Check(
    name="row_floor",
    description=f"Whether there are at least {FLOOR_ROWS:,} rows.",
    action="keep",
    find=find_too_few_rows,
)
