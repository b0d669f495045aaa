"""`tunegate eval` and `compare` run models; `rescore`, `regate` and `import` judge answers without one."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.answer_logs import FORMATS
from harness.errors import UserError
from harness.formatting import count
from harness.progress import tracing
from harness.runs.project import find_run
from tunegate.cli.layout import EVALUATE, App
from tunegate.cli.next_step import after_verdicts, next_step
from tunegate.cli.options import (
    Bars,
    Cases,
    Engine,
    Engines,
    Lora,
    Notify,
    RequireGates,
    Run,
    Runs,
    Script,
    ServedBaseline,
    ServedModel,
    Suites,
    TensorParallel,
    Track,
    TrustServer,
    Url,
    checkpoint_of,
    exit_with,
    load_available_suites,
    options_of,
    print_changed_outcomes,
    verdicts_code,
)
from tunegate.cli.report import Open, print_report, write_report
from tunegate.delivery import Delivery, deliver, delivery

if TYPE_CHECKING:
    from harness.evaluation.plan import Job
    from harness.runs.folder import RunData

app = App(EVALUATE)

Repeats = Annotated[int | None, typer.Option(min=1, help="Answers per case and model (default: the suite's).")]
Limit = Annotated[int | None, typer.Option(min=1, help="Run the first N cases of each suite; judges no gate.")]
Long = Annotated[bool, typer.Option("--long", help="Also run suites that are marked long.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show all estimates, reasons and whole texts.")]
EveryMiss = Annotated[bool, typer.Option("-rm", help="Show every wrong answer, not only the first three.")]
NoAnswerCache = Annotated[bool, typer.Option("--no-answer-cache", help="Ignore cached answers.")]


def _run(
    baseline: str | None,
    candidate: str,
    *,
    suite: Suites = None,
    cases: Cases = None,
    limit: Limit = None,
    long: Long = False,
    no_answer_cache: NoAnswerCache = False,
    engine: Engine = None,
    engines: Engines = None,
    tensor_parallel_size: TensorParallel = 1,
    lora: Lora = "auto",
    repeats: Repeats = None,
    runs: Runs = Path("runs"),
    bars: Bars = None,
    script: Script = None,
    url: Url = None,
    served_model: ServedModel = None,
    served_baseline: ServedBaseline = None,
    trust_server: TrustServer = False,
    require_gates: RequireGates = None,
    track: Track = None,
    notify: Notify = None,
    open_report: Open = False,
    verbose: Verbose = False,
    every_miss: EveryMiss = False,
) -> None:
    """Run the suites and show their results."""
    given = locals()
    from harness.engines.options import ENGINE_OPTIONS, engine_config
    from harness.evaluation.plan import Job, SuiteJob

    to = delivery(track, notify)
    left_out: list[str] = []
    suites = load_available_suites(suite, left_out, long, cases)
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases[:limit]) for s in suites],
        candidate=candidate,
        baseline=baseline,
        engine=engine_config(engine, **{name: given[name] for name in ENGINE_OPTIONS}),
        repeats=repeats,
        bars=bars,
    )
    run_and_show(job, runs, left_out, require_gates, open_report, verbose, every_miss, to)


@app.command("eval")
@options_of(_run, without="served_baseline")
def evaluate(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Hub ID, folder, training run, latest or alias.", callback=checkpoint_of),
    ],
    **options: Any,
) -> None:
    """Run the suites on one model and judge its gates.

    Gates that compare with a baseline are skipped: `tunegate compare` judges them.
    """
    _run(None, model, **options)


@app.command()
@options_of(_run)
def compare(
    baseline: Annotated[
        str,
        typer.Argument(
            metavar="BASELINE", help="Checkpoint, or 'accepted': each baseline.json.", callback=checkpoint_of
        ),
    ],
    tuned: Annotated[str, typer.Argument(metavar="TUNED", help="Checkpoint to judge.", callback=checkpoint_of)],
    **options: Any,
) -> None:
    """Run two models on the same prompts and judge all gates.

    Prints estimates and verdicts, and writes a report.
    """
    _run(baseline, tuned, **options)


def run_and_show(
    job: Job,
    runs: Path,
    left_out: list[str],
    require_gates: bool | None,
    open_report: bool,
    verbose: bool,
    every_miss: bool,
    to: Delivery | None = None,
) -> None:
    """Make a run, print its results, write its report, and exit with the verdicts' code.

    `left_out` names suites that did not run. Without `to`, the results go where the project sends them.
    """
    from harness.evaluation.run import run
    from harness.gates.config import suites_left_out
    from harness.progress.progress import Progress
    from harness.runs.folder import RunFolder, load_run
    from reports.render import terminal, terminal_cases

    to = to or delivery(None, None)
    slug = "import" if job.imported else "eval" if job.baseline is None else "compare"
    with tracing.span(slug):
        results = run(job, RunFolder.create(runs, slug), Progress())
        loaded = load_run(results.path, even_large=False)
        for text in terminal_cases.misses(loaded, every_miss, verbose, shutil.get_terminal_size().columns):
            typer.echo(f"{text}\n")
        terminal.show(loaded, verbose)
        if any(not part.complete for part in job.suites):
            complete = "with a log that answers every case" if job.imported else "without --limit"
            next_step(f"the same command {complete}", "gates are judged on all cases")
        else:
            has_other = any(part.suite.has_other_cases for part in job.suites)
            name = quote(str(results.path))  # Another run may be the latest, or `--runs` may name its folder.
            after_verdicts(results, name, f"tunegate view {name}", has_other)
        files = write_report([results.path], results.path / "report")
    not_run = [*left_out, *suites_left_out(job.bars, {info.name for info in results.manifest.suites})]
    deliver(results.path, to, partial(typer.echo, err=True), [f"not run: {reason}" for reason in not_run])
    code = verdicts_code(results.verdicts, require_gates, not_run)
    print_report(files, open_report)
    exit_with(code)


@app.command()
def rescore(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    require_gates: RequireGates = None,
    runs: Runs = Path("runs"),
) -> None:
    """Score a finished run again with the current scorers.

    Judges the current gates on the new scores. Runs no model and overwrites nothing.
    """
    import msgspec

    from harness.evaluation.rescore import of_suites
    from harness.evaluation.rescore import rescore as score_again
    from harness.gates.config import suites_left_out
    from harness.progress.progress import Progress
    from harness.runs.folder import load_run
    from harness.runs.score_events import with_later
    from reports.render import terminal

    path, suites = find_run(run, runs), load_available_suites(suite)
    rescored = score_again(path, suites, bars, Progress())
    before = load_run(path)
    judged = of_suites(with_later(before), [one.name for one in suites])
    after = msgspec.structs.replace(judged, metrics=rescored.metrics, verdicts=rescored.verdicts)
    for note in rescored.notes:
        typer.echo(note)
    terminal.show(after)
    print_changed_outcomes(before.verdicts, rescored.verdicts)
    differ = f"{count(rescored.changed, 'score')} {'differs' if rescored.changed == 1 else 'differ'}"
    typer.echo(f"{count(rescored.records, 'answer')} scored again, {differ}: {rescored.path}")
    _after(run, after)
    judged_names = {info.name for info in judged.manifest.suites}
    not_judged = [f"{i.name}: not judged" for i in before.manifest.suites if i.name not in judged_names]
    not_judged += suites_left_out(bars, {info.name for info in before.manifest.suites})
    exit_with(verdicts_code(rescored.verdicts, require_gates, not_judged))


@app.command()
def regate(
    run: Run,
    suite: Suites = None,
    bars: Bars = None,
    require_gates: RequireGates = None,
    baseline: Annotated[str | None, typer.Option(help="'accepted': compare with each suite's baseline.json.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Judge a finished run again with the current gates.

    Runs no model; the run stays unchanged.
    """
    from harness.evaluation.rejudge import regate
    from reports.render import terminal

    regated = regate(find_run(run, runs), load_available_suites(suite), bars, baseline)
    terminal.show(regated.run)
    differs = print_changed_outcomes(regated.before.verdicts, regated.run.verdicts)
    for name in regated.not_judged:
        typer.echo(f"not judged: {name}: not among the given suites, or not in the run")
    if not differs:  # Its report does not know of these verdicts.
        _after(run, regated.run)
    not_judged = [f"{name}: not judged" for name in regated.not_judged]
    exit_with(verdicts_code(regated.run.verdicts, require_gates, not_judged))


