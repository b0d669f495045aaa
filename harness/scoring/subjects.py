"""Tells where an answer describes a Code section as another section's subject. Knows only one line on each section.

The rule is careful, so that it seldom speaks: the words right behind the reference describe it ("§ 44-14-161 governs
..."); they share no word with what the list says of this section; they share two words or more, each of few sections,
with what the list says of another; both lines were read at their source; and the case's source, where it names the
section, does not describe it in these words. Limits: a wrong subject that is no other section's on the list, or that
shares one word with the right one, or that stands before the reference, is not seen. A true description in words that
the list does not use is not flagged unless it happens to use two of another section's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

DESCRIBED = re.compile(
    r"(?:\s?\(\w{1,4}\))*(?:,?\s+(?:which|that))?\s+(?:only\s+|also\s+)?(?:governs|concerns|covers|addresses|regulates"
    r"|deals\s+with|is\s+about|relates\s+to|requires|provides|sets|fixes|limits|caps|defines|lists|allows|permits|states|says)\s+"
    r"(?P<subject>[^.;\n]{8,240})",
    re.I,
)
WORD = re.compile(r"[a-z]{4,}")
STEM = 6
"""Letters of a word that are compared."""
MOST_SECTIONS = 4
"""Most sections of the list that a telling word may describe."""
FEWEST_SHARED = 2
AROUND = 300
"""Characters of the source around a reference that describe it."""
EMPTY_WORDS = (
    "which that with from before after what when where under other unless given into upon this such must shall"
)
EMPTY = frozenset(EMPTY_WORDS.split())


def stems(text: str) -> set[str]:
    """Words of a text, cut short, without those that describe nothing."""
    return {word[:STEM] for word in WORD.findall(text.lower()) if word not in EMPTY}


def other_subject(
    text: str, end: int, section: str, lines: Mapping[str, str], source: str, places: Sequence[tuple[int, int]]
) -> str | None:
    """The section that the words behind a reference describe instead, or None. `lines` holds those that were read."""
    described = DESCRIBED.match(text, end) if section in lines else None
    if described is None:
        return None
    said = stems(described["subject"])
    if said & stems(lines[section]):
        return None
    told = {known: stems(line) for known, line in lines.items()}
    spread = Counter(stem for words in told.values() for stem in words)
    best, size = None, FEWEST_SHARED - 1
    for known, words in told.items():
        shared = {stem for stem in said & words if spread[stem] <= MOST_SECTIONS}
        if len(shared) > size and not any(shared & stems(source[max(0, a - AROUND) : b + AROUND]) for a, b in places):
            best, size = known, len(shared)
    return best
