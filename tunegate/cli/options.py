"""Options that several commands share, and the exit codes of commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.engines.base import ENGINES
from harness.env import required_by
from harness.errors import EXIT_GATE_FAILED, EXIT_NOTHING_JUDGED, UserError
from harness.runs.project import LATEST, find_run, names_latest, refuse_below_project, runs_newest_first, runs_of

if TYPE_CHECKING:
    from harness.schema import Verdict
    from harness.suites.suite import Suite


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a run: `latest`, then the names in the folder of runs, newest first."""
    names = [LATEST, *runs_newest_first(context.params.get("runs") or runs_of(None, Path.cwd()))]
    return [name for name in names if name.startswith(incomplete)]


Run = Annotated[str, typer.Argument(help="Run folder, name or latest.", autocompletion=complete_run)]


def _runs_of_the_project(context: typer.Context, given: Path) -> Path:
    """Return the folder of --runs, or the project's, relative to the working directory where it is inside."""
    if getattr(context.get_parameter_source("runs"), "name", "") != "DEFAULT":
        return given
    here = Path.cwd()
    folder = runs_of(None, here)
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


Runs = Annotated[
    Path,
    typer.Option(
        "--runs",
        callback=_runs_of_the_project,
        is_eager=True,  # `latest` among the arguments is looked up in it.
        show_default=False,
        help="Folder of runs (default: the project's).",
    ),
]


def checkpoint_of(context: typer.Context, text: str) -> str:
    """Replace `latest`, given for a checkpoint, by the newest training run, and say which on stderr."""
    if context.resilient_parsing or not names_latest(text):
        return text
    found = find_run(text, context.params["runs"], "train")
    typer.echo(f"{text}: training run {found}", err=True)
    return str(found)


Engine = Annotated[
    str | None, typer.Option(metavar="|".join(ENGINES), help="Inference engine (default: vllm where installed).")
]
Engines = Annotated[int | None, typer.Option(min=1, help="vLLM engines of --engine ray (default: one per GPU).")]
Lora = Annotated[str, typer.Option(metavar="auto|force|merge", help="How to serve an adapter.")]
Script = Annotated[Path | None, typer.Option(help="JSON with the answers of the fake engine.")]
TensorParallel = Annotated[int, typer.Option("--tensor-parallel-size", min=1, help="GPUs per model (vLLM).")]
Url = Annotated[list[str] | None, typer.Option("--url", help="Server for --engine openai (repeatable).")]
ServedModel = Annotated[str | None, typer.Option(metavar="NAME", help="The checkpoint's name on the servers.")]
ServedBaseline = Annotated[str | None, typer.Option(metavar="NAME", help="The baseline's name on the servers.")]
TrustServer = Annotated[
    bool, typer.Option("--trust-server", help="Trust that the servers have these weights; recorded.")
]
Track = Annotated[str | None, typer.Option(metavar="NAMES", help="Also send results to mlflow, wandb or tensorboard.")]
Notify = Annotated[str | None, typer.Option(metavar="URL", help="Webhook for the verdict (default: TUNEGATE_NOTIFY).")]
Suites = Annotated[list[str] | None, typer.Option("--suite", help="Suite folder (repeatable).")]
Cases = Annotated[
    Path | None, typer.Option("--cases", metavar="FILE", help="Cases of your own in place of those of one suite.")
]
WithoutSuites = Annotated[
    bool, typer.Option("--no-contamination-check", help="Train even without a suite to compare rows with.")
]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", metavar="NAME=COLUMN", help="Prompt variable (repeatable).")
]
InputFiles = Annotated[
    list[str] | None,
    typer.Option("--input-file", metavar="NAME=COLUMN", help="The same, from the document that the cell names."),
]
Sheet = Annotated[str | None, typer.Option(metavar="NAME", help="Sheet of an .xlsx file, if it has several.")]
Bars = Annotated[Path | None, typer.Option(help="Take gates and accepted baselines from this evalsuites.")]
RequireGates = Annotated[
    bool | None,
    typer.Option("--require-gates/--no-require-gates", help="Fail if a gate gives no verdict (default: only in CI)."),
]
MoreSuites = Annotated[list[str] | None, typer.Option("--suite", help="Suite that must also have passed (repeatable).")]
ApprovalBars = Annotated[Path | None, typer.Option("--bars", help="Take approval.toml and gates from this evalsuites.")]


Function = Callable[..., None]


