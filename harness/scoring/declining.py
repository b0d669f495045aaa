"""Tells an answer that declines ("the handbook does not say") from one that answers, clause by clause, by its words.

`refusals` reads the opening of an answer; this reads all of it, and asks for words about the source: "alcohol is not
covered" answers, "not covered by the handbook" declines. Knows not whether declining was right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scoring.normal import plain
from harness.scoring.refusals import refuses

SOURCE = (
    r"(?:handbook|excerpt|extract|document|text|passage|pages?|manual|register|guidelines|(?:provided |given )?context"
    r"|(?:staff |company )?polic(?:y|ies)|information|guidelines? (?:shown|given|above|provided)|it)"
)
SAYS = (
    r"(?:say|state|mention|specify|answer|tell|address|explain|indicate|clarify|discuss|reveal|speak|settle|contain"
    r"|name|list|define|identify|cover|include|set (?:out|a\b|any)|(?:give|provide|hold|offer|have|make)"
    r" (?:an?|any|enough|the|that|this|details?|information|figures?|guidance|mention|such)\b)"
)
NOT = r"(?:(?:do|does|did)(?: not|n't)|never|nowhere|cannot|can't|fails? to)"
DECLINE = re.compile(
    rf"\b{SOURCE}(?: \w+){{0,2}} {NOT}(?: (?:directly|explicitly|specifically|clearly|seem to|appear to))? {SAYS}"
    rf"|\bguidelines? \d[\d.]* {NOT} (?:say|state|mention|specify|answer|tell|address|indicate)"
    rf"|\b{SOURCE} (?:is|are|stays?|remains?) silent\b|\b{SOURCE} (?:says?|tells?|states?|gives?) (?:us )?nothing\b"
    rf"|\b{SOURCE} (?:has|have|lists?|contains?|holds?|names?|shows?|knows?|gives?|includes?|mentions?) no\b"
    rf"|\b{SOURCE} leaves? (?:this|that|it|the question) open\b|\bnothing (?:in|on|about|here|is (?:said|stated))\b"
    r"|\bthere(?:'s| is| are) no (?:such |mention|information|answer|guideline|guidance|department|provision"
    r"|\w+ (?:desk|office|team|unit|panel|department)\b)"
    r"|\bno (?:such )?(?:guideline|information|answer|mention|guidance)s?\b"
    r"(?! (?:is|are) (?:needed|required|broken))|\b(?:none|neither|not one) of (?:the|these) guidelines?\b"
    r"|\bneither guideline\b|\b(?:do|does)(?: not|n't) exist\b"
    r"|(?:\bnot|n't) (?:a|an|one of the) (?:\w+ ){0,2}(?:department|guideline)s?\b"
    rf"|(?:\bnot|n't|\bnever|\bnowhere) (?:\w+ly )?(?:stated|mentioned|specified|answered|addressed|answerable|said)\b"
    rf"|(?:\bnot|n't|\bnever|\bnowhere)(?: \w+ly)?(?: (?:given|covered|listed|named|found|included|contained|defined"
    rf"|set out|available|part of|to be found))?(?: anywhere)?(?: (?:in|by|from|of))? (?:the|this|these|our) {SOURCE}\b"
    rf"|^(?:\w+ )?{NOT} (?:say|state|mention|specify|answer|tell)\b"
    r"|\b(?:cannot|can ?not|can't|could not|couldn't|impossible to|not possible to|unable to|no way to) (?:be )?"
    r"(?:answer|determin|tell\b|told\b|say\b|said\b|know\b|inferred|work(?:ed)? out)"
    r"|\b(?:i|we) (?:do not|don't) know\b|\bunanswerable\b|\bunknown\b|\bnot known\b|\bwithout an answer\b"
    rf"|\b(?:outside|beyond) (?:the scope of )?(?:the|this) {SOURCE}\b|\bpremise\b.{{0,20}}\b(?:wrong|false|mistaken)\b"
    r"|\bn/a\b",
    re.I,
)
NEGATIVE = re.compile(
    r"\bn[eo]|n't|\bn/a|cannot|silent|unknown|un(?:able|answ)|outside|beyond|impossible|fail|premise|open", re.I
)
"""What every declining clause has; spares most clauses the long pattern."""
ONLY = re.compile(
    r"\b(?:covers?|deals? with|concerns?|appl(?:y|ies)(?: to)?|address(?:es)?|speaks? of|is about|limited to) only\b"
    r"|\bonly (?:covers?|deals? with|concerns?|appl(?:y|ies)|address(?:es)?|speaks? of)\b|\bis (?:only )?about\b",
    re.I,
)
REDIRECT = re.compile(
    r"\b(?:ask|contact|check with|consult|speak (?:to|with)|turn to|refer to|reach out|write to)\b", re.I
)
CLAUSE_END = re.compile(
    r"[.!?]+[\"')\]]*\s+|[;\n]\s*|,?\s+(?:but|however|although|though|yet|while|whereas)\b,?\s*"
    r"|,?\s+or\s+(?=(?:else|not|the (?:handbook|excerpt|document|guidelines))\b)",
    re.I,
)


def declines(text: str) -> bool:
    """Whether a text says, anywhere in it, that the source does not answer. A bare "no" is an answer."""
    normal = plain(text).replace("’", "'")
    return any(is_declining(normal[start:end]) for start, end in clauses(normal))


def clauses(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of the clauses of a text: sentences, cut again at "but", "while", ";" and the like."""
    start = 0
    for match in CLAUSE_END.finditer(text):
        yield start, match.end()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def is_declining(clause: str) -> bool:
    """Whether one clause, with straight apostrophes, says that the source does not answer."""
    return bool(NEGATIVE.search(clause) and (DECLINE.search(clause) or refuses(clause)))
