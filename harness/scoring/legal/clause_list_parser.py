"""Read an answer as a list of clause types, or "none".

A name counts as an item of a list, a table or JSON, and in a sentence that says what the text contains, unless its item
or its part of the sentence denies it. Other sentences are not searched for names. A short item of a list without a name
is an invented one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from harness.schema import Completion
from harness.scoring.text.normalize import normalise, plain
from harness.scoring.text.refusals import refuses

MAX_WORDS = 8
"""A longer item is not an invented name."""
MAX_NAME = 10
"""Words of a name, with small ones between."""
MAX_BEFORE = 6
"""Words before a name in its item."""
MAX_ADJECTIVES = 3
"""Words before a name in a sentence, after the verb or a comma."""
MAX_SHOWN = 60
"""A name outside the vocabulary is cut to this many characters."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


WORD = re.compile(r"[^\W_]+")
APOSTROPHE = re.compile("['’‘ʼ`]")
TOKEN = re.compile(rf"[^\W_]+(?:{APOSTROPHE.pattern}[^\W_]*)*")
INFLECTED = re.compile(r"(?<=x)es$|(?<=.[^s])s$")
INNER = re.compile(r"[^\W_](?:.*[^\W_])?", re.S)
BREAK = re.compile(r"[.;:|!?\n•●▪◦‣·]|\s[-–—]\s")
ACROSS = re.compile(r"[;\n•●▪◦‣·]")
"""What no name goes across, and what not even an exact one does."""

