"""Write a report as files: its views, the table of all cases, and pages of the cases that report.html does not hold.

The same run gives the same bytes, except for the PDF, which depends on the machine's fonts.
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
from reports.cases.pages import REPORT, SUMMARY, TABLE, table
from reports.model import ReportModel

PAGES = "cases-[0-9][0-9][0-9][0-9].html"


def publish(
    runs: Sequence[RunData | Path], out_dir: Path, with_pdf: bool = False, assumptions: Assumptions | None = None
) -> list[Path]:
    """Write the whole report on these runs and return the files: views, table of all cases, then pages.

    One page is in memory at a time. Pages of an older report are deleted. Raises UserError where a file cannot be
    written.
    """
    from reports import assemble
    from reports.render import html

    evidence = assemble.read(runs, assumptions)
    views, files = write(assemble.report(evidence), out_dir, with_pdf), list[Path]()
    metrics = list(dict.fromkeys(metric.name for suite in evidence.suites for metric in suite.metrics))
    with _saved_in(out_dir):
        for old in Path(out_dir).glob(PAGES):
            old.unlink()
        files.append(Path(out_dir) / TABLE)
        with files[-1].open("w", encoding="utf-8", newline="") as rows:
            rows.writelines(table(evidence.cases, metrics))
        for page in assemble.pages(evidence):
            files.append(Path(out_dir) / page.name)
            files[-1].write_bytes(html.page(page).encode("utf-8"))
    return [*views, *redaction.redact_files(files)]


def named(files: Sequence[Path]) -> list[str]:
    """List written files for a terminal: each by its path, pages of cases as one line."""
    pages = [file for file in files if fnmatch(file.name, PAGES)]
    lines = [str(file) for file in files if file not in pages]
    if pages:
        lines.append(f"{pages[0].parent / PAGES.replace('[0-9]' * 4, '*')} ({len(pages)})")
    return lines


def write(model: ReportModel, out_dir: Path, with_pdf: bool = False) -> list[Path]:
    """Write the views into `out_dir`, created where missing, and return their paths.

    Raises UserError where a file cannot be written.
    """
    from reports.render import html, markdown, pdf
    from reports.summary import summary

    short = summary(model)
    views = {
        "report.html": html.render(model),
        SUMMARY: html.render(short, (REPORT, "The whole report")),
        "report.md": markdown.render(model),
        "report.json": to_json(model),
    }
    files = {Path(out_dir) / name: text.encode("utf-8") for name, text in views.items()}
    if with_pdf:
        files |= {Path(out_dir) / f"{name}.pdf": pdf.render(m) for name, m in (("report", model), ("summary", short))}
    with _saved_in(out_dir):
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            path.write_bytes(content)
    return redaction.redact_files(files)


@contextmanager
def _saved_in(out_dir: Path) -> Iterator[None]:
    """Turn an OSError into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{out_dir}: cannot be written ({error.strerror}). Choose another folder for the report"
        ) from None


def to_json(model: ReportModel) -> str:
    """Encode the model as JSON, ASCII only: a raw control character never reaches a reader."""
    return json.dumps(msgspec.to_builtins(model), indent=1, ensure_ascii=True, allow_nan=False) + "\n"
