"""Find where an answer says the opposite of its guideline about a figure or an act.

Compared are the direction of a limit ("at least 10 days" and "at most 10 days", "whichever is earlier" and "later"),
the side of an event ("10 days before" and "after"), the unit of time of a rate ("$45 a week" and "a month"), whether a
figure is for each or for all together, whether a time is paid, denial ("may carry over" and "may not carry over") and
duty ("must return" and "may return"). Each is a claim about an anchor: a figure, or the word after "must", "not" or
"before".

A sentence of the answer is compared with the guideline's sentences that have the anchor. It contradicts them if the one
that shares most words with it claims the opposite, and shares half the words of the shorter one. "Over $90" and "up to
$90" are not compared, because a rule is often told by its reverse; nor is denial under a condition ("unless", "only")
or of a part ("not before", "not over $40", "not without").

`reversals` and `denials` need a right answer in words. The first finds claims about a figure that are the opposite of
all that the right answer claims of it, however few words the two share. The second finds the clauses that deny in that
answer's words what it affirms.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from harness.scoring.summaries import FUNCTION, stem
from harness.scoring.text.phrases import starting, word_list
from harness.scoring.text.quantities import SizeKey, figures_in, size_key
from harness.scoring.text.refusals import lower

NOWHERE = r"(?!)"
NO = r"(?:\b(?:not?|never|nor|cannot|neither(?: [a-z]+){0,5}?)|n't)(?: be| exceed)?"
LEAST = rf"\bat (?:the )?(?:very )?least|{NO} (?:less|fewer|shorter|lower|earlier|sooner|below|under)|\bminimum"
MOST = (
    rf"\bat (?:the )?(?:very )?most|\bup to|{NO} (?:more|longer|higher|later|above|over|beyond)|\b(?:not|n't) exceed"
    r"|\b(?:maximum|within|limited to|capped at|as (?:many|much) as)"
)
AND_NO = r",? (?:and|but) (?:no|not|never)"
LINK = r"(?: (?:than|of|the|an?|another|further|is|are)){0,2} $"
DAY = r"(?:hour|day|night|shift|week|month|quarter|year)"
FIGURE_CLAIMS = [
    (aspect, claim, re.compile(before), re.compile(after))
    for aspect, claim, before, after in (
        (
            "limit",
            "at least",
            rf"(?:{LEAST}){LINK}",
            r",? (?:or|and) (?:more|longer|older|over|above|up(?:wards?)?(?! to\b))\b| minimum\b"
            rf"| at (?:the )?(?:very )?least\b|{AND_NO} (?:less|fewer|shorter)\b",
        ),
        (
            "limit",
            "at most",
            rf"(?:{MOST}){LINK}",
            r",? (?:or|and) (?:less|fewer|under|below)\b| maximum\b| at (?:the )?(?:very )?most\b"
            rf"|{AND_NO} (?:more|longer|higher)\b",
        ),
        ("side", "before", NOWHERE, r"'?(?: [a-z]+)?(?: in)? (?:before|prior|ahead|beforehand|advance|earlier)\b"),
        ("side", "after", NOWHERE, r"'?(?: [a-z]+)? (?:after|following|later|afterwards)\b"),
        ("extent", "each", r"\beach (?:of them )?(?:[a-z]+ )?$", r"(?: [a-z]+){0,2} (?:each|apiece|per person)\b"),
        ("extent", "together", NOWHERE, r"(?: [a-z]+){0,3} (?:together|in all|in total|altogether|combined)\b"),
        (
            "pay",
            "paid",
            r"\bpaid(?: [a-z]+){0,3} (?:of )?$",
            r"(?: [a-z]+){0,2} (?:with (?:full )?pay\b|(?<!not )paid\b)",
        ),
        ("pay", "unpaid", r"\bunpaid(?: [a-z]+){0,3} (?:of )?$", r"(?: [a-z]+){0,2} (?:without pay|unpaid|not paid)\b"),
    )
]
"""Aspect and claim, with the words right before a figure and right after it that make the claim."""
TIME = re.compile(r"later|earlier|sooner")
RATE = re.compile(
    r"(?:(?: (?!an? |per |each |every )[a-z$'-]+){0,3} (?:per|(?:in |over )?(?:an?|any|each|every)) |\s?/\s?)"
    rf"(?:[a-z]+ )?(?P<period>{DAY})\b(?! of| after| before)"
    rf"|(?: [a-z]+){{0,2}} (?P<manner>(?:{DAY}|dai|annual)(?=ly\b))"
)
RATE_BEFORE = re.compile(
    rf"\b(?:(?P<period>{DAY}|dai)ly|(?P<manner>annual)) (?:[a-z]+ ){{0,3}}(?:of|is|are) (?:up to |at (?:least|most) )?$"
)
PERIODS = {"dai": "day", "annual": "year"}
SKIPPED = (
    r"(?:(?:be|been|have|has|is|are|also|yet|to|ever|then|first|the|an?|your|his|her|its|their|any|you|she|he|they"
    r"|it(?= (?:is|has))) |(?!appl|suppl|repl)[a-z]+ly ){0,3}"
)
WORD_CLAIMS = {
    ("duty", "may"): "may|can|could|might|need not|free to|allowed to|permitted to|entitled to|not need to|not have to|"
    "n't have to|not required to",
    ("duty", "must"): "must|shall|has to|have to|had to|needs to|need to|required to|obliged to",
    ("denial", "denied"): "not|never|cannot|n't|not allowed to|not permitted to|not entitled to|forbidden to",
    ("side", "before"): "before",
    ("side", "after"): "after",
}
"""Aspect and claim, with the words that make it of the word after them."""
CLAIMED = {words: claim for claim, either in WORD_CLAIMS.items() for words in either.split("|")}
WORD_CLAIM = re.compile(rf"(?P<claim>{starting(CLAIMED)}|n't(?: have to)?) (?={SKIPPED}(?P<word>[a-z]{{3,}})(?! than))")
WHICHEVER = re.compile(
    r"\bwhichever (?:[a-z]+ ){1,2}?(?:(?P<least>earlier|sooner|first|less|lesser|lower|smaller)"
    r"|later|last|more|greater|higher|larger)\b"
)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
PART = re.compile(rf"{SENTENCE.pattern}|;")
"""An answer's sentence is compared part by part."""
CLAUSE = re.compile(r";|\b(?:but|although|while|whereas)\b")
NEGATIVE = re.compile(
    r"\b(?:not|no(?![,;:.])|never|cannot|neither|nor|nobody|none|nothing|without|instead|rather than)\b|n't\b"
)
STOP = re.compile(r"[,;:] | and ")
SHORT_CLAUSE = re.compile(rf"{SENTENCE.pattern}|{STOP.pattern}|{CLAUSE.pattern}|\b(?:as|because|since|so|though)\b")
"""What ends a clause in which a denial is read: shorter ones than those of `CLAUSE`."""
CONDITION = re.compile(r"\b(?:unless|except|only|if)\b")
LEAD = re.compile(
    r"(?:\b(?:is|are|was|were|be|been|may|can|must|shall|will|has|have|had|does|do|to) )+$"
    r"|(?P<nominal>\b(?:the|an?|your|our|his|her|its|their|any|each|no|of|in|on|at|by|for|from|with|per|as) $)"
)
"""Auxiliaries before a verb; or a word that makes the next one no verb."""
PARTIAL = re.compile(
    r"\b(?:first|last|next|other|remaining) (?:[\d$]|(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve)\b)"
)
"""A sentence that may deny something of a counted part: "the first 26 miles are not paid"."""
LIMITED = re.compile(
    r"\b(?:until|before|than|yet|alone|yourself|himself|herself|but|instead|exceed(?:s|ing)?)\b"
    rf"|\b(?:over|above|below|under|beyond|past) (?=[$\d])|{PARTIAL.pattern}"
)
"""What makes a clause deny a part: "not before noon", "not over $40", "not yourself"."""
EVENT = re.compile(r"\b(?:has|have|had|did) ?$")
"""Before a denial of what happened: "you have not worked here for 90 days"."""
NEAR = 200
"""Characters on either side of a denial in which its clause is read."""
TIME_LIMIT = re.compile(rf"\bwithin (?:\S+ ){{1,4}}?{DAY}s?\b|\b(?:no|not) later than\b|\bat the latest\b")
"""What makes "may object" a duty about time: "must object within ten days"."""
WORD = re.compile(r"[a-z]{3,}")
COMMON = FUNCTION - {"out", "off"} | word_list(
    """
    day days week weeks month months year years hour hours minute minutes working business calendar per least less many
    much never cannot every whichever
    """
)
"""Words that say nothing of what a sentence is about; "paid out" and "time off" do."""
GENERIC = frozenset(
    map(stem, word_list("allow company employee entitle even get give need owe paid pay permit receive require staff"))
)
"""Words in which a denial may differ from the right answer that it denies."""
SHARE = 0.5
"""Least share of the shorter sentence's other words that both must have, and at least one."""
Anchor = SizeKey | str
Key = tuple[str, Anchor]
"""Aspect and anchor."""