SPECIAL = re.compile(r"<\|?/?[a-z_]{1,20}\|?>|```(?:\w+(?=\s*\n))?", re.I)
"""Special tokens, and code fences with their language."""
TABLE_HEAD = re.compile(r"^[ \t]*\|[^\n]*\n(?=[ \t]*\|[ \t|:-]*$)", re.M)
JSON = re.compile(r"(?:^|:)[ \t]*(?=\{\s*\"|\[\s*[\"{])", re.M)
"""What leads to an object, or to a list of names."""
JSON_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"", re.S)
JSON_DECODER = json.JSONDecoder(object_pairs_hook=tuple)
BRACKETS = re.compile(r"\([^()\n]{0,400}\)|\[[,;§.\s–-]*\d[\d,;§.\s–-]*\]")
HIDDEN = "\0"
LINE = re.compile(r"[^\n\r]+")
LISTS = re.compile(r"[;•●▪◦‣·]")
HEADLINE = re.compile(r"[ \t]*(?:#+[^\n]*|\*\*[^*\n]+\*\*[ \t]*)\n\s*[-*+•\d|#]")
"""A line that is a heading by its marks."""
SPLIT = re.compile(r"[;•●▪◦‣·]|(?<=[\w)\]\"'”’*%_][.!?])[\"'”’*_)]*\s+(?=[A-Z\"“*_(\[])")
CELL = re.compile(r"[^|]+")
JOINT = re.compile(r",(?!\d)(?:\s*(?:and|or|plus)\b)?|\b(?:and|or|plus|as well as)\b|&", re.I)
PLACE = re.compile(r"\W*(?:[a-z]+\.?\s+)?[§¶]*\s*(?:\d[\w.]*|[a-z]|[ivxl]{1,5})\W*", re.I)
"""A heading such as "Paragraph 4"."""
DESCRIPTION = re.compile(r"[:|]|\s[-–—→]\s")
NUMBERED = r"(?:\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{2,5})[.)]\s+)?"
BULLET = re.compile(rf"\s*(?:(?:\[[\dxX✓✔, ]{{1,9}}\]|[-*+–—#>\[\"'“(✓✔✅]+)\s*)*{NUMBERED}[*_\s]*")
NO_JOINT = re.compile(r":|~~|[✗✘❌☐]|\s[-–—→]\s")
BETWEEN = _words("clause provision with along together a b c d e f g h i ii iii iv v vi vii viii ix x")
"""Words between two names of a list, beside numbers."""
MARKED = re.compile(r"[-*+–—#✓✔✅\d.]|[a-zA-Z]\)")
LEAD = re.compile(
    r"\b(?:answers?|clauses?|types?|following|list(?:ed)?|present|absent|missing|provisions?|contain(?:s|ed)?|includes?"
    r"|found|results?|names?|yes|no|n['’]t|not|none|only|kept|binding|in force)\b",
    re.I,
)
"""What says that a heading leads to names."""
FREE_TEXT = re.compile(r"\b(?:reason|expla|comment|note|quot|evidence|text|analysis|rationale|descri)", re.I)
STATE = (
    r"(?:present|included|mentioned|found|stated|listed|contained|applicable|covered|counted|required|there|binding)"
)
HOLDS = re.compile(rf"\b(?:{STATE}|appl(?:y|ies)|counts?|exists?|status|value|answer|verdict)\b", re.I)
"""A key of JSON that says whether a clause is there."""
UNSURE = r"(?:unclear|uncertain|unknown|unsure|doubtful|maybe|perhaps|possibly|not (?:sure|clear|certain))"
GONE = r"struck|stricken|superseded|negated|omitted|removed|deleted"
ABSENT = (
    r"(?:(?:only|merely|just) (?:mentioned|defined)|(?:mentioned|defined) (?:only|merely)|n/?a|absent|false|missing"
    rf"|{GONE}|denied|reserved|replaced|waived|excluded|{UNSURE})"
)
"""What says of a clause, or of a list of them, that it is not there or may not be."""
DENIED = re.compile(
    r"(?:\s+(?:clause|provision)s?\b)?\W*(?:[✗✘❌☐×]|does(?: not|n['’]t) (?:apply|count|appear)\b"
    r"|(?:(?:there )?(?:is|are|was|were) )?"
    rf"(?:(?:no|none)(?:(?: such)? (?:clauses?|provisions?)| {STATE})?(?!\.?\s*\d)|not (?:\w+ )?{STATE}|{ABSENT})"
    r"[\"'”’]?\s*(?:[^\w\s\"'“‘-]|-\s|$|(?:in|here|by|from|before|and|but)\b))",
    re.I,
)
"""What says after a name that the clause is not there: "no, only mentioned", but not "no policy may lapse"."""
STRUCK = re.compile(
    rf"(?<!not )\b(?:{GONE}|crossed out|reserved heading|(?:is|was|are|were|left|marked) reserved|opposite"
    r"|(?:only|merely|just|simply) (?:an? |the )?(?:mention|defin|refer|explain)\w*"
    r"|(?:mentioned|defined) (?:only|merely)"
    r"|(?:do|does|did|would|should|could|can)(?: not|n['’]t)(?: \w+)? (?:count|apply|appear|bind|qualify)\w*"
    r"|cannot count|(?:is|are|was|were)(?: not|n['’]t) (?:a|an|one|binding|counted|included|present|there|among)\b"
    r"|(?:other|wrong|another) (?:side|way|party|direction|instrument|contract|document|paper|agreement)"
    r"|rule[sd]? out)\b",
    re.I,
)
"""What says anywhere after a name that the clause is struck, mentioned only, or binds another."""
TAKES_BACK = re.compile(r"\s*(?:so |thus |therefore |hence )?(?:this|it|that|does|not|only|struck)\b", re.I)
"""The beginning of a sentence about the name before it."""
ALL_DENIED = re.compile(
    rf"[.:;,(–—-]\s*(?:all|both|these|they)(?: of (?:them|these))?(?: are)?(?: both)? {ABSENT}\b", re.I
)
"""What denies all names before it in a line."""
CROSSED_OUT = re.compile(rf"[\s*_>#+-]*{NUMBERED}[\s*_]{{0,5}}(?:\[\s?\]|☐|[✗✘❌]|~~)", re.I)
"""What says before a name that the clause is not there: an empty box, a cross, a strike-through."""
NEGATED = re.compile(
    r"\b(?:no(?!\.? ?\d)|not|none|nothing|never|neither|nor|without|lacks?|lacking|free|waiv\w+|absence|definition"
    r"|reserved|struck|stricken|denie[sd]|omits?|mention\w*|refer\w*|speaks?|heading|exclu\w+|rules? out|opposite"
    r"|fails? to|only (?:defin|mention)\w+)\b"
    r"|n['’]t\b",
    re.I,
)
"""What denies a name that comes later in the same item or the same part of a sentence."""
HEADS_ABSENT = re.compile(
    rf"\b(?:not|n['’]t)\s+(?:\w+\s+)?(?:contain|include|have|count|appl(?:y|icable)|{STATE})\b"
    rf"|\b(?:none of|(?<!not ){ABSENT}|lacks?|not in|rejected|ruled? out)\b|^\W*(?:no|not)\W*$",
    re.I,
)
"""A heading of clauses that are not there."""
DOUBT = re.compile(
    rf"\b(?:{UNSURE}|(?:may|might|could) (?:also )?(?:be|contain|include|have)|would (?:contain|have))\b", re.I
)
EXCEPTION = re.compile(r"\b(?:except|besides|save|(?:none|nothing) but|(?:other|apart|aside) (?:than|from))\b", re.I)
"""What turns "none of these" into a name."""
AFFIRMED = re.compile(
    r"\b(?:contain(?:s|ed|ing)?|include[sd]?|including|has|have|there(?:['’]s| is| are)|f(?:ou|i)nd|identif(?:y|ied)"
    r"|provides? for|imposes?|establish(?:es)?|sets out|consists? of|namely"
    r"|(?:clauses?|provisions?|types?|ones?|answer)\b[^.,:;]{0,60}?\b(?:is|are|apply|bind))\b",
    re.I,
)
"""What says that the clauses named after it are there."""
STATED = re.compile(rf"\b(?:is|are) (?:also |both |all |each )?{STATE}\b|\b(?:appl(?:y|ies)|counts?)\b", re.I)
"""What says that the clauses named before it are there."""
NOT_A_NAME = re.compile(r"[$%€£!?]")
BUT = re.compile(r"\b(?:but|although|though|while|whereas|however|yet)\b", re.I)
THE_REST = re.compile(r"\b(?:others?|rest|remaining|else|further|additional|more)\b", re.I)
"""A statement about the clauses that are not named."""

