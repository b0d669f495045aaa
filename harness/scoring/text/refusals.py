"""Recognise refusals, clauses that say the source has no answer, and denied claims, by their words."""

from __future__ import annotations

import re
from itertools import pairwise

from harness.schema import Case, Span
from harness.scoring.text import normalize
from harness.scoring.text.normalize import plain

CANNOT = r"(?:cannot|can ?not|can'?t|could not|couldn'?t|am (?:not able|unable)|'m (?:not able|unable)|won'?t|will not)"
REFUSAL = re.compile(
    r"\W*(?:(?:sorry|apologies|unfortunately|regrettably|as an? (?:ai|language model|assistant)[^.,]{0,60}"
    r"|i(?:'m| am) (?:really |very )?sorry|i apologi[sz]e|my apologies)\b[,.:; -]*(?:but )?(?:for [^.,]{0,60}[,. ]+)?)?"
    rf"(?:i(?: am|'m)?\s*{CANNOT}|i (?:do not|don'?t) (?:know|have|feel)|i must (?:decline|refuse)"
    r"|i(?:'d| would) rather not"
    r"|(?:it is|it's) (?:not possible|impossible) to (?:say|tell|answer|determine)|(?:unable|not able) to\b"
    r"|(?:this|the|your) question cannot be answered|i decline\b)",
    re.I,
)


def refuses(text: str) -> bool:
    """Whether an answer begins with words that decline to answer."""
    opening = plain(text[:300]).replace("’", "'")
    return bool(REFUSAL.match(opening))


SOURCE = (
    r"(?:handbook|excerpt|extract|document|text|passage|pages?|manual|register|guidelines|(?:provided |given )?context"
    r"|(?:staff |company )?polic(?:y|ies)|information|guidelines? (?:shown|given|above|provided)|departments|it)"
)
SAYS = (
    r"(?:say(?! otherwise)|state|mention|specify|answer|tell|address|explain|indicate|clarify|discuss|reveal|speak"
    r"|settle|contain|go into|name|list|define|identify|cover|include"
    r"|set (?:out|a\b|any)|(?:give|provide|hold|offer|have|make)"
    r" (?:an?|any|enough|the|that|this|details?|information|guidance|mention|such)\b)"
)
NARROW = r"(?:say|state|mention|specify|answer|tell|address|indicate)"
NOUN = r"(?:guideline|information|answer|mention|guidance)s?"
ANSWER = r"(?:be )?(?:found\b|answer|determin|tell\b|told\b|say\b|said\b|know\b|inferred|work(?:ed)? out)"
NOT = r"(?:not|n't|never|nowhere|cannot|fails? to)"
MARK = re.compile(
    r"n't\b|not?\b|none\b|nothing\b|neither\b|never\b|nowhere\b|cannot\b|silent\b|un(?:known|able|answerable)\b|outside\b"
    r"|lacks?\b|unclear\b|beyond\b|insufficient\b|impossible\b|fails?\b|premise\b|open\b|n/a\b|without an answer\b"
)
"""A word of every declining clause; the patterns below begin or end at such a word."""
ALONE = re.compile(
    rf"{NOT}(?: \w+ly)? (?:stated|mentioned|specified|answered|addressed|answerable|said)\b"
    rf"|{NOT}(?: \w+ly)?(?: (?:given|covered|listed|named|found|included|contained|defined|set out|available|part of"
    rf"|to be found))?(?: anywhere)?(?: (?:in|by|from|of))? (?:the|this|these|our) {SOURCE}\b"
    r"|(?:not|n't) exist\b|(?:not|n't) (?:a|an|one of the) (?:\w+ ){0,2}(?:department|guideline)s?\b|not known\b"
    rf"|(?:cannot|can not|impossible to|not possible to|unable to|no way to) {ANSWER}"
    rf"|no (?!other|further|more)(?:\w+ )?{NOUN}\b(?! (?:is|are) (?:needed|required|broken))"
    rf"|(?:not|n't) any {NOUN}\b|no such \w+"
    r"|no department (?:is|are) (?:named|listed|mentioned|given)\b|(?:not|n't) (?:listed|specified)\b"
    rf"|nowhere (?:do|does|in) (?:the|this) {SOURCE}\b|(?:not|n't) (?:covered|settled|governed) by any\b"
    r"|nothing (?:in|on|about|here|is (?:said|stated))\b"
    rf"|(?:not|n't) (?:appear|exist|clear|something)(?: (?:in|from))? (?:the|this) {SOURCE}\b|insufficient information"
    rf"|(?:not|n't) (?:see|find) (?:an?|any|the) {NOUN}\b"
    r"|(?:none|neither|not one) of (?:the|these) (?:\w+ )?guidelines?\b"
    r"|neither guideline\b|unanswerable|unknown|n/a|without an answer"
    rf"|(?:outside|beyond) (?:the scope of )?(?:the|this) {SOURCE}\b|premise\b.{{0,20}}\b(?:wrong|false|mistaken)\b"
)
"""Patterns that begin at the word and are sufficient alone."""
PAIRED = [
    (
        rf"{NOT}(?: (?:actually|directly|explicitly|specifically|clearly|seem to|appear to))? {SAYS}",
        rf"\b{SOURCE}(?: \w+){{0,2}}?(?: (?:do|does|did|ca))? ?",
    ),
    (rf"{NOT} {NARROW}", r"(?:\bguidelines? \d[\d.]* |^(?:\w+ )?)(?:(?:do|does|did) ?)?"),
    (rf"(?:not|n't) {ANSWER}", r"\b(?:ca|can |could ?)"),
    (r"(?:not|n't) know\b", r"\b(?:i|we) do ?"),
    (
        r"no\b",
        rf"\b(?!it\b){SOURCE} (?:has|have|lists?|contains?|holds?|names?|shows?|knows?|gives?|includes?|mentions?) ",
    ),
    (r"no (?:such |department|provision|\w+ (?:desk|office|team|unit|panel|department)\b)", r"\bthere(?:'s| is| are) "),
    (r"lacks?\b", rf"\b{SOURCE} "),
    (r"nothing\b", rf"\b{SOURCE} (?:says?|tells?|states?|gives?) (?:us )?"),
    (r"(?:silent|unclear)\b", rf"\b{SOURCE} (?:is|are|stays?|remains?) "),
    (r"open\b", rf"\b{SOURCE} leaves? (?:this|that|it|the question) "),
]
"""Pairs of patterns, from the word on and up to it, that are sufficient together."""
PATTERNS = [(re.compile(on), re.compile(rf"(?:{up_to})$")) for on, up_to in PAIRED]
REACH = 60
"""Characters before such a word that are read."""
SENTENCE_END = re.compile(r"[.!?;\n](?:(?<=[;\n])\s*|[\"')\]]*\s+)")
TURNS = ("but ", "however", "though ", "while ", "whereas ", "or else", "or not", "or the ")
TURN = re.compile(
    r"(?:but|however|although|though|while|whereas)\s+"
    r"|or\s+(?=(?:else|not|the (?:handbook|excerpt|document|guidelines))\b)"
)
"""A word that begins a contrasting clause."""


