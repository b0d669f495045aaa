"""Do the intervals hold the truth as often as they say, and do the gates let through no more than they may?

    python benchmarks/statistics_validity.py [--suites 2000] [--seed 1] [--only coverage|unequal|null|bar|power]
        [--docs docs/statistics.md] [--quick]

Simulates suites whose truth is known (`statistics_suites`), asks the project's own functions about each, and prints
Markdown tables: coverage and width of every 95% interval, the share of gates that pass when tuned equals baseline and
when the truth lies exactly at the threshold, and how far power is from what `tunegate power` predicts; a plain method
next to each. With --docs the tables are written into a page, between markers. The same seed gives the same tables.
About an hour on one idle core with 2,000 suites a cell, whose Monte Carlo error is 0.5 points at 95%.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

import statistics_coverage as coverage  # noqa: E402
import statistics_rules as rules  # noqa: E402
from pages import write_between  # noqa: E402


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table as Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows])


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def coverage_tables(suites: int, seed: int, unequal: bool = False) -> str:
    """A table for each kind of interval, and how many cells miss; of contracts of one size, or of unequal ones."""
    parts, cells = [], []
    for kind in coverage.kinds():
        if (kind.designs[0].sizes != "equal") is not unequal:
            continue
        found = coverage.measured(kind, suites, seed)
        cells += found
        names = list(kind.truths)
        rows = [
            [str(design), *(_coverage(c) for c in found[i * len(names) : (i + 1) * len(names)])]
            for i, design in enumerate(kind.designs)
        ]
        parts.append(f"**{kind.title}** (plain: {kind.plain})\n\n{markdown(['contracts x cases', *names], rows)}")
        print(f"{kind.title}: {sum(c.misses for c in found)} of {len(found)} cells under 93.5%", file=sys.stderr)
    seen = [c for c in cells if not math.isnan(c.coverage)]
    missed, plain = sum(c.misses for c in seen), sum(c.plain < coverage.TARGET for c in seen)
    lowest, worst = min(c.coverage for c in seen), min(c.plain for c in seen)
    one_sided = min(min(c.lower, c.upper) for c in seen)
    bounds = sum(c.misses_one_sided for c in seen)
    told = (
        f"{missed} of {len(seen)} cells are under 93.5% with these intervals, {plain} with the plain methods; the "
        f"lowest coverage is {percent(lowest)}%, of the plain methods {percent(worst)}%. One-sided bounds, which gates "
        f"use, are under 93.5% in {bounds} cells; the lowest holds {percent(one_sided)}% of the time."
    )
    return "\n\n".join([told, *parts])


def _coverage(cell: coverage.Cell) -> str:
    """Coverage, the plain method's in brackets, median width, and what the caution costs."""
    if math.isnan(cell.coverage):
        return "not judged"
    star = " *" if cell.misses else " °" if cell.misses_one_sided else ""
    cost = "" if cell.cost is None else f", {cell.cost:.1f}x"
    judged = "" if cell.judged > 0.995 else f", {cell.judged:.0%} judged"
    return f"{percent(cell.coverage)}{star} ({percent(cell.plain)}), {cell.width:.3f}{cost}{judged}"


def passed_table(found: list[rules.Passed]) -> str:
    """Shares of suites whose gate passed, in per cent."""
    header = ["gate", "contracts x cases", "truth", "passed", "plain rule", "may pass"]
    rows = [
        [
            f.claim,
            f.design,
            f.truth,
            percent(f.ours) + (" *" if f.misses else ""),
            percent(f.plain),
            f"{f.most:.0%}",
        ]
        for f in found
    ]
    missed, plain = sum(f.misses for f in found), sum(f.plain > f.most for f in found)
    worst, worst_plain = max(f.ours for f in found), max(f.plain for f in found)
    told = (
        f"{missed} of {len(found)} cells let through more than they may, the plain rules {plain}. The most is "
        f"{percent(worst)}%, of the plain rules {percent(worst_plain)}%."
    )
    return f"{told}\n\n{markdown(header, rows)}"


def power_table(found: list[rules.Power]) -> str:
    """Predicted and simulated power, in per cent."""
    header = ["gate and truth", "contracts x cases", "predicted", "simulated"]
    rows = [[f.claim, f.design, percent(f.predicted), percent(f.simulated) + (" *" if f.misses else "")] for f in found]
    far = max(abs(f.predicted - f.simulated) for f in found)
    missed = sum(f.misses for f in found)
    told = f"{missed} of {len(found)} designs are more than 3 points off; the farthest {percent(far)} points."
    return f"{told}\n\n{markdown(header, rows)}"


PARTS: dict[str, Callable[[int, int], str]] = {
    "coverage": coverage_tables,
    "unequal": lambda suites, seed: coverage_tables(suites, seed, unequal=True),
    "null": lambda suites, seed: passed_table(list(rules.under_the_null(suites, seed))),
    "bar": lambda suites, seed: passed_table(list(rules.at_the_bar(suites, seed))),
    "power": lambda suites, seed: power_table(list(rules.power(suites, seed))),
}


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
        text = part(suites, args.seed)
        libraries = ", ".join(f"{library} {version(library)}" for library in ("numpy", "scipy"))
        again = "" if name == "power" else f", and {coverage.AGAIN * suites:,} where that missed"
        text += f"\n\n{suites:,} suites a cell{again}; seed {args.seed}; {libraries}. * misses its band"
        text += "; ° only a one-sided bound does." if name in ("coverage", "unequal") else "."
        print(f"## {name}\n\n{text}\n")
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        if args.docs:
            write_between(args.docs, name, text + "\n")


if __name__ == "__main__":
    main()
