"""Shows a review on a terminal. Text of rows is put into rich as plain `Text`, so that markup in it does nothing."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from training.curation import check
from training.curation.check import shown
from training.curation.review import Result, Review

EXAMPLES = 3
BAR = 24
STYLES = {"drop": "red", "mask": "yellow", "flag": "yellow", "keep": ""}


def show(review: Review, console: Console | None = None) -> None:
    """Print the review to standard output, in colour where that is a terminal."""
    (console or Console()).print(render_terminal(review))


def render_terminal(review: Review) -> RenderableType:
    """Effect, one line a check, then examples, notes and figures of each."""
    unit, before, after = review.size
    rows = f"rows: {review.rows_before:,}, after cleaning {review.rows_after:,}"
    head = _text(f"{rows}; {unit}: {before:,}, after cleaning {after:,}", "bold")
    return Group(head, "", _overview(review), *(_details(review, result) for result in review.results))


def _overview(review: Review) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("check", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("action")
    table.add_column("looks for", overflow="fold")
    for result in review.results:
        count = "-" if result.found.skipped or result.action == "keep" else f"{len(result.found.findings):,}"
        action = "not run" if result.found.skipped else result.action
        style = STYLES[result.action] if result.found.findings else "dim"
        table.add_row(_text(result.name), count, _text(action, style), _text(result.says, "dim"))
    return table


def _details(review: Review, result: Result) -> RenderableType:
    """What a check has to tell, or nothing."""
    found = result.found
    parts: list[RenderableType] = []
    if found.skipped:
        parts.append(_text(f"not run: {found.skipped}", "dim"))
    for finding in found.findings[:EXAMPLES]:
        parts.append(_text(f"{review.sample.where(finding.row)}: {finding.reason}"))
        parts += [Padding(_text(f"“{q}”", "dim"), (0, 0, 0, 2)) for q in (finding.quote, finding.other_quote) if q]
    if len(found.findings) > EXAMPLES:
        parts.append(_text(f"and {len(found.findings) - EXAMPLES:,} more", "dim"))
    parts += [_text(note) for note in found.notes]
    parts += [_figures(table) for table in found.tables]
    if not parts:
        return Group()
    return Group("", _text(result.name, "bold"), *(Padding(part, (0, 0, 0, 2)) for part in parts))


def _figures(shown_table: check.FindingTable) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", title_justify="left", title_style="")
    for place, heading in enumerate(shown_table.headings):
        table.add_column(_text(heading), justify="left" if place == 0 else "right", overflow="fold")
    if shown_table.bars:
        table.add_column("")
    for place, row in enumerate(shown_table.rows):
        bar = ["█" * round(BAR * shown_table.bars[place])] if shown_table.bars else []
        table.add_row(*map(_text, row), *bar)
    return table


def _text(text: str, style: str = "") -> Text:
    return Text(shown(text), style=style)


HERE = Path(__file__).parent


def render_html(review: Review) -> str:
    """The whole page."""
    style = (HERE / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    unit, before, after = review.size
    return environment.get_template("report.html.jinja").render(
        review=review,
        unit=unit,
        size=(before, after),
        examples=EXAMPLES,
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


def _visible(value: Any) -> Any:
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value
