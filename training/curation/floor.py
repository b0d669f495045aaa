"""Warns of few rows. Finds no row and blocks nothing."""

from __future__ import annotations

from training.curation.findings import Check, Found
from training.curation.sample import Sample
from training.curation.settings import Settings
from training.rows import FLOOR_ROWS


def warning(rows: int) -> str:
    """Why so few rows are a risk, or the empty string where they are enough."""
    if rows >= FLOOR_ROWS:
        return ""
    return (
        f"{rows:,} rows; at least {FLOOR_ROWS:,} are recommended. With fewer, what is learnt hangs on single rows, and "
        f"a tenth kept for validation is {rows // 10:,} rows, too few to tell one checkpoint from another"
    )


def find(sample: Sample, settings: Settings) -> Found:
    """A warning where the rows are fewer than recommended."""
    said = warning(len(sample.rows))
    return Found(notes=[f"{said}."] if said else [])


CHECK = Check(name="row_floor", says=f"Whether there are {FLOOR_ROWS:,} rows.", action="keep", find=find)
