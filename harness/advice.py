"""`tunegate diagnose`, `plan` and `models`: what training says before and after it. Reads options only.

Training is imported late, by name, so that the core never depends on it.
"""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import Runs

app = typer.Typer()


@app.command()
def diagnose(
    run: Annotated[str, typer.Argument(help="Training run: folder or name.")],
    runs: Runs = Path("runs"),
) -> None:
    """Say what a training's curves show - overfit, underfit, unstable ... - and one change to try next."""
    from harness.store import find_run, load_run

    for line in importlib.import_module("training.diagnosis").of_run(load_run(find_run(run, runs))).says:
        typer.echo(line)


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="Training configuration, TOML.")],
    measure: Annotated[
        int, typer.Option(min=0, help="Train so many steps here first, for the speed; loads the weights.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Say what a training takes in memory and time, and where it fits, before anything is loaded."""
    planning = importlib.import_module("training.planning")
    found = planning.plan(config, runs, measure)
    if as_json:
        typer.echo(planning.as_json(found).decode())
    else:
        typer.echo(importlib.import_module("training.plan_view").show(found, _columns()))


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER_OR_NAME]...", help="Bases; default: all that are known.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and sources as JSON.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Compare bases that might be tuned: size, context, licence, memory to tune and serve, own scores."""
    candidates = importlib.import_module("training.candidates")
    found = candidates.compare(names or [], runs)
    if as_json:
        typer.echo(candidates.as_json(found).decode())
    else:
        typer.echo(importlib.import_module("training.candidates_view").show(found, _columns()))


def _columns() -> int:
    """Width of the terminal; 110 where there is none."""
    return shutil.get_terminal_size((110, 40)).columns
