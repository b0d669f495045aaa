"""Find parties of a contract that an answer gives the role of the other side: "Lender: Boyd H. Meeks".

The source binds a name to a role where it defines it (`Boyd H. Meeks ... ("Borrower")`, `hereinafter called SELLER`) or
writes it beside it (`Buyer: Boyd N. Dameron`, `the landlord, Tobias F. Calderon`). A finding needs such a place, and
none that binds the name to the side that the answer names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.schema import Case, Completion, Span
from harness.scoring.base import make_span, whole_length
from harness.scoring.grounding.joins import VERDICT
from harness.scoring.grounding.passages import SIDES, Key, is_no_role
from harness.scoring.text.layout import Range

ROLE = rf"(?P<role>(?i:{'|'.join(SIDES)}))\b"
WORD = r"[A-Z][\w.&'\u2019-]{0,30}"
PARTY = rf"(?P<party>{WORD}(?:,? (?:(?:and|of|&) )?{WORD}){{1,7}})"
"""Two to eight words of a name."""
OPEN = r"[*_\s\"\u201c]*"
STATED = [
    re.compile(rf"\b{ROLE}[*_\"\u201d]*\s*[:(|=\u2013\u2014]{OPEN}{PARTY}"),
    re.compile(rf"\b[Tt]he {ROLE}, {PARTY}[,.;]"),
    re.compile(rf"\b{PARTY}[*_]*\s*[(|]{OPEN}(?:[Tt]he {OPEN})?{ROLE}"),
    re.compile(rf"\b{PARTY}[*_]*,? (?:(?:is|as|was|being) )(?:the )?{ROLE}"),
    re.compile(rf"\b{PARTY}[*_]*, the {ROLE}"),
]
"""How an answer gives a party its role; a role before a name goes before one behind it: "Seller: A | Buyer: B"."""
DEFINED = [
    re.compile(rf"[^()\"\u201c]{{0,200}}?\([^()\"\u201c]{{0,40}}[\"\u201c]{ROLE}"),
    re.compile(rf"[^;.]{{0,120}}?\bhereinafter\b[^;.]{{0,80}}?\b{ROLE}"),
]
BESIDE = re.compile(rf"\b{ROLE}(?:[:,]| is) *$")
REACH = 24
"""Characters before a name in which its role may stand."""


def judge(case: Case, completion: Completion) -> list[Span]:
    """Return the parties that an answer puts on the other side of the contract."""
    text, whole = completion.text, whole_length(completion)
    spans, bindings = dict[int, Span](), dict[str, dict[Key, Range]]()
    first = {match.start("party"): match for pattern in STATED[::-1] for match in pattern.finditer(text)}
    for match in first.values():
        role, (start, end) = match["role"].lower(), match.span("party")
        at = match.start("role")
        near = max(0, at - REACH, text.rfind("\n", max(0, at - REACH), at) + 1)
        if end > whole or is_no_role(text[near:at], at - near, match["role"]):
            continue
        pair, side = SIDES[role]
        if match["party"] not in bindings:
            bindings[match["party"]] = dict(_bound(case.document, match["party"]))
        bound = bindings[match["party"]]
        if (pair, 1 - int(side)) in bound and (pair, side) not in bound:
            reason = f"wrong party: the source has it on the other side, not as {role}"
            place = bound[pair, 1 - int(side)]
            spans.setdefault(start, make_span(text, start, end, "party", VERDICT, reason, place, case.cluster))
    return list(spans.values())


def _bound(document: str, party: str) -> Iterator[tuple[Key, Range]]:
    """Yield the sides that the source binds a name to, each with the place of the name."""
    words = [re.escape(word) for word in party.replace(",", " ").split()]
    for match in re.finditer(r",?\s+".join(words), document, re.I):
        after = [pattern.match(document, match.end()) for pattern in DEFINED]
        before = BESIDE.search(document, max(0, match.start() - REACH), match.start())
        for found in (*after, before):
            if found:
                yield SIDES[found["role"].lower()], match.span()
