"""Render the report as one HTML file that loads nothing, and its pages of further cases.

Two layers keep untrusted text inert: every value is escaped with hidden characters made visible, and the content
policy allows only the one style sheet and the one script, by their hashes. The script marks the current place in the
navigation and filters cases; without it a page is complete.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from msgspec import Struct

from harness import sanitize
from harness.errors import MissingExtra
from reports import sentences, wording
from reports.cases.pages import REPORT, SUMMARY
from reports.charts import curves
from reports.model import CasePage, Curve, Exchange, Facets, Intervals, ReportModel, Section, Table


class Filters(Struct, frozen=True, kw_only=True):
    """The filters of a page."""

    choices: list[tuple[str, str, list[tuple[str, str]]]]
    """Label and name of each filter with its values: their token in the page and in the address, and their label."""
    tokens: dict[str, str]
    """Tokens of suites and slices, by their text."""

    def of(self, facets: Facets) -> str:
        """Return the tokens of one case."""
        return " ".join([*facets.kinds, *(self.tokens[text] for text in (facets.suite, *facets.slices))])


def filters_of(sections: Sequence[Section]) -> Filters | None:
    """Collect the filters for the cases of these sections; None where they show no case."""
    blocks = [block for section in sections for block in section.blocks if isinstance(block, (Exchange, Table))]
    if not any(isinstance(block, Exchange) and block.facets for block in blocks):
        return None
    of_blocks = (block.cases if isinstance(block, Table) else [block.facets] for block in blocks)
    present = [facets for of_block in of_blocks for facets in of_block if facets]
    kinds = {kind for facets in present for kind in facets.kinds}
    suites = list(dict.fromkeys(facets.suite for facets in present))
    slices = sorted({text for facets in present for text in facets.slices})
    tokens = _tokens([*suites, *slices])
    choices: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("Show", "kind", [(kind, words.several) for kind, words in sentences.KINDS.items() if kind in kinds]),
        ("Suite", "suite", [(tokens[text], text) for text in suites] if len(suites) > 1 else []),
        ("Slice", "slice", [(tokens[text], text) for text in slices]),
    ]
    return Filters(choices=[choice for choice in choices if choice[2]], tokens=tokens)


def _tokens(texts: Sequence[str]) -> dict[str, str]:
    """Return one token per text; texts that differ only in punctuation get a digest."""
    texts = list(dict.fromkeys(texts))
    times = Counter(wording.slug(text) for text in texts)
    return {text: _token(text, times[wording.slug(text)] > 1) for text in texts}


def _token(text: str, is_shared: bool) -> str:
    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:6]
    return f"in-{wording.slug(text)}" + (f"-{digest}" if is_shared else "")


HERE = Path(__file__).parent
OPENED = 2
"""Cases that are expanded at first."""
LINK = re.compile(r"(cases-\d{4}\.html|report\.html)?(#[a-z0-9-]+)?")
"""The addresses that a report may link to: a file next to it, a place in it."""


def render(model: ReportModel, other: tuple[str, str] = (SUMMARY, "Two-page summary")) -> str:
    """Render a report or its summary, with a link to the `other` of them: file and text."""
    charts, rules = drawings(model, narrow=True)
    return _page("report.html.jinja", model.sections, rules, model=model, curves=charts, other=other)


def page(case_page: CasePage) -> str:
    """Render a page of further cases."""
    return _page("cases.html.jinja", case_page.sections, "", model=case_page, curves={})


def _page(template: str, sections: Sequence[Section], rules: str, **values: Any) -> str:
    style = (HERE / "style.css").read_text("utf-8") + rules
    filters = filters_of(sections)
    script = "".join((HERE / name).read_text("utf-8") for name in ("place.js", *(["filter.js"] if filters else [])))
    blocks = [block for section in sections for block in section.blocks]
    shown = [block for block in blocks if isinstance(block, Exchange)]
    page_values = {
        "style": Markup(style),
        "script": Markup(script),
        "csp": policy(style, script),
        "is_page": True,
        "bare": {b.twin for b in blocks if isinstance(b, Intervals) and b.id not in values["curves"]},
        "filters": filters,
        "parts": [(has, list(group)) for has, group in groupby(sections, key=has_cases)],
        "opened": shown[:OPENED],
        "neighbours": _neighbours(shown),
    }
    return environment().get_template(template).render(**page_values, **values) + "\n"


def policy(style: str, script: str = "", rest: str = "base-uri 'none'; form-action 'none'") -> str:
    """Return a content policy that allows one style sheet and at most one script, by the hashes of their exact text."""
    allowed = [f"style-src {_hash(style)}", *([f"script-src {_hash(script)}"] if script else [])]
    return f"default-src 'none'; {'; '.join(allowed)}; {rest}"


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _neighbours(shown: Sequence[Exchange]) -> dict[str, tuple[str, str]]:
    """Return the anchors of the cases before and after each case; empty at either end."""
    anchors = ["", *(block.anchor for block in shown), ""]
    return {own: (before, after) for before, own, after in zip(anchors, anchors[1:], anchors[2:], strict=False)}


def groups(items: Iterable[Any], name: str) -> list[tuple[Any, list[Any]]]:
    """Group neighbouring items by their attribute `name`."""
    return [(value, list(group)) for value, group in groupby(items, key=attrgetter(name))]


def has_cases(section: Section) -> bool:
    """Tell whether a section shows whole cases."""
    return any(isinstance(block, Exchange) for block in section.blocks)


def address(link: str) -> str:
    """Return a link into this report unchanged; empty for any other."""
    return link if LINK.fullmatch(link) else ""


def text(value: Any) -> Any:
    """Escape a string, with hidden characters as highlighted names; return anything else unchanged."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    parts = list(sanitize.split(value))
    if len(parts) == 1 and not parts[0][1]:
        return escape(parts[0][0])
    return Markup("").join(
        Markup('<span class="hidden-character">{}</span>').format(part) if hidden else escape(part)
        for part, hidden in parts
    )


