"""Render the report as one HTML file that loads nothing, and its pages of further cases.

Two layers keep untrusted text inert: every value is escaped with hidden characters made visible, and the content
policy allows only the one style sheet and the one script, by their hashes. The script marks the current place in the
navigation and filters cases; without it a page is complete.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import groupby
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
from reports.model import CasePage, Curve, Exchange, Facets, Intervals, Piece, ReportModel, Section, Table


class Choice(Struct, frozen=True, kw_only=True):
    """One value that a reader can filter by."""

    token: str
    """Its identifier in the page and in the address."""
    text: str
    """Its label."""


class Filters(Struct, frozen=True, kw_only=True):
    """The filters of a page."""

    kinds: list[Choice]
    """Reasons to show a case."""
    suites: list[Choice]
    """Suites; empty where there is only one."""
    slices: list[Choice]
    """Slices."""
    tokens: dict[str, str]
    """Tokens of suites and slices, by their text."""

    def of(self, facets: Facets | None) -> str:
        """Return the tokens of one case."""
        if facets is None:
            return ""
        return " ".join([*facets.kinds, *(self.tokens[text] for text in (facets.suite, *facets.slices))])


def filters_of(sections: Sequence[Section]) -> Filters | None:
    """Collect the filters for the cases of these sections; None where they show no case."""
    present = list(_facets(sections))
    if not any(isinstance(block, Exchange) and block.facets for section in sections for block in section.blocks):
        return None
    kinds = {kind for facets in present for kind in facets.kinds}
    suites = list(dict.fromkeys(facets.suite for facets in present))
    slices = sorted({text for facets in present for text in facets.slices})
    tokens = _tokens([*suites, *slices])
    return Filters(
        kinds=[Choice(token=kind, text=text) for kind, text in sentences.FILTERS.items() if kind in kinds],
        suites=[Choice(token=tokens[text], text=text) for text in suites] if len(suites) > 1 else [],
        slices=[Choice(token=tokens[text], text=text) for text in slices],
        tokens=tokens,
    )


def _facets(sections: Sequence[Section]) -> Iterator[Facets]:
    for block in (block for section in sections for block in section.blocks):
        if isinstance(block, Exchange) and block.facets:
            yield block.facets
        if isinstance(block, Table):
            yield from block.cases


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
    fixed = {"style": Markup(style), "script": Markup(script), "csp": policy(style, script), "is_page": True}
    shown = [block for section in sections for block in section.blocks if isinstance(block, Exchange)]
    jinja_template = environment().get_template(template)
    bare = {b.twin for s in sections for b in s.blocks if isinstance(b, Intervals) and b.id not in values["curves"]}
    more = {
        "bare": bare,
        "filters": filters,
        "parts": parts(sections),
        "opened": shown[:OPENED],
        "neighbours": _neighbours(shown),
    }
    return jinja_template.render(**fixed, **more, **values) + "\n"


def policy(style: str, script: str = "") -> str:
    """Return a content policy that allows one style sheet and at most one script, by the hashes of their exact text."""
    allowed = [f"style-src {_hash(style)}", *([f"script-src {_hash(script)}"] if script else [])]
    return f"default-src 'none'; {'; '.join(allowed)}; base-uri 'none'; form-action 'none'"


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _neighbours(shown: Sequence[Exchange]) -> dict[str, tuple[str, str]]:
    """Return the anchors of the cases before and after each case; empty at either end."""
    anchors = ["", *(block.anchor for block in shown), ""]
    return {own: (before, after) for before, own, after in zip(anchors, anchors[1:], anchors[2:], strict=False)}


def parts(sections: Sequence[Section]) -> list[tuple[bool, list[Section]]]:
    """Group neighbouring sections by whether they show cases."""
    return [(has, list(group)) for has, group in groupby(sections, key=has_cases)]


def groups(sections: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """Group neighbouring sections by their heading in the navigation."""
    return [(name, list(group)) for name, group in groupby(sections, key=lambda section: section.group)]


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


def runs(pieces: list[Piece]) -> list[tuple[str, list[Piece]]]:
    """Group neighbouring pieces by kind of change."""
    return [(change, list(group)) for change, group in groupby(pieces, key=lambda piece: piece.change)]


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


@lru_cache(maxsize=1)
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
        decision=wording.DECISIONS.__getitem__,
        report=REPORT,
        names=sentences.NAMES,
        signs=sentences.SIGNS,
        runs=runs,
        groups=groups,
        kind=lambda block: type(block).__name__.lower(),
    )
    return jinja


def environment_of(folder: Path) -> jinja2.Environment:
    """Return the template environment, extended by the templates of another folder."""
    report = environment()
    assert report.loader is not None
    return report.overlay(loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder), report.loader]))
