"""Read an answer as a list of clause types, or "none".

A name counts as an item of a list, a table or JSON, and in a sentence that says what the text contains, unless its item
or its part of the sentence denies it. Other sentences are not searched for names. A short item of a list without a name
is an invented one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from harness.schema import Completion
from harness.scoring.legal import clause_denials as denials
from harness.scoring.legal.clause_names import CLAUSE, SMALL, WORD, Claim, key, names_in, words
from harness.scoring.legal.clause_units import HIDDEN, SPECIAL, SPLIT, Unit, flat, sentences, units
from harness.scoring.text.normalize import normalise
from harness.scoring.text.refusals import refuses

MAX_WORDS = 8
"""A longer item is not an invented name."""
MAX_BESIDE = 3
"""Words beside a name in a list."""
MAX_SHOWN = 60
"""A name outside the vocabulary is cut to this many characters."""

INNER = re.compile(r"[^\W_](?:.*[^\W_])?", re.S)
JOINT = re.compile(r",(?!\d)(?:\s*(?:and|or|plus)\b)?|\b(?:and|or|plus|as well as)\b|&", re.I)
ADJACENT = re.compile(
    r"(?:(?!\s[-–—→]\s)(?:[^\w:~✗✘❌☐]|[\d_])|\b(?:clause|provision|with|along|together|[a-h]|[ivx]{1,4})\b)*", re.I
)
"""What may stand between two names of a list."""
PLACE = re.compile(r"\W*(?:[a-z]+\.?\s+)?[§¶]*\s*(?:\d[\w.]*|[a-z]|[ivxl]{1,5})\W*", re.I)
"""A place such as "Paragraph 4"."""
DESCRIPTION = re.compile(r"[:|]|\s[-–—→]\s")
"""What leads from a name to a description, or from a heading to names."""
LEAD = re.compile(
    rf"\b(?:answers?|clauses?|types?|following|absent|missing|provisions?|contains?|includes?|results?|names?|list|yes|no"
    rf"|n['’]t|not|none|only|kept|in force|appl(?:y|ies)|counts?|exists?|status|value|verdict|{denials.STATE})\b",
    re.I,
)
"""What says that a heading, or a key of JSON, leads to names or to whether a clause is there."""
JSON_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"", re.S)
AFFIRMED = re.compile(
    r"\b(?:contain(?:s|ed|ing)?|include[sd]?|including|has|have|there(?:['’]s| is| are)|f(?:ou|i)nd|identif(?:y|ied)"
    r"|provides? for|imposes?|establish(?:es)?|sets out|consists? of|namely"
    r"|(?:clauses?|provisions?|types?|ones?|answer)\b[^.,:;]{0,60}?\b(?:is|are|apply|bind))\b",
    re.I,
)
"""What says that the clauses named after it are there."""
STATED = re.compile(rf"\b(?:(?:is|are) (?:also |both |all |each )?{denials.STATE}|appl(?:y|ies)|counts?)\b", re.I)
"""What says that the clauses named before it are there."""
BUT = re.compile(r"\b(?:but|although|though|while|whereas|however|yet)\b", re.I)
ANEW = re.compile(rf"\W*(?:a|an|the)\b|.*{BUT.pattern}", re.I | re.S)
"""What says before a name that a denial of the names before it does not hold for it."""
YES = re.compile(r"\W*yes\b", re.I)
NOT_A_NAME = re.compile(rf"[$%€£!?]|{denials.THE_REST.pattern}|{denials.NEGATED.pattern}", re.I)
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


class Named(NamedTuple):
    """One clause that an answer names: its range, its type, and whether that type is in the vocabulary."""

    start: int
    end: int
    label: str
    known: bool


class ClauseListReading(NamedTuple):
    """The clauses that an answer names, of which there are none if it says so, or why it cannot be read."""

    named: list[Named]
    unreadable: str = ""


class Piece(NamedTuple):
    """A part of a unit between commas and "and", and the first name in it."""

    start: int
    end: int
    joint: str
    name: Claim | None


def read(completion: Completion, table: Mapping[str, str]) -> ClauseListReading:
    """Read an answer as a list of clause types; `table` maps keys to types."""
    if why := unreadable(completion):
        return ClauseListReading([], unreadable=why)
    normal = normalise(completion.text)
    said: dict[str, list[Claim]] = defaultdict(list)
    for claim in _Reader(normal.text, table).claims():
        said[claim.says].append(claim)
    named = said["named"] + (said["invented"] if said["named"] or not said["none"] else [])
    if not named and not said["none"] and (not said["denied"] or denials.DOUBT.search(normal.text)):
        why = "the answer is a refusal" if refuses(completion.text) else "the answer is not a list of clause types"
        return ClauseListReading([], unreadable=why)
    return ClauseListReading(
        [
            Named(
                *normal.original(start, end), label or normal.text[start:end].lower()[:MAX_SHOWN].strip(), bool(label)
            )
            for start, end, label, _ in sorted(named + said["none"] if named else [])
        ]
    )


def unreadable(completion: Completion) -> str:
    """Return why an answer cannot be read as a list at all, or the empty string."""
    if completion.finish_reason == "error":
        return "the engine gave no answer"
    bare = SPECIAL.sub(" ", completion.text)
    if not denials.EMPTY_LIST.fullmatch(bare) and not any(map(key, bare.split())):
        return "the answer is empty"
    return "the answer was cut at the token limit" if completion.finish_reason == "length" else ""


def set_counts(tp: int, fp: int, fn: int, readable: bool, is_named: bool) -> dict[str, int]:
    """Count one answer that is a set: what is right, wrong and missed in it, and whether it says that there is none."""
    counts = {"tp": tp, "fp": fp, "fn": fn, "gold": tp + fn, "predicted": tp + fp, "parsed": int(readable)}
    counts |= {"f1_top": 2 * tp, "f1_bottom": 2 * tp + fp + fn}
    if tp + fn:
        return counts | {"positives": 1, "abstained": int(readable and not is_named), "empty_gold": 0, "false_alarm": 0}
    return counts | {"positives": 0, "abstained": 0, "empty_gold": 1, "false_alarm": int(fp > 0)}


def says_none(text: str) -> bool:
    """Whether the whole answer, or its beginning before an explanation, is a "none" without an exception."""
    text = SPECIAL.sub(" ", text).strip()
    first = SPLIT.split(text.split("\n", 1)[0], maxsplit=1)[0]
    return denials.is_none(text) or denials.is_none(first)


class _Reader:
    """The claims of one answer."""

    def __init__(self, text: str, table: Mapping[str, str]) -> None:
        self.text = text
        self.flat = flat(text)
        self.names = list(names_in(text, table))
        self.units = list(units(self.flat, self.text))

    def claims(self) -> Iterator[Claim]:
        """What each unit says, unless a remark in its line takes it back."""
        is_absent = is_begun = in_item = False
        line: list[Claim] = []
        end = 0
        for unit in self.units:
            breaks = self.text.count("\n", end, unit.start)
            end = unit.end
            if breaks:
                yield from line
                line, in_item = [], unit.is_bulleted
            if is_begun and breaks > 1 and not unit.is_bulleted:
                is_absent = False
            sentence = self.text[unit.start : end]
            is_remark = in_item and unit.follows and not self._names(unit.start, end) and denials.takes_back(sentence)
            if not is_remark:
                was_absent = is_absent
                is_absent, claims = self._read(unit, is_absent)
                is_begun = bool(claims) and (unit.is_bulleted or not was_absent)
                line += claims
            if is_remark or denials.ALL_ABSENT.search(sentence):
                yield from (claim._replace(says="denied") for claim in line)
                line = []
        yield from line

    def _read(self, unit: Unit, is_absent: bool) -> tuple[bool, list[Claim]]:
        """Whether clauses are absent under the heading of a unit or the one before it, and what the unit says."""
        start, body, end = unit[:3]
        if unit.json is not None:
            return is_absent, list(self._json(unit.json, JSON_STRING.finditer(self.text, start, end), is_absent))
        in_list = unit.is_bulleted or (unit.in_list and self._is_item(self._pieces(body, end)[0]))
        mark = None if unit.is_heading else DESCRIPTION.search(self.flat, body, end)
        stop, rest = mark.span() if mark else (end, end)
        has_names = any(piece.name for piece in self._pieces(body, stop))
        if not has_names and (mark or unit.is_heading):
            denies = bool(denials.HEADS_ABSENT.search(self.text[body:stop]))
            leads = denies or unit.is_heading or LEAD.search(self.text, body, stop)
            is_absent = denies if leads else is_absent
            if leads or self._is_list(self._pieces(rest, end)):
                body, in_list = rest, True
        if not unit.is_heading and denials.is_none(
            self.text[unit.body if unit.is_bulleted else start : end], has_names
        ):
            return is_absent, [Claim(start, end, says="none"), *self._in_sentence(unit, body)]
        pieces = self._pieces(body, end)
        is_line = not unit.follows and not self.text[start:end].rstrip().endswith(".")
        if in_list or self._is_list(pieces) or (is_line and all(map(self._is_item, pieces))):
            return is_absent, list(self._judged(pieces, unit, is_absent))
        return is_absent, self._in_sentence(unit, body)

    def _json(
        self, value: object, strings: Iterator[re.Match[str]], is_absent: bool, reads: bool = True
    ) -> Iterator[Claim]:
        """What JSON names in its keys, and in its strings if a key says that these are names."""
        if isinstance(value, tuple):
            is_absent = is_absent or any(_is_denied(*pair) for pair in value)
            for name, each in value:
                piece = self._pieces(*next(strings).span(1))[0]
                is_list = bool(LEAD.search(key(name)) or PLACE.fullmatch(name))
                within = list(
                    self._json(each, strings, is_absent or bool(denials.HEADS_ABSENT.search(key(name))), is_list)
                )
                if piece.name and self._is_bare(piece):
                    within = [piece.name._replace(says="denied" if is_absent or _says_no(each) else "named")]
                yield from within
        elif isinstance(value, list) and value:
            for each in value:
                yield from self._json(each, strings, is_absent, reads)
        elif isinstance(value, str):
            place, under_absent = next(strings).span(1), False
            for unit in sentences(self.flat, *place) if reads else ():
                under_absent, claims = self._read(unit._replace(in_list=True), under_absent)
                yield from (claim._replace(says="denied") if is_absent else claim for claim in claims)
        elif not value and reads:
            yield Claim(0, 0, says="denied")

    def _pieces(self, start: int, end: int) -> list[Piece]:
        joints = [joint.span() for joint in JOINT.finditer(self.flat, start, end) if not self._in_name(joint)]
        names = [name for name in self._names(start, end) if self.flat[name.end - 1] != HIDDEN]
        gaps = ((name.end, after.start) for name, after in pairwise(names))
        joints = sorted([*joints, *(gap for gap in gaps if ADJACENT.fullmatch(self.flat, *gap))])
        starts = [start, *(joint[1] for joint in joints)]
        ends = [*(joint[0] for joint in joints), end]
        words = ["", *(self.flat[slice(*joint)] for joint in joints)]
        pieces = [Piece(*each, self._name(*each[:2])) for each in zip(starts, ends, words, strict=True)]
        return [piece for piece in pieces if WORD.search(self.text, piece.start, piece.end)] or pieces[:1]

    def _in_name(self, joint: re.Match[str]) -> bool:
        last = bisect_left(self.names, (joint.end(),)) - 1
        return last >= 0 and self.names[last].end > joint.start()

    def _names(self, start: int, end: int) -> list[Claim]:
        """Known names in a range, without regard to what is said of them."""
        first, last = bisect_left(self.names, (start,)), bisect_left(self.names, (end,))
        return [name for name in self.names[first:last] if name.end <= end]

    def _name(self, start: int, end: int) -> Claim | None:
        """The first name that is one: not a part of another noun, such as "insurance premiums"."""
        names = self._names(start, end)
        for name in names:
            last = (self._words(start, name.start) or ["the"])[-1]
            leads = BEFORE.fullmatch(last) or any(
                each.search(last) for each in (denials.NEGATED, denials.EXCEPTION, AFFIRMED)
            )
            is_noun = " " in key(self.text[name.start : name.end]) or (leads and self._after(name, end) in AFTER | {""})
            if is_noun and self.flat[name.end - 1] != HIDDEN:
                return name
        bracketed = [name for name in names if self.flat[name.start - 1 : name.end + 1].replace(HIDDEN, "") == "()"]
        return bracketed[0] if bracketed else None

    def _words(self, start: int, end: int) -> list[str]:
        return key(self.text[start:end]).split()

    def _after(self, name: Claim, end: int) -> str:
        """The word that follows a name, "clause" and brackets; nothing if a mark follows."""
        match = FOLLOWING.match(self.flat, name.end, end)
        return match[1].lower() if match else ""

    def _is_bare(self, piece: Piece) -> bool:
        """Whether nothing but an article, brackets or a description stands by the name of a piece."""
        if not piece.name:
            return False
        before = self._words(piece.start, piece.name.start)
        return all(map(BEFORE.fullmatch, before)) and self._after(piece.name, piece.end) in ("", "and", "or", "plus")

    def _is_item(self, piece: Piece) -> bool:
        """Whether a piece is a name, known or not, perhaps with a few words beside it, and no part of a sentence."""
        if not piece.name:
            return self._is_invented(piece)
        before = self._words(piece.start, piece.name.start)
        after = DESCRIPTION.split(self.flat[piece.name.end : piece.end], maxsplit=1)[0].replace(HIDDEN, "")
        beside = [before, key(after).split()]
        if all(map(BEFORE.fullmatch, before)):
            beside = beside[1:]
        is_near = all(
            len(each) <= MAX_BESIDE and denials.OF_SENTENCES.intersection(each) <= {"only"} for each in beside
        )
        return is_near and not denials.NEGATED.search(after)

    def _is_list(self, pieces: list[Piece]) -> bool:
        """Whether pieces begin with a known name and are a list without a sentence around it."""
        described = [bool(DESCRIPTION.search(self.flat, piece.start, piece.end)) for piece in pieces]
        stop = described.index(True) + 1 if True in described else len(pieces)
        return bool(pieces[0].name) and all(map(self._is_item, pieces[:stop]))

    def _is_invented(self, piece: Piece) -> bool:
        """Whether a piece without a known name is short and no sentence, so that it is an invented name."""
        shown = self.flat[piece.start : piece.end]
        said = key(shown.replace(HIDDEN, " ")).split()
        while said and BEFORE.fullmatch(said[0]):
            said = said[1:]
        return (
            0 < len(said) <= MAX_WORDS
            and said[0] not in AFTER
            and not denials.OF_SENTENCES.intersection(said)
            and not denials.OF_NONE.issuperset(said)
            and not NOT_A_NAME.search(shown)
            and not PLACE.fullmatch(shown)
        )

    def _judged(self, pieces: list[Piece], unit: Unit, is_absent: bool, in_sentence: bool = False) -> Iterator[Claim]:
        """What pieces name, deny and invent. A denial holds up to "but" or the next article."""
        is_described = is_phrase = is_negated = False
        for piece in pieces:
            name = piece.name
            mark = DESCRIPTION.search(self.flat, piece.start, piece.end)
            if name and (not is_described or self._is_bare(piece)):
                before = self.text[piece.start : name.start]
                after = bisect_left(self.names, (name.end,))
                rest = self.text[name.end : min([unit.end, *(each.start for each in self.names[after : after + 1])])]
                is_negated = is_negated and not (ANEW.match(before) or YES.match(rest))
                is_negated = is_negated or denials.denies_next(before)
                crossed = denials.CROSSED_OUT.match(self.text, piece.start, piece.end)
                denied = is_absent or is_negated or crossed or denials.denies_last(rest)
                is_phrase = unit.is_bulleted or bool(self._after(name, piece.end))
                if not in_sentence or self._after(name, unit.end) in AFTER | {""}:
                    yield name._replace(says="denied" if denied else "named")
            elif in_sentence:
                is_negated = is_negated or bool(denials.NEGATED.search(self.flat, piece.start, piece.end))
            elif not name and not is_described and ("," in piece.joint or not is_phrase):
                head = piece._replace(end=mark.start()) if mark else piece
                inner = INNER.search(self.text, head.start, head.end)
                if inner and self._is_invented(head):
                    yield Claim(*inner.span(), says="denied" if is_absent else "invented")
            is_described = is_described or bool(mark)

    def _in_sentence(self, unit: Unit, start: int) -> list[Claim]:
        """Names that a sentence says are there."""
        claims: list[Claim] = []
        marks = list(BUT.finditer(self.flat, start, unit.end))
        for at, stop in zip([start, *(m.end() for m in marks)], [*(m.start() for m in marks), unit.end], strict=True):
            begin = self._assertion(at, stop)
            if begin is not None:
                judged = self._judged(self._pieces(begin, stop), unit._replace(end=stop), False, in_sentence=True)
                claims += [claim for claim in judged if claim.says == "named"]
            elif denials.STRUCK.search(self.text, at, stop) and not self._names(at, stop):
                claims = []
        return claims

    def _assertion(self, start: int, end: int) -> int | None:
        """Where the names begin that a part of a sentence says are there."""
        if denials.DOUBT.search(self.text, start, end):
            return None
        for said in denials.EXCEPTION, AFFIRMED:
            match = said.search(self.flat, start, end)
            if match and self._names(match.end(), end):
                is_negated = bool(denials.NEGATED.search(self.flat, start, match.end()))
                if is_negated == (said is denials.EXCEPTION):
                    return match.end()
        is_stated = STATED.search(self.flat, start, end) and not denials.NEGATED.search(self.flat, start, end)
        return start if is_stated else None


def _is_denied(name: str, value: object) -> bool:
    """Whether a pair of JSON says that what its object names is not there."""
    if denials.HEADS_ABSENT.search(key(name)):
        return value is True
    return bool(LEAD.search(key(name))) and not isinstance(value, (tuple, list)) and _says_no(value)


def _says_no(value: object) -> bool:
    """Whether a value of JSON denies the clause that its key names."""
    if isinstance(value, str):
        return not value or denials.denies_last(f": {value}")
    return any(_is_denied(*pair) for pair in value) if isinstance(value, tuple) and value else not value
