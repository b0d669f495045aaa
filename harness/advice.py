"""`tunegate diagnose`, `plan` and `models`: what training says before and after it. Reads options only.

Training is imported late, by name, so that the core never depends on it.
"""

from __future__ import annotations

import importlib
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
