"""A run for other programs: one file a format and one line in FORMATS. Computes no estimate, formats no number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import UserError
from reports.exports import hub, records_csv, views

Format = Callable[[Path, str], Iterator[str]]
"""Pieces of text from a run folder and the hub dataset of its cases, empty where none was named."""

FORMATS: dict[str, Format] = {
    "csv": records_csv.write,
    "json": views.as_json,
    "markdown": views.as_markdown,
    "model-card": hub.model_card,
    "eval-results": hub.eval_results,
}


def export(run: Path, form: str, dataset: str = "") -> Iterator[str]:
    """A run in one of FORMATS, piece by piece. An unknown format is a UserError."""
    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    return FORMATS[form](run, dataset)
