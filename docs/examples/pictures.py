"""Takes the pictures of the README from one example report, in Chromium through Playwright.

    python docs/examples/pictures.py docs/examples/clauses [--out docs]

Pictures are of the page as it is: nothing is written into it. They are kept small by a palette of 256 colours.
"""

import argparse
import io
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Picture:
    """What one picture shows."""

    file: str
    """File name."""
    of: str = ""
    """Selector of the part that is shown, its first match; empty for the top of the page."""
    theme: str = "light"
    """Light or dark."""
    width: int = 1280
    """Of the window, in pixels."""
    height: int = 1500
    """Of the window, in pixels, where the top of the page is shown."""


PICTURES = [
    Picture("report.png"),
    Picture("report-dark.png", theme="dark"),
    Picture("report-narrow.png", width=390, height=844),
    Picture("report-changes.png", of="figure"),
    Picture("report-case.png", of="details.exchange[open]"),
]


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
            return [file for picture in PICTURES if (file := shoot(browser, report, picture, out))]


def browser_path(playwright: Playwright) -> tuple[str, list[str]]:
    """The browser of this system, or else Playwright's own, and the words it is started with."""
    found = next(filter(None, map(shutil.which, BROWSERS)), playwright.chromium.executable_path)
    return found, ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []


def small(picture: io.BytesIO, file: Path) -> None:
    """Write a picture with a palette of 256 colours."""
    Image.open(picture).convert("RGB").quantize(256).save(file, optimize=True)


def shoot(browser: Browser, report: Path, picture: Picture, out: Path) -> Path | None:
    """One picture; None where the report lacks the part."""
    size: Any = {"width": picture.width, "height": picture.height}
    theme: Any = picture.theme
    with browser.new_context(viewport=size, color_scheme=theme, offline=True) as context:
        page = context.new_page()
        page.goto(report.resolve().as_uri())
        shown: Page | Locator = page.locator(picture.of).first if picture.of else page
        if isinstance(shown, Locator) and not shown.count():
            return None
        small(io.BytesIO(shown.screenshot()), out / picture.file)
    return out / picture.file


if __name__ == "__main__":
    main()
