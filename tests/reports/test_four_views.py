"""Page, Markdown, JSON and PDF of one report, each read back by a reader of its own: the same numbers in all four."""

from __future__ import annotations

import html as markup
import re
from pathlib import Path

import msgspec
import pytest

import reports
from harness.runs.folder import RunData
from reports.model import Curve, Facts, ReportModel, Table
from tests.reports.test_views import numbers
from tests.support.tagged import read
from tests.support.visits import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGE = "main tbody tr > *, main dl.facts dt, main dl.facts dd"


@pytest.fixture
def folder(run: RunData, training_run: RunData, tmp_path: Path) -> Path:
    pytest.importorskip("weasyprint", reason="WeasyPrint or pango is missing", exc_type=OSError)
    reports.write(reports.build([run, training_run]), tmp_path / "out", with_pdf=True)
    return tmp_path / "out"


def of_page(folder: Path, visit: Open) -> list[str]:
    seen = visit(folder / "report.html")
    seen.open_all()
    return seen.page.locator(PAGE).all_text_contents()


def of_markdown(folder: Path) -> list[str]:
    """Cells of table rows, without headings and rules."""
    lines = (folder / "report.md").read_text("utf-8").split("\n")
    rules = {at for at, line in enumerate(lines) if re.fullmatch(r"\|( -+:? \|)+", line)}
    rows = [line for at, line in enumerate(lines) if line.startswith("| ") and not {at, at + 1} & rules]
    return [markup.unescape(cell) for row in rows for cell in row.strip("| ").split(" | ")]


def of_json(folder: Path) -> list[str]:
    model = msgspec.json.decode((folder / "report.json").read_bytes(), type=ReportModel)
    texts: list[str] = []
    for block in (block for section in model.sections for block in section.blocks):
        if isinstance(block, Facts):
            texts += [text for name, cell in block.pairs for text in (name, f"{cell.text} {cell.note}")]
        if isinstance(block, (Table, Curve)):
            rows = (block.twin if isinstance(block, Curve) else block).rows
            texts += [f"{cell.text} {cell.note}" for row in rows for cell in row]
    return texts


def of_pdf(folder: Path) -> list[str]:
    _, tree = read((folder / "report.pdf").read_bytes())
    return [cell.text for body in tree.all("TBody") for row in body.all("TR") for cell in row.all("TH", "TD")]


def test_page_markdown_json_and_pdf_show_the_same_numbers(folder: Path, visit: Open) -> None:
    found = {
        "page": numbers(of_page(folder, visit)),
        "markdown": numbers(of_markdown(folder)),
        "json": numbers(of_json(folder)),
        "pdf": numbers(of_pdf(folder)),
    }
    assert len(found["json"]) > 200
    assert {name: shown == found["json"] for name, shown in found.items()} == dict.fromkeys(found, True)
