"""Documents that a table names: what real writers wrote is read in its order, and what cannot be read is named."""

import sys
from pathlib import Path

import docx
import pypdf
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from openpyxl import Workbook

from harness.errors import UserError
from harness.suites.cases import load_cases
from harness.suites.workbooks import OLE
from harness.tabular.documents import document_text, named_document
from tests.support.command import outcome
from tests.support.mini import rows as mini_rows
from tests.support.mini import write_suite


def contract(path: Path) -> Path:
    """Paragraphs around a table with merged cells, a tab stop, a tracked change, and a content control."""
    file = docx.Document()
    file.add_heading("Lease")
    paragraph = file.add_paragraph("Rent:\t$900")
    paragraph.paragraph_format.tab_stops.add_tab_stop(914400)
    paragraph.add_run().add_break()
    paragraph.add_run("per month").bold = True
    table = file.add_table(2, 3)
    for cell, text in zip(table._cells, ("Party", "Role", "", "Mill\n& Sons", "Tenant", "x"), strict=True):
        cell.text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    last = file.add_paragraph("The tenant ")
    changes = (
        "<w:del {0}><w:r><w:delText>may not </w:delText></w:r></w:del>",
        "<w:ins {0}><w:r><w:t>may</w:t></w:r></w:ins>",
    )
    for change in changes:
        last._p.append(parse_xml(change.format(f'{nsdecls("w")} w:id="1" w:author="A"')))
    last.add_run(" assign.")
    control = f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:r><w:t>Signed</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    last._p.addnext(parse_xml(control))
    file.save(str(path))
    return path


def test_a_word_document_is_read_in_the_order_of_its_paragraphs_and_tables(tmp_path: Path) -> None:
    assert document_text(contract(tmp_path / "a.docx")).splitlines() == [
        "Lease",
        "Rent:\t$900",
        "per month",
        "Party | Role",
        "Mill & Sons | Tenant | x",
        "The tenant may assign.",
        "Signed",
    ]


def scan(path: Path) -> Path:
    """A page that is an image, as a scanner writes it."""
    from PIL import Image

    Image.new("L", (60, 80), 128).save(path, "PDF")
    return path


def pages(path: Path) -> Path:
    """Two pages with a text layer."""
    weasyprint = pytest.importorskip("weasyprint", exc_type=OSError)
    weasyprint.HTML(string="<p>Rent is $900.</p><p style='break-before: page'>Signed</p>").write_pdf(path)
    return path


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    assert document_text(pages(tmp_path / "a.pdf")).split("\n") == ["Rent is $900.", "Signed"]


