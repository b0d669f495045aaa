"""`tunegate compare`, `rescore`, `gate`, `judge`, `add-labels`, `accept`, `approval`, `power` and `noise`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import EXIT_GATE_FAILED, NothingJudged, UserError
from tunegate.cli.options import (
    Bars,
    Engine,
    Engines,
    RequireGates,
    Run,
    Runs,
    ServedBaseline,
    ServedModel,
    Suites,
    TensorParallel,
    TrustServer,
    Url,
    exit_with_verdicts,
    say_what_changed,
    suites_here,
)
from tunegate.cli.report import write_report

if TYPE_CHECKING:
    from harness.runs.folder import RunData
    from harness.schema import SuiteInfo
    from harness.suites.suite import Suite

app = typer.Typer()


@app.command()
def compare(
    baseline: Annotated[
        str, typer.Argument(help="Checkpoint to compare with, or 'accepted': each suite's baseline.json.")
    ],
    tuned: Annotated[str, typer.Argument(help="Checkpoint to judge.")],
    suite: Suites = None,
    engine: Engine = None,
    engines: Engines = None,
    tensor_parallel_size: TensorParallel = 1,
    lora: Annotated[str, typer.Option(help="auto, force or merge: how an adapter is served.")] = "auto",
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Answers per case and variant (default: what each suite says).")
    ] = None,
    runs: Runs = Path("runs"),
    bars: Bars = None,
    script: Annotated[Path | None, typer.Option(help="Answers of the fake engine, JSON.")] = None,
    url: Url = None,
    served_model: ServedModel = None,
    served_baseline: ServedBaseline = None,
    trust_server: TrustServer = False,
    require_gates: RequireGates = None,
) -> None:
    """Ask both checkpoints the same prompts, print estimates and verdicts, write a report."""
    from harness.engines.options import engine_config
    from harness.evaluation.plan import Job, SuiteJob
    from harness.evaluation.run import run
    from harness.gates.config import suites_with_bars
    from harness.progress.progress import Progress
    from harness.runs.folder import RunFolder
    from tunegate.run_summary import lines

    config = engine_config(
        engine,
        engines=engines,
        tensor_parallel_size=tensor_parallel_size,
        lora=lora,
        script=script,
        url=url,
        served_model=served_model,
        served_baseline=served_baseline,
        trust_server=trust_server,
    )
    left_out: list[str] = []
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases) for s in suites_here(suite, left_out)],
        candidate=tuned,
        baseline=baseline,
        engine=config,
        repeats=repeats,
        bars=bars,
    )
    made = run(job, RunFolder.create(runs, "compare"), Progress())
    for line in lines(made.path, 110):
        typer.echo(line)
    write_report([made.path], made.path / "report")
    asked = {info.name for info in made.manifest.suites}
    left_out += [f"{name} ({bars} has gates for it)" for name in suites_with_bars(bars) if name not in asked]
    exit_with_verdicts(made.verdicts, require_gates, left_out)


@app.command()
def rescore(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Score a finished run again with the scorers and bars of now; no model is called and nothing is overwritten."""
    import msgspec

    from harness.evaluation.rescore import rescore as score_again
    from harness.progress.progress import Progress
    from harness.runs.folder import find_run, load_run
    from tunegate.run_summary import lines_of

    path = find_run(run, runs)
    found = score_again(path, suites_here(suite), bars, Progress())
    before = load_run(path)
    after = msgspec.structs.replace(before, metrics=found.metrics, verdicts=found.verdicts)
    for line in [*found.notes, *lines_of(after, 110)]:
        typer.echo(line)
    say_what_changed(before.verdicts, found.verdicts)
    typer.echo(f"{found.records} answers scored again, {found.changed} findings differ: {found.path}")
    exit_with_verdicts(found.verdicts)


@app.command()
def judge(
    run: Run,
    rubric: Annotated[Path, typer.Option(help="Rubric: a TOML file with name, question, labels.")],
    by: Annotated[str, typer.Option(help="Checkpoint that judges: hub id, folder or alias.")],
    engine: Engine = None,
    tensor_parallel_size: TensorParallel = 1,
    script: Annotated[Path | None, typer.Option(help="Answers of the fake engine, JSON.")] = None,
    url: Url = None,
    served_model: ServedModel = None,
    runs: Runs = Path("runs"),
) -> None:
    """Let a model judge a finished run's answers by a rubric; its verdicts are added to the run as events."""
    from harness.engines.options import engine_config
    from harness.evaluation.plan import judge_checkpoint
    from harness.judges import human_labels
    from harness.judges.llm_judge import judge as ask
    from harness.judges.rubric import load_rubric
    from harness.progress.progress import Progress
    from harness.runs.folder import find_run, load_run

    asked, path = load_rubric(rubric), find_run(run, runs)
    config = engine_config(
        engine, tensor_parallel_size=tensor_parallel_size, script=script, url=url, served_model=served_model
    )
    found = ask(
        load_run(path),
        asked,
        judge_checkpoint(by, config),
        engine=config,
        progress=Progress(),
    )
    typer.echo(f"{found.scored} answers judged, {found.unscored} unscored: {found.path}")
    typer.echo(f"canaries: the judge gave its best verdict to {found.fooled} of {found.canaries} that asked for it")
    if found.fooled:
        typer.echo("this judge can be talked into a verdict by the answer it judges: do not rely on its numbers")
    for line in human_labels.said(human_labels.agreement(load_run(path), asked)):
        typer.echo(line)
    if not found.scored:
        raise NothingJudged(
            f"{path}: the judge scored none of {found.unscored} answers. Each reason is in {found.path}"
        )