class Claim(NamedTuple):
    """What a sentence says of an anchor, such as "at least", and where."""

    start: int
    end: int
    value: str


class Sentence(NamedTuple):
    """A sentence of a text in lower case, its anchors, which are its words and figures, and its claims about them."""

    text: str
    start: int
    end: int
    anchors: frozenset[Anchor]
    claims: dict[Key, Claim]

    def claim(self, key: Key) -> Claim | None:
        """The claim with an aspect and anchor; a word that is not denied may be affirmed."""
        found = self.claims.get(key)
        return _affirmed(self, key[1]) if found is None and key[0] == "denial" else found


class Contradiction(NamedTuple):
    """A claim of an answer, and the opposite one of its source."""

    aspect: str
    claim: Claim
    opposite: Claim


def contradictions(text: str, passages: Iterable[tuple[int, str]]) -> Iterator[Contradiction]:
    """Yield the claims of a text whose opposite passages of the source say; passages come with their offset."""
    source = [(at, sentence) for at, passage in passages for sentence in sentences(passage)]
    claimed = {key for _, sentence in source for key in sentence.claims}
    denied = {anchor for aspect, anchor in claimed if aspect == "denial"}
    for own in sentences(text, PART):
        stated = [key for key in own.claims if key in claimed or key[0] == "denial"]
        stated += [("denial", anchor) for anchor in own.anchors & denied if ("denial", anchor) not in own.claims]
        for key in stated:
            claim = own.claim(key)
            opposite = _opposite(own, key, claim, source) if claim else None
            if claim and opposite:
                yield Contradiction(key[0], claim, opposite)


