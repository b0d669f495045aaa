"""Recognise refusals, clauses that say the source has no answer, and denied claims, by their words."""

from __future__ import annotations

import re
from itertools import pairwise

from harness.schema import Case, Span
from harness.scoring.text import normalize
from harness.scoring.text.normalize import plain
from harness.scoring.text.phrases import key

CANNOT = r"(?:cannot|can ?not|can'?t|could not|couldn'?t|(?:am|was|'m) (?:not able|unable)|won'?t|will not)"
REFUSAL = re.compile(
    r"\W*(?:(?:sorry|apologies|unfortunately|regrettably|as an? (?:ai|language model|assistant)[^.,]{0,60}"
    r"|i(?:'m| am) (?:really |very )?sorry|i apologi[sz]e|my apologies)\b[,.:; -]*(?:but )?(?:for [^.,]{0,60}[,. ]+)?)?"
    rf"(?:i\s*{CANNOT}|i (?:do not|don'?t) (?:know|have|feel)|i must (?:decline|refuse)"
    r"|i(?:'d| would) (?:rather not|need (?:more|to see))"
    r"|(?:it is|it's) (?:not possible|impossible) to (?:say|tell|answer|determine)|(?:unable|not able) to\b"
    r"|(?:this|the|your) question cannot be answered|i decline\b)"
    r"(?![^.!?\n]*\b(?:but|however),? (?!i\b|you\b|we\b|please\b|perhaps\b)(?:[^.!?\n]|\.\d)*(?:\d| (?:is|are|must) ))",
    re.I,
)
"""A refusal at the beginning of an answer. It does not match if the same sentence also gives an answer."""


def refuses(text: str) -> bool:
    """Whether an answer begins with words that decline to answer."""
    opening = plain(text[:300]).replace("’", "'")
    return bool(REFUSAL.match(opening))


