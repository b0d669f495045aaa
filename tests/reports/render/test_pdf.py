"""The PDF: tagged for a screen reader, the same numbers as every view, inert, and nothing fetched to make it."""

import html as markup
import io
import itertools
import logging
import re
import sys
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec
import pypdf
import pytest
from typer.testing import CliRunner

import reports
from harness.errors import MissingExtra, UserError
from harness.runs.folder import RunData
from reports.model import Answer, Cell, Curve, Exchange, Facts, Passage, Piece, ReportModel, Section, Table, Text
from reports.render import pdf
from reports.summary import summary
from tests.reports.conftest import Writer
from tests.reports.test_views import numbers
from tests.support.browser import ARABIC
from tests.support.command import ROOT
from tests.support.hostile import ATTACKS, model_of, random_texts
from tests.support.sample import SUITE, make_manifest, make_metrics, make_suite, make_verdicts
from tests.support.tagged import Element, names, read, whole_text
from tunegate.cli import main

pytest.importorskip("weasyprint", reason="WeasyPrint or pango is missing: pip install '.[pdf]'", exc_type=OSError)
pytestmark = pytest.mark.slow

ACTING = {"/JavaScript", "/JS", "/Launch", "/URI", "/Annots", "/OpenAction", "/AA", "/EmbeddedFiles", "/AcroForm"}
EXAMPLES = ROOT / "docs" / "examples"
HEADINGS = ("H1", "H2", "H3", "H4", "H5", "H6")


def exchange(kind: str = "regression", number: int = 1, text: str = "Present.", findings: int = 0) -> Exchange:
    answer = Answer(variant="Tuned", pieces=[Piece(text=text)], findings=[f"finding {i}" for i in range(findings)])
    return msgspec.convert(
        {
            "case_id": f"case-{number}", "source": "Contract 7", "kind": kind, "why": "Worse", "excerpt": "Section 1.",
            "excerpt_note": "all 10 characters", "expected": "Insurance", "answers": [msgspec.to_builtins(answer)],
        },
        Exchange,
    )  # fmt: skip


def report_of(blocks: list[Text | Passage | Facts | Table | Exchange]) -> ReportModel:
    section = Section(id="one", title="One", blocks=list(blocks))
    return ReportModel(title="Report", run_id="run-1", seal="none", outcome="fail", sections=[section])


def test_a_text_is_laid_out_in_the_direction_in_which_it_is_read() -> None:
    page = pdf.page(report_of([Passage(caption="Prompt", text=f"Section 1.\n\n{ARABIC}\n\nSection 2.")]))
    lines = f'<div dir="ltr">Section 1.</div><div dir="rtl">\n{ARABIC}</div><div dir="ltr">\nSection 2.</div>'
    assert lines in page
    answers = pdf.page(report_of([exchange(text=ARABIC), exchange(text="Present.")]))
    assert re.findall('<div class="quote answer" dir="(...)">', answers) == ["rtl", "ltr"]


@pytest.fixture
def model(run: RunData, training_run: RunData) -> ReportModel:
    return reports.build([run, training_run])


@cache
def rendered(encoded: bytes) -> bytes:
    """The PDF of a model in JSON, once for all tests: it takes seconds."""
    return pdf.render(msgspec.json.decode(encoded, type=ReportModel))


@pytest.fixture
def document(model: ReportModel) -> bytes:
    return rendered(msgspec.json.encode(model))


def test_the_document_is_tagged_titled_and_says_its_language(document: bytes) -> None:
    reader, _ = read(document)
    catalog = reader.trailer["/Root"]
    assert catalog["/MarkInfo"]["/Marked"].value is True
    assert catalog["/Lang"] == "en"
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert reader.metadata is not None and reader.metadata.title == "FAIL: Evaluation report: legal/clauses"
    packet = catalog["/Metadata"].get_object().get_data().decode("utf-8")
    assert re.search(r'pdfuaid:part="1"|<pdfuaid:part>1<', packet)


def test_the_first_page_is_upright_and_says_the_decision(document: bytes) -> None:
    first = pypdf.PdfReader(io.BytesIO(document)).pages[0]
    assert first.mediabox.height > first.mediabox.width
    assert "Do not merge" in first.extract_text()


@pytest.mark.parametrize("suites", [1, 2, 3, 7, 9])
def test_the_summary_has_two_pages_with_decision_limits_and_signatures(write_run: Writer, suites: int) -> None:
    names = [SUITE, *(f"other/suite{number}" for number in range(1, suites))]
    metrics = make_metrics()
    verdicts = [msgspec.structs.replace(v, gate=f"{v.gate}-{i}") for i in range(3) for v in make_verdicts()]
    changed = {name: [msgspec.structs.replace(row, suite=name) for row in metrics.comparisons] for name in names}
    path = write_run(
        manifest=make_manifest(suites=[make_suite(name=name) for name in names]),
        metrics=msgspec.structs.replace(metrics, comparisons=[row for rows in changed.values() for row in rows]),
        verdicts=[msgspec.structs.replace(v, suite=name) for name in names for v in verdicts],
    )
    pages = pypdf.PdfReader(io.BytesIO(pdf.render(summary(reports.build([path]))))).pages
    texts = [page.extract_text() for page in pages]
    assert len(texts) <= 2
    whole = "".join(texts).replace("\n", "")
    assert "Do not merge" in texts[0] and names[-1] in whole
    assert "Limits" in whole and "Approved" in texts[-1]


