"""`tunegate train`, `sweep`, `plan`, `models`, `diagnose`, `merge`, `card` and `demo`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from tunegate.cli.options import Approves, Engine, More, Runs, WithoutSuites

app = typer.Typer()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, TOML.")],
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew even where a run can be resumed.")] = False,
    no_contamination_check: WithoutSuites = False,
) -> None:
    """Train a LoRA adapter. An interrupted run goes on where it stopped."""
    from training.run import train as run_training

    folder = run_training(config, fresh=fresh, without_suites=no_contamination_check)
    typer.echo(f"adapter: {folder / 'adapter'}")


@app.command()
def diagnose(
    run: Annotated[str, typer.Argument(help="Training run: folder or name.")],
    runs: Runs = Path("runs"),
) -> None:
    """Say what a training's curves show - overfit, underfit, unstable ... - and one change to try next."""
    from harness.runs.folder import find_run, load_run
    from training import diagnosis

    for line in diagnosis.of_run(load_run(find_run(run, runs))).says:
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
    from training.estimate import report

    found = report.plan(config, runs, measure)
    typer.echo(report.as_json(found).decode() if as_json else report.show(found, _columns()))


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER_OR_NAME]...", help="Bases; default: all that are known.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and sources as JSON.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Compare bases that might be tuned: size, context, licence, memory to tune and serve, own scores."""
    from training.estimate import compare_models

    found = compare_models.compare(names or [], runs)
    typer.echo(compare_models.as_json(found).decode() if as_json else compare_models.show(found, _columns()))


def _columns() -> int:
    """Width of the terminal; 110 where there is none."""
    return shutil.get_terminal_size((110, 40)).columns


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
    from training.sweep import run

    if dry_run:
        typer.echo(run.planned(config, _columns()))
    else:
        typer.echo(run.shown(run.sweep(config, engine, no_contamination_check), _columns()))


@app.command()
def merge(
    adapter: Annotated[str, typer.Argument(help="PEFT adapter folder, or the training run that made it.")],
    out: Annotated[Path, typer.Argument(help="Folder for the merged model; must not exist.")],
    ungated: Annotated[
        str | None, typer.Option(metavar="REASON", help="Merge without a passing verdict; written into the model card.")
    ] = None,
    suite: More = None,
    bars: Approves = None,
    runs: Runs = Path("runs"),
) -> None:
    """Merge an adapter into its base in fp32 and measure how far the two differ.

    Every suite that evalsuites/approval.toml names must have passed on exactly this adapter; `tunegate approval` writes
    that file.
    """
    from harness.approval.approve import Where, may_merge
    from training.merge import merge as merge_adapter

    found = may_merge(adapter, Where(runs=runs, bars=bars, suites=tuple(suite or ())), ungated)
    shown = [one.says for one in found.passed]
    result = merge_adapter(adapter, out, approval=found.says, shown_by=shown)
    typer.echo(f"merged: {out}\n{result.says}\n{found.says}")
    typer.echo(f"judge the merged weights: pytest evalsuites --checkpoint {out}")


@app.command()
def card(
    checkpoint: Annotated[str, typer.Argument(help="Adapter, training run or merged model with a model card.")],
    runs: Runs = Path("runs"),
) -> None:
    """Write the newest verdict on an adapter or a merged model into the README.md beside it."""
    from harness.approval.approve import Where, verdict_on
    from harness.checkpoints.resolve import resolve
    from training import model_card

    found = resolve(checkpoint)
    said = verdict_on(found, Where(runs=runs))
    file = model_card.update(found, said)
    typer.echo(f"{file}: {said or f'no evaluation of it in {runs.resolve()}'}")


@app.command()
def demo(
    runs: Runs = Path("runs"),
    rows: Annotated[int | None, typer.Option(min=1, help="Training rows; fewer is faster and worse.")] = None,
    engine: Engine = None,
) -> None:
    """Run the pipeline on the embedded model: baseline, LoRA training, tuned model, gates, report."""
    from tunegate.demo import run_demo

    typer.echo(run_demo(runs, rows, engine))
