"""Writes a report as files: its views, the table of all cases, and pages of the cases that report.html does not hold.

Equal runs give equal bytes, but for the PDF, which follows the machine's fonts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from harness.errors import UserError
from harness.runs import redaction
from harness.runs.folder import RunData
from reports.assumptions import Assumptions
from reports.cases.pages import TABLE
from reports.model import ReportModel

PAGES = "cases-[0-9][0-9][0-9][0-9].html"


def publish(
    runs: Sequence[RunData | Path], out_dir: Path, with_pdf: bool = False, assumptions: Assumptions | None = None
) -> list[Path]:
    """Write everything of a report on these runs, one page in memory at a time; pages of an older one are dropped.

    The views come first, then the table of all cases, then the pages.
    """
    from reports import assemble
    from reports.cases import case_table
    from reports.render import html

    evidence = assemble.read(runs, assumptions)
    views, made = write(assemble.report(evidence), out_dir, with_pdf), list[Path]()
    metrics = list(dict.fromkeys(metric.name for suite in evidence.suites for metric in suite.metrics))
    with _saved_in(out_dir):
        for old in Path(out_dir).glob(PAGES):
            old.unlink()
        made.append(Path(out_dir) / TABLE)
        with made[-1].open("w", encoding="utf-8", newline="") as table:
            table.writelines(case_table.lines(evidence.cases, metrics))
        for page in assemble.pages(evidence):
            made.append(Path(out_dir) / page.name)
            made[-1].write_bytes(html.page(page).encode("utf-8"))
    return [*views, *redaction.redact_files(made)]


def named(files: Sequence[Path]) -> list[str]:
    """What a terminal says of written files: each by its path, pages of cases together."""
    pages = [file for file in files if fnmatch(file.name, PAGES)]
    said = [str(file) for file in files if file not in pages]
    if pages:
        said.append(f"{pages[0].parent / PAGES.replace('[0-9]' * 4, '*')} ({len(pages)})")
    return said


def write(model: ReportModel, out_dir: Path, with_pdf: bool = False) -> list[Path]:
    """Write the views into `out_dir`, made where missing, and return their paths. A refused write is a UserError."""
    from reports.render import html, markdown, pdf

    views = {"report.html": html.render, "report.md": markdown.render, "report.json": to_json}
    made = {Path(out_dir) / name: view(model).encode("utf-8") for name, view in views.items()}
    if with_pdf:
        made[Path(out_dir) / "report.pdf"] = pdf.render(model)
    with _saved_in(out_dir):
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        for path, content in made.items():
            path.write_bytes(content)
    return redaction.redact_files(made)


@contextmanager
def _saved_in(out_dir: Path) -> Iterator[None]:
    """What the disk refuses is a user's to solve."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{out_dir}: cannot be written ({error.strerror}). Choose another folder for the report"
        ) from None


def to_json(model: ReportModel) -> str:
    """The model itself; every character beyond ASCII is escaped, so that no reader meets a raw control character."""
    return json.dumps(msgspec.to_builtins(model), indent=1, ensure_ascii=True, allow_nan=False) + "\n"
