"""`tunegate data`: make, check, clean and split training rows."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.errors import EXIT_GATE_FAILED, UserError
from harness.files import file_link, write_atomic
from harness.formatting import count
from tunegate.cli.layout import TRAIN, App
from tunegate.cli.next_step import next_step
from tunegate.cli.options import InputFiles, Inputs, Sheet

if TYPE_CHECKING:
    from training.curation.check import CheckSettings
    from training.curation.review import Review

app = App(TRAIN, name="data", help="Make, check, clean and split training rows.", no_args_is_help=True)

Files = Annotated[list[str], typer.Argument(metavar="FILE", help="Training rows: JSONL, JSON, CSV, Parquet, folders.")]
Out = Annotated[Path, typer.Option(help="Folder to write to.")]
Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="Suite to keep out (repeatable; default: evalsuites)."),
]
Style = Annotated[str, typer.Option(metavar="FILE", help="Style guide (TOML) to check answers against.")]
Base = Annotated[str, typer.Option(metavar="MODEL", help="Base model whose tokenizer counts tokens.")]
MaxLength = Annotated[int, typer.Option(min=16, help="Most tokens per row, as data.max_length in training.")]
Near = Annotated[float, typer.Option(min=0.3, max=1.0, help="Jaccard similarity of near duplicates.")]
Language = Annotated[str, typer.Option(metavar="CODE", help="Language of the rows, ISO 639-1.")]
Actions = Annotated[
    list[str] | None,
    typer.Option("--action", metavar="CHECK=ACTION", help="drop, mask, flag or skip for a check (repeatable)."),
]


def _review(files: list[str], options: dict[str, Any], actions: list[str] | None) -> Review:
    """Run the checks and print their findings."""
    from training.curation import render
    from training.curation.check import CheckSettings
    from training.curation.review import review
    from training.data.rows import unread_columns

    parted = [action.partition("=")[::2] for action in actions or []]
    if any(not name or not action for name, action in parted):
        raise UserError("--action expects CHECK=ACTION, such as --action near_duplicates=flag")
    settings = CheckSettings(**options, actions=dict(parted))
    say = (lambda text: typer.echo(f"checking {text}", err=True)) if sys.stderr.isatty() else (lambda text: None)
    result = review(files, settings, say)
    for text in unread_columns(files):
        typer.echo(text)
    render.show(result)
    return result


def _words(settings: CheckSettings, actions: list[str]) -> list[str]:
    """Return the options that give these settings, without those that have their default."""
    words = [word for suite in settings.suites for word in ("--suite", suite)]
    for name in ("style", "base", "max_length", "near", "language"):
        if (value := getattr(settings, name)) != getattr(type(settings)(), name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words + [word for action in actions for word in ("--action", action)]


@app.command()
def rows(
    file: Annotated[str, typer.Argument(metavar="FILE", help="XLSX, CSV, JSON(L) or Parquet, or hf:owner/name.")],
    suite: Annotated[Path, typer.Option(metavar="FOLDER", help="Suite whose prompt the rows use.")],
    answer: Annotated[str, typer.Option(metavar="COLUMN", help="Column with the expected answer.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSONL file to write.")],
    inputs: Inputs = None,
    input_files: InputFiles = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the source; `split` keeps it together.")
    ] = None,
    sheet: Sheet = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of a Hub dataset.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a Hub dataset.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="HASH", help="Revision of a Hub dataset.")] = None,
) -> None:
    """Make training rows from a table, with the suite's prompt.

    A bad row stops it before anything is written.
    """
    from harness.suites.tables import Hub
    from harness.tabular.import_cases import prompt_columns
    from harness.tabular.training_rows import RowColumns, write_rows

    columns = RowColumns(**prompt_columns(file, inputs, input_files), answer=answer, cluster=cluster)
    hub = Hub(split=split, config=config, revision=revision, sheet=sheet)
    written = write_rows(file, suite, columns, hub, out)
    typer.echo(f"written: {out}: {count(written, 'row')}")
    next_step(shlex.join(["tunegate", "data", "check", str(out)]))


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
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if rows would be dropped or masked.")] = False,
) -> None:
    """Report duplicates, contamination, personal data and more.

    Changes no rows.
    """
    from training.curation.render import render_html

    options = {"suites": suite or [], "style": style, "base": base, "max_length": max_length}
    result = _review(files, {**options, "near": near, "language": language}, action)
    write_atomic(html, render_html(result), "Name another file with --html")
    command = ["tunegate", "data", "clean", *files, *_words(result.settings, action or []), "--out", "clean"]
    next_step(shlex.join(command), "write the rows without these problems")
    typer.echo(f"report: {html}\n{file_link(html)}")
    if strict and (result.drops or result.masked):
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
    """Write rows without those that `check` would drop.

    Masks personal data, and writes a data card and a manifest.
    """
    from training.curation.clean import clean as write_clean

    options = {"suites": suite or [], "style": style, "base": base, "max_length": max_length}
    result = _review(files, {**options, "near": near, "language": language}, action)
    paths = write_clean(result, out)
    for path in paths:
        typer.echo(f"written: {path}")
    rows_left = [str(path) for path in paths[: len(files)] if path.stat().st_size]
    next_step(shlex.join(["tunegate", "data", "split", *rows_left, "--out", "FOLDER"]), "set rows aside for validation")


@app.command()
def split(
    files: Files,
    out: Out,
    validation: Annotated[float, typer.Option(help="Share of rows for validation.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of rows for the test split.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    by: Annotated[Literal["auto", "document", "input"], typer.Option(help="How rows are grouped.")] = "auto",
    near: Near = 0.8,
) -> None:
    """Split rows by document into train, validation and test.

    Near duplicates stay together.
    """
    from training.curation import split as parts

    settings = parts.SplitSettings(validation=validation, test=test, seed=seed, by=by, near=near)
    result, paths = parts.split(files, out, settings)
    for part in dict.fromkeys(result.parts):
        typer.echo(f"{part}: {count(result.parts.count(part), 'row')}")
    typer.echo(f"groups that stay together: {result.groups:,}; the largest has {count(result.largest, 'row')}")
    for path in paths:
        typer.echo(f"written: {path}")
    next_step("tunegate train CONFIG.toml")
