"""Tables of benchmarks: for the eye, and in a page of the documents."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from harness.errors import UserError
from harness.formatting import markdown_table


class Table(NamedTuple):
    """A table as it is printed and written."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str


def show_table(table: Table) -> None:
    """Print a table for the eye."""
    from rich.console import Console
    from rich.table import Table as Drawn

    drawn = Drawn(*table.header, title=table.title, caption=table.note, title_justify="left")
    for row in table.rows:
        drawn.add_row(*row)
    Console(width=max(120, int(os.environ.get("COLUMNS", "150")))).print(drawn)


def markdown(table: Table) -> str:
    """A table as Markdown."""
    body = "\n".join(markdown_table(table.header, table.rows))
    return f"**{table.title}**\n\n{body}\n\n{table.note}\n"


def write_between(file: Path, name: str, text: str) -> None:
    """Put `text` between the markers called `name` of a Markdown file."""
    pattern = re.compile(rf"(<!-- {name}: written by [^>]*-->\n).*?(<!-- /{name} -->)", re.S)
    before = file.read_text("utf-8")
    if not pattern.search(before):
        raise UserError(f"{file}: no '<!-- {name}: written by ... -->' before a '<!-- /{name} -->'; put both lines in")
    file.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}\n{match[2]}", before), "utf-8")
