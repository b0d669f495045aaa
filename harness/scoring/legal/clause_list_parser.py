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
from harness.scoring.legal.clause_denials import (
    ALL_ABSENT,
    CROSSED_OUT,
    DOUBT,
    EMPTY_LIST,
    EXCEPTION,
    HEADS_ABSENT,
    NEGATED,
    OF_NONE,
    OF_SENTENCES,
    STATE,
    STRUCK,
    TAKES_BACK,
    THE_REST,
    denies,
    is_none,
)
from harness.scoring.legal.clause_names import CLAUSE, SMALL, WORD, Name, key, names_in
from harness.scoring.legal.clause_units import HIDDEN, SPECIAL, SPLIT, Unit, flat, sentences, units
from harness.scoring.text.normalize import normalise
from harness.scoring.text.refusals import refuses

MAX_WORDS = 8
"""A longer item is not an invented name."""
MAX_BEFORE = 6
"""Words before a name in its item."""
MAX_ADJECTIVES = 3
"""Words beside a name in a list, and before one in a sentence."""
MAX_SHOWN = 60
"""A name outside the vocabulary is cut to this many characters."""

INNER = re.compile(r"[^\W_](?:.*[^\W_])?", re.S)
JOINT = re.compile(r",(?!\d)(?:\s*(?:and|or|plus)\b)?|\b(?:and|or|plus|as well as)\b|&", re.I)
ADJACENT = re.compile(
    r"(?:(?!\s[-–—→]\s)(?:[^\w:~✗✘❌☐]|[\d_])|\b(?:clause|provision|with|along|together|[a-h]|[ivx]{1,4})\b)*", re.I
)
"""What may stand between two names of a list."""
PLACE = re.compile(r"\W*(?:[a-z]+\.?\s+)?[§¶]*\s*(?:\d[\w.]*|[a-z]|[ivxl]{1,5})\W*", re.I)
"""A heading such as "Paragraph 4"."""
DESCRIPTION = re.compile(r"[:|]|\s[-–—→]\s")
LEAD = re.compile(
    r"\b(?:answers?|clauses?|types?|following|list(?:ed)?|present|absent|missing|provisions?|contain(?:s|ed)?|includes?"
    r"|found|results?|names?|yes|no|n['’]t|not|none|only|kept|binding|in force)\b",
    re.I,
)
"""What says that a heading leads to names."""
FREE_TEXT = re.compile(r"\b(?:reason|expla|comment|note|quot|evidence|text|analysis|rationale|descri)", re.I)
HOLDS = re.compile(rf"\b(?:{STATE}|appl(?:y|ies)|counts?|exists?|status|value|answer|verdict)\b", re.I)
"""A key of JSON that says whether a clause is there."""
JSON_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"", re.S)
AFFIRMED = re.compile(
    r"\b(?:contain(?:s|ed|ing)?|include[sd]?|including|has|have|there(?:['’]s| is| are)|f(?:ou|i)nd|identif(?:y|ied)"
    r"|provides? for|imposes?|establish(?:es)?|sets out|consists? of|namely"
    r"|(?:clauses?|provisions?|types?|ones?|answer)\b[^.,:;]{0,60}?\b(?:is|are|apply|bind))\b",
    re.I,
)
"""What says that the clauses named after it are there."""
STATED = re.compile(rf"\b(?:is|are) (?:also |both |all |each )?{STATE}\b|\b(?:appl(?:y|ies)|counts?)\b", re.I)
"""What says that the clauses named before it are there."""
BUT = re.compile(r"\b(?:but|although|though|while|whereas|however|yet)\b", re.I)
YES = re.compile(r"\W*yes\b", re.I)
NOT_A_NAME = re.compile(r"[$%€£!?]")
ARTICLE = re.compile(r"\W*(?:a|an|the)\b", re.I)
FOLLOWING = re.compile(rf"(?:[\s*_\"'”’]*(?:\b{CLAUSE}\b|\([^()]*\)|\[[^\[\]]*\]))*[\s*_\"'”’]*([^\W_]*)", re.I)
"""Words such as "clause" and brackets after a name, and the next word."""
BEFORE = re.compile(
    rf"\d+|{CLAUSE}|(?:{'|'.join(SMALL)}|any|one|this|that|both|no|not|but|also|only|just|yes|mutual|express|general|single"
    "|separate|buyer|seller|purchaser|vendor|tenant|landlord|lessee|lessor|borrower|lender|grantor|grantee|holder|as|with"
    "|against|upon|by|name|label)s?"
)
"""A word that may stand before a name."""
AFTER = (
    SMALL
    | frozenset(
        "at by with without under against if when as per from until during before after that which who whose where must "
        "shall may will apply applies only plus but covering requiring running given too here also there because since "
        "so".split()
    )
    | {""}
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


class Claim(NamedTuple):
    """What an answer says in one place: "named", "denied", "invented" or "none"; `label` is a known type."""

    start: int
    end: int
    says: str
    label: str = ""
    in_list: bool = True


class Piece(NamedTuple):
    """A part of a unit between commas and "and", and the first name in it."""

    start: int
    end: int
    joint: str
    name: Name | None


def read(completion: Completion, table: Mapping[str, str]) -> ClauseListReading:
    """Read an answer as a list of clause types; `table` maps keys to types."""
    if why := unreadable(completion):
        return ClauseListReading([], unreadable=why)
    normal = normalise(completion.text)
    said: dict[str, list[Claim]] = defaultdict(list)
    for claim in _Reader(normal.text, table).claims():
        said[claim.says].append(claim)
    none, invented = said["none"], said["invented"]
    explained = none and not none[0].in_list and all(each.in_list for each in invented)
    named = [] if explained and not said["named"] else said["named"] + invented
    if not named and not none and (not said["denied"] or DOUBT.search(normal.text)):
        why = "the answer is a refusal" if refuses(completion.text) else "the answer is not a list of clause types"
        return ClauseListReading([], unreadable=why)
    named += none if named else []
    return ClauseListReading(
        [
            Named(*normal.original(each.start, each.end), each.label or _shown(normal.text, each), bool(each.label))
            for each in sorted(named)
        ]
    )


def _shown(text: str, claim: Claim) -> str:
    return text[claim.start : claim.end].lower()[:MAX_SHOWN].strip()


def unreadable(completion: Completion) -> str:
    """Return why an answer cannot be read as a list at all, or the empty string."""
    if completion.finish_reason == "error":
        return "the engine gave no answer"
    bare = SPECIAL.sub(" ", completion.text)
    if not EMPTY_LIST.fullmatch(bare) and not any(map(key, bare.split())):
        return "the answer is empty"
    return "the answer was cut at the token limit" if completion.finish_reason == "length" else ""


def set_counts(tp: int, fp: int, fn: int, readable: bool, is_named: bool) -> dict[str, int]:
    """Count one answer that is a set: what is right, wrong and missed in it, and whether it says that there is none."""
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "gold": tp + fn,
        "predicted": tp + fp,
        "f1_top": 2 * tp,
        "f1_bottom": 2 * tp + fp + fn,
        "parsed": int(readable),
        "abstained": int(tp + fn > 0 and readable and not is_named),
        "positives": int(tp + fn > 0),
        "empty_gold": int(tp + fn == 0),
        "false_alarm": int(tp + fn == 0 and fp > 0),
    }


