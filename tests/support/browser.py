"""A headless Chromium for tests, driven by Playwright.

One browser a test module, a fresh context a test: Playwright marks its event loop as running in the main thread for as
long as it lives, so that one kept for the whole session would make `asyncio.run` fail in every test after it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

NewContext = Callable[..., "BrowserContext"]
LIMIT_MS = 180_000
"""Longest wait for the browser and for what a page shows, which normally takes a moment."""
ARABIC = "الإيجار الشهري هو 3455 يورو."
"""A sentence that is read from right to left."""
STARTS_RIGHT = """(box) => {
  const words = document.createTreeWalker(box, NodeFilter.SHOW_TEXT), at = document.createRange(), ends = [];
  while (words.nextNode()) {
    const text = words.currentNode, from = text.data.search(/[\\u0600-\\u06ff]/u);
    if (from < 0) continue;
    for (const place of [from, text.data.indexOf('.', from)]) {
      at.setStart(text, place);
      at.setEnd(text, place + 1);
      ends.push(at.getBoundingClientRect().left);
    }
  }
  return ends.length > 0 && ends[0] > ends[1];
}"""
"""Tell whether the first Arabic letter of a box is to the right of the full stop that follows it."""


@contextmanager
def launched() -> Iterator[Browser | None]:
    """The machine's own Chromium, or the one that `playwright install chromium` brings; None without either."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path)
        if not Path(found).exists():
            yield None
            return
        as_root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=found, args=as_root, timeout=LIMIT_MS) as made:
            yield made


def patient_context(browser: Browser, **options: Any) -> BrowserContext:
    """A new context of a browser."""
    context = browser.new_context(**options)
    context.set_default_timeout(LIMIT_MS)
    return context


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; without Playwright or Chromium a skip."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install '.[dev]'")
    with launched() as made:
        if made is None:
            pytest.skip(
                "no Chromium on this machine: install the package chromium, or run `playwright install chromium`"
            )
        yield made


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """Make contexts, each with its own storage: `new_context(java_script_enabled=False, color_scheme="dark")`."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(patient_context(browser, **options))
