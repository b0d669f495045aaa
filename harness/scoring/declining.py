"""Tells an answer that declines ("the handbook does not say") from one that answers, clause by clause, by its words.

`refusals` reads the opening of an answer; this reads all of it, and asks for words about the source: "alcohol is not
covered" answers, "not covered by the handbook" declines. Knows not whether declining was right.
"""

from __future__ import annotations

import re
from itertools import pairwise

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
    r"|\bn/a\b"
)
NEGATIVE = re.compile(
    r" n[eo/]|\(n[eo/]|n't|cannot|silent|unknown|unable|unansw|outside|beyond|impossible|fail|premise|open"
)
"""What every declining clause has that does not open with "n"; spares most clauses the long pattern."""
SENTENCE_END = re.compile(r"[.!?;\n]+(?:(?<=[;\n])\s*|[\"')\]]*\s+)")
TURNS = ("but ", "however", "though ", "while ", "whereas ", "or else", "or not", "or the ")
TURN = re.compile(
    r"(?:but|however|although|though|while|whereas)\s+"
    r"|or\s+(?=(?:else|not|the (?:handbook|excerpt|document|guidelines))\b)"
)
"""A word at which a sentence turns."""


def declines(text: str) -> bool:
    """Whether a text says, anywhere in it, that the source does not answer. A bare "no" is an answer."""
    normal = plain(text)
    return any(is_declining(clause) for _, _, clause in clauses(lower(normal)))


def lower(text: str) -> str:
    """Text in lower case with straight apostrophes, character for character."""
    text = text.replace("’", "'")
    return text.lower() if text.isascii() else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def clauses(text: str) -> list[tuple[int, int, str]]:
    """Clauses of a lower-case text with their ranges: sentences, cut again at "but", "while", ";" and the like."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    if any(turn in text for turn in TURNS):
        ends += [m.end() for m in TURN.finditer(text) if not text[m.start() - 1 : m.start()].isalpha()]
        ends.sort()
    return [(start, end, text[start:end]) for start, end in pairwise([0, *ends, len(text)]) if start < end]


def is_declining(clause: str) -> bool:
    """Whether one clause, in lower case, says that the source does not answer."""
    may = clause.startswith("n") or NEGATIVE.search(clause)
    return bool(may and (DECLINE.search(clause) or refuses(clause)))
