"""Score names of an answer against its source and a closed list: parties, departments, courts, people, guideline ids.

`supported`: the source has the name; case, punctuation, possessives and spellings of a company's form are ignored, and
an alias of the list or a shorter form counts ("Oakmere" for "Oakmere Holdings, LLC", "J. Ames" for "Jane Ames"). A
single word is a name where its capital does not open a sentence, and may have another form in the source ("Iraqi" for
"Iraq", "CNN" for "convolutional neural network").
`registered`: the closed list has it. `invented`: the list is complete for its kind and lacks it. `ungrounded`: neither.
The last two are fabricated. For English only. Whether it is the right name is not checked: two swapped parties are both
in the source.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import DocumentCache, RangeSet, Scorer, make_span, ratios, scorer, whole_length
from harness.scoring.grounding.claims import score_answer
from harness.scoring.grounding.name_detection import (
    LINKS,
    NUMBERS,
    STARTER,
    TITLES,
    NameMention,
    is_ordinary,
    lower_words,
    names_in,
)
from harness.scoring.grounding.registry import Registry, key, tokens
from harness.scoring.text import guideline_ids
from harness.scoring.text.normalize import Normal, normalise

GROUNDED = ("supported", "registered")
VERDICTS = ["supported", "registered", "ungrounded", "invented"]
REASONS = {
    "supported": "the source has it",
    "registered": "the closed list has it, the source does not",
    "ungrounded": "neither the source nor a closed list has it",
    "invented": "the closed list is complete for its kind and lacks it",
}
NOTHING = Registry({}, frozenset())
METRICS = ratios(
    "names",
    {},
    {
        "name_fabrication_rate = fabricated / names": "Share of the names stated (parties, departments, courts, "
        "guidelines) that neither source nor list has."
    },
)
MOST_PERSON = 3
"""Words of a person's name."""
START, MOST_INITIALS = 3, 5
"""Letters by which forms of a word are looked up, and of the longest abbreviation."""
INFLECTED = re.compile(r"(?:[aeiony]|e?ans?|ians?|ese|ish|ics?|al|ed|er|ing|is[mt]|ity|ey|)s?")
"""Ends of a name, its adjective and its plural, after the letters that they share."""
SAME_COUNTRY = [
    ("us", "usa", "america", "american", "americans", "united states"),
    ("uk", "britain", "british", "england", "english", "united kingdom"),
    ("eu", "europe", "european", "european union"),
]
STATES: dict[str, str] = dict(
    re.findall(
        r"(\S+)=(\w\w)",
        """
    alabama=AL alaska=AK arizona=AZ arkansas=AR california=CA colorado=CO connecticut=CT delaware=DE florida=FL
    georgia=GA hawaii=HI idaho=ID illinois=IL indiana=IN iowa=IA kansas=KS kentucky=KY louisiana=LA maine=ME maryland=MD
    massachusetts=MA michigan=MI minnesota=MN mississippi=MS missouri=MO montana=MT nebraska=NE nevada=NV
    new-hampshire=NH new-jersey=NJ new-mexico=NM new-york=NY north-carolina=NC north-dakota=ND ohio=OH oklahoma=OK
    oregon=OR pennsylvania=PA rhode-island=RI south-carolina=SC south-dakota=SD tennessee=TN texas=TX utah=UT vermont=VT
    virginia=VA washington=WA west-virginia=WV wisconsin=WI wyoming=WY
    """,
    )
)
"""Postal codes of the states, with which addresses end: "Lebanon, NJ 08833"."""
BETWEEN = r"\s+(?:[A-Z]\.?\s+)?(?:and\s+[A-Z]\w+\s+(?:[A-Z]\.?\s+)?|[A-Z]\w+\s+)?"
"""What may stand between them in the source: an initial, a middle name, a spouse."""


class Index(NamedTuple):
    """A source's words as names are compared, joined by spaces, with their ranges in the normal form."""

    joined: str
    starts: array[int]
    ends: array[int]
    normal: Normal

    def find(self, words: str) -> tuple[int, int] | None:
        """Return the range of the source with these words, or None."""
        at = self.joined.find(f" {words} ")
        if at < 0:
            return None
        first = self.joined.count(" ", 0, at)
        return self.normal.original(self.starts[first], self.ends[first + words.count(" ")])


