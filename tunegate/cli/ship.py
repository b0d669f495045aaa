"""`tunegate baseline`, `approval`, `merge` and `model-card`: from a verdict to a model that may be served."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from harness.runs.project import find_run
from tunegate.cli.layout import SHIP, App
from tunegate.cli.next_step import after_model_card, next_step
from tunegate.cli.options import ApprovalBars, MoreSuites, Run, Runs, Suites, checkpoint_of, load_available_suites

app = App(SHIP)
baseline = App(SHIP, name="baseline", help="Accept a run's scores as the baseline.", no_args_is_help=True)
app.add(baseline)


@baseline.command()
def accept(
    run: Run,
    reason: Annotated[str, typer.Option(help="Why this model becomes the baseline; stored.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves it; stored.")] = "",
    suite: Suites = None,
    override_reason: Annotated[
        str, typer.Option(metavar="REASON", help="Why to accept it with gates not passed; stored.")
    ] = "",
    although: Annotated[str, typer.Option(hidden=True, help="Old name of --override-reason.")] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Write a run's scores into its suites as baseline.json.

    `--baseline accepted` compares with them.
    """
    from harness.baseline.accept import Acceptance, accept
    from harness.runs.folder import load_manifest, now
    from harness.schema import CANDIDATE

    acceptance = Acceptance(reason=reason, accepted_at=now(), approved_by=by, although=override_reason or although)
    folder = find_run(run, runs)
    for path in accept(folder, load_available_suites(suite), acceptance):
        typer.echo(
            f"accepted: {path} ({path.stat().st_size / 1000:.0f} kB). Commit the file: its diff is what gets approved"
        )
    if why := load_manifest(folder).checkpoints[CANDIDATE].no_merge:
        typer.echo(f"warning: the accepted run {why}")
    next_step("tunegate compare accepted TUNED", "compare another model with it")


@app.command()
def approval(
    suite: Annotated[list[str] | None, typer.Option("--suite", help="Suite folder to add (repeatable).")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write approval.toml: which suites must pass before a merge.

    Updates the digests of the suites in evalsuites/approval.toml; a new file names every suite. Commit the file: a
    change to it, or to one of its suites, changes what may be merged and served. Gates that became easier than in an
    earlier run are named, and cases and scorers that changed since a run that did not pass.
    """
    from harness.approval.policy import eased_since, policy_path, renew, required_folders, unnamed_folders

    named, left_out = required_folders(), list[str]()
    suites = load_available_suites(suite or named, left_out)
    for line in renew(suites, add_new=bool(suite)):
        typer.echo(line)
    for line in eased_since(suites, runs):
        typer.echo(f"review this change: {line}")
    for reason in left_out:
        is_new = suite or not named
        without = f"not added: {reason}. Models are merged and served without it, unless the policy names it already"
        typer.echo(without if is_new else f"not renewed: {reason}")
    for folder in unnamed_folders():
        typer.echo(f"not in the policy: {folder}. Add it with --suite {folder}, or models are merged without it")
    typer.echo(f"written: {policy_path()}. Review and commit it: it decides what may be merged and served")
    next_step("tunegate compare BASELINE TUNED", "judge a model on all these suites")


@app.command()
def merge(
    adapter: Annotated[
        str, typer.Argument(help="PEFT adapter folder, training run or latest.", callback=checkpoint_of)
    ],
    out: Annotated[Path, typer.Argument(help="New folder for the merged model.")],
    ungated: Annotated[
        str | None, typer.Option(metavar="REASON", help="Merge without a passing verdict; recorded.")
    ] = None,
    suite: MoreSuites = None,
    bars: ApprovalBars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Merge an adapter into its base and measure the difference.

    The merge is in fp32. Every suite in evalsuites/approval.toml must have passed on exactly this adapter; `tunegate
    approval` writes that file.
    """
    from harness.approval.approve import may_merge
    from harness.approval.evidence import Where
    from harness.checkpoints.resolve import resolve
    from harness.evaluation import seen_cases
    from training.merge import merge as merge_adapter

    permission = may_merge(adapter, Where(runs=runs, bars=bars, suites=tuple(suite or ())), ungated)
    shown = [one.says for one in permission.passed]
    result = merge_adapter(adapter, out, approval=permission.says, shown_by=shown, approved_digest=permission.digest)
    typer.echo(f"merged: {out}\n{result.summary}\n{permission.says}")
    for doubt in seen_cases.notes(resolve(adapter), {}):
        typer.echo(f"warning: {doubt}")
    next_step(f"tunegate eval {quote(str(out))}", "judge the merged weights")


@app.command("model-card")
def card(
    checkpoint: Annotated[
        str, typer.Argument(help="Adapter, training run, latest or merged model.", callback=checkpoint_of)
    ],
    push: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="Upload the card to this repository of the Hub.")
    ] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Write the newest verdict on a model into its README.md.

    With --push, upload it to an existing model repository of the Hugging Face Hub, with the metrics of the newest run
    on these weights in its front matter. The token is that of `hf auth login` or HF_TOKEN.
    """
    from harness.approval.approve import NOT_APPROVED, newest_evaluation, verdict_on
    from harness.approval.evidence import Where
    from harness.checkpoints.resolve import resolve
    from reports.exports import hub
    from training import model_card

    resolved = resolve(checkpoint)
    verdict = verdict_on(resolved, Where(runs=runs))
    file = model_card.update(resolved, verdict)
    typer.echo(f"{file}: {verdict or f'no evaluation in {runs.resolve()}'}")
    if push:
        curve = file.with_name(model_card.CURVE)
        attached = [curve] if curve.is_file() else []
        typer.echo(f"pushed: {hub.push(file, push, newest_evaluation(resolved, runs), attached)}")
    is_approved = verdict is not None and not verdict.startswith(NOT_APPROVED)
    after_model_card(resolved, was_evaluated=verdict is not None, is_approved=is_approved)
