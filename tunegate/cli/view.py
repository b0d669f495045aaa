"""`tunegate view`: open a report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import UserError
from harness.files import file_link
from tunegate.cli.layout import RESULTS, App
from tunegate.cli.options import Runs, complete_run

app = App(RESULTS)
REPORTS = ("report.html", "side-by-side.html")


@app.command()
def view(
    run: Annotated[
        str,
        typer.Argument(help="Run folder, name or latest (default: the newest report).", autocompletion=complete_run),
    ] = "",
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the link.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Open the newest report, or that of a run, in the browser.

    Prints its link; without a display, only that.
    """
    report = _report_of(run, runs) if run else _newest(runs)
    if not no_open:
        open_in_browser(report)
    typer.echo(file_link(report))


def _report_of(run: str, runs: Path) -> Path:
    from harness.runs.project import find_run

    path = find_run(run, runs)
    found = [file for file in (path / "report" / name for name in REPORTS) if file.is_file()]
    if not found:
        raise UserError(f"{path}: no report yet. To write it: tunegate report {path.name}")
    return found[0]


def _newest(runs: Path) -> Path:
    """Return the report that was written last. Raises UserError where there is none."""
    found = [file for folder in ("*/report", "*") for name in REPORTS for file in runs.glob(f"{folder}/{name}")]
    if not found:
        raise UserError(f"no report in {runs.resolve()}. To write one: tunegate report latest")
    return max(found, key=lambda file: file.stat().st_mtime)


def open_in_browser(file: Path) -> None:
    """Open a file in the browser; do nothing without a display."""
    if sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        import webbrowser

        webbrowser.open(file_link(file))
