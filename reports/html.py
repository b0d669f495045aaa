"""The report as one HTML file: no script, no request, one hashed style sheet. Places what the model says.

Two layers keep untrusted text inert: every value is escaped with hidden characters made visible, and the content
policy allows nothing but the one style sheet.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from harness import visible
from harness.errors import MissingExtra
from reports import charts, drawing, words
from reports.model import Curve, Piece, ReportModel

HERE = Path(__file__).parent


def render(model: ReportModel) -> str:
    """The whole page."""
    drawn, rules = _curves(model)
    style = (HERE / "style.css").read_text("utf-8") + rules
    page = _environment().get_template("report.html.jinja")
    return page.render(model=model, style=Markup(style), csp=policy(style), curves=drawn) + "\n"


def policy(style: str) -> str:
    """A content policy that lets through one style sheet and nothing else; the hash is of its exact text."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def text(value: Any) -> Any:
    """A string escaped, with hidden characters as highlighted names; anything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return Markup("").join(
        Markup('<span class="hidden-character">{}</span>').format(part) if hidden else escape(part)
        for part, hidden in visible.split(value)
    )


def attribute(value: str) -> Markup:
    """A string for the inside of a quoted attribute."""
    return escape(visible.shown(value))


def runs(pieces: list[Piece]) -> list[tuple[str, list[Piece]]]:
    """Neighbouring pieces of one kind of change together."""
    return [(change, list(group)) for change, group in groupby(pieces, key=lambda piece: piece.change)]


def _curves(model: ReportModel) -> tuple[dict[str, Markup], str]:
    """SVG by curve id and the rules they need; a curve is left to its table where matplotlib is missing."""
    drawn: dict[str, Markup] = {}
    rules = ""
    for block in (b for section in model.sections for b in section.blocks if isinstance(b, Curve)):
        try:
            svg, css = charts.draw(block)
        except MissingExtra:
            continue
        drawn[block.id] = Markup(svg)
        rules += css
    return drawn, rules


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["attribute"] = attribute
    environment.globals.update(
        symbols=words.SYMBOLS,
        outcome=words.outcome,
        variant=words.variant,
        draw=drawing.svg,
        glyph=drawing.glyph,
        legend=drawing.legend,
        runs=runs,
        kind=lambda block: type(block).__name__.lower(),
    )
    return environment
