"""The `tunegate` command and its exit codes."""

from __future__ import annotations

import atexit
import gc
import io
import os
import select
import sys
import traceback
from importlib.metadata import version
from typing import Annotated, Any

import typer

from harness.env import silence_bars
from harness.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, UserError
from harness.signals import interruptible
from tunegate.cli import (
    cache,
    ci,
    data,
    evaluate,
    init,
    judge,
    power,
    report,
    review,
    serve,
    ship,
    train,
)
from tunegate.cli.layout import App, Commands
from tunegate.defects import describe_defect

app = App(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (evaluate, power, judge, data, train, report, review, ci, ship, serve, init, cache):
    app.add(group.app)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"tunegate {version('tunegate')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Evaluate, compare and gate fine-tuned language models; train LoRA adapters for them.

    Suites also run as tests: pytest evalsuites --checkpoint X --baseline Y
    """


# Typer bundles its own command-line parser; the base class of BadParameter is its usage error.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[1]
STDOUT = 1
INTERRUPTED = (
    "interrupted; finished answers and training steps are kept, except a server's answers since its last canary "
    "(about 30 s)"
)
TYPERS_INTERRUPTED = 130
"""Exit code of newer versions of Typer for Ctrl-C."""


def main() -> None:
    """Run the command line. User errors and defects are one line on stderr, each with its own exit code."""
    try:
        with interruptible():
            code = app(standalone_mode=False, prog_name="tunegate")
        if code == TYPERS_INTERRUPTED:
            raise KeyboardInterrupt
    except UserError as error:
        typer.echo(f"tunegate: {error}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo(f"tunegate: {INTERRUPTED}", err=True)
        code = EXIT_INTERRUPTED
    except UsageProblem as error:
        message = _usage_problem(error)
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(message)
        else:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "tunegate"
            end = "" if message.endswith((".", "?")) else "."
            typer.echo(f"tunegate: {message}{end} See `{command} --help`", err=True)
        code = EXIT_USAGE
    except BaseException as error:  # A suite may end with SystemExit, or with what pytest.skip raises.
        if isinstance(error, SystemExit) and error.code in (None, EXIT_OK) and _is_own_end(error):
            raise
        code = EXIT_INTERRUPTED
        # Typer ends a command with SystemExit when the reader of its output is gone.
        if not (isinstance(error, SystemExit) and _is_stdout_closed()):
            typer.echo(f"tunegate: {describe_defect(error)}", err=True)
            code = EXIT_INTERNAL
    sys.exit(code if isinstance(code, int) else EXIT_OK)


def _usage_problem(error: Any) -> str:
    """Return the message of a usage error, with what a misspelt option may have meant."""
    similar = getattr(error, "possibilities", None)
    return f"{error.message}. Did you mean {similar[0]}?" if similar else str(error.format_message())


def _is_own_end(error: SystemExit) -> bool:
    """Tell whether Typer or training ended the process, and not the code of a suite, after which nothing is judged."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("typer", "training")


def _is_stdout_closed() -> bool:
    """Tell whether the reader of standard output has closed it, as `head` does."""
    output = select.poll()
    output.register(STDOUT, 0)
    return bool(output.poll(0))


def command() -> None:
    """Run `main` as a process, without garbage collection that its exit makes unnecessary.

    Collecting during the imports of torch and vLLM costs two seconds, their teardown at exit two more.
    """
    gc.set_threshold(100_000, 50, 1000)
    silence_bars()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # As stderr: a sign that its encoding lacks ends no run.
    try:
        main()
    except SystemExit as exit_:
        if "torch" not in sys.modules:
            raise
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_.code if isinstance(exit_.code, int) else 1)


if __name__ == "__main__":
    command()
