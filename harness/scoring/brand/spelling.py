"""Find typos by a list of English words; in doubt a word is no typo.

The list is the English part of the package `pyspellchecker` (MIT licence; 160,572 words), read without its corrector,
and `voice_words.toml`, this project's own, for newer words. Only lower-case words of four letters or more are judged:
names, numbers, abbreviations, addresses and hyphenated words never are. British spellings, words with a common prefix
or ending, and two longer words written as one count as words. Therefore it misses a typo that is itself a word ("form"
for "from"), one in a capitalised or short word, and "timeframe" for "time frame".
"""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import digest

OWN = Path(__file__).with_name("voice_words.toml")
"""This project's own lists: words, slang, rules of grammar."""
SHORTEST, LONGEST = 4, 30
STEM = 5
"""Fewest letters that a prefix or an ending is added to, so that \"untill\" is not un-till."""


@lru_cache(maxsize=1)
def own_lists() -> dict[str, Any]:
    """Read this project's own lists."""
    return tomllib.loads(OWN.read_text("utf-8"))


@lru_cache(maxsize=1)
def _packed() -> bytes:
    try:
        return files("spellchecker").joinpath("resources", "en.json.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise UserError(
            "a style guide with `typos = false` needs the word list of the package 'pyspellchecker', which is not "
            "installed. Install it with: pip install pyspellchecker, or set `typos = true` in the guide's [tone]"
        ) from None


def word_list_digest() -> str:
    """Digest all known words, packed; another list gives other scores."""
    return digest(digest(_packed()) + OWN.read_text("utf-8"))


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Read every word of the list, in lower case."""
    listed = json.loads(gzip.decompress(_packed()))
    return frozenset(listed).union(own_lists()["modern"]).difference(own_lists()["misspelt"])


@lru_cache(maxsize=65536)
def is_word(word: str) -> bool:
    """Whether a lower-case word is in the list, or derived from one in a way that the module's docstring lists."""
    known = words()
    stem = word.removesuffix("'s")
    lists = own_lists()
    if word in known or stem in known or any(re.sub(old, new, stem) in known for old, new in lists["british"]):
        return True
    bases = [stem.removeprefix(prefix) for prefix in lists["prefixes"]]
    bases += [stem.removesuffix(ending) for ending in lists["endings"]]
    if any(len(base) >= STEM and base in known for base in bases):
        return True
    return any(stem[:at] in known and stem[at:] in known for at in range(SHORTEST, len(stem) - SHORTEST + 1))


def typos(text: str, tokens: Collection[str], *allowed: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield ranges of typos in an even text with the lower-case words `tokens`; words in `allowed` are no typos."""
    for word in set(tokens) - words():
        if judged(word) and not any(word.removesuffix("'s") in some for some in allowed) and not is_word(word):
            pattern = rf"(?<![\w'@#./&-]){re.escape(word)}(?![\w@/&-]|'\w|\.\w)"
            yield from (match.span() for match in re.finditer(pattern, text))


def judged(word: str) -> bool:
    """Whether a word is of a kind that can be a typo."""
    letters = word.removesuffix("'s")
    return SHORTEST <= len(letters) <= LONGEST and letters.isascii() and letters.isalpha()
