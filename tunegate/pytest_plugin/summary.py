"""The terminal summary of a pytest session that tests models: cases, estimates, verdicts and engine time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

if TYPE_CHECKING:
    from tunegate.pytest_plugin.session import EvaluationSession


class SessionSummary(TypedDict):
    """What the summary shows, in types that an xdist worker can send to the controller."""

    run: str | None
    """The run folder."""
    gates: list[tuple[str, str]]
    """Selected gates as (suite, id)."""
    shows_cases: bool
    """Whether few cases are selected, so that each is shown in full."""
    prepare_s: float
    """Seconds for answers, scores and verdicts."""
    not_run: list[str]
    """Gates that were deselected, and why suites did not run."""
    not_passed: list[str]
    """Selected gates that did not pass by their verdict, whatever the report of their item says."""


SUMMARY: pytest.StashKey[SessionSummary] = pytest.StashKey()


def summarise(session: EvaluationSession) -> SessionSummary | None:
    """Summarise a session; None where no suite was collected."""
    not_run = session.not_run()
    if not_run is None:
        return None
    return SessionSummary(
        run=str(session.run.path) if session.run else None,
        gates=session.gates_selected,
        shows_cases=session.shows_cases,
        prepare_s=session.prepare_s,
        not_run=not_run,
        not_passed=session.not_passed(),
    )


def show_engine_time(config: pytest.Config, seconds: float) -> None:
    """Add an entry to --durations; like setup and teardown, it is not counted as a test."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal and seconds:
        where = ("tunegate", None, "engine")
        report = pytest.TestReport("tunegate::engine", where, {}, "passed", None, "call", duration=seconds)
        terminal.stats.setdefault("", []).append(report)


def case_texts(terminal: Any, summary: SessionSummary | None) -> list[str]:
    """Return the selected cases where they are few, otherwise the misses to show, from their reports."""
    reports = (report for category in terminal.stats.values() for report in category)
    texts = [text for report in reports if (text := getattr(report, "case_text", ""))]
    if not texts:
        return []
    from reports.render.terminal_cases import MISSES, heading, wrapped

    texts = [wrapped(f"{text}\n", terminal._tw.fullwidth) for text in texts]
    if summary and summary["shows_cases"]:
        return texts

    shows_all = "m" in terminal.config.option.reportchars
    return [heading(len(terminal.stats.get("miss", ())), shows_all), *(texts if shows_all else texts[:MISSES])]


def run_lines(terminal: Any, summary: SessionSummary | None, run: str | None) -> list[str]:
    """Return estimates and verdicts of the selection and the run folder; only the folder for cases without a gate."""
    from harness.errors import UserError
    from harness.runs.folder import load_run
    from reports.render.terminal import lines

    path = run or (summary["run"] if summary else None)
    if not path:
        return []
    if summary and summary["shows_cases"] and not summary["gates"]:
        return [f"run folder: {path}"]
    chosen = {(suite, gate) for suite, gate in summary["gates"]} if summary else None
    is_verbose = terminal.config.option.verbose > 0
    try:
        shown = lines(load_run(Path(path), even_large=False), terminal._tw.fullwidth, chosen, is_verbose)
    except UserError as error:
        return [str(error)]
    return [*shown, f"run folder: {path}"]
