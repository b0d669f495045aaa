"""The report as one HTML file that asks for nothing, and its pages of further cases. Places what the model says.

Two layers keep untrusted text inert: every value is escaped with hidden characters made visible, and the content
policy allows nothing but the one style sheet and the one script, by their hashes. The script filters; without it a
page is complete.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from msgspec import Struct

from harness import sanitize
from harness.errors import MissingExtra
from reports import sentences, wording
from reports.cases.pages import REPORT
from reports.charts import curves
from reports.model import CasePage, Curve, Exchange, Facets, Intervals, Piece, ReportModel, Section, Table


class Choice(Struct, frozen=True, kw_only=True):
    """One value that a reader can choose."""

    token: str
    """What stands for it in the page and in its address."""
    text: str
    """What a reader sees."""


class Filters(Struct, frozen=True, kw_only=True):
    """The choices of a page."""

    kinds: list[Choice]
    """What a case is shown for."""
    suites: list[Choice]
    """Suites; empty where there is one."""
    slices: list[Choice]
    """Slices."""
    tokens: dict[str, str]
    """Token by text, of suites and slices."""

    def of(self, facets: Facets | None) -> str:
        """The tokens of one case."""
        if facets is None:
            return ""
        return " ".join([*facets.kinds, *(self.tokens[text] for text in (facets.suite, *facets.slices))])


def filters_of(sections: Sequence[Section]) -> Filters | None:
    """The choices that the cases of these sections give; None where they show no case."""
    found = list(_facets(sections))
    if not any(isinstance(block, Exchange) and block.facets for section in sections for block in section.blocks):
        return None
    kinds = {kind for facets in found for kind in facets.kinds}
    suites = list(dict.fromkeys(facets.suite for facets in found))
    slices = sorted({text for facets in found for text in facets.slices})
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
    """A token a text; texts that read alike without their punctuation are told apart by a digest."""
    texts = list(dict.fromkeys(texts))
    times = Counter(wording.slug(text) for text in texts)
    return {text: _token(text, times[wording.slug(text)] > 1) for text in texts}


def _token(text: str, is_shared: bool) -> str:
    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:6]
    return f"in-{wording.slug(text)}" + (f"-{digest}" if is_shared else "")


HERE = Path(__file__).parent
OPENED = 2
"""Cases that stand open from the start."""
LINK = re.compile(r"(cases-\d{4}\.html|report\.html)?(#[a-z0-9-]+)?")
"""Every address that a report may point to: a file beside it, a place in it."""


def render(model: ReportModel) -> str:
    """The whole report."""
    drawn, rules = drawings(model, narrow=True)
    return _page("report.html.jinja", model.sections, rules, model=model, curves=drawn)


def page(found: CasePage) -> str:
    """A page of further cases."""
    return _page("cases.html.jinja", found.sections, "", model=found, curves={})


def _page(template: str, sections: Sequence[Section], rules: str, **values: Any) -> str:
    style = (HERE / "style.css").read_text("utf-8") + rules
    filters = filters_of(sections)
    script = (HERE / "filter.js").read_text("utf-8") if filters else ""
    fixed = {"style": Markup(style), "script": Markup(script), "csp": policy(style, script), "is_page": True}
    shown = [block for section in sections for block in section.blocks if isinstance(block, Exchange)]
    made = environment().get_template(template)
    bare = {b.twin for s in sections for b in s.blocks if isinstance(b, Intervals) and b.id not in values["curves"]}
    more = {
        "bare": bare,
        "filters": filters,
        "parts": parts(sections),
        "opened": shown[:OPENED],
        "neighbours": _neighbours(shown),
    }
    return made.render(**fixed, **more, **values) + "\n"


def policy(style: str, script: str = "") -> str:
    """A content policy that lets through one style sheet and one script, if any; the hashes are of their exact text."""
    allowed = [f"style-src {_hash(style)}", *([f"script-src {_hash(script)}"] if script else [])]
    return f"default-src 'none'; {'; '.join(allowed)}; base-uri 'none'; form-action 'none'"


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _neighbours(shown: Sequence[Exchange]) -> dict[str, tuple[str, str]]:
    """Addresses of the cases before and after each case; empty at either end."""
    anchors = ["", *(block.anchor for block in shown), ""]
    return {own: (before, after) for before, own, after in zip(anchors, anchors[1:], anchors[2:], strict=False)}


def parts(sections: Sequence[Section]) -> list[tuple[bool, list[Section]]]:
    """Neighbouring sections that show cases together, apart from those that show none."""
    return [(has, list(group)) for has, group in groupby(sections, key=has_cases)]


def has_cases(section: Section) -> bool:
    """Whether a section shows cases whole."""
    return any(isinstance(block, Exchange) for block in section.blocks)


def address(link: str) -> str:
    """A link as it is, or nothing where it leads anywhere but into this report."""
    return link if LINK.fullmatch(link) else ""


def text(value: Any) -> Any:
    """A string escaped, with hidden characters as highlighted names; anything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    found = list(sanitize.split(value))
    if len(found) == 1 and not found[0][1]:
        return escape(found[0][0])
    return Markup("").join(
        Markup('<span class="hidden-character">{}</span>').format(part) if hidden else escape(part)
        for part, hidden in found
    )


def attribute(value: str) -> Markup:
    """A string for the inside of a quoted attribute."""
    return escape(sanitize.shown(value))


def runs(pieces: list[Piece]) -> list[tuple[str, list[Piece]]]:
    """Neighbouring pieces of one kind of change together."""
    return [(change, list(group)) for change, group in groupby(pieces, key=lambda piece: piece.change)]


def drawings(model: ReportModel, narrow: bool = False) -> tuple[dict[str, Markup], str]:
    """SVG by plot id and the rules they need, on request in a second, narrow shape too.

    A plot is left to its table where matplotlib is missing.
    """
    drawn: dict[str, Markup] = {}
    rules: dict[str, None] = {}
    for block in (b for section in model.sections for b in section.blocks if isinstance(b, (Curve, Intervals))):
        try:
            shapes = [curves.draw(block, shape) for shape in ((False, True) if narrow else (False,))]
        except MissingExtra:
            continue
        drawn[block.id] = Markup("").join(Markup(svg) for svg, _ in shapes)
        rules |= dict.fromkeys(rule for _, css in shapes for rule in css.splitlines())
    return drawn, "".join(f"{rule}\n" for rule in rules)


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Templates that escape every value and show its hidden characters; a name that nothing fills is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["attribute"] = attribute
    made.filters["address"] = address
    made.globals.update(
        symbols=wording.SYMBOLS,
        outcome=wording.outcome,
        variant=wording.variant,
        decision=wording.DECISIONS.__getitem__,
        report=REPORT,
        names=sentences.NAMES,
        signs=sentences.SIGNS,
        runs=runs,
        kind=lambda block: type(block).__name__.lower(),
    )
    return made
