"""`tunegate serve`: serve a gated checkpoint."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.env import SERVE_ARGS
from harness.errors import UserError
from harness.serving.platforms import PLATFORMS
from tunegate.cli.layout import SHIP, App, Command
from tunegate.cli.options import ApprovalBars, MoreSuites, Runs, TensorParallel, checkpoint_of

app = App(SHIP)


class FromEnvironment(Command):
    """Takes the arguments from TUNEGATE_SERVE_ARGS if there are none: SageMaker starts `IMAGE serve`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            given = args or shlex.split(os.environ.get(SERVE_ARGS, ""))
        except ValueError as error:
            raise UserError(
                f"{SERVE_ARGS}: {error}. Expected arguments of tunegate serve, quoted as in a shell"
            ) from None
        return super().parse_args(ctx, given)


@app.command(cls=FromEnvironment)
def serve(
    checkpoint: Annotated[
        str, typer.Argument(help="Adapter, training run, latest, model, Hub ID or alias.", callback=checkpoint_of)
    ],
    name: Annotated[str | None, typer.Option(help="Name of the served model (default: its own).")] = None,
    host: Annotated[str | None, typer.Option(help="Address; other than 127.0.0.1 needs TUNEGATE_SERVE_KEY.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port (default: 8000, or the platform's).")] = None,
    platform: Annotated[
        str | None, typer.Option(metavar="|".join(PLATFORMS), help="Serve this platform's routes on 0.0.0.0.")
    ] = None,
    trust_platform: Annotated[
        bool, typer.Option("--trust-platform", help="The platform authenticates: predict needs no key.")
    ] = False,
    lora: Annotated[str, typer.Option(help="How to serve an adapter: auto, force or merge.")] = "auto",
    tensor_parallel_size: TensorParallel = 1,
    max_model_len: Annotated[int | None, typer.Option(min=64, help="Longest prompt plus answer, in tokens.")] = None,
    ungated: Annotated[
        str | None, typer.Option(metavar="REASON", help="Serve without a passing verdict; recorded.")
    ] = None,
    questions: Annotated[int, typer.Option(min=0, help="Recorded answers to compare the server's with.")] = 16,
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until the server is healthy.")] = 600,
    check: Annotated[bool, typer.Option("--check", help="Stop the server after the smoke test.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run; start nothing.")] = False,
    suite: MoreSuites = None,
    bars: ApprovalBars = None,
    runs: Runs = Path("runs"),
) -> None:
    """Serve a gated checkpoint with vLLM until interrupted.

    Checks verdict and route, starts the server and runs a smoke test. Every suite in evalsuites/approval.toml must have
    passed on exactly these weights; `tunegate approval` writes that file. Merged weights are judged again before they
    are served.
    """
    from harness.progress.progress import Progress
    from harness.serving.deploy import DeployOptions, plan_deployment
    from harness.serving.deploy import serve as deploy

    options = DeployOptions(
        checkpoint=checkpoint,
        host=host,
        port=port,
        platform=platform,
        trust_platform=trust_platform,
        runs=runs,
        name=name,
        lora=lora,
        tensor_parallel=tensor_parallel_size,
        max_model_len=max_model_len,
        ungated=ungated,
        suites=tuple(suite or ()),
        bars=bars,
        questions=questions,
        start_timeout_s=start_timeout,
    )
    if dry_run:
        plan_deployment(options, Progress(), typer.echo)
    else:
        deploy(options, Progress(), typer.echo, leave=check)
