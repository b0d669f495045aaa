"""`tunegate power` and `tunegate noise`: what to know before two models are compared. Reads options only."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import Bars, Engine, Engines, Runs, ServedModel, Suites, TensorParallel, Url, suites_here
from harness.errors import EXIT_GATE_FAILED, NothingJudged, UserError

if TYPE_CHECKING:
    from harness.schema import SuiteInfo
    from harness.store import RunData
    from harness.suite import Suite

app = typer.Typer()


@app.command()
def power(
    suite: Annotated[list[str] | None, typer.Argument(help="Suite folders (default: evalsuites).")] = None,
    from_run: Annotated[
        str | None, typer.Option("--from", metavar="RUN", help="Take what this run measured in place of assumptions.")
    ] = None,
    wanted: Annotated[float, typer.Option("--power", help="Chance of passing to ask for.")] = 0.80,
    discordance: Annotated[float, typer.Option(help="Share of cases that change between two models.")] = 0.10,
    baseline_rate: Annotated[float, typer.Option(help="Baseline's rate of what 'reduces' is to cut.")] = 0.20,
    correlation: Annotated[float, typer.Option(help="Between baseline and tuned scores, for 'reduces'.")] = 0.5,
    icc: Annotated[float, typer.Option(help="Correlation between two cases of one contract.")] = 0.2,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a gate cannot pass.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page of Markdown.")] = False,
    bars: Bars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Say what each gate can and cannot show with its cases, before anything is asked."""
    import msgspec

    from harness.plan import load_suite_gates
    from harness.power import view
    from harness.power.report import suite_power
    from harness.power.rules import Assumed

    assumed = Assumed(
        power=_inside(wanted, "--power"),
        discordance=_inside(discordance, "--discordance"),
        baseline_rate=_inside(baseline_rate, "--baseline-rate"),
        correlation=_inside(correlation, "--correlation", 0.0),
        icc=_inside(icc, "--icc", 0.0),
    )
    run, rows, other = _run(from_run, runs), [], []
    for found in suites_here(suite):
        rows += suite_power(found, load_suite_gates(found, bars), assumed, run.by_variant(found.name) if run else None)
        other += [found.name for info in run.manifest.suites if _differs(info, found)] if run else []
    head = view.heading(rows, assumed, run.manifest.run_id if run else None, other)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"assumed": assumed, "gates": rows}), indent=1).decode())
    elif markdown:
        typer.echo(view.markdown(rows, head))
    elif sys.stdout.isatty():
        typer.echo(view.terminal_text(rows, head, shutil.get_terminal_size().columns))
    else:
        typer.echo("\n".join(view.plain_lines(rows, head)))
    if strict and not all(row.can_pass for row in rows):
        raise typer.Exit(EXIT_GATE_FAILED)


@app.command()
def noise(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint to ask twice: hub id, folder or alias.")],
    suite: Suites = None,
    engine: Engine = None,
    engines: Engines = None,
    tensor_parallel_size: TensorParallel = 1,
    lora: Annotated[str, typer.Option(help="auto, force or merge: how an adapter is served.")] = "auto",
    batch: Annotated[
        int, typer.Option(min=1, help="Most requests the second pass computes together; 1 moves numbers most.")
    ] = 1,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Answers per case (default: what each suite says).")
    ] = None,
    runs: Runs = Path("runs"),
    script: Annotated[Path | None, typer.Option(help="Answers of the fake engine, JSON.")] = None,
    url: Url = None,
    served_model: ServedModel = None,
) -> None:
    """Ask one checkpoint twice and write how far each metric moves by itself into its suites' noise.json."""
    from harness.engines.endpoints import servers_of
    from harness.noise import measure, save
    from harness.plan import Job, SuiteJob
    from harness.progress import Progress
    from harness.store import RunFolder

    servers = servers_of(engine, url, served_model)
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases) for s in suites_here(suite)],
        candidate=checkpoint,
        engine=engine,
        engines=engines,
        tensor_parallel=tensor_parallel_size,
        lora=lora,
        repeats=repeats,
        script=script,
        servers=servers,
    )
    folder = RunFolder.create(runs, "noise")
    found = measure(job, folder, Progress(), batch)
    for one in found:
        typer.echo("\n".join(one.lines))
    for path in save(found):
        typer.echo(f"noise: {path}. Once it is committed, no gate is held to a margin below it")
    unmeasured = [one.suite.name for one in found if not one.is_measured]
    if unmeasured:
        raise NothingJudged(
            f"{', '.join(unmeasured)}: no metric could be measured, so no noise.json was written. Why answers failed: "
            f"tunegate report {folder.path}"
        )
    typer.echo(f"run folder: {folder.path}. Every case that flipped is in: tunegate report {folder.path.name}")


def _inside(value: float, option: str, low: float | None = None) -> float:
    """A share; the ends say nothing, but for a correlation of 0."""
    if not (0 < value < 1 or value == low):
        raise UserError(f"{option} {value:g}: expected a number between 0 and 1, such as 0.2")
    return value


def _differs(info: SuiteInfo, suite: Suite) -> bool:
    """The run asked other cases of this suite than it has now."""
    return info.name == suite.name and (info.cases_hash != suite.cases_hash or info.asked != len(suite.cases))


def _run(name: str | None, root: Path) -> RunData | None:
    from harness.events import with_later
    from harness.store import find_run, load_run

    return with_later(load_run(find_run(name, root))) if name else None