SMALL = _words("a an the of for on upon to in is are and or")
"""Words between the words of a name that do not matter."""
ARTICLES = (["a"], ["an"], ["the"])
ENDINGS = _words(
    "clause clauses provision provisions covenant covenants language term terms requirement requirements obligation "
    "obligations right rights duty duties section paragraph"
)
"""Words that may follow a name."""
BEFORE = _words(
    "any one this that both no not but also only just yes mutual express general single separate buyer seller "
    "purchaser vendor tenant landlord lessee lessor borrower lender grantor grantee holder as with against upon by "
    "name names label"
)
AFTER = SMALL | _words(
    "at by with without under against if when as per from until during before after that which who whose where must "
    "shall may will apply applies only plus but covering requiring running given too "
    "here also there because since so"
)
"""Words after a name that do not belong to it: "insurance at", but not "insurance premiums"."""
OF_SENTENCES = _words(
    "i you me we us he she they them it its your my our this that these those is are was were be been has have had "
    "does do did can could would should may might will shall must says said say let lets please note so here below "
    "above hope if because since only merely just sure certainly yes ok okay thanks thank sorry course true false "
    "null maybe perhaps possibly unclear both apply applies there"
)
"""Words which the name of a clause does not have."""
NOTHING = _words("no none nothing absent missing empty null nil zero")
NEGATIVES = NOTHING | _words("not neither doesnt dont isnt arent cannot cant didnt")
OF_CLAUSES = _words("clause clauses provision provisions type types any these those them")
NONE = NEGATIVES | _words(
    "a an any the of in on from there is are was were be such these those this that them it its here so answer "
    "sorry i we find found see identify identified spot listed list lists above given asked about you clause clauses "
    "provision provisions type types kind kinds one ones related relevant matching applicable critical contain "
    "contains containing include includes included including have has had do does present apply applies appear "
    "appears count counts bind binds binding force effect exist exists text excerpt contract document passage "
    "paragraph paragraphs deed lease agreement instrument section based according and or your my which after careful "
    "review reviewed reviewing read checked both "
    "at all whatsoever detected contained absolutely one s"
)
"""Words of a statement that there is no clause."""
NONE_OF = re.compile(r"(?:none|not one|zero) of (?:the|these|them|those|this|that|your)\b")
REASON = re.compile(r"(?<=none):|\s[-–—]\s|[(\[|,]|\b(?:since|because|as|for|although|but)\b", re.I)
SO = re.compile(r"\b(?:so|therefore|thus|hence)\b", re.I)
CONCLUSION = re.compile(rf"[:,]|{SO.pattern}", re.I)
EMPTY_LIST = re.compile(r"[^\w\"]*\[\s*\][^\w\"]*|.*\"[^\"]*\"\s*:\s*\[\s*\].*", re.S)
"""An empty list of JSON."""


FOLLOWING = re.compile(
    rf"(?:[\s*_\"'”’]*(?:\b(?:{'|'.join(sorted(ENDINGS))})\b|\([^()]*\)|\[[^\[\]]*\]))*[\s*_\"'”’]*([^\W_]*)", re.I
)
"""Words such as "clause" and brackets after a name, and the next word."""


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
    """What an answer says in one place: a name, an invented one, a denied one (without label), or "none"."""

    start: int
    end: int
    says: str
    label: str = ""
    in_list: bool = True


