"""Options that several commands share, and how commands end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.engines.base import ENGINES
from harness.env import required_by
from harness.errors import EXIT_GATE_FAILED, EXIT_NOTHING_JUDGED, Unavailable, UserError
from harness.runs.project import runs_of

if TYPE_CHECKING:
    from harness.schema import Verdict
    from harness.suites.suite import Suite

Run = Annotated[str, typer.Argument(help="Run folder or name.")]


def _runs_of_the_project(context: typer.Context, given: Path) -> Path:
    """The folder that --runs names, else the project's, shown from here where it is below."""
    if getattr(context.get_parameter_source("runs"), "name", "") != "DEFAULT":
        return given
    here = Path.cwd()
    found = runs_of(None, here)
    return found.relative_to(here) if found.is_relative_to(here) else found


Runs = Annotated[
    Path,
    typer.Option(
        "--runs",
        callback=_runs_of_the_project,
        help="Folder of the run folders; default: the project's ([tool.tunegate] in pyproject.toml).",
    ),
]
Engine = Annotated[
    str | None, typer.Option(metavar="|".join(ENGINES), help="What asks the models; default: vllm where it imports.")
]
Engines = Annotated[
    int | None, typer.Option(min=1, help="vLLM engines of --engine ray (default: one a GPU of machine or cluster).")
]
TensorParallel = Annotated[
    int, typer.Option("--tensor-parallel-size", min=1, help="GPUs that vLLM splits each model over.")
]
Url = Annotated[
    list[str] | None, typer.Option("--url", help="An OpenAI-compatible server for --engine openai; again for more.")
]
ServedModel = Annotated[
    str | None, typer.Option(metavar="NAME", help="What the servers call the checkpoint (default: its name).")
]
ServedBaseline = Annotated[
    str | None, typer.Option(metavar="NAME", help="What the servers call the baseline (default: its name).")
]
TrustServer = Annotated[
    bool, typer.Option("--trust-server", help="The servers have the weights that you name; recorded.")
]
Suites = Annotated[list[str] | None, typer.Option("--suite", help="Suite folder; may be given again.")]
WithoutSuites = Annotated[
    bool, typer.Option("--no-contamination-check", help="Train where no suite is found to compare rows with.")
]
Bars = Annotated[
    Path | None, typer.Option(help="Take every gates.toml, and accepted baseline, from this copy of evalsuites.")
]
RequireGates = Annotated[
    bool | None,
    typer.Option(
        "--require-gates/--no-require-gates", help="Fail when a declared gate gives no verdict (default: only in CI)."
    ),
]
More = Annotated[list[str] | None, typer.Option("--suite", help="Suite folder that must have passed too; repeatable.")]
Approves = Annotated[
    Path | None, typer.Option("--bars", help="Copy of evalsuites whose approval.toml and gates decide.")
]


def suites_here(folders: list[str] | None, left_out: list[str] | None = None) -> list[Suite]:
    """Suites below the folders whose data is here; the others are named, added to `left_out`, and left out."""
    from harness.suites.discovery import find_suites

    kept: list[Suite] = []
    for suite in find_suites(folders or ["evalsuites"]):
        try:
            suite.cases  # noqa: B018 - loading them is the check
        except Unavailable as missing:
            typer.echo(f"not run: {missing}", err=True)
            if left_out is not None:
                left_out.append(str(missing))
            continue
        kept.append(suite)
    if not kept:
        raise UserError("no suite can run here. Name one with --suite, or provide its data")
    return kept


def say_what_changed(before: Iterable[Verdict], now: Iterable[Verdict]) -> None:
    """One line for each gate whose outcome is not what it was in the run."""
    was, came = ({(v.suite, v.gate): v.outcome for v in verdicts} for verdicts in (before, now))
    suites = {suite for suite, _ in came}
    for suite, gate in [*came, *(key for key in was if key not in came and key[0] in suites)]:
        old, new = was.get((suite, gate), "not judged"), came.get((suite, gate), "no longer a gate")
        if old != new:
            typer.echo(f"changed: {suite} {gate}: {old} -> {new}")


def exit_with_verdicts(
    verdicts: Collection[Verdict], require_gates: bool | None = False, not_run: Sequence[str] = ()
) -> None:
    """Leave with the code of what the verdicts come to: a failed gate, nothing judged, or all is well.

    Where gates are required, `not_run` names what gave no verdict, besides the gates that were skipped.
    """
    outcomes = {v.outcome for v in verdicts}
    missing = [*not_run, *(f"{v.suite} {v.gate}: {v.reason}" for v in verdicts if v.outcome == "skipped")]
    is_judged = not outcomes <= {"skipped"}
    required = required_by(require_gates)
    if required and (missing or not is_judged):
        typer.echo(f"{required}: gates that did not run: {'; '.join(missing) or 'there is none'}", err=True)
        raise typer.Exit(EXIT_GATE_FAILED)
    if not outcomes <= {"pass", "skipped"}:
        raise typer.Exit(EXIT_GATE_FAILED)
    if not is_judged:
        typer.echo(f"No gate was judged, so the exit code is {EXIT_NOTHING_JUDGED}.", err=True)
        raise typer.Exit(EXIT_NOTHING_JUDGED)


def leave_unclaimed(paths: Iterable[Path]) -> None:
    """Leave with the code for nothing judged where one of these runs may claim no verdict, and say why on stderr."""
    from harness.runs.folder import load_manifest, standing_of

    found = {path: standing_of(path, load_manifest(path)) for path in paths}
    unclaimed = {path: standing for path, standing in found.items() if not standing.is_claim}
    for path, standing in unclaimed.items():
        typer.echo(f"{path}: {standing.says}", err=True)
    if unclaimed:
        raise typer.Exit(EXIT_NOTHING_JUDGED)
