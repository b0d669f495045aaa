"""Words that say whether a clause is there, and that there is none."""

from __future__ import annotations

import re

from harness.scoring.legal.clause_names import SMALL, key, words

STATE = (
    r"(?:present|included|mentioned|found|stated|listed|contained|applicable|covered|addressed|counted|required|there"
    r"|binding)"
)
DONE = r"\w+(?:ed|en)"
"""A participle, such as "attached": alone it heads names, after "not" those that are not there."""
AFFIRMED = re.compile(
    r"\b(?:contain(?:s|ed|ing)?|include[sd]?|including|has|have|there(?:['’]s| is| are)|f(?:ou|i)nd|identif(?:y|ied)"
    r"|provides? for|imposes?|establish(?:es)?|sets out|consists? of|namely"
    r"|(?:it|this|that)(?:['’]s| is)(?= (?:an?|the)\b)"
    r"|(?:clauses?|provisions?|types?|ones?|answer)\b[^.,:;]{0,60}?\b(?:is|are|apply|bind))\b",
    re.I,
)
"""What says that the clauses named after it are there."""
STATED = re.compile(
    rf"\b(?:(?:is|are) (?:also |both |all |each )?(?:{STATE}|in th(?:e|is))|appl(?:y|ies)|counts?)\b", re.I
)
"""What says that the clauses named before it are there."""
UNSURE = r"(?:unclear|uncertain|unknown|unsure|doubtful|maybe|perhaps|possibly|not (?:sure|clear|certain))"
GONE = (
    r"struck|stricken|superseded|negated|omitted|removed|deleted|crossed out|rule[sd]? out|rejected|opposite"
    r"|(?:mentioned|defined) only|(?:only|merely|just|simply) (?:an? |the )?(?:mention|defin|refer|explain)\w*"
)
"""What says wherever it stands that a clause is not there."""
ABSENT = rf"(?:{GONE}|denied|reserved|replaced|waived|excluded|absent|missing|false|n/?a|{UNSURE})"
"""What says so alone: "insurance: waived", but not "insurance: rights against carriers are waived"."""
ABSENCE = re.compile(
    rf"(?<!not )\b(?:{GONE}|(?:is|was|are|were|left|marked) reserved|reserved heading"
    r"|(?:other|wrong|another) (?:side|way|party|direction|instrument|contract|document|paper|agreement))\b"
    r"|(?:\b(?:can)?not|n['’]t) (?:\w+ )?(?:count|appl|appear|bind|qualif)\w*"
    r"|\b(?:is|are|was|were)(?: not|n['’]t) (?:an?|one|counted|included|present|there|among)\b",
    re.I,
)
"""What says anywhere after its name, or in a heading, that a clause is not there."""
HEADS_ABSENT = re.compile(
    rf"{ABSENCE.pattern}|\b(?:not|n['’]t) (?:\w+ )?(?:contain|include|have|in|{STATE})\b"
    rf"|\b(?:none of|nothing (?:about|on)|lacks?|(?<!not ){ABSENT})\b|^\W*(?:no|not(?: {DONE})?|mentioned)\W*$",
    re.I,
)
"""A heading of clauses that are not there."""
VERDICT = re.compile(
    r"(?:\s+(?:clause|provision)s?\b)?\W*(?:[✗✘❌☐×]|(?:(?:there )?(?:is|are|was|were) )?"
    rf"(?:(?:no|none)(?:(?: such)? (?:clauses?|provisions?)| {STATE})?(?!\.?\s*\d)|not (?:\w+ )?{STATE}|{ABSENT})"
    r"[\"'”’]?\s*(?:[^\w\s\"'“‘-]|-\s|$|(?:in|here|by|from|before|and|but|too|either)\b))",
    re.I,
)
"""What denies the name before it: "no, only mentioned", but not "no policy may lapse"."""
ALL_ABSENT = re.compile(
    rf"(?:^|[.:;,(–—-])\s*(?:(?:all|both|these|they|(?P<one>it))(?: of (?:them|these))?(?: are| is)?(?: both)? {ABSENT}"
    r"|(?:(?P<single>it)|they) do(?:es)?(?: not|n['’]t) (?:count|apply|bind))\b",
    re.I,
)
"""What denies all names before it in a line, or the last one."""
CROSSED_OUT = re.compile(r"[\s*_]*(?:\[\s?\]|☐|[✗✘❌]|~~)")
"""An empty box, a cross, a strike-through."""
NEGATED = re.compile(
    rf"\b(?:no(?!\.? ?\d)|not|none|nothing|never|neither|nor|without|lacks?|lacking|free|absence|{GONE}|waiv\w+"
    r"|denie[sd]|reserved|omits?|exclu\w+|fails? to|mention\w*|refer\w*|speaks?|definition|heading)\b|n['’]t\b",
    re.I,
)
"""What denies a name that comes later in the same item or the same part of a sentence."""
NO_CLAUSE = re.compile(r"\W*(?:no|not)\b[^;]*\b(?:clause|provision)s?\W*$", re.I)
"""What denies all that it holds, known or not."""
EXCEPTION = re.compile(r"\b(?:except|besides|save|(?:none|nothing) but|(?:other|apart|aside) (?:than|from))\b", re.I)
"""What turns "none of these" into a name."""
ALL_BUT = re.compile(r"\b(?:all|every\w*|each)\b.*\b(?:but|except|besides|save|(?:other|apart) (?:than|from))\b", re.I)
"""Before the names that a list leaves out: "all except indemnity: repair; insurance"."""
STILL = re.compile(r"\b(?:it|they|which) still (?:governs?|appl(?:y|ies)|binds?|counts?)\b", re.I)
"""What takes a denial back."""
DOUBT = re.compile(
    rf"\b(?:{UNSURE}|(?:may|might|could) (?:also )?(?:be|contain|include|have)|would (?:contain|have))\b", re.I
)

