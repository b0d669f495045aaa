"""Writes a sentence another way without a change of meaning: modals, figures, synonyms, order of clauses, voice.

Each place where a sentence can be written several ways is a slot with a key. A mapping of keys to choices writes it;
choice 0 is the wording of the sentence itself. Two mappings that differ give two wordings of one meaning.
"""

import random
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from benchmarks.claim_edits.figures import figures, other_forms

MODALS = {
    "duty": ("shall", "must", "will", "shall be required to"),
    "permission": ("may", "can", "shall be entitled to", "shall be permitted to"),
    "prohibition": ("shall not", "must not", "may not", "cannot", "will not"),
    "no duty": ("need not", "shall not be required to", "shall not be obligated to"),
}
BOUNDS = {
    "least": ("at least", "no less than", "not less than", "a minimum of"),
    "most": ("at most", "no more than", "not more than", "a maximum of"),
    "over": ("more than", "in excess of"),
    "under": ("less than", "below"),
    "before": ("before", "prior to"),
    "after": ("after", "following"),
    "only": ("only", "solely"),
    "not only": ("not only", "not solely"),
}
"""Phrases for one bound, time or scope; a phrase of the opposite side changes the meaning."""
NUMBER = re.compile(r"\s(?:\$|\d|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fif|twenty|thirty|half)")
BOUND_OF = {meaning: re.compile(rf"\b(?:{'|'.join(options)})\b", re.I) for meaning, options in BOUNDS.items()}
EVENT = re.compile(
    r"\s(?:(?:the|such|its|their|any|written)\s)?(?:receipt|expiration|termination|delivery|execution|closing|notice|date"
    r"|end|start|effective|commencement|completion|day|payment|request|[A-Z]\w+\sDate)\b"
)
"""What may follow "prior to" and "following", which take no clause."""
SYNONYMS = (
    *(("pursuant to", "under"), ("in the event that", "if", "in case"), ("unless", "except if"), ("upon", "on")),
    *(
        ("notwithstanding", "despite"),
        ("promptly", "without delay"),
        ("immediately", "at once"),
        ("terminated", "ended"),
    ),
    *(
        ("terminates", "ends"),
        ("commences", "begins"),
        ("commencing", "beginning"),
        ("prior written", "advance written"),
    ),
    *(
        ("in writing", "in written form"),
        ("entire", "whole"),
        ("additional", "further"),
        ("hereby", "by this document"),
    ),
    *(("without limitation", "without restriction"), ("hereunder", "under this document"), ("thereof", "of it")),
    *(("herein", "in this document"), ("set forth in", "stated in", "set out in"), ("deemed", "considered")),
    *(("in connection with", "in relation to"), ("with respect to", "regarding", "concerning")),
    *(
        ("during the", "in the course of the"),
        ("received", "obtained"),
        ("approximately", "about"),
        ("in order to", "so as to"),
    ),
    *(("at its sole expense", "at its own cost"), ("at its expense", "at its cost"), ("annually", "once a year")),
    *(("each", "every"), ("via", "through"), ("typically", "usually", "generally"), ("because", "since")),
    *(("have to", "need to"), ("occurs", "takes place"), ("lawsuit", "legal action"), ("completed", "finished")),
    *(("maintained", "kept"), ("remains", "stays"), ("delivered", "handed over"), ("sums", "amounts")),
    *(("sum", "amount"), ("sufficient", "adequate"), ("authorized", "empowered"), ("sent", "transmitted")),
    *(("whether or not", "regardless of whether"), ("currently", "at present"), ("in accordance with", "in line with")),
    *(("coworkers", "colleagues"), ("staff members", "members of staff"), ("allowed", "permitted")),
)
VERBS = (
    *(("terminate", "end"), ("commence", "begin"), ("obtain", "get"), ("furnish", "supply"), ("notify", "inform")),
    *(("use", "make use of"), ("contact", "get in touch with"), ("occur", "take place"), ("complete", "finish")),
    *(("maintain", "keep"), ("remain", "stay"), ("purchase", "acquire"), ("acquire", "obtain"), ("assist", "help")),
    *(
        ("send", "transmit"),
        ("ensure", "make sure"),
        ("receive", "be given"),
        ("submit", "hand in"),
        ("give", "provide"),
    ),
    *(("deliver", "hand over"), ("ask", "request"), ("require", "demand"), ("remove", "take away"), ("begin", "start")),
)
"""Synonyms that hold for the verb only, after a word of BEFORE_VERBS."""
BEFORE_VERBS = re.compile(r"\b(?:to|shall|must|will|may|can|not|should|promptly|you|they)\s$")
BEFORE_NOUNS = re.compile(r"(?:^|\b(?:in|of|for|on|at|by|from|with|after|before|within|that|and)\s)$")
GROUPS = {group[0]: group for group in (*SYNONYMS, *VERBS)}
WORDED = re.compile(rf"(?<!-)\b(?:{'|'.join(sorted(GROUPS, key=len, reverse=True))})\b(?!-|\sof\b|\sother\b)", re.I)
"""Only the first wording of a group is sought: "on", "if" and "end" have other uses too."""
ROLES = (("Landlord", "Lessor"), ("Tenant", "Lessee"), ("Buyer", "Purchaser"), ("Seller", "Vendor"))
ROLE = re.compile(rf"\b(?:{'|'.join(name for group in ROLES for name in group)})\b(?!\s[A-Z])")
NEGATED = re.compile(r"\b(?:no|nor|neither|never|none|nothing|not)\b", re.I)
NO_SUBJECT = re.compile(
    r"\b(?:as|that|which|who|it|there|and|or|otherwise|hereafter|than|what|amounts?|any|case|whom|where|when|such)\s$",
    re.I,
)
"""Words before a modal that do not make it the main one: "as may be agreed", "that may arise"."""
MODAL = re.compile(
    rf"\b(?:{'|'.join(sorted((form for forms in MODALS.values() for form in forms), key=len, reverse=True))})\s"
    r"(?=[a-z]{2})(?!(?:not|mean|have\sthe\smeaning|include|need|help|see|find|have|depend|likely|probably|vary|mostly)\b)"
)
SUBJECT = r"(?:the|an?|any|each|every|such|this|these|it|he|she|they|we|you|no|all|neither|either|[A-Z]\w*)\b"
"""How the main clause after a condition begins; after a comma inside a condition, other words follow."""
CONDITIONAL = r"If|Unless|In\sthe\sevent|When"
OPENING = rf"(?:{CONDITIONAL}|Upon|Within|On\sor\sbefore|Subject\sto|Before|After|During|Until|At\sthe\send)"
FRONT = re.compile(rf"^(?P<front>{OPENING}\b[^,;:()]{{8,110}}),\s(?={SUBJECT})(?P<main>[^;:]{{20,}})\.$")
BACK = re.compile(
    rf"^(?P<main>[A-Z][^,;:]{{25,}}?)(?<!only)(?<!except)(?<!even)(?<!and)(?<!but)(?<!or)\s"
    rf"(?P<back>(?:{CONDITIONAL.lower()})\s[^,;:()]{{8,90}})\.$"
)
"""A time at the end of a sentence may belong to its last noun only, and so stays where it is."""
COMMON_START = re.compile(
    r"(?:The|A|An|Any|All|Each|Every|No|This|These|Those|Such|Upon|If|Unless|In|On|At|For|To|Within|It|They|You|Your|We|"
    r"Our|Without|With|From|By|As|Prior|Following|Subject|He|She|Someone|Should|Anyone|Nobody|Neither|Either|Both|After|Before|During|Until|When|There|Where|Employees?|Payments?|Notices?)\b"
)
HINGE = re.compile(r"^(?P<main>[A-Z][^;:]{25,}?),?\s(?P<hinge>unless|if)\s(?P<rest>[^;:]{8,})\.$")
PASSIVE = {
    "notify": "notified",
    "inform": "informed",
    "indemnify": "indemnified",
    "reimburse": "reimbursed",
    "defend": "defended",
    "compensate": "compensated",
    "provide": "provided",
    "furnish": "furnished",
    "permit": "permitted",
    "allow": "allowed",
    "require": "required",
    "authorize": "authorized",
    "advise": "advised",
    "assist": "assisted",
    "release": "released",
    "engage": "engaged",
}
VOICE = re.compile(
    r"^(?P<who>(?:The\s|the\s)?[A-Z]\w+)\s(?P<modal>shall|must|will|may|shall not|may not)\s"
    rf"(?P<verb>{'|'.join(PASSIVE)})\s(?P<whom>(?:the\s)?[A-Z]\w+)\s(?=(?:with|of|for|to|from|against|in|that|about)\s)"
)

