"""Read a handbook's register of ids and departments, and find where a text names one, registered or not.

The register shows how a house writes its ids: "Guideline 4.2", "HR-4.12", "Article 7(b)", "Policy 300.2",
"Section 5-04", "Rule 14", "II.4". Ids with a code or a Roman numeral are found anywhere, registered numbers with more
than digits wherever no unit follows, and other numbers only where the words around them say that they are ids.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from harness.errors import refuse_all
from harness.scoring.base import RangeSet
from harness.scoring.summaries import FUNCTION as FUNCTION_WORDS
from harness.scoring.text.guideline_ids import DASH
from harness.scoring.text.phrases import word_list
from harness.scoring.text.refusals import lower

LABEL = (
    r"(?:guidelines?|sections?|rules?|articles?|paragraphs?|clauses?|polic(?:y|ies)"
    r"|(?:nos?|arts?|secs?|paras?|pol)\.|§+|#)"
)
NUMBER = r"\d\d{0,2}(?:\.(?:\d{1,3}|[A-Z](?!\w)))*"
AFTER_NUMBER = r"(?![\w%]|\.\d|,\d)"
CODE = re.compile(rf"(?P<code>[A-Za-z]{{1,12}}){DASH}?\s?(?=\d)")
ROMAN = re.compile(r"[IVXL]{1,5}\.\d")
JOINT = re.compile(
    r"\s*(?:[,;]\s*(?:and|or)?|/|\band\b|\bor\b|&|\bto\b|\bthrough\b|[-–])\s*(?:guidelines?\s+|§+\s*)?", re.I
)
UNIT = re.compile(
    r"\s*(?:(?:working|business|calendar|consecutive|paid|unpaid|full|further|more|additional)\s+){0,2}"
    r"(?:%|per\s?cent|hour|day|week|month|year|mile|kilomet|km|minute|times|million|dollar|cents?\b|points?\b)",
    re.I,
)
LABELLED = re.compile(rf"(?<!\w){LABEL}[\"'*_]*\s*(?:no\.?|number|#|:)?[\s\"'*_]*$", re.I)
GUIDELINE = re.compile(r"(?<!\w)guideline (?:no\.? |number |#)?$", re.I)
CLOSES = re.compile(rf"(?:{JOINT.pattern}\d+\.\d+)*\s*[)\]]", re.I)
MARKED = re.compile(rf"\s*(?i:{LABEL})\s*(?=\d|[IVXL]+\.|[A-Z]{{1,4}}[-\s]?\d)")
LOOK_BACK = 30
"""Characters before a number in which its label is searched for."""

HEAD = r"(?:department|dept|team|desk|office|unit|division|committee|bureau|council|panel)"
HEADS = re.compile(rf" {HEAD}\b")
WORD = r"[A-Z][\w'’&-]*"
FUNCTION = (
    r"(?:human resources|hr|it|legal|finance|payroll|compliance|procurement|accounting|accounts|facilities|security"
    r"|marketing|purchasing|audit|personnel|training|benefits|travel|safety|property|operations|sales|tax)"
)
CAPITALS = re.compile(rf"[A-Z](?<!\w.)[\w'’&-]*(?: (?:(?:and|&|of) )?{WORD}){{0,4}} $")
FUNCTIONS = re.compile(rf"(?<!\w){FUNCTION}(?: (?:and|&) {FUNCTION})? $", re.I)
ANY_WORD = re.compile(r"(?<![\w-])[a-z]+(?: (?:and|&) [a-z]+)? $")
OF = re.compile(rf" (?:of|for) {WORD}(?: (?:and|&) {WORD})?")
CAPITALISED = re.compile(r"[A-Z][A-Za-z]+(?: Resources)?")
ID_NUMBER = re.compile(rf"{DASH}?\s?\d")
ALWAYS = frozenset(["HR", "Human Resources"])
ALONE = ALWAYS.union(re.findall(r"\w+", FUNCTION.title()), ["IT"]) - {"Human", "Resources", "It"}
"""Functions that name a department without a head: always, or if the words around it say so."""
BY = re.compile(r"\b(?:by|from|to|with|[Aa]sk|[Cc]ontact|through)(?: the)? $")
STOPS = re.compile(r"[.,;:)]|$| (?:and|or|for|who|which|at|in|on|within|before|under|approves|handles|decides)\b| \(")
NO_OFFICE = re.compile(
    r" (?:staff|hours?|space|work|supplies|leads?|leaders?|members?|chairs?|buildings?|price|costs?)\b"
)
"""After "office" and the like in lower case: "office staff" names no department."""
NAME_LENGTH = 70
"""Characters before a department's general word in which its name is searched for."""
NO_NAME = FUNCTION_WORDS | word_list(
    """
    every ask contact see per yes neither call email another same right relevant responsible appropriate whole correct
    listed named one consult tell inform guideline please answer head home handbook company first handling local
    different whose
    """
)
"""Words that open a phrase before "department" and are not part of a name."""


