"""The filter over a report's cases in a browser: what it shows, counts, keeps in the address, and does by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from reports.cases import pages
from tests.reports.cases.test_pages import many
from tests.reports.conftest import writer
from tests.support.sample import make_verdicts
from tests.support.visits import Open

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that holds all its 60 cases: 20 regressions, 20 gains, 10 other fabrications, 10 unchanged."""
    root = tmp_path_factory.mktemp("report")
    verdicts = [verdict for verdict in make_verdicts() if verdict.metric == "clause_recall"]
    run = writer(root)(records=many(fabricating=("tuned",)), verdicts=verdicts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FEW", 60)
        return reports.publish([run], root / "out")[0]


def shown(page: Page) -> list[str]:
    """Ids of the cases that are not filtered away."""
    return page.locator("details.exchange:not([hidden]) h3 code").all_inner_texts()


def count(page: Page, text: str) -> None:
    """Wait until the count says so."""
    page.locator("#count").get_by_text(text, exact=True).wait_for()


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#filter [name={name}]")


def test_all_cases_are_shown_and_counted_at_first(visit: Open, report: Path) -> None:
    page = visit(report).page
    count(page, "Showing 60 of 60 cases")
    assert len(shown(page)) == 60
    live = page.locator("#count")
    assert (live.get_attribute("role"), live.get_attribute("aria-live")) == ("status", "polite")


def test_words_kind_and_slice_narrow_together(visit: Open, report: Path) -> None:
    page = visit(report).page
    field(page, "kind").select_option(label="Regressions")
    count(page, "Showing 20 of 60 cases")
    field(page, "slice").select_option(label="instrument: lease")
    count(page, "Showing 10 of 60 cases")
    field(page, "text").fill("CONTRACT-105 contract")
    count(page, "Showing 1 of 60 cases")
    assert shown(page) == ["lease-105"]
    field(page, "text").fill("no such word")
    count(page, "Showing 0 of 60 cases")


def test_a_case_that_is_several_things_is_found_as_each(visit: Open, report: Path) -> None:
    page = visit(report).page
    field(page, "kind").select_option(label="Unsupported claims")
    count(page, "Showing 10 of 60 cases")
    assert "lease-101" in shown(page)


def test_rows_of_tables_follow_and_say_how_many_are_left(visit: Open, report: Path) -> None:
    page = visit(report).page
    rows = page.locator("#fabrications tr[data-is]:not([hidden])")
    assert rows.count() == 5
    field(page, "text").fill("lease-101")
    count(page, "Showing 1 of 60 cases")
    assert rows.count() == 1
    assert page.get_by_text("The case filter shows 1 of 5 rows.").is_visible()
    page.get_by_role("button", name="Reset").click()
    count(page, "Showing 60 of 60 cases")
    assert rows.count() == 5 and not page.locator(".filtered").first.is_visible()


def test_the_address_keeps_the_state_and_gives_it_back(visit: Open, report: Path) -> None:
    page = visit(report).page
    field(page, "kind").select_option(label="Gains")
    field(page, "text").fill("lease-103")
    count(page, "Showing 1 of 60 cases")
    assert page.evaluate("location.hash") == "#?text=lease-103&kind=gain"
    again = visit(report, at="#?text=lease-103&kind=gain").page
    count(again, "Showing 1 of 60 cases")
    assert (field(again, "kind").input_value(), field(again, "text").input_value()) == ("gain", "lease-103")
    field(again, "text").fill("")
    field(again, "kind").select_option("")
    count(again, "Showing 60 of 60 cases")
    assert again.evaluate("location.hash") == ""


def test_next_and_previous_pass_over_hidden_cases_by_keyboard(visit: Open, report: Path) -> None:
    page = visit(report, at="#?kind=gain").page
    count(page, "Showing 20 of 60 cases")
    names = shown(page)
    first = page.locator("details.exchange:not([hidden])").first
    first.locator("summary").first.focus()
    if first.get_attribute("open") is None:
        page.keyboard.press("Enter")
    first.get_by_role("link", name="Next case").focus()
    page.keyboard.press("Enter")
    assert page.locator("details:focus-within h3 code").inner_text() == names[1]
    assert page.locator("details:focus-within").get_attribute("open") is not None
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.do") == "before":
            break
    page.keyboard.press("Enter")
    assert page.locator("details:focus-within h3 code").inner_text() == names[0]
    page.locator("details:focus-within [data-do=before]").click()
    count(page, "This is the first case shown")


def test_the_whole_filter_is_worked_by_keyboard(visit: Open, report: Path) -> None:
    page = visit(report).page
    field(page, "text").focus()
    page.keyboard.type("lease-110")
    count(page, "Showing 1 of 60 cases")
    page.keyboard.press("Enter")
    assert page.url.startswith("file://") and "text=lease-110" in page.url, "enter sends nothing"
    for name in ("kind", "slice"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == name
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    count(page, "Showing 60 of 60 cases")


def test_a_link_to_a_case_is_copied_or_left_in_the_address(visit: Open, report: Path) -> None:
    page = visit(report).page
    case = page.locator("details.exchange[open]").first
    place = case.locator(".body").get_attribute("id")
    case.get_by_role("link", name="Copy link to this case").click()
    page.get_by_text("Link copied").or_(page.get_by_text("Link is in the address bar")).first.wait_for()
    assert page.url.endswith(f"#{place}")
    page.get_by_role("link", name="Copy link to this case").first.wait_for()


def test_a_link_in_a_table_opens_its_case(visit: Open, report: Path) -> None:
    page = visit(report).page
    page.locator("#fabrications tbody a").last.click()
    name = page.locator("#fabrications tbody a").last.inner_text()
    assert page.locator("details:focus-within h3 code").inner_text() == name


def test_an_odd_address_breaks_nothing(visit: Open, report: Path) -> None:
    for at in ("#?kind=none&slice=%3Cb%3E", "#case-gone-00000000", "#%", "#?%", "#gates"):
        seen = visit(report, at=at)
        seen.page.locator("#filter").wait_for()
        assert seen.said == []
