"""Read an answer as a list of clause types: names separated by `;`, `,`, new lines, bullets or numbers, or "none".

Prose is not searched for names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from harness.schema import Completion
from harness.scoring.text.normalize import plain
from harness.scoring.text.refusals import refuses

MAX_WORDS = 12
"""A longer piece is not read as a name."""
MAX_JOINED = 8
"""Pieces between commas and "and" that one name may have."""
MAX_HEAD = 200
"""Characters in which a name before a description ends."""
MAX_SHOWN = 60
"""A name outside the vocabulary is cut to this many characters."""

WORD = re.compile(r"[^\W_]+")
APOSTROPHE = re.compile("['’‘ʼ`]")
JOINT = re.compile(r",|\b(?:and|or)\s+|&", re.I)
PIECE = re.compile(r"^[ \t]*\|[^\n\r]*|[^;\n\r|•●▪◦‣·]+", re.M)
"""What is between separators, or a row of a table."""
TABLE_HEAD = re.compile(r"^[ \t]*\|[^\n]*\n(?=[ \t]*\|[ \t|:-]*$)", re.M)
CELL = re.compile(r"[^|]+")
INNER = re.compile(r"[^\W_](?:.*[^\W_])?", re.S)
NUMBERED = r"(?:\(?(?:\d{1,2}|[a-zA-Z])[.)]\s+)?"
BULLET = re.compile(rf"\s*(?:(?:\[[\dxX✓✔]{{1,3}}\]|[-*+–—#>\[\"'“(]+)\s*)*{NUMBERED}")
CLOSING = re.compile(r":|\s[-–—]\s|[(\[|]")
LEAD_IN = re.compile(
    r"(?:;*\s*\n)?[^:;\n]{0,120}\b(?:answer|clauses?|types?|following|list(?:ed)?|present|absent|missing|provisions?|contains?"
    r"|includes?|found)\b[^:;\n]{0,60}:",
    re.I,
)
HEADING = re.compile(r"[^:]{0,180}:[\s*_\[{]*")
"""A line that only leads to what follows it."""
SPECIAL = re.compile(r"<\|?/?[a-z_]{1,20}\|?>|```(?:\w+(?=\s*\n))?", re.I)
"""Special tokens, and code fences with their language."""
SENTENCE_END = re.compile(r"(?<=\w)\.\s+(?=[A-Z])|\n")
ENDINGS = ("clause", "clauses", "provision", "provisions")
"""Words that may follow a name."""
TEXT = r"(?:it|(?:the|this) (?:text|excerpt|contract|document|passage|paragraph|deed|lease|agreement)(?: above)?)"
CLAUSES = (
    r"(?:of (?:the|these|those) )?(?:(?:such|the|these|those|this|that|listed|relevant|given|a|an|one) )*"
    r"(?:clauses?|provisions?|types?)"
)
NONE = re.compile(
    r"(?:sorry |no )?(?:(?:based on|according to|in) (?:the|this) \w+ )?(?:(?:the )?answer(?: is)? )?"
    rf"(?:(?:there (?:is|are)|{TEXT} (?:has|contains|includes)) )?"
    rf"(?:{TEXT} (?:does not|doesnt) (?:contain|include|have) (?:any )?"
    rf"(?:{CLAUSES}(?: listed| above)?|of (?:them|these|those))"
    r"|(?:the|this|that|such a) (?:clause|provision) is (?:not (?:present|included|found|there|in)|absent)"
    r"(?: (?:in|from))?(?: (?:this|the) \w+)?(?: above)?"
    r"|none(?: of (?:the|these|them|those).*"
    r"| (?:(?:is |are )?present|found|apply|applies|listed|identified)(?: here| in (?:this|the) \w+)?)?"
    r"|no(?: (?:such|related|relevant|listed|matching|of the listed|applicable|critical))*"
    r" (?:clauses?|provisions?|types?)(?: (?:from|on|of) (?:the|this|that) (?:list|kind|type))?"
    r"(?: (?:types?|found|here|listed|identified|apply|applies|in (?:this|the) \w+|(?:(?:is|are) )?present|above))*"
    r"|no|n a|nothing|null|empty|not (?:present|applicable|found))"
)
EMPTY_LIST = re.compile(r"\s*(?:\{\s*\"[^\"]*\"\s*:\s*)?\[\s*\](?:\s*\})?\s*")
"""An empty list of JSON."""
EXCEPTION = re.compile(r"\b(?:except|besides|save|none but|(?:other|apart|aside) (?:than|from))\b", re.I)
"""What turns "none of these" into a name."""
STATE = r"(?:present|included|mentioned|found|stated|listed|contained|applicable|covered|counted|required|there)"
UNSURE = r"(?:unclear|uncertain|unknown|unsure|doubtful|maybe|perhaps|possibly|not (?:sure|clear|certain))"
ABSENT = (
    r"(?:(?:only|merely|just) (?:mentioned|defined)|n/?a|absent|false|missing|struck|denied|reserved|replaced|waived"
    rf"|excluded|{UNSURE})"
)
"""What says of a clause, or of a list of them, that it is not there or may not be."""
DENIED = re.compile(
    r"\W*(?:[✗✘❌]|does(?: not|n['’]t) (?:apply|count|appear)\b|(?:(?:there )?(?:is|are) )?"
    rf"(?:(?:no|none)(?:(?: such)? (?:clauses?|provisions?)| {STATE})?(?!\.?\s*\d)|not (?:\w+ )?{STATE}|{ABSENT})"
    r"[\"'”’]?\s*(?:[^\w\s\"'“‘-]|-\s|$|(?:in|here|by|from)\b))",
    re.I,
)
"""What says after a name that the clause is not there: "no, only mentioned", but not "no policy may lapse"."""
CROSSED_OUT = re.compile(rf"[\s*_>#+-]*{NUMBERED}[\s*_]*(?:\[\s?\]|☐|[✗✘❌]|~~|(?:but\s+)?(?:not|no)\s)", re.I)
"""What says before a name that the clause is not there: an empty box, a cross, a strike-through, "not"."""
HEADS_ABSENT = re.compile(
    rf"\b(?:not|n['’]t)\s+(?:\w+\s+)?(?:contain|include|have|count|appl(?:y|icable)|{STATE})\b"
    rf"|\bnone of\b|\b(?:{ABSENT}|lacks?)\b",
    re.I,
)
"""A heading of clauses that are not there."""
DOUBT = re.compile(rf"\b{UNSURE}\b", re.I)
AFFIRMED = re.compile(
    r"(?<!not )(?<!n['’]t )\b(?:contains?|includes?|has|there (?:is|are))\s+(?:(?:also|an?|the|one)\s+)*", re.I
)
"""What says, after a "none", that a clause is there."""
THE_REST = re.compile(r"(?:(?:all|none of) )?(?:the )?(?:others?|rest|remaining)\b.*|no others?\b.*")
"""A sentence about the clauses that are not named."""


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


@lru_cache(maxsize=4096)
def key(name: str) -> str:
    """Return the form in which spellings of a clause type are equal: NFKC, lower case, words without punctuation."""
    return " ".join(WORD.findall(APOSTROPHE.sub("", plain(name).casefold()).replace("&", " and ")))


def read(completion: Completion, table: Mapping[str, str]) -> ClauseListReading:
    """Read an answer as a list of clause types; `table` maps keys to types."""
    text = completion.text
    if why := unreadable(completion):
        return ClauseListReading([], unreadable=why)
    named: list[Named] = []
    denied = False
    for start, end, is_absent in _pieces(text, table):
        if is_absent or _denies(text, start, end, table):
            denied = True
        else:
            named.extend(_names(text, start, end, table))
    if any(name.known for name in named):
        return ClauseListReading(named)
    if says_none(text):
        affirmed = list(_affirmed(text, table))
        return ClauseListReading([_named(text, 0, affirmed[0].start), *affirmed] if affirmed else [])
    if denied and not named and not DOUBT.search(text):
        return ClauseListReading([])
    if refuses(text):
        return ClauseListReading([], unreadable="the answer is a refusal")
    if not any(len(text[name.start : name.end].split()) <= MAX_WORDS for name in named):
        return ClauseListReading([], unreadable="the answer is not a list of clause types")
    return ClauseListReading(named)


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
    first = SENTENCE_END.split(text, maxsplit=1)[0]
    parts = (text, first, CLOSING.split(first, maxsplit=1)[0])
    return bool(EMPTY_LIST.fullmatch(text)) or (
        not EXCEPTION.search(first) and any(NONE.fullmatch(key(part)) for part in parts)
    )


def _pieces(text: str, table: Mapping[str, str]) -> Iterator[tuple[int, int, bool]]:
    """Spans between separators, without a lead-in such as "The clauses are:", and whether they are under "absent".

    A joint is a separator before a name with a description: "insurance (7), repair (9)". A sentence after a name is a
    piece of its own.
    """
    masked = SPECIAL.sub(lambda m: ";" * len(m[0]), text)
    masked = TABLE_HEAD.sub(lambda m: ";" * len(m[0]), masked)
    lead = LEAD_IN.match(masked)
    first = lead.end() if lead and not _head(text, _after_bullet(text, 0, lead.end()), lead.end(), table) else 0
    is_absent = bool(HEADS_ABSENT.search(masked, 0, first))
    for span in _rows_and_pieces(masked, first, table):
        start, end = _after_bullet(text, *span), span[1]
        leads = HEADING.fullmatch(text, start, end) or LEAD_IN.match(masked, start, end)
        if leads and _head(text, start, end, table) is None:
            is_absent = bool(HEADS_ABSENT.search(text, start, leads.end()))
            start = _after_bullet(text, leads.end(), end)
        if (crossed := CROSSED_OUT.match(text, *span)) and _label(key(text[crossed.end() : end]), table) is not None:
            yield crossed.end(), end, True
            continue
        for joint in JOINT.finditer(text, start, end):
            head = _head(text, start, end, table)
            if not (head and head.start() > joint.start()) and _head(text, joint.end(), end, table):
                yield start, joint.start(), is_absent
                start = joint.end()
        stop = SENTENCE_END.search(text, start, end)
        if stop and _label(key(text[start : stop.start()]), table) is not None:
            yield start, stop.start(), is_absent
            start = stop.end()
        rest = key(text[start:end])
        if rest and (EXCEPTION.search(rest) or not THE_REST.fullmatch(rest)):
            yield start, end, is_absent


def _rows_and_pieces(masked: str, first: int, table: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Pieces from `first` on; of a row of a table, each name with the cells after it."""
    for piece in PIECE.finditer(masked, first):
        if piece[0].lstrip().startswith("|"):
            cells = [cell for cell in CELL.finditer(masked, *piece.span()) if key(cell[0]).strip("0123456789 ")]
            names = [cell for cell in cells if _label(key(cell[0]), table) is not None]
            yield from pairwise([*(cell.start() for cell in names or cells), piece.end()])
        else:
            yield piece.span()


