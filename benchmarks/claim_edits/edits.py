"""Changes the meaning of one sentence in a passage and keeps every word of the passage, or nearly.

Every operator yields edits: two versions of the passage, the text's own and the changed one. A statement of either
version is not supported by the other one, so each version serves as the source of the other one's error.
"""

import random
import re
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

from benchmarks.claim_edits.figures import Figure, figures
from benchmarks.claim_edits.restating import (
    BOUNDS,
    COMMON_START,
    MODALS,
    NEGATED,
    SUBJECT,
    Choices,
    as_start_of,
    bounds,
    fits,
    keys,
    lowered,
    modals,
    restate,
)

ROLES = (
    "Landlord|Tenant|Lessor|Lessee|Buyer|Seller|Purchaser|Vendor|Borrower|Lender|Grantor|Grantee|"
    "Licensor|Licensee|Franchisor|Franchisee|Distributor|Supplier|Manufacturer|Customer|Client|Consultant|Contractor|"
    "Company|Agent|Provider|Sponsor|Owner|Operator|Developer|Publisher|Reseller|Shipper|Transporter|Employer"
)
ROLE = re.compile(rf"\b(?:{ROLES})\b(?!['’,.]?\s?(?:[A-Z]|Inc))")
OFFICE = re.compile(
    r"\b(?!The\s)(?:[A-Z][a-z]+\s){1,3}(?:Department|Division|Committee|Bureau)\b"
    r"|\b(?:Department|Office|Bureau)\sof\s(?:the\s)?[A-Z][a-z]+(?:\s[A-Z][a-z]+)?"
)
STAFF = re.compile(r"\b(?:employee|supervisor|manager|director|landlord|tenant|lender|borrower|buyer|seller)\b(?!s)")
NAMES = re.compile(r"\b(?:[A-Z][a-z]+\s){1,3}(?:LLC|Inc\.|Bank|Company|Corporation|Trust|Team|Office)\b(?!\s[A-Z])")
PARTIES = (ROLE, STAFF, OFFICE, NAMES)
ARTICLE = re.compile(rf"\b([Aa])n?\s(?=({ROLES}|employee|supervisor|manager|director|landlord|tenant|lender|buyer)\b)")
MUTUAL = re.compile(r"\b(?:each|either|neither|both|mutual|between|parties|among|together|respective)\b", re.I)
"""Where the parties of a sentence can change places without a change of meaning."""
PART_OF_NAME = re.compile(r"(?<!^)\b(?!The\s|Each\s|Any\s|If\s|Such\s|Neither\s)[A-Z][\w-]*\s$")
JOINED = re.compile(r"[\s,]*(?:and|or|to|and/or|through|by|[-–x/])?[\s,]*(?:the\s)?")
"""What is between two members of one list, or the ends of one range."""
SECTION = re.compile(
    r"\b(?:Section|Article|Paragraph|Clause|§)s?\s(?P<number>\d{1,2}(?:\.\d{1,2})*(?:\([a-z0-9]{1,3}\))*)"
)
PERIOD = re.compile(
    r"\b(?:the\s)?(?:first|second|third|fourth)\squarter(?:\sof\s(?:19|20)\d\d)?\b|\bQ[1-4](?:\s(?:19|20)\d\d)?\b"
    r"|(?<![\d$,./-])(?:19|20)\d\d(?![\d,./-])"
)
TIMES = ("date", "duration", "period", "quarter")
EXCEPTION = re.compile(
    r",?\s(?:except|unless|save\s(?:as|that)|provided(?:,?\s(?:however|further))?,?\sthat)\b[^.;:]{10,}?(?=[.;](?:\s|$))"
)
CONDITION = re.compile(
    r",?\s(?:if|only\sif|as\slong\sas|so\slong\sas|in\sthe\sevent)\s(?!any\b)[^.;:]{10,}?(?=[.;](?:\s|$))"
)
LEADING = re.compile(rf"(?:(?<=^)|(?<=[.;]\s))(?:Except|Unless)\b[^,.;]{{5,}},\s(?={SUBJECT})")
LEADING_IF = re.compile(rf"^(?:If|In\sthe\sevent|As\slong\sas|When)\b[^,.;]{{5,}},\s(?={SUBJECT})")
HINGED = {"exception": (EXCEPTION, LEADING), "condition": (CONDITION, LEADING_IF)}
DANGLING = re.compile(r"\b(?:and|or|but|only|even|and/or)\.$")
UNCONDITIONAL = re.compile(r"\b(?:except|unless|if|provided|when|where|save|so\slong|as\slong|in\sthe\sevent)\b", re.I)
FINITE = re.compile(r"\b(?:shall|must|will|may|can|is|are|has|have|agrees?)\b")
OPPOSITES = {
    **{"least": "most", "most": "least", "over": "under", "under": "over"},
    **{"before": "after", "after": "before", "only": "not only"},
}
OTHER_FORCE = {
    "meaning-obligation": {
        **{"duty": ("permission", "no duty"), "permission": ("duty",), "prohibition": ("no duty",)},
        **{"no duty": ("duty", "prohibition")},
    },
    "meaning-negation": {
        "duty": ("prohibition",),
        "permission": ("prohibition",),
        "prohibition": ("duty", "permission"),
    },
}
"""What a modal can become, by kind of error."""
ALL = {"All": "Only some", "Each": "Not every", "Every": "Not every", "all of the": "only some of the"}
BE = re.compile(r"\b(?:is|are|was|were)\b(?!\s(?:not|no|subject|as|to)\b)")
SUBORDINATE = re.compile(r"\b(?:that|which|who|if|when|where|unless|as|what|how|whether|while|until|there)\b", re.I)
BOTH = re.compile(
    r"\b(?:shall|must)\s[a-z]{4,}\s(?P<join>and|or)\s(?!not\b|other|all\b|any\b|if\b|in\b)[a-z]{4,}\s[a-z]"
)
"""Two verbs of one duty; pairs of nouns often mean one thing ("costs and expenses")."""


