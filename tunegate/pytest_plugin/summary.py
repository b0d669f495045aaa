"""What pytest's terminal says of a session that tests models: selected cases, estimates, verdicts and engine time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import pytest

if TYPE_CHECKING:
    from tunegate.pytest_plugin.session import EvaluationSession


class Told(TypedDict):
    """What the summary needs of a session, in types that an xdist worker can send to the controller."""

    run: str | None
    """The run folder."""
    gates: list[tuple[str, str]]
    """Selected gates as (suite, id)."""
    shows_cases: bool
    """Few cases are selected, and each is shown in full."""
    prepare_s: float
    """Seconds that answers, scores and verdicts took."""
    not_run: list[str]
    """Gates that were deselected, and why suites did not run."""


TOLD: pytest.StashKey[Told] = pytest.StashKey()


def told_of(session: EvaluationSession) -> Told | None:
    """None where no suite was collected."""
    not_run = session.not_run()
    if not_run is None:
        return None
    return Told(
        run=str(session.run.path) if session.run else None,
        gates=session.gates_selected,
        shows_cases=session.shows_cases,
        prepare_s=session.prepare_s,
        not_run=not_run,
    )


def show_engine_time(config: pytest.Config, seconds: float) -> None:
    """Add an entry to --durations. Like those of setup and teardown it is in no count."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal and seconds:
        where = ("tunegate", None, "engine")
        report = pytest.TestReport("tunegate::engine", where, {}, "passed", None, "call", duration=seconds)
        terminal.stats.setdefault("", []).append(report)


def case_texts(terminal: Any) -> list[str]:
    """Cases in full, as their reports carry them."""
    reports = (report for found in terminal.stats.values() for report in found)
    return [f"{text}\n" for report in reports if (text := getattr(report, "case_text", ""))]


def run_lines(terminal: Any, told: Told | None, run: str | None) -> list[str]:
    """Estimates and verdicts of what was selected, and the run folder; only the folder below cases without a gate."""
    from tunegate.run_summary import lines

    path = run or (told["run"] if told else None)
    if not path:
        return []
    if told and told["shows_cases"] and not told["gates"]:
        return [f"run folder: {path}"]
    chosen = {(suite, gate) for suite, gate in told["gates"]} if told else None
    return lines(path, terminal._tw.fullwidth, chosen)
