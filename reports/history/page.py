"""Runs as one HTML file: trends with intervals, and every run with a link to its report. No script, no request.

The look and the two layers against untrusted text are the report's own: every value is escaped with its hidden
characters shown, and the content policy allows nothing but the one style sheet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from msgspec import Struct

from harness.errors import MissingExtra
from harness.files import write_atomic
from harness.runs.history import BROKEN, PastRun, levels
from reports import number_format, wording
from reports.charts import history as charts_history
from reports.history import terminal
from reports.history import trends as history_trends
from reports.history.trends import Trend, accepted_below, accepted_by, trends
from reports.model import Cell, Table
from reports.render import html

HERE = Path(__file__).parent
SUITES = Path("evalsuites")
"""Where the accepted baselines of a project are."""
COLUMNS = ["Run", "Kind", "Status", "Gates", "Checkpoints", "Suites"]
NOTE = "A run has a report where one was written: tunegate report RUN writes it."
NO_TREND = "No finished, sealed evaluation of a whole suite was judged by a gate, so there is no trend yet."


class Drawn(Struct, frozen=True, kw_only=True):
    """One trend as the page shows it."""

    id: str
    """Unique in the page."""
    title: str
    """Heading."""
    caption: str
    """How to read the chart."""
    table: Table
    """The same as numbers."""


class SuitePart(Struct, frozen=True, kw_only=True):
    id: str
    """Anchor."""
    name: str
    """Suite name."""
    lead: str
    """What the trends are of."""
    trends: list[Drawn]
    """One a metric that gates judge."""


class HistoryRow(Struct, frozen=True, kw_only=True):
    """One run in the table of all."""

    id: str
    """Anchor."""
    name: str
    """Name of the run folder."""
    report: str
    """Address of its report, from the page; empty where there is none."""
    note: str
    """When it started, and whether it has a report."""
    cells: list[Cell]
    """All columns but the first."""


class HistoryPage(Struct, frozen=True, kw_only=True):
    """The whole page."""

    lead: str
    """What it shows."""
    suites: list[SuitePart]
    """Trends."""
    columns: list[str]
    """Headings of the table of all runs."""
    runs: list[HistoryRow]
    """Newest first."""
    note: str = NOTE
    """How to read the table."""
    no_trend: str = NO_TREND
    """Stands where no suite has a trend."""


def write(root: Path, runs: Sequence[PastRun], out: Path) -> Path:
    """Write the page of these runs of the folder `root`. A refused write is a UserError."""
    suites = {suite.name for run in runs for suite in run.suites}
    accepted = accepted_by(runs) | accepted_below(SUITES)
    page = render(root, runs, trends(runs, levels(root, suites), accepted), out.parent)
    write_atomic(out, page, "Name another file", parents=True)
    return out


def render(root: Path, runs: Sequence[PastRun], found: Sequence[Trend], beside: Path) -> str:
    """The page, whose links lead from the folder `beside` to the reports of the runs below `root`."""
    named = [(anchor("trend", f"{trend.suite} {trend.metric}", at), trend) for at, trend in enumerate(found)]
    drawn, rules = _drawings(named)
    style = (html.HERE / "style.css").read_text("utf-8") + rules
    anchors = {run.name: anchor("run", run.name, at) for at, run in enumerate(runs)}
    history = HistoryPage(
        lead=_lead(runs),
        suites=[
            _suite(name, list(some), at, anchors)
            for at, (name, some) in enumerate(groupby(named, key=lambda pair: pair[1].suite))
        ],
        columns=COLUMNS,
        runs=[_row(run, anchors[run.name], root, beside) for run in reversed(runs)],
    )
    template = _environment().get_template("page.html.jinja")
    made = template.render(history=history, style=Markup(style), csp=html.policy(style), curves=drawn, is_page=True)
    return made + "\n"


def anchor(kind: str, name: str, at: int) -> str:
    """An address in the page: two names can have one slug, so the place is in it."""
    return f"{kind}-{at}-{wording.slug(name)}"


def _environment() -> jinja2.Environment:
    """The report's own templates and escaping, with this folder's page."""
    report = html.environment()
    assert report.loader is not None
    return report.overlay(loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(HERE), report.loader]))


def _drawings(named: Sequence[tuple[str, Trend]]) -> tuple[dict[str, Markup], str]:
    """SVG by id, wide and narrow, and the rules that they need; none where matplotlib is missing."""
    drawn: dict[str, Markup] = {}
    rules: dict[str, None] = {}
    for name, trend in named:
        try:
            shapes = [charts_history.draw(trend, name, narrow) for narrow in (False, True)]
        except MissingExtra:
            break
        drawn[name] = Markup("").join(Markup(made) for made, _ in shapes)
        rules |= dict.fromkeys(rule for _, css in shapes for rule in css.splitlines())
    return drawn, "".join(f"{rule}\n" for rule in rules)


def _suite(name: str, named: Sequence[tuple[str, Trend]], at: int, anchors: dict[str, str]) -> SuitePart:
    return SuitePart(
        id=anchor("suite", name, at),
        name=name,
        lead=history_trends.lead([trend for _, trend in named]),
        trends=[_drawn(trend, own, anchors) for own, trend in named],
    )


def _drawn(trend: Trend, name: str, anchors: dict[str, str]) -> Drawn:
    return Drawn(
        id=name,
        title=wording.metric(trend.metric, trend.shape),
        caption=history_trends.caption(trend),
        table=history_trends.table(trend, {run: f"#{found}" for run, found in anchors.items()}),
    )


def _lead(runs: Sequence[PastRun]) -> str:
    if not runs:
        return "No run."
    broken = sum(run.status == BROKEN for run in runs)
    unread = f"; {wording.count(broken, 'folder')} cannot be read" if broken else ""
    return f"{wording.count(len(runs), 'run')}, {runs[0].started[:10]} to {runs[-1].started[:10]}{unread}"


def _row(run: PastRun, name: str, root: Path, beside: Path) -> HistoryRow:
    report = root / run.name / "report" / "report.html"
    is_there = run.status != BROKEN and report.is_file()
    started = number_format.moment(run.started) if run.started else "time not known"
    suites = run.problem or ", ".join(suite.name for suite in run.suites)
    gates = Cell(text=terminal.outcome(run), note=wording.outcomes(run.counts))
    return HistoryRow(
        id=name,
        name=run.name,
        report=quote(os.path.relpath(report, beside).replace(os.sep, "/")) if is_there else "",
        note=f"{started}; {'opens its report' if is_there else 'no report'}",
        cells=[
            Cell(text=run.kind or number_format.DASH),
            Cell(text=terminal.status(run), tone="caution" if run.status == BROKEN else "plain"),
            Cell(text=gates.text, note=gates.note, badge=run.outcome) if run.kind == "eval" else gates,
            Cell(text=terminal.checkpoints(run) or number_format.DASH),
            Cell(text=suites or number_format.DASH, tone="caution" if run.problem else "plain"),
        ],
    )
