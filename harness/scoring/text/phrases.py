"""Find listed words and phrases in a text as whole words, ignoring letter case.

An apostrophe inside a word is part of it: "customer" is not found in "customer's", which must be listed as a form of
its own. A hyphen separates words: "customer" is found in "customer-first". Texts are normal forms (see
`harness.scoring.text.normalize`) with the apostrophes and hyphens of `even`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from harness.scoring.text.normalize import lower, plain

T = TypeVar("T")

EVEN = {"’": "'", "‘": "'", "ʼ": "'", "‐": "-", "‑": "-"}
WORD = re.compile(r"\w+(?:'\w+)*")
BEFORE = (r"\w", r"\w'")
"""What may not precede a phrase."""
AFTER = r"(?!\w)(?!'\w)"
AFTER_NAME = r"(?!\w)"
"""A name may be possessive: "TideFlask's"."""


class PhraseMatch(NamedTuple, Generic[T]):
    """The range of a phrase, and the value listed with it."""

    start: int
    end: int
    value: T


def word_list(words: str) -> frozenset[str]:
    """Return the words of a list that is written with white space between them."""
    return frozenset(words.split())


def even(text: str) -> str:
    """Return the text with one kind of apostrophe and hyphen; the length does not change."""
    for mark, plain_mark in () if text.isascii() else EVEN.items():
        text = text.replace(mark, plain_mark)
    return text


def key(phrase: str) -> str:
    """Return what is equal for phrases that are found in the same places."""
    return " ".join(lower(even(plain(phrase))).split())


def words_in(text: str) -> set[str]:
    """Return the words of an even, lower-case text, with and without what follows an apostrophe."""
    words = set(WORD.findall(text))
    return words | {word.split("'", 1)[0] for word in words}


@lru_cache(maxsize=4096)
def whole_phrase(phrase: str) -> re.Pattern[str]:
    """Return a pattern that finds a phrase, as `key` gives it, as whole words and numbers with any white space.

    The pattern starts with plain text, with the look-behind after it, because plain text is searched for fast.
    """
    first, *rest = map(re.escape, phrase.split())
    words = [rf"{first}(?<!\w{first})(?<!\d[.,]{first})", *rest]
    return re.compile(r"\s+".join(words) + r"(?!\w)(?![.,]\d)")


def starting(phrases: Iterable[str], before: Sequence[str] = (r"\w",)) -> str:
    """Return a pattern of any of these, in lower case or capitals, with none of `before` in front of it.

    The pattern starts with a set of first letters, which makes searching much faster.
    """
    rests: dict[str, list[str]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        rests.setdefault(re.escape(phrase[0]), []).append(re.escape(phrase[1:]).replace(r"\ ", r"\s+"))
    either = "|".join(f"(?<={first})(?:{'|'.join(listed)})" for first, listed in rests.items())
    firsts = "".join(rests)
    behind = "".join(f"(?<!{mark}.)" for mark in before)
    return rf"[{firsts}{firsts.upper()}]{behind}(?i:{either})"


class Phrases(Generic[T]):
    """Listed phrases, each with a value; the longest one at a place is found."""

    def __init__(self, listed: Mapping[str, T], before: Sequence[str] = BEFORE, after: str = AFTER) -> None:
        self.values = {key(phrase): value for phrase, value in listed.items()}
        self._pattern = re.compile(starting(self.values, before) + after if listed else "(?!)")

    def find(self, text: str) -> Iterator[PhraseMatch[T]]:
        """Yield the phrases in an even, lower-case text, in order."""
        for match in self._pattern.finditer(text):
            yield PhraseMatch(match.start(), match.end(), self.values[" ".join(match[0].split())])
