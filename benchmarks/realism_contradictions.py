"""Contradictions inside a document, by rule: roles, amounts and dates, defined terms, cross-references.

Each rule reads a few plain forms, so it misses others; and real contracts set it off, because a role may change hands
and a price may have steps. The rate on real text says how often.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scoring.text.normalize import normalise
from harness.scoring.text.quantities import figures_in

ROLE, FIGURE, TERM, REFERENCE = "role", "amount or date", "defined term", "cross-reference"
KINDS = (ROLE, FIGURE, TERM, REFERENCE)

ROLE_NAMES = (
    "Seller Buyer Purchaser Landlord Tenant Lessor Lessee Grantor Grantee Lender Borrower Mortgagor Mortgagee "
    "Guarantor Trustee Broker Contractor Owner Licensor Licensee Franchisor Franchisee"
)
ROLES = frozenset(ROLE_NAMES.split())
ONE_ROLE = rf"(?P<role>{'|'.join(sorted(ROLES))})\b"
CAPITAL = r"[A-Z][\w.&'’-]*[\w.]"
NAME = rf"(?P<name>{CAPITAL}(?:(?<!\w\w\.),?[ ](?:of[ ]|and[ ]|&[ ]|the[ ])?{CAPITAL}){{1,6}})"
DESCRIPTION = r"(?:,[ ](?:an?|of|who|whose|residing|having|with)[ ][^()\"“”;]{3,120})?"
ROLE_FORMS = [
    re.compile(rf"{NAME}{DESCRIPTION},?[ ]\([^()\"“”]{{0,40}}[\"“]?{ONE_ROLE}[\"”]?\)"),
    re.compile(rf"\b{ONE_ROLE}(?:[ ]is|:)[ ]+{NAME}"),
    re.compile(rf"{NAME},[ ]as[ ](?:the[ ])?{ONE_ROLE}(?=[,;.)])"),
]
FORMS = re.compile(
    r"\b(?:the|inc|corp|corporation|company|co|ltd|limited|partnership|n\.?a|l\.?p|l\.?\s?l\.?\s?[cp])\b\.?|[,.]"
)
"""Parts of a name that another mention may leave out."""

TERMS = (
    "(?:purchase |sales? |contract )?price|earnest money|security deposit|(?:base |monthly |annual |minimum )?rent|"
    "principal (?:amount|sum)|loan amount|closing date|effective date|commencement date|expiration date|"
    "termination date|maturity date|closing"
)
LINK = re.compile(
    rf"\b(?P<term>{TERMS})(?:\s+of\s+the\s+[a-z]+)?(?:\s+(?:is|are|was|of|for|on|be|shall|will|at|to|fixed|set|means|equals|hereunder|the|"
    r"in\s+the\s+(?:amount|sum)\s+of)\b|\s*[:=,]|\s*\([^()]{1,30}\)){1,5}\s*$",
    re.I,
)
"""A named amount or date right before its value."""
LOOK_BACK = 90
VALUES = ("money", "date")
OTHER_UNIT = re.compile(r"^[\d$]|\bcents?\b|\d\s*[a-z]+\s*\)", re.I)
"""Brackets that give an amount in another unit, such as `fifteen cents ($0.15)`."""

QUOTED = r"[\"“](?P<term>[A-Z][\w&'’/-]*(?:[ ][\w&'’/-]+){0,5}),?[\"”]"
DEFINITIONS = [
    re.compile(rf"\([^()\"“”]{{0,60}}{QUOTED}[^()\"“”]{{0,30}}\)"),
    re.compile(rf"{QUOTED}[ ]+(?:shall[ ]+)?(?:mean|means|has[ ]the[ ]meaning|have[ ]the[ ]meaning)\b"),
]

NUMBER = r"(?:\d+(?:\.\d+)*|[IVX]+)(?![\w-]|\.\d)"
WORDS = r"(?:Sections?|SECTIONS?|Articles?|ARTICLES?|Paragraphs?|Clauses?|Guidelines?|§)"
HEADING = re.compile(
    rf"(?:^|\n|[ ]{{3,}}|[.;:)][ ]+)[ \t]*(?P<word>{WORDS})?[ ]*(?P<number>{NUMBER})[.):]?(?=\s|[(—-])"
)
CITED = re.compile(rf"(?P<before>[^\n]{{0,30}}?)\b(?:{WORDS})[ ]+(?P<number>{NUMBER})(?P<after>[^\n]{{0,40}})")
OUTSIDE_BEFORE = re.compile(r"(?:O\.?\s?C\.?\s?G\.?\s?A\.?|Code|C\.?F\.?R\.?|Act|Rules?|U\.?\s?S\.?\s?C\.?)[^\w]*$")
OUTSIDE_AFTER = re.compile(r"^(?:\([\w]+\))*,?\s+(?:of|to|under|in)\s+(?!this|these)|^(?:\([\w]+\))*\s+(?:there|et)")
MOST_SECTIONS = 100
"""A plain section number above this belongs to a statute."""
NUMBERED = 3
"""Section numbers that a document must have before a reference to another one counts."""
ROMAN = {"I": 1, "V": 5, "X": 10}


class Contradiction(NamedTuple):
    """What a document contradicts: the kind, what it is about, and the values it has, or none where one is missing."""

    kind: str
    subject: str
    values: tuple[str, ...] = ()


def contradictions(text: str) -> list[Contradiction]:
    """Return the contradictions of a document, each subject once."""
    flat = re.sub(r"[ \t]*\n(?![ \t]*\n)[ \t]*", " ", text)
    found = [*_roles(flat), *_figures(normalise(flat).text), *_terms(flat), *_references(text)]
    return list(dict.fromkeys(found))


def _roles(text: str) -> Iterator[Contradiction]:
    """Roles that two parties have. A name that contains the other one is the same party."""
    names: dict[str, dict[str, frozenset[str]]] = {}
    for form in ROLE_FORMS:
        for match in form.finditer(text):
            tokens = frozenset(FORMS.sub(" ", match["name"].lower()).split())
            if tokens and not any(word.strip(",.") in ROLES for word in match["name"].split()):
                names.setdefault(match["role"], {})[match["name"]] = tokens
    for role, parties in names.items():
        first = next(iter(parties.values()))
        if any(not (first <= tokens or tokens <= first) for tokens in parties.values()):
            yield Contradiction(ROLE, role, tuple(parties))


def _figures(text: str) -> Iterator[Contradiction]:
    """Named amounts and dates with two values, and amounts whose words and digits differ."""
    values: dict[str, dict[object, str]] = {}
    for figure in figures_in(text):
        written = text[figure.start : figure.end]
        if figure.restated is not None and not OTHER_UNIT.search(written):
            yield Contradiction(FIGURE, written)
        link = LINK.search(text, max(0, figure.start - LOOK_BACK), figure.start)
        if link and figure.kind in VALUES:
            term = " ".join(link["term"].lower().split())
            values.setdefault(f"{term}, {figure.kind}{figure.per and f' a {figure.per}'}", {})[figure.value] = written
    for term, different in values.items():
        if len(different) > 1:
            yield Contradiction(FIGURE, term, tuple(different.values()))


def _terms(text: str) -> Iterator[Contradiction]:
    """Defined terms that stand nowhere but in their definition."""
    for form in DEFINITIONS:
        for match in form.finditer(text):
            uses = re.findall(rf"(?<!\w){re.escape(match['term']).rstrip('s')}(?:e?s)?(?!\w)", text, re.I)
            if len(uses) < 2:
                yield Contradiction(TERM, match["term"])


def _references(text: str) -> Iterator[Contradiction]:
    """References to sections of this document that it does not have."""
    cited = [match for match in CITED.finditer(text) if not _is_outside(match)]
    starts = {match.start("number") for match in cited}
    headings = {
        _label(match["number"])
        for match in HEADING.finditer(text)
        if match.start("number") not in starts or match["word"] is not None
    }
    if len(headings) < NUMBERED:
        return
    known = headings | {label[:depth] for label in headings for depth in range(1, len(label))}
    deepest = max(map(len, headings))
    for match in cited:
        label = _label(match["number"])
        if label[:deepest] not in known:
            yield Contradiction(REFERENCE, match["number"])


def _is_outside(match: re.Match[str]) -> bool:
    """Whether a reference is to a statute or another document, or cannot be told from one."""
    large = match["number"].isdigit() and int(match["number"]) >= MOST_SECTIONS
    return bool(large or OUTSIDE_BEFORE.search(match["before"]) or OUTSIDE_AFTER.search(match["after"]))


def _label(number: str) -> tuple[int, ...]:
    if number[0].isdigit():
        return tuple(int(part) for part in number.split("."))
    digits = [ROMAN[letter] for letter in number]
    return (sum(-a if a < b else a for a, b in zip(digits, [*digits[1:], 0], strict=True)),)
