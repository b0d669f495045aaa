"""Takes the README's picture of the review app: the first item of a real review, half answered, in Chromium.

    python docs/examples/review_picture.py RUN [--out docs] [--suite SUITE]

The review is of a copy of the run, which stays as it is. The pages before the item are gone through by keyboard.
"""

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pictures import browser_path, small
from playwright.sync_api import Page, sync_playwright

LINK = re.compile(r"\s+(http://127\.0\.0\.1:\d+/enter#\S+)")
SIZE = {"width": 1280, "height": 900}
FILE = "review.png"


def main() -> None:
    options = argparse.ArgumentParser(description="Take the README's picture of the review app.")
    options.add_argument("run", type=Path, help="folder of a finished evaluation of two models")
    options.add_argument("--out", type=Path, default=Path("docs"), help="folder of the picture")
    options.add_argument("--suite", help="suite to draw the item from")
    given = options.parse_args()
    if not (given.run / "run.json").is_file():
        sys.exit(f"review_picture.py: {given.run} is no run folder. Name one that `tunegate compare` has written")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / given.run.name
        shutil.copytree(given.run, copy)
        take(copy, given.suite, given.out / FILE)
    print(f"{given.out / FILE}: {(given.out / FILE).stat().st_size:,} bytes")


def take(run: Path, suite: str | None, file: Path) -> None:
    """Serve the review of a run, go to its first item, and write the picture."""
    command = [sys.executable, "-m", "tunegate.cli.main", "review", "start", str(run), "--reviewer", "reader"]
    command += ["--port", "0", "--items", "4", "--repeats", "0", "--seed", "5", *(["--suite", suite] if suite else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            small(first_item(link(server)), file)
        finally:
            server.terminate()


def link(server: "subprocess.Popen[str]") -> str:
    """The reviewer's link, which the server prints once."""
    assert server.stdout is not None
    said = []
    for line in server.stdout:
        said.append(line)
        if found := LINK.match(line):
            return found[1]
    sys.exit(f"review_picture.py: the review did not start:\n{''.join(said)}")


def first_item(address: str) -> io.BytesIO:
    """A picture of the first item after consent, rubric and practice, with one side answered."""
    with sync_playwright() as playwright:
        path, words = browser_path(playwright)
        with playwright.chromium.launch(executable_path=path, args=words) as browser:
            page = browser.new_page(viewport=SIZE)
            page.goto(address)
            page.wait_for_selector('[data-page="consent"] h1')
            page.wait_for_load_state("load")
            press(page, "Tab", "Space")
            for stage in ("rubric", "task"):
                go_on(page, stage)
            for after in ("task", None):
                for side in "AB":
                    rate(page, side, 4)
                press(page, "p", "3")
                go_on(page, "feedback")
                go_on(page, after)
            rate(page, "A", 5)
            page.wait_for_selector('#status:has-text("saved")')
            page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
            return io.BytesIO(page.screenshot())


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def go_on(page: Page, stage: str | None) -> None:
    """Confirm the page, and wait for the next one."""
    page.evaluate("document.body.dataset.old = 1")
    press(page, "Control+Enter")
    page.wait_for_selector("body:not([data-old]) .page h1")
    page.wait_for_load_state("load")
    found = page.locator(".page").first.get_attribute("data-page")
    if stage is not None and found != stage:
        sys.exit(f"review_picture.py: expected the page '{stage}', found '{found}': have the review's keys changed?")


def rate(page: Page, side: str, grade: int) -> None:
    """Answer every question on one side."""
    press(page, side.lower(), "0", "j", str(grade), "j", str(grade))
    for _ in range(page.locator(f'[data-side="{side}"] [data-question=clause]').count()):
        press(page, "j", "1")


if __name__ == "__main__":
    main()
