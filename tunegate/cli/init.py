"""`tunegate init`, `cases`, `check` and `demo`: your own suite with its cases, and an example of the whole."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import UserError
from tunegate.cli.layout import SET_UP, App
from tunegate.cli.next_step import next_step
from tunegate.cli.options import Engine, InputFiles, Inputs, Runs, Sheet
from tunegate.cli.report import Open, print_report

app = App(SET_UP)
cases = App(SET_UP, name="cases", help="Import cases into a suite.", no_args_is_help=True)
app.add(cases)


def _option(text: str) -> object:
    return typer.Option(metavar="TEXT", help=text)


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="DOMAIN[/SUITE]", help="Such as contracts or contracts/late_fees.")],
    source_suite: Annotated[
        str | None,
        typer.Option("--from", metavar="SUITE", help="Copy one of tunegate's suites: legal/clauses."),
    ] = None,
    kind: Annotated[str | None, _option("Kind of answer: label, list, number, json, text, grounded.")] = None,
    labels: Annotated[str | None, _option("Labels, or entries of the list, separated by ';'.")] = None,
    fields: Annotated[str | None, _option("JSON fields as 'name: type', separated by ';'.")] = None,
    tolerance: Annotated[str | None, _option("Tolerance of a number: 0, 0.5 or 1%.")] = None,
    instruction: Annotated[str | None, _option("Instruction to the model.")] = None,
    source: Annotated[str | None, _option("Source of a case: contract, customer, ticket.")] = None,
    bar: Annotated[str | None, _option("Required right answers per 100: 90.")] = None,
    compared: Annotated[str | None, _option("Against the current model: better, no_worse or alone.")] = None,
    invents: Annotated[str | None, _option("Allowed fabrications: never or few.")] = None,
    objective: Annotated[str | None, _option("The objective in one sentence.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Use defaults; do not prompt.")] = False,
) -> None:
    """Create a suite of your own that runs immediately.

    Writes a test file, five example cases, a prompt, gates, a README and a training configuration. On a terminal, the
    command prompts for missing options.
    """
    from harness.scaffold.create import copy, create_suite
    from harness.scaffold.paths import suite_name

    domain, suite = suite_name(name)
    given = {
        "kind": kind,
        "labels": labels,
        "fields": fields,
        "tolerance": tolerance,
        "instruction": instruction,
        "source": source,
        "bar": bar,
        "compared": compared,
        "invents": invents,
        "objective": objective,
    }
    if source_suite is not None:
        lines = copy(source_suite, domain, suite, given)
    else:
        ask = _ask if sys.stdin.isatty() and sys.stdout.isatty() else None
        lines = create_suite(domain, suite, given, ask, typer.echo, yes)
    for line in lines:
        typer.echo(line)


def _ask(question: str, default: str) -> str:
    return str(typer.prompt(f"\n{question}\n", default=default, prompt_suffix="> "))


@cases.command(name="import")
def import_cases(
    file: Annotated[str, typer.Argument(metavar="FILE", help="XLSX, CSV, JSON(L) or Parquet, or hf:owner/name.")],
    into: Annotated[str, typer.Option(metavar="SUITE", help="DOMAIN/SUITE below evalsuites.")],
    id_column: Annotated[str, typer.Option("--id", metavar="COLUMN", help="Column with the ID of each case.")],
    expected: Annotated[str, typer.Option(metavar="COLUMN", help="Column with the right answer or answers.")],
    inputs: Inputs = None,
    input_files: InputFiles = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the source, such as the contract.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="NAME=COLUMN", help="Tag column (repeatable).")] = None,
    separator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Separator of several right answers, such as ';'.")
    ] = None,
    none: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Cell text for no right answer; '' for an empty cell.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Keep the existing cases.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the existing cases.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip and count bad rows.")] = False,
    sheet: Sheet = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of a Hub dataset.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a Hub dataset.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="HASH", help="Revision of a Hub dataset.")] = None,
) -> None:
    """Import the rows of a table as cases, by named columns.

    A bad row stops the import before anything is written.
    """
    from harness.scaffold.paths import named_columns
    from harness.suites.tables import Hub
    from harness.tabular.import_cases import ImportColumns, Mode, import_table, prompt_columns

    if append and replace:
        raise UserError("--append keeps the existing cases and --replace drops them: use one of them")
    columns = ImportColumns(
        id=id_column,
        **prompt_columns(file, inputs, input_files),
        expected=expected,
        cluster=cluster,
        tags=named_columns(tag, "--tag"),
        separator=separator,
        none=none,
    )
    mode: Mode | None = "append" if append else "replace" if replace else None
    hub = Hub(split=split, config=config, revision=revision, sheet=sheet)
    for line in import_table(file, into, columns, hub, mode, skip_bad):
        typer.echo(line)
    _renew_approval(into)


def _renew_approval(into: str) -> None:
    """Name the command that renews the approval policy, where it has the suite whose cases changed."""
    from harness.approval.policy import required_folders
    from harness.scaffold.paths import ROOT, suite_name

    with suppress(UserError):  # A policy that cannot be read is reported where it is used.
        if str(ROOT.joinpath(*suite_name(into))) in required_folders():
            next_step("tunegate approval", "approval.toml has the earlier cases, so no model passes until you renew it")


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Suites, their files, or configurations.")],
) -> None:
    """Validate suites and training configurations; run no model.

    Reads gates, cases and prompts, and imports the test files of suites.
    """
    from tunegate.check import check as check_paths

    for line in check_paths(paths):
        typer.echo(line)


@app.command()
def demo(
    runs: Runs = Path("runs"),
    full: Annotated[bool, typer.Option("--full", help="The large suites, and 1,600 rows: over an hour.")] = False,
    engine: Engine = None,
    open_report: Open = False,
) -> None:
    """Run the full pipeline on the bundled model.

    The model as it is, an adapter, its gates, and its merge if it passes: about 20 minutes.
    """
    from tunegate.demo import run_demo

    print_report(run_demo(runs, full, engine), open_report)
