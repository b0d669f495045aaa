"""Parse a handbook of numbered guidelines, the ids and departments that a text names, and what a case expects.

A guideline is one line of the source that begins with its id ("Guideline 4.2 ...").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.errors import UserError, refuse_all
from harness.schema import Case
from harness.scoring.base import DocumentCache
from harness.scoring.text.normalize import plain
from harness.scoring.text.quantities import Figure, figures_in
from harness.scoring.text.refusals import declines, lower

LABEL = r"(?:guidelines?|sections?|rules?|paragraphs?|clauses?|polic(?:y|ies)|nos?\.|§+)"
NUMBER = re.compile(r"\d\d{0,2}(?:\.\d{1,3})*[a-z]?(?![\w%]|\.\d|,\d)")
JOINT = re.compile(
    r"\s*(?:[,;]\s*(?:and|or)?|/|\band\b|\bor\b|&|\bto\b|\bthrough\b|[-–])\s*(?:guidelines?\s+|§+\s*)?", re.I
)
UNIT = re.compile(r"\s*(?:%|per\s?cent|hour|day|week|month|year|mile|kilomet|km|minute|times|million|dollar)", re.I)
LABELLED = re.compile(
    r"[GgSsRrPpCcNn§](?<!\w.)(?i:(?<=g)uidelines?|(?<=s)ections?|(?<=r)ules?|(?<=p)aragraphs?|(?<=c)lauses?"
    r"|(?<=p)olic(?:y|ies)|(?<=n)os?\.|(?<=§)§*)\s*(?i:no\.?|number|#|:)?\s*$"
)
"""A LABEL; the pattern starts with a set of first letters, which makes searching fast."""
GUIDELINE = re.compile(r"(?<!\w)guideline (?:no\.? |number |#)?$", re.I)
LOOSE = re.compile(r"\b(?:under|per|see|by|in)\s+$", re.I)
OPENS = re.compile(r"(?:^|\n)[ \t*•-]*$")
OPENED = re.compile(r"\s*(?:[:;,.)–-]|$)|\s+[A-Z\n]")
CLOSES = re.compile(rf"(?:{JOINT.pattern}\d+\.\d+)*\s*[)\]]", re.I)
MARKED = re.compile(rf"\s*{LABEL}\s*", re.I)
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
NO_NAME = frozenset(
    re.findall(
        r"\w+",
        "the a an our your its this that each every any ask contact see per under by from with only and or both yes no "
        "neither if when then also call email which what another other same right relevant responsible appropriate own "
        "whole correct listed such their his her named one to in at for of is or consult tell inform guideline please "
        "answer head home handbook company first handling local different as not some all these those who whose so",
    )
)
"""Words that open a phrase before "department" and are not part of a name."""


class Register(NamedTuple):
    """Every id and department of a handbook, also those that the source does not show."""

    ids: frozenset[str]
    chapters: frozenset[str]
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
    ids = [_number(item) for item in _items(guidelines)]
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
    names |= {core: name for core, name in zip(cores, official, strict=True) if core and cores.count(core) == 1}
    return Register(frozenset(ids), frozenset(i.split(".")[0] for i in ids), names, pattern)


def ids_in(text: str, known: Register) -> Iterator[HandbookMention]:
    """Yield guideline ids in order of appearance."""
    for start, end, is_loose in id_ranges(text):
        registered = text[start:end] in known.ids
        if registered or not is_loose:
            yield HandbookMention(start, end, "guideline", text[start:end], registered)


def id_ranges(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield ranges of ids, and whether each counts only if it is registered."""
    before, loose = -1, False
    for match in NUMBER.finditer(text):
        start, end = match.span()
        if start and (text[start - 1].isalnum() or text[start - 1] in "_.$€£"):
            continue
        dotted = "." in match[0]
        if before >= 0 and dotted and JOINT.fullmatch(text, before, start) and not UNIT.match(text, end):
            pass
        elif (only_registered := _labelled(text, start, end, dotted)) is not None:
            loose = only_registered
        else:
            continue
        before = end
        yield start, end, loose


def _labelled(text: str, start: int, end: int, dotted: bool) -> bool | None:
    """Whether a number is an id only if it is registered, by its surroundings; None if it is no id."""
    lead = text[max(0, start - LOOK_BACK) : start]
    if not dotted:
        return False if GUIDELINE.search(lead) else None
    if LABELLED.search(lead):
        return False
    if lead.rstrip()[-1:] in ("(", "[") and CLOSES.match(text, end):
        return False
    if (start <= LOOK_BACK or "\n" in lead) and OPENS.search(lead) and OPENED.match(text, end):
        return False
    return True if LOOSE.search(lead) and not UNIT.match(text, end) else None


def departments_in(text: str, known: Register, owner: str = "") -> Iterator[HandbookMention]:
    """Yield departments, registered or only built like one; a registered name inside a longer one is not registered.

    Words of `owner`, such as the company's name, may precede a name and are not part of it.
    """
    skipped = _skipped(owner)
    low = lower(text)
    taken = bytearray(len(text))
    for start, end in _built_like_one(text, low):
        first = _opening(text[start:end], start, skipped, known)
        key = _key(text[first:end])
        if first < end and HEADS.sub("", f" {key}").strip():
            taken[first:end] = b"\1" * (end - first)
            name = known.names.get(key) or known.names.get(_core(key))
            yield HandbookMention(first, end, "department", name or key, name is not None)
    for match in known.pattern.finditer(low) if known.pattern else ():
        inner = match.start() > 0 and low[match.start() - 1].isalnum()
        if not inner and not any(taken[match.start() : match.end()]):
            yield HandbookMention(*match.span(), "department", known.names[_key(match[0])], True)