@dataclass(frozen=True, eq=False)
class Register:
    """Every id and department of a handbook, also those that the source does not show."""

    ids: frozenset[str]
    """As `canonical` writes them."""
    written: frozenset[str]
    """As the handbook writes them."""
    chapters: frozenset[str]
    coded: re.Pattern[str] | None
    """Finds ids with a code or a Roman numeral."""
    number: re.Pattern[str]
    """Finds ids that are numbers, and other numbers."""
    has_plain: bool
    """Whether some ids are numbers without a dot, hyphen or letter, such as "Rule 14"."""
    names: dict[str, str]
    """Official name by each of its keys."""
    pattern: re.Pattern[str] | None
    """Finds official names in lower-case text."""


class HandbookMention(NamedTuple):
    """An id, department or figure that a text names, with offsets into the text."""

    start: int
    end: int
    kind: str
    """guideline, department, or the kind of a figure"""
    label: str
    """The id's number; the department's official name, or its key if it has none; the figure's unit and value."""
    known: bool
    """Whether it is registered."""


@lru_cache(maxsize=512)
def register(guidelines: str, departments: str) -> Register:
    """Read the register's two lists, separated by ";". Raises UserError for duplicates, and names with equal keys."""
    items = _items(guidelines)
    ids = [canonical(item) for item in items]
    names: dict[str, str] = {}
    problems = [f"guideline {i} is listed {ids.count(i)} times" for i in dict.fromkeys(ids) if ids.count(i) > 1]
    official = _items(departments)
    for name in official:
        if names.setdefault(_key(name), name) != name or official.count(name) > 1:
            problems.append(f"department {name!r} is the same as {names[_key(name)]!r}")
    refuse_all(list(dict.fromkeys(problems)), "handbook register")
    cores = [_core(key) for key in names]
    written = "|".join(r"\s+".join(_word(w) for w in n.split()) for n in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"(?:{written})(?!\w)") if official else None
    initials = ["".join(word[0] for word in core.split() if word not in FUNCTION_WORDS) for core in cores]
    for short in (cores, initials):
        alone = zip(short, official, strict=True)
        names = {key: name for key, name in alone if len(key) > 1 and short.count(key) == 1} | names
    return Register(
        ids=frozenset(ids),
        written=frozenset(items),
        chapters=frozenset(match[0] for match in map(CHAPTER.match, ids) if match),
        coded=_coded(ids),
        number=_number(ids, items),
        has_plain=any(i.isdecimal() for i in ids),
        names=names,
        pattern=pattern,
    )


CHAPTER = re.compile(r"(?:[A-Z]+-)?(?:\d+|[IVXL]+)")


def canonical(written: str) -> str:
    """Return an id without its label, spaces and brackets: "Article 7 (b)" is "7b", "EMP 2.07" is "EMP-2.07"."""
    plain = re.sub(r"[\s()]+", "", re.sub(DASH, "-", MARKED.sub("", written, count=1)))
    code = CODE.match(plain)
    return f"{code['code'].upper()}-{plain[code.end() :].lower()}" if code else plain


