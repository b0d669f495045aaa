"""Render runs as one HTML file without scripts or requests: trends with intervals, and every run with its report.

Style sheet and protection against untrusted text are the report's own: every value is escaped with its hidden
characters shown, and the content policy allows only the one style sheet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from harness.files import write_atomic
from harness.runs.history import BROKEN, PastRun, levels
from harness.runs.project import suites_of
from reports import number_format, wording
from reports.cases.pages import REPORT
from reports.charts import history as charts_history
from reports.history import terminal
from reports.history import trends as history_trends
from reports.history.trends import Trend, accepted_below, accepted_by, trends
from reports.model import Cell
from reports.render import html

HERE = Path(__file__).parent
COLUMNS = ["Run", "Kind", "Status", "Gates", "Checkpoints", "Suites"]
NOTE = "To write the report of a run: tunegate report RUN."
NO_TREND = "No gate has judged a finished, sealed evaluation of a whole suite, so there is no trend yet."


def write(root: Path, runs: Sequence[PastRun], out: Path) -> Path:
    """Write the page of these runs of the folder `root`. Raises UserError where the file cannot be written."""
    suites = {suite.name for run in runs for suite in run.suites}
    project = suites_of(Path.cwd())
    accepted = accepted_by(runs) | (accepted_below(project) if project else set())
    page = render(root, runs, trends(runs, levels(root, suites), accepted), out.parent)
    write_atomic(out, page, "Name another file", parents=True)
    return out


def render(root: Path, runs: Sequence[PastRun], trends: Sequence[Trend], page_folder: Path) -> str:
    """Render the page; its links lead from the folder `page_folder` to the reports of the runs below `root`."""
    named = [(anchor("trend", f"{trend.suite} {trend.metric}", at), trend) for at, trend in enumerate(trends)]
    charts, rules = html.drawn({at: partial(charts_history.draw, trend, at) for at, trend in named}, narrow=True)
    style = (html.HERE / "style.css").read_text("utf-8") + rules
    anchors = {run.name: anchor("run", run.name, at) for at, run in enumerate(runs)}
    by_suite = [(name, list(some)) for name, some in groupby(named, key=lambda pair: pair[1].suite)]
    template = html.environment_of(HERE).get_template("page.html.jinja")
    text = template.render(
        style=Markup(style),
        csp=html.policy(style),
        curves=charts,
        is_page=True,
        lead=_lead(runs),
        suites=[_suite(name, some, at, anchors) for at, (name, some) in enumerate(by_suite)],
        columns=COLUMNS,
        runs=[_row(run, anchors[run.name], root, page_folder) for run in reversed(runs)],
        note=NOTE,
        no_trend=NO_TREND,
    )
    return text + "\n"


def anchor(kind: str, name: str, at: int) -> str:
    """Return an anchor in the page; it includes the position because two names can have the same slug."""
    return f"{kind}-{at}-{wording.slug(name)}"


def _suite(name: str, named: Sequence[tuple[str, Trend]], at: int, anchors: Mapping[str, str]) -> dict[str, Any]:
    """Return a suite with its trends, one for each metric that gates judge."""
    links = {run: f"#{anchor}" for run, anchor in anchors.items()}
    figures = [
        {
            "id": own,
            "title": wording.metric(trend.metric, trend.shape),
            "caption": history_trends.caption(trend),
            "table": history_trends.table(trend, links),
        }
        for own, trend in named
    ]
    lead = history_trends.lead([trend for _, trend in named])
    return {"id": anchor("suite", name, at), "name": name, "lead": lead, "trends": figures}


def _lead(runs: Sequence[PastRun]) -> str:
    if not runs:
        return "No runs."
    broken = sum(run.status == BROKEN for run in runs)
    unread = f"; {wording.count(broken, 'folder')} cannot be read" if broken else ""
    days = sorted(run.started[:10] for run in runs if run.started)
    between = f", {days[0]} to {days[-1]}" if days else ""
    return f"{wording.count(len(runs), 'run')}{between}{unread}"


def _row(run: PastRun, name: str, root: Path, page_folder: Path) -> dict[str, Any]:
    started = number_format.moment(run.started) if run.started else "time unknown"
    suites = run.problem or ", ".join(suite.name for suite in run.suites)
    cells = [
        Cell(text=run.kind or number_format.DASH),
        Cell(text=terminal.status(run), tone="caution" if run.status == BROKEN else "plain"),
        Cell(
            text=terminal.outcome(run),
            note="; ".join(filter(None, [wording.outcomes(run.counts), run.remark])),
            badge=terminal.badge(run),
        ),
        Cell(text=terminal.checkpoints(run) or number_format.DASH),
        Cell(text=suites or number_format.DASH, tone="caution" if run.problem else "plain"),
    ]
    return run_row(name, root / run.name, page_folder, cells, f"{started}; ", run.status != BROKEN)


def run_row(
    name: str, folder: Path, page_folder: Path, cells: list[Cell], before: str = "", is_readable: bool = True
) -> dict[str, Any]:
    """Return a row of a table of runs: anchor, name, relative address of the report, a note, and all other columns.

    The note says, after `before`, whether the run has a report.
    """
    report = folder / "report" / REPORT
    is_there = is_readable and report.is_file()
    address = quote(os.path.relpath(report, page_folder).replace(os.sep, "/")) if is_there else ""
    note = f"{before}{'opens its report' if is_there else 'no report'}"
    return {"id": name, "name": folder.name, "report": address, "note": note, "cells": cells}
