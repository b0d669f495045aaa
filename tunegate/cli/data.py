"""`tunegate data`: makes, checks, cleans and splits training rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.errors import EXIT_GATE_FAILED, UserError
from harness.files import write_atomic

if TYPE_CHECKING:
    from training.curation.review import Review

app = typer.Typer(name="data", help="Make, check, clean and split training rows.", no_args_is_help=True)

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Training rows: JSONL, CSV, Parquet, folders.")]
Out = Annotated[Path, typer.Option(help="Folder to write to.")]
Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="Suite folder that no row may come from; may be given again. Default: evalsuites."),
]
Style = Annotated[str, typer.Option(metavar="FILE", help="Style guide (TOML) that the answers are held to.")]
Base = Annotated[str, typer.Option(metavar="MODEL", help="Base model whose tokens are counted; no weight is loaded.")]
MaxLength = Annotated[int, typer.Option(min=16, help="Most tokens of a row, as data.max_length of the training.")]
Near = Annotated[float, typer.Option(min=0.3, max=1.0, help="Jaccard similarity of near copies.")]
Language = Annotated[str, typer.Option(metavar="CODE", help="Language of the rows, ISO 639-1.")]
Actions = Annotated[
    list[str] | None,
    typer.Option("--action", metavar="CHECK=ACTION", help="drop, mask, flag or skip, for one check."),
]


def _review(files: list[str], options: dict[str, Any], actions: list[str] | None) -> Review:
    """Run the checks and show what they found."""
    from training.curation import render
    from training.curation.check import CheckSettings
    from training.curation.review import review

    parted = [action.partition("=")[::2] for action in actions or []]
    if any(not name or not action for name, action in parted):
        raise UserError("--action expects CHECK=ACTION, such as --action near_duplicates=flag")
    settings = CheckSettings(**options, actions=dict(parted))
    say = (lambda text: typer.echo(f"checking {text}", err=True)) if sys.stderr.isatty() else (lambda text: None)
    found = review(files, settings, say)
    render.show(found)
    return found


@app.command()
def rows(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSONL or Parquet, or hf:owner/name.")],
    suite: Annotated[Path, typer.Option(metavar="FOLDER", help="Suite in whose words the rows ask.")],
    inputs: Annotated[
        list[str], typer.Option("--input", metavar="NAME=COLUMN", help="A variable of the prompt; again for more.")
    ],
    answer: Annotated[str, typer.Option(metavar="COLUMN", help="What the model is to answer, word for word.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSONL file to write.")],
    cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What a row comes from; `split` keeps it together.")
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of a hub data set.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a hub data set.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="HASH", help="Revision of a hub data set.")] = None,
) -> None:
    """Make training rows of a table, each asked as the suite asks. Nothing is written where a row is bad."""
    from harness.scaffold.paths import named_columns
    from harness.suites.tables import Hub
    from harness.tabular.training_rows import RowColumns, write_rows

    columns = RowColumns(input=named_columns(inputs, "--input"), answer=answer, cluster=cluster)
    written = write_rows(file, suite, columns, Hub(split=split, config=config, revision=revision), out)
    typer.echo(f"written: {out}: {written:,} rows")


@app.command()
def check(
    files: Files,
    suite: Suites = None,
    style: Style = "",
    base: Base = "",
    max_length: MaxLength = 2048,
    near: Near = 0.8,
    language: Language = "en",
    action: Actions = None,
    html: Annotated[Path, typer.Option(help="Report to write.")] = Path("data_report.html"),
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 where rows would be dropped or masked.")
    ] = False,
) -> None:
    """Show duplicates, contamination by suites, personal data, typos and more; changes no row."""
    from training.curation.render import render_html

    options = {"suites": suite or [], "style": style, "base": base, "max_length": max_length}
    found = _review(files, {**options, "near": near, "language": language}, action)
    write_atomic(html, render_html(found), "Name another file with --html")
    typer.echo(f"report: {html}")
    if strict and (found.drops or found.masked):
        raise typer.Exit(EXIT_GATE_FAILED)


@app.command()
def clean(
    files: Files,
    out: Out,
    suite: Suites = None,
    style: Style = "",
    base: Base = "",
    max_length: MaxLength = 2048,
    near: Near = 0.8,
    language: Language = "en",
    action: Actions = None,
) -> None:
    """Write the rows without what `check` would drop, personal data masked, with a data card and a manifest."""
    from training.curation.clean import clean as write_clean

    options = {"suites": suite or [], "style": style, "base": base, "max_length": max_length}
    found = _review(files, {**options, "near": near, "language": language}, action)
    for path in write_clean(found, out):
        typer.echo(f"written: {path}")


@app.command()
def split(
    files: Files,
    out: Out,
    validation: Annotated[float, typer.Option(help="Share of the rows for validation.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the rows for the test.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed draws other documents.")] = 0,
    by: Annotated[Literal["auto", "document", "input"], typer.Option(help="What rows are kept together by.")] = "auto",
    near: Near = 0.8,
) -> None:
    """Split rows by document, near copies kept together, into train, validation and, where asked for, test."""
    from training.curation import split as parts

    settings = parts.SplitSettings(validation=validation, test=test, seed=seed, by=by, near=near)
    found, paths = parts.split(files, out, settings)
    for part in dict.fromkeys(found.parts):
        typer.echo(f"{part}: {found.parts.count(part):,} rows")
    typer.echo(f"{found.groups:,} groups stay whole; the largest has {found.largest:,} rows")
    for path in paths:
        typer.echo(f"written: {path}")
