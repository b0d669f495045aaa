"""Puts what a benchmark printed into a page of the documents."""

import re
from pathlib import Path

from harness.errors import UserError


def write_between(file: Path, name: str, text: str) -> None:
    """Put `text` between the markers called `name` of a Markdown file."""
    pattern = re.compile(rf"(<!-- {name}: written by [^>]*-->\n).*?(<!-- /{name} -->)", re.S)
    before = file.read_text("utf-8")
    if not pattern.search(before):
        raise UserError(f"{file}: no '<!-- {name}: written by ... -->' before a '<!-- /{name} -->'; put both lines in")
    file.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}\n{match[2]}", before), "utf-8")
