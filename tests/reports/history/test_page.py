"""The page of all runs in a real Chromium: no request, nothing blocked, readable in any theme and width."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from harness.runs.history import past_runs
from reports.history import page
from tests.support.hostile import ATTACKS
from tests.support.runs import make_suite, name_of, write_run
from tests.support.visits import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with a trend, a report, a broken folder, and names that attack; they are only read."""
    root = tmp_path_factory.mktemp("project") / "runs"
    for day in range(1, 9):
        more = {"cases_hash": "9" * 64} if day > 4 else {}
        write_run(root, day, ("pass", "fail"), 0.5 + day / 20, suites=[make_suite(**more)])
    (root / name_of(8) / "report").mkdir()
    (root / name_of(8) / "report" / "report.html").write_text("<!doctype html><title>its report</title>")
    (root / name_of(9)).mkdir()
    for at, attack in enumerate(ATTACKS):
        text = attack.encode("utf-8", "replace").decode()
        write_run(root, 10 + at % 15, run_id=f"attack-{at}", suites=[make_suite(name=text, cluster=text, shape=text)])
    return page.write(root, past_runs(root), root / "index.html")


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
def test_the_page_asks_for_nothing_runs_nothing_and_breaks_no_policy(visit: Open, written: Path, scripts: bool) -> None:
    seen = visit(written, java_script_enabled=scripts)
    seen.open_all()
    assert (seen.asked[1:], seen.blocked, seen.said, seen.ran) == ([], [], [], False)
    assert seen.page.locator("svg.curve:visible").count() > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(visit: Open, written: Path, theme: str) -> None:
    seen = visit(written, color_scheme=theme)
    seen.open_all()
    assert Axe().run(seen.page).generate_report() == "Found 0 accessibility violations:\n"


def test_the_page_cuts_off_no_table_and_never_scrolls_sideways(visit: Open, written: Path) -> None:
    seen = visit(written)
    seen.open_all()
    for width in (320, 390, 768, 1024, 1440):
        seen.page.set_viewport_size({"width": width, "height": 800})
        assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert seen.cut_off() == [], width


def test_a_run_leads_to_its_report_and_a_trend_to_its_run(visit: Open, written: Path) -> None:
    seen = visit(written)
    seen.open_all()
    seen.page.locator("details a", has_text=name_of(8)).first.click()
    assert seen.page.locator("tr:target code").inner_text() == name_of(8)
    seen.page.locator("tr:target a").click()
    seen.page.wait_for_url("**/report.html")
    assert seen.page.title() == "its report"