@pytest.mark.parametrize("name", ["paragraphs", "paragraphs_alone"])
def test_the_summary_of_a_published_report_has_two_pages(name: str) -> None:
    model = msgspec.json.decode((EXAMPLES / name / "report.json").read_bytes(), type=ReportModel)
    assert len(pypdf.PdfReader(io.BytesIO(pdf.render(summary(model)))).pages) <= 2


def test_headings_follow_the_sections_and_become_bookmarks(model: ReportModel, document: bytes) -> None:
    reader, tree = read(document)
    found = [(e.kind, e.text) for e in tree.all(*HEADINGS)]
    levels = [int(kind[1]) for kind, _ in found]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert [text for kind, text in found if kind == "H2"] == [s.title for s in model.sections]
    top, below = reader.outline
    assert top.title == model.title
    assert [mark.title for mark in below if not isinstance(mark, list)] == [s.title for s in model.sections]


def test_every_drawing_is_a_figure_with_the_label_that_the_page_gives_it(model: ReportModel, document: bytes) -> None:
    _, tree = read(document)
    figures = [str(figure.entries.get("/Alt", "")) for figure in tree.all("Figure")]
    drawn = [block.title for section in model.sections for block in section.blocks if hasattr(block, "twin")]
    assert len(drawn) >= 3
    assert [alt[: len(title)] for alt, title in zip(figures, drawn, strict=True)] == drawn


def test_cells_are_tied_to_their_headings_and_tables_to_their_captions(model: ReportModel, document: bytes) -> None:
    _, tree = read(document)
    tables = list(tree.all("Table"))
    captions = {element.text for table in tables for element in table.all("Caption")}
    assert {t.caption for t in printed_tables(model)} <= captions
    for table in tables:
        ids = {str(head.entries["/ID"]) for head in table.all("TH")}
        for cell in (cell for part in table.all("TBody") for cell in part.all("TD")):
            tied = [str(name) for name in cell.entries["/A"]["/Headers"]]
            assert len(tied) >= 2 and set(tied) <= ids


def printed_tables(model: ReportModel) -> list[Table]:
    """Tables of the document in order; facts stand as tables of two columns."""
    blocks = [block for section in pdf.shortened(model).sections for block in section.blocks]
    return [b.twin if isinstance(b, Curve) else b for b in blocks if isinstance(b, (Table, Curve))]


def body(tree: Element) -> list[str]:
    """The text of every body cell, in reading order."""
    return [cell.text for part in tree.all("TBody") for row in part.all("TR") for cell in row.all("TH", "TD")]


def test_the_pdf_shows_the_same_numbers_as_the_model_behind_every_view(model: ReportModel, document: bytes) -> None:
    _, tree = read(document)
    blocks = [block for section in model.sections for block in section.blocks]
    expected: list[Cell] = []
    for block in blocks:
        if isinstance(block, Facts):
            expected += [cell for name, value in block.pairs for cell in (Cell(text=name), value)]
        elif isinstance(block, (Table, Curve)):
            table = block.twin if isinstance(block, Curve) else block
            expected += [cell for row in table.rows for cell in row]
    wanted = numbers([f"{cell.text} {cell.note}" for cell in expected])
    assert len(wanted) > 150
    assert numbers(body(tree)) == wanted


def test_one_model_gives_the_same_document_twice(model: ReportModel, document: bytes) -> None:
    assert pdf.render(model) == document


def test_hostile_texts_stand_as_text_and_nothing_in_the_document_acts() -> None:
    data = pdf.render(model_of([*ATTACKS, *random_texts(60)]))
    assert names(data) & ACTING == set()
    text = "".join(whole_text(data).split())
    for shown in ("<script>", "onerror", "javascript:", "⟨U+202E⟩", "⟨U+001B⟩", "⟨U+0000⟩", "{{7*7}}"):
        assert shown in text


def test_a_link_to_another_page_of_the_report_stays_on_the_page() -> None:
    rows = [[Cell(text="case-1", link="cases-0001.html#case-1"), Cell(text="worse")]]
    data = pdf.render(report_of([Table(caption="Cases", columns=["Case", "Reading"], rows=rows)]))
    assert names(data) & ACTING == set()
    assert "case-1" in whole_text(data)