def _after(name: str, judged: RunData) -> None:
    """Name the next step of a run that was judged again; its report says which scores of a rescore differ."""
    after_verdicts(judged, name, f"tunegate report {name} --open")


FORMAT_HELP = "Tool that wrote the log; table: CSV, XLSX, Parquet."


@app.command("import")
def import_answers(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log with the answers of the model to judge.")],
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help=FORMAT_HELP)],
    suite: Annotated[str, typer.Option(help="Folder of the suite whose cases are answered.")],
    model: Annotated[str | None, typer.Option(help="Which model of the log, or its name where it has none.")] = None,
    baseline: Annotated[Path | None, typer.Option(metavar="LOG", help="Log to compare with; may be the same.")] = None,
    baseline_model: Annotated[str | None, typer.Option(help="Which model of the baseline's log.")] = None,
    baseline_form: Annotated[
        str | None,
        typer.Option("--baseline-format", metavar="FORMAT", help="Format of the baseline's log, if another."),
    ] = None,
    runs: Runs = Path("runs"),
    bars: Bars = None,
    require_gates: RequireGates = None,
    open_report: Open = False,
    verbose: Verbose = False,
    every_miss: EveryMiss = False,
) -> None:
    """Judge answers that another tool generated.

    Scores, compares, gates and reports them as a run of its own. Such a run approves no merge.
    """
    from harness.answer_logs.answer_log import read_log
    from harness.evaluation.imported import imported_job
    from harness.schema import ACCEPTED, BASELINE, CANDIDATE

    for option, named in (("--format", form), ("--baseline-format", baseline_form or form)):
        if named not in FORMATS:
            raise UserError(f"{option} {named}: expected one of {', '.join(FORMATS)} (CSV, TSV, XLSX, Parquet)")
    one, *others = load_available_suites([suite])
    if others:
        raise UserError(f"--suite {suite}: has {len(others) + 1} suites, expected one. Name the folder of one suite")
    if baseline == Path(ACCEPTED) and not baseline.exists():
        raise UserError(
            "--baseline accepted: expected a log. Import without it, then: tunegate regate latest --baseline accepted"
        )
    logs = {CANDIDATE: read_log(log, form, one, model)}
    if baseline:
        logs[BASELINE] = read_log(baseline, baseline_form or form, one, baseline_model, "--baseline-model")
    elif baseline_model or baseline_form:
        option = "--baseline-model" if baseline_model else "--baseline-format"
        raise UserError(f"{option}: expected with --baseline LOG. Name the log that has its answers")
    run_and_show(imported_job(one, logs, bars), runs, [], require_gates, open_report, verbose, every_miss)
