"""`tunegate power` and `tunegate repeatability`: what a suite's gates can detect."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import EXIT_GATE_FAILED, NothingJudged, UserError
from harness.runs.project import find_run
from tunegate.cli.layout import EVALUATE, App
from tunegate.cli.next_step import after_power, next_step
from tunegate.cli.options import (
    Bars,
    Engine,
    Engines,
    Lora,
    Runs,
    Script,
    ServedModel,
    Suites,
    TensorParallel,
    Url,
    checkpoint_of,
    complete_run,
    load_available_suites,
)

if TYPE_CHECKING:
    from harness.runs.folder import RunData
    from harness.schema import SuiteInfo
    from harness.suites.suite import Suite

app = App(EVALUATE)


@app.command()
def power(
    suite: Annotated[list[str] | None, typer.Argument(help="Suite folders (default: evalsuites).")] = None,
    from_run: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Use this run's measurements instead of assumptions.",
            autocompletion=complete_run,
        ),
    ] = None,
    target_power: Annotated[float, typer.Option("--power", help="Target power.")] = 0.80,
    discordance: Annotated[float, typer.Option(help="Assumed share of cases that change.")] = 0.10,
    baseline_rate: Annotated[float, typer.Option(help="Assumed baseline rate for 'reduces' gates.")] = 0.20,
    correlation: Annotated[float, typer.Option(help="Assumed correlation of scores, for 'reduces' gates.")] = 0.5,
    icc: Annotated[float, typer.Option(help="Assumed correlation of two cases of one cluster.")] = 0.2,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a gate cannot pass.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page of Markdown.")] = False,
    bars: Bars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Show how many cases each gate needs, before anything runs."""
    import msgspec

    from harness.gates import power_view
    from harness.gates.config import load_suite_gates
    from harness.gates.power import suite_power
    from harness.gates.rules.base import Assumed

    assumed = Assumed(
        power=_inside(target_power, "--power"),
        discordance=_inside(discordance, "--discordance"),
        baseline_rate=_inside(baseline_rate, "--baseline-rate"),
        correlation=_inside(correlation, "--correlation", 0.0),
        icc=_inside(icc, "--icc", 0.0),
    )
    run, rows, other = _run(from_run, runs), [], []
    for current in load_available_suites(suite):
        rows += suite_power(
            current, load_suite_gates(current, bars), assumed, run.by_variant(current.name) if run else None
        )
        other += [current.name for info in run.manifest.suites if _differs(info, current)] if run else []
    head = power_view.heading(rows, assumed, run.manifest.run_id if run else None, other)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"assumed": assumed, "gates": rows}), indent=1).decode())
    elif markdown:
        typer.echo(power_view.markdown(rows, head))
    else:
        typer.echo("\n".join(power_view.lines(rows, head, shutil.get_terminal_size().columns)))
        after_power(rows, suite or [])
    if strict and not all(row.can_pass for row in rows):
        raise typer.Exit(EXIT_GATE_FAILED)


@app.command()
def repeatability(
    checkpoint: Annotated[
        str, typer.Argument(help="Checkpoint: Hub ID, folder, latest or alias.", callback=checkpoint_of)
    ],
    suite: Suites = None,
    engine: Engine = None,
    engines: Engines = None,
    tensor_parallel_size: TensorParallel = 1,
    lora: Lora = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Batch size of the second pass; 1 differs most.")] = 1,
    repeats: Annotated[int | None, typer.Option(min=1, help="Answers per case (default: the suite's).")] = None,
    runs: Runs = Path("runs"),
    script: Script = None,
    url: Url = None,
    served_model: ServedModel = None,
) -> None:
    """Run one model twice to measure run-to-run variation.

    Writes the variation of each metric to noise.json in its suite.
    """
    from harness.engines.options import engine_config
    from harness.evaluation.noise import measure, save
    from harness.evaluation.plan import Job, SuiteJob
    from harness.progress.progress import Progress
    from harness.runs.folder import RunFolder

    config = engine_config(
        engine,
        engines=engines,
        tensor_parallel_size=tensor_parallel_size,
        lora=lora,
        script=script,
        url=url,
        served_model=served_model,
    )
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases) for s in load_available_suites(suite)],
        candidate=checkpoint,
        engine=config,
        repeats=repeats,
    )
    folder = RunFolder.create(runs, "noise")
    measured = measure(job, folder, Progress(), batch)
    for one in measured:
        typer.echo("\n".join(one.lines))
    for path in save(measured):
        typer.echo(
            f"noise: {path}. Once it is committed, gates do not judge smaller margins, and a policy that names the "
            "suite needs `tunegate approval` again"
        )
    unmeasured = [one.suite.name for one in measured if not one.is_measured]
    if unmeasured:
        raise NothingJudged(
            f"{', '.join(unmeasured)}: no metric could be measured, so no noise.json was written. To see why answers "
            f"failed: tunegate report {folder.path}"
        )
    typer.echo(f"run folder: {folder.path}")
    next_step(f"tunegate report {folder.path.name}", "see every case that flipped")


def _inside(value: float, option: str, low: float | None = None) -> float:
    """Check that a share is between 0 and 1, exclusive except for `low`. Raises UserError."""
    if not (0 < value < 1 or value == low):
        raise UserError(f"{option} {value:g}: expected a number between 0 and 1, such as 0.2")
    return value


def _differs(info: SuiteInfo, suite: Suite) -> bool:
    """Tell whether the suite's cases have changed since the run."""
    return info.name == suite.name and (info.cases_hash != suite.cases_hash or info.asked != len(suite.cases))


def _run(name: str | None, root: Path) -> RunData | None:
    from harness.runs.folder import load_run
    from harness.runs.score_events import with_later

    return with_later(load_run(find_run(name, root))) if name else None
