"""Size of a page that compares runs side by side, and how long its filter takes in a real browser.

    python -m benchmarks.side_by_side [--cases 2000] [--runs 6] [--words 60] [--characters 2000] [--dir FOLDER]

The runs are made first, which is not timed: sources of 2,000 characters that all runs share, answers of so many words
in which each run changes one word of ten, three metrics, two slices. It prints the seconds and the peak memory of
writing the page, its size, how many texts it has no room for, and for each filter the milliseconds in Chromium from the
input to the second frame after the list has changed. They include the 100 ms that the page waits for further input.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report_scale
from harness.errors import UserError
from tests.support.browser import launched

WORKER = """
import sys
from pathlib import Path
from reports import side_by_side
columns, first = side_by_side.open_columns(sys.argv[2:], Path(sys.argv[1]))
side_by_side.write(columns, first, Path(sys.argv[1]) / side_by_side.NAME)
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
FILTER = """
([name, value]) => new Promise((done) => {
  const field = document.querySelector(`[name="${name}"]`);
  const start = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  }).observe(document.getElementById("count"), { childList: true });
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
})
"""
STEPS = (
    ("words of sources and answers, first time", "text", "tenant renew"),
    ("other words", "text", "landlord bears"),
    ("all cases", "text", ""),
    ("changed only", "show", "changed"),
    ("with flips", "show", "flips"),
    ("another metric", "metric", "2"),
    ("values of at least 25%", "least", "25"),
    ("another baseline", "baseline", "1"),
    ("most flips first", "sort", "flips"),
)


def measure(page: Path) -> list[tuple[str, str, float]]:
    """Return each filter with the count that the page then shows and its milliseconds."""
    with launched() as browser:
        if browser is None:
            raise UserError("no Chromium on this machine. Install the package chromium, or run: playwright install")
        tab = browser.new_page()
        start = time.monotonic()
        tab.goto(page.as_uri(), wait_until="load")
        found = [("open", tab.locator("#count").inner_text(), 1000 * (time.monotonic() - start))]
        for what, name, value in STEPS:
            took = tab.evaluate(FILTER, [name, value])
            found.append((what, tab.locator("#count").inner_text(), took))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--words", type=int, default=60, help="of each answer")
    parser.add_argument("--characters", type=int, default=2_000, help="of each case's source")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where files are made")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as name:
        root = Path(name)
        names = [f"run-{number}" for number in range(1, args.runs + 1)]
        for number, run in enumerate(names, 1):
            report_scale.write(root / run, args.cases, args.words, args.characters, number)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", WORKER, name, *names], capture_output=True, text=True, check=True, cwd=Path.cwd()
        )
        seconds, peak = time.monotonic() - start, int(done.stdout) * 1024 / 1e6
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = usage.ru_utime + usage.ru_stime
        page = root / "side-by-side.html"
        print(
            f"{args.cases:,} cases, {args.runs} runs: written in {seconds:.1f} s ({cpu:.1f} s of CPU), "
            f"peak memory {peak:,.0f} MB, {page.stat().st_size / 1e6:.2f} MB"
        )
        for text in (line for line in page.read_text("utf-8").splitlines() if "are not on this page" in line):
            print(text)
        print("| filter | the page says | ms |\n| --- | --- | --- |")
        for what, says, took in measure(page):
            print(f"| {what} | {says} | {took:,.0f} |")


if __name__ == "__main__":
    main()
