"""Find every violation of a style guide in a text.

A place has one violation: the first of product name, banned term, slang, tone, grammar and spelling that applies.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from harness.scoring.base import RangeSet
from harness.scoring.brand import spelling
from harness.scoring.brand.grammar import slips
from harness.scoring.brand.style_guide import StyleGuide
from harness.scoring.text.normalize import Normal, lower, normalise
from harness.scoring.text.phrases import AFTER, AFTER_NAME, BEFORE, WORD, Phrases, even, key, words_in

CONTRACTION = re.compile(
    r"\b(?:\w+n't|(?:i|you|we|they|he|she|it|that|there|who|what)'(?:re|ve|ll|d|m)"
    r"|(?:it|that|there|here|what|who|he|she|let|where|how)'s)(?!\w)",
    re.I,
)
EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\u231a-\u23ff\U0001f000-\U0001faff]+")
FACE = re.compile(r"[:;](?<![\w:;].)'?-?[)(DP](?![\w)(])")
REPEATED = re.compile(r"[!?][!?]+")
EXCLAMATION = re.compile(r"!(?<![!?]!)(?![!?])")
SHOUTED = re.compile(r"[A-Z](?<![\w@./'-].)[A-Z]{3,}(?![\w@/'-])")
SEPARATOR = re.compile(r"[ -]")
BULLET = re.compile(r"^[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+\S", re.M)
LABEL = re.compile(r"^[ \t]*\**[A-Z][\w '-]{0,28}:\**[ \t]+\S", re.M)


MARKS = (
    ("contractions", CONTRACTION),
    ("emoji", EMOJI),
    ("emoji", FACE),
    ("repeated_marks", REPEATED),
    ("exclamations", EXCLAMATION),
)
"""Switch of the tone, and the pattern of its marks."""
WHY = {
    "contractions": "no contractions",
    "emoji": "no emoji",
    "repeated_marks": "one mark is enough",
    "exclamations": "no exclamation marks",
    "all_caps": "no shouting in capitals",
    "lists": "plain sentences, no list",
}


def _marks(text: str, watched: Collection[str]) -> Iterator[tuple[str, int, int]]:
    """Marks in an even text by the switch that forbids them; a list is one mark, at its first line."""
    for switch, pattern in MARKS:
        if switch in watched:
            yield from ((switch, *match.span()) for match in pattern.finditer(text))
    bullet = BULLET.search(text)
    labels = [] if bullet or "\n" not in text else list(LABEL.finditer(text))
    first = bullet or (labels[0] if len(labels) > 1 else None)
    if first:
        yield "lists", first.start() + len(first[0]) - len(first[0].lstrip()), first.end()


def _shouting(text: str, acronyms: Collection[str]) -> list[tuple[int, int]]:
    """Ranges of words in capitals that are no acronym of the guide; adjacent ones are one."""
    ranges: list[tuple[int, int]] = []
    for match in SHOUTED.finditer(text):
        if match[0] not in acronyms:
            joins = ranges and not text[ranges[-1][1] : match.start()].strip()
            ranges.append((ranges.pop()[0] if joins else match.start(), match.end()))
    return ranges


KINDS = ("casing", "banned", "slang", "tone", "grammar", "typo")
"""Kinds of violations, in order of precedence."""
WHOLE_WORD = ((*BEFORE, "-"), AFTER + r"(?!-)(?!\.\w)")
"""Slang is not part of a hyphenated word or an abbreviation ("U-shaped", "u.s.")."""


class Violation(NamedTuple):
    """One range of a normal form, with the rule it breaks."""

    start: int
    end: int
    kind: str
    rule: str
    why: str
    use: str = ""
    """What to write instead; empty if it should be left out."""


class NormalForms:
    """A text in the forms that rules search, with the map to the original."""

    def __init__(self, text: str) -> None:
        self.normal: Normal = normalise(text)
        self.even = even(self.normal.text)
        self.low = lower(self.even)
        self.tokens = WORD.findall(self.low)
        self.words = words_in(self.low)


class ViolationFinder:
    """A style guide prepared for searching texts."""

    def __init__(self, guide: StyleGuide) -> None:
        self.guide = guide
        self.watched = frozenset(switch for switch in WHY if not getattr(guide.tone, switch))
        self.banned = Phrases(
            {t: (f"banned.{rule.id}", rule.why, rule.replacement(t)) for rule in guide.banned for t in rule.terms}
        )
        listed = {key(form): (name.exact, name.exact) for name in guide.names for form in (*name.wrong, name.exact)}
        forms = {key(form): (name.exact, use) for name in guide.names for form, use in name.forms().items()}
        self.names = Phrases(forms | listed, after=AFTER_NAME)
        self.listed = frozenset(listed)
        self.small_names = {name.exact.split()[0] for name in guide.names if name.exact[0].islower()}
        self.slang = Phrases(_slang(guide), *WHOLE_WORD)
        phrases = [*guide.glossary, *(term for rule in guide.required for term in rule.any_of), *self.slang.values]
        phrases += [term for rule in guide.banned for term in (*rule.terms, *rule.use)]
        phrases += [spelling for name in guide.names for spelling in (name.exact, *name.wrong)]
        self.allowed = frozenset(word for phrase in phrases for word in words_in(key(phrase)))
        """Words that are never typos: the guide's own, and those that another rule judges."""
        self.acronyms = frozenset(word for phrase in phrases for word in SHOUTED.findall(even(phrase)))

    def casing(self, text: NormalForms) -> tuple[list[Violation], int]:
        """Return the product names that are not written exactly, and the number of all product names."""
        wrong, count = [], 0
        for name in self.names.find(text.low):
            (exact, use), written = name.value, " ".join(text.even[name.start : name.end].split())
            parts = SEPARATOR.split(written)
            # "a clear view" is no "ClearView" unless the guide lists it.
            if key(written) in self.listed or len(parts) == 1 or not any(part[:1].islower() for part in parts):
                count += 1
                if written != even(use):
                    why = "the name has one spelling"
                    wrong.append(Violation(name.start, name.end, "casing", f"name.{exact}", why, use))
        return wrong, count

    def hits(
        self, text: NormalForms, casing: Iterable[Violation], source_words: Collection[str] = (), whole: bool = True
    ) -> list[Violation]:
        """List all violations in order; those of `casing` take precedence, and `source_words` are never typos."""
        ranges = RangeSet()
        candidates = chain(casing, self._candidates(text, source_words, whole))
        return sorted([hit for hit in candidates if ranges.add(hit.start, hit.end)])

    def _candidates(self, text: NormalForms, source_words: Collection[str], whole: bool) -> Iterator[Violation]:
        for term in self.banned.find(text.low):
            yield Violation(term.start, term.end, "banned", *term.value)
        allows = self.guide.tone
        if not allows.slang:
            for word in self.slang.find(text.low):
                yield Violation(word.start, word.end, "slang", "tone.slang", "slang", word.value)
        shouting = (("all_caps", *span) for span in _shouting(text.even, self.acronyms))
        for switch, start, end in chain(_marks(text.even, self.watched), shouting):
            if switch in self.watched:
                yield Violation(start, end, "tone", f"tone.{switch}", WHY[switch])
        if not allows.grammar_slips:
            for slip in slips(text.even, self.small_names, whole):
                yield Violation(slip.start, slip.end, "grammar", f"grammar.{slip.rule}", slip.why, slip.use)
        if not allows.typos:
            for start, end in spelling.typos(text.even, text.words, self.allowed, source_words):
                yield Violation(start, end, "typo", "tone.typos", "not in the word list or the glossary")


def _slang(guide: StyleGuide) -> dict[str, str]:
    excused = {key(word) for word in guide.glossary}
    listed = spelling.own_lists()["slang"] | dict.fromkeys(guide.slang, "")
    return {word: use for word, use in listed.items() if key(word) not in excused}
