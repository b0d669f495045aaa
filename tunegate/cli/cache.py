"""`tunegate cache`: what is kept of earlier runs, and dropping it. Reads options only."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="cache", invoke_without_command=True)


@app.callback()
def show(context: typer.Context) -> None:
    """Show what is kept of earlier runs; `trim` drops some of it."""
    if context.invoked_subcommand is None:
        from harness.engines.cache_eviction import table

        for line in table():
            typer.echo(line)


@app.command()
def trim(
    to: Annotated[str, typer.Option(metavar="SIZE", help="Most that is kept, such as 5GB or 500MB.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped, and drop nothing.")] = False,
) -> None:
    """Drop what was not used for longest until the cache has at most SIZE: merged models first, then answers.

    Nothing that a run uses is dropped, and no model, case or canary.
    """
    from harness.engines.cache_eviction import parse_bytes
    from harness.engines.cache_eviction import trim as drop
    from harness.formatting import format_bytes

    found = drop(parse_bytes(to, "--to"), dry_run=dry_run)
    for entry in found.dropped:
        typer.echo(f"{'would drop' if dry_run else 'dropped'}: {entry.says}")
    for entry in found.refused:
        typer.echo(f"stays, because it is in use or the system refuses: {entry.says}")
    typer.echo(f"{format_bytes(found.left)} {'would be' if dry_run else 'are'} left")
