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
    load_available_suites,
    print_changed_outcomes,
)
from tunegate.cli.report import write_report

if TYPE_CHECKING:
    from harness.runs.folder import RunData
    from harness.schema import SuiteInfo
    from harness.suites.suite import Suite

app = typer.Typer()


@app.command()
def compare(
    baseline: Annotated[str, typer.Argument(help="Checkpoint, or 'accepted' for each baseline.json.")],
    tuned: Annotated[str, typer.Argument(help="Checkpoint to judge.")],
    suite: Suites = None,
    engine: Engine = None,
    engines: Engines = None,
    tensor_parallel_size: TensorParallel = 1,
    lora: Annotated[str, typer.Option(help="How to serve an adapter: auto, force or merge.")] = "auto",
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Answers per case and variant (default: the suite's).")
    ] = None,
    runs: Runs = Path("runs"),
    bars: Bars = None,
    script: Annotated[Path | None, typer.Option(help="JSON with the answers of the fake engine.")] = None,
    url: Url = None,
    served_model: ServedModel = None,
    served_baseline: ServedBaseline = None,
    trust_server: TrustServer = False,
    require_gates: RequireGates = None,
) -> None:
    """Run both checkpoints on the same prompts, print estimates and verdicts, and write a report."""
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
        suites=[SuiteJob(suite=s, cases=s.cases) for s in load_available_suites(suite, left_out)],
        candidate=tuned,
        baseline=baseline,
        engine=config,
        repeats=repeats,
        bars=bars,
    )
    results = run(job, RunFolder.create(runs, "compare"), Progress())
    for line in lines(results.path, 110):
        typer.echo(line)
    write_report([results.path], results.path / "report")
    names = {info.name for info in results.manifest.suites}
    left_out += [f"{name} ({bars} has gates for it)" for name in suites_with_bars(bars) if name not in names]
    exit_with_verdicts(results.verdicts, require_gates, left_out)


