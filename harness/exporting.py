"""`tunegate export`: a finished run for other programs. Reads options only; the formats are the reports' own.

Reports are imported late, by name, so that the core never depends on them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from harness import redaction
from harness.commands import Run, Runs, leave_unclaimed
from harness.errors import UserError

app = typer.Typer()


@app.command()
def export(
    run: Run,
    form: Annotated[str, typer.Option("--format", help="csv, json, markdown, model-card or eval-results.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: print it).")] = None,
    dataset: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The hub's dataset that holds the cases.")] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Write a finished run for other programs.

    csv: a line an answer, safe in spreadsheets; json: the whole report; markdown: numbers without any model text;
    model-card and eval-results: metrics as Hugging Face's hub wants them.
    """
    from harness.store import find_run

    path = find_run(run, runs)
    pieces: Iterator[str] = importlib.import_module("reports.exports").export(path, form, dataset)
    if out is None:
        for piece in pieces:
            typer.echo(piece, nl=False)
    else:
        write(out, pieces)
        typer.echo(f"written: {out}")
    leave_unclaimed([path])


def write(out: Path, pieces: Iterator[str]) -> None:
    """Write a file piece by piece; one of that name stays as it was until the new one is whole."""
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
        part.replace(out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Name another file with --out") from None
    finally:
        part.unlink(missing_ok=True)
    redaction.looked_through([out])
