"""A reviewer at a real browser who has a keyboard and no mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SAVED = "All changes saved"


def open_link(context: BrowserContext, link: str) -> Page:
    """Follow a link until the review's own page is there."""
    page = context.new_page()
    page.goto(link)
    page.wait_for_url("**/")
    page.wait_for_selector(".page h1:focus")
    return page


def stage(page: Page) -> str:
    return page.locator(".page").first.get_attribute("data-page") or ""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def go_on(page: Page) -> None:
    """Submit what is on the page, and wait for the next one, whose script focuses its heading."""
    page.evaluate("document.body.dataset.old = 1")
    press(page, "Control+Enter")
    page.wait_for_selector("body:not([data-old]) .page h1:focus")


def wait_saved(page: Page) -> None:
    wait_status(page, SAVED)


def wait_status(page: Page, says: str) -> None:
    page.wait_for_selector(f'#status:has-text("{says}")')


def begin(page: Page) -> None:
    """From consent to the first practice item."""
    press(page, "Tab", "Space")
    go_on(page)
    assert stage(page) == "rubric"
    go_on(page)
    assert stage(page) == "task"


def rate(page: Page, side: str, accuracy: int, completeness: int, clause: str = "1") -> None:
    """Answer every question on one side; no fabrication found, each listed clause there (1) or missed (2)."""
    press(page, side.lower(), "0", "j", str(accuracy), "j", str(completeness))
    for _ in range(page.locator(f'[data-side="{side}"] [data-question=clause]').count()):
        press(page, "j", clause)


def practise(page: Page) -> None:
    """Both practice items."""
    for _ in "12":
        rate(page, "A", 4, 4)
        rate(page, "B", 4, 4)
        press(page, "p", "3")
        go_on(page)
        assert stage(page) == "feedback"
        go_on(page)
