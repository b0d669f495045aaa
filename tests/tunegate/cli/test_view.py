"""`tunegate view`: which report it names, and when it opens a browser."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path

import pytest

from tests.support.command import tunegate
from tests.support.runs import name_of, write_run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs: the first has the newest report, the second an older one, the latest run none."""
    for day in (1, 2, 3):
        write_run(tmp_path / "runs", day)
    for day, name, written_at in ((1, "side-by-side.html", 200), (2, "report.html", 100)):
        report = tmp_path / "runs" / name_of(day) / "report" / name
        report.parent.mkdir()
        report.write_text("<title>report</title>")
        os.utime(report, (written_at, written_at))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


def link(project: Path, day: int, name: str) -> str:
    return (project / "runs" / name_of(day) / "report" / name).as_uri()


def test_the_newest_report_or_that_of_a_run_is_named(project: Path, opened: list[str]) -> None:
    assert tunegate(project, "view").stdout == f"{link(project, 1, 'side-by-side.html')}\n"
    assert tunegate(project, "view", name_of(2)).stdout == f"{link(project, 2, 'report.html')}\n"
    assert tunegate(project, "view", name_of(1)).stdout == f"{link(project, 1, 'side-by-side.html')}\n"
    assert opened == []


def test_a_browser_opens_only_with_a_display_and_unless_told_not_to(project: Path, opened: list[str]) -> None:
    tunegate(project, "view", "--no-open", DISPLAY=":0")
    assert opened == []
    tunegate(project, "view", DISPLAY=":0")
    assert opened == [link(project, 1, "side-by-side.html")]


def test_a_run_without_a_report_and_a_project_without_any_are_one_line(project: Path, tmp_path: Path) -> None:
    done = tunegate(project, "view", "latest")
    assert done.returncode == 4 and f"To write it: tunegate report {name_of(3)}" in done.stderr
    done = tunegate(project, "view", "--runs", "elsewhere")
    assert done.returncode == 4 and "no report in" in done.stderr
