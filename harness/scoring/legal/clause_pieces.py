"""Parts of a sentence or an item between commas and "and", and the names in them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from harness.scoring.legal.clause_names import CLAUSE, SMALL, WORD, Claim, key, names_in, words
from harness.scoring.legal.clause_units import HIDDEN, flat
from harness.scoring.legal.clause_wording import AFFIRMED, EXCEPTION, NEGATED, OF_SENTENCES, THE_REST, is_remark

MAX_BESIDE = 3
"""Words next to a name in a list."""
MAX_INVENTED = 4
"""Words of an invented name with "no", "waiver", "additional" or the like in it; more are a remark."""
JOINT = re.compile(r",(?!\d)(?:\s*(?:and|or|nor|plus)\b)?|\b(?:and|or|nor|plus|as well as)\b|&", re.I)
ADJACENT = re.compile(
    r"(?:(?!\s[-–—→]\s)(?:[^\w:~✗✘❌☐]|[\d_])|\b(?:clause|provision|with|along|together|[a-h]|[ivx]{1,4})\b)*", re.I
)
"""What may stand between two names of a list."""
DESCRIPTION = re.compile(r"[:|]|\s[-–—→]\s")
"""What leads from a name to a description, or from a heading to names."""
CONDITION = re.compile(r"\b(?:without|if not|unless) \w+", re.I)
OWN_NO = re.compile(r"[,(\[–—-]\s*no\s+$", re.I)
"""A "no" that denies the next name, not the one before it."""
FOLLOWING = re.compile(rf"(?:[\s*_\"'”’]*(?:\b{CLAUSE}\b|\([^()]*\)|\[[^\[\]]*\]))*[\s*_\"'”’]*([^\W_]*)", re.I)
"""Words such as "clause" and brackets after a name, and the next word."""
BEFORE = re.compile(
    rf"\d+|{CLAUSE}|(?:{'|'.join(SMALL)}|any|one|this|that|both|no|not|but|also|only|just|yes|mutual|express|general"
    "|single|separate|buyer|seller|purchaser|vendor|tenant|landlord|lessee|lessor|borrower|lender|grantor|grantee|holder"
    "|as|with|against|upon|by|name|label)s?"
)
"""A word that may stand before a name."""
AFTER = SMALL | words(
    "at by with without under against if when as per from until during before after that which who whose where must "
    "shall may will apply applies only plus but covering requiring running given too here also there because since so"
)
"""Words after a name that do not belong to it: "insurance at", but not "insurance premiums"."""


class Piece(NamedTuple):
    """A part between commas and "and", what joins it to the last one, the first name in it, and the text around."""

    start: int
    joint: str
    name: Claim | None
    before: str
    """All if there is no name."""
    after: str = ""

    def is_described(self) -> bool:
        """Whether a description begins in it."""
        return bool(DESCRIPTION.search(self.before) or DESCRIPTION.search(self.after))

    def is_bare(self) -> bool:
        """Whether nothing but an article, brackets or a description stands by the name."""
        is_noun = next_word(self.after) in ("", "and", "or", "plus")
        return bool(self.name) and is_noun and all(map(BEFORE.fullmatch, key(self.before).split()))

    def is_item(self) -> bool:
        """Whether it is a name, known or not, with at most a few words next to it, and no part of a sentence."""
        if not self.name:
            return is_invented(self.before)
        before = key(self.before).split()
        after = CONDITION.sub("", DESCRIPTION.split(self.after, maxsplit=1)[0].replace(HIDDEN, ""))
        beside = [key(after).split(), *([] if all(map(BEFORE.fullmatch, before)) else [before])]
        is_near = all(len(each) <= MAX_BESIDE and OF_SENTENCES.intersection(each) <= {"only"} for each in beside)
        return is_near and not NEGATED.search(after)


def is_invented(text: str) -> bool:
    """Whether a text without a known name is no sentence and no remark, so that it is an invented name."""
    said = key(text).split()
    while len(said) > 1 and BEFORE.fullmatch(said[0]):
        said = said[1:]
    if is_remark(text) or said[0] in AFTER or (BEFORE.fullmatch(said[0]) and not re.fullmatch(CLAUSE, said[0])):
        return False
    return len(said) <= MAX_INVENTED or not (THE_REST.search(text) or NEGATED.search(text))


def next_word(text: str) -> str:
    """The word that follows a name, "clause" and brackets; nothing if a mark follows."""
    match = FOLLOWING.match(text)
    return match[1].lower() if match else ""


class Answer:
    """An answer and the known names in it."""

    def __init__(self, text: str, table: Mapping[str, str]) -> None:
        self.text = text
        self.flat = flat(text)
        self.names = list(names_in(text, table))

    def names_in(self, start: int, end: int) -> list[Claim]:
        """Known names in a range, without regard to what is said of them."""
        first, last = bisect_left(self.names, (start,)), bisect_left(self.names, (end,))
        return [name for name in self.names[first:last] if name.end <= end]

    def rest(self, name: Claim, end: int) -> str:
        """What follows a name up to the next one, or with it if a "no" before it is its own."""
        after = bisect_left(self.names, (name.end,))
        for each in self.names[after : after + 1]:
            first, second = (self.text[at.start : at.end].lower() for at in (name, each))
            is_own = each.label != name.label and OWN_NO.search(self.text, name.end, each.start)
            end = min(end, each.end if is_own or second.startswith(f"{first} ") else each.start)
        return self.text[name.end : end]

    def pieces(self, start: int, end: int) -> list[Piece]:
        """The parts of a range; at least one."""
        joints = [joint.span() for joint in JOINT.finditer(self.flat, start, end) if not self._in_name(joint)]
        names = [name for name in self.names_in(start, end) if self.flat[name.end - 1] != HIDDEN]
        gaps = [(name.end, after.start) for name, after in pairwise(names)]
        is_dashed = len(gaps) > 1 and all(re.fullmatch(r"\s[-–—]\s", self.text[slice(*gap)]) for gap in gaps)
        joints = sorted([*joints, *(gap for gap in gaps if is_dashed or ADJACENT.fullmatch(self.flat, *gap))])
        bounds = [(start, start), *joints, (end, end)]
        pieces = [self._piece(*last, after[0]) for last, after in pairwise(bounds)]
        return [piece for piece in pieces if piece.name or WORD.search(piece.before)] or pieces[:1]

    def _in_name(self, joint: re.Match[str]) -> bool:
        last = bisect_left(self.names, (joint.end(),)) - 1
        return last >= 0 and self.names[last].end > joint.start()

    def _piece(self, joint: int, start: int, end: int) -> Piece:
        name = self._name(start, end)
        stop = name.start if name else end
        after = self.flat[name.end : end] if name else ""
        return Piece(start, self.flat[joint:start], name, self.flat[start:stop], after)

    def _name(self, start: int, end: int) -> Claim | None:
        """The first name that is one: not a part of another noun, such as "insurance premiums"."""
        names = self.names_in(start, end)
        for name in names:
            last = (key(self.flat[start : name.start]).split() or ["the"])[-1]
            leads = BEFORE.fullmatch(last) or any(each.search(last) for each in (NEGATED, EXCEPTION, AFFIRMED))
            is_noun = leads and next_word(self.flat[name.end : end]) in AFTER | {""}
            if self.flat[name.end - 1] != HIDDEN and (is_noun or " " in key(self.text[name.start : name.end])):
                return name
        bracketed = [name for name in names if self.flat[name.start - 1 : name.end + 1].replace(HIDDEN, "") == "()"]
        return bracketed[0] if bracketed else None


def is_list(pieces: list[Piece]) -> bool:
    """Whether pieces begin with a known name and are a list without a sentence around it."""
    stop = next((count for count, piece in enumerate(pieces, 1) if piece.is_described()), None)
    return bool(pieces[0].name) and all(piece.is_item() for piece in pieces[:stop])
