"""Finds names in English text: parties, people, departments, courts, funds, indexes, and other capitalised names.

A party has a company's ending ("Oakmere Holdings, LLC", "First Tidal Bank"); a department, a court, a fund or an index
its word; a person a title. Two or more capitalised words that are not all ordinary ones (`name_words`) are a name of no
known kind. One capitalised word alone is no name, nor are words all in capitals without a company's ending, headings,
labels before a colon, months and weekdays. Judges none, and knows no guideline ids (`guideline_forms`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scoring.kept import Kept
from harness.scoring.name_words import (
    CALENDAR_WORDS,
    COURTS,
    HARD,
    LINKS,
    NO_DEPARTMENT,
    NUMBERS,
    OPENING,
    SOFT,
    TITLES,
    is_ordinary,
)
from harness.scoring.normal import normalise
from harness.scoring.ranges import Taken
from harness.scoring.registry import tokens

HEADS = (
    "Department|Dept\\.|Division|Bureau|Office|Committee|Commission|Agency|Directorate|Team|Desk|Council|Authority|Unit"
)
CAPITAL = "A-ZÀ-ÖØ-Þ"
SHORT = "St|Mr|Mrs|Ms|Dr|Jr|Sr|Hon|Prof|Mt|Ft|Gen|Gov|Sen|Rep|Rev|Inc|Corp|Ltd|Co|Bros"
HYPHENED = r"(?:-\w[\w'’]*+(?!\.\d))*+"
"""Further parts of a word; none that is the beginning of a decimal number."""
WORD = rf"(?:(?:[A-Z]\.)+|(?:{SHORT})\.|[{CAPITAL}][\w'’]*{HYPHENED})"
SHORT_REST = "|".join(f"(?<={word[0]}){word[1:]}" for word in SHORT.split("|"))
FIRST = rf"[{CAPITAL}](?<![\w'’].)"
REST = rf"(?:(?<=[A-Z])\.(?:[A-Z]\.)*|(?=[a-z]{{1,3}}\.)(?:{SHORT_REST})\.|[\w'’]*{HYPHENED})"
"""FIRST and REST are a WORD in two parts. A pattern that starts with FIRST is searched for fast, since most letters are
no capitals; one that starts by looking behind itself is tried at each character."""
JOIN = r"[ \t]+(?:(?:(?:of|de|la|van|von|der|del)[ \t]+(?:the[ \t]+)?)|&[ \t]+)?"
ENDING = (
    r"(?:LLC|L\.L\.C\.?|Inc|Incorporated|INC|Corp|CORP|L\.P\.?|LP|LLP|L\.L\.P\.?|Ltd|LTD|Limited|PLC|P\.C\.?|PLLC"
    r"|N\.A\.?|Co|GmbH|S\.A\.?)(?!\w)\.?"
)
RUN = re.compile(rf"{FIRST}{REST}(?:(?:{JOIN}{WORD})+(?:,[ \t]+{ENDING})?|,[ \t]+{ENDING})")
OF_WHOM = "Board|Company|Corporation|Landlord|Tenant|Lessor|Lessee|Buyer|Seller|Lender|Borrower|Owner|Employer|Firm"
DEPARTMENT = re.compile(
    rf"{FIRST}(?:(?P<first>(?<=D)(?:epartment|ivision|irectorate)|(?<=B)ureau|(?<=O)ffice|(?<=M)inistry|(?<=C)ommittee)"
    rf"[ \t]+(?:of|on|for)[ \t]+(?:the[ \t]+)?(?!(?:{OF_WHOM})(?!\w)){WORD}"
    rf"(?:(?:,[ \t]+|[ \t]+(?:and[ \t]+|&[ \t]+|of[ \t]+)?)(?!(?:{HEADS})(?!\w)){WORD}){{0,9}}"
    rf"|{REST}(?:(?:,[ \t]+|[ \t]+)(?:(?:and|&)[ \t]+)?{WORD}){{0,7}}?[ \t]+(?P<last>{HEADS})(?!\w)"
    rf"(?!(?:(?<=Department)|(?<=Division)|(?<=Bureau)|(?<=Office))[ \t]+of[ \t]+(?:the[ \t]+)?"
    rf"(?!(?:{OF_WHOM})(?!\w))[{CAPITAL}]))"
)
LOWER_DEPARTMENT = re.compile(
    r"\b(?:the|our|your)[ \t]+(?P<name>[a-z]+(?:[ \t]+(?:and[ \t]+)?[a-z]+)?[ \t]+department)\b"
)
HEAD_HINT = re.compile(
    r"[DBOCATUM](?:epartment|ept\.|ivision|ureau|ffice|ommittee|ommission|gency|irectorate|eam|esk|ouncil|uthority|nit"
    r"|inistry)"
)
"""Saves trying the pattern where none of its words stands."""
INITIAL = re.compile(r"(?:^|[.!?:;\n•*>\"“”(\[|-])[\s*_\"“'‘(]*$")
HEADING = re.compile(r"[ \t]*(?:#|\*\*[^*\n]*\*\*[ \t]*:?[ \t]*$|[^\n]{0,80}:[ \t]*\**[ \t]*$)", re.M)
LABEL_BEFORE = re.compile(r"(?:^|\n)[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*_]*$")
LABEL_AFTER = re.compile(r"[*_]*[ \t]*(?:\([^)\n]{0,40}\))?[ \t]*:")
STARTER = re.compile(r"\w+(?:ing|ed|ly)")
DOTTED = re.compile(r"Inc|INC|Corp|CORP|Ltd|LTD|Co|CO|Bros|Jr|Sr|(?:\w\.)+\w")
"""Endings that a full stop belongs to."""
LOWER_WORD = re.compile(r"(?<![\w'’-])[a-z][a-z]+")


MOST_WORDS = 12
"""Words of the longest name; what is longer is a block of signatures or a title."""


class Name(NamedTuple):
    """One name: its range in the text, its kind, and its words as names are compared."""

    start: int
    end: int
    kind: str
    words: tuple[str, ...]


Words = list[tuple[str, int, int]]


@Kept
def lower_words(text: str) -> frozenset[str]:
    """Words that a text also writes without a capital, which makes them ordinary in it."""
    return frozenset(LOWER_WORD.findall(text))


def names_in(text: str, common: frozenset[str] = frozenset()) -> list[Name]:
    """Names in order of appearance, with offsets into `text`; words of `common` are ordinary too."""
    normal = normalise(text)
    found = list(_departments(normal.text))
    taken = Taken((name.start, name.end) for name in found)
    for run in RUN.finditer(normal.text):
        if taken.is_free(*run.span()):
            found.extend(_names(normal.text, run.start(), run.end(), common))
    if normal.starts is not None:
        found = [_placed(name, *normal.original(name.start, name.end)) for name in found]
    return sorted(found, key=lambda name: name.start) if taken.starts else found


def _placed(name: Name, start: int, end: int) -> Name:
    return name._replace(start=start, end=end)


def _names(text: str, start: int, end: int, common: frozenset[str]) -> Iterator[Name]:
    for words in _segments(text, start, end):
        kind = _kind(text, words, common)
        if kind:
            yield _made(text, kind, words)


def _made(text: str, kind: str, words: Words) -> Name:
    start, end = words[0][1], words[-1][2]
    dotted = text[end : end + 1] == "." and (DOTTED.fullmatch(text, words[-1][1], end) is not None)
    return Name(start, end + dotted, kind, tuple(word for word, _, _ in words))


def _segments(text: str, start: int, end: int) -> Iterator[Words]:
    """The run cut at words that open sentences, at calendar words, and after a company's ending."""
    words: Words = []
    for word, first, last in _tokens(text, start, end):
        if word in LINKS and not text[first].isupper():
            words.append((word, first, last))
        elif (word in OPENING and word not in NUMBERS) or word in CALENDAR_WORDS:
            yield from _trimmed(text, words)
            words = []
        else:
            if word in TITLES and len(words) > 1:
                yield from _trimmed(text, words)
                words = []
            words.append((word, first, last))
            if word in HARD and len(words) > 1:
                yield from _trimmed(text, words)
                words = []
    yield from _trimmed(text, words)