def attribute(value: str) -> Markup:
    """Escape a string for a quoted attribute."""
    return escape(sanitize.shown(value))


def drawings(model: ReportModel, narrow: bool = False) -> tuple[dict[str, Markup], str]:
    """Draw the charts of a report, as `drawn` returns them."""
    blocks = [b for section in model.sections for b in section.blocks if isinstance(b, (Curve, Intervals))]
    return drawn({block.id: partial(curves.draw, block) for block in blocks}, narrow)


def drawn(charts: Mapping[str, Callable[[bool], tuple[str, str]]], narrow: bool) -> tuple[dict[str, Markup], str]:
    """Draw charts: SVG by ID and their style rules, optionally in a narrow shape too.

    Each of `charts` returns (svg, css) for a shape. Without matplotlib there are no charts, only their tables.
    """
    svg_by_id: dict[str, Markup] = {}
    rules: dict[str, None] = {}
    for name, draw in charts.items():
        try:
            shapes = [draw(shape) for shape in ((False, True) if narrow else (False,))]
        except MissingExtra:
            break
        svg_by_id[name] = Markup("").join(Markup(svg) for svg, _ in shapes)
        rules |= dict.fromkeys(rule for _, css in shapes for rule in css.splitlines())
    return svg_by_id, "".join(f"{rule}\n" for rule in rules)


def direction(text: str) -> str:
    """Return the direction in which a text is read, `ltr` or `rtl`: that of its first letter that has one."""
    ways = (unicodedata.bidirectional(character) for character in text)
    return "rtl" if next((way for way in ways if way in {"L", "R", "AL"}), "L") != "L" else "ltr"


def directed(text: str) -> list[tuple[str, str]]:
    """Group the lines of a text by their direction; an empty line goes with the line below it.

    By `unicode-bidi: plaintext` a browser does the same, but takes seconds for a megabyte on one line; WeasyPrint has
    no such property.
    """
    lines = re.findall(r"\n*[^\n]+|\n+", text)
    grouped = ((way, "".join(group)) for way, group in groupby(lines, direction))
    return [(way, part.removeprefix("\n") if place else part) for place, (way, part) in enumerate(grouped)]


@cache
def environment() -> jinja2.Environment:
    """Return the template environment: it escapes every value, shows hidden characters and rejects unknown names."""
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["attribute"] = attribute
    jinja.filters["address"] = address
    jinja.globals.update(
        symbols=wording.SYMBOLS,
        outcome=wording.outcome,
        variant=wording.variant,
        decision=wording.decision,
        report=REPORT,
        kinds=sentences.KINDS,
        groups=groups,
        direction=direction,
        directed=directed,
        kind=lambda block: type(block).__name__.lower(),
    )
    return jinja


@cache
def environment_of(folder: Path) -> jinja2.Environment:
    """Return the template environment, extended by the templates of another folder."""
    report = environment()
    assert report.loader is not None
    return report.overlay(loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder), report.loader]))