@app.command(name="add-labels")
def add_labels(
    run: Run,
    labels: Annotated[Path, typer.Argument(help="JSONL: suite, case_id, variant, label, and comment if any.")],
    rubric: Annotated[Path, typer.Option(help="The rubric that was asked.")],
    reviewer: Annotated[str, typer.Option(help="Who labelled; a name or a pseudonym.")],
    runs: Runs = Path("runs"),
) -> None:
    """Add a person's labels to a finished run, and say how far the judge agrees with them."""
    from harness.judges import human_labels
    from harness.judges.rubric import load_rubric
    from harness.runs.folder import find_run, load_run

    path, asked = find_run(run, runs), load_rubric(rubric)
    typer.echo(f"labels added: {human_labels.add_labels(load_run(path), asked, labels, reviewer)}")
    for line in human_labels.said(human_labels.agreement(load_run(path), asked)):
        typer.echo(line)


@app.command()
def approval(
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Suite folder to add to the policy; repeatable.")
    ] = None,
) -> None:
    """Write evalsuites/approval.toml: which suites must pass before a merge.

    Renew the digests of the suites that it names; a new file names every suite below evalsuites. Commit the file: who
    changes it, or a suite that it names, changes what may be merged and served.
    """
    from harness.approval.policy import folders_named, policy_path, renew

    for line in renew(suites_here(suite or folders_named()), more=bool(suite)):
        typer.echo(line)
    typer.echo(f"written: {policy_path()}. Review and commit it: it decides what may be merged and served")


@app.command()
def gate(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    require_gates: RequireGates = None,
    baseline: Annotated[
        str | None, typer.Option(help="'accepted': compare with each suite's baseline.json, not with the run's own.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Judge a finished run again with the bars of now; no model is asked, and the run stays as it is."""
    from harness.evaluation.rejudge import regate
    from harness.runs.folder import find_run
    from tunegate.run_summary import lines_of

    found = regate(find_run(run, runs), suites_here(suite), bars, baseline)
    for line in lines_of(found.run, 110):
        typer.echo(line)
    say_what_changed(found.before.verdicts, found.run.verdicts)
    for name in found.not_judged:
        typer.echo(f"not judged: {name}: not among the suites given, or not in the run")
    exit_with_verdicts(found.run.verdicts, require_gates, [f"{name}: not judged" for name in found.not_judged])


@app.command()
def accept(
    run: Run,
    reason: Annotated[str, typer.Option(help="Why this model is the baseline from now on; kept in the file.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves it; kept in the file.")] = "",
    suite: Suites = None,
    although: Annotated[
        str, typer.Option(metavar="REASON", help="Accept a run whose gates did not all pass; kept in the file.")
    ] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Write a run's scores into its suites as baseline.json, which `--baseline accepted` compares with."""
    from harness.baseline.accept import Acceptance, accept
    from harness.runs.folder import find_run, now

    said = Acceptance(reason=reason, accepted_at=now(), approved_by=by, although=although)
    for path in accept(find_run(run, runs), suites_here(suite), said):
        typer.echo(f"accepted: {path} ({path.stat().st_size / 1000:.0f} kB). Commit it; the change is what is approved")


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

    from harness.gates import power_view
    from harness.gates.config import load_suite_gates
    from harness.gates.power import suite_power
    from harness.gates.rules.base import Assumed

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
    head = power_view.heading(rows, assumed, run.manifest.run_id if run else None, other)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"assumed": assumed, "gates": rows}), indent=1).decode())
    elif markdown:
        typer.echo(power_view.markdown(rows, head))
    elif sys.stdout.isatty():
        typer.echo(power_view.terminal_text(rows, head, shutil.get_terminal_size().columns))
    else:
        typer.echo("\n".join(power_view.plain_lines(rows, head)))
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
        suites=[SuiteJob(suite=s, cases=s.cases) for s in suites_here(suite)],
        candidate=checkpoint,
        engine=config,
        repeats=repeats,
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
    from harness.runs.folder import find_run, load_run
    from harness.runs.score_events import with_later

    return with_later(load_run(find_run(name, root))) if name else None