class Sentence(NamedTuple):
    """A statement in the words of a text."""

    text: str

    def keys(self) -> dict[str, int]:
        return keys(self.text)

    def said(self, choices: Choices) -> str:
        return restate(self.text, choices)


class Row(NamedTuple):
    """A statement that a table makes: one value of one thing, in a choice of sentences."""

    thing: str
    what: str
    period: str
    value: str
    unit: str
    frames: tuple[str, ...]

    def keys(self) -> dict[str, int]:
        return {"frame": len(self.frames), **keys(self.value)}

    def said(self, choices: Choices) -> str:
        frame = self.frames[choices.get("frame", 0) % len(self.frames)]
        said = frame.format(**{**self._asdict(), "value": restate(self.value, choices)})
        return said[0].upper() + said[1:]


Statement = Sentence | Row
Passage = tuple[Statement, ...]


class Edit(NamedTuple):
    """Two versions of a passage that differ in the meaning of the statement at `at`."""

    kind: str
    first: Passage
    """The text's own."""
    second: Passage
    at: int
    other: int
    """The statement that the words change places with; `at` where they stay in the statement."""


Operator = Callable[[list[str], int, random.Random], Iterator[Edit]]


def exchange(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """Two figures, periods or sections change places, inside the sentence or with another one."""
    spans = [(n, *span) for n, sentence in enumerate(sentences) for span in _values(sentence)]
    pairs = [(a, b) for a, b in combinations(spans, 2) if at in (a[0], b[0]) and a[3] == b[3] and a[5] != b[5]]
    rng.shuffle(pairs)
    seen: set[str] = set()
    for first, second in pairs:
        kind = "join-period" if first[3] in TIMES else "join-section" if first[3] == "section" else "join-figure"
        if kind in seen or (first[0] == second[0] and JOINED.fullmatch(sentences[at][first[2] : second[1]])):
            continue
        changed = list(sentences)
        for (n, start, end, *_), (_, _, _, _, other, _) in ((second, first), (first, second)):
            changed[n] = changed[n][:start] + other + changed[n][end:]
        if figures_agree(sentences, changed):
            seen.add(kind)
            yield _edit(kind, sentences, changed, at, first[0] + second[0] - at)


def exchange_parties(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """Two parties change places: wherever the sentence names them, or with a party of another sentence."""
    for pattern in PARTIES:
        named = [{match[0] for match in pattern.finditer(sentence)} for sentence in sentences]
        # "Superior Landlord" is another party, and another sentence about both may say what the exchange says.
        inside = any(PART_OF_NAME.search(sentences[at][: match.start()]) for match in pattern.finditer(sentences[at]))
        elsewhere = any(n != at and len(each & named[at]) > 1 for n, each in enumerate(named))
        if MUTUAL.search(sentences[at]) or inside or elsewhere:
            continue
        if len(named[at]) == 2:
            one, two = sorted(named[at])
            spans = [match.span() for match in pattern.finditer(sentences[at])]
            if not any(JOINED.fullmatch(sentences[at][a[1] : b[0]]) for a, b in pairwise(spans)):
                changed = [
                    _renamed(s, pattern, {one: two, two: one}) if n == at else s for n, s in enumerate(sentences)
                ]
                yield _edit("join-party", sentences, changed, at)
        near = [n for n in range(len(sentences)) if n != at and len(named[n]) == 1 and not named[n] & named[at]]
        if len(named[at]) == 1 and near:
            other = rng.choice(near)
            (one,), (two,) = named[at], named[other]
            changed = list(sentences)
            changed[at] = _renamed(sentences[at], pattern, {one: two})
            changed[other] = _renamed(sentences[other], pattern, {two: one})
            yield _edit("join-party", sentences, changed, at, other)


def renumber_section(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """A section has a number near its own."""
    cited = list(SECTION.finditer(sentences[at]))
    if cited:
        start, end = rng.choice(cited).span("number")
        number = sentences[at][start:end]
        new = re.sub(r"\d+", lambda match: str(max(1, int(match[0]) + rng.choice((-2, -1, 1, 2, 3)))), number)
        if new != number and new not in " ".join(sentences):
            yield _replaced("absent-section", sentences, at, start, end, new)


def move_condition(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """An exception or a condition leaves the sentence for another one, which had none."""
    free = [
        n
        for n, sentence in enumerate(sentences)
        if n != at and not UNCONDITIONAL.search(sentence) and FINITE.search(sentence) and COMMON_START.match(sentence)
    ]
    for name, (trailing, leading) in HINGED.items():
        match = trailing.search(sentences[at])
        front = leading.match(sentences[at])
        if not free or not (match or front):
            continue
        other, changed = rng.choice(free), list(sentences)
        if front:
            rest = sentences[at][front.end() :]
            changed[at] = rest[0].upper() + rest[1:]
            changed[other] = front[0] + lowered(sentences[other])
        elif match and match.end() == len(sentences[at]) - 1 and FINITE.search(sentences[at][: match.start()]):
            changed[at] = sentences[at][: match.start()] + "."
            changed[other] = sentences[other][:-1] + match[0] + "."
        if changed[at] != sentences[at] and len(changed[at].split()) >= 5 and not DANGLING.search(changed[at]):
            yield _edit(f"meaning-{name}", sentences, changed, at)


def change_force(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """A duty becomes a permission, a prohibition or no duty, and so on."""
    sentence = sentences[at]
    found = [slot for slot in modals(sentence) if not NEGATED.search(sentence[: slot.start])]
    if not found:
        return
    slot = rng.choice(found)
    force = next(name for name, forms in MODALS.items() if slot.options[0] in forms)
    for kind, others in OTHER_FORCE.items():
        if force in others:
            rest = sentence[slot.end + 1 :]
            new = rng.choice([form for form in MODALS[rng.choice(others[force])] if fits(form, rest)])
            yield _replaced(kind, sentences, at, slot.start, slot.end, new)


def negate(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """The first verb of a statement without a modal is negated."""
    sentence = sentences[at]
    match = BE.search(sentence)
    if match and not NEGATED.search(sentence) and not SUBORDINATE.search(sentence[: match.start()]):
        yield _replaced("meaning-negation", sentences, at, match.end(), match.end(), " not")


def change_scope(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """A bound, a time order or a quantity becomes its opposite, or "and" becomes "or"."""
    sentence = sentences[at]
    for meaning, slot in bounds(sentence):
        if meaning in OPPOSITES and not (meaning == "only" and NEGATED.search(sentence)):
            options = BOUNDS[OPPOSITES[meaning]]
            # What comes after "prior to" and "following" must be a noun, and so must not be drawn for a clause.
            new = options[0] if meaning in ("before", "after") and len(slot.options) == 1 else rng.choice(options)
            yield _replaced("meaning-scope", sentences, at, slot.start, slot.end, new)
    for words, new in ALL.items():
        start = sentence.find(f"{words} ")
        if start >= 0 and not NEGATED.search(sentence) and (start == 0 or words.islower()):
            yield _replaced("meaning-scope", sentences, at, start, start + len(words), new)
    joined = BOTH.search(sentence)
    if joined and not NEGATED.search(sentence):
        new = "or" if joined["join"] == "and" else "and"
        yield _replaced("meaning-scope", sentences, at, *joined.span("join"), new)


def exchange_rows(rows: Passage, at: int) -> Iterator[Edit]:
    """The values of two rows change places."""
    row = rows[at]
    assert isinstance(row, Row)
    for n, other in enumerate(rows):
        assert isinstance(other, Row)
        if n == at or other.unit != row.unit or other.value == row.value:
            continue
        same = [getattr(row, name) == getattr(other, name) for name in ("thing", "what", "period")]
        if sum(same) < 2:
            continue
        kind = ("join-party", "join-figure", "join-period")[same.index(False)]
        changed = list(rows)
        changed[at], changed[n] = row._replace(value=other.value), other._replace(value=row.value)
        yield Edit(kind, rows, tuple(changed), at, n)


OPERATORS: tuple[Operator, ...] = (
    exchange,
    exchange_parties,
    renumber_section,
    move_condition,
    change_force,
    negate,
    change_scope,
)


def edits(sentences: list[str], at: int, rng: random.Random) -> Iterator[Edit]:
    """Yield every edit of one sentence of a passage."""
    for operator in OPERATORS:
        yield from operator(sentences, at, rng)


def figures_agree(before: list[str], after: list[str]) -> bool:
    """Whether an exchange of figures left figures: what cannot be read again is odd text."""
    return all(len(figures(a)) == len(figures(b)) for a, b in zip(before, after, strict=True))


def _values(sentence: str) -> Iterator[tuple[int, int, str, str, str]]:
    """Ranges that can be exchanged, with kind, text and value; nouns and units stay where they are."""
    found: list[Figure] = figures(sentence)
    for figure in found:
        if sentence[: figure.start].endswith("("):  # the numeral of a figure in words
            continue
        end = figure.end - len(figure.tail) if figure.kind == "count" else figure.end
        yield (
            figure.start,
            end,
            figure.kind,
            sentence[figure.start : end],
            figure.value + (figure.tail.strip().lower().rstrip("s") if figure.kind in ("money", "duration") else ""),
        )
    sections = [match.span("number") for match in SECTION.finditer(sentence)]
    for start, end in sections:
        yield start, end, "section", *[sentence[start:end]] * 2
    for match in PERIOD.finditer(sentence):
        if not any(figure.start < match.end() and match.start() < figure.end for figure in found):
            # "the third quarter" and "2019" do not change places with one another.
            words = match[0]
            yield *match.span(), "period" if words[0].isdigit() else "quarter", words, words


def _renamed(sentence: str, pattern: re.Pattern[str], names: dict[str, str]) -> str:
    changed = pattern.sub(lambda match: names.get(match[0], match[0]), sentence)
    return ARTICLE.sub(lambda match: f"{match[1]}{'n' if match[2][0].lower() in 'aeio' else ''} ", changed)


def _replaced(kind: str, sentences: list[str], at: int, start: int, end: int, new: str) -> Edit:
    sentence = sentences[at]
    if start < end:
        new = as_start_of(new, sentence, start)
    return _edit(kind, sentences, [*sentences[:at], sentence[:start] + new + sentence[end:], *sentences[at + 1 :]], at)


def _edit(kind: str, before: list[str], after: list[str], at: int, other: int | None = None) -> Edit:
    return Edit(kind, tuple(map(Sentence, before)), tuple(map(Sentence, after)), at, at if other is None else other)
