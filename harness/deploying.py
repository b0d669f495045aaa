"""`tunegate serve`: the step after the gate. Reads options only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import Bars, Runs, Suites

app = typer.Typer()


@app.command()
def serve(
    checkpoint: Annotated[str, typer.Argument(help="Adapter, training run, model or merged folder, hub id or alias.")],
    name: Annotated[str | None, typer.Option(help="The model's name for those who ask it (default: its own).")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others reach needs TUNEGATE_SERVE_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    lora: Annotated[str, typer.Option(help="auto, force or merge: how an adapter is served.")] = "auto",
    max_model_len: Annotated[
        int | None, typer.Option(min=64, help="Longest prompt and answer, in tokens (default: the model's own limit).")
    ] = None,
    ungated: Annotated[
        str | None, typer.Option(metavar="REASON", help="Serve without a passing verdict; written into the record.")
    ] = None,
    questions: Annotated[
        int, typer.Option(min=0, help="Answers of the approving run to compare the server's with.")
    ] = 16,
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds in which the server must be healthy.")] = 600,
    check: Annotated[bool, typer.Option("--check", help="Stop the server after the smoke test.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run; start nothing.")] = False,
    suite: Suites = None,
    bars: Bars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Serve a gated checkpoint with vLLM: verdict, route, server, smoke test; then until interrupted.

    Merged weights are judged again before they are served.
    """
    from harness.progress import Progress
    from harness.serving.deployment import Wanted, foresee
    from harness.serving.deployment import serve as deploy

    wanted = Wanted(
        checkpoint=checkpoint,
        host=host,
        port=port,
        runs=runs,
        name=name,
        lora=lora,
        max_model_len=max_model_len,
        ungated=ungated,
        suites=tuple(suite or ("evalsuites",)),
        bars=bars,
        questions=questions,
        start_timeout_s=start_timeout,
    )
    if dry_run:
        foresee(wanted, Progress(), typer.echo)
    else:
        deploy(wanted, Progress(), typer.echo, leave=check)