Choices = Mapping[str, int]


class Slot(NamedTuple):
    """A range of a sentence that can be written in several ways."""

    start: int
    end: int
    key: str
    options: tuple[str, ...]
    """The words that stand there, and others of the same meaning."""


@lru_cache(4096)
def slots(sentence: str) -> tuple[Slot, ...]:
    """Return the slots of a sentence in order, none inside another."""
    taken: list[Slot] = []
    for slot in (*_figures(sentence), *modals(sentence), *_worded(sentence)):
        if len(slot.options) > 1 and all(slot.end <= other.start or other.end <= slot.start for other in taken):
            taken.append(slot)
    return tuple(sorted(taken))


def keys(sentence: str) -> dict[str, int]:
    """Return how many choices there are for each key of a sentence."""
    counts = {slot.key: len(slot.options) for slot in slots(sentence)}
    orders = {"order": reordered(sentence), "voice": other_voice(sentence)}
    return counts | {key: 2 for key, other in orders.items() if other is not None}


def restate(sentence: str, choices: Choices) -> str:
    """Write a sentence by choices; a key without a choice keeps its words."""
    for slot in reversed(slots(sentence)):
        option = slot.options[choices.get(slot.key, 0) % len(slot.options)]
        sentence = sentence[: slot.start] + as_start_of(option, sentence, slot.start) + sentence[slot.end :]
    for key, other in (("voice", other_voice), ("order", reordered)):
        if choices.get(key, 0) % 2:
            sentence = other(sentence) or sentence
    return sentence


