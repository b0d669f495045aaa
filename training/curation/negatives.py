"""Shows how many answers say that there is nothing to answer: "none", or a sentence that declines. Finds no row."""

from __future__ import annotations

import re
from collections import Counter

from harness.scoring.declining import declines
from harness.scoring.refusals import refuses
from training.curation.findings import Check, Found, Table
from training.curation.sample import Sample
from training.curation.settings import Settings

NONE = re.compile(r"\W*(?:none|nothing|no|nil|n/?a|null|not applicable|no (?:such )?\w+)\W*", re.I)
LONGEST = 400
"""Characters; a longer answer that mentions a gap still answers."""


def kind(answer: str) -> str:
    """`none`, `declines` or `answers`."""
    if NONE.fullmatch(answer):
        return "none"
    brief = len(answer) <= LONGEST
    return "declines" if brief and (refuses(answer) or declines(answer)) else "answers"


def find(sample: Sample, settings: Settings) -> Found:
    """Shares of answers that say none, and that decline."""
    counts = {"none": 0, "declines": 0, "answers": 0}
    for answer, times in Counter(sample.answers).items():
        counts[kind(answer)] += times
    rows = len(sample.answers)
    table = Table(
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
    return Found(tables=[table], notes=notes, counts=counts)


CHECK = Check(name="negatives", says="How many answers say none, or decline to answer.", action="keep", find=find)