def _after_bullet(text: str, start: int, end: int) -> int:
    bullet = BULLET.match(text, start, end)
    return bullet.end() if bullet else start


def _head(text: str, start: int, end: int, table: Mapping[str, str]) -> re.Match[str] | None:
    """What ends a name before its description, if a name begins the range."""
    closing = CLOSING.search(text, start, min(end, start + MAX_HEAD))
    return closing if closing and _label(key(text[start : closing.start()]), table) is not None else None


def _denies(text: str, start: int, end: int, table: Mapping[str, str]) -> bool:
    """Whether a piece is a checklist line that says a clause is absent: "Insurance: no"."""
    head = _head(text, start, end, table)
    return head is not None and bool(DENIED.match(text, head.end(), end))


def _affirmed(text: str, table: Mapping[str, str]) -> Iterator[Named]:
    """Names of clauses that an answer says are there although it begins with "none"."""
    for match in AFFIRMED.finditer(text):
        stop = SENTENCE_END.search(text, match.end())
        words = list(WORD.finditer(text, match.end(), stop.start() if stop else len(text)))[:MAX_WORDS]
        for last in reversed(words):
            label = _label(key(text[match.end() : last.end()]), table)
            if label is not None:
                yield _named(text, match.end(), last.end(), label)
                break


def _names(text: str, start: int, end: int, table: Mapping[str, str]) -> Iterator[Named]:
    """Names in one piece: the piece itself, its head before a description, or the longest runs between its joints."""
    head = CLOSING.search(text, start, end)
    for stop in (end, head.start()) if head else (end,):
        label = _label(key(text[start:stop]), table)
        if label is not None:
            yield _named(text, start, stop, label)
            return
    joints = list(JOINT.finditer(text, start, end))
    ends = [*(joint.start() for joint in joints), end]
    starts = [start, *(joint.end() for joint in joints)]
    parts = [part for part in zip(starts, ends, strict=True) if key(text[slice(*part)])]
    at = 0
    while at < len(parts):
        first = parts[at][0]
        for stop in range(min(len(parts), at + MAX_JOINED), at, -1):
            label = _label(key(text[first : parts[stop - 1][1]]), table)
            if label is not None:
                yield _named(text, first, parts[stop - 1][1], label)
                break
        else:
            stop = at + 1
            while stop < len(parts) and "," not in text[parts[stop - 1][1] : parts[stop][0]]:
                stop += 1
            yield _named(text, first, parts[stop - 1][1])
        at = stop


def _label(name_key: str, table: Mapping[str, str]) -> str | None:
    """The type of a key, also with "the" before it or a word such as "clause" after it."""
    for each in (name_key, name_key.removeprefix("the ")):
        name, _, last = each.rpartition(" ")
        label = table.get(each) or (table.get(name) if name and last in ENDINGS else None)
        if label is not None:
            return label
    return None


def _named(text: str, start: int, end: int, label: str | None = None) -> Named:
    """A name without the white space, quotes and marks around it; without a label, one outside the vocabulary."""
    inner = INNER.search(text, start, end)
    start, end = inner.span() if inner else (start, end)
    shown = plain(text[start:end]).lower()[:MAX_SHOWN].strip()
    return Named(start, end, shown if label is None else label, label is not None)
