"""Writes the data card of cleaned rows: what they come from, what was done, what is known and not known of them."""

from __future__ import annotations

import re
from typing import Any

from training.curation.check import FindingTable, shown
from training.curation.review import Review

MARKS = re.compile(r"([\\`*_{}\[\]<>|#~])")
DONE = {"drop": "left out", "mask": "masked", "flag": "kept, listed in the report"}
LIMITS = """- Near copies are those with many runs of five words in common; a paraphrase is none.
- Contamination is text that stands in a suite's case, edited or not; a paraphrase or translation of one is not found.
- Personal data is what has a form or a check sum: names, street addresses and dates of birth are not looked for.
- Typos, tone and swaps know English only; what the rules miss is in docs/data.md.
- Nothing here tells whether an answer is right."""


def render(review: Review, left: Review, facts: dict[str, Any]) -> str:
    """The card as Markdown: the review that was acted on, one of the rows that are left, and the manifest's facts."""
    unit, before, _ = review.size
    masks = ", ".join(f"{count:,} {kind}" for kind, count in facts["masks"].items()) or "none"
    figures = [result.found for result in left.results if result.action == "keep"]
    parts = [
        "# Data card",
        "",
        f"{left.rows_before:,} rows, {left.size[1]:,} {unit}. "
        f"Before cleaning: {review.rows_before:,} rows, {before:,} {unit}.",
        "",
        "## Files",
        "",
        *_table(["file", "rows", "sha256"], [_file(f, "read: ") for f in facts["inputs"]]),
        *(_line(_file(f, "written: ")) for f in facts["outputs"]),
        "",
        "## What was done",
        "",
        *_table(["check", "rows", "done"], _checks(review)),
        "",
        f"Masked places: {masks}. Rows left with personal data of these forms: {facts['pii_left']:,}.",
        "",
        "## What is in the rows",
        "",
        *(line for found in figures for line in _figures(found.tables)),
        *(f"- {escape(note)}" for found in figures for note in found.notes),
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
    """Text that Markdown takes as it is."""
    return MARKS.sub(r"\\\1", shown(text))


def _file(facts: dict[str, Any], said: str) -> list[str]:
    return [escape(f"{said}{facts['file']}"), f"{facts['rows']:,}", f"`{facts['sha256']}`"]


def _checks(review: Review) -> list[list[str]]:
    rows = []
    for result in review.results:
        if result.found.skipped:
            rows.append([escape(result.name), "-", escape(f"not run: {result.found.skipped}")])
        elif result.action != "keep":
            rows.append([escape(result.name), f"{len(result.found.findings):,}", DONE[result.action]])
    return rows


def _figures(tables: list[FindingTable]) -> list[str]:
    lines = []
    for table in tables:
        rows = [[escape(cell) for cell in row] for row in table.rows]
        lines += [f"**{escape(table.title)}**", "", *_table([escape(h) for h in table.headings], rows), ""]
    return lines


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    return [_line(headings), _line(["---"] * len(headings)), *map(_line, rows)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