def _opposite(own: Sentence, key: Key, claim: Claim, source: Iterable[tuple[int, Sentence]]) -> Claim | None:
    """The claim of the most similar sentence with the same anchor, if it is the opposite one."""
    most, found = 0, None
    for at, each in source:
        if key[1] in each.anchors:
            shared, other = len(own.anchors & each.anchors) - 1, each.claim(key)
            is_partial = claim.value == "affirmed" and PARTIAL.search(each.text, each.start, each.end)
            agrees = other is None or other.value == claim.value or is_partial
            if shared > most or (shared == most and agrees):
                most, found = shared, None
                if other and not agrees and shared >= SHARE * (min(len(own.anchors), len(each.anchors)) - 1):
                    found = Claim(at + other.start, at + other.end, other.value)
    return found


def reversals(text: str, answers: Iterable[str]) -> Iterator[Contradiction]:
    """Yield the claims of a text about figures of which right answers claim only the opposite, in whatever words."""
    right: dict[Key, list[Claim]] = {}
    for answer in answers:
        for sentence in sentences(answer):
            for key, claim in sentence.claims.items():
                if not isinstance(key[1], str):
                    right.setdefault(key, []).append(claim)
    for own in sentences(text, PART):
        for key, claim in own.claims.items():
            others = right.get(key, [])
            if others and all(other.value != claim.value for other in others):
                yield Contradiction(key[0], claim, others[0])


