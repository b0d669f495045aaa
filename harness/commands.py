"""`tunegate accept` and `tunegate gate`: the commands on finished runs that ask no model. Reads options only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.engines.base import ENGINES
from harness.errors import EXIT_GATE_FAILED, EXIT_NOTHING_JUDGED, Unavailable, UserError
from harness.outcomes import required_by
from harness.project import runs_of

if TYPE_CHECKING:
    from harness.schema import Verdict
    from harness.suite import Suite

app = typer.Typer()

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
ReuseUnpinned = Annotated[
    bool, typer.Option("--reuse-unpinned", help="Read servers' answers of finished runs, if the canary agrees.")
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
    from harness.runner import find_suites

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


def leave(verdicts: Collection[Verdict], require_gates: bool | None = False, not_run: Sequence[str] = ()) -> None:
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
    from harness.store import load_manifest, standing_of

    found = {path: standing_of(path, load_manifest(path)) for path in paths}
    unclaimed = {path: standing for path, standing in found.items() if not standing.is_claim}
    for path, standing in unclaimed.items():
        typer.echo(f"{path}: {standing.says}", err=True)
    if unclaimed:
        raise typer.Exit(EXIT_NOTHING_JUDGED)


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
    from harness.accepting import Acceptance, accept
    from harness.store import find_run, now

    said = Acceptance(reason=reason, accepted_at=now(), approved_by=by, although=although)
    for path in accept(find_run(run, runs), suites_here(suite), said):
        typer.echo(f"accepted: {path} ({path.stat().st_size / 1000:.0f} kB). Commit it; the change is what is approved")


@app.command()
def card(
    checkpoint: Annotated[str, typer.Argument(help="Adapter, training run or merged model with a model card.")],
    runs: Runs = Path("runs"),
) -> None:
    """Write the newest verdict on an adapter or a merged model into the README.md beside it."""
    import importlib

    from harness.approval import Where, verdict_on
    from harness.checkpoints import resolve

    found = resolve(checkpoint)
    said = verdict_on(found, Where(runs=runs))
    file = importlib.import_module("training.model_card").update(found, said)
    typer.echo(f"{file}: {said or f'no evaluation of it in {runs.resolve()}'}")


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
    from harness.policy import folders_named, policy_path, renew

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
    from harness.regate import regate
    from harness.store import find_run
    from harness.summary import lines_of

    found = regate(find_run(run, runs), suites_here(suite), bars, baseline)
    for line in lines_of(found.run, 110):
        typer.echo(line)
    say_what_changed(found.before.verdicts, found.run.verdicts)
    for name in found.not_judged:
        typer.echo(f"not judged: {name}: not among the suites given, or not in the run")
    leave(found.run.verdicts, require_gates, [f"{name}: not judged" for name in found.not_judged])
