"""A run as the report's own views: the whole report as JSON, and its numbers as Markdown without any model text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def as_json(run: Path, dataset: str = "") -> Iterator[str]:
    """report.json: every number with its interval, n and method."""
    from reports.assemble import build
    from reports.files import to_json

    yield to_json(build([run]))


def as_markdown(run: Path, dataset: str = "") -> Iterator[str]:
    """The summary that a pull request is shown."""
    from reports.ci import collect, pages

    found = collect.evidence(run)
    yield pages.summary(collect.export(found), collect.sections(found))
