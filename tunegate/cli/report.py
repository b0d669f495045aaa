"""`tunegate report`, `view`, `export`, `track` and `runs`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from harness.errors import EXIT_INTERNAL, UserError
from harness.files import file_link, replacing
from harness.progress import tracing
from harness.runs import redaction
from harness.runs.project import LATEST, find_run
from tunegate.cli.layout import RESULTS, App
from tunegate.cli.options import Run, Runs, claims_code, complete_run, exit_with
from tunegate.delivery import deliver, delivery, report_link

app = App(RESULTS)


Open = Annotated[bool, typer.Option("--open", help="Open the report in a browser.")]


def write_report(parts: list[Path], out: Path, with_pdf: bool = False, business: Path | None = None) -> list[Path]:
    """Write the report of runs to `out` and return its files."""
    import reports
    from reports import assumptions as reports_assumptions

    assumptions = reports_assumptions.load(business) if business else None
    with tracing.span("report"):
        return reports.publish(parts, out, with_pdf, assumptions)


def print_report(files: list[Path], opens: bool) -> None:
    """Print the path of each file of a report, and last the link to open it; nothing is printed after it."""
    import reports

    typer.echo("\n".join(f"report: {line}" for line in reports.named(files)))
    if opens:
        open_in_browser(files[0])
    typer.echo(file_link(files[0]))


def open_in_browser(file: Path) -> None:
    """Open a file in the browser; do nothing without a display."""
    if sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        import webbrowser

        webbrowser.open(file_link(file))


@app.command()
def report(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Evaluation run, optionally its training run; or several runs.",
            autocompletion=complete_run,
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder (default: report/ in the first run).")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also write report.pdf; needs the extra 'pdf'.")] = False,
    business: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Assumptions of the business estimate, TOML.")
    ] = None,
    side_by_side: Annotated[bool, typer.Option("--side-by-side", help="Compare the cases of several runs.")] = False,
    open_report: Open = False,
    runs: Runs = Path("runs"),
) -> None:
    """Write the report of a finished run.

    Files: report.html, summary.html, report.md, report.json, cases.csv and pages of cases. Prints the outcome of the
    run's gates, then the files.

    With --side-by-side write side-by-side.html, or the file that --out names (.html): a row per case, a column per
    run, and the paired differences from the first run. RUN:baseline stands for the answers of a run's baseline.

    `latest` is the newest evaluation, and after an evaluation the newest training run.

    A run that is unfinished or was changed after sealing is reported without a verdict, with exit code 6.
    """
    from harness.runs.folder import load_manifest, load_results
    from reports.render import terminal

    if side_by_side:
        if pdf or business:
            raise UserError("--side-by-side writes one HTML page. Leave out --pdf and --business")
        _write_side_by_side(run, out, runs, open_report)
        return
    if out and out.suffix.lower() in (".html", ".pdf") and not out.is_dir():
        raise UserError(f"--out {out}: expected a folder, since a report has several files. Name it without a suffix")
    paths = list[Path]()
    for text in run:
        has_evaluation = any(load_manifest(path).kind == "eval" for path in paths)
        paths.append(find_run(text, runs, "train" if text == LATEST and has_evaluation else "eval"))
    files = write_report(paths, out or paths[0] / "report", pdf, business)
    code = claims_code(paths)
    for path in paths:
        if load_manifest(path).kind == "eval":
            typer.echo(terminal.outcome_line(load_results(path)))
    print_report(files, open_report)
    exit_with(code)


def _write_side_by_side(named: list[str], out: Path | None, runs: Path, opens: bool) -> None:
    from reports import side_by_side

    columns, first = side_by_side.open_columns(named, runs)
    folder = out or first.run.path / "report"
    is_page = folder.suffix.lower() == ".html" and not folder.is_dir()
    page = side_by_side.write(columns, first, folder if is_page else folder / side_by_side.NAME)
    code = claims_code(dict.fromkeys(column.run.path for column in columns))
    print_report([page], opens)
    exit_with(code)


@app.command()
def export(
    run: Run,
    form: Annotated[str, typer.Option("--format", help="One of the formats below.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: print).")] = None,
    dataset: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Hub dataset that contains the cases.")] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Export a finished run for other programs.

    csv: one row per answer, safe in spreadsheets; json: the whole report; markdown: numbers without model text;
    model-card and eval-results: metrics in the formats of the Hugging Face Hub; lm-eval: results of
    lm-evaluation-harness; inspect: a log of Inspect with every answer of the judged model, for a file named .json.
    """
    from reports import exports

    path = find_run(run, runs)
    pieces = exports.export(path, form, dataset)
    if out is None:
        for piece in pieces:
            typer.echo(piece.encode(), nl=False)  # Data is UTF-8 whatever the encoding of the terminal.
    else:
        write(out, pieces)
        typer.echo(f"written: {out}")
    exit_with(claims_code([path]))


