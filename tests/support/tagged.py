"""Reads a tagged PDF back as a tree of elements with the text that each one marks."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ContentStream, IndirectObject

PAIR = re.compile(r"<([0-9a-fA-F]{4})> <([0-9a-fA-F]+)>")


@dataclass(frozen=True)
class Element:
    """An element of the structure: its kind (`Table`, `H1` ...), its own entries and what is inside it."""

    kind: str
    entries: dict[str, Any]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, its lines joined by spaces."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())

    def all(self, *kinds: str) -> Iterator[Element]:
        """Every element inside of these kinds, in reading order."""
        for child in self.children:
            if isinstance(child, Element):
                if child.kind in kinds:
                    yield child
                yield from child.all(*kinds)


def read(data: bytes) -> tuple[PdfReader, Element]:
    """A PDF and its structure."""
    reader = PdfReader(io.BytesIO(data))
    marked = {page.indirect_reference.idnum: _marked(page, reader) for page in reader.pages if page.indirect_reference}
    return reader, _element(reader.trailer["/Root"]["/StructTreeRoot"], marked, 0)


def whole_text(data: bytes) -> str:
    """The text of all pages as any reader extracts it."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


def names(data: bytes) -> set[str]:
    """Every name that stands as a key or a value in any object of the file: `/URI`, `/JavaScript`, `/Annots`."""
    reader = PdfReader(io.BytesIO(data))
    found: set[str] = set()
    waiting: list[Any] = [reader.get_object(IndirectObject(n, 0, reader)) for n in reader.xref[0] or {}]
    waiting += [reader.get_object(IndirectObject(n, 0, reader)) for n in reader.xref_objStm]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found |= {str(key) for key in part}
            waiting += dict.values(part)
        elif isinstance(part, list):
            waiting += list.__iter__(part)
        elif isinstance(part, str) and part.startswith("/"):
            found.add(part)
    return found


def _element(node: Any, marked: dict[int, dict[int, str]], page: int) -> Element:
    page = node.raw_get("/Pg").idnum if "/Pg" in node else page
    kids = node.get("/K", [])
    made = Element(str(node.get("/S", "/Root"))[1:], dict(node))
    for kid in kids if isinstance(kids, list) else [kids]:
        found = kid.get_object() if isinstance(kid, IndirectObject) else kid
        if isinstance(found, dict):
            made.children.append(_element(found, marked, page))
        else:
            made.children.append(marked[page].get(int(found), ""))
    return made


def _marked(page: Any, reader: PdfReader) -> dict[int, str]:
    """Text of a page by the number of its marked content."""
    fonts = {name: _unicode(font.get_object()) for name, font in page["/Resources"]["/Font"].items()}
    found: dict[int, str] = {}
    open_: list[int | None] = []
    font: dict[int, str] = {}
    for operands, operator in ContentStream(page.get_contents(), reader).operations:
        if operator in (b"BDC", b"BMC"):
            open_.append(operands[1].get("/MCID") if operator == b"BDC" else None)
        elif operator == b"EMC":
            open_.pop()
        elif operator == b"Tf":
            font = fonts[operands[0]]
        elif operator in (b"Tj", b"TJ") and open_ and open_[-1] is not None:
            parts = operands[0] if operator == b"TJ" else operands
            text = "".join(_decoded(part, font) for part in parts if isinstance(part, (bytes, str)))
            found[open_[-1]] = found.get(open_[-1], "") + text
    return found


def _decoded(part: bytes | str, font: dict[int, str]) -> str:
    raw = part if isinstance(part, bytes) else part.original_bytes  # type: ignore[attr-defined]
    return "".join(font.get(int.from_bytes(raw[i : i + 2], "big"), "") for i in range(0, len(raw), 2))


def _unicode(font: Any) -> dict[int, str]:
    """What each glyph of a font stands for."""
    listed = font["/ToUnicode"].get_object().get_data().decode("ascii")
    pairs = PAIR.findall(listed.split("endcodespacerange")[1])
    return {int(glyph, 16): bytes.fromhex(text).decode("utf-16-be") for glyph, text in pairs}
