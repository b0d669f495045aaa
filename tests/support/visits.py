"""Opens a page in Chromium, offline, and writes down what it asks for, says and is forbidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import NewContext

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

# What the page itself sees is told by the console, so that it is kept where the page goes elsewhere.
WATCH = """
document.addEventListener("securitypolicyviolation", (e) => console.debug(`blocked: ${e.violatedDirective}`));
new MutationObserver(() => console.debug("ran")).observe(document, {
  attributes: true, subtree: true, attributeFilter: ["data-pwned"],
});
"""
WIDER = """
(width) => {
  const ways = ["auto", "scroll"];
  const scrolls = (node) => node && (ways.includes(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement, isText = node.nodeType === Node.TEXT_NODE;
    if (isText) range.selectNodeContents(node);
    const box = (isText ? range : node).getBoundingClientRect();
    if (box.width && box.height && box.right > width + 0.5 && !parent.closest(".skip") && !scrolls(parent))
      found.push((isText ? node.data : node.outerHTML).slice(0, 120));
  }
  return found;
}
"""
CUT_OFF = """() => [...document.querySelectorAll('table')].filter((table) => {
  const inside = (node) => !node || (node.scrollWidth <= node.clientWidth + 1 && inside(node.parentElement));
  return !inside(table.parentElement) || table.getBoundingClientRect().right > innerWidth;
}).map((table) => (table.caption ?? table).textContent.trim().slice(0, 60))"""


@dataclass
class Visit:
    """An open page."""

    page: Page
    """Playwright's handle."""
    asked: list[str] = field(default_factory=list)
    """Every address that was asked for, the page's own first; what the policy forbids is not asked for."""
    said: list[str] = field(default_factory=list)
    """Console messages and uncaught errors, but for those of the watch."""
    blocked: list[str] = field(default_factory=list)
    """Directives of the content policy that forbade something."""
    ran: bool = False
    """Whether one of the hostile scripts ran."""

    def wider_than(self, width: int) -> list[str]:
        """Elements and texts that reach beyond a width, but for those in a box that scrolls by itself."""
        found: list[str] = self.page.evaluate(WIDER, width)
        return found

    def cut_off(self) -> list[str]:
        """Return the captions of the tables that reach beyond the window or a box around them."""
        found: list[str] = self.page.evaluate(CUT_OFF)
        return found

    def close(self) -> None:
        """Close the page and its context."""
        self.page.context.close()

    def open_all(self) -> None:
        """Open everything that can be folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")

    def _drop(self, request: Request) -> None:
        if request.failure == "csp":
            self.asked.remove(request.url)

    def _hear(self, text: str) -> None:
        if text == "ran":
            self.ran = True
        elif text.startswith("blocked: "):
            self.blocked.append(text.removeprefix("blocked: "))
        else:
            self.said.append(text)


Open = Callable[..., Visit]


@pytest.fixture
def visit(tmp_path: Path, new_context: NewContext) -> Open:
    """Open a file, or a page's text: `visit(path, java_script_enabled=False, color_scheme="dark")`."""

    def open_(page: str | Path, at: str = "", **options: Any) -> Visit:
        path = page if isinstance(page, Path) else tmp_path / "page.html"
        if isinstance(page, str):
            path.write_text(page, "utf-8")
        context = new_context(offline=True, **options)
        context.add_init_script(WATCH)
        made = Visit(context.new_page())
        made.page.on("request", lambda request: made.asked.append(request.url))
        made.page.on("requestfailed", lambda request: made._drop(request))
        made.page.on("console", lambda message: made._hear(message.text))
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        made.page.goto(path.as_uri() + at, wait_until="load")
        return made

    return open_