@app.command()
def track(
    run: Run,
    to: Annotated[
        str | None, typer.Option(metavar="NAMES", help="mlflow, wandb, tensorboard (default: the project's).")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Send a finished run to MLflow, W&B or TensorBoard.

    Sends metrics with intervals, verdicts, report and table of cases. A repetition continues the same run there.
    """

    asked, path = delivery(to, None, "--to"), find_run(run, runs)
    if not asked.track:
        raise UserError("no tracker is named. Use --to mlflow,wandb,tensorboard or the key track of [tool.tunegate]")
    failed = deliver(path, replace(asked, notify=""), typer.echo)
    code = EXIT_INTERNAL if failed else claims_code([path])
    if link := report_link(path):
        typer.echo(link)
    exit_with(code)


def write(out: Path, pieces: Iterator[str]) -> None:
    """Write a file piece by piece and replace an existing one only when it is complete.

    Raises UserError where it cannot be written.
    """
    with replacing(out, "Name another file with --out", parents=True) as file:
        file.writelines(piece.encode() for piece in pieces)
    redaction.redact_files([out])


ON_A_SCREEN = 50
"""Runs that a terminal shows by default."""


@app.command(name="runs")
def list_runs(
    out: Annotated[Path | None, typer.Argument(help="File for --html (default: index.html in --runs).")] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Suite such as legal/clauses or legal/* (repeatable).")
    ] = None,
    kind: Annotated[str, typer.Option(help="eval, train or serve.")] = "",
    checkpoint: Annotated[str, typer.Option(help="Part of a checkpoint's name, or start of its digest.")] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="A day or time in UTC, or an age such as 12h, 7d, 4w.")
    ] = "",
    outcome: Annotated[str, typer.Option(help="pass, fail, inconclusive or skipped.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=0, help="Newest runs only; 0 for all (default on terminals: 50).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write a page of trends with links to reports.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """List runs, newest last.

    Shows kind, status, gates, checkpoints and suites. An unreadable folder is listed with the reason.
    """
    import msgspec

    from harness.runs.history import past_runs, wanted

    is_wanted = wanted(suite or (), kind, checkpoint, since, outcome)
    if out and not html:
        raise UserError(f"{out}: only --html writes a file. Use `tunegate runs --html {out}`")
    every = past_runs(runs)
    met = [run for run in every if is_wanted(run)]
    is_screen = sys.stdout.isatty() and not (as_json or html)
    most = limit if limit is not None else ON_A_SCREEN if is_screen else 0
    shown = met[-most:] if most else met
    if html:
        from reports.history import page

        written = page.write(runs, shown, out or runs / "index.html")
        typer.echo(f"written: {written}\n{file_link(written)}")
    elif as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=1).decode())
    elif not every:
        typer.echo(f"no runs in {runs.resolve()}. Create one with: pytest evalsuites")
    elif not met:
        typer.echo(f"no run in {runs.resolve()} matches ({len(every)} checked)")
    else:
        from reports.history import terminal

        typer.echo("\n".join(terminal.lines(shown))) if not is_screen else terminal.show(shown)
    if len(shown) < len(met):
        typer.echo(f"{len(shown)} of {len(met)} runs; --limit 0 for all", err=True)


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
