"""Read an answer as a list of clause types, or "none".

Known names are found first (`clause_names`). The answer is cut into sentences, items and JSON (`clause_units`), and
these at commas and "and" (`clause_pieces`); then their words say which names are there (`clause_wording`).

A name counts as an item of a list, a table or JSON, and in a sentence that says what the text contains, unless its item
or its part of the sentence denies it. Sentences that deny all types asked about say that there is none. Other sentences
are not searched for names. An item of a list that is no sentence and has no known name is an invented one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from harness.schema import Completion
from harness.scoring.legal import clause_wording as wording
from harness.scoring.legal.clause_names import Claim, key
from harness.scoring.legal.clause_pieces import DESCRIPTION, Answer, Piece, is_invented, is_list, next_word
from harness.scoring.legal.clause_units import SPECIAL, SPLIT, Unit, sentences, units
from harness.scoring.text.normalize import Normal, normalise
from harness.scoring.text.refusals import refuses

MAX_SHOWN = 60
"""A name outside the vocabulary is cut to this many characters."""
INNER = re.compile(r"[^\W_](?:.*[^\W_])?", re.S)
LEAD = re.compile(
    rf"\b(?:answers?|clauses?|types?|following|absent|missing|provisions?|contains?|includes?|results?|names?|list|yes|no"
    rf"|n['’]t|not|none|only|kept|in force|appl(?:y|ies)|counts?|exists?|status|value|verdict|{wording.STATE})\b"
    rf"|^\W*{wording.DONE}\W*$",
    re.I,
)
"""What says that a heading, or a key of JSON, leads to names or to whether a clause is there."""
JSON_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"", re.S)
Strings = Iterator[re.Match[str]]
BUT = re.compile(r"\b(?:but|although|though|while|whereas|however|yet)\b", re.I)
RESTARTS = re.compile(rf"\W*(?:a|an|the|only|just)\b|.*{BUT.pattern}", re.I | re.S)
"""What says before a name that a denial of the names before it does not hold for it."""
VERB = re.compile(r"\b(?:is|are|does|has|only|just)\b", re.I)
"""Between two names, it ends what is said of the first."""


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


def read(completion: Completion, table: Mapping[str, str], asked: Collection[str] = ()) -> ClauseListReading:
    """Read an answer as a list of clause types; `table` maps keys to types, of which `asked` are asked about or all."""
    if why := unreadable(completion):
        return ClauseListReading([], unreadable=why)
    normal = normalise(completion.text)
    said: dict[str, list[Claim]] = defaultdict(list)
    for claim in _Reader(normal.text, table).claims():
        said[claim.says].append(claim)
    named = said["named"] + (said["invented"] if said["named"] or not said["none"] else [])
    denies = said["denied"] or {claim.label for claim in said["absent"]}.issuperset(asked or table.values())
    if not named and not said["none"] and (not denies or wording.DOUBT.search(normal.text)):
        why = "the answer is a refusal" if refuses(completion.text) else "the answer is not a list of clause types"
        return ClauseListReading([], unreadable=why)
    named += said["none"] if named else []
    return ClauseListReading([_named(claim, normal) for claim in sorted(named)])


def _named(claim: Claim, normal: Normal) -> Named:
    shown = normal.text[claim.start : claim.end].lower()[:MAX_SHOWN].strip()
    return Named(*normal.original(claim.start, claim.end), claim.label or shown, bool(claim.label))


def unreadable(completion: Completion) -> str:
    """Return why an answer cannot be read as a list at all, or the empty string."""
    if completion.finish_reason == "error":
        return "the engine gave no answer"
    bare = SPECIAL.sub(" ", completion.text)
    if not wording.EMPTY_LIST.fullmatch(bare) and not any(map(key, bare.split())):
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
    return wording.is_none(text) or wording.is_none(first)


class _Reader(Answer):
    """The claims of one answer."""

    def claims(self) -> Iterator[Claim]:
        """What each unit says. "Both are struck" takes back what its line says, "it is struck" the last name of it."""
        is_absent = is_begun = False
        line: list[Claim] = []
        end = 0
        for unit in units(self.flat, self.text):
            breaks = self.text.count("\n", end, unit.start)
            end = unit.end
            if breaks:
                yield from line
                line = []
            if is_begun and breaks > 1 and not unit.is_bulleted:
                is_absent = False
            was_absent = is_absent
            is_absent, claims = self._read(unit, is_absent)
            is_begun = bool(claims) and (unit.is_bulleted or not was_absent)
            line += claims
            absent = wording.ALL_ABSENT.search(self.text[unit.start : end])
            if absent:
                names = [claim for claim in line if claim.label and claim.start < unit.start + absent.end()]
                is_one = bool(names and (absent["one"] or absent["single"]))
                first = names[-1].start if is_one else 0
                yield from (claim._replace(says="denied") for claim in line if claim.start >= first)
                line = [claim for claim in line if claim.start < first]
        yield from line

    def _read(self, unit: Unit, is_absent: bool) -> tuple[bool, list[Claim]]:
        """Whether clauses are absent under the heading of a unit or the one before it, and what the unit says."""
        start, body, end, in_list = unit[:4]
        if unit.json is not None:
            return is_absent, list(self._json(unit.json, JSON_STRING.finditer(self.text, start, end), is_absent))
        mark = None if unit.is_heading else DESCRIPTION.search(self.flat, body, end)
        stop, rest = mark.span() if mark else (end, end)
        has_names = bool(self.names_in(body, stop))
        if not has_names and (mark or unit.is_heading):
            denies = bool(wording.HEADS_ABSENT.search(self.text[body:stop]))
            leads = bool(denies or LEAD.search(self.text[body:stop]))
            is_absent = denies if leads else is_absent
            if leads or is_list(self.pieces(rest, end)):
                body, in_list = rest, True
        elif mark and self.names_in(rest, end) and wording.ALL_BUT.search(self.flat, body, stop):
            body, in_list = rest, True
        whole = self.text[unit.body if unit.is_bulleted else start : end]
        if not unit.is_heading and wording.is_none(whole, has_names):
            return is_absent, [Claim(start, end, says="none"), *self._in_sentence(unit, body)]
        pieces = self.pieces(body, end)
        is_line = not unit.follows and not whole.rstrip().endswith(".")
        if in_list or is_list(pieces) or (is_line and all(piece.is_item() for piece in pieces)):
            return is_absent, list(self._judged(pieces, unit, is_absent))
        return is_absent, self._in_sentence(unit, body)

    def _json(self, value: object, strings: Strings, is_absent: bool, reads: bool = True) -> Iterator[Claim]:
        """What JSON names in its keys, and in its strings if a key says that these are names."""
        if isinstance(value, tuple):
            is_absent = is_absent or any(_is_denied(*pair) for pair in value)
            for name, each in value:
                piece = self.pieces(*next(strings).span(1))[0]
                heads_absent = bool(wording.HEADS_ABSENT.search(key(name)))
                within = list(self._json(each, strings, is_absent or heads_absent, bool(LEAD.search(key(name)))))
                if piece.name and piece.is_bare():
                    within = [piece.name._replace(says="denied" if is_absent or _says_no(each) else "named")]
                yield from within
        elif isinstance(value, list) and value:
            for each in value:
                yield from self._json(each, strings, is_absent, reads)
        elif isinstance(value, str):
            place, under_absent = next(strings).span(1), False
            for unit in sentences(self.flat, *place) if reads else ():
                under_absent, claims = self._read(unit._replace(is_bulleted=True), under_absent)
                yield from (claim._replace(says="denied") if is_absent else claim for claim in claims)
        elif not value and reads:
            yield Claim(0, 0, says="denied")

    def _judged(self, pieces: list[Piece], unit: Unit, is_absent: bool = False) -> Iterator[Claim]:
        """What pieces name, deny and invent. A denial holds up to "but" or the next article."""
        is_described = is_phrase = is_negated = False
        for piece in pieces:
            if piece.name and (not is_described or piece.is_bare()):
                before = self.text[piece.start : piece.name.start]
                is_negated = (is_negated and not RESTARTS.match(before)) or wording.denies_next(piece.joint + before)
                denied = is_absent or is_negated or wording.CROSSED_OUT.match(before) is not None
                denied = denied or wording.denies_last(self.rest(piece.name, unit.end))
                is_phrase = unit.is_bulleted or bool(next_word(piece.after))
                yield piece.name._replace(says="denied" if denied else "named")
            elif not piece.name and not is_described and ("," in piece.joint or not is_phrase):
                head = DESCRIPTION.split(piece.before, maxsplit=1)[0]
                inner = INNER.search(head)
                if inner and is_invented(head) and not wording.NO_CLAUSE.match(self.text, unit.body, unit.end):
                    start, end = (piece.start + each for each in inner.span())
                    yield Claim(start, end, says="denied" if is_absent else "invented")
            is_described = is_described or piece.is_described()

    def _in_sentence(self, unit: Unit, start: int) -> list[Claim]:
        """Names that a sentence says are there, and those that it says are absent."""
        claims: list[Claim] = []
        buts = [match.span() for match in BUT.finditer(self.flat, start, unit.end)]
        for (_, at), (stop, _) in pairwise([(start, start), *buts, (unit.end, unit.end)]):
            begin = self._assertion(at, stop)
            if begin is not None:
                judged = self._judged(self.pieces(begin, stop), unit._replace(end=stop))
                claims += [
                    c._replace(says="absent") if c.says == "denied" else c for c in judged if c.says != "invented"
                ]
            elif wording.ABSENCE.search(self.text, at, stop) and not self.names_in(at, stop):
                claims = []
            elif self._denies(at, stop):
                claims += [name._replace(says="absent") for name in self.names_in(at, stop)]
        return claims

    def _denies(self, start: int, end: int) -> bool:
        """Whether a part of a sentence says of all its names together that they are not there."""
        gaps = [(name.end, after.start) for name, after in pairwise(self.names_in(start, end))]
        if any(VERB.search(self.flat, *gap) for gap in gaps):
            return False
        is_said = any(said.search(self.flat, start, end) for said in (wording.AFFIRMED, wording.STATED))
        is_denied = is_said and wording.NEGATED.search(self.flat, start, end)
        return bool(is_denied or wording.HEADS_ABSENT.search(self.flat, start, end))

    def _assertion(self, start: int, end: int) -> int | None:
        """Where the names begin that a part of a sentence says are there."""
        if wording.DOUBT.search(self.text, start, end):
            return None
        for said in wording.EXCEPTION, wording.AFFIRMED:
            match = said.search(self.flat, start, end)
            if match and self.names_in(match.end(), end):
                is_negated = bool(wording.NEGATED.search(self.flat, start, match.end()))
                if is_negated == (said is wording.EXCEPTION):
                    return match.end()
        is_stated = wording.STATED.search(self.flat, start, end) and not wording.NEGATED.search(self.flat, start, end)
        return start if is_stated else None


def _is_denied(name: str, value: object) -> bool:
    """Whether a pair of JSON says that what its object names is not there."""
    if wording.HEADS_ABSENT.search(key(name)):
        return value is True
    return bool(LEAD.search(key(name))) and _says_no(value)


def _says_no(value: object) -> bool:
    """Whether a value of JSON denies the clause that its key names."""
    if isinstance(value, str):
        return not value or wording.denies_last(f": {value}")
    return any(_is_denied(*pair) for pair in value) if isinstance(value, tuple) and value else not value
