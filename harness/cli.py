"""The `tunegate` command: reads options and calls the part that does the work. Holds no logic of its own.

Training and reports are imported late, by name, so that the core never depends on them.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import select
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness import (
    advice,
    before,
    beginning,
    cache,
    ci,
    commands,
    data,
    deploying,
    exporting,
    listing,
    reviewing,
    sweeping,
)
from harness.commands import (
    Approves,
    Bars,
    Engine,
    Engines,
    More,
    RequireGates,
    ReuseUnpinned,
    Run,
    Runs,
    ServedBaseline,
    ServedModel,
    Suites,
    TensorParallel,
    TrustServer,
    Url,
)
from harness.defects import told
from harness.endings import interruptible
from harness.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, NothingJudged, UserError

app = typer.Typer(
    name="tunegate",
    help="Evaluate, compare and gate fine-tuned language models; train LoRA adapters for them.\n\n"
    "Suites also run as tests: pytest evalsuites --checkpoint X --baseline Y",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(ci.app)
app.add_typer(commands.app)
app.add_typer(before.app)
app.add_typer(advice.app)
app.add_typer(data.app)
app.add_typer(sweeping.app)
app.add_typer(cache.app)
app.add_typer(deploying.app)
app.add_typer(listing.app)
app.add_typer(exporting.app)
app.add_typer(beginning.app)
app.add_typer(reviewing.app)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, TOML.")],
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew even where a run can be resumed.")] = False,
    no_contamination_check: commands.WithoutSuites = False,
) -> None:
    """Train a LoRA adapter. An interrupted run goes on where it stopped."""
    folder = importlib.import_module("training").train(config, fresh=fresh, without_suites=no_contamination_check)
    typer.echo(f"adapter: {folder / 'adapter'}")


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
    from harness.approval import Where, may_merge

    found = may_merge(adapter, Where(runs=runs, bars=bars, suites=tuple(suite or ())), ungated)
    shown = [one.says for one in found.passed]
    result = importlib.import_module("training.merge").merge(adapter, out, approval=found.says, shown_by=shown)
    typer.echo(f"merged: {out}\n{result.says}\n{found.says}")
    typer.echo(f"judge the merged weights: pytest evalsuites --checkpoint {out}")


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
    reuse_unpinned: ReuseUnpinned = False,
    trust_server: TrustServer = False,
    require_gates: RequireGates = None,
) -> None:
    """Ask both checkpoints the same prompts, print estimates and verdicts, write a report."""
    from harness.engines.endpoints import servers_of
    from harness.gatefile import suites_with_bars
    from harness.plan import Job, SuiteJob
    from harness.progress import Progress
    from harness.runner import run
    from harness.store import RunFolder
    from harness.summary import lines

    servers = servers_of(engine, url, served_model, served_baseline, reuse_unpinned, trust_server)
    left_out: list[str] = []
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases) for s in commands.suites_here(suite, left_out)],
        candidate=tuned,
        baseline=baseline,
        engine=engine,
        engines=engines,
        tensor_parallel=tensor_parallel_size,
        lora=lora,
        repeats=repeats,
        bars=bars,
        script=script,
        servers=servers,
    )
    made = run(job, RunFolder.create(runs, "compare"), Progress())
    for line in lines(made.path, 110):
        typer.echo(line)
    _write_report([made.path], made.path / "report")
    asked = {info.name for info in made.manifest.suites}
    left_out += [f"{name} ({bars} has gates for it)" for name in suites_with_bars(bars) if name not in asked]
    commands.leave(made.verdicts, require_gates, left_out)


@app.command()
def rescore(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Score a finished run again with the scorers and bars of now; no model is called and nothing is overwritten."""
    import msgspec

    from harness.progress import Progress
    from harness.rescore import rescore as score_again
    from harness.store import find_run, load_run
    from harness.summary import lines_of

    path = find_run(run, runs)
    found = score_again(path, commands.suites_here(suite), bars, Progress())
    before = load_run(path)
    after = msgspec.structs.replace(before, metrics=found.metrics, verdicts=found.verdicts)
    for line in [*found.notes, *lines_of(after, 110)]:
        typer.echo(line)
    commands.say_what_changed(before.verdicts, found.verdicts)
    typer.echo(f"{found.records} answers scored again, {found.changed} findings differ: {found.path}")
    commands.leave(found.verdicts)


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
    from harness import people
    from harness.engines.endpoints import servers_of
    from harness.judging import judge as ask
    from harness.plan import judge_checkpoint
    from harness.progress import Progress
    from harness.rubric import load_rubric
    from harness.store import find_run, load_run

    asked, path = load_rubric(rubric), find_run(run, runs)
    servers = servers_of(engine, url, served_model)
    found = ask(
        load_run(path),
        asked,
        judge_checkpoint(by, engine, script, servers),
        engine=engine,
        progress=Progress(),
        script=script,
        servers=servers,
        tensor_parallel=tensor_parallel_size,
    )
    typer.echo(f"{found.scored} answers judged, {found.unscored} unscored: {found.path}")
    typer.echo(f"canaries: the judge gave its best verdict to {found.fooled} of {found.canaries} that asked for it")
    if found.fooled:
        typer.echo("this judge can be talked into a verdict by the answer it judges: do not rely on its numbers")
    for line in people.said(people.agreement(load_run(path), asked)):
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
    from harness import people
    from harness.rubric import load_rubric
    from harness.store import find_run, load_run

    path, asked = find_run(run, runs), load_rubric(rubric)
    typer.echo(f"labels added: {people.add_labels(load_run(path), asked, labels, reviewer)}")
    for line in people.said(people.agreement(load_run(path), asked)):
        typer.echo(line)