def says_none(text: str) -> bool:
    """Whether the whole answer, or its beginning before an explanation, is a "none" without an exception."""
    text = SPECIAL.sub(" ", text).strip()
    first = SPLIT.split(text.split("\n", 1)[0], maxsplit=1)[0]
    return is_none(text) or is_none(first)


class _Reader:
    """The claims of one answer."""

    def __init__(self, text: str, table: Mapping[str, str]) -> None:
        self.text = text
        self.flat = flat(text)
        self.names = list(names_in(text, table))
        self.units = list(units(self.flat))

    def claims(self) -> Iterator[Claim]:
        """What each unit says, unless a remark in its line takes it back."""
        is_absent = is_begun = False
        line: list[Claim] = []
        end = 0
        for unit in self.units:
            breaks = self.text.count("\n", end, unit.start)
            end = unit.end
            if breaks:
                yield from line
                line = []
            if is_begun and breaks > 1 and not unit.is_bulleted:
                is_absent = False
            if not (unit.follows and self._takes_back(unit)):
                was_absent = is_absent
                is_absent, claims = self._read(unit, is_absent)
                is_begun = bool(claims) and (claims[0].in_list or not was_absent)
                line += claims
                if not ALL_ABSENT.search(self.text, unit.start, end):
                    continue
            yield from (claim._replace(says="denied") for claim in line)
            line = []
        yield from line

    def _takes_back(self, unit: Unit) -> bool:
        """Whether a sentence without a name denies those before it."""
        sentence = self.text[unit.start : unit.end]
        is_about = TAKES_BACK.match(sentence) and STRUCK.search(sentence)
        return bool(is_about or ALL_ABSENT.match(sentence)) and not self._names(unit.start, unit.end)

    def _read(self, unit: Unit, is_absent: bool) -> tuple[bool, list[Claim]]:
        """Whether clauses are absent under the heading of a unit or the one before it, and what the unit says."""
        if unit.json is not None:
            return is_absent, list(
                self._json(unit.json, JSON_STRING.finditer(self.text, unit.start, unit.end), True, is_absent)
            )
        body = unit.body
        in_list = unit.is_bulleted or (unit.in_list and self._is_item(self._pieces(body, unit.end)[0]))
        has_names = False
        mark = DESCRIPTION.search(self.flat, body, unit.end)
        stop, rest = mark.span() if mark and not unit.is_heading else (unit.end, unit.end)
        has_names = any(piece.name for piece in self._pieces(body, stop))
        if not has_names and (mark or unit.is_heading):
            denies = bool(HEADS_ABSENT.search(self.text[body:stop]))
            leads = denies or unit.is_heading or LEAD.search(self.text, body, stop)
            is_absent = denies if leads else is_absent
            if leads or self._is_list(self._pieces(rest, unit.end)):
                body, in_list = rest, True
        whole = self.text[unit.body if unit.is_bulleted else unit.start : unit.end]
        if not unit.is_heading and is_none(whole, has_names):
            none = Claim(unit.start, unit.end, "none", in_list=unit.in_list)
            return is_absent, [none, *self._in_sentence(unit, body)]
        pieces = self._pieces(body, unit.end)
        if in_list or self._is_list(pieces):
            return is_absent, list(self._judged(pieces, unit, is_absent))
        claims = list(self._in_sentence(unit, body))
        is_line = not unit.follows and not self.text[unit.start : unit.end].rstrip().endswith(".")
        if not claims and is_line and not any(u.in_list for u in self.units) and all(map(self._is_item, pieces)):
            claims = list(self._judged(pieces, unit, is_absent))
        return is_absent, claims

    def _json(self, value: object, strings: Iterator[re.Match[str]], reads: bool, is_absent: bool) -> Iterator[Claim]:
        """What JSON names in its keys, and in its strings if a key says that these are names."""
        if isinstance(value, tuple):
            is_absent = is_absent or any(_is_denied(*pair) for pair in value)
            for name, each in value:
                pieces = self._pieces(*next(strings).span(1))
                words = key(name)
                leads = bool((LEAD.search(words) or PLACE.fullmatch(words)) and not FREE_TEXT.search(words))
                within = list(self._json(each, strings, leads, is_absent or bool(HEADS_ABSENT.search(words))))
                says = "denied" if is_absent or _says_no(each) else "named"
                yield from [
                    Claim(*p.name[:2], says, p.name.label) for p in pieces if p.name and self._is_bare(p)
                ] or within
        elif isinstance(value, list) and value:
            for each in value:
                yield from self._json(each, strings, reads, is_absent)
        elif isinstance(value, str):
            place = next(strings).span(1)
            absent = False
            for unit in sentences(self.flat, *place) if reads else ():
                absent, claims = self._read(unit._replace(in_list=True), absent)
                yield from (claim._replace(says="denied") if is_absent else claim for claim in claims)
        elif not value and reads:
            yield Claim(0, 0, "denied")

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

    def _names(self, start: int, end: int) -> list[Name]:
        """Known names in a range, without regard to what is said of them."""
        first, last = bisect_left(self.names, (start,)), bisect_left(self.names, (end,))
        return [name for name in self.names[first:last] if name.end <= end]

    def _name(self, start: int, end: int) -> Name | None:
        """The first name that is one: not a part of another noun, such as "insurance premiums"."""
        names = self._names(start, end)
        for name in names:
            if self.flat[name.end - 1] == HIDDEN:
                continue
            before = self._words(start, name.start)
            if len(before) > MAX_BEFORE:
                break
            last = before[-1] if before else "the"
            leads = BEFORE.fullmatch(last) or any(words.search(last) for words in (NEGATED, EXCEPTION, AFFIRMED))
            if " " in key(self.text[name.start : name.end]) or (leads and self._after(name, end) in AFTER):
                return name
        bracketed = [name for name in names if self.flat[name.start - 1 : name.end + 1].replace(HIDDEN, "") == "()"]
        return bracketed[0] if bracketed else None

    def _words(self, start: int, end: int) -> list[str]:
        return key(self.text[start:end]).split()

    def _after(self, name: Name, end: int) -> str:
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
        """Whether a piece is a name, known or not, perhaps with a few words after it, and no part of a sentence."""
        if not piece.name:
            return self._is_invented(piece)
        mark = DESCRIPTION.search(self.flat, piece.name.end, piece.end)
        before = self._words(piece.start, piece.name.start)
        after = self.flat[piece.name.end : mark.start() if mark else piece.end].replace(HIDDEN, "")
        words = key(after).split()
        leads = len(before) <= MAX_ADJECTIVES and not OF_SENTENCES.intersection(before)
        return (
            (leads or all(map(BEFORE.fullmatch, before)))
            and len(words) <= MAX_ADJECTIVES
            and OF_SENTENCES.intersection(words) <= {"only"}
            and not NEGATED.search(after)
        )

    def _is_list(self, pieces: list[Piece]) -> bool:
        """Whether pieces begin with a known name and are a list without a sentence around it."""
        described = [bool(DESCRIPTION.search(self.flat, piece.start, piece.end)) for piece in pieces]
        stop = described.index(True) + 1 if True in described else len(pieces)
        return bool(pieces[0].name) and all(map(self._is_item, pieces[:stop]))

    def _is_invented(self, piece: Piece) -> bool:
        """Whether a piece without a known name is short and no sentence, so that it is an invented name."""
        shown = self.flat[piece.start : piece.end]
        words = key(shown.replace(HIDDEN, " ")).split()
        while words and BEFORE.fullmatch(words[0]):
            words = words[1:]
        return (
            0 < len(words) <= MAX_WORDS
            and words[0] not in AFTER
            and not OF_SENTENCES.intersection(words)
            and not OF_NONE.issuperset(words)
            and not any(marks.search(shown) for marks in (NOT_A_NAME, NEGATED, THE_REST))
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
                if BUT.search(before) or ARTICLE.match(before) or YES.match(rest):
                    is_negated = False
                is_negated = is_negated or bool(NEGATED.search(before) and not EXCEPTION.search(before))
                crossed = CROSSED_OUT.match(self.text, piece.start, piece.end)
                denied = is_absent or is_negated or crossed or denies(rest)
                is_phrase = unit.is_bulleted or bool(self._after(name, piece.end))
                if not in_sentence or self._after(name, unit.end) in AFTER:
                    yield Claim(*name[:2], "denied" if denied else "named", name.label, unit.is_bulleted)
            elif in_sentence:
                is_negated = is_negated or bool(NEGATED.search(self.flat, piece.start, piece.end))
            elif not name and not is_described and ("," in piece.joint or not is_phrase):
                head = piece._replace(end=mark.start()) if mark else piece
                inner = INNER.search(self.text, head.start, head.end)
                if inner and self._is_invented(head):
                    yield Claim(*inner.span(), "denied" if is_absent else "invented", in_list=unit.is_bulleted)
            is_described = is_described or bool(mark)

    def _in_sentence(self, unit: Unit, start: int) -> list[Claim]:
        """Names that a sentence says are there."""
        claims: list[Claim] = []
        marks = list(BUT.finditer(self.flat, start, unit.end))
        for at, stop in zip([start, *(m.end() for m in marks)], [*(m.start() for m in marks), unit.end], strict=True):
            if self._names(at, stop):
                begin = self._assertion(at, stop)
                part = unit._replace(end=stop, is_bulleted=True)
                judged = [] if begin is None else self._judged(self._pieces(begin, stop), part, False, in_sentence=True)
                claims += [claim for claim in judged if claim.says == "named"]
            elif STRUCK.search(self.text, at, stop) and not THE_REST.search(self.text, at, stop):
                claims = []
        return claims

    def _assertion(self, start: int, end: int) -> int | None:
        """Where the names begin that a part of a sentence says are there."""
        if DOUBT.search(self.text, start, end):
            return None
        excepted = EXCEPTION.search(self.flat, start, end)
        if excepted and NEGATED.search(self.flat, start, excepted.start()):
            return excepted.end()
        affirmed = AFFIRMED.search(self.flat, start, end)
        if affirmed and self._names(affirmed.end(), end) and not NEGATED.search(self.flat, start, affirmed.end()):
            return affirmed.end()
        is_stated = STATED.search(self.flat, start, end) and not NEGATED.search(self.flat, start, end)
        return start if is_stated else None


def _is_denied(name: str, value: object) -> bool:
    """Whether a pair of JSON says that what its object names is not there."""
    words = key(name)
    if HEADS_ABSENT.search(words):
        return value is True
    return bool(HOLDS.search(words)) and not isinstance(value, (tuple, list)) and _says_no(value)


def _says_no(value: object) -> bool:
    """Whether a value of JSON denies the clause that its key names."""
    if isinstance(value, str):
        return not value or denies(f": {value}")
    return any(_is_denied(*pair) for pair in value) if isinstance(value, tuple) and value else not value
