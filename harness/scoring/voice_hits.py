"""Finds every place where a text leaves a client's voice. Knows the style guide, and no case and no score.

A place is charged once: by the first of product name, banned term, slang, tone, grammar and spelling that claims it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from harness.scoring import spelling, tone
from harness.scoring.normal import Normal, normalise
from harness.scoring.phrases import AFTER, AFTER_NAME, BEFORE, WORD, Phrases, even, key, lower, stemmed, words_in
from harness.scoring.slips import slips
from harness.scoring.style_guide import StyleGuide

WORDS = Path(__file__).with_name("voice_words.toml")
KINDS = ("casing", "banned", "slang", "tone", "grammar", "typo")
"""Kinds of hits, in the order in which they claim a place."""
WHOLE_WORD = ((*BEFORE, "-"), AFTER + r"(?!-)(?!\.\w)")
"""Slang is no part of a hyphenated word or an abbreviation ("U-shaped", "u.s.")."""


class Hit(NamedTuple):
    """One place in a normal form, with the rule it breaks."""

    start: int
    end: int
    kind: str
    rule: str
    why: str
    use: str = ""
    """What to write instead, or the empty string where it is best left out."""


class Text:
    """A text in the forms that rules look at, with the way back to the original."""

    def __init__(self, text: str) -> None:
        self.normal: Normal = normalise(text)
        self.even = even(self.normal.text)
        self.low = lower(self.even)
        self.flat = " ".join(self.low.split())
        self.tokens = WORD.findall(self.low)
        self.words = stemmed(self.tokens)


class Finder:
    """A style guide made ready for looking."""

    def __init__(self, guide: StyleGuide) -> None:
        self.guide = guide
        self.watched = frozenset(switch for switch in tone.WHY if not getattr(guide.tone, switch))
        self.glossary = frozenset(guide.glossary)
        self.banned = Phrases(
            {t: (f"banned.{rule.id}", rule.why, rule.replacement(t)) for rule in guide.banned for t in rule.terms}
        )
        self.names = Phrases(
            {form: " ".join(n.exact.split()) for n in guide.names for form in (*n.wrong, n.exact)}, after=AFTER_NAME
        )
        self.small_names = {name.exact.split()[0] for name in guide.names if name.exact[0].islower()}
        self.slang = Phrases(_slang(guide), *WHOLE_WORD)
        self.allowed = _allowed(guide, self.slang)

    def casing(self, text: Text) -> tuple[list[Hit], int]:
        """The product names that are not written exactly, and the number of all."""
        named = self.names.find(text.low, text.words)
        wrong = [
            Hit(n.start, n.end, "casing", f"name.{n.value}", "the name is written in one way", n.value)
            for n in named
            if " ".join(text.even[n.start : n.end].split()) != even(n.value)
        ]
        return wrong, len(named)

    def hits(
        self, text: Text, casing: Iterable[Hit], source_words: Collection[str] = (), whole: bool = True
    ) -> list[Hit]:
        """Every hit, in order, those of `casing` first; a guide that trusts its source's spelling names its words."""
        taken = bytearray(len(text.even))
        kept: list[Hit] = []
        for hit in chain(casing, self._claims(text, source_words, whole)):
            if 1 not in taken[hit.start : hit.end]:
                taken[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
                kept.append(hit)
        return sorted(kept)

    def _claims(self, text: Text, source_words: Collection[str], whole: bool) -> Iterator[Hit]:
        for found in self.banned.find(text.low, text.words):
            yield Hit(found.start, found.end, "banned", *found.value)
        allows = self.guide.tone
        if not allows.slang:
            for word in self.slang.find(text.low, text.words):
                yield Hit(word.start, word.end, "slang", "tone.slang", "slang", word.value)
        for mark in tone.marks(text.even, self.glossary, self.watched):
            yield Hit(mark.start, mark.end, "tone", f"tone.{mark.switch}", tone.WHY[mark.switch])
        if not allows.grammar_slips:
            for slip in slips(text.even, text.tokens, text.words, self.small_names, whole):
                yield Hit(slip.start, slip.end, "grammar", f"grammar.{slip.rule}", slip.why, slip.use)
        if not allows.typos:
            for start, end in spelling.typos(text.even, text.words, self.allowed, source_words):
                yield Hit(start, end, "typo", "tone.typos", "not a word of the list or the glossary")


@lru_cache(maxsize=1)
def built_in_slang() -> dict[str, str]:
    """The project's own list of slang, with a plain wording for each."""
    listed: dict[str, str] = tomllib.loads(WORDS.read_text("utf-8"))["slang"]
    return listed


def _slang(guide: StyleGuide) -> dict[str, str]:
    excused = {key(word) for word in guide.glossary}
    listed = built_in_slang() | dict.fromkeys(guide.slang, "")
    return {word: use for word, use in listed.items() if key(word) not in excused}


def _allowed(guide: StyleGuide, slang: Phrases[str]) -> frozenset[str]:
    """Words that are no typos whatever the word list says: the guide's own, and those that another rule judges."""
    told = [*guide.glossary, *(term for rule in guide.required for term in rule.any_of), *slang.values]
    told += [term for rule in guide.banned for term in (*rule.terms, *rule.use)]
    told += [spelling for name in guide.names for spelling in (name.exact, *name.wrong)]
    return frozenset(word for phrase in told for word in words_in(key(phrase)))
