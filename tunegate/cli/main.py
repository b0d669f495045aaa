"""The `tunegate` command and its exit codes."""

from __future__ import annotations

import atexit
import gc
import os
import select
import sys

import typer

from harness.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, UserError
from harness.signals import interruptible
from tunegate.cli import cache, ci, data, evaluate, init, report, review, serve, train, view
from tunegate.defects import describe_defect

app = typer.Typer(
    name="tunegate",
    help="Evaluate, compare and gate fine-tuned language models; train LoRA adapters for them.\n\n"
    "Suites also run as tests: pytest evalsuites --checkpoint X --baseline Y",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (evaluate, train, data, report, view, review, ci, serve, init, cache):
    app.add_typer(group.app)


# Typer bundles its own command-line parser; the base class of BadParameter is its usage error.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[1]
STDOUT = 1
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
        typer.echo("tunegate: interrupted; finished answers and training steps are kept", err=True)
        code = EXIT_INTERRUPTED
    except UsageProblem as error:
        message = error.format_message()  # type: ignore[attr-defined]
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(message)
        else:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "tunegate"
            end = "" if message.endswith((".", "?")) else "."
            typer.echo(f"tunegate: {message}{end} See `{command} --help`", err=True)
        code = EXIT_USAGE
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in (None, EXIT_OK):
            raise
        code = EXIT_INTERRUPTED
        # Typer ends a command with SystemExit when the reader of its output is gone.
        if not (isinstance(error, SystemExit) and _is_stdout_closed()):
            typer.echo(f"tunegate: {describe_defect(error)}", err=True)
            code = EXIT_INTERNAL
    sys.exit(code if isinstance(code, int) else EXIT_OK)


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
