"""Render the report as a tagged PDF for paper, archive and screen readers.

WeasyPrint ignores the label of inline SVG but uses the `alt` of an image as alternative text, so each chart becomes an
image. It may fetch nothing, neither from a server nor from a file, whatever the report's text contains.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from markupsafe import escape

from harness.errors import MissingExtra, UserError
from reports import wording
from reports.model import Answer, Block, Cell, Facts, Piece, ReportModel, Table
from reports.render import html

MOST_CHARACTERS = 3000
"""Longest text in code points; the pieces of an answer count together."""
MOST_FINDINGS = 12
"""Most findings shown of one answer."""


def shortened(model: ReportModel) -> ReportModel:
    """Shorten a report: keep sections, tables and numbers; drop findings and text beyond the limits."""
    sections = [msgspec.structs.replace(s, blocks=list(map(_plain, s.blocks))) for s in model.sections]
    short: ReportModel = _cut(msgspec.structs.replace(model, sections=sections))
    return short


def _plain(block: Block) -> Block:
    """Turn facts into a table of two columns: a tagged PDF has no structure for a list of terms."""
    if not isinstance(block, Facts):
        return block
    rows = [[Cell(text=name), cell] for name, cell in block.pairs]
    return Table(caption=block.caption, columns=["What", "Value"], rows=rows)


def _cut(part: Any) -> Any:
    """Truncate the long texts in any part of a model."""
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
    """Yield pieces until their texts reach the limit; the last one says how much is shown."""
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
    """Render the report as PDF/UA-1. Raises MissingExtra or UserError where WeasyPrint or pango is missing."""
    return print_page(page(shortened(model)))


def page(model: ReportModel) -> str:
    """Render the HTML to print: no link, no script, every chart an image."""
    drawn, rules = html.drawings(model)
    screen = (html.HERE / "style.css").read_text("utf-8")
    colours = _print_variables(screen)
    style = _resolved((html.HERE / "pdf.css").read_text("utf-8"), colours)
    inside = _resolved("\n".join(OF_DRAWINGS.findall(screen)) + "\n" + rules, colours)
    document = html.environment().get_template("pdf.html.jinja").render(model=model, style=style, curves=drawn)
    return DRAWING.sub(lambda drawing: _image(drawing, inside), document)


def print_page(text: str) -> bytes:
    """Lay out a page; only `data:` addresses are loaded."""
    weasyprint = _weasyprint()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols={"data"})
    document = weasyprint.HTML(string=text, base_url=None, url_fetcher=fetcher)
    printed: bytes = document.write_pdf(pdf_variant="pdf/ua-1")
    return printed


def _weasyprint() -> Any:
    """Import WeasyPrint, without what it prints about a missing library.

    Raises MissingExtra where it is not installed, and UserError where pango is missing.
    """
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
    """Return the style sheet's variables for print: its first block of them, overridden by its last."""
    blocks = [dict(VARIABLE.findall(block)) for block in ROOT.findall(screen)]
    return blocks[0] | blocks[-1]


def _resolved(style: str, variables: dict[str, str]) -> str:
    """Resolve the variables of a style sheet: WeasyPrint does not support them inside SVG."""
    return USE.sub(lambda use: variables[use[1]], style)


def _image(drawing: re.Match[str], rules: str) -> str:
    """Turn a chart and its style rules into an image with the chart's label as alternative text."""
    whole = f"<svg{drawing['head']}><style>{escape(rules)}</style>{drawing['body']}</svg>"
    data = base64.b64encode(whole.encode("utf-8")).decode("ascii")
    return f'<img alt="{drawing["label"]}" src="data:image/svg+xml;base64,{data}">'