OF_SENTENCES = words(
    "i you me we us he she they them it its your my our this that these those is are was were be been has have had "
    "does do did can could would should may might will shall must says said say let lets please note so here below "
    "above hope if because since only merely just sure certainly yes ok okay thanks thank sorry course false "
    "null maybe perhaps possibly unclear both apply applies there thats"
)
"""Words which the name of a clause does not have."""
NOTHING = words("no none nothing absent missing empty null nil zero")
NEGATIVES = NOTHING | words("not neither doesnt dont isnt arent cannot cant didnt")
OF_CLAUSES = words("clause clauses provision provisions type types any these those them")
OF_NONE = NEGATIVES | OF_CLAUSES | OF_SENTENCES | SMALL
OF_NONE |= words(
    "from such answer find found see identify identified spot listed list lists given asked about kind kinds one ones "
    "related relevant matching applicable critical contain contains containing include includes included including "
    "present appear appears count counts bind binds binding force effect exist exists text excerpt contract document "
    "passage paragraph paragraphs deed lease agreement instrument section based according which after careful review "
    "reviewed reviewing read checked at all whatsoever detected contained absolutely true either documents attached "
    "enclosed letter"
)
"""Words of a statement that there is no clause."""
A_NAME = re.compile(r"(?:(?!the |this )\w+ )?(?:effect|contract|deed|lease|agreement|instrument)")
"""What is a name though it has such words only: "binding effect"."""
OF_REMARKS = OF_SENTENCES | words(
    "feel happy glad need needed add anything details questions comment comments explanation match matches items doubt"
)
"""Words which an invented name does not have."""
THE_REST = re.compile(r"\b(?:others?|rest|remaining|else|further|additional|more)\b", re.I)
"""A statement about the clauses that are not named."""
NONE_OF = re.compile(r"\b(?:none|neither|not one|zero) of (?:the|these|them|those|this|that|your)\b")
REASON = re.compile(r"(?<=none):|\s[-–—]\s|[(\[|,]|\b(?:since|because|as|for|although|but)\b", re.I)
SO = re.compile(r"\b(?:so|therefore|thus|hence)\b", re.I)
CONCLUSION = re.compile(rf"[:,]|{SO.pattern}", re.I)
EMPTY_LIST = re.compile(r"[^\w\"]*\[\s*\][^\w\"]*|.*\"[^\"]*\"\s*:\s*\[\s*\].*", re.S)
"""An empty list of JSON."""


def denies_next(before: str) -> bool:
    """Whether words deny the names after them: "no" and "all except" do, "none except" does not."""
    return bool(NEGATED.search(before)) != bool(EXCEPTION.search(before))


def denies_last(rest: str) -> bool:
    """Whether what follows a name, or a cell of it, says that the clause is not there."""
    return not STILL.search(rest) and (any(map(VERDICT.match, rest.split("|"))) or bool(ABSENCE.search(rest)))


def is_remark(text: str) -> bool:
    """Whether a text without a known name says that there are no others, or something to the reader."""
    other = key(THE_REST.sub(" ", text))
    is_of_none = OF_NONE.issuperset(other.split()) and not A_NAME.fullmatch(other)
    said = OF_REMARKS.intersection(map(key, re.findall(r"[\w'’/-]+", text)))
    return bool(is_of_none or said or denies_last(text) or EXCEPTION.search(text))


def is_none(text: str, has_names: bool = False) -> bool:
    """Whether a sentence, its beginning before a reason, or its end says that there is no clause.

    The end of one that names clauses counts only after "so".
    """
    if EMPTY_LIST.fullmatch(text):
        return True
    if EXCEPTION.search(text) or text.rstrip(" *_").endswith(":"):
        return False
    end = (SO if has_names else CONCLUSION).split(text)[-1]
    return any(_says_none(key(part), has_names) for part in (text, REASON.split(text, maxsplit=1)[0], end))


def _says_none(part: str, has_names: bool) -> bool:
    said = part.split()
    if part == "n a" or (NONE_OF.search(part) and not has_names and not THE_REST.search(part)):
        return True
    is_whole = NOTHING.intersection(said) or OF_CLAUSES.intersection(said) or len(said) < 3
    return bool(is_whole and NEGATIVES.intersection(said) and OF_NONE.issuperset(said))