def denials(text: str, answer: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of clauses of a text that deny in the words of a right answer what that affirms."""
    right = [*sentences(answer, PART), *sentences(answer, SHORT_CLAUSE)]
    affirmed = [each.anchors for each in right if not NEGATIVE.search(*each[:3])]
    for own in sentences(text, SHORT_CLAUSE):
        denial = NEGATIVE.search(*own[:3])
        is_denied = denial and not _is_partial(*own[:3], denial.span())
        if is_denied and any(own.anchors - GENERIC <= anchors for anchors in affirmed):
            yield own.start, own.end


@lru_cache(maxsize=1024)
def sentences(text: str, ends: re.Pattern[str] = SENTENCE) -> tuple[Sentence, ...]:
    """Read the anchors and claims of each sentence or line of a text."""
    low = lower(text).replace("_", " ")
    dates = {figure.start for figure in figures_in(text) if figure.kind == "date"}
    figures = [figure for figure in figures_in(text) if figure.kind != "date"]
    starts = [figure.start for figure in figures]
    read = []
    for start, end in pairwise([0, *(match.end() for match in ends.finditer(low)), len(low)]):
        claims = dict(_word_claims(low, start, end, dates))
        anchors: set[Anchor] = {stem(word) for word in WORD.findall(low, start, end) if word not in COMMON}
        anchors |= {anchor for aspect, anchor in claims if aspect == "limit"}
        for figure in figures[bisect_left(starts, start) : bisect_left(starts, end)]:
            anchor = size_key(figure.unit, figure.value)
            anchors.add(anchor)
            for aspect, claim in _figure_claims(low, start, figure.start, figure.end):
                claims[aspect, anchor] = claim
        read.append(Sentence(low, start, end, frozenset(anchors), claims))
    return tuple(read)


def _figure_claims(low: str, first: int, start: int, end: int) -> Iterator[tuple[str, Claim]]:
    """Claims about the figure from `start` to `end`, of the sentence that begins at `first`."""
    claims = {}
    for aspect, value, before, after in FIGURE_CLAIMS:
        lead = before.search(low, max(first, start - 40), start)
        follow = after.match(low, end)
        if lead or follow:
            claims[aspect] = Claim(lead.start() if lead else start, follow.end() if follow else end, value)
    time = TIME.search(low, claims["limit"].start, start) if "limit" in claims and "side" in claims else None
    if time:  # "no later than 10 days before" is at least 10 days before
        is_least = (claims["side"].value == "before") == (time[0] == "later")
        claims["limit"] = claims["limit"]._replace(value="at least" if is_least else "at most")
    rate = RATE.match(low, end) or RATE_BEFORE.search(low, max(first, start - 60), start)
    if rate:
        period = rate["period"] or rate["manner"]
        claims["rate"] = Claim(min(start, rate.start()), max(end, rate.end()), PERIODS.get(period, period))
    yield from claims.items()


def _word_claims(low: str, start: int, end: int, dates: Container[int]) -> Iterator[tuple[Key, Claim]]:
    """Claims about words of the sentence from `start` to `end`; for one key the last one counts."""
    for match in WORD_CLAIM.finditer(low, start, end):
        aspect, value = CLAIMED[" ".join(match["claim"].split())]
        is_open = (
            (aspect == "side" and match.start("word") in dates)
            or (aspect == "duty" and TIME_LIMIT.search(low, start, end))
            or (value == "denied" and _is_partial(low, start, end, (match.start(), match.end("word"))))
        )
        if match["word"] not in COMMON and not is_open:
            yield (aspect, stem(match["word"])), Claim(match.start(), match.end("word"), value)
    for match in WHICHEVER.finditer(low, start, end):
        yield ("limit", "whichever"), Claim(*match.span(), "the first" if match["least"] else "the last")


def _is_partial(low: str, start: int, end: int, denial: tuple[int, int]) -> bool:
    """Whether a denial in the text from `start` to `end` is conditional, double, of a part or of an event."""
    first, last = max(start, denial[0] - NEAR), min(end, denial[1] + NEAR)
    is_event = EVENT.search(low, first, denial[0])
    first = max([first, *(each.end() for each in STOP.finditer(low, first, denial[0]))])
    stop = STOP.search(low, denial[1], last)
    around = [(first, denial[0]), (denial[1], stop.start() if stop else last)]
    return bool(
        is_event
        or CONDITION.search(low, start, end)
        or any(mark.search(low, *each) for each in around for mark in (LIMITED, NEGATIVE))
    )


def _affirmed(sentence: Sentence, anchor: Anchor) -> Claim | None:
    """The first use of a word as a verb in a clause that denies nothing, of a sentence without a condition."""
    low, start, end = sentence[:3]
    if not CONDITION.search(low, start, end):
        cuts = [start, *(match.end() for match in CLAUSE.finditer(low, start, end)), end]
        for first, last in pairwise(cuts):
            if not NEGATIVE.search(low, first, last):
                for word in WORD.finditer(low, first, last):
                    lead = LEAD.search(low, max(first, word.start() - 20), word.start())
                    if stem(word[0]) == anchor and not (lead and lead["nominal"]):
                        return Claim((lead or word).start(), word.end(), "affirmed")
    return None
