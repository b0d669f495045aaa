"""Finds listed words and phrases in a text as whole words, letter case aside. Knows no reason for looking.

An apostrophe inside a word belongs to it: "customer" does not stand in "customer's", which is a form to be listed. A
hyphen parts words: "customer" stands in "customer-first". Texts are normal forms (see
`harness.scoring.text.normalize`) made even by `even`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from harness.scoring.text.normalize import plain

T = TypeVar("T")

EVEN = {"’": "'", "‘": "'", "ʼ": "'", "‐": "-", "‑": "-"}
WORD = re.compile(r"\w+(?:'\w+)*")
BEFORE = (r"\w", r"\w'")
"""What may not stand before a phrase."""
AFTER = r"(?!\w)(?!'\w)"
AFTER_NAME = r"(?!\w)"
"""A name may take the possessive: "TideFlask's"."""


class PhraseMatch(NamedTuple, Generic[T]):
    """Where a phrase stands, and what was listed with it."""

    start: int
    end: int
    value: T


def even(text: str) -> str:
    """The text with one kind of apostrophe and hyphen; the length stays."""
    for mark, plain_mark in () if text.isascii() else EVEN.items():
        text = text.replace(mark, plain_mark)
    return text


def lower(text: str) -> str:
    """The text in lower case; the length stays."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def key(phrase: str) -> str:
    """Equal for phrases that are found in the same places."""
    return " ".join(lower(even(plain(phrase))).split())


def words_in(text: str) -> set[str]:
    """The words of an even, lower-case text, with and without what follows an apostrophe."""
    return stemmed(WORD.findall(text))


def stemmed(tokens: Iterable[str]) -> set[str]:
    """Words as `words_in` gives them, of words that are known already."""
    words = set(tokens)
    stems = [word.split("'", 1)[0] for word in words if "'" in word]
    return words.union(stems) if stems else words


def starting(words: Iterable[str]) -> str:
    """A pattern of any of these words, in lower case or capitals, where a word starts.

    The first letter stands alone: a pattern that starts with one of a few letters is searched for much faster.
    """
    rests: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        rests.setdefault(word[0], []).append(word[1:])
    either = "|".join(f"(?<={first})(?:{'|'.join(listed)})" for first, listed in rests.items())
    firsts = "".join(rests)
    return rf"[{firsts}{firsts.upper()}](?<!\w.)(?i:{either})"


class Phrases(Generic[T]):
    """Listed phrases, each with a value; the longest that stands at a place is found.

    Phrases are grouped by their first word, so that a text without any of these words costs one look at its words.
    """

    def __init__(self, listed: Mapping[str, T], before: Sequence[str] = BEFORE, after: str = AFTER) -> None:
        self.values = {key(phrase): value for phrase, value in listed.items()}
        groups: dict[str, list[str]] = {}
        for phrase in self.values:
            first = WORD.search(phrase)
            if first is None:
                raise ValueError(f"{phrase!r} holds no word")
            groups.setdefault(first[0], []).append(phrase)
        self.firsts = frozenset(groups)
        self._patterns = {first: _pattern(first, phrases, before, after) for first, phrases in groups.items()}

    def find(self, text: str, words: Collection[str] | None = None) -> list[PhraseMatch[T]]:
        """Where phrases stand in an even, lower-case text, in order; `words` are its `words_in`, where known."""
        present = self.firsts.intersection(words_in(text) if words is None else words)
        found = [
            PhraseMatch(match.start(), match.end(), self.values[" ".join(match[0].split())])
            for first in present
            for match in self._patterns[first].finditer(text)
        ]
        if len(present) > 1:
            found.sort(key=lambda hit: (hit.start, -hit.end))
        return found


def _pattern(first: str, phrases: Collection[str], before: Sequence[str], after: str) -> re.Pattern[str]:
    """Matches any of the phrases, the longest first.

    Where all start with their first word, the pattern starts with it as plain text, which is searched for much faster
    than a pattern that looks behind itself at every place.
    """
    longest_first = sorted(phrases, key=lambda p: (-len(p), p))
    shared = first if all(phrase.startswith(first) for phrase in phrases) else ""
    behind = "".join(f"(?<!{mark}{re.escape(shared)})" for mark in before)
    rests = "|".join(re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(phrase[len(shared) :])) for phrase in longest_first)
    return re.compile(f"{re.escape(shared)}{behind}(?:{rests}){after}")
