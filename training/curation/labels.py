"""Tells the answers of a closed set, labels, from free text, and how often each is given. Knows no row's prompt.

An answer of several labels parts them by semicolons. Answers are labels where nine in ten are of at most eight words
each and they come from few forms: at most one distinct label for five rows, and no more than two hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from training.curation.exact import folded

LABEL_WORDS = 8
SHARE_OF_ROWS = 0.9
ROWS_PER_LABEL = 5
MOST_LABELS = 200


def labels(answers: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The labels of every answer, folded and sorted; None where the answers are free text."""
    found = [tuple(sorted({part for part in folded(answer).rstrip(".").split("; ") if part})) for answer in answers]
    brief = sum(all(len(label.split()) <= LABEL_WORDS for label in some) for some in found)
    distinct = {label for some in found for label in some}
    few = len(distinct) <= min(MOST_LABELS, max(2, len(answers) // ROWS_PER_LABEL))
    return found if few and brief >= SHARE_OF_ROWS * len(answers) else None


def counted(found: Sequence[tuple[str, ...]]) -> list[tuple[str, int]]:
    """Rows that hold each label, most first."""
    counts = Counter(label for some in found for label in some)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
