"""`tunegate ci`: what a CI job prints, writes and posts of a run. Reads options only; the views are the reports' own.

Reports are imported late, by name, so that the core never depends on them.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.commands import Runs
from harness.errors import EXIT_NOTHING_JUDGED, UserError

app = typer.Typer(
    name="ci", help="Show a run to a CI service: annotations, summary, comment, metrics.", no_args_is_help=True
)

Run = Annotated[str, typer.Argument(help="Run folder, a folder that holds one run, or a run's name.")]
Bars = Annotated[Path | None, typer.Option(help="The copy of evalsuites that the run took its bars from.")]
Changed = Annotated[
    Path | None, typer.Option(help="File with the names of what guards the gate and the change edits, one a line.")
]
Out = Annotated[Path, typer.Option(help="File to write.")]


def _ci(module: str) -> Any:
    return importlib.import_module(f"reports.ci.{module}")


def _evidence(run: str, runs: Path) -> Any:
    """The run's evidence, or None where the folder holds no run."""
    path = _ci("collect").locate(run, runs)
    return None if path is None else _ci("collect").evidence(path)


def _collected(run: str, runs: Path, bars: Path | None = None, changed: Path | None = None) -> Any:
    return _ci("collect").export(_evidence(run, runs), bars, changed)


def _write(out: Path, raw: bytes) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(raw)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Name another file with --out") from None
    typer.echo(f"written: {out}")


@app.command()
def annotate(run: Run, runs: Runs = Path("runs"), bars: Bars = None, changed: Changed = None) -> None:
    """Print GitHub annotations: what moved, and the gates that did not pass."""
    for line in _ci("annotations").lines(_collected(run, runs, bars, changed)):
        typer.echo(line)


@app.command()
def summary(run: Run, runs: Runs = Path("runs"), bars: Bars = None, changed: Changed = None) -> None:
    """Print the step summary, Markdown: append it to "$GITHUB_STEP_SUMMARY"."""
    found = _evidence(run, runs)
    typer.echo(
        _ci("pages").summary(_ci("collect").export(found, bars, changed), _ci("collect").sections(found)), nl=False
    )


@app.command()
def export(run: Run, out: Out, runs: Runs = Path("runs"), bars: Bars = None, changed: Changed = None) -> None:
    """Write what a comment needs as one file that holds no model text, for a job that may post."""
    _write(out, _ci("export").encode(_collected(run, runs, bars, changed)))


@app.command()
def metrics(run: Run, out: Out, runs: Runs = Path("runs")) -> None:
    """Write the metrics as OpenMetrics text, for GitLab's metrics report."""
    found = _evidence(run, runs)
    _write(out, _ci("openmetrics").render(found.run.metrics.metrics if found else []).encode())


@app.command()
def comment(
    source: Annotated[str | None, typer.Argument(metavar="FILE_OR_RUN", help="An export, or a run.")] = None,
    post: Annotated[
        bool, typer.Option("--post", help="Put it on the pull request; the token is GITHUB_TOKEN.")
    ] = False,
    repo: Annotated[str | None, typer.Option(envvar="GITHUB_REPOSITORY", help="OWNER/NAME.")] = None,
    pr: Annotated[
        int | None, typer.Option(min=1, help="Pull request; default: the one that GITHUB_EVENT_PATH is about.")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Account that posts; default: github-actions[bot].")] = None,
    says: Annotated[str | None, typer.Option(metavar="TEXT", help="In place of a verdict, such as: running.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Print the comment of each suite, or post them: one a suite, made once and then updated.

    Printing the comment of a run that may claim no verdict ends with exit code 6.
    """
    if (source is None) == (says is None):
        raise UserError("give either FILE_OR_RUN or --says TEXT, to know what to comment")
    found = None if source is None else _export(source, runs)
    if not post:
        pages = _ci("pages")
        bodies = pages.comments(found).values() if found else [pages.standing_in(says)]
        typer.echo("\n".join(bodies), nl=False)
        if found is not None and found.status != "finished":
            raise typer.Exit(EXIT_NOTHING_JUDGED)
        return
    typer.echo(_ci("posting").post(found, says or "not judged on this commit", repo or "", pr, author, os.environ))


def _export(source: str, runs: Path) -> Any:
    path = Path(source)
    if path.is_file() or path.suffix == ".json":
        return _ci("export").load(path)
    return _collected(source, runs)
