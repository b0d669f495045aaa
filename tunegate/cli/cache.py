"""`tunegate cache`: show what is cached from earlier runs, and evict it."""

from __future__ import annotations

from typing import Annotated

import typer

from tunegate.cli.layout import SET_UP, App

app = App(SET_UP, name="cache", invoke_without_command=True)


@app.callback()
def show(context: typer.Context) -> None:
    """Show what is cached from earlier runs, or evict entries."""
    if context.invoked_subcommand is None:
        from harness.engines.cache_eviction import table

        for line in table():
            typer.echo(line)


@app.command()
def trim(
    to: Annotated[str, typer.Option(metavar="SIZE", help="Largest size of the cache, such as 5GB or 500MB.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be evicted; evict nothing.")] = False,
) -> None:
    """Evict entries until the cache is at most SIZE.

    Evicts the least recently used ones, merged models first, then answers. Entries that a run uses are kept, and so are
    all models, cases and canaries.
    """
    from harness.engines.cache_eviction import parse_bytes
    from harness.engines.cache_eviction import trim as drop
    from harness.formatting import format_bytes

    result = drop(parse_bytes(to, "--to"), dry_run=dry_run)
    for entry in result.dropped:
        typer.echo(f"{'would evict' if dry_run else 'evicted'}: {entry.says}")
    for entry in result.refused:
        typer.echo(f"kept: in use or permission denied: {entry.says}")
    typer.echo(f"{format_bytes(result.left)} {'would be' if dry_run else 'are'} left")
