"""The floor: the passage's first sentence, cut short. Knows no model and leaves all words as they are."""

from harness.schema import Case

WORDS = 18
"""About as many as people's summaries have."""


def lead(case: Case) -> str:
    """The first words of the first sentence."""
    return " ".join(case.document.split(". ")[0].split()[:WORDS]).rstrip(".") + "."
