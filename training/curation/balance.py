"""Shows how often each label is the answer. Finds no row: a share is right or wrong for a task, not for a row."""

from __future__ import annotations

from training.curation.findings import Check, Found, Table
from training.curation.labels import counted, labels
from training.curation.sample import Sample, short
from training.curation.settings import Settings

SHOWN = 30
HEAVY = 0.8
"""Share from which one label is said to outweigh the others."""
RARE_ROWS = 10
"""Rows below which a label is said to be rare."""


def find(sample: Sample, settings: Settings) -> Found:
    """The share of each label."""
    found = labels(sample.answers)
    if found is None:
        return Found(notes=["Answers are free text, so there is no label to count."])
    rows = len(found)
    counts = counted(found)
    table = Table(
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
    return Found(tables=[table], notes=notes, counts={short(label, 60): count for label, count in counts})


CHECK = Check(name="label_balance", says="How often each label is the answer.", action="keep", find=find)
