"""Keyword floor: the parties' sentence, and a few words around every figure."""

from harness.schema import Case
from harness.scoring.text.quantities import figures_in

MOST_WORDS = 80
BEFORE, AFTER = 5, 2
"""Words kept before and after a figure."""


def keyword_floor(case: Case) -> str:
    """Snippets of the contract with its figures, in their order, up to the words that the prompt allows."""
    opening, *lines = case.document.split("\n")
    words = opening.split()
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
