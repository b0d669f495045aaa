"""Tells the answers of a closed set, labels, from free text, and how often each is given. Knows no row's prompt.

An answer of several labels parts them by semicolons. Answers are labels where nine in ten are of at most eight words
each and they come from few forms: at most one distinct label for five rows, and no more than two hundred.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harness.scoring.text.refusals import declines, refuses
from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, Sample, short
from training.curation.checks.duplicates import folded
from training.data.rows import FLOOR_ROWS

LABEL_WORDS = 8
SHARE_OF_ROWS = 0.9
ROWS_PER_LABEL = 5
MOST_LABELS = 200


def labels(answers: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The labels of every answer, folded and sorted; None where the answers are free text."""
    found = [tuple(sorted({part for part in folded(answer).rstrip(".").split("; ") if part})) for answer in answers]
    brief = sum(all(len(label.split()) <= LABEL_WORDS for label in some) for some in found)
    distinct = {label for some in found for label in some}
    few = len(distinct) <= min(MOST_LABELS, max(2, len(answers) // ROWS_PER_LABEL))
    return found if few and brief >= SHARE_OF_ROWS * len(answers) else None


def counted(found: Sequence[tuple[str, ...]]) -> list[tuple[str, int]]:
    """Rows that hold each label, most first."""
    counts = Counter(label for some in found for label in some)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


SHOWN = 30
HEAVY = 0.8
"""Share from which one label is said to outweigh the others."""
RARE_ROWS = 10
"""Rows below which a label is said to be rare."""


def find_imbalance(sample: Sample, settings: CheckSettings) -> CheckResult:
    """The share of each label."""
    found = labels(sample.answers)
    if found is None:
        return CheckResult(notes=["Answers are free text, so there is no label to count."])
    rows = len(found)
    counts = counted(found)
    table = FindingTable(
        title="Rows by label",
        headings=["label", "rows", "share"],
        rows=[[short(label, 60), f"{count:,}", f"{count / rows:.1%}"] for label, count in counts[:SHOWN]],
        bars=[count / rows for _, count in counts[:SHOWN]],
    )
    notes = []
    if counts[0][1] >= HEAVY * rows:
        notes.append(
            f"“{short(counts[0][0], 60)}” is in {counts[0][1] / rows:.0%} of the answers: a model that gives no other "
            "is right as often."
        )
    rare = [label for label, count in counts if count < RARE_ROWS]
    if rare:
        notes.append(f"Labels in fewer than {RARE_ROWS} rows: {len(rare):,} of {len(counts):,}.")
    if len(counts) > SHOWN:
        notes.append(f"The table shows {SHOWN} of {len(counts):,} labels.")
    return CheckResult(tables=[table], notes=notes, counts={short(label, 60): count for label, count in counts})


BALANCE = Check(name="label_balance", says="How often each label is the answer.", action="keep", find=find_imbalance)


NONE = re.compile(r"\W*(?:none|nothing|no|nil|n/?a|null|not applicable|no (?:such )?\w+)\W*", re.I)
LONGEST = 400
"""Characters; a longer answer that mentions a gap still answers."""


def kind(answer: str) -> str:
    """`none`, `declines` or `answers`."""
    if NONE.fullmatch(answer):
        return "none"
    brief = len(answer) <= LONGEST
    return "declines" if brief and (refuses(answer) or declines(answer)) else "answers"


def find_missing_negatives(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Shares of answers that say none, and that decline."""
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
            "No answer says none or declines: a model trained on these rows never sees a question without an answer."
        )
    if not counts["answers"]:
        notes.append("Every answer says none or declines.")
    return CheckResult(tables=[table], notes=notes, counts=counts)


NEGATIVES = Check(
    name="negatives",
    says="How many answers say none, or decline to answer.",
    action="keep",
    find=find_missing_negatives,
)


def warning(rows: int) -> str:
    """Why so few rows are a risk, or the empty string where they are enough."""
    if rows >= FLOOR_ROWS:
        return ""
    return (
        f"{rows:,} rows; at least {FLOOR_ROWS:,} are recommended. With fewer, what is learnt hangs on single rows, and "
        f"a tenth kept for validation is {rows // 10:,} rows, too few to tell one checkpoint from another"
    )


def find_too_few_rows(sample: Sample, settings: CheckSettings) -> CheckResult:
    """A warning where the rows are fewer than recommended."""
    said = warning(len(sample.rows))
    return CheckResult(notes=[f"{said}."] if said else [])


TOO_FEW_ROWS = Check(
    name="row_floor", says=f"Whether there are {FLOOR_ROWS:,} rows.", action="keep", find=find_too_few_rows
)
