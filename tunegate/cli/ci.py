"""`tunegate ci`: what a CI job prints, writes and posts about a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import EXIT_GATE_FAILED, EXIT_NOTHING_JUDGED, UserError
from harness.files import write_atomic
from tunegate.cli.layout import RESULTS, App
from tunegate.cli.options import Runs, complete_run

if TYPE_CHECKING:
    from reports.ci.export import Export
    from reports.run_data import RunView

app = App(RESULTS, name="ci", help="CI output of a run: annotations, summary, comments.", no_args_is_help=True)

Run = Annotated[
    str, typer.Argument(help="Run folder, folder with one run, name or latest.", autocompletion=complete_run)
]
Bars = Annotated[Path | None, typer.Option(help="The evalsuites that the run took its gates from.")]
Changed = Annotated[Path | None, typer.Option(help="List of edited files that guard the gate, one per line.")]
Out = Annotated[Path, typer.Option(help="File to write.")]


def _evidence(run: str, runs: Path) -> RunView | None:
    """Load the run, or return None where the folder has no run."""
    from reports.ci import collect

    path = collect.locate(run, runs)
    return None if path is None else collect.evidence(path)


def _collected(run: str, runs: Path, bars: Path | None = None, changed: Path | None = None) -> Export:
    from reports.ci import collect

    return collect.export(_evidence(run, runs), bars, changed)


def _write(out: Path, raw: bytes) -> None:
    write_atomic(out, raw, "Name another file with --out", parents=True)
    typer.echo(f"written: {out}")


@app.command()
def annotate(run: Run, runs: Runs = Path("runs"), bars: Bars = None, changed: Changed = None) -> None:
    """Print GitHub annotations on gates.

    Changes of the gates, and gates that did not pass.
    """
    from reports.ci import annotations

    for line in annotations.lines(_collected(run, runs, bars, changed)):
        typer.echo(line)


@app.command()
def summary(run: Run, runs: Runs = Path("runs"), bars: Bars = None, changed: Changed = None) -> None:
    """Print the step summary as Markdown.

    Append it to "$GITHUB_STEP_SUMMARY".
    """
    from reports.ci import collect, markdown

    view = _evidence(run, runs)
    typer.echo(markdown.summary(collect.export(view, bars, changed), collect.sections(view)), nl=False)


@app.command()
def export(run: Run, out: Out, runs: Runs = Path("runs"), bars: Bars = None, changed: Changed = None) -> None:
    """Write one file with all that a comment needs.

    It has no model text, and is for the job that posts.
    """
    from reports.ci.export import encode

    _write(out, encode(_collected(run, runs, bars, changed)))


@app.command()
def metrics(run: Run, out: Out, runs: Runs = Path("runs")) -> None:
    """Write metrics as OpenMetrics text for GitLab."""
    from reports.ci.openmetrics import render

    view = _evidence(run, runs)
    _write(out, render(view.run.metrics.metrics if view else []).encode())


@app.command()
def comment(
    source: Annotated[str | None, typer.Argument(metavar="FILE_OR_RUN", help="An export, or a run.")] = None,
    post: Annotated[bool, typer.Option("--post", help="Post it on the pull request; needs GITHUB_TOKEN.")] = False,
    repo: Annotated[str | None, typer.Option(envvar="GITHUB_REPOSITORY", help="OWNER/NAME.")] = None,
    pr: Annotated[int | None, typer.Option(min=1, help="Pull request (default: that of GITHUB_EVENT_PATH).")] = None,
    author: Annotated[str | None, typer.Option(help="Account that posts (default: github-actions[bot]).")] = None,
    says: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Text instead of a verdict, such as: running.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Print the comments on a pull request, or post them.

    There is one per suite, created once and then updated. Printing ends with the exit code of the verdict: 1 where a
    gate did not pass, 6 without a valid verdict.
    """
    from reports.ci import github, markdown

    if (source is None) == (says is None):
        raise UserError("expected either FILE_OR_RUN or --says TEXT, and not both")
    exported = None if source is None else _export(source, runs)
    if not post:
        bodies = markdown.comments(exported).values() if exported else [markdown.standing_in(says or "")]
        typer.echo("\n".join(bodies), nl=False)
        if exported is not None and exported.outcome != "pass":
            has_verdict = exported.status == "finished" and exported.outcome != "skipped"
            raise typer.Exit(EXIT_GATE_FAILED if has_verdict else EXIT_NOTHING_JUDGED)
        return
    has_report = source is not None and _has_report(Path(source))
    typer.echo(
        github.post(exported, says or "not judged on this commit", repo or "", pr, author, os.environ, has_report)
    )


def _has_report(exported: Path) -> bool:
    """Whether the artifact of an export contains the report too."""
    from reports.cases.pages import REPORT

    return exported.is_file() and (exported.parent / "report" / REPORT).is_file()


def _export(source: str, runs: Path) -> Export:
    from reports.ci.export import load

    path = Path(source)
    if path.is_file() or path.suffix == ".json":
        return load(path)
    return _collected(source, runs)