def draw(counts: Mapping[str, int], rng: random.Random) -> dict[str, int]:
    """Draw choices: for each key the sentence's own wording or another one, each half of the time."""
    return {key: 0 if rng.random() < 0.5 else rng.randrange(1, count) for key, count in sorted(counts.items())}


def altered(choices: Choices, counts: Mapping[str, int], number: int, rng: random.Random) -> dict[str, int]:
    """Change the choices of some keys. Another wording becomes the sentence's own, and that one becomes any other.

    The distribution of `draw` stays as it is, so that a wording does not tell whether it was altered.
    """
    chosen = rng.sample(sorted(counts), min(number, len(counts)))
    return {**choices, **{key: 0 if choices.get(key, 0) else rng.randrange(1, counts[key]) for key in chosen}}


def as_start_of(words: str, text: str, at: int) -> str:
    """Capitalise words that stand where a sentence starts."""
    starts = text[at].isupper() and (at == 0 or text[:at].rstrip().endswith((".", ":")))
    return words[0].upper() + words[1:] if starts else words


def split_off(sentence: str) -> str | None:
    """Put the condition or exception at the end of a sentence into a sentence of its own."""
    match = HINGE.match(sentence)
    if match is None or re.search(r"\b(?:if|unless|that|which)\b", match["main"]):
        return None
    opening = "This does not apply if" if match["hinge"] == "unless" else "This applies only if"
    return f"{match['main']}. {opening} {match['rest']}."


