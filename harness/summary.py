"""The terminal's last words on a run: estimates, verdicts and where the folder is.

The wording is reports' own; it is loaded here, late, because harness may not import it.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from harness.errors import UserError
from harness.store import RunData, load_results, load_run


def lines(run_path: str | Path, width: int = 100) -> list[str]:
    """Plain lines for a terminal of `width` columns; says so when the run cannot be read."""
    try:
        run = load_run(Path(run_path), answers=not load_results(Path(run_path)).is_long)
    except UserError as error:
        return [str(error)]
    return [*lines_of(run, width), f"run folder: {run.path}"]


def lines_of(run: RunData, width: int = 100) -> list[str]:
    """Plain lines on a run that is in memory."""
    terminal = importlib.import_module("reports.terminal")
    found: list[str] = terminal.summary_lines(run, width)
    return found
