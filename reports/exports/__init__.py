"""A run for other programs: one file a format and one line in FORMATS. Computes no estimate, formats no number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import UserError
from reports.exports import hub, records_csv


def as_json(run: Path, dataset: str = "") -> Iterator[str]:
    """report.json: every number with its interval, n and method."""
    from reports.assemble import build
    from reports.write import to_json

    yield to_json(build([run]))


def as_markdown(run: Path, dataset: str = "") -> Iterator[str]:
    """The summary that a pull request is shown."""
    from reports.ci import collect, markdown

    found = collect.evidence(run)
    yield markdown.summary(collect.export(found), collect.sections(found))


Format = Callable[[Path, str], Iterator[str]]
"""Pieces of text from a run folder and the hub dataset of its cases, empty where none was named."""

FORMATS: dict[str, Format] = {
    "csv": records_csv.write,
    "json": as_json,
    "markdown": as_markdown,
    "model-card": hub.model_card,
    "eval-results": hub.eval_results,
}


def export(run: Path, form: str, dataset: str = "") -> Iterator[str]:
    """A run in one of FORMATS, piece by piece. An unknown format is a UserError."""
    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    return FORMATS[form](run, dataset)