def lowered(sentence: str) -> str:
    """Return a sentence as it is written inside another one."""
    return sentence[0].lower() + sentence[1:] if COMMON_START.match(sentence) else sentence


def modals(sentence: str) -> Iterator[Slot]:
    """Yield the modal verbs that state a duty, a permission or a prohibition."""
    for number, match in enumerate(MODAL.finditer(sentence)):
        words = match[0].rstrip()
        if NO_SUBJECT.search(sentence[: match.start()]) or words == "can":
            continue
        forms = next(forms for forms in MODALS.values() if words in forms)
        if words == "will":  # often no more than the future
            forms = ("will", "shall", "must")
        options = [form for form in _first(words, forms) if form == words or fits(form, sentence[match.end() :])]
        yield Slot(match.start(), match.start() + len(words), f"modal {number}", tuple(options))


def fits(modal: str, rest: str) -> bool:
    """Whether a modal reads well before the rest of a sentence: "shall be required to be" does not."""
    return not (modal.endswith(" to") and re.match(r"(?:be|have|need)\b", rest))


def bounds(sentence: str) -> Iterator[tuple[str, Slot]]:
    """Yield the bounds of a sentence with what they mean."""
    for meaning, options in BOUNDS.items():
        for number, match in enumerate(BOUND_OF[meaning].finditer(sentence)):
            words, before = match[0].lower(), sentence[: match.start()].lower()
            if words == "following" or re.search(r"\b(?:no|not|or|and|the|nor|during)\s$|-$", before):
                continue
            rest = sentence[match.end() :]
            if meaning in ("before", "after") and not EVENT.match(rest):
                options = (words,)
            elif meaning in ("over", "under") and not NUMBER.match(rest):
                continue
            elif not NUMBER.match(rest):
                options = tuple(option for option in options if not option.startswith("a "))
            yield meaning, Slot(*match.span(), f"{meaning} {number}", _first(words, options))


def reordered(sentence: str) -> str | None:
    """Move a leading condition or time to the end of a sentence, or one at the end to the front."""
    front = FRONT.match(sentence)
    if front and "," not in front["main"]:
        main = front["main"]
        return f"{main[0].upper()}{main[1:]} {lowered(front['front'])}."
    back = BACK.match(sentence)
    if back and not re.search(r"\b(?:if|unless|that|which|who)\b", back["main"]):
        moved = back["back"]
        return f"{moved[0].upper()}{moved[1:]}, {lowered(back['main'])}."
    return None


def other_voice(sentence: str) -> str | None:
    """Put a statement of what one party does to another into the passive voice."""
    match = VOICE.match(sentence)
    if match is None:
        return None
    whom, who = match["whom"], lowered(match["who"])
    rest = sentence[match.end() :]
    return f"{whom[0].upper()}{whom[1:]} {match['modal']} be {PASSIVE[match['verb']]} by {who} {rest}"


def _first(words: str, options: tuple[str, ...]) -> tuple[str, ...]:
    return (words, *(option for option in options if option != words))


def _figures(sentence: str) -> Iterator[Slot]:
    for number, figure in enumerate(figures(sentence)):
        written = sentence[figure.start : figure.end]
        others = [form for form in other_forms(figure, sentence) if "basis" not in form and len(form) < 40]
        yield Slot(figure.start, figure.end, f"figure {number}", (written, *others))


def _worded(sentence: str) -> Iterator[Slot]:
    yield from (slot for _, slot in bounds(sentence))
    for number, match in enumerate(WORDED.finditer(sentence)):
        words = match[0].lower()
        group = GROUPS[words]
        before = sentence[: match.start()]
        if (words != "each" or BEFORE_NOUNS.search(before)) and (group not in VERBS or BEFORE_VERBS.search(before)):
            yield Slot(*match.span(), f"words {number}", _first(words, group))
    for match in ROLE.finditer(sentence):
        group = next(group for group in ROLES if match[0] in group)
        yield Slot(*match.span(), f"role {group[0]}", _first(match[0], group))
