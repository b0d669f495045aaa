"""`tunegate train`, `sweep`, `plan`, `models`, `diagnose`, `merge`, `card` and `demo`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from tunegate.cli.options import ApprovalBars, Engine, MoreSuites, Runs, WithoutSuites

app = typer.Typer()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, TOML.")],
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of resuming.")] = False,
    no_contamination_check: WithoutSuites = False,
) -> None:
    """Train a LoRA adapter; an interrupted run resumes where it stopped."""
    from training.run import train as run_training

    folder = run_training(config, fresh=fresh, without_suites=no_contamination_check)
    typer.echo(f"adapter: {folder / 'adapter'}")


@app.command()
def diagnose(
    run: Annotated[str, typer.Argument(help="Training run: folder, name or latest.")],
    runs: Runs = Path("runs"),
) -> None:
    """Diagnose a training run's curves (overfit, underfit, unstable, ...) and suggest one change."""
    from harness.runs.folder import find_run, load_run
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
    """Estimate memory, time and suitable GPUs of a training run before anything is loaded."""
    from training.estimate import report

    planned = report.plan(config, runs, measure)
    typer.echo(report.as_json(planned).decode() if as_json else report.show(planned, _columns()))


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER_OR_NAME]...", help="Base models (default: all known ones).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and sources as JSON.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Compare base models: size, context, licence, memory to tune and serve, own scores."""
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
) -> None:
    """Train a grid or random points, compare them in one table, and run the test cases once on the winner.

    The same command resumes an interrupted sweep. --engine is for the test cases.
    """
    from training.sweep import run

    if dry_run:
        typer.echo(run.planned(config, _columns()))
    else:
        typer.echo(run.shown(run.sweep(config, engine, no_contamination_check), _columns()))


@app.command()
def merge(
    adapter: Annotated[str, typer.Argument(help="PEFT adapter folder or training run.")],
    out: Annotated[Path, typer.Argument(help="New folder for the merged model.")],
    ungated: Annotated[
        str | None, typer.Option(metavar="REASON", help="Merge without a passing verdict; recorded.")
    ] = None,
    suite: MoreSuites = None,
    bars: ApprovalBars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Merge an adapter into its base in fp32 and measure the difference.

    Every suite in evalsuites/approval.toml must have passed on exactly this adapter; `tunegate approval` writes that
    file.
    """
    from harness.approval.approve import Where, may_merge
    from training.merge import merge as merge_adapter

    permission = may_merge(adapter, Where(runs=runs, bars=bars, suites=tuple(suite or ())), ungated)
    shown = [one.says for one in permission.passed]
    result = merge_adapter(adapter, out, approval=permission.says, shown_by=shown)
    typer.echo(f"merged: {out}\n{result.summary}\n{permission.says}")
    typer.echo(f"judge the merged weights: pytest evalsuites --checkpoint {out}")


@app.command()
def card(
    checkpoint: Annotated[str, typer.Argument(help="Adapter, training run or merged model.")],
    runs: Runs = Path("runs"),
) -> None:
    """Write the newest verdict on an adapter or merged model into its README.md."""
    from harness.approval.approve import Where, verdict_on
    from harness.checkpoints.resolve import resolve
    from training import model_card

    resolved = resolve(checkpoint)
    verdict = verdict_on(resolved, Where(runs=runs))
    file = model_card.update(resolved, verdict)
    typer.echo(f"{file}: {verdict or f'no evaluation in {runs.resolve()}'}")


@app.command()
def demo(
    runs: Runs = Path("runs"),
    rows: Annotated[int | None, typer.Option(min=1, help="Training rows; fewer are faster but worse.")] = None,
    engine: Engine = None,
) -> None:
    """Run the full pipeline on the bundled model: baseline, LoRA training, tuned model, gates, report."""
    from tunegate.demo import run_demo

    typer.echo(run_demo(runs, rows, engine))
