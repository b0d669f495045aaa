"""Takes the pictures of the README from one example report, in Chromium through Playwright.

    python docs/examples/pictures.py docs/examples/clauses [--out docs]

Pictures are of the page as it is: nothing is written into it. They are kept small by a palette of 256 colours.
"""

import argparse
import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


PICTURES = {"report.png": "", "report-case.png": "details.exchange[open]"}
"""Files by the selector of the part that they show, its first match; empty for the top of the page."""
TOP: Any = {"width": 1280, "height": 1500}
"""Size of the window, in pixels."""


def main() -> None:
    options = argparse.ArgumentParser(description="Take the README's pictures from an example report.")
    options.add_argument("report", type=Path, help="folder with report.html")
    options.add_argument("--out", type=Path, default=Path("docs"), help="folder of the pictures")
    given = options.parse_args()
    page = given.report / "report.html"
    if not page.is_file():
        sys.exit(f"pictures.py: {page} is missing. Name a folder that `tunegate report` or make.py has written")
    for file in take(page, given.out):
        print(f"{file}: {file.stat().st_size:,} bytes")


def take(report: Path, out: Path) -> list[Path]:
    """All pictures of a report, written into `out`; one of a part that the report lacks is left out."""
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        path, words = browser_path(playwright)
        with playwright.chromium.launch(executable_path=path, args=words) as browser:
            return [made for file, part in PICTURES.items() if (made := shoot(browser, report, part, out / file))]


def browser_path(playwright: Playwright) -> tuple[str, list[str]]:
    """The browser of this system, or else Playwright's own, and the words it is started with."""
    found = next(filter(None, map(shutil.which, BROWSERS)), playwright.chromium.executable_path)
    return found, ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []


def small(picture: io.BytesIO, file: Path) -> None:
    """Write a picture with a palette of 256 colours."""
    Image.open(picture).convert("RGB").quantize(256).save(file, optimize=True)


def shoot(browser: Browser, report: Path, part: str, file: Path) -> Path | None:
    """Write one picture; None where the report lacks the part."""
    with browser.new_context(viewport=TOP, offline=True) as context:
        page = context.new_page()
        page.goto(report.resolve().as_uri())
        shown: Page | Locator = page.locator(part).first if part else page
        if isinstance(shown, Locator) and not shown.count():
            return None
        small(io.BytesIO(shown.screenshot()), file)
    return file


if __name__ == "__main__":
    main()
