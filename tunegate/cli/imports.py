"""`tunegate import` judges answers that another tool generated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.answer_logs import FORMATS
from harness.errors import UserError
from tunegate.cli.evaluate import EveryMiss, Verbose, run_and_show
from tunegate.cli.layout import EVALUATE, App
from tunegate.cli.options import Bars, RequireGates, Runs, load_available_suites
from tunegate.cli.report import Open

app = App(EVALUATE)


@app.command("import")
def import_answers(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log with the answers of the model to judge.")],
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="Tool that wrote the logs.")],
    suite: Annotated[str, typer.Option(help="Folder of the suite whose cases are answered.")],
    model: Annotated[str | None, typer.Option(help="Which model of the log, or its name where it has none.")] = None,
    baseline: Annotated[Path | None, typer.Option(metavar="LOG", help="Log to compare with; may be the same.")] = None,
    baseline_model: Annotated[str | None, typer.Option(help="Which model of the baseline's log.")] = None,
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
    from harness.schema import BASELINE, CANDIDATE

    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    one, *others = load_available_suites([suite])
    if others:
        raise UserError(f"--suite {suite}: has {len(others) + 1} suites, expected one. Name the folder of one suite")
    logs = {CANDIDATE: read_log(log, form, one, model)}
    if baseline:
        logs[BASELINE] = read_log(baseline, form, one, baseline_model, "--baseline-model")
    elif baseline_model:
        raise UserError("--baseline-model: expected with --baseline LOG. Name the log that has its answers")
    run_and_show(imported_job(one, logs, bars), runs, [], require_gates, open_report, verbose, every_miss)