def test_the_probe_sees_a_document_that_acts() -> None:
    made = '<html lang="en"><title>x</title><a href="https://evil.example">x</a></html>'
    assert {"/URI", "/Annots"} <= names(pdf.print_page(made))


class Bait(BaseHTTPRequestHandler):
    """Answers every request with a picture, and counts it."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def bait() -> Iterator[str]:
    """The address of a server that nobody may ask."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bait)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Bait.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def lures(bait: str, secret: Path) -> str:
    """Mark-up that asks for a server and for a file in every way that a page can."""
    return "".join(
        f'<img src="{at}" alt="x"><link rel=stylesheet href="{at}"><link rel=attachment href="{at}">'
        f'<object data="{at}"></object><embed src="{at}"><style>@import "{at}"; p {{ background: url("{at}") }}'
        f'@font-face {{ font-family: f; src: url("{at}") }} p {{ font-family: f }}</style>'
        f'<svg><image href="{at}"/><use href="{at}#x"/></svg>'
        for at in (f"{bait}/a.svg", bait.replace("http", "https") + "/b", secret.as_uri(), f"FILE://{secret}")
    )


def test_neither_a_server_nor_a_file_is_asked_even_where_nothing_is_escaped(
    bait: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg"><text y="9">hunter2</text></svg>')
    head, rest = pdf.page(model_of([*ATTACKS, lures(bait, secret)])).split("</head>")
    with caplog.at_level(logging.ERROR, logger="weasyprint"):
        data = pdf.print_page(f"{head}</head>{markup.unescape(rest)}{lures(bait, secret)}")
    assert Bait.asked == []
    assert "hunter2" not in whole_text(data)
    assert "/EmbeddedFiles" not in names(data)
    assert f"{secret}" in caplog.text and f"{bait}/a.svg" in caplog.text


def test_a_report_asks_weasyprint_for_nothing_that_it_refuses(
    model: ReportModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="weasyprint"):
        pdf.render(model)
    assert [record.getMessage() for record in caplog.records if record.name == "weasyprint"] == []


def test_long_texts_are_cut_and_say_so() -> None:
    cases: list[Text | Facts | Table | Exchange] = [exchange(text="x" * 3001, findings=20), Text(text="y" * 4000)]
    (section,) = pdf.shortened(report_of(cases)).sections
    case, text = section.blocks
    (answer,) = case.answers
    said = "".join(piece.text for piece in answer.pieces)
    assert said == "x" * 3000 + " […] (first 3,000 of 3,001 characters; report.html shows the whole text)"
    assert answer.findings[-1] == "Left out here: 8 findings. report.html shows all of them."
    assert text.text == "y" * 3000 + " […] (first 3,000 of 4,000 characters; report.html shows the whole text)"


def test_all_cases_and_answers_of_the_longest_length_are_kept() -> None:
    cases = [exchange(number=number, text="x" * 3000, findings=12) for number in range(5)]
    (section,) = pdf.shortened(report_of([*cases])).sections
    assert section.blocks == cases


def test_a_megabyte_on_one_line_is_a_short_document() -> None:
    reader, _ = read(pdf.render(report_of([exchange(text="x" * 1_000_000), Text(text="y" * 1_000_000)])))
    assert len(reader.pages) <= 4
    assert "first 3,000 of 1,000,000 characters" in " ".join(page.extract_text() for page in reader.pages)


def test_a_long_word_in_a_table_stays_on_the_page() -> None:
    rows = [[Cell(text="name"), Cell(text="W" * 900), Cell(text="3")]]
    data = pdf.render(report_of([Table(caption="c", columns=["a", "b", "c"], rows=rows, numeric=[2])]))
    reader, tree = read(data)
    assert body(tree)[1].replace(" ", "") == "W" * 900
    width = float(reader.pages[0].mediabox.width)
    places: list[float] = []
    reader.pages[0].extract_text(visitor_text=lambda text, cm, tm, *_: places.append(tm[4] * cm[0] + cm[4]))
    assert min(places) >= 0 and max(places) < width


def test_the_command_writes_the_pdf_only_where_it_is_asked_for(write_run: Writer) -> None:
    path = write_run()
    assert CliRunner().invoke(main.app, ["report", str(path)]).exit_code == 0
    assert not (path / "report" / "report.pdf").exists()
    done = CliRunner().invoke(main.app, ["report", str(path), "--pdf"])
    assert done.exit_code == 0, done.output
    assert f"report: {path / 'report' / 'report.pdf'}" in done.output
    assert (path / "report" / "report.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_without_weasyprint_one_line_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, run: RunData, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[pdf\]'"):
        reports.write(reports.build([run]), tmp_path / "out", with_pdf=True)
    assert not (tmp_path / "out").exists()


def test_without_pango_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weasyprint.py").write_text("print('a long text')\nraise OSError(\"cannot load library 'pango'\")\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match="apt install libpango") as caught:
        pdf.render(report_of([]))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