def _write_report(parts: list[Path], out: Path, with_pdf: bool = False, business: Path | None = None) -> None:
    reports = importlib.import_module("reports")
    assumptions = importlib.import_module("reports.assumptions").load(business) if business else None
    typer.echo(
        "\n".join(f"report: {said}" for said in reports.named(reports.publish(parts, out, with_pdf, assumptions)))
    )


@app.command()
def report(
    run: Annotated[list[str], typer.Argument(help="Run folder or name; an evaluation, and its training run if any.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: report/ in the first run.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf too; needs the extra 'pdf'.")] = False,
    business: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your assumptions for the business estimate, TOML.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write report.html, report.md, report.json and cases.csv of finished runs, and pages of cases beside them.

    A run that is not finished, or was changed after sealing, is reported without a verdict, with exit code 6.
    """
    from harness.store import find_run

    paths = [find_run(text, runs) for text in run]
    _write_report(paths, out or paths[0] / "report", pdf, business)
    commands.leave_unclaimed(paths)


@app.command()
def demo(
    runs: Runs = Path("runs"),
    rows: Annotated[int | None, typer.Option(min=1, help="Training rows; fewer is faster and worse.")] = None,
    engine: Engine = None,
) -> None:
    """The whole line on the embedded model: baseline, LoRA training, tuned model, gates, report."""
    from harness.demo import run_demo

    typer.echo(run_demo(runs, rows, engine))


# Typer carries a command-line parser of its own; its usage errors are the parents of BadParameter.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[1]
STDOUT = 1
TYPERS_INTERRUPTED = 130
"""What newer versions of Typer make of Ctrl-C."""


def main() -> None:
    """Entry point; a mistake of the user's and a defect of tunegate are one line on stderr, each with its exit code."""
    try:
        with interruptible():
            code = app(standalone_mode=False, prog_name="tunegate")
        if code == TYPERS_INTERRUPTED:
            raise KeyboardInterrupt
    except UserError as error:
        typer.echo(f"tunegate: {error}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("tunegate: interrupted; finished answers and training steps are kept", err=True)
        code = EXIT_INTERRUPTED
    except UsageProblem as error:
        message = error.format_message()  # type: ignore[attr-defined]
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(message)
        else:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "tunegate"
            end = "" if message.endswith((".", "?")) else "."
            typer.echo(f"tunegate: {message}{end} See `{command} --help`", err=True)
        code = EXIT_USAGE
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in (None, EXIT_OK):
            raise
        code = EXIT_INTERRUPTED
        if not (isinstance(error, SystemExit) and _nobody_reads()):  # Typer ends a command so whose reader is gone.
            typer.echo(f"tunegate: {told(error)}", err=True)
            code = EXIT_INTERNAL
    sys.exit(code if isinstance(code, int) else EXIT_OK)


def _nobody_reads() -> bool:
    """Whoever read standard output has closed it, as `head` does."""
    output = select.poll()
    output.register(STDOUT, 0)
    return bool(output.poll(0))


def command() -> None:
    """`main` in a process of its own, which spends no time on garbage that its end takes care of.

    Collecting during the imports of torch and vLLM costs two seconds, taking them apart at the end two more.
    """
    gc.set_threshold(100_000, 50, 1000)
    try:
        main()
    except SystemExit as left:
        if "torch" not in sys.modules:
            raise
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(left.code if isinstance(left.code, int) else 1)


if __name__ == "__main__":
    command()
