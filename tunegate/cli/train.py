"""`tunegate train`, `diagnose`, `plan`, `models` and `sweep`."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from harness.files import shown_path
from harness.runs.project import find_run
from tunegate.cli.layout import TRAIN, App
from tunegate.cli.next_step import next_step
from tunegate.cli.options import Engine, Notify, Runs, Track, WithoutSuites, complete_run
from tunegate.delivery import deliver_sweep, delivery

app = App(TRAIN)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, TOML.")],
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of resuming.")] = False,
    no_contamination_check: WithoutSuites = False,
) -> None:
    """Train a LoRA adapter, or resume an interrupted run."""
    from training.run import train as run_training

    folder = run_training(config, fresh=fresh, without_suites=no_contamination_check)
    typer.echo(f"adapter: {folder / 'adapter'}")
    next_step(f"tunegate compare BASELINE {quote(shown_path(folder))}", "judge it against the model in use")


@app.command()
def diagnose(
    run: Annotated[str, typer.Argument(help="Training run: folder, name or latest.", autocompletion=complete_run)],
    runs: Runs = Path("runs"),
) -> None:
    """Diagnose a training run's curves and suggest one change."""
    from harness.runs.folder import load_run
    from training import diagnosis

    for line in diagnosis.of_run(load_run(find_run(run, runs, "train"))).lines:
        typer.echo(line)


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="Training configuration, TOML.")],
    measure: Annotated[int, typer.Option(min=0, help="Train this many steps to measure the speed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Estimate memory, time and suitable GPUs of a training run.

    Loads no weights, unless --measure is given.
    """
    from training.estimate import report

    planned = report.plan(config, runs, measure)
    typer.echo(report.as_json(planned).decode() if as_json else report.show(planned, _columns()))


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER_OR_NAME", help="Base models (default: all known ones).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and sources as JSON.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Compare base models: size, licence, memory, own scores."""
    from training.estimate import compare_models

    comparison = compare_models.compare(names or [], runs)
    typer.echo(compare_models.as_json(comparison).decode() if as_json else compare_models.show(comparison, _columns()))


def _columns() -> int:
    """Return the width of the terminal; 110 without one."""
    return shutil.get_terminal_size((110, 40)).columns


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="Sweep, TOML: a training configuration and its grid.")],
    engine: Engine = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the points and their steps; do not train.")] = False,
    no_contamination_check: WithoutSuites = False,
    track: Track = None,
    notify: Notify = None,
) -> None:
    """Train several configurations and compare them.

    Trains a grid or random points and runs the test cases once on the winner. The same command resumes an interrupted
    sweep. --engine is for the test cases.
    """
    from training.sweep import run

    if dry_run:
        typer.echo(run.planned(config, _columns()))
    else:
        to = delivery(track, notify)
        swept = run.sweep(config, engine, no_contamination_check)
        typer.echo(run.shown(swept, _columns()))
        deliver_sweep(swept, to, partial(typer.echo, err=True))