class Segment(NamedTuple):
    """A sentence, or a part between semicolons, bullets or line breaks."""

    start: int
    end: int
    in_list: bool
    follows: bool = False
    """Whether it follows another sentence in its line."""
    is_heading: bool = False
    json: object = None
    """What a segment holds that is JSON; an object is a tuple of pairs."""


class Piece(NamedTuple):
    """A part of a segment between commas and "and", and the first name in it."""

    start: int
    end: int
    joint: str
    hit: Claim | None


@lru_cache(maxsize=4096)
def key(name: str) -> str:
    """Return the form in which spellings of a clause type are equal: NFKC, lower case, words without punctuation."""
    return " ".join(WORD.findall(APOSTROPHE.sub("", plain(name).casefold()).replace("&", " and ")))


def read(completion: Completion, table: Mapping[str, str]) -> ClauseListReading:
    """Read an answer as a list of clause types; `table` maps keys to types."""
    if why := unreadable(completion):
        return ClauseListReading([], unreadable=why)
    normal = normalise(completion.text)
    said: dict[str, list[Claim]] = defaultdict(list)
    for claim in _Reader(normal.text, _index(tuple(table.items()))).claims():
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
    return _is_none(text) or _is_none(first)


def _is_none(text: str, names: bool = False) -> bool:
    """Whether a sentence, its beginning before a reason or, without `names`, its end says that there is no clause."""
    if EMPTY_LIST.fullmatch(text):
        return True
    if EXCEPTION.search(text) or text.rstrip(" *_").endswith(":"):
        return False
    parts = [key(text), key(REASON.split(text, maxsplit=1)[0])]
    parts += [key((SO if names else CONCLUSION).split(text)[-1])]
    return any(
        part == "n a" or (NONE_OF.match(part) and not names and not THE_REST.search(part)) or _all_none(part.split())
        for part in parts
    )


def _all_none(words: list[str]) -> bool:
    negatives = NEGATIVES.intersection(words)
    is_said = negatives & NOTHING or len(words) < MAX_ADJECTIVES or OF_CLAUSES.intersection(words)
    twice = negatives & {"absent", "missing"} and len(negatives) > 1
    return bool(negatives and is_said and not twice) and NONE.issuperset(words)


def _shown(text: str, claim: Claim) -> str:
    return text[claim.start : claim.end].lower()[:MAX_SHOWN].strip()


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    stem = INFLECTED.sub("", word)
    return stem.removesuffix("ing") if len(stem) > 6 else stem


def _forms(words: list[str]) -> set[str]:
    """The spellings under which a name is found: in one word or several, inflected, its main words in any order."""
    stems = [_stem(word) for word in words]
    main = sorted(stem for word, stem in zip(words, stems, strict=True) if word not in SMALL)
    return {"".join(stems), *([" ".join(main)] if len(main) > 1 else [])}


