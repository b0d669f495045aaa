"""`tunegate sweep`: one training with several settings, compared. Reads options only.

Training is imported late, by name, so that the core never depends on it.
"""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import Engine, WithoutSuites

app = typer.Typer()


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="Sweep, TOML: a training configuration and what to vary in it.")],
    engine: Engine = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the points and their steps; train nothing.")
    ] = False,
    no_contamination_check: WithoutSuites = False,
) -> None:
    """Train a grid or random points, show them in one table, and ask the winner the test cases once.

    The same command goes on where it was interrupted. --engine is for the test cases.
    """
    run = importlib.import_module("training.sweep.run")
    width = shutil.get_terminal_size((110, 40)).columns
    if dry_run:
        typer.echo(run.planned(config, width))
    else:
        typer.echo(run.shown(run.sweep(config, engine, no_contamination_check), width))