@app.command()
def rescore(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Score a finished run again with the current scorers and gates, without a model; overwrites nothing."""
    import msgspec

    from harness.evaluation.rescore import rescore as score_again
    from harness.progress.progress import Progress
    from harness.runs.folder import find_run, load_run
    from tunegate.run_summary import lines_of

    path = find_run(run, runs)
    rescored = score_again(path, load_available_suites(suite), bars, Progress())
    before = load_run(path)
    after = msgspec.structs.replace(before, metrics=rescored.metrics, verdicts=rescored.verdicts)
    for line in [*rescored.notes, *lines_of(after, 110)]:
        typer.echo(line)
    print_changed_outcomes(before.verdicts, rescored.verdicts)
    typer.echo(f"{rescored.records} answers scored again, {rescored.changed} findings differ: {rescored.path}")
    exit_with_verdicts(rescored.verdicts)


@app.command()
def judge(
    run: Run,
    rubric: Annotated[Path, typer.Option(help="Rubric: TOML with name, question and labels.")],
    by: Annotated[str, typer.Option(help="Judge: Hub ID, folder or alias.")],
    engine: Engine = None,
    tensor_parallel_size: TensorParallel = 1,
    script: Annotated[Path | None, typer.Option(help="JSON with the answers of the fake engine.")] = None,
    url: Url = None,
    served_model: ServedModel = None,
    runs: Runs = Path("runs"),
) -> None:
    """Let a model judge a finished run's answers by a rubric, and add its verdicts to the run as events."""
    from harness.engines.options import engine_config
    from harness.evaluation.plan import judge_checkpoint
    from harness.judges import human_labels
    from harness.judges.llm_judge import judge as ask
    from harness.judges.rubric import load_rubric
    from harness.progress.progress import Progress
    from harness.runs.folder import find_run, load_run

    loaded_rubric, path = load_rubric(rubric), find_run(run, runs)
    config = engine_config(
        engine, tensor_parallel_size=tensor_parallel_size, script=script, url=url, served_model=served_model
    )
    judged = ask(
        load_run(path),
        loaded_rubric,
        judge_checkpoint(by, config),
        engine=config,
        progress=Progress(),
    )
    typer.echo(f"{judged.scored} answers judged, {judged.unscored} unscored: {judged.path}")
    typer.echo(f"canaries: {judged.fooled} of {judged.canaries} answers that demand the best verdict got it")
    if judged.fooled:
        typer.echo("the answers can manipulate this judge: do not rely on its numbers")
    for line in human_labels.describe(human_labels.agreement(load_run(path), loaded_rubric)):
        typer.echo(line)
    if not judged.scored:
        raise NothingJudged(
            f"{path}: the judge scored none of {judged.unscored} answers. Each reason is in {judged.path}"
        )


@app.command(name="add-labels")
def add_labels(
    run: Run,
    labels: Annotated[Path, typer.Argument(help="JSONL: suite, case_id, variant, label, comment.")],
    rubric: Annotated[Path, typer.Option(help="The rubric of the labels.")],
    reviewer: Annotated[str, typer.Option(help="Name or pseudonym of the person.")],
    runs: Runs = Path("runs"),
) -> None:
    """Add a person's labels to a finished run, and print how far the judge agrees with them."""
    from harness.judges import human_labels
    from harness.judges.rubric import load_rubric
    from harness.runs.folder import find_run, load_run

    path, loaded_rubric = find_run(run, runs), load_rubric(rubric)
    typer.echo(f"labels added: {human_labels.add_labels(load_run(path), loaded_rubric, labels, reviewer)}")
    for line in human_labels.describe(human_labels.agreement(load_run(path), loaded_rubric)):
        typer.echo(line)


@app.command()
def approval(
    suite: Annotated[list[str] | None, typer.Option("--suite", help="Suite folder to add (repeatable).")] = None,
) -> None:
    """Write evalsuites/approval.toml: which suites must pass before a merge.

    Updates the digests of the suites in it; a new file names every suite below evalsuites. Commit the file: a change
    to it, or to one of its suites, changes what may be merged and served.
    """
    from harness.approval.policy import policy_path, renew, required_folders

    for line in renew(load_available_suites(suite or required_folders()), add_new=bool(suite)):
        typer.echo(line)
    typer.echo(f"written: {policy_path()}. Review and commit it: it decides what may be merged and served")


@app.command()
def gate(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    require_gates: RequireGates = None,
    baseline: Annotated[str | None, typer.Option(help="'accepted': compare with each suite's baseline.json.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Judge a finished run again with the current gates, without a model; the run stays unchanged."""
    from harness.evaluation.rejudge import regate
    from harness.runs.folder import find_run
    from tunegate.run_summary import lines_of

    regated = regate(find_run(run, runs), load_available_suites(suite), bars, baseline)
    for line in lines_of(regated.run, 110):
        typer.echo(line)
    print_changed_outcomes(regated.before.verdicts, regated.run.verdicts)
    for name in regated.not_judged:
        typer.echo(f"not judged: {name}: not among the given suites, or not in the run")
    exit_with_verdicts(regated.run.verdicts, require_gates, [f"{name}: not judged" for name in regated.not_judged])


@app.command()
def accept(
    run: Run,
    reason: Annotated[str, typer.Option(help="Why this model becomes the baseline; stored.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves it; stored.")] = "",
    suite: Suites = None,
    although: Annotated[str, typer.Option(metavar="REASON", help="Accept although not all gates passed; stored.")] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Write a run's scores into its suites as baseline.json, for `--baseline accepted`."""
    from harness.baseline.accept import Acceptance, accept
    from harness.runs.folder import find_run, now

    acceptance = Acceptance(reason=reason, accepted_at=now(), approved_by=by, although=although)
    for path in accept(find_run(run, runs), load_available_suites(suite), acceptance):
        typer.echo(
            f"accepted: {path} ({path.stat().st_size / 1000:.0f} kB). Commit the file: its diff is what gets approved"
        )


@app.command()
def power(
    suite: Annotated[list[str] | None, typer.Argument(help="Suite folders (default: evalsuites).")] = None,
    from_run: Annotated[
        str | None, typer.Option("--from", metavar="RUN", help="Use this run's measurements instead of assumptions.")
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
    """Show what each gate can and cannot detect with its cases, before anything runs."""
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
    elif sys.stdout.isatty():
        typer.echo(power_view.terminal_text(rows, head, shutil.get_terminal_size().columns))
    else:
        typer.echo("\n".join(power_view.plain_lines(rows, head)))
    if strict and not all(row.can_pass for row in rows):
        raise typer.Exit(EXIT_GATE_FAILED)


@app.command()
def noise(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint: Hub ID, folder or alias.")],
    suite: Suites = None,
    engine: Engine = None,
    engines: Engines = None,
    tensor_parallel_size: TensorParallel = 1,
    lora: Annotated[str, typer.Option(help="How to serve an adapter: auto, force or merge.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Batch size of the second pass; 1 differs most.")] = 1,
    repeats: Annotated[int | None, typer.Option(min=1, help="Answers per case (default: the suite's).")] = None,
    runs: Runs = Path("runs"),
    script: Annotated[Path | None, typer.Option(help="JSON with the answers of the fake engine.")] = None,
    url: Url = None,
    served_model: ServedModel = None,
) -> None:
    """Run one checkpoint twice and write the run-to-run variation of each metric to its suites' noise.json."""
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
        typer.echo(f"noise: {path}. Once it is committed, gates do not judge smaller margins")
    unmeasured = [one.suite.name for one in measured if not one.is_measured]
    if unmeasured:
        raise NothingJudged(
            f"{', '.join(unmeasured)}: no metric could be measured, so no noise.json was written. To see why answers "
            f"failed: tunegate report {folder.path}"
        )
    typer.echo(f"run folder: {folder.path}. To see every case that flipped: tunegate report {folder.path.name}")


def _inside(value: float, option: str, low: float | None = None) -> float:
    """Check that a share is between 0 and 1, exclusive except for `low`. Raises UserError."""
    if not (0 < value < 1 or value == low):
        raise UserError(f"{option} {value:g}: expected a number between 0 and 1, such as 0.2")
    return value


def _differs(info: SuiteInfo, suite: Suite) -> bool:
    """Tell whether the suite's cases have changed since the run."""
    return info.name == suite.name and (info.cases_hash != suite.cases_hash or info.asked != len(suite.cases))


def _run(name: str | None, root: Path) -> RunData | None:
    from harness.runs.folder import find_run, load_run
    from harness.runs.score_events import with_later

    return with_later(load_run(find_run(name, root))) if name else None
