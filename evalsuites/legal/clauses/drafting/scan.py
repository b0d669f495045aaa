"""Make a paragraph look like text from a scanned page; names, figures and statutes stay legible."""

import random
from collections.abc import Set

MISREAD = (("rn", "m"), ("m", "rn"), ("cl", "d"), ("li", "h"), ("l", "1"), ("o", "0"), ("e", "c"), ("h", "b"))
"""Letters and what a poor scan reads instead."""
MOST_MISREAD = 2
"""Misread words in one paragraph."""
LINE_WORDS = 11
"""A scanned line breaks about this often."""


def _misread(word: str, rng: random.Random) -> str:
    fitting = [(letters, wrong) for letters, wrong in MISREAD if letters in word[1:]]
    if not fitting:
        return word
    letters, wrong = rng.choice(fitting)
    return word[0] + word[1:].replace(letters, wrong, 1)


def _plain(word: str, keep: Set[str]) -> bool:
    return word.isalpha() and word.islower() and len(word) > 3 and word not in keep


def scanned(text: str, rng: random.Random, keep: Set[str]) -> str:
    """The text with up to two words misread, and lines broken, one of them inside a word."""
    words = text.split(" ")
    open_to_error = [i for i, word in enumerate(words) if _plain(word, keep)]
    for i in rng.sample(open_to_error, min(len(open_to_error), rng.randint(0, MOST_MISREAD))):
        words[i] = _misread(words[i], rng)
    broken = ""
    for i, word in enumerate(words):
        breaks = i > 0 and i % LINE_WORDS == 0
        if breaks and _plain(word, keep) and len(word) > 6 and rng.random() < 0.4:
            half = len(word) // 2
            broken += f" {word[:half]}-\n{word[half:]}"
        else:
            broken += ("\n" if breaks and rng.random() < 0.5 else " " if i else "") + word
    return broken
