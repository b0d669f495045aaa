"""Keyword floor: the first words, and a few words around every figure."""

import re

from harness.schema import Case
from harness.scoring.text.quantities import figures_in

MOST_WORDS = 120
OPENING = 40
"""Words of the first sentence, which names the parties."""
BEFORE, AFTER = 4, 1
"""Words kept before and after a figure."""


def keyword_floor(case: Case) -> str:
    """Snippets of the contract with its figures, in their order, up to the words that the prompt allows."""
    lines = re.split(r"(?<=[.;])\s+", case.document)
    words = lines.pop(0).split()[:OPENING]
    for line in lines:
        snippet = _snippet(line)
        if snippet and len(words) + len(snippet) <= MOST_WORDS:
            words += [*snippet[:-1], snippet[-1].rstrip(".,;:") + "."]
    return " ".join(words)


def _snippet(line: str) -> list[str]:
    """The words from a little before the first figure of a line to a little after the last."""
    found = figures_in(line)
    if not found:
        return []
    start, end = found[0].start, found[-1].end
    return [*line[:start].split()[-BEFORE:], *line[start:end].split(), *line[end:].split()[:AFTER]]