@lru_cache(maxsize=512)
def _skipped(owner: str) -> frozenset[str]:
    return NO_NAME.union(re.findall(r"\w+", owner.casefold()))


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
        if match[0] in ALONE and not HEADS.match(low, end):
            in_context = BY.search(text[max(0, start - LOOK_BACK) : start]) and STOPS.match(text, end)
            if in_context or match[0] in ALWAYS:
                yield start, end


def _opening(phrase: str, at: int, skipped: frozenset[str], known: Register) -> int:
    """Start of the name in a phrase such as "Ask the Travel Desk"; the phrase's end if no name is left."""
    end = at + len(phrase)
    for word in phrase.split(" "):
        if word.lower() not in skipped or (word.lower() != "the" and _key(phrase) in known.names):
            break
        phrase = phrase[len(word) + 1 :]
        at += len(word) + 1
    return min(at, end)


def _items(listed: str) -> list[str]:
    return [" ".join(item.split()) for item in listed.split(";") if item.strip()]


def _number(item: str) -> str:
    return MARKED.sub("", item)


def _key(name: str) -> str:
    return " ".join(name.lower().replace("&", " and ").split()).removeprefix("the ")


def _word(word: str) -> str:
    return "(?:and|&)" if word.casefold() in ("and", "&") else re.escape(word)


def _core(key: str) -> str:
    """A department's name without the general word: "travel" of "travel desk", "finance" of "department of finance"."""
    words = [w for w in key.split() if not re.fullmatch(HEAD, w, re.I)]
    return " ".join(words).removeprefix("of ").removeprefix("for ")


LINE = re.compile(r"^(?:Guideline\s+|§\s*)?(?P<id>\d{1,3}(?:\.\d{1,3})+[a-z]?)(?![\w%])[^\n]*", re.I | re.M)


class Guideline(NamedTuple):
    """One guideline in the source."""

    start: int
    end: int
    text: str
    figures: dict[str, tuple[int, int]]
    """Range in the source by unit and value."""


class ExpectedAnswer(NamedTuple):
    """What a right answer states; empty if the handbook has no answer."""

    ids: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    """Unit and value."""
    words: tuple[str, ...] = ()
    """Other values, in lower case."""

    @property
    def answerable(self) -> bool:
        return any(self)


class HandbookQuestion(NamedTuple):
    """What a case asks and expects."""

    register: Register
    expected: ExpectedAnswer
    mentioned: frozenset[str]
    """Ids, departments and figures that the question names."""


def read_question(case: Case) -> HandbookQuestion:
    """Parse a case. Raises UserError if it has no register, or expects an id that the register lacks."""
    missing = [name for name in ("guidelines", "departments") if name not in case.input]
    if missing:
        raise UserError(
            f"case '{case.id}': input lacks '{missing[0]}'. List the whole handbook's {missing[0]}, separated by ';'"
        )
    inputs = case.input
    expected = tuple(case.expected)
    return _parsed(inputs.get("question", ""), expected, inputs["guidelines"], inputs["departments"], case.id)


@lru_cache(maxsize=1024)
def _parsed(
    question: str, expected: tuple[str, ...], guidelines: str, departments: str, case_id: str
) -> HandbookQuestion:
    known = register(guidelines, departments)
    question = plain(question)
    named = [m.label for m in (*ids_in(question, known), *departments_in(question, known))]
    return HandbookQuestion(
        known, _expected(expected, known, case_id), frozenset([*named, *map(value_of, figures_in(question))])
    )


def _expected(expected: tuple[str, ...], known: Register, case_id: str) -> ExpectedAnswer:
    """The expected parts by kind."""
    if all(declines(item) for item in expected):
        return ExpectedAnswer()
    ids, departments, figures, words = [], [], [], []
    for item in expected:
        number = MARKED.sub("", item)
        if number in known.ids:
            ids.append(number)
        elif number != item:
            raise UserError(f"case '{case_id}': expected {item!r} is not in the handbook's list of guidelines")
        elif item in known.names.values():
            departments.append(item)
        elif in_item := figures_in(item):
            figures.append(value_of(in_item[0]))
        else:
            words.append(plain(item).casefold())
    return ExpectedAnswer(tuple(ids), tuple(departments), tuple(figures), tuple(words))


def value_of(figure: Figure) -> str:
    """Return unit and value of a figure as one text; a bare count has the unit ''."""
    return f"{figure.unit.replace(' ', '-')} {figure.value}"


@DocumentCache
def lines(document: str) -> dict[str, Guideline]:
    """Parse the guidelines of a source, by number."""
    guidelines: dict[str, Guideline] = {}
    for match in LINE.finditer(document):
        at = match.start()
        figures = {value_of(f): (at + f.start, at + f.end) for f in values_in(match[0], list(id_ranges(match[0])))}
        guidelines[match["id"]] = Guideline(at, match.end(), match[0], figures)
    return guidelines


def values_in(text: str, ids: Sequence[tuple[int, int, bool]]) -> list[Figure]:
    """List the figures of a text that are not ids."""
    return [f for f in figures_in(text) if not any(i[0] <= f.start < i[1] for i in ids)]