THE = r"(?:the|this|these|our)"
SOURCE = (
    r"(?:handbook|excerpt|extract|documents?|text|passage|pages?|manual|register|guidelines?|guide|context|polic(?:y|ies)"
    r"|information|departments|materials?|data|sources?|records?|lease|rider|agreement|contract|amendment|addendum|deed"
    r"|letter|e-?mail|memo(?:randum)?|report|statement|schedule|exhibits?|sheet|article|commitment|portion|part|it)"
)
TELL = (
    r"(?:say(?! otherwise)|state|mention|specif(?:y|ie)|answer|tell|address|explain|indicate|clarify|discuss|disclose"
    r"|identify|describe|reveal|speak|settle|define|go into|set out)"
)
FACT = r"(?:guideline|information|answer|mention|guidance|reference|language|discussion|indication|detail)s?"
HOLD = (
    r"(?:contain|name|list|include|set (?:a\b|any)|(?:(?:allow|permit) (?:me|us|one)|(?:give|provide|hold|offer|have"
    rf"|make) (?:an?|any|enough|the|that|this|such|{FACT}))\b)"
)
HELD = (
    r"(?:given|provided|covered|listed|named|found|included|contained|defined|available|part of|to be found|appear"
    r"|exist|clear|something)"
)
KNOW = r"(?:be )?(?:answer|determin|tell\b|told\b|say\b|said\b|know|infer|identif|verif|locate|found\b|work(?:ed)? out)"
NOT = (
    r"(?:not|n't|never|nowhere|cannot|fail(?:s|ed)? to)"
    r"(?: (?:actually|directly|explicitly|expressly|specifically|clearly|even|seem to|appear to))?"
)
MARK = re.compile(
    r"n't\b|not?\b|none\b|nothing\b|neither\b|never\b|nowhere\b|cannot\b|silent\b|un(?:known|able|answerable|clear)\b"
    r"|outside\b|lacks?\b|beyond\b|insufficient\b|impossible\b|fail(?:s|ed)?\b|premise\b|open\b|blank\b|n/a\b|omits?\b"
    r"|missing\b|absent\b|need (?:more|to see)\b"
)
"""A word of every declining clause; the patterns below begin or end at such a word."""
ALONE = re.compile(
    rf"{NOT} (?:be(?:en)? )?(?:stated|mentioned|specified|answered|addressed|discussed|disclosed|said)\b(?! as\b)"
    rf"|{NOT}(?: {HELD})?(?: anywhere)?(?: (?:in|by|from|among) (?:any|{THE}) (?:\w+ )??| {THE} ){SOURCE}\b(?!')"
    rf"|(?:not|n't) (?:appear|seem|believe|think) (?:that )?{THE} {SOURCE} (?:{TELL}|{HOLD})"
    r"|(?:not|n't) (?:exist|known)\b|(?:not|n't) (?:a|an|one of the) (?:\w+ ){0,2}(?:department|guideline)s?\b"
    rf"|(?:can ?not|(?:impossible|not possible|unable|no way) to) {KNOW}(?!\w* (?:until|unless|before)\b)"
    rf"|(?:no|(?:not|n't) any) (?!other|further|more)(?:\w+ )?{FACT}\b(?! (?:is|are) (?:needed|required)|.* may\b)"
    r"|no such \w+|no department (?:is|are) (?:named|listed|mentioned|given)\b|(?:not|n't) listed(?! in \w+ \d)"
    rf"|(?:nothing|none|neither|nowhere)\b (?:\w+ ){{0,3}}?{SOURCE}\b(?: \w+){{0,4}} (?:{TELL}|cover)"
    rf"|nothing (?:on|about|here|is said)\b|(?:missing|absent|unclear) (?:from|in) {THE} (?:\w+ )?{SOURCE}\b"
    r"|(?:insufficient|not enough) (?:information|data|detail)|unanswerable|unknown(?! \w)|n/a"
    rf"|(?:outside|beyond) (?:the scope of )?{THE} {SOURCE}\b|premise\b.{{0,20}}\b(?:wrong|false|mistaken)\b"
)
"""Patterns that begin at the word and are sufficient alone."""
PAIRED = [
    (rf"{NOT} (?:{TELL}|{HOLD})", rf"\b{SOURCE}(?: (?!says?\b|states?\b|that\b)\w+){{0,4}}? ?"),
    (rf"{NOT} cover\b", rf"\b(?!polic|guideline\b|it\b){SOURCE}(?: \w+){{0,2}}? ?"),
    (rf"{NOT} cover (?:this|that|it)\b", r"(?:polic(?:y|ies)|it) (?:do|does|did) ?"),
    (
        rf"{NOT} (?:say|state|mention|specify|answer|tell|address|indicate)",
        r"(?:\bguidelines? \d[\d.]* |^(?:\w+ )?)(?:(?:do|does|did) ?)?",
    ),
    (
        rf"(?:not|n't|cannot|unable to) (?:{KNOW}|find|see\b(?! why)|sure\b(?! ?,? ?but)"
        rf"|have (?:access|enough|(?:any|the|that) (?:\w+ )?(?:{FACT}|{SOURCE})\b))",
        r"\b(?:i|we)(?: (?:do|can?|could|am|was|were|\w+ly))? ?",
    ),
    (r"(?:not|n't) (?:find|see|locate)\b", r"\b(?:i|we) did ?"),
    (rf"(?:not|n't) {KNOW}", r"\b(?:ca|can |could ?)"),
    (
        r"(?:not|n't) (?:given|provided|available|shown)\W*$",
        rf"\b(?:{FACT}|figure|amount|address|name|date|that|this)\b.*",
    ),
    (
        r"no\b",
        rf"\b(?!it\b){SOURCE} (?:ha(?:s|ve)|(?:list|contain|hold|name|show|know|give|include|provide|mention)s?) ",
    ),
    (r"no (?:such |department|provision|\w+ (?:desk|office|team|unit|panel|department)\b)", r"\bthere(?:'s| is| are) "),
    (r"(?:lack|omit)s?\b", rf"\b{SOURCE} "),
    (r"(?:silent|unclear)\b(?! (?!on|about|as|here|from|wh|if|how)\w)", rf"\b{SOURCE} (?:is|are|stays?|remains?) "),
    (r"(?:open|blank)\b", rf"\b(?:{SOURCE} leaves?|left) (?:\w+ ){{0,3}}"),
]
"""Pairs of patterns, from the word on and up to it, that are sufficient together."""
PATTERNS = [(re.compile(on), re.compile(rf"(?:{up_to})$")) for on, up_to in PAIRED]
CONDITION = re.compile(r"\b(?:(?:if|when|unless|until|once)\b[^,]*|(?:held|ruled|argued|alleged|claimed) that\b.*)$")
"""Words before the mark that make the clause a condition, or what someone said of another document."""
REACH = 60
"""Characters before such a word that are read."""
SENTENCE_END = re.compile(r"[.!?;\n](?:(?<=[;\n])\s*|[\"')\]]*\s+)")
TURN = re.compile(
    r"\b(?:(?:but|however|although|though|while|whereas)\s+"
    r"|or\s+(?=(?:else|not|the (?:handbook|excerpt|document|guidelines))\b))"
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
    ends = sorted(match.end() for pattern in (SENTENCE_END, TURN) for match in pattern.finditer(text))
    return [(start, end, text[start:end]) for start, end in pairwise([0, *ends, len(text)]) if start < end]


def is_declining(clause: str) -> bool:
    """Whether one clause, in lower case, says that the source has no answer."""
    has_mark = False
    for mark in MARK.finditer(clause):
        has_mark, at = True, mark.start()
        if CONDITION.search(clause, max(0, at - REACH), at):
            continue
        if ALONE.match(clause, at):
            return True
        for on, up_to in PATTERNS:
            if on.match(clause, at) and up_to.search(clause[max(0, at - REACH) : at]):
                return True
    return has_mark and refuses(clause)


DENIES = re.compile(r"\bthere (?:(?:is|are|was|were) no\b|(?:is|are)n't\b)|\b(?:lacks|without)\b")
SECTIONS = ("citation", "section")
"""Kinds of spans that a text denies by the word before them."""
NO_SUCH, NEAR = re.compile(r"\bno\s+(?:such\s+)?$", re.I), 12
SECTION_WORD = re.compile(r"§+\s*|\b(?:sections?|sec\.|articles?|art\.|paragraphs?|para\.|clauses?)\s+(?=\d)", re.I)
"""A word for a section; the question may have another one."""
SENTENCE = re.compile(r"[.!?](?:\s|$)|\n")
MAX_SENTENCE = 400
"""Characters of a sentence that are read on either side of a claim."""


def without_denied(case: Case, text: str, spans: list[Span], grounded: tuple[str, ...]) -> list[Span]:
    """Drop the ungrounded spans that the answer denies: those of the question, and sections ("there is no § 12")."""
    if all(span.verdict in grounded for span in spans):
        return spans
    question = key(SECTION_WORD.sub("§", " ".join(value for name, value in case.input.items() if name != "document")))
    return [
        span
        for span in spans
        if span.verdict in grounded
        or not (
            (span.kind in SECTIONS and NO_SUCH.search(text, max(0, span.start - NEAR), span.start))
            or (key(SECTION_WORD.sub("§", span.quote)) in question and denies(text, span.start, span.end))
        )
    ]


def denies(text: str, start: int, end: int) -> bool:
    """Whether the sentence around a range says that something does not exist, or is not in the source."""
    first, last = sentence_around(text, start, end)
    sentence = lower(plain(text[first:last]))
    return bool(DENIES.search(sentence)) or any(is_declining(clause) for _, _, clause in clauses(sentence))


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range of the sentence, or the line, around a range."""
    first = max([0, *(stop.end() for stop in SENTENCE.finditer(text, max(0, start - MAX_SENTENCE), start))])
    stop = SENTENCE.search(text, end, end + MAX_SENTENCE)
    return max(first, start - MAX_SENTENCE), stop.end() if stop else min(len(text), end + MAX_SENTENCE)
