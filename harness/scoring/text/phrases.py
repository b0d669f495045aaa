"""Find listed words and phrases in a text as whole words, ignoring letter case.

An apostrophe inside a word is part of it: "customer" is not found in "customer's", which must be listed as a form of
its own. A hyphen separates words: "customer" is found in "customer-first". Texts are normal forms (see
`harness.scoring.text.normalize`) with the apostrophes and hyphens of `even`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    return stemmed(WORD.findall(text))


def stemmed(tokens: Iterable[str]) -> set[str]:
    """Return `words_in` of words that are already separated."""
    words = set(tokens)
    stems = [word.split("'", 1)[0] for word in words if "'" in word]
    return words.union(stems) if stems else words


@lru_cache(maxsize=4096)
def whole_phrase(phrase: str) -> re.Pattern[str]:
    """Return a pattern that finds a phrase, as `key` gives it, as whole words and numbers with any white space.

    The pattern starts with plain text, with the look-behind after it, because plain text is searched for fast.
    """
    first, *rest = map(re.escape, phrase.split())
    words = [rf"{first}(?<!\w{first})(?<!\d[.,]{first})", *rest]
    return re.compile(r"\s+".join(words) + r"(?!\w)(?![.,]\d)")


def starting(words: Iterable[str]) -> str:
    """Return a pattern of any of these words, in lower case or capitals, at the start of a word.

    The pattern starts with a set of first letters, which makes searching much faster.
    """
    rests: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        rests.setdefault(word[0], []).append(word[1:])
    either = "|".join(f"(?<={first})(?:{'|'.join(listed)})" for first, listed in rests.items())
    firsts = "".join(rests)
    return rf"[{firsts}{firsts.upper()}](?<!\w.)(?i:{either})"


def whole_words(text: str, words: str, start: int = 0) -> Iterator[int]:
    """Yield where `words` begins in the text from `start` on, with no letter or digit that continues it."""
    at = text.find(words, start)
    while at >= 0:
        end = at + len(words)
        continues = at > 0 and words[0].isalnum() and text[at - 1].isalnum()
        if not continues and not (words[-1].isalnum() and text[end : end + 1].isalnum()):
            yield at
        at = text.find(words, at + 1)


class Phrases(Generic[T]):
    """Listed phrases, each with a value; the longest one at a place is found.

    Phrases are grouped by their first word, so that a text with none of these words costs one set intersection.
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
        """List the phrases in an even, lower-case text, in order; `words` are its `words_in`, if known."""
        present = self.firsts.intersection(words_in(text) if words is None else words)
        matches = [
            PhraseMatch(match.start(), match.end(), self.values[" ".join(match[0].split())])
            for first in present
            for match in self._patterns[first].finditer(text)
        ]
        if len(present) > 1:
            matches.sort(key=lambda match: (match.start, -match.end))
        return matches


def _pattern(first: str, phrases: Collection[str], before: Sequence[str], after: str) -> re.Pattern[str]:
    """A pattern of any of the phrases, the longest first.

    If all start with their first word, the pattern starts with it as plain text: that is searched for much faster than
    a pattern that begins with a look-behind.
    """
    longest_first = sorted(phrases, key=lambda p: (-len(p), p))
    shared = first if all(phrase.startswith(first) for phrase in phrases) else ""
    behind = "".join(f"(?<!{mark}{re.escape(shared)})" for mark in before)
    rests = "|".join(re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(phrase[len(shared) :])) for phrase in longest_first)
    return re.compile(f"{re.escape(shared)}{behind}(?:{rests}){after}")
