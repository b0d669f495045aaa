"""The data card of cleaned rows: origin, cleaning, statistics and limits."""

from __future__ import annotations

import re
from typing import Any

from harness.formatting import markdown_table
from harness.sanitize import shown
from training.curation.check import FindingTable
from training.curation.review import CheckRun, Review

MARKS = re.compile(r"([\\`*_{}\[\]<>|#~])")
DONE = {"drop": "left out", "mask": "masked", "flag": "kept, listed in the report"}
LIMITS = """- Near copies are rows with many runs of five words in common; paraphrases are not detected.
- Contamination is text of a suite's case, edited or not; paraphrases and translations are not detected.
- Personal data is what has a fixed form or a check sum; names, street addresses and dates of birth are not detected.
- The checks for typos, tone and swapped words cover English only; docs/data.md lists what they miss.
- No check tells whether an answer is right."""


def render(review: Review, left: Review, facts: dict[str, Any]) -> str:
    """Render the card as Markdown, from the review before cleaning, the one after, and the manifest's facts."""
    unit, before, _ = review.size
    masks = ", ".join(f"{count:,} {kind}" for kind, count in facts["masks"].items()) or "none"
    results = [run.result for run in left.results if run.action == "keep"]
    files = [_file(f, "read: ") for f in facts["inputs"]] + [_file(f, "written: ") for f in facts["outputs"]]
    parts = [
        "# Data card",
        "",
        f"{left.rows_before:,} rows, {left.size[1]:,} {unit}. "
        f"Before cleaning: {review.rows_before:,} rows, {before:,} {unit}.",
        "",
        "## Files",
        "",
        *markdown_table(["file", "rows", "sha256"], files),
        "",
        "## What was done",
        "",
        *markdown_table(["check", "rows", "done"], _checks(review)),
        "",
        f"Masked places: {masks}. Rows left with personal data of these forms: {facts['pii_left']:,}.",
        "",
        "## What is in the rows",
        "",
        *(line for result in results for line in _tables(result.tables)),
        *(f"- {escape(note)}" for result in results for note in result.notes),
        "",
        "## Limits",
        "",
        LIMITS,
        "",
        "## Settings",
        "",
        *(f"- {name}: {escape(str(value or 'none'))}" for name, value in facts["settings"].items()),
    ]
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Escape text for Markdown."""
    return MARKS.sub(r"\\\1", shown(text))


def _file(facts: dict[str, Any], prefix: str) -> list[str]:
    return [escape(f"{prefix}{facts['file']}"), f"{facts['rows']:,}", f"`{facts['sha256']}`"]


def _checks(review: Review) -> list[list[str]]:
    """List what each check did: a dropped row counts for the check that drops it, and for no other."""

    def rows(one: CheckRun) -> int:
        found = {finding.row for finding in one.result.findings}
        return review.dropped_by[one.name] if one.action == "drop" else len(found - review.drops.keys())

    return [
        [
            escape(one.name),
            "-" if skipped else f"{rows(one):,}",
            escape(f"not run: {skipped}" if skipped else DONE[one.action]),
        ]
        for one in review.results
        if (skipped := one.result.skipped) or one.action != "keep"
    ]


def _tables(tables: list[FindingTable]) -> list[str]:
    lines = []
    for table in tables:
        rows = [[escape(cell) for cell in row] for row in table.rows]
        lines += [f"**{escape(table.title)}**", "", *markdown_table([escape(h) for h in table.headings], rows), ""]
    return lines
