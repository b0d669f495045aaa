"""`tunegate review`: people judge a finished run's answers blind."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from harness.runs.project import find_run
from tunegate.cli.layout import RESULTS, App, Group
from tunegate.cli.next_step import next_step
from tunegate.cli.options import Run, Runs

START = "start"


class StartsByDefault(Group):
    """Treats `tunegate review RUN` as `tunegate review start RUN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = [START, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete commands, and runs for `start`."""
        run = self.commands[START].params[0]
        return [*super().shell_complete(ctx, incomplete), *run.shell_complete(ctx, incomplete)]


app = App(
    RESULTS,
    name="review",
    cls=StartsByDefault,
    no_args_is_help=True,
    help="Review answers blind: tunegate review RUN --reviewer r1",
)

Mode = Annotated[Literal["compare", "fix"], typer.Option(help="compare: judge two answers; fix: edit one draft.")]
Reviewers = Annotated[
    list[str] | None, typer.Option("--reviewer", metavar="NAME", help="A reviewer's pseudonym (repeatable).")
]
Suites = Annotated[list[str] | None, typer.Option("--suite", help="Suite of the run to draw from (repeatable).")]
Items = Annotated[int | None, typer.Option(min=1, help="Number of items (default: 40, or all if fewer).")]
Share = Annotated[float | None, typer.Option(help="Share of items that two reviewers see (default: 0.25).")]
Repeats = Annotated[int | None, typer.Option(min=0, help="Items that each reviewer sees twice (default: 2).")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of sample, order and sides (default: random).")]
Rubric = Annotated[Path | None, typer.Option(help="Your own rubric, TOML (default: tunegate's).")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")]
Address = Annotated[str | None, typer.Option(metavar="URL", help="Public address: https://review.example.org")]
NewLink = Annotated[
    list[str] | None,
    typer.Option("--new-link", metavar="NAME", help="Replace this reviewer's link by a new one."),
]


@app.command(START)
def start(
    run: Run,
    reviewer: Reviewers = None,
    mode: Mode = "compare",
    suite: Suites = None,
    items: Items = None,
    share: Share = None,
    repeats: Repeats = None,
    seed: Seed = None,
    rubric: Rubric = None,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    address: Address = None,
    new_link: NewLink = None,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Only plan the review, for packets.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Serve the review of a run until interrupted.

    The same command resumes it. Items, reviewers, order and sides are fixed at the first start.
    """
    from reports import review

    options = review.ReviewOptions(
        reviewers=reviewer or [],
        mode=mode,
        suites=suite or [],
        items=items,
        share=share,
        repeats=repeats,
        seed=seed,
        rubric=rubric,
    )
    if plan_only:
        review.plan(find_run(run, runs), options, typer.echo)
    else:
        review.start(find_run(run, runs), options, typer.echo, host, port, address, new_link or [])


@app.command()
def packet(
    run: Run,
    reviewer: Annotated[str, typer.Option(metavar="NAME", help="Reviewer of the packet.")],
    out: Annotated[Path, typer.Option(help="File to write; for argilla a folder.")],
    to: Annotated[
        Literal["html", "label-studio", "argilla"], typer.Option(help="A page, or the files of an annotation tool.")
    ] = "html",
    mode: Mode = "compare",
    runs: Runs = Path("runs"),
) -> None:
    """Write one reviewer's review as a page or for another tool.

    It needs no server. Plans the review first if necessary.
    """
    from reports import review

    review.packet(find_run(run, runs), mode, reviewer, out, typer.echo, to)


@app.command(name="import")
def import_answers(
    run: Run,
    answers: Annotated[Path, typer.Argument(help="answers.json of a packet, or an annotation tool's JSON.")],
    mode: Mode = "compare",
    runs: Runs = Path("runs"),
) -> None:
    """Import a packet's answers or a tool's annotations.

    Each reviewer's are recorded once; a packet's must be unchanged.
    """
    from reports import review

    folder = find_run(run, runs)
    review.import_answers(folder, mode, answers, typer.echo)
    next_step(shlex.join(["tunegate", "report", str(folder)]), "write the report with what people found")


@app.command()
def finish(
    run: Run,
    reviewer: Reviewers = None,
    mode: Mode = "compare",
    runs: Runs = Path("runs"),
) -> None:
    """Record reviewers who have finished.

    Closes the named ones as they are. Adds events to the run.
    """
    from reports import review

    review.finish(find_run(run, runs), mode, reviewer or [], typer.echo)


@app.command()
def adjudicate(
    run: Run,
    by: Annotated[str, typer.Option(metavar="NAME", help="Pseudonym of a person who did not review these answers.")],
    host: Host = "127.0.0.1",
    port: Port = 8765,
    address: Address = None,
    new_link: NewLink = None,
    runs: Runs = Path("runs"),
) -> None:
    """Let a third person decide where two reviewers differ.

    This is also blind; both reviewers must have finished.
    """
    from reports import review

    review.adjudicate(find_run(run, runs), by, typer.echo, host, port, address, new_link or [])


@app.command()
def export(
    run: Run,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSONL file of training rows to write.")],
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", help="Evaluation suites to keep out of the rows (repeatable)."),
    ] = None,
    drafts: Annotated[
        list[str] | None, typer.Option("--drafts", help="Folder of the drafting suites (default: drafts).")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write corrected drafts as training rows.

    Refuses and names those about cases of an evaluation.
    """
    from training.data import from_reviews

    exported = from_reviews.export(find_run(run, runs), out, suite or [], drafts or [from_reviews.DRAFTS])
    for line in exported.lines:
        typer.echo(line)
