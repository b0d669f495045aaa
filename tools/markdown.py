"""Markdown of the generated pages: pages and tables."""

from __future__ import annotations

from collections.abc import Iterable

from tools.documented import Entry

WRITTEN = "Generated from the code by `make reference`. To change this page, change the code.\n"


def page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", WRITTEN, *(f"{part}\n" for part in parts if part)])


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown, without columns that are empty."""
    columns = [[head, *cells] for head, *cells in zip(heads, *rows, strict=True)]
    kept = [column for column in columns if any(column[1:])]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row).strip() for row in zip(*kept, strict=True)]
    rule = "|" + "---|" * len(kept)
    return "\n".join([f"| {lines[0]} |", rule, *(f"| {line} |" for line in lines[1:])])


def entries(found: Iterable[Entry], first: str = "key") -> str:
    rows = [(f"`{one.name}`", one.kind, one.default, one.says) for one in found]
    return table((first, "type", "default", "what it is"), rows)