@DocumentCache
def index(document: str) -> Index:
    """Index the words of a source."""
    normal = normalise(document)
    words = tokens(normal.text)
    joined = f" {' '.join([word for word, _, _ in words])} "
    return Index(joined, array("I", [start for _, start, _ in words]), array("I", [end for _, _, end in words]), normal)


@DocumentCache
def source_names(document: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of each name in a source."""
    return tuple(dict.fromkeys(name.words for name in names_in(document)))


def judge_all(case: Case, completion: Completion, registry: Registry | None = None) -> list[Span]:
    """Judge each name of an answer, in order."""
    text, whole, registry = completion.text, whole_length(completion), registry or NOTHING
    document, cluster = case.document, case.cluster
    uses_codes = registry.uses_codes or _uses_codes(document)
    guidelines = guideline_ids.guidelines_in(text, uses_codes, guideline_ids.numbered(document))
    ids = [i for i in guidelines if i.end <= whole]
    spans = [_span(text, i.start, i.end, "guideline", _guideline(i.id, document, registry), cluster) for i in ids]
    id_ranges = RangeSet((i.start, i.end) for i in ids)
    for name in names_in(text, lower_words(document)):
        if name.end <= whole and id_ranges.is_free(name.start, name.end):
            spans.append(_span(text, name.start, name.end, name.kind, _verdict(name, document, registry), cluster))
    return sorted(spans, key=lambda span: span.start)


Verdict = tuple[str, tuple[int, int] | None]
"""Verdict, and the range of the source that supports it."""


def _span(text: str, start: int, end: int, kind: str, judged: Verdict, cluster: str) -> Span:
    verdict, place = judged
    return make_span(text, start, end, kind, verdict, REASONS[verdict], place, cluster)


def _verdict(name: NameMention, document: str, registry: Registry) -> Verdict:
    source = index(document)
    forms = list(_forms(name))
    for words in forms:
        place = source.find(words)
        if place:
            return "supported", place
    entry = next((registry.by_key[words] for words in forms if words in registry.by_key), None)
    if entry:
        places = (source.find(key(form)) for form in entry.forms)
        place = next((p for p in places if p), None)
        return ("supported" if place else "registered"), place
    place = _shortened(name, document, source) or _two_names(name, document, source)
    place = place or _with_words_between(name, document) or _other_form(name, document, source)
    place = place or _by_postal_code(name, document)
    if place:
        return "supported", place
    return ("invented" if name.kind in registry.complete else "ungrounded"), None


def _forms(name: NameMention) -> Iterator[str]:
    """Forms of a name, the whole one first: in one word, without leading titles and roles or last ordinary words."""
    words = list(name.words)
    yield " ".join(words)
    if name.kind == "name" and len(words) == 2:
        yield "".join(words)  # "ProtonMail"
    if name.kind == "department":
        yield from _turned(words)
        return
    while len(words) > 1 and _is_role(words):
        words = words[1:]
        if all(is_ordinary(word) or word in LINKS for word in words):
            return
        yield " ".join(words)
    while name.kind == "name" and len(words) > 1 and (is_ordinary(words[-1]) or words[-1] in LINKS):
        words = words[:-1]
        yield " ".join(words)


def _is_role(words: list[str]) -> bool:
    """Whether the first word precedes a name and is not part of it: a title, a role, the opening of a sentence."""
    first = words[0]
    is_opening = STARTER.fullmatch(first) and len(words) > 2
    return bool(first in TITLES or first in LINKS or is_opening) or (
        is_ordinary(first) and not (first in NUMBERS and len(words) > 2)
    )


def _turned(words: list[str]) -> Iterator[str]:
    """ "Department of Records" for "Records Department" and the other way round."""
    if len(words) > 2 and words[1] in ("of", "on", "for"):
        content = words[3:] if words[2] == "the" else words[2:]
        yield " ".join([*content, words[0]])
        yield f"{words[0]} of the {' '.join(content)}"
        yield f"{words[0]} of {' '.join(content)}"
    elif len(words) > 1:
        yield f"{words[-1]} of {' '.join(words[:-1])}"
        yield f"{words[-1]} of the {' '.join(words[:-1])}"


def _shortened(name: NameMention, document: str, source: Index) -> tuple[int, int] | None:
    """A longer name of the source that begins and ends alike: "Oakmere, LLC", or "J. Ames" for "Jane B. Ames"."""
    words = name.words[1:] if name.words[0] in TITLES and len(name.words) > 2 else name.words
    if name.kind not in ("party", "person", "name", "fund"):
        return None
    for longer in source_names(document):
        alike = longer[0] == words[0] or (len(words[0]) == 1 and longer[0].startswith(words[0]))
        if alike and longer[-1] == words[-1] and len(longer) >= len(words) and _in_order(words[1:-1], longer[1:-1]):
            return source.find(" ".join(longer))
    return None


def _two_names(name: NameMention, document: str, source: Index) -> tuple[int, int] | None:
    """Two names that are both in the source: "Ida Ames of Dalton", or adjacent ones, as in a block of signatures."""
    words = name.words
    if "of" in words[1:-1] and name.kind != "department":
        cut = words.index("of", 1)
        verdicts = [_verdict(name._replace(words=part), document, NOTHING) for part in (words[:cut], words[cut + 1 :])]
        return verdicts[0][1] if all(verdict == "supported" for verdict, _ in verdicts) else None
    for cut in range(2, len(words) - 1):
        first, second = (source.find(" ".join(part)) for part in (words[:cut], words[cut:]))
        if first and second and not all(map(is_ordinary, words[cut:])):
            return first
    return None


def _with_words_between(name: NameMention, document: str) -> tuple[int, int] | None:
    """A person of the source whose middle name or spouse stands between: "Ida A. and Solomon Gebremariam"."""
    words = [word for word in name.words if word not in TITLES]
    if name.kind not in ("person", "name", "party") or not 2 <= len(words) <= MOST_PERSON or len(words[-1]) == 1:
        return None
    match = re.search(rf"\b{BETWEEN.join(f'(?i:{re.escape(word)})' for word in words)}\b", document)
    return match.span() if match else None


def _other_form(name: NameMention, document: str, source: Index) -> tuple[int, int] | None:
    """The source's form of a single word: "Iraq" for "Iraqi", "US" for "American", or the words of its initials."""
    if len(name.words) > 1:
        return None
    (word,) = name.words
    others = [other for forms in SAME_COUNTRY if word in forms for other in forms]
    others += [other for other in words_by_start(document).get(word[:START], ()) if _same_stem(word, other)]
    place = next((place for other in others if (place := source.find(other))), None)
    if place or not START <= len(word) <= MOST_INITIALS:
        return place
    letters = word.removesuffix("s")
    at = "".join(other[0] for other in source.joined.split()).find(letters)
    return None if at < 0 else source.normal.original(source.starts[at], source.ends[at + len(letters) - 1])


def _by_postal_code(name: NameMention, document: str) -> tuple[int, int] | None:
    """The state of an address of the source."""
    code = STATES.get("-".join(name.words))
    match = re.search(rf",\s+{code}\b(?=\s+\d{{5}}|[.;)\s]*$|[.;)]\s)", document, re.M) if code else None
    return match.span() if match else None


def _same_stem(word: str, other: str) -> bool:
    if word.removesuffix("s") == other.removesuffix("s"):
        return True
    shared = next(
        (at for at, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
    )
    return shared > START and bool(INFLECTED.fullmatch(word[shared:]) and INFLECTED.fullmatch(other[shared:]))


@DocumentCache
def words_by_start(document: str) -> dict[str, tuple[str, ...]]:
    """Return the words of a source by their first letters."""
    words: dict[str, tuple[str, ...]] = {}
    for word in sorted(set(index(document).joined.split())):
        words[word[:START]] = (*words.get(word[:START], ()), word)
    return words


def _in_order(words: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    rest = iter(longer)
    return all(word in rest for word in words)


@DocumentCache
def _uses_codes(document: str) -> bool:
    """Whether a source names guidelines by ids such as HR-07."""
    return bool(guideline_ids.BARE.search(document))


def _guideline(number: str, document: str, registry: Registry) -> Verdict:
    place = guideline_ids.numbered(document).get(number)
    if place:
        return "supported", place
    if number in registry.guideline_ids:
        return "registered", None
    return ("invented" if "guideline" in registry.complete else "ungrounded"), None


def among(registry: Registry | None = None) -> Scorer:
    """Make the scorer of names with a closed list, or with none."""

    @scorer(metrics=METRICS, name="names", config=(registry or NOTHING).config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """Names that neither the source nor the closed list has. A failed completion counts as one fabricated name."""
        return score_answer("names", case, completion, judge_all(case, completion, registry), GROUNDED, VERDICTS)

    return fabricated


fabricated = among()
