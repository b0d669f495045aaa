"""`tunegate init` and `tunegate cases`: a suite of one's own, and its cases. Reads options only."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harness.errors import UserError

app = typer.Typer()
cases = typer.Typer(name="cases", help="Bring the cases of a suite in.", no_args_is_help=True)
app.add_typer(cases)


def _option(says: str) -> object:
    return typer.Option(metavar="TEXT", help=says)


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="DOMAIN[/SUITE]", help="Such as contracts or contracts/late_fees.")],
    source_suite: Annotated[
        str | None,
        typer.Option("--from", metavar="SUITE", help="Copy a suite of tunegate's own: legal/clauses."),
    ] = None,
    kind: Annotated[str | None, _option("What is wanted: label, list, number, json, text or grounded.")] = None,
    labels: Annotated[str | None, _option("Labels, or names of the list, between ';'.")] = None,
    fields: Annotated[str | None, _option("Fields of the JSON, as 'name: type' between ';'.")] = None,
    tolerance: Annotated[str | None, _option("How far off a number may be: 0, 0.5 or 1%.")] = None,
    instruction: Annotated[str | None, _option("What the model is told to do.")] = None,
    source: Annotated[str | None, _option("What a case comes from: contract, customer, ticket.")] = None,
    bar: Annotated[str | None, _option("In how many of 100 it must be right: 90.")] = None,
    compared: Annotated[str | None, _option("With the model in use: better, no_worse or alone.")] = None,
    invents: Annotated[str | None, _option("How often it may make something up: never or few.")] = None,
    objective: Annotated[str | None, _option("The aim in one sentence.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: defaults for what is not given.")] = False,
) -> None:
    """Write a new suite: test file, five example cases, prompt, gates, README and a training configuration.

    What is not given is asked for on a terminal, in plain words. The suite runs at once on the embedded model.
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
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSONL or Parquet, or hf:owner/name.")],
    into: Annotated[str, typer.Option(metavar="SUITE", help="DOMAIN/SUITE below evalsuites.")],
    id_column: Annotated[str, typer.Option("--id", metavar="COLUMN", help="Names each case.")],
    inputs: Annotated[
        list[str], typer.Option("--input", metavar="NAME=COLUMN", help="A variable of the prompt; again for more.")
    ],
    expected: Annotated[str, typer.Option(metavar="COLUMN", help="The right answer, or a list of them.")],
    cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What a case comes from, such as its contract.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help="A kind to tell cases apart by; again for more.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Between several right answers in one cell, such as ';'.")
    ] = None,
    none: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What a cell says where there is none; '' for an empty cell.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Keep the cases that are there.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Drop the cases that are there.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out, and count them.")] = False,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of a hub data set.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a hub data set.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="HASH", help="Revision of a hub data set.")] = None,
) -> None:
    """Make cases of the rows of a table, by named columns. Nothing is written where a row is bad."""
    from harness.scaffold.paths import named_columns
    from harness.suites.tables import Hub
    from harness.tabular.import_cases import ImportColumns, Mode, import_table

    if append and replace:
        raise UserError("--append keeps the cases that are there and --replace drops them: give one")
    columns = ImportColumns(
        id=id_column,
        input=named_columns(inputs, "--input"),
        expected=expected,
        cluster=cluster,
        tags=named_columns(tag, "--tag"),
        separator=separator,
        none=none,
    )
    mode: Mode | None = "append" if append else "replace" if replace else None
    for line in import_table(file, into, columns, Hub(split=split, config=config, revision=revision), mode, skip_bad):
        typer.echo(line)
