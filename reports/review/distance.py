"""How far an edited draft is from what it was: Levenshtein distance in code points. Knows no page.

Reviewers edit a text in which hidden characters stand by name (`⟨U+202E⟩`), so names are turned back before counting.
"""

from __future__ import annotations

from harness import visible


def restored(text: str, draft: str) -> str:
    """The text with the names of the draft's hidden characters turned back into the characters."""
    for character in {c for c in draft if visible.is_hidden(c)}:
        text = text.replace(visible.escape(character), character)
    return text


def edits(draft: str, text: str) -> tuple[int, int]:
    """Insertions, deletions and replacements from a draft to an edited text as shown, and the draft's length."""
    before = restored(visible.shown(draft), draft)
    return distance(before, restored(text, draft)), len(before)


def distance(before: str, after: str) -> int:
    """Levenshtein's distance (1966), a row at a time (Wagner and Fischer 1974) after common ends are cut off."""
    import numpy as np

    start = _equal_letters(before, after)
    before, after = before[start:], after[start:]
    end = _equal_letters(before[::-1], after[::-1])
    before, after = (text[: len(text) - end] for text in (before, after))
    if not before or not after:
        return len(before) + len(after)
    letters = np.array([ord(c) for c in after])
    steps = np.arange(len(after) + 1)
    row = steps.copy()
    for number, letter in enumerate(before, 1):
        reached = np.empty_like(row)
        reached[0] = number
        reached[1:] = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(letter)))
        row = np.minimum.accumulate(reached - steps) + steps
    return int(row[-1])


def _equal_letters(one: str, other: str) -> int:
    """How many letters two texts begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