def test_a_pdf_without_a_text_layer_names_its_pages(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.pdf: has pages that are images without a text layer: 1\. Run text recog"):
        document_text(scan(tmp_path / "a.pdf"))
    writer = pypdf.PdfWriter(pages(tmp_path / "b.pdf"))
    writer.append(scan(tmp_path / "a.pdf"))
    writer.write(tmp_path / "c.pdf")
    with pytest.raises(UserError, match=r"images without a text layer: 3\."):
        document_text(tmp_path / "c.pdf")


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_an_encrypted_pdf_is_one_line(tmp_path: Path, algorithm: str) -> None:
    writer = pypdf.PdfWriter(scan(tmp_path / "a.pdf"))
    writer.encrypt("secret", algorithm=algorithm)
    writer.write(tmp_path / "b.pdf")
    with pytest.raises(UserError, match=r"b\.pdf: is encrypted\. Save a copy without a password"):
        document_text(tmp_path / "b.pdf")


@pytest.mark.parametrize(("name", "content", "said"), [
    ("a.doc", OLE, r"a\.doc: is of a kind that is not read\. Expected a \.docx, \.pdf or \.txt file: save it as one"),
    ("a.docx", OLE + bytes(600), r"has a password, or is an old \.doc file by another name\. Save it as \.docx"),
    ("a.docx", b"%PDF-1.7", r"its content is not that of a \.docx file\. Save it again as \.docx"),
    ("a.docx", b"PK\x03\x04", r"its content is not that of a \.docx file"),
    ("a.pdf", b"PK\x03\x04", r"its content is not that of a \.pdf file"),
    ("a.pdf", b"%PDF-1.7 and no more", r"a\.pdf: cannot be read: .*Save it again"),
    ("a.txt", b" \n", "has no text. Leave the row out"),
    ("a.txt", "é".encode("latin-1"), "is not UTF-8: byte 0xE9"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as refused:
        document_text(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_an_empty_document_and_a_workbook_by_the_name_of_one_are_one_line(tmp_path: Path) -> None:
    docx.Document().save(str(tmp_path / "a.docx"))
    with pytest.raises(UserError, match="has no text"):
        document_text(tmp_path / "a.docx")
    Workbook().save(tmp_path / "b.docx")
    with pytest.raises(UserError, match=r"its content is not that of a \.docx file"):
        document_text(tmp_path / "b.docx")


@pytest.mark.parametrize(("name", "package"), [("a.docx", "docx"), ("a.pdf", "pypdf")])
def test_without_its_package_a_document_is_one_line(tmp_path: Path, monkeypatch, name: str, package: str) -> None:
    contract(tmp_path / name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"needs the package .*pip install '\.\[tables\]'"):
        document_text(tmp_path / name)


def test_a_table_names_only_documents_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("mine")
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "link.txt").symlink_to(tmp_path / "secret.txt")
    for name in ("../secret.txt", str(tmp_path / "secret.txt"), "link.txt"):
        with pytest.raises(UserError, match="is outside the table's folder"):
            named_document(name, tmp_path / "table")
    with pytest.raises(UserError, match="cannot be read"):
        named_document("a\0.txt", tmp_path / "table")


# ---- the commands


@pytest.fixture
def tunegate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command beside a small suite and a workbook `leases/list.xlsx` that names documents next to it."""
    write_suite(tmp_path, mini_rows(4))
    monkeypatch.chdir(tmp_path)
    Path("leases/files").mkdir(parents=True)
    contract(Path("leases/files/mill.docx"))
    Path("leases/files/oak.txt").write_text("As is.\r\n")
    book = Workbook()
    for row in (
        ("no", "file", "answer", "sort"),
        (1, "files/mill.docx", "assignment", "lease"),
        (2, "files/oak.txt", "as is", "deed"),
    ):
        book.active.append(row)
    book.create_sheet("Notes")["A1"] = "Ask Oak"
    book.save("leases/list.xlsx")
    return outcome


WORDS = ("leases/list.xlsx", "--sheet", "Sheet", "--input-file", "document=file")
IMPORT = ("cases", "import", *WORDS, "--into", "legal/mini", "--id", "no", "--expected", "answer")
IMPORT += ("--tag", "instrument=sort", "--replace")
ROWS = ("data", "rows", *WORDS, "--suite", "evalsuites/legal/mini", "--answer", "answer", "--out", "rows.jsonl")


@pytest.mark.slow
def test_a_sheet_that_names_contracts_becomes_cases_and_training_rows(tunegate) -> None:
    code, out, err = tunegate(*IMPORT)
    assert code == 0, err
    first, second = load_cases(Path("evalsuites/legal/mini/cases.jsonl"))
    assert (first.id, first.expected) == ("1", ["assignment"]) and "Mill & Sons | Tenant | x" in first.document
    assert second.document == "As is.\n"
    code, out, err = tunegate(*ROWS)
    assert code == 0 and "2 rows" in out, err
    assert "The tenant may assign." in Path("rows.jsonl").read_text("utf-8")


@pytest.mark.parametrize("words", [IMPORT, ROWS])
def test_a_document_that_cannot_be_read_is_a_bad_row(tunegate, words) -> None:
    before = Path("evalsuites/legal/mini/cases.jsonl").read_bytes()
    Path("leases/files/oak.txt").rename("leases/files/oak.md")
    code, _, err = tunegate(*words)
    assert code == 4 and "1 of 2 rows cannot be" in err
    assert "row 3: 'file': leases/files/oak.txt: cannot be read (No such file or directory)" in err
    assert Path("evalsuites/legal/mini/cases.jsonl").read_bytes() == before and not Path("rows.jsonl").exists()


@pytest.mark.parametrize(("words", "said"), [
    ((*IMPORT, "--input", "document=file"), "--input and --input-file both name 'document'"),
    ((*IMPORT[:5], *IMPORT[7:]), "no column for the prompt. Name one with --input NAME=COLUMN, or --input-file"),
    (("cases", "import", "hf:a/b", *IMPORT[5:]), "--input-file reads documents next to a table on this machine"),
    ((*IMPORT[:3], *IMPORT[5:]), "list.xlsx: has the sheets 'Sheet', 'Notes'. Name one with --sheet"),
])  # fmt: skip
def test_a_mistake_is_one_line(tunegate, words, said: str) -> None:
    code, _, err = tunegate(*words)
    assert code == 4 and said in err and len(err.strip().splitlines()) == 1
