"""The report as a tagged PDF for paper, archive and screen reader. Places what the page's templates place.

WeasyPrint takes an inline drawing's label for nothing, but an image's `alt` for its alternative text, so each drawing
becomes an image. It may fetch nothing: neither a server nor a file is asked, whatever a text in the report says.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
from typing import Any

from markupsafe import escape

from harness.errors import MissingExtra, UserError
from reports import html
from reports.model import ReportModel
from reports.shortened import shortened

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
