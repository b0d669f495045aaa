"""A review as terminal output and as an HTML page. Markup in the rows' text has no effect in either."""

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

from harness.sanitize import shown
from training.curation.check import FindingTable
from training.curation.review import CheckRun, Review

EXAMPLES = 3
BAR = 24
STYLES = {"drop": "red", "mask": "yellow", "flag": "yellow", "keep": ""}


def show(review: Review, console: Console | None = None) -> None:
    """Print the review to standard output, in colour on a terminal."""
    (console or Console()).print(render_terminal(review))


def render_terminal(review: Review) -> RenderableType:
    """Render the effect on the rows, one line per check, then examples, notes and tables of each."""
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
        action = "not run" if result.result.skipped else result.action
        style = STYLES[result.action] if result.result.findings else "dim"
        table.add_row(_text(result.name), result.rows, _text(action, style), _text(result.description, "dim"))
    return table


def _details(review: Review, check_run: CheckRun) -> RenderableType:
    """Render the findings, notes and tables of a check, or nothing."""
    details = check_run.result
    parts: list[RenderableType] = []
    if details.skipped:
        parts.append(_text(f"not run: {details.skipped}", "dim"))
    for finding in details.findings[:EXAMPLES]:
        parts.append(_text(f"{review.sample.where(finding.row)}: {finding.reason}"))
        parts += [Padding(_text(f"“{q}”", "dim"), (0, 0, 0, 2)) for q in (finding.quote, finding.other_quote) if q]
    if len(details.findings) > EXAMPLES:
        parts.append(_text(f"and {len(details.findings) - EXAMPLES:,} more", "dim"))
    parts += [_text(note) for note in details.notes]
    parts += [_grid(table) for table in details.tables]
    if not parts:
        return Group()
    return Group("", _text(check_run.name, "bold"), *(Padding(part, (0, 0, 0, 2)) for part in parts))


def _grid(shown_table: FindingTable) -> Table:
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
    """Render the review as a self-contained HTML page."""
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
