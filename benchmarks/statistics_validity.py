"""Do the intervals hold the truth as often as they say, and do the gates let through no more than they may?

    python benchmarks/statistics_validity.py [--suites 2000] [--seed 1] [--only coverage|passed|power]
        [--docs docs/statistics.md] [--quick]

Simulates suites whose truth is known (`statistics_suites`), asks the project's own functions about each, and prints
Markdown tables: coverage and width of every 95% interval, the share of gates that pass when tuned equals baseline and
when the truth is exactly the threshold, and how far power is from what `tunegate power` predicts; a plain method
next to each. With --docs the tables are written into a page, between markers, and every cell into CSV files in the
folder named after the page. The same seed gives the same tables.
About an hour on one idle core with 2,000 suites a cell, whose Monte Carlo error is 0.5 points at 95%.
"""

import argparse
import csv
import math
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

import statistics_coverage as coverage  # noqa: E402
import statistics_rules as rules  # noqa: E402
from pages import write_between  # noqa: E402


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table as Markdown."""
    head, *lines = ("| " + " | ".join(row) + " |" for row in [header, *rows])
    return "\n".join([head, "|" + "---|" * len(header), *lines])


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


COVERAGE = ["interval", "design", "truth", "coverage", "plain", "width", "cost", "judged", "missed"]
"""Columns of the file of cells: shares in per cent; `missed` is empty, `interval` or `bound` (only a one-sided one)."""
UNEQUAL = "; contracts of unequal size"
"""The end of the title of an interval whose contracts differ in size."""
PASSED = ["gate", "design", "truth", "passed", "plain", "may pass"]
"""Columns of the file of gates, in per cent."""


class Part(NamedTuple):
    """What one simulation says: a summary for the page, and every cell for the file next to it."""

    text: str
    header: Sequence[str] = ()
    rows: Sequence[list[str]] = ()


def coverage_part(suites: int, seed: int) -> Part:
    """Every kind of interval, and how many cells miss: of contracts of one size, and of unequal ones."""
    rows, cells = [], []
    for kind in coverage.kinds():
        found = coverage.measured(kind, suites, seed)
        cells += found
        rows += [coverage_row(kind.title, cell) for cell in found]
        print(f"{kind.title}: {sum(c.misses for c in found)} of {len(found)} cells under 93.5%", file=sys.stderr)
    seen = [c for c in cells if not math.isnan(c.coverage)]
    missed, plain = sum(c.misses for c in seen), sum(c.plain < coverage.TARGET for c in seen)
    lowest = min(c.coverage for c in seen)
    one_sided = min(min(c.lower, c.upper) for c in seen)
    bounds = sum(c.misses_one_sided for c in seen)
    told = (
        f"{missed} of {len(seen):,} cells are under 93.5% with these intervals, {plain} with the plain methods; the "
        f"lowest coverage is {percent(lowest)}%. One-sided bounds, which gates use, are under 93.5% in {bounds} cells; "
        f"the lowest holds {percent(one_sided)}% of the time."
    )
    return Part(f"{told}\n\n{coverage_summary(rows)}", COVERAGE, rows)


def coverage_row(title: str, cell: coverage.Cell) -> list[str]:
    """One cell as the file has it; without numbers where no suite is judged."""
    if math.isnan(cell.coverage):
        return [title, cell.design, cell.case, "", "", "", "", "0", ""]
    missed = "interval" if cell.misses else "bound" if cell.misses_one_sided else ""
    cost = "" if cell.cost is None else f"{cell.cost:.1f}"
    numbers = [percent(cell.coverage), percent(cell.plain), f"{cell.width:.3f}", cost, f"{100 * cell.judged:.0f}"]
    return [title, cell.design, cell.case, *numbers, missed]


def coverage_summary(rows: list[list[str]]) -> str:
    """One line for each kind of interval, for contracts of equal and of unequal size: lowest coverage, widest."""
    lines: dict[str, list[str]] = {}
    for title in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == title and row[3]]
        lowest, plain = (min(float(row[column]) for row in own) for column in (3, 4))
        widest = max((float(row[6]) for row in own if row[6]), default=1.0)
        lines.setdefault(title.removesuffix(UNEQUAL), []).extend([f"{lowest}%", f"{plain}%", f"{widest}"])
    sizes = [f"{column}, {size}" for size in ("equal", "unequal") for column in ("lowest", "plain method", "widest")]
    return markdown(["interval", *sizes], [[name, *cells] for name, cells in lines.items()])


def passed_part(found: list[rules.Passed]) -> Part:
    """Shares of suites whose gate passed, in per cent."""
    missed, plain = sum(f.misses for f in found), sum(f.plain > f.most for f in found)
    worst, worst_plain = max(f.ours for f in found), max(f.plain for f in found)
    told = (
        f"{missed} of {len(found)} cells let through more than they may, the plain rules {plain}. The most is "
        f"{percent(worst)}%, of the plain rules {percent(worst_plain)}%."
    )
    rows = [[f.claim, f.design, f.truth, percent(f.ours), percent(f.plain), f"{100 * f.most:.0f}"] for f in found]
    return Part(f"{told}\n\n{passed_summary(rows)}", PASSED, rows)


def passed_summary(rows: list[list[str]]) -> str:
    """One line for each rule: its cells, and the one that passed most often."""
    lines = []
    for gate in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == gate]
        most = max(own, key=lambda row: float(row[3]))
        plain = max(float(row[4]) for row in own)
        lines.append([gate, str(len(own)), f"{most[3]}% ({most[1]}; {most[2]})", f"{plain}%", f"{most[5]}%"])
    return markdown(["gate", "cells", "passed at most", "at most, plain rule", "limit"], lines)


def power_part(found: list[rules.Power]) -> Part:
    """Predicted and simulated power, in per cent."""
    header = ["gate and truth", "contracts x cases", "predicted", "simulated"]
    rows = [[f.claim, f.design, percent(f.predicted), percent(f.simulated) + (" *" if f.misses else "")] for f in found]
    far = max(abs(f.predicted - f.simulated) for f in found)
    missed = sum(f.misses for f in found)
    told = f"{missed} of {len(found)} designs are more than 3 points off; the farthest {percent(far)} points."
    return Part(f"{told}\n\n{markdown(header, rows)}")


PARTS: dict[str, Callable[[int, int], Part]] = {
    "coverage": coverage_part,
    "passed": lambda suites, seed: passed_part([*rules.under_the_null(suites, seed), *rules.at_the_bar(suites, seed)]),
    "power": lambda suites, seed: power_part(list(rules.power(suites, seed))),
}


def write_cells(page: Path, name: str, part: Part) -> None:
    """Write every cell next to the page: `statistics/coverage.csv` of `statistics.md`."""
    file = page.with_suffix("") / f"{name}.csv"
    file.parent.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows([part.header, *part.rows])


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage, false alarms and power of the gates.")
    parser.add_argument("--suites", type=int, default=2000, help="simulated suites of a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(PARTS), help="one part")
    parser.add_argument("--docs", type=Path, help="Markdown file to write the tables into")
    parser.add_argument("--quick", action="store_true", help="20 suites a cell: shows that it runs, and nothing else")
    args = parser.parse_args()
    suites = 20 if args.quick else args.suites
    for name, part in PARTS.items():
        if args.only not in (None, name):
            continue
        start = time.monotonic()
        result = part(suites, args.seed)
        libraries = ", ".join(f"{library} {version(library)}" for library in ("numpy", "scipy"))
        again = "" if name == "power" else f", and {coverage.AGAIN * suites:,} where that missed"
        text = f"{result.text}\n\n{suites:,} suites a cell{again}; seed {args.seed}; {libraries}."
        text += " * over 3 points off." if name == "power" else ""
        print(f"## {name}\n\n{text}\n")
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        if args.docs:
            write_between(args.docs, name, text + "\n")
            if result.rows:
                write_cells(args.docs, name, result)


if __name__ == "__main__":
    main()
