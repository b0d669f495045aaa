"""`tunegate runs`: the runs so far, as a table, JSON or a page. Reads options only; the views are the reports' own.

Reports are imported late, by name, so that the core never depends on them.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import Runs
from harness.errors import UserError

app = typer.Typer()

ON_A_SCREEN = 50
"""Runs that a terminal is shown unasked."""


@app.command(name="runs")
def list_runs(
    out: Annotated[Path | None, typer.Argument(help="File of --html (default: index.html in the runs folder).")] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Runs of this suite, such as legal/clauses or legal/*; again.")
    ] = None,
    kind: Annotated[str, typer.Option(help="What was done: eval, train, merge or serve.")] = "",
    checkpoint: Annotated[str, typer.Option(help="Part of a checkpoint's name, or the start of its digest.")] = "",
    since: Annotated[str, typer.Option(metavar="WHEN", help="Not before: a day or time in UTC, or 12h, 7d, 4w.")] = "",
    outcome: Annotated[str, typer.Option(help="All gates together: pass, fail, inconclusive or skipped.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=0, help="The newest so many; 0 for all (default: all, 50 on a terminal).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write a page of trends, with links to reports.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the index anew from the run folders.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """List the runs, newest last: kind, status, gates, checkpoints, suites.

    A folder that cannot be read is listed with the reason.
    """
    import msgspec

    from harness.history.index import past_runs
    from harness.history.wanted import wanted

    asked = wanted(suite or (), kind, checkpoint, since, outcome)
    if out and not html:
        raise UserError(f"{out}: a file is written with --html only. Say `tunegate runs --html {out}`")
    every = past_runs(runs, rebuild=rebuild)
    met = [run for run in every if asked.is_met(run)]
    is_screen = sys.stdout.isatty() and not (as_json or html)
    most = limit if limit is not None else ON_A_SCREEN if is_screen else 0
    shown = met[-most:] if most else met
    if html:
        page = importlib.import_module("reports.history.page")
        typer.echo(f"written: {page.write(runs, shown, out or runs / 'index.html')}")
    elif as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=1).decode())
    elif not every:
        typer.echo(f"no runs in {runs.resolve()}. Make one with: pytest evalsuites")
    elif not met:
        typer.echo(f"no run in {runs.resolve()} matches ({len(every)} checked)")
    else:
        view = importlib.import_module("reports.history.terminal")
        typer.echo("\n".join(view.lines(shown))) if not is_screen else view.show(shown)
    if len(shown) < len(met):
        typer.echo(f"{len(shown)} of {len(met)} runs; --limit 0 for all", err=True)