def options_of(function: Function, without: str = "") -> Callable[[Function], Function]:
    """Give a command the options that another function has as keywords; it takes them as `**options`."""

    def give(command: Function) -> Function:
        own, shared = (inspect.signature(part, eval_str=True).parameters.values() for part in (command, function))
        options = [one for one in shared if one.kind is one.KEYWORD_ONLY and one.name != without]
        arguments = [one for one in own if one.kind is not one.VAR_KEYWORD]
        command.__signature__ = inspect.Signature([*arguments, *options])  # type: ignore[attr-defined]
        return command

    return give


def load_available_suites(
    folders: list[str] | None,
    left_out: list[str] | None = None,
    with_long: bool = True,
    cases: Path | None = None,
) -> list[Suite]:
    """Load the suites below the folders whose data is available; print the others and add them to `left_out`.

    So are gates that belong to no suite. Without `with_long`, suites that are marked long are left out too. `cases`
    replaces those of the one suite. Raises UserError where none is left.
    """
    from harness.suites.discovery import available, find_suites, gates_without_suite

    if not folders:
        refuse_below_project(Path.cwd())
        folders = ["evalsuites"]
    found = list(find_suites(folders))
    if cases:
        if len(found) != 1:
            raise UserError(f"--cases {cases}: found {len(found)} suites, expected one. Name its folder with --suite")
        found[0].use_cases(cases)
    suites, missing = available(found, "" if with_long else "--long")
    missing += gates_without_suite(folders, found)
    for reason in missing:
        typer.echo(f"not run: {reason}", err=True)
    if left_out is not None:
        left_out += missing
    if not suites:
        raise UserError("no suite can run. Name one with --suite, or provide its data")
    return suites


def print_changed_outcomes(before: Iterable[Verdict], now: Iterable[Verdict]) -> bool:
    """Print one line for each gate whose outcome or threshold differs from the run's, and return whether any does."""
    from harness.baseline.drift import threshold_moved
    from harness.gates.sentences import gate_in_words

    differs = False
    was, came = ({(v.suite, v.gate): v for v in verdicts} for verdicts in (before, now))
    suites = {suite for suite, _ in came}
    removed = [verdict for key, verdict in was.items() if key not in came and key[0] in suites]
    for key, new in came.items():
        old = was.get(key) or next((verdict for verdict in removed if verdict.judges == new.judges), None)
        removed = [verdict for verdict in removed if verdict is not old]
        moved = threshold_moved(old, new) if old else ""
        if moved or old is None or old.outcome != new.outcome:
            differs = True
            outcomes = f"{old.outcome if old else 'not judged'} -> {new.outcome}"
            typer.echo(": ".join(filter(None, [f"changed: {new.suite} {gate_in_words(new)}", moved, outcomes])))
    for old in removed:
        typer.echo(f"changed: {old.suite} {gate_in_words(old)}: {old.outcome} -> no longer a gate")
    return differs or bool(removed)


def verdicts_code(
    verdicts: Collection[Verdict], require_gates: bool | None = False, not_run: Sequence[str] = ()
) -> int:
    """Return the exit code for the verdicts: a failed gate, nothing judged, or success; print why nothing was judged.

    Where gates are required, `not_run` names what gave no verdict, in addition to skipped gates.
    """
    outcomes = {v.outcome for v in verdicts}
    missing = [*not_run, *(f"{v.suite} {v.gate}: {v.reason}" for v in verdicts if v.outcome == "skipped")]
    is_judged = not outcomes <= {"skipped"}
    required = required_by(require_gates)
    if required and (missing or not is_judged):
        typer.echo(f"{required}: gates that did not run: {'; '.join(missing) or 'there are none'}", err=True)
        return EXIT_GATE_FAILED
    if not outcomes <= {"pass", "skipped"}:
        return EXIT_GATE_FAILED
    if not is_judged:
        typer.echo(f"No gate was judged, so the exit code is {EXIT_NOTHING_JUDGED}.", err=True)
        return EXIT_NOTHING_JUDGED
    return 0


def claims_code(paths: Iterable[Path]) -> int:
    """Return the code for nothing judged where one of these runs may claim no verdict, else 0; print why on stderr."""
    from harness.runs.folder import load_manifest, standing_of

    standings = {path: standing_of(path, load_manifest(path)) for path in paths}
    unclaimed = {path: standing for path, standing in standings.items() if not standing.is_claim}
    for path, standing in unclaimed.items():
        typer.echo(f"{path}: {standing.says}", err=True)
    return EXIT_NOTHING_JUDGED if unclaimed else 0


def exit_with(code: int) -> None:
    """End a command with a code; a command that succeeded continues."""
    if code:
        raise typer.Exit(code)