@lru_cache(maxsize=256)
def _index(names: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Types by spelling; a spelling of two types is none of them, except as the exact name of one."""
    forms: dict[str, set[str]] = defaultdict(set)
    for name, label in names:
        for form in _forms(name.split()):
            forms[form].add(label)
    return {form: min(labels) for form, labels in forms.items() if len(labels) == 1} | {
        "=" + name: label for name, label in names
    }


class _Reader:
    """The claims of one answer."""

    def __init__(self, text: str, index: Mapping[str, str]) -> None:
        self.text = text
        self.index = index
        self.flat = _flat(text)
        self.is_absent = self.is_listed = False
        """Whether a heading says that what follows is absent, and whether its list has begun."""
        self.openings = {word[:2] for form in index for word in form.removeprefix("=").split()}
        self.names = list(self._all_names())
        self.segments = list(self._parts())
        self.is_marked = any(segment.in_list for segment in self.segments)

    def _parts(self) -> Iterator[Segment]:
        """Objects and lists of JSON, and the segments around them."""
        at = end = 0
        while start := JSON.search(self.flat, end):
            try:
                value, end = JSON_DECODER.raw_decode(self.text, start.end())
            except (ValueError, RecursionError):
                break
            yield from self._segments(at, start.end())
            yield Segment(start.end(), end, True, json=value)
            at = end
        yield from self._segments(at, len(self.text))

    def _segments(self, *place: int) -> Iterator[Segment]:
        for line in LINE.finditer(self.flat, *place):
            start, stop = line.span()
            if line[0].lstrip().startswith("|"):
                yield from self._row(start, stop)
                continue
            is_heading = bool(HEADLINE.match(self.flat, start))
            bullet = BULLET.match(self.text, start, stop)
            begin = bullet.end() if bullet else start
            splits = list(SPLIT.finditer(self.flat, begin, stop))
            listed = [bool(LISTS.match(split[0])) for split in splits]
            in_list = any(listed) or bool(bullet and MARKED.search(bullet[0]))
            starts = [begin, *(split.end() for split in splits)]
            ends = [*(split.start() for split in splits), stop]
            for at, end, after_list in zip(starts, ends, [True, *listed], strict=True):
                if self.text[at:end].strip(" \t*_"):
                    at = start if at == begin else at
                    yield Segment(at, end, in_list and after_list, not after_list, is_heading)

    def _row(self, start: int, stop: int) -> Iterator[Segment]:
        """Of a row of a table, each name with the cells after it."""
        cells = [cell.span() for cell in CELL.finditer(self.flat, start, stop)]
        names = [cell for cell in cells if self._is_bare(self._pieces(*cell)[0])]
        for at, end in pairwise([*(cell[0] for cell in names or cells[:1]), stop]):
            yield Segment(at, end, True)

    def claims(self) -> Iterator[Claim]:
        line: list[Claim] = []
        last, end = 0, 0
        for segment in self.segments:
            lines = self.text.count("\n", end, segment.start)
            was_absent = self.is_absent = self.is_absent and not (
                self.is_listed and lines > 1 and not self._is_bulleted(segment)
            )
            if lines:
                yield from line
                line, last = [], 0
            all_denied = ALL_DENIED.search(self.text, max(end - 1, 0), segment.end)
            end = segment.end
            place = segment.start, end
            takes_back = TAKES_BACK.match(self.text, *place) and STRUCK.search(self.text, *place)
            is_remark = segment.follows and not any(self._mentions(*place))
            if is_remark and (all_denied or (takes_back and any(claim.in_list for claim in line[last:]))):
                kept = [] if all_denied else line[:last]
                yield from (claim._replace(says="denied") for claim in line[len(kept) :])
                line, last = kept, len(kept)
                continue
            claims = list(self._read(segment))
            self.is_listed = bool(claims) and (claims[0].in_list or not was_absent)
            last = len(line)
            line += claims
            if all_denied:
                yield from (claim._replace(says="denied") for claim in line)
                line, last = [], 0
        yield from line

    def _of_json(self, value: object, strings: Iterator[re.Match[str]], reads: bool, absent: bool) -> Iterator[Claim]:
        """What JSON names in its keys, and in its strings if a key says that these are names."""
        if isinstance(value, tuple):
            absent = absent or any(_is_denied(*pair) for pair in value)
            for name, each in value:
                pieces = self._pieces(*next(strings).span(1))
                words = key(name)
                leads = bool((LEAD.search(words) or PLACE.fullmatch(words)) and not FREE_TEXT.search(words))
                within = list(self._of_json(each, strings, leads, absent or bool(HEADS_ABSENT.search(words))))
                says = "denied" if absent or _says_no(each) else "named"
                named = [piece.hit._replace(says=says) for piece in pieces if piece.hit and self._is_bare(piece)]
                yield from named or within
        elif isinstance(value, list) and value:
            for each in value:
                yield from self._of_json(each, strings, reads, absent)
        elif isinstance(value, str):
            self.is_absent = False
            for segment in self._segments(*next(strings).span(1)):
                claims = self._read(segment._replace(in_list=True)) if reads else ()
                yield from (claim._replace(says="denied") if absent else claim for claim in claims)
        elif not value and reads:
            yield Claim(0, 0, "denied")

    def _is_bulleted(self, segment: Segment) -> bool:
        bullet = BULLET.match(self.text, segment.start, segment.end)
        return bool(bullet and MARKED.search(bullet[0]))

    def _read(self, segment: Segment) -> Iterator[Claim]:
        start, end = segment.start, segment.end
        if segment.json is not None:
            yield from self._of_json(segment.json, JSON_STRING.finditer(self.text, start, end), True, self.is_absent)
            return
        crossed = bool(CROSSED_OUT.match(self.text, start, end))
        bullet = BULLET.match(self.text, start, end)
        begin = at = bullet.end() if bullet else start
        bulleted = self._is_bulleted(segment)
        in_list = bulleted or (segment.in_list and self._is_item(self._pieces(at, end)[0]))
        mark = DESCRIPTION.search(self.flat, at, end)
        stop = mark.start() if mark else end
        names = any(piece.hit for piece in self._pieces(at, stop))
        if not names and (mark or segment.is_heading):
            rest = mark.end() if mark else end
            place = PLACE.fullmatch(self.flat, at, stop)
            if place and _is_none(self.flat[rest:end]):
                yield Claim(rest, end, "denied")
                return
            is_absent = bool(HEADS_ABSENT.search(self.text[at:stop]))
            leads = is_absent or segment.is_heading or LEAD.search(self.text, at, stop) or not key(self.text[rest:end])
            if leads:
                self.is_absent = is_absent
            if leads or (place and in_list) or self._lists(self._pieces(rest, end)):
                at, in_list = rest, True
        is_name = self._lists(self._pieces(begin, stop))
        if not (segment.is_heading or is_name) and _is_none(self.text[begin if bulleted else start : end], names):
            yield Claim(start, end, "none", in_list=segment.in_list)
            yield from self._sentence(at, end)
            return
        pieces = self._pieces(at, end)
        if in_list or self._lists(pieces):
            yield from self._items(pieces, end, crossed, bulleted)
            return
        claims = list(self._sentence(at, end))
        is_line = not segment.follows and not self.text[start:end].rstrip().endswith(".")
        if not claims and is_line and not self.is_marked and all(map(self._is_item, pieces)):
            claims = list(self._items(pieces, end, crossed, False))
        yield from claims

    def _pieces(self, start: int, end: int) -> list[Piece]:
        joints = [joint.span() for joint in JOINT.finditer(self.flat, start, end) if not self._in_name(joint)]
        names = [name for name in self._mentions(start, end) if self.flat[name.end - 1] != HIDDEN]
        joints += [(name.end, after.start) for name, after in pairwise(names) if self._adjoin(name.end, after.start)]
        joints.sort()
        starts = [start, *(joint[1] for joint in joints)]
        ends = [*(joint[0] for joint in joints), end]
        words = ["", *(self.flat[slice(*joint)] for joint in joints)]
        pieces = [Piece(*each, self._hit(*each[:2])) for each in zip(starts, ends, words, strict=True)]
        is_rest = words[1:2] == ["or"] and starts[0] == ends[0]
        return [p for p in pieces if is_rest or WORD.search(self.text, p.start, p.end)] or pieces[:1]

    def _adjoin(self, start: int, end: int) -> bool:
        """Whether what stands between two names is neither a joint nor a word of a sentence or a description."""
        between = self.flat[start:end]
        is_list = all(word.isdigit() or word in BETWEEN for word in key(between).split())
        return is_list and not JOINT.search(between) and not NO_JOINT.search(between)

    def _in_name(self, joint: re.Match[str]) -> bool:
        last = bisect_left(self.names, (joint.end(),)) - 1
        return last >= 0 and self.names[last].end > joint.start()

    def _mentions(self, start: int, end: int) -> list[Claim]:
        """Known names in a range, without regard to what is said of them."""
        first, last = bisect_left(self.names, (start,)), bisect_left(self.names, (end,))
        return [name for name in self.names[first:last] if name.end <= end]

    def _next(self, name: Claim, end: int) -> int:
        """Where the next known name begins, or the end of the range."""
        after = bisect_left(self.names, (name.end,))
        return min(self.names[after].start, end) if after < len(self.names) else end

    def _all_names(self) -> Iterator[Claim]:
        """The longest known name at each word."""
        words = list(TOKEN.finditer(self.text))
        keys = [key(word[0]) for word in words]
        at = 0
        while at < len(words):
            most = MAX_NAME if keys[at][:2] in self.openings else 0
            for stop in range(min(at + most, len(words)), at, -1):
                start, end = words[at].start(), words[stop - 1].end()
                if label := self._label(start, end, keys[at:stop]):
                    yield Claim(start, end, "named", label)
                    at = stop - 1
                    break
            at += 1

    def _label(self, start: int, end: int, words: list[str]) -> str | None:
        exact = self.index.get("=" + " ".join(words))
        between = self.text[start:end]
        if words[0] == "no" and not self._is_item_alone(start, end):
            return None
        if exact or "," in between or BREAK.search(between):
            return None if ACROSS.search(between) else exact
        in_order = {words[0], words[-1]} & SMALL or {"and", "or"}.intersection(words)
        forms = {"".join(map(_stem, words))} if in_order else _forms(words)
        return next((self.index[form] for form in sorted(forms) if form in self.index), None)

    def _is_item_alone(self, start: int, end: int) -> bool:
        """Whether no word stands before a range in its line, nor "clause" after it, as in "there is no ... clause"."""
        after = WORD.search(self.text, end)
        before = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        return not re.search(r"[^\W\d_]", before) and not (after and after[0] in ENDINGS)

    def _hit(self, start: int, end: int) -> Claim | None:
        """The first name that is one: not a part of another noun, such as "insurance premiums"."""
        names = self._mentions(start, end)
        for name in names:
            if self.flat[name.end - 1] == HIDDEN:
                continue
            before = key(self.text[start : name.start]).split()
            if len(before) > MAX_BEFORE:
                break
            last = before[-1] if before else "the"
            leads = _may_precede(last) or any(words.search(last) for words in (NEGATED, EXCEPTION, AFFIRMED))
            if " " in key(self.text[name.start : name.end]) or (leads and self._after(name, end) in AFTER | {""}):
                return name
        bracketed = [name for name in names if self.flat[name.start - 1 : name.end + 1].replace(HIDDEN, "") == "()"]
        return bracketed[0] if bracketed else None

    def _after(self, name: Claim, end: int) -> str:
        """The word that follows a name, "clause" and brackets; nothing if a mark follows."""
        match = FOLLOWING.match(self.flat, name.end, end)
        return match[1].lower() if match else ""

    def _is_bare(self, piece: Piece) -> bool:
        """Whether nothing but an article, brackets or a description stands by the name of a piece."""
        if not piece.hit:
            return False
        before = key(self.text[piece.start : piece.hit.start]).split()
        return all(map(_may_precede, before)) and self._after(piece.hit, piece.end) in ("", "and", "or", "plus")

    def _is_item(self, piece: Piece) -> bool:
        """Whether a piece is a name, known or not, perhaps with a few words after it, and no part of a sentence."""
        if not piece.hit:
            return self._is_name(piece)
        mark = DESCRIPTION.search(self.flat, piece.hit.end, piece.end)
        before = key(self.text[piece.start : piece.hit.start]).split()
        after = self.flat[piece.hit.end : mark.start() if mark else piece.end].replace(HIDDEN, "")
        words = key(after).split()
        return (
            (
                all(map(_may_precede, before))
                or (len(before) <= MAX_ADJECTIVES and not OF_SENTENCES.intersection(before))
            )
            and len(words) <= MAX_ADJECTIVES
            and OF_SENTENCES.intersection(words) <= {"only"}
            and not NEGATED.search(after)
        )

    def _lists(self, pieces: list[Piece]) -> bool:
        """Whether pieces begin with a known name and are a list without a sentence around it."""
        described = [bool(DESCRIPTION.search(self.flat, piece.start, piece.end)) for piece in pieces]
        stop = described.index(True) + 1 if True in described else len(pieces)
        return bool(pieces[0].hit) and all(map(self._is_item, pieces[:stop]))

    def _items(self, pieces: list[Piece], end: int, crossed: bool, is_bulleted: bool) -> Iterator[Claim]:
        described = phrase = carried = False
        for number, piece in enumerate(pieces):
            hit = piece.hit
            mark = DESCRIPTION.search(self.flat, piece.start, piece.end)
            if hit and not (described and not self._is_bare(piece)):
                before = self.text[piece.start : hit.start]
                is_said = BUT.search(before) or re.match(r"\W*yes\b", self.text[hit.end : piece.end], re.I)
                carried = carried and not is_said and key(before).split()[:1] not in ARTICLES
                carried = carried or bool(NEGATED.search(before) and not EXCEPTION.search(before))
                struck = (crossed and number == 0) or CROSSED_OUT.match(self.text, piece.start, piece.end)
                denied = carried or self.is_absent or struck or self._denies(hit, self._next(hit, end))
                phrase = is_bulleted or bool(self._after(hit, piece.end))
                yield hit._replace(says="denied" if denied else "named", in_list=is_bulleted)
            elif not hit and not described and ("," in piece.joint or not phrase):
                head = piece._replace(end=mark.start()) if mark else piece
                inner = INNER.search(self.text, head.start, head.end)
                if inner and self._is_name(head):
                    says = "denied" if self.is_absent or crossed else "invented"
                    yield Claim(*inner.span(), says, in_list=is_bulleted)
            described = described or bool(mark)

    def _denies(self, hit: Claim, stop: int) -> bool:
        cells = [hit.end, *(mark.start() for mark in re.finditer(r"\|", self.flat[hit.end : stop]))]
        return (
            bool(DENIED.match(self.text, hit.end, stop))
            or any(DENIED.match(self.text, hit.end + at, stop) for at in cells[1:])
            or bool(STRUCK.search(self.text, hit.end, stop))
        )

    def _is_name(self, piece: Piece) -> bool:
        """Whether a piece without a known name is short and no sentence, so that it is an invented name."""
        shown = self.flat[piece.start : piece.end]
        words = key(shown.replace(HIDDEN, " ")).split()
        while words and (words[0] in SMALL or words[0] in BEFORE):
            words = words[1:]
        return (
            0 < len(words) <= MAX_WORDS
            and not words[0].isdigit()
            and words[0] not in AFTER
            and not OF_SENTENCES.intersection(words)
            and not NONE.issuperset(words)
            and not NOT_A_NAME.search(shown)
            and not NEGATED.search(shown)
            and not PLACE.fullmatch(shown)
            and not THE_REST.search(shown)
        )

    def _sentence(self, start: int, end: int) -> list[Claim]:
        """Names that a sentence says are there."""
        claims: list[Claim] = []
        marks = list(BUT.finditer(self.flat, start, end))
        for at, stop in zip([start, *(m.end() for m in marks)], [*(m.start() for m in marks), end], strict=True):
            if not any(self._mentions(at, stop)):
                claims = (
                    [] if STRUCK.search(self.text, at, stop) and not THE_REST.search(self.text, at, stop) else claims
                )
                continue
            if DOUBT.search(self.text, at, stop):
                continue
            affirmed = AFFIRMED.search(self.flat, at, stop)
            excepted = EXCEPTION.search(self.flat, at, stop)
            if excepted and NEGATED.search(self.flat, at, excepted.start()):
                claims += self._affirmed(excepted.end(), stop)
                continue
            found: list[Claim] = []
            if affirmed and not NEGATED.search(self.flat, at, affirmed.end()):
                found = list(self._affirmed(affirmed.end(), stop))
            if not found and STATED.search(self.flat, at, stop) and not NEGATED.search(self.flat, at, stop):
                found = list(self._affirmed(at, stop))
            claims += found
        return claims

    def _affirmed(self, start: int, stop: int) -> Iterator[Claim]:
        """Names in a part of a sentence; a denial lasts until the next article."""
        denied = False
        described = False
        for piece in self._pieces(start, stop):
            if not piece.hit:
                denied = denied or bool(NEGATED.search(self.flat, piece.start, piece.end))
                continue
            if described and not self._is_bare(piece):
                break
            described = described or bool(DESCRIPTION.search(self.flat, piece.start, piece.end))
            verbs = [verb.end() for verb in AFFIRMED.finditer(self.flat, piece.start, piece.hit.start)]
            words = key(self.text[max([piece.start, *verbs]) : piece.hit.start]).split()
            is_near = len(words) <= MAX_ADJECTIVES or all(map(_may_precede, words))
            denied = denied and words[:1] not in ARTICLES
            denied = denied or bool(NEGATED.search(self.flat, piece.start, piece.hit.start))
            struck = STRUCK.search(self.text, piece.hit.end, self._next(piece.hit, stop))
            if not denied and not struck and is_near and self._after(piece.hit, stop) in AFTER | {""}:
                yield piece.hit


def _is_denied(name: str, value: object) -> bool:
    """Whether a pair of JSON says that what its object names is not there."""
    words = key(name)
    if HEADS_ABSENT.search(words):
        return value is True
    return bool(HOLDS.search(words)) and not isinstance(value, (tuple, list)) and _says_no(value)


def _says_no(value: object) -> bool:
    """Whether a value of JSON denies the clause that its key names."""
    if isinstance(value, str):
        return not value or bool(DENIED.match(f": {value}") or STRUCK.search(value))
    return any(_is_denied(*pair) for pair in value) if isinstance(value, tuple) and value else not value


def _may_precede(word: str) -> bool:
    return word.isdigit() or any(word.removesuffix(end) in SMALL | BEFORE | ENDINGS for end in ("", "s"))


def _flat(text: str) -> str:
    """The text with its special marks as line breaks, and with what is in brackets hidden from the separators."""
    for marks in (SPECIAL, TABLE_HEAD):
        text = marks.sub(lambda m: "\n" * len(m[0]), text)
    return BRACKETS.sub(lambda m: m[0][0] + HIDDEN * (len(m[0]) - 2) + m[0][-1], text)
