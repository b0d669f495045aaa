"""`tunegate judge` and `tunegate labels`: verdicts of a model and of people on answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import NothingJudged, UserError
from harness.runs.project import find_run
from tunegate.cli.layout import EVALUATE, App
from tunegate.cli.next_step import after_labels
from tunegate.cli.options import Engine, Run, Runs, Script, ServedModel, TensorParallel, Url

app = App(EVALUATE)
labels = App(EVALUATE, name="labels", help="Add people's labels to a run's answers.", no_args_is_help=True)
app.add(labels)


@app.command()
def judge(
    run: Run,
    by: Annotated[str, typer.Option(help="Judge: Hub ID, folder, alias, or checker.")],
    rubric: Annotated[
        Path | None, typer.Option(help="Rubric: TOML with name, question, labels. The checker has one.")
    ] = None,
    engine: Engine = None,
    tensor_parallel_size: TensorParallel = 1,
    script: Script = None,
    url: Url = None,
    served_model: ServedModel = None,
    runs: Runs = Path("runs"),
) -> None:
    """Let a model judge a finished run's answers by a rubric.

    Its verdicts are added to the run as events. `--by checker` asks the checker of meaning whether the source supports
    every sentence; it needs no rubric.
    """
    from harness.engines.options import engine_config
    from harness.evaluation.plan import judge_checkpoint
    from harness.judges import checker_judge, human_labels
    from harness.judges.llm_judge import judge as ask
    from harness.judges.rubric import load_rubric
    from harness.progress.progress import Progress
    from harness.runs.folder import load_run, load_sealed

    path, by_checker = find_run(run, runs), by == checker_judge.NAME
    if rubric is None and not by_checker:
        raise UserError("--rubric is missing: a model needs a question with labels; only --by checker has its own")
    loaded_rubric = load_rubric(rubric) if rubric else checker_judge.SUPPORTED
    if by_checker:
        judged = checker_judge.judge(load_sealed(path, "judged"), loaded_rubric, Progress())
    else:
        config = engine_config(
            engine, tensor_parallel_size=tensor_parallel_size, script=script, url=url, served_model=served_model
        )
        judge_model = judge_checkpoint(by, config)
        judged = ask(load_sealed(path, "judged"), loaded_rubric, judge_model, engine=config, progress=Progress())
    typer.echo(f"{judged.scored} answers judged, {judged.unscored} unscored: {judged.path}")
    if not by_checker:
        typer.echo(f"canaries: {judged.fooled} of {judged.canaries} answers that demand the best verdict got it")
    for doubt in judged.doubts:
        typer.echo(f"warning: {doubt}")
    agreements = human_labels.agreement(load_run(path), loaded_rubric)
    for line in human_labels.describe(agreements):
        typer.echo(line)
    if not judged.scored:
        raise NothingJudged(
            f"{path}: the judge scored none of {judged.unscored} answers. Each reason is in {judged.path}"
        )
    after_labels(run, rubric, by_people=bool(agreements), by_model=True)


@labels.command("import")
def import_labels(
    run: Run,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSONL: suite, case_id, variant, label, repeat, comment.")
    ],
    rubric: Annotated[Path, typer.Option(help="The rubric of the labels.")],
    reviewer: Annotated[str, typer.Option(help="Name or pseudonym of the person.")],
    runs: Runs = Path("runs"),
) -> None:
    """Add a person's labels to a finished run.

    Prints how far the judge agrees with them.
    """
    from harness.judges import human_labels
    from harness.judges.rubric import load_rubric
    from harness.runs.folder import load_run, load_sealed

    path, loaded_rubric = find_run(run, runs), load_rubric(rubric)
    labelled_run = load_sealed(path, "labelled")
    typer.echo(f"labels added: {human_labels.add_labels(labelled_run, loaded_rubric, file, reviewer)}")
    agreements = human_labels.agreement(load_run(path), loaded_rubric)
    for line in human_labels.describe(agreements):
        typer.echo(line)
    after_labels(run, rubric, by_people=True, by_model=bool(agreements))
