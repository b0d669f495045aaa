"""Read the text of the Word, PDF and text files that the cells of a table name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import UserError, extra_needed_by, first_line
from harness.files import read_text, size_of
from harness.formatting import first_few
from harness.suites.workbooks import refuse_other_content

EXPECTED = "Expected a .docx, .pdf or .txt file"
OCR = "Run text recognition (OCR) on it, and name the result"
BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
"""Elements of a Word document that stand for a character."""
UNREAD = {"pPr", "rPr", "tblPr", "trPr", "tcPr", "sectPr", "del", "moveFrom", "Fallback"}
"""Formats (whose tab stops are no tabs), deleted and moved text, and second copies of text boxes."""


def named_document(name: str, folder: Path) -> str:
    """Return the text of a file that a table names, below the table's folder. Raises UserError."""
    path = folder / name
    size_of(path, EXPECTED)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{name!r} is outside the table's folder. Move it next to the table, or into a folder there")
    return document_text(path)


def document_text(path: Path) -> str:
    """Return the text of a document in reading order. Raises UserError for a file without text or of another kind."""
    if path.suffix.lower() not in READERS:
        raise UserError(f"{path.name}: is of a kind that is not read. {EXPECTED}: save it as one of them")
    size_of(path, EXPECTED)
    return _text(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _text(path: Path, changed: int) -> str:
    """Read a document once, although a table may name it in many rows; `changed` is its time."""
    try:
        text = READERS[path.suffix.lower()](path)
    except UserError:
        raise
    except Exception as error:  # A damaged file raises many types.
        raise UserError(f"{path.name}: cannot be read: {first_line(error)[:120]}. Save it again") from None
    if not text.strip():
        raise UserError(f"{path.name}: has no text. {OCR if path.suffix.lower() == '.pdf' else 'Leave the row out'}")
    return text


def _of_word(path: Path) -> str:
    """Read paragraphs and tables in their order; a row of a table is a line, with ` | ` between its cells."""
    with extra_needed_by("reading .docx files", "tables", "python-docx"):
        import docx
    refuse_other_content(path, "word/")
    return _inside(docx.Document(str(path)).element.body)


def _inside(element: Any) -> str:
    """Return the text in an element of WordprocessingML, as if all tracked changes were accepted."""
    name = str(element.tag).rpartition("}")[2]
    if name in UNREAD:
        return ""
    if name == "t":
        return element.text or ""
    parts = [_inside(child) for child in element]
    if name == "tr":
        return " | ".join(" ".join(part.split()) for part in parts if part) + "\n"
    return BREAKS.get(name, "") + "".join(parts) + ("\n" if name == "p" else "")


def _of_pdf(path: Path) -> str:
    """Read the text layer, page by page."""
    with extra_needed_by("reading .pdf files", "tables", "pypdf"):
        import pypdf
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # It warns of every fault that it corrects.
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            raise UserError(f"{path.name}: its content is not that of a .pdf file. Save it again as .pdf")
        reader = pypdf.PdfReader(file)
        try:
            pages = list(reader.pages)
            texts = [page.extract_text() for page in pages]
        except (pypdf.errors.FileNotDecryptedError, pypdf.errors.DependencyError):
            raise UserError(f"{path.name}: is encrypted. Save a copy without a password") from None
        scanned = [str(n) for n, page in enumerate(pages, 1) if not texts[n - 1].strip() and len(page.images)]
    if scanned:
        raise UserError(f"{path.name}: has pages that are images without a text layer: {first_few(scanned, 8)}. {OCR}")
    return "\n".join(texts)


READERS: dict[str, Callable[[Path], str]] = {
    ".docx": _of_word,
    ".pdf": _of_pdf,
    ".txt": lambda path: read_text(path, EXPECTED),
}