def _coded(ids: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern of ids with the codes of a register, of Roman numerals, and of ids of no known form, or None."""
    codes = {match["code"] for match in map(CODE.match, ids) if match}
    forms = [rf"(?i:{re.escape(code)})\s?{DASH}?\s?{NUMBER}(?:{DASH}\d{{1,3}})?[a-z]?" for code in sorted(codes)]
    if any(map(ROMAN.match, ids)):
        forms.append(r"[IVXL]{1,5}\.\d{1,3}[a-z]?")
    forms += [re.escape(i) for i in ids if not CODE.match(i) and not ROMAN.match(i) and not i[:1].isdecimal()]
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(forms)}){AFTER_NUMBER}") if forms else None


def _number(ids: Sequence[str], items: Sequence[str]) -> re.Pattern[str]:
    """A pattern of numbers in the forms of a register: with hyphens or letters in brackets only if it has them."""
    hyphen = rf"(?:{DASH}\d{{1,3}})?" if any(re.match(r"\d+-\d", i) for i in ids) else ""
    letter = r"(?:(?:\s?\([a-z0-9]{1,4}\)){1,3}|[a-z])?" if any("(" in item for item in items) else "[a-z]?"
    return re.compile(rf"{NUMBER}{hyphen}{letter}{AFTER_NUMBER}")


def ids_in(text: str, known: Register) -> Iterator[HandbookMention]:
    """Yield guideline ids in order of appearance."""
    for start, end in id_ranges(text, known):
        number = canonical(text[start:end])
        yield HandbookMention(start, end, "guideline", number, number in known.ids)


def id_ranges(text: str, known: Register) -> list[tuple[int, int]]:
    """List the ranges of ids in order."""
    coded = [match.span() for match in known.coded.finditer(text)] if known.coded else []
    taken = RangeSet(coded)
    return sorted([*coded, *(each for each in _numbers(text, known) if taken.is_free(*each))])


def _numbers(text: str, known: Register) -> Iterator[tuple[int, int]]:
    """Ranges of numbers that are ids: labelled, the next of a labelled list, or registered and without a unit."""
    before, labelled = -1, False
    for match in known.number.finditer(text):
        start, end = match.span()
        if start and (text[start - 1].isalnum() or text[start - 1] in "_.$€£"):
            continue
        structured, has_unit = not match[0].isdecimal(), UNIT.match(text, end)
        continues = before >= 0 and (structured or known.has_plain) and JOINT.fullmatch(text, before, start)
        if not continues or has_unit:
            labelled = _is_labelled(text, start, end, known.has_plain)
        if labelled or (structured and not has_unit and canonical(match[0]) in known.ids):
            before = end
            yield start, end


def _is_labelled(text: str, start: int, end: int, has_plain: bool) -> bool:
    """Whether a number follows a word for guidelines or, if not of digits alone, fills brackets."""
    lead = text[max(0, start - LOOK_BACK) : start]
    if text[start:end].isdecimal():
        return bool((LABELLED if has_plain else GUIDELINE).search(lead)) and not UNIT.match(text, end)
    return bool(LABELLED.search(lead) or (lead.rstrip()[-1:] in ("(", "[") and CLOSES.match(text, end)))


def departments_in(text: str, known: Register, owner: str = "") -> Iterator[HandbookMention]:
    """Yield departments, registered or only built like one; a registered name inside a longer one is not registered.

    Words of `owner`, such as the company's name, may precede a name and are not part of it.
    """
    skipped = NO_NAME.union(re.findall(r"\w+", owner.casefold()))
    low = lower(text)
    taken = bytearray(len(text))
    official = [match.span() for match in known.pattern.finditer(low)] if known.pattern else []
    for start, end in _built_like_one(text, low):
        at = bisect_right(official, (start, len(text))) - 1
        if at >= 0 and end <= official[at][1] and official[at] != (start, end):
            continue
        first = _opening(text[start:end], start, skipped, known)
        key = _key(text[first:end])
        if first < end and HEADS.sub("", f" {key}").strip():
            taken[first:end] = b"\1" * (end - first)
            name = known.names.get(key) or known.names.get(_core(key))
            yield HandbookMention(first, end, "department", name or key, name is not None)
    for start, end in official:
        inner = start > 0 and low[start - 1].isalnum()
        if not inner and not any(taken[start:end]):
            yield HandbookMention(start, end, "department", known.names[_key(low[start:end])], True)


def _built_like_one(text: str, low: str) -> Iterator[tuple[int, int]]:
    """Ranges of phrases built like a department's name, with words that may precede it."""
    for head in HEADS.finditer(f" {low}"):
        start, end = head.start(), head.end() - 1
        if text[start].islower() and NO_OFFICE.match(low, end):
            continue
        before = text[max(0, start - NAME_LENGTH) : start]
        name = CAPITALS.search(before) or FUNCTIONS.search(before)
        if head[0] == " department":
            after = OF.match(text, end)
            if after and (not name or name[0].strip().lower() in NO_NAME):
                yield start, after.end()
                continue
            name = name or ANY_WORD.search(before)
        if name:
            yield start - len(name[0]), end
    for match in CAPITALISED.finditer(text):
        start, end = match.span()
        if match[0] in ALONE and not HEADS.match(low, end) and not ID_NUMBER.match(text, end):
            in_context = BY.search(text[max(0, start - LOOK_BACK) : start]) and STOPS.match(text, end)
            if in_context or match[0] in ALWAYS:
                yield start, end


def _opening(phrase: str, at: int, skipped: frozenset[str], known: Register) -> int:
    """Start of the name in a phrase such as "Ask the Travel Desk"; the phrase's end if no name is left."""
    end = at + len(phrase)
    for word in phrase.split(" "):
        if word.lower() not in skipped or (word.lower() != "the" and _key(phrase) in known.names):
            return at
        phrase = phrase[len(word) + 1 :]
        at += len(word) + 1
    return end


def _items(listed: str) -> list[str]:
    return [" ".join(item.split()) for item in listed.split(";") if item.strip()]


def _key(name: str) -> str:
    return " ".join(name.lower().replace("&", " and ").split()).removeprefix("the ")


def _word(word: str) -> str:
    return "(?:and|&)" if word.casefold() in ("and", "&") else re.escape(word)


def _core(key: str) -> str:
    """A department's name without the general word: "travel" of "travel desk", "finance" of "department of finance"."""
    words = [w for w in key.split() if not re.fullmatch(HEAD, w, re.I)]
    return " ".join(words).removeprefix("of ").removeprefix("for ")
