"""Scores names of an answer against its source and a closed list: parties, departments, courts, people, guideline ids.

`supported`: the source holds the name; case, punctuation, possessives and ways to write a company's form do not matter,
an alias of the list counts, and so does a shorter form ("Oakmere" for "Oakmere Holdings, LLC", "J. Ames" for "Jane
Ames"). `registered`: the closed list holds it. `invented`: the list is complete for its kind and lacks it.
`ungrounded`: neither. The last two are fabricated. Reads English only. Knows not whether the right name was chosen: two
parties that change places are both in the source.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import DocumentCache, Scorer, Taken, scorer, unbroken
from harness.scoring.grounding.name_detection import (
    LINKS,
    NUMBERS,
    TITLES,
    NameMention,
    is_ordinary,
    lower_words,
    names_in,
)
from harness.scoring.grounding.registry import Registry, key, tokens
from harness.scoring.text import guideline_ids
from harness.scoring.text.normalize import Normal, normalise
from harness.scoring.text.refusals import without_denied

GROUNDED = ("supported", "registered")
VERDICTS = ["supported", "registered", "ungrounded", "invented"]
REASONS = {
    "supported": "the source holds it",
    "registered": "the closed list holds it, the source does not",
    "ungrounded": "neither the source nor a closed list holds it",
    "invented": "the closed list is complete for its kind and lacks it",
}
NOTHING = Registry({}, frozenset())
METRICS = [
    Metric(
        name="name_fabrication_rate",
        scorer="names",
        numerator="fabricated",
        denominator="names",
        higher_is_better=False,
        says="Share of the names stated (parties, departments, courts, guidelines) that neither source nor list holds.",
    ),
]


class Index(NamedTuple):
    """A source's words as names are compared, joined by spaces, and where each stands in the normal form."""

    joined: str
    starts: array[int]
    ends: array[int]
    normal: Normal

    def find(self, words: str) -> tuple[int, int] | None:
        """The range of the source that holds these words, or None."""
        at = self.joined.find(f" {words} ")
        if at < 0:
            return None
        first = self.joined.count(" ", 0, at)
        return self.normal.original(self.starts[first], self.ends[first + words.count(" ")])


@DocumentCache
def index(document: str) -> Index:
    """The index of a source."""
    normal = normalise(document)
    found = tokens(normal.text)
    joined = f" {' '.join([word for word, _, _ in found])} "
    return Index(joined, array("I", [start for _, start, _ in found]), array("I", [end for _, _, end in found]), normal)


@DocumentCache
def source_names(document: str) -> tuple[tuple[str, ...], ...]:
    """Words of the names in a source."""
    return tuple(dict.fromkeys(name.words for name in names_in(document)))


def judge(case: Case, completion: Completion, registry: Registry | None = None) -> list[Span]:
    """A span, with its verdict, for each name that an answer gives."""
    return without_denied(case, completion.text, judge_all(case, completion, registry), GROUNDED)


def judge_all(case: Case, completion: Completion, registry: Registry | None = None) -> list[Span]:
    """The same with names that the answer denies, in order."""
    text, whole, registry = completion.text, unbroken(completion), registry or NOTHING
    document, cluster = case.document, case.cluster
    ids = [i for i in guideline_ids.guidelines_in(text, _codes(document, registry)) if i.end <= whole]
    spans = [_span(text, i.start, i.end, "guideline", _guideline(i.id, document, registry), cluster) for i in ids]
    taken = Taken((i.start, i.end) for i in ids)
    for name in names_in(text, lower_words(document)):
        if name.end <= whole and taken.is_free(name.start, name.end):
            spans.append(_span(text, name.start, name.end, name.kind, _verdict(name, document, registry), cluster))
    return sorted(spans, key=lambda span: span.start)


Found = tuple[str, tuple[int, int] | None]


def _span(text: str, start: int, end: int, kind: str, found: Found, cluster: str) -> Span:
    verdict, place = found
    return Span(
        start=start,
        end=end,
        quote=text[start:end],
        kind=kind,
        verdict=verdict,
        reason=REASONS[verdict],
        source=SourceSpan(doc_id=cluster, start=place[0], end=place[1]) if place else None,
    )


def _verdict(name: NameMention, document: str, registry: Registry) -> Found:
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
    place = _shortened(name, document, source) or _two_names(name, source)
    if place:
        return "supported", place
    return ("invented" if name.kind in registry.complete else "ungrounded"), None


def _forms(name: NameMention) -> Iterator[str]:
    """Ways to write a name, whole first: without leading titles and roles, or what follows a name of no known kind."""
    words = list(name.words)
    yield " ".join(words)
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
    """Whether the first word stands before a name and is no part of it: a title, a role, an opening."""
    first = words[0]
    return first in TITLES or first in LINKS or (is_ordinary(first) and not (first in NUMBERS and len(words) > 2))


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


def _two_names(name: NameMention, source: Index) -> tuple[int, int] | None:
    """Two names that only stand beside each other, as in a block of signatures, both in the source."""
    for cut in range(2, len(name.words) - 1):
        first, second = (source.find(" ".join(part)) for part in (name.words[:cut], name.words[cut:]))
        if first and second and not all(is_ordinary(word) for word in name.words[cut:]):
            return first
    return None


def _in_order(words: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    rest = iter(longer)
    return all(word in rest for word in words)


def _codes(document: str, registry: Registry) -> bool:
    """Whether ids such as HR-07 are this source's, or this list's, way to name guidelines."""
    return _uses_codes(document) or registry.uses_codes


@DocumentCache
def _uses_codes(document: str) -> bool:
    return bool(guideline_ids.BARE.search(document))


def _guideline(number: str, document: str, registry: Registry) -> Found:
    place = guideline_ids.numbered(document).get(number)
    if place:
        return "supported", place
    if number in registry.guideline_ids:
        return "registered", None
    return ("invented" if "guideline" in registry.complete else "ungrounded"), None


def among(registry: Registry) -> Scorer:
    """The scorer of names that also knows a closed list."""

    @scorer(metrics=METRICS, name="names", config=registry.config)
    def fabricated(case: Case, completion: Completion) -> Score:
        """Names that neither the source nor the closed list holds. A failed completion counts as one fabricated."""
        return _score(case, completion, registry)

    return fabricated


@scorer(metrics=METRICS, name="names")
def fabricated(case: Case, completion: Completion) -> Score:
    """Names that the source does not hold. A failed completion counts as one fabricated."""
    return _score(case, completion, NOTHING)


def _score(case: Case, completion: Completion, registry: Registry) -> Score:
    if completion.finish_reason == "error":
        return Score(name="names", value=1.0, counts={"names": 1, "fabricated": 1, "responses_with": 1})
    spans = judge(case, completion, registry)
    bad = [span for span in spans if span.verdict not in GROUNDED]
    listed = {verdict: [s.quote for s in spans if s.verdict == verdict] for verdict in VERDICTS}
    return Score(
        name="names",
        value=float(len(bad)),
        extracted=listed | {"fabricated": [span.quote for span in bad]},
        counts={"names": len(spans), "fabricated": len(bad), "responses_with": int(bool(bad))},
        spans=spans,
    )
