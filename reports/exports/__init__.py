"""Export a run for other programs: one file per format and one line in FORMATS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import UserError
from reports.exports import hub, inspect_log, lm_eval, records_csv


def as_json(run: Path, dataset: str = "") -> Iterator[str]:
    """Export report.json: every number with its interval, n and method."""
    from reports.assemble import build
    from reports.write import to_json

    yield to_json(build([run]))


def as_markdown(run: Path, dataset: str = "") -> Iterator[str]:
    """Export the step summary of a pull request."""
    from reports.ci import collect, markdown

    view = collect.evidence(run)
    yield markdown.summary(collect.export(view), collect.sections(view))


Format = Callable[[Path, str], Iterator[str]]
"""Yields pieces of text from a run folder and the name of the Hub dataset of its cases, which may be empty."""

FORMATS: dict[str, Format] = {
    "csv": records_csv.write,
    "json": as_json,
    "markdown": as_markdown,
    "model-card": hub.model_card,
    "eval-results": hub.eval_results,
    "lm-eval": lm_eval.write,
    "inspect": inspect_log.write,
}


def export(run: Path, form: str, dataset: str = "") -> Iterator[str]:
    """Export a run in one of FORMATS, piece by piece. Raises UserError for an unknown format."""
    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    return FORMATS[form](run, dataset)
