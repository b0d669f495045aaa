"""Floor: the beginning of the passage's first sentence, unchanged."""

from harness.schema import Case

WORDS = 18
"""About as many as people's summaries have."""


def lead(case: Case) -> str:
    """Return the first words of the first sentence."""
    return " ".join(case.document.split(". ")[0].split()[:WORDS]).rstrip(".") + "."