def _tokens(text: str, start: int, end: int) -> Words:
    return [(word, start + first, start + last) for word, first, last in tokens(text[start:end])]


def _trimmed(text: str, words: Words) -> Iterator[Words]:
    """Without links at either end, and without a first word whose capital only opens the sentence."""
    while words and words[0][0] in LINKS:
        words = words[1:]
    while words and words[-1][0] in LINKS:
        words = words[:-1]
    if len(words) > 2 and words[1][0] not in LINKS and _only_opens(text, words[0]):
        words = words[1:]
    if 1 < len(words) <= MOST_WORDS:
        yield words


def opens(text: str, at: int) -> bool:
    """Whether a sentence, a line or a quotation begins here."""
    return bool(INITIAL.search(text, max(0, at - 12), at)) if at else True


def _kind(text: str, words: Words, common: frozenset[str]) -> str | None:
    """The kind of name that the words make, or None where they make none."""
    last = words[-1][0]
    if last in HARD:
        return "party"
    if text[words[0][1] : words[-1][2]].isupper():
        return None
    plain = [word for word, _, _ in words]
    rare = [at for at, word in enumerate(plain) if not (word in LINKS or is_ordinary(word) or word in common)]
    if plain[0] in TITLES:
        return "person"
    if "court" in plain:
        return "court" if COURTS.intersection(plain) or rare else None
    for kind in ("fund", "index"):
        if kind in plain and (rare or len(plain) > 2):
            return kind
    if not rare:
        return None
    if (
        rare == [0]
        and opens(text, words[0][1])
        and ((len(words) == 2 and last not in SOFT) or STARTER.fullmatch(plain[0]))
    ):
        return None
    if last in SOFT:
        return "party"
    return None if _is_heading(text, words[0][1], words[-1][2]) else "name"


