"""Render runs as one HTML file without scripts or requests: trends with intervals, and every run with its report.

Style sheet and protection against untrusted text are the report's own: every value is escaped with its hidden
characters shown, and the content policy allows only the one style sheet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from msgspec import Struct

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
"""Folder of a project's accepted baselines."""
COLUMNS = ["Run", "Kind", "Status", "Gates", "Checkpoints", "Suites"]
NOTE = "To write the report of a run: tunegate report RUN."
NO_TREND = "No gate has judged a finished, sealed evaluation of a whole suite, so there is no trend yet."


class TrendFigure(Struct, frozen=True, kw_only=True):
    """One trend of the page."""

    id: str
    """Unique in the page."""
    title: str
    """Heading."""
    caption: str
    """How to read the chart."""
    table: Table
    """The same numbers as a table."""


class SuitePart(Struct, frozen=True, kw_only=True):
    """The trends of one suite."""

    id: str
    """Anchor."""
    name: str
    """Suite name."""
    lead: str
    """Which runs the trends cover."""
    trends: list[TrendFigure]
    """One per metric that gates judge."""


class RunRow(Struct, frozen=True, kw_only=True):
    """One run in the table of all."""

    id: str
    """Anchor."""
    name: str
    """Name of the run folder."""
    report: str
    """Relative address of its report; empty where there is none."""
    note: str
    """What is said below its name."""
    cells: list[Cell]
    """All columns except the first."""


class HistoryPage(Struct, frozen=True, kw_only=True):
    """The whole page."""

    lead: str
    """What it shows."""
    suites: list[SuitePart]
    """Trends."""
    columns: list[str]
    """Headings of the table of all runs."""
    runs: list[RunRow]
    """Newest first."""
    note: str = NOTE
    """How to read the table."""
    no_trend: str = NO_TREND
    """Text where no suite has a trend."""


def write(root: Path, runs: Sequence[PastRun], out: Path) -> Path:
    """Write the page of these runs of the folder `root`. Raises UserError where the file cannot be written."""
    suites = {suite.name for run in runs for suite in run.suites}
    accepted = accepted_by(runs) | accepted_below(SUITES)
    page = render(root, runs, trends(runs, levels(root, suites), accepted), out.parent)
    write_atomic(out, page, "Name another file", parents=True)
    return out


def render(root: Path, runs: Sequence[PastRun], trends: Sequence[Trend], page_folder: Path) -> str:
    """Render the page; its links lead from the folder `page_folder` to the reports of the runs below `root`."""
    named = [(anchor("trend", f"{trend.suite} {trend.metric}", at), trend) for at, trend in enumerate(trends)]
    charts, rules = html.drawn({at: partial(charts_history.draw, trend, at) for at, trend in named}, narrow=True)
    style = (html.HERE / "style.css").read_text("utf-8") + rules
    anchors = {run.name: anchor("run", run.name, at) for at, run in enumerate(runs)}
    history = HistoryPage(
        lead=_lead(runs),
        suites=[
            _suite(name, list(some), at, anchors)
            for at, (name, some) in enumerate(groupby(named, key=lambda pair: pair[1].suite))
        ],
        columns=COLUMNS,
        runs=[_row(run, anchors[run.name], root, page_folder) for run in reversed(runs)],
    )
    template = html.environment_of(HERE).get_template("page.html.jinja")
    text = template.render(history=history, style=Markup(style), csp=html.policy(style), curves=charts, is_page=True)
    return text + "\n"


def anchor(kind: str, name: str, at: int) -> str:
    """Return an anchor in the page; it includes the position because two names can have the same slug."""
    return f"{kind}-{at}-{wording.slug(name)}"


def _suite(name: str, named: Sequence[tuple[str, Trend]], at: int, anchors: dict[str, str]) -> SuitePart:
    return SuitePart(
        id=anchor("suite", name, at),
        name=name,
        lead=history_trends.lead([trend for _, trend in named]),
        trends=[_drawn(trend, own, anchors) for own, trend in named],
    )


def _drawn(trend: Trend, name: str, anchors: dict[str, str]) -> TrendFigure:
    return TrendFigure(
        id=name,
        title=wording.metric(trend.metric, trend.shape),
        caption=history_trends.caption(trend),
        table=history_trends.table(trend, {run: f"#{anchor}" for run, anchor in anchors.items()}),
    )


def _lead(runs: Sequence[PastRun]) -> str:
    if not runs:
        return "No runs."
    broken = sum(run.status == BROKEN for run in runs)
    unread = f"; {wording.count(broken, 'folder')} cannot be read" if broken else ""
    return f"{wording.count(len(runs), 'run')}, {runs[0].started[:10]} to {runs[-1].started[:10]}{unread}"


def _row(run: PastRun, name: str, root: Path, page_folder: Path) -> RunRow:
    report = root / run.name / "report" / "report.html"
    is_there = run.status != BROKEN and report.is_file()
    started = number_format.moment(run.started) if run.started else "time unknown"
    suites = run.problem or ", ".join(suite.name for suite in run.suites)
    gates = Cell(text=terminal.outcome(run), note=wording.outcomes(run.counts))
    return RunRow(
        id=name,
        name=run.name,
        report=quote(os.path.relpath(report, page_folder).replace(os.sep, "/")) if is_there else "",
        note=f"{started}; {'opens its report' if is_there else 'no report'}",
        cells=[
            Cell(text=run.kind or number_format.DASH),
            Cell(text=terminal.status(run), tone="caution" if run.status == BROKEN else "plain"),
            Cell(text=gates.text, note=gates.note, badge=run.outcome) if run.kind == "eval" else gates,
            Cell(text=terminal.checkpoints(run) or number_format.DASH),
            Cell(text=suites or number_format.DASH, tone="caution" if run.problem else "plain"),
        ],
    )
