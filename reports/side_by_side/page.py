"""Render several runs as one HTML file that loads nothing: paired differences, and every case by a script.

The data is JSON that is no mark-up, and the script writes it as text only; the content policy allows one style sheet
and one script by their hashes. Without the script the page shows the differences and says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.files import write_atomic
from harness.runs import redaction
from harness.schema import CANDIDATE
from reports import number_format, wording
from reports.history.page import run_row
from reports.model import Cell
from reports.render import html
from reports.run_data import overall
from reports.sections import verdict
from reports.side_by_side import differences
from reports.side_by_side.columns import Column, metrics_of, suite_names
from reports.side_by_side.data import PageData
from reports.side_by_side.rows import Reader, SuiteRows

HERE = Path(__file__).parent
NAME = "side-by-side.html"
NOTES_SIZE = 500
"""Bytes that are enough for the sentences on what the page has no room for."""


def write(columns: Sequence[Column], first: Column, out: Path) -> Path:
    """Write the page of these columns; `first` is its baseline until a reader chooses another.

    Raises UserError where no case is in two of the runs, or the file cannot be written.
    """
    write_atomic(out, render(columns, first, out.parent), "Choose another folder with --out", parents=True)
    return redaction.redact_files([out])[0]


def render(columns: Sequence[Column], first: Column, page_folder: Path) -> str:
    """Render the page; its links lead from the folder `page_folder` to the reports of the runs."""
    baseline = list(columns).index(first)
    suites = {
        name: SuiteRows(name=name, metrics=metrics_of(columns, name), rows={}, scores=[])
        for name in suite_names(columns)
    }
    reader = Reader(columns)
    reader.read(suites)
    differences.refuse_unrelated(columns, list(suites.values()))
    shown = [suite for suite in suites.values() if suite.rows and suite.metrics]
    style = "".join((folder / "style.css").read_text("utf-8") for folder in (html.HERE, HERE))
    scripts = (html.HERE / "place.js", HERE / "changes.js", HERE / "page.js")
    script = "".join(file.read_text("utf-8") for file in scripts)
    fill = partial(
        html.environment_of(HERE).get_template("page.html.jinja").render,
        is_page=True,
        style=Markup(style),
        script=Markup(script),
        csp=html.policy(style, script),
        warnings=_warnings(columns),
        baseline=baseline,
        columns=_numbered(f"{column.letter}: {column.model}" for column in columns),
        suite_choices=_numbered(suite.name for suite in shown),
        runs=[_run(column, page_folder) for column in columns],
        suites=[_part(columns, suite, place, baseline) for place, suite in enumerate(shown)],
    )
    data = PageData(reader, shown, baseline, NOTES_SIZE + len(fill(data="", notes=[]).encode()))
    return fill(data=Markup(data.as_json()), notes=_notes(data)) + "\n"


def _warnings(columns: Sequence[Column]) -> list[str]:
    """Return the warnings of every run, each behind the letters of its columns."""
    letters: dict[str, list[str]] = {}
    for column in columns:
        for text in verdict.warnings(column.view, not column.run.is_large):
            letters.setdefault(text, []).append(column.letter)
    return [f"{wording.listing(of)}: {text}" for text, of in letters.items()]


def _numbered(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the options of a list: the number of each name, and the name."""
    return [(str(number), name) for number, name in enumerate(names)]


def _part(columns: Sequence[Column], suite: SuiteRows, place: int, baseline: int) -> dict[str, Any]:
    """Return a suite with its tables of differences for each column as the baseline."""
    return {
        "id": f"suite-{place}",
        "name": suite.name,
        "lead": f"{wording.count(len(suite.rows), 'case')}, {len(columns)} runs.",
        "misfits": list(differences.misfits(columns, suite, baseline)),
        "by_baseline": [differences.tables(columns, suite, at) for at in range(len(columns))],
    }


def _notes(data: PageData) -> list[str]:
    """Say what the page has no room for."""
    notes = []
    if data.rows_left_out:
        left, verb = wording.count(data.rows_left_out, "case"), "is" if data.rows_left_out == 1 else "are"
        notes.append(f"{left} with the smallest changes {verb} not on this page.")
    if data.texts.left_out:
        left, verb = wording.count(data.texts.left_out, "text"), "is" if data.texts.left_out == 1 else "are"
        notes.append(f"{left} of the cases with the smallest changes {verb} not on this page.")
    return notes


def _run(column: Column, page_folder: Path) -> dict[str, Any]:
    outcome, is_judged = overall(column.run.verdicts), column.variant == CANDIDATE
    standing = "" if column.run.standing.is_claim else column.run.standing.reason
    cells = [
        Cell(text=column.letter),
        Cell(text=column.model, note=wording.variant(column.variant)),
        Cell(text=number_format.moment(column.run.manifest.started)),
        Cell(text=wording.outcome(outcome), badge=outcome, note=standing)
        if is_judged
        else number_format.missing(standing or "gates judge the tuned model"),
    ]
    return run_row(f"run-{column.letter}", column.run.path, page_folder, cells)