def declines(text: str) -> bool:
    """Whether a text says anywhere that the source has no answer. A bare "no" is an answer."""
    normal = plain(text)
    return any(is_declining(clause) for _, _, clause in clauses(lower(normal)))


def lower(text: str) -> str:
    """Return the text in lower case with straight apostrophes; the length does not change."""
    return normalize.lower(text.replace("’", "'"))


def clauses(text: str) -> list[tuple[int, int, str]]:
    """List the clauses of a lower-case text with their ranges: sentences, also split at "but", "while" and ";"."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    if any(turn in text for turn in TURNS):
        ends += [m.end() for m in TURN.finditer(text) if not text[m.start() - 1 : m.start()].isalpha()]
        ends.sort()
    return [(start, end, text[start:end]) for start, end in pairwise([0, *ends, len(text)]) if start < end]


def is_declining(clause: str) -> bool:
    """Whether one clause, in lower case, says that the source has no answer."""
    has_mark = False
    for mark in MARK.finditer(clause):
        has_mark, at = True, mark.start()
        if ALONE.match(clause, at):
            return True
        for on, up_to in PATTERNS:
            if on.match(clause, at) and up_to.search(clause[max(0, at - REACH) : at]):
                return True
    return has_mark and refuses(clause)


DENIES = re.compile(
    r"\bno\s+(?:such|mention|reference|record|section|guideline|policy|department|provision|statement|information)\b"
    r"|\bthere\s+(?:is|are|was|were)\s+no\b|\bthere\s+(?:is|are)n[o']t\b"
    r"|\b(?:not|never|n[o']t)\s+(?:\w+\s+){0,2}?"
    r"(?:mention(?:ed|s)?|exist(?:s|ing)?|stated?|listed|included?|contain(?:ed|s)?|found|named?|in\s+the|cited?|cover(?:ed)?"
    r"|appear|address(?:ed)?|refer(?:red|s)?|have|specif(?:y|ied)|provided?|part\s+of|describe[ds]?|defined?)\b"
    r"|\b(?:lacks|without)\b",
    re.I,
)
SENTENCE = re.compile(r"[.!?](?:\s|$)|\n")
SPACE = re.compile(r"\s+")
MAX_SENTENCE = 400
"""Characters of a sentence that are read on either side of a claim."""


def without_denied(case: Case, text: str, spans: list[Span], grounded: tuple[str, ...]) -> list[Span]:
    """Drop the ungrounded spans that repeat the question and that the answer denies."""
    if all(span.verdict in grounded for span in spans):
        return spans
    question = _folded(" ".join(value for name, value in case.input.items() if name != "document"))
    if not question.strip():
        return spans
    return [
        span
        for span in spans
        if span.verdict in grounded or _folded(span.quote) not in question or not denies(text, span.start, span.end)
    ]


def denies(text: str, start: int, end: int) -> bool:
    """Whether the sentence around a range says that something does not exist."""
    first = 0
    for stop in SENTENCE.finditer(text, max(0, start - MAX_SENTENCE), start):
        first = stop.end()
    stop_after = SENTENCE.search(text, end)
    last = stop_after.end() if stop_after else len(text)
    sentence = text[max(first, start - MAX_SENTENCE) : min(last, end + MAX_SENTENCE)]
    return bool(DENIES.search(plain(sentence).replace("’", "'")))


def _folded(text: str) -> str:
    return SPACE.sub(" ", plain(text)).casefold()