def _is_heading(text: str, start: int, end: int) -> bool:
    """Whether a name stands in a heading, or is a label before a colon."""
    line = text.rfind("\n", 0, start) + 1
    if HEADING.match(text, line):
        return True
    return bool(LABEL_AFTER.match(text, end)) and bool(LABEL_BEFORE.search(text, max(0, start - 12), start))


def _departments(text: str) -> Iterator[Name]:
    for match in DEPARTMENT.finditer(text) if HEAD_HINT.search(text) else ():
        if match[0].isupper():
            continue
        words = _tokens(text, match.start(), match.end())
        while words and (words[0][0] in OPENING or words[0][0] in LINKS):
            words = words[1:]
        if not match["first"] and len(words) > 2 and _only_opens(text, words[0]):
            words = words[1:]
        content = [w for w, _, _ in (words[:-1] if match["last"] else words[1:]) if w not in LINKS]
        if content and not all(word in NO_DEPARTMENT for word in content):
            yield _made(text, "department", words)
    for match in LOWER_DEPARTMENT.finditer(text) if "department" in text else ():
        words = _tokens(text, match.start("name"), match.end())
        if not any(word in NO_DEPARTMENT or word in OPENING for word, _, _ in words[:-1] if word != "and"):
            yield _made(text, "department", words)


def _only_opens(text: str, first: tuple[str, int, int]) -> bool:
    """Whether a word looks like a verb or an adverb that has its capital from the sentence that it opens."""
    return bool(STARTER.fullmatch(first[0])) and not is_ordinary(first[0]) and opens(text, first[1])
