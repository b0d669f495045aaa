"""Writes a report as files: report.html, report.md, report.json, on request report.pdf.

Equal models give equal bytes, but for the PDF, which follows the machine's fonts.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from harness import redaction
from harness.errors import UserError
from reports.model import ReportModel


def write(model: ReportModel, out_dir: Path, with_pdf: bool = False) -> list[Path]:
    """Write the views into `out_dir`, made where missing, and return their paths. A refused write is a UserError."""
    from reports import html, markdown

    views = {"report.html": html.render, "report.md": markdown.render, "report.json": to_json}
    made = {Path(out_dir) / name: view(model).encode("utf-8") for name, view in views.items()}
    if with_pdf:
        from reports import pdf

        made[Path(out_dir) / "report.pdf"] = pdf.render(model)
    try:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        for path, content in made.items():
            path.write_bytes(content)
    except OSError as error:
        raise UserError(
            f"{out_dir}: cannot be written ({error.strerror}). Choose another folder for the report"
        ) from None
    return redaction.looked_through(made)


def to_json(model: ReportModel) -> str:
    """The model itself; every character beyond ASCII is escaped, so that no reader meets a raw control character."""
    return json.dumps(msgspec.to_builtins(model), indent=1, ensure_ascii=True, allow_nan=False) + "\n"
