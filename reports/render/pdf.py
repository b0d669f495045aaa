"""The report as a tagged PDF for paper, archive and screen reader. Places what the page's templates place.

WeasyPrint takes an inline drawing's label for nothing, but an image's `alt` for its alternative text, so each drawing
becomes an image. It may fetch nothing: neither a server nor a file is asked, whatever a text in the report says.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec
from markupsafe import escape

from harness.errors import MissingExtra, UserError
from reports import sentences, wording
from reports.model import Answer, Block, Cell, Exchange, Facts, Kind, Piece, ReportModel, Table, Text
from reports.render import html

MOST_CASES: dict[Kind, int] = {"regression": 5, "gain": 3, "fabrication": 3, "error": 3, "wrong": 3, "unchanged": 1}
"""Most cases of a kind that follow each other."""
MOST_CHARACTERS = 3000
"""Longest text in code points; the pieces of an answer count together."""
MOST_FINDINGS = 12
"""Most findings that one answer names."""


def shortened(model: ReportModel) -> ReportModel:
    """The same sections, tables and numbers; cases, findings and text beyond the limits are left to report.html."""
    sections = [msgspec.structs.replace(s, blocks=list(_blocks(s.blocks))) for s in model.sections]
    made: ReportModel = _cut(msgspec.structs.replace(model, sections=sections))
    return made


def _blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks in order; of cases of one kind in a row the first few, then a sentence on the others."""
    for kind, group in groupby(blocks, key=lambda block: block.kind if isinstance(block, Exchange) else None):
        if kind is None:
            yield from map(_plain, group)
            continue
        cases = list(group)
        yield from cases[: MOST_CASES[kind]]
        if left := cases[MOST_CASES[kind] :]:
            yield Text(text=wording.left_out(len(left), sentences.NOUNS[kind]), tone="muted")


def _plain(block: Block) -> Block:
    """Facts as a table of two columns: a list of terms has no place in the structure of a tagged PDF."""
    if not isinstance(block, Facts):
        return block
    rows = [[Cell(text=name), cell] for name, cell in block.pairs]
    return Table(caption=block.caption, columns=["What", "Value"], rows=rows)


def _cut(part: Any) -> Any:
    """Any part of a model with its long texts cut."""
    if isinstance(part, str):
        over = len(part) > MOST_CHARACTERS
        return part[:MOST_CHARACTERS] + wording.cut(MOST_CHARACTERS, len(part)) if over else part
    if isinstance(part, (list, tuple)):
        return type(part)(map(_cut, part))
    if isinstance(part, Answer):
        part = msgspec.structs.replace(part, pieces=list(_pieces(part.pieces)), findings=_findings(part.findings))
    if isinstance(part, msgspec.Struct):
        return msgspec.structs.replace(part, **{name: _cut(getattr(part, name)) for name in part.__struct_fields__})
    return part


def _pieces(pieces: list[Piece]) -> Iterator[Piece]:
    """Pieces until their texts together reach the limit; the last one says how much is shown."""
    whole, room = sum(len(piece.text) for piece in pieces), MOST_CHARACTERS
    for piece in pieces:
        yield msgspec.structs.replace(piece, text=piece.text[:room])
        room -= len(piece.text)
        if room < 0:
            yield Piece(text=wording.cut(MOST_CHARACTERS, whole))
            return


def _findings(findings: list[str]) -> list[str]:
    left = len(findings) - MOST_FINDINGS
    return findings if left <= 0 else [*findings[:MOST_FINDINGS], wording.left_out(left, "finding")]


DRAWING = re.compile(r'<svg\b(?P<head>[^>]*? aria-label="(?P<label>[^"]*)"[^>]*)>(?P<body>.*?)</svg>', re.DOTALL)
ROOT = re.compile(r":root \{(.*?)\}", re.DOTALL)
VARIABLE = re.compile(r"--([\w-]+): ([^;]+);")
USE = re.compile(r"var\(--([\w-]+)\)")
OF_DRAWINGS = re.compile(r"^svg[^{@]*\{[^}]*\}", re.MULTILINE)


def render(model: ReportModel) -> bytes:
    """The whole document as PDF/UA-1. Raises MissingExtra or UserError where WeasyPrint or pango is missing."""
    return print_page(page(shortened(model)))


def page(model: ReportModel) -> str:
    """The document before it is laid out: no link, no script, every drawing an image."""
    drawn, rules = html.drawings(model)
    screen = (html.HERE / "style.css").read_text("utf-8")
    colours = _print_variables(screen)
    style = _resolved((html.HERE / "pdf.css").read_text("utf-8"), colours)
    inside = _resolved("\n".join(OF_DRAWINGS.findall(screen)) + "\n" + rules, colours)
    made = html.environment().get_template("pdf.html.jinja").render(model=model, style=style, curves=drawn)
    return DRAWING.sub(lambda drawing: _image(drawing, inside), made)


def print_page(made: str) -> bytes:
    """Lay out a page; only addresses that hold their own data are followed."""
    weasyprint = _weasyprint()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols={"data"})
    document = weasyprint.HTML(string=made, base_url=None, url_fetcher=fetcher)
    printed: bytes = document.write_pdf(pdf_variant="pdf/ua-1")
    return printed


def _weasyprint() -> Any:
    """WeasyPrint, or one line on what is missing; what it prints itself about a missing library is dropped."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import weasyprint
    except ImportError:
        raise MissingExtra("The PDF of a report", "weasyprint", "pdf") from None
    except OSError as error:
        raise UserError(
            f"The PDF of a report needs the system library pango, which WeasyPrint could not load ({error}). "
            "Install it (Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; "
            "macOS: brew install pango), or leave --pdf out"
        ) from None
    return weasyprint


def _print_variables(screen: str) -> dict[str, str]:
    """The style sheet's variables as they stand in print: its first block of them, overruled by its last."""
    blocks = [dict(VARIABLE.findall(block)) for block in ROOT.findall(screen)]
    return blocks[0] | blocks[-1]


def _resolved(style: str, variables: dict[str, str]) -> str:
    """A style sheet without variables, which WeasyPrint does not know inside drawings."""
    return USE.sub(lambda use: variables[use[1]], style)


def _image(drawing: re.Match[str], rules: str) -> str:
    """A drawing with its rules inside, as an image whose alternative text is the drawing's label."""
    whole = f"<svg{drawing['head']}><style>{escape(rules)}</style>{drawing['body']}</svg>"
    data = base64.b64encode(whole.encode("utf-8")).decode("ascii")
    return f'<img alt="{drawing["label"]}" src="data:image/svg+xml;base64,{data}">'
