"""Writes a report as files: report.html, report.md, report.json. Equal models give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from harness.errors import UserError
from reports.model import ReportModel


def write(model: ReportModel, out_dir: Path) -> list[Path]:
    """Write all views into `out_dir`, made where missing, and return their paths. A refused write is a UserError."""
    from reports import html, markdown

    views = {"report.html": html.render, "report.md": markdown.render, "report.json": to_json}
    made = {Path(out_dir) / name: view(model) for name, view in views.items()}
    try:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        for path, text in made.items():
            path.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise UserError(
            f"{out_dir}: cannot be written ({error.strerror}). Choose another folder for the report"
        ) from None
    return list(made)


def to_json(model: ReportModel) -> str:
    """The model itself; every character beyond ASCII is escaped, so that no reader meets a raw control character."""
    return json.dumps(msgspec.to_builtins(model), indent=1, ensure_ascii=True, allow_nan=False) + "\n"
