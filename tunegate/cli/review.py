"""`tunegate review`: people judge a finished run's answers, blind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from harness.runs.folder import find_run
from tunegate.cli.options import Run, Runs

START = "start"


class StartsByDefault(TyperGroup):
    """`tunegate review RUN` is `tunegate review start RUN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = [START, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="review",
    cls=StartsByDefault,
    no_args_is_help=True,
    help="Let people judge a finished run's answers, blind: `tunegate review RUN --reviewer r1 --reviewer r2`.",
)

Mode = Annotated[
    Literal["compare", "fix"], typer.Option(help="compare: two answers side by side; fix: one draft, edited.")
]
Reviewers = Annotated[
    list[str] | None, typer.Option("--reviewer", metavar="NAME", help="A reviewer's pseudonym; again for more.")
]
Suites = Annotated[list[str] | None, typer.Option("--suite", help="Suite of the run to draw from; again for more.")]
Items = Annotated[int | None, typer.Option(min=1, help="Items in all (default: 40, or as many as there are).")]
Share = Annotated[float | None, typer.Option(help="Share of the items that two reviewers see (default: 0.25).")]
Repeats = Annotated[int | None, typer.Option(min=0, help="Items that each reviewer sees again (default: 2).")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of sample, order and sides (default: drawn).")]
Rubric = Annotated[Path | None, typer.Option(help="Rubric of your own, TOML (default: tunegate's).")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Address = Annotated[
    str | None, typer.Option(metavar="URL", help="Where reviewers reach it, if not here: https://review.example.org")
]
NewLink = Annotated[
    list[str] | None,
    typer.Option("--new-link", metavar="NAME", help="Give this reviewer a new link; the old one ends."),
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
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Settle it, and start nothing: for packets.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Serve the review of a run until interrupted; the same command goes on where it was stopped.

    Items, reviewers, order and sides are settled at the first start.
    """
    from reports import review

    asked = review.ReviewOptions(
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
        review.plan(find_run(run, runs), asked, typer.echo)
    else:
        review.start(find_run(run, runs), asked, typer.echo, host, port, address, new_link or [])


@app.command()
def packet(
    run: Run,
    reviewer: Annotated[str, typer.Option(metavar="NAME", help="Whose packet it is.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    mode: Mode = "compare",
    runs: Runs = Path("runs"),
) -> None:
    """Write one reviewer's review as one HTML file that needs no server; plans it where nothing is planned."""
    from reports import review

    review.packet(find_run(run, runs), mode, reviewer, out, typer.echo)


@app.command(name="import")
def import_answers(
    run: Run,
    answers: Annotated[Path, typer.Argument(help="answers.json, as the packet's page downloaded it.")],
    mode: Mode = "compare",
    runs: Runs = Path("runs"),
) -> None:
    """Take a packet's answers into the run, once, and only as they were sealed."""
    from reports import review

    review.import_answers(find_run(run, runs), mode, answers, typer.echo)


@app.command()
def finish(
    run: Run,
    reviewer: Reviewers = None,
    mode: Mode = "compare",
    runs: Runs = Path("runs"),
) -> None:
    """Record who is through, and close those who are named as they are; results are added to the run as events."""
    from reports import review

    review.finish(find_run(run, runs), mode, reviewer or [], typer.echo)


@app.command()
def adjudicate(
    run: Run,
    by: Annotated[str, typer.Option(metavar="NAME", help="Pseudonym of somebody who did not review these answers.")],
    host: Host = "127.0.0.1",
    port: Port = 8765,
    address: Address = None,
    new_link: NewLink = None,
    runs: Runs = Path("runs"),
) -> None:
    """Let a third person decide, blind too, where two reviewers who are through differ."""
    from reports import review

    review.adjudicate(find_run(run, runs), by, typer.echo, host, port, address, new_link or [])


@app.command()
def export(
    run: Run,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSONL file of training rows to write.")],
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", help="Folder of evaluations that no row may come from; again for more."),
    ] = None,
    drafts: Annotated[
        list[str] | None, typer.Option("--drafts", help="Folder of the drafting suites (default: drafts).")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write drafts that people corrected as training rows; what an evaluation asks about is refused, and named."""
    from training.data import from_reviews

    found = from_reviews.export(find_run(run, runs), out, suite or [], drafts or [from_reviews.DRAFTS])
    for line in found.lines:
        typer.echo(line)
