"""Find grammar mistakes in English by a short list of exact rules.

Rules are the patterns of `voice_words.toml` ("a" before a clear vowel, "could of", "its" for "it's" and the reverse,
"more then", a missing apostrophe, "i" for "I", a space before a mark, a word written twice); a sentence that starts in
lower case; no mark at the end.

They miss agreement ("partners is"), tense, wrong words ("form" for "from"), most "its" and "your", commas, fragments,
run-on sentences and every "a" before "h" and "u", where the sound decides. In exchange they are exact: a rule covers
only forms that no known correct sentence has (decision 0041).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from harness.scoring.brand.spelling import own_lists

LAST_LINE_WORDS = 6
ONE_LINE_WORDS = 4
"""Fewest words of a last line that needs a mark at its end; fewer are a signature or a heading."""


class Slip(NamedTuple):
    """One mistake: its range, rule and reason, and what to write instead."""

    start: int
    end: int
    rule: str
    why: str
    use: str


class GrammarRule(NamedTuple):
    """A rule with a pattern."""

    id: str
    pattern: re.Pattern[str]
    why: str
    use: str
    """What to write, as a template of the match."""


@lru_cache(maxsize=1)
def rules() -> tuple[GrammarRule, ...]:
    """Read the rules."""
    return tuple(GrammarRule(**rule | {"pattern": re.compile(rule["pattern"])}) for rule in own_lists()["grammar"])


SENTENCE = re.compile(r"[.!?](?<![.!?].)\s+([a-z][\w'-]*)")
OPENING = re.compile(r"\s*([a-z][\w'-]*)(?![\w@./])")
LAST_WORD = re.compile(r"[\w.]+$")
ENDED = re.compile(r"""[.!?:…]["'”’)\]]*\W*$""")


def slips(text: str, small_names: Collection[str] = (), whole: bool = True) -> Iterator[Slip]:
    """Yield the mistakes of an even text.

    Names in `small_names` always start in lower case. The end of a text is judged only if it is `whole`, not cut.
    """
    for rule in rules():
        for match in rule.pattern.finditer(text):
            yield Slip(match.start(), match.end(), rule.id, rule.why, match.expand(rule.use))
    yield from _small_starts(text, small_names)
    if whole:
        yield from _no_end(text)


def _small_starts(text: str, small_names: Collection[str]) -> Iterator[Slip]:
    for match in chain(filter(None, [OPENING.match(text)]), SENTENCE.finditer(text)):
        before = LAST_WORD.search(text, max(0, match.start() - 20), match.start())
        stem = before[0].lower() if before else ""
        word = match[1]
        is_start = stem not in own_lists()["abbreviations"] and len(stem) != 1
        if is_start and word == word.lower() and word not in small_names:
            use = word[0].upper() + word[1:]
            yield Slip(match.start(1), match.end(1), "small_start", "a sentence starts with a capital", use)


def _no_end(text: str) -> Iterator[Slip]:
    lines = text.rstrip().rsplit("\n", 1)
    size = len(lines[-1].split())
    needs = LAST_LINE_WORDS if len(lines) > 1 else ONE_LINE_WORDS
    if size >= needs and not ENDED.search(lines[-1]):
        end = len(text.rstrip())
        start = end - len(lines[-1].split()[-1])
        yield Slip(start, end, "no_end_mark", "a sentence ends with a mark", text[start:end] + ".")
