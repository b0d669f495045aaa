"""Score answers that are a section of the Georgia Code, or that say the document has no answer.

A case expects sections, with facts (`30 days`, `an officer|one officer`), or that the answer is not in the document:
`expected` is then empty or says so. The tag `stale` has what the document replaced, each part after ` + `. An answer is
right with every expected section and fact, no other section or guess and nothing stale; or with an abstention and no
section. An answer may repeat sections of the question that it denies. An answer that neither cites nor abstains, or
is cut, empty or failed, is unreadable: it counts as one wrong section for precision, and as an answer if the document
has none.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import make_span, ratios, scorer
from harness.scoring.grounding.citation_parser import Citation, citations_in
from harness.scoring.legal.key_terms import Place, Term, places, read, term_of
from harness.scoring.numeric import is_denied
from harness.scoring.text.normalize import normalise
from harness.scoring.text.quantities import SizeKey, figures_in, size_key
from harness.scoring.text.refusals import clauses, is_declining, lower, refuses

SECTION = r"(?:(?:code|such|specific|particular|georgia) )*(?:section|statute|citation|provision)s?"
NAMED = r"(?:named|cited|given|stated|mentioned|referenced|specified|identified|listed|provided)"
TELL = r"(?:cite|reference|name|give|mention|list|provide|state|identify|specify|refer to)"
TELLS = r"(?:(?:cite|reference|name|give|mention|list|provide|state|identifie|specifie)s|refers to)"
BARE = re.compile(rf"\W*(?:none(?:\s+{NAMED})?|not\s+(?:{NAMED}|found|present|covered))\W*", re.I)
"""An abstention that is a whole answer."""
NO_SECTION = re.compile(
    rf"^\W*no {SECTION}(?: {NAMED})?\W*$|\b(?:no {SECTION}|none) (?:is|are|was|were) {NAMED}\b"
    rf"|\bthere (?:is|are) (?:none\b|no {SECTION})"
    rf"|\b(?:does|do|did)(?: not|n't) {TELL} (?:(?:a|any) {SECTION}|one\b)"
    rf"|\b{TELLS} no {SECTION}|\b(?:names|cites|gives|mentions) none\b"
)
"""Says that no section is named; for one clause in lower case."""
DENIED = re.compile(
    r"\b(?:neither|nor|other than|apart from|besides)\b"
    rf"|\b(?:is|are|was|does|do|did)(?: not|n't) (?:\w+ )?(?:{NAMED}|in|among|name|cite|mention|reference|contain"
    r"|include|exist|appear|list)\b"
)
"""Denies the section that the clause names; for one clause in lower case."""
ITSELF = re.compile(
    rf"x{{4,}}\W*(?:is|was)(?: not|n't) (?:\w+ )?(?:{NAMED}|in)\b"
    r"|\b(?:does|do|did)(?: not|n't) (?:\w+ )?(?:name|cite|mention|reference|contain|include) x{4,}"
)
"""Denies a section, masked by x, in so many words."""
DENIED_BEFORE = re.compile(
    r"^\W*(?:it|(?:this|that) section) (?:is|was|does)(?: not|n't) (?:\w+ )?"
    rf"(?:{NAMED}|in|among|exist|appear)\b(?! (?:how|wh))"
    r"|(?:not|n't) (?:\w+ )?(?:name|cite|mention|reference|contain|include|list) (?:it|(?:this|that) section)\W*$"
)
"""Denies the section of the clause before: "but the document does not mention it"."""
NOT = re.compile(r"(?<!or )\bnot\s+(?:(?:under|by|in)\s+)?[*_\"'“‘(]*$", re.I)
"""Ends before a section that an answer sets another one against."""
AND = re.compile(r"\band (?=(?:the|this)\b)")
"""Between a section and an abstention in one clause."""
OR = re.compile(r"\bor\s+$", re.I)
"""Before an abstention that is only one of two answers."""
OTHER = re.compile(r"\b(?:other|another|further|additional)\b")
"""After a section, "it names no other section" is no abstention."""
GUESSES = re.compile(r"[\s,;/]*(?:(?:and|or|maybe|perhaps|possibly)\b[\s,]*)*")
"""Between the figures of a list of guesses."""

METRICS = ratios(
    "grounded",
    {
        "accuracy = correct": "Share of questions answered right: with the section asked for, or that the document has "
        "no answer.",
        "citation_recall = hits / gold": "Share of the sections asked for that the answers cite.",
        "citation_precision = hits / predicted": "Share of the sections cited that were asked for; an unreadable "
        "answer counts as one wrong section.",
    },
    fewer={
        "answered_unanswerable_rate = answered_unanswerable / unanswerable": "Share of the questions without an answer "
        "in the document that were answered, or unreadably.",
        "refused_answerable_rate = refused_answerable / answerable": "Share of the questions with an answer in the "
        "document for which the model said it has none.",
        "stale_answer_rate = stale / has_stale": "Share of the questions on a replaced rule whose answer states the "
        "old one.",
    },
) + ratios(
    "grounded", {"parse_rate = parsed": "Share of answers that cite a section or say that the document has no answer."}
)


class ExpectedCitation(NamedTuple):
    """What a case expects."""

    sections: frozenset[tuple[str, ...]]
    """Sections, or ends of a range."""
    facts: tuple[Term, ...]
    """What the answer must state besides."""

    @property
    def answerable(self) -> bool:
        return bool(self.sections or self.facts)


def abstention_in(text: str, cites: bool = False) -> Place | None:
    """Return where an answer says that the document has no answer; all of it if it declines to answer; else None.

    An answer that cites a section may say that the document has no other one.
    """
    if refuses(text) or BARE.fullmatch(text):
        return 0, len(text)
    normal = normalise(text)
    declining = (
        normal.original(start, end)
        for start, end, one in clauses(lower(normal.text))
        if (is_declining(one) or NO_SECTION.search(one)) and not (cites and OTHER.search(one))
    )
    return next(declining, None)


@lru_cache(maxsize=4096)
def parse_expected(expected: tuple[str, ...]) -> ExpectedCitation:
    """Read sections and facts from the lines of `expected`; a line that says the document has no answer is neither."""
    lines = [line for line in expected if abstention_in(line) is None]
    sections = frozenset(c.sections for line in lines for c in citations_in(line, True))
    return ExpectedCitation(sections, tuple(term_of(line) for line in lines if not citations_in(line, True)))


@scorer(metrics=METRICS, name="grounded")
def cited(case: Case, completion: Completion) -> Score:
    """Whether the answer is the section asked for, or an abstention if the document has no answer."""
    expected, text = parse_expected(tuple(case.expected)), completion.text
    complete = completion.finish_reason == "stop" and bool(text.strip())
    named = citations_in(text, case.tags.get("state") == "Georgia") if complete else ()
    abstention = abstention_in(text, bool(named)) if complete else None
    repeatable = {c.sections for c in citations_in(case.input.get("question", ""), True)} - expected.sections
    denied = _denied(text, named, repeatable, expected.sections)
    own = [c for c in named if c not in denied]
    if abstention is None and denied and not own:
        abstention = (denied[0].start, denied[0].end)
    abstained = abstention is not None and not own and not OR.search(text[: abstention[0]])
    stale = _stale(case, text, named) if complete else []
    cites = {c.sections for c in own}
    facts = complete and _states(expected.facts, text)
    right = abstention is None and cites == expected.sections and facts and not stale
    correct = right if expected.answerable else abstained
    parsed = abstained or bool(own) or (bool(expected.facts) and facts and not expected.sections)
    return Score(
        name="grounded",
        value=float(correct),
        extracted={
            "cited": _labels(cites),
            "missing": _labels(expected.sections - cites),
            "wrong": _labels(cites - expected.sections),
            "stale": [text[start:end] for start, end in stale],
        },
        counts={
            "correct": int(correct),
            "gold": len(expected.sections),
            "hits": len(cites & expected.sections),
            "predicted": len(cites) if parsed else 1,
            "answerable": int(expected.answerable),
            "unanswerable": int(not expected.answerable),
            "refused_answerable": int(expected.answerable and abstained),
            "answered_unanswerable": int(not expected.answerable and not abstained),
            "has_stale": int("stale" in case.tags),
            "stale": int(bool(stale)),
            "parsed": int(parsed),
        },
        spans=_spans(text, named, expected, own, stale, abstention if complete else None),
    )


Sections = Container[tuple[str, ...]]


def _denied(text: str, named: Sequence[Citation], repeatable: Sections, expected: Sections) -> list[Citation]:
    """The sections of the question that the answer denies, and the expected ones of which it does so expressly."""
    masked = list(text)
    for c in named:
        masked[c.start : c.end] = "x" * (c.end - c.start)
    normal = normalise("".join(masked))
    parts = [
        (normal.original(start + a, start + b), one[a:b])
        for start, _, one in clauses(lower(normal.text))
        for a, b in pairwise([0, *(match.start() for match in AND.finditer(one)), len(one)])
    ]
    after = [*(one for _, one in parts[1:]), ""]
    is_answered = any(c.sections not in repeatable for c in named)
    return [
        c
        for c in named
        for ((start, end), one), other in zip(parts, after, strict=True)
        if start <= c.start < end
        and (
            (
                c.sections in repeatable
                and (_denies(one, other) or (is_answered and NOT.search(text, max(0, c.start - 20), c.start)))
            )
            or (c.sections in expected and ITSELF.search(one) and not OTHER.search(one))
        )
    ]


def _denies(one: str, other: str) -> bool:
    """Whether a clause, or the one after it, says that the document does not have the section that it names."""
    found = is_declining(one) or NO_SECTION.search(one) or DENIED.search(one) or DENIED_BEFORE.search(other)
    return bool(found)


def _labels(sections: Iterable[tuple[str, ...]]) -> list[str]:
    return [" through ".join(ends) for ends in sorted(sections)]


def _states(facts: Sequence[Term], text: str) -> bool:
    """Whether an answer states every fact and denies none, with no other figure before it or in a list of guesses."""
    return not facts or (all(map(partial(places, reading=read(text)), facts)) and not _hedges(facts, text))


def _hedges(facts: Sequence[Term], text: str) -> bool:
    right = frozenset[SizeKey]().union(*(fact.figures for fact in facts))
    found = [(figure, size_key(figure.unit, figure.value) in right) for figure in figures_in(text)]
    first = dict(reversed([(one.unit, is_right) for one, is_right in found if not is_denied(text, one.start)]))
    if not all(first.get(one.unit) for one, is_right in found if is_right):
        return True
    listed = [(one, other) for (one, _), (other, _) in pairwise(found) if GUESSES.fullmatch(text, one.end, other.start)]
    return any(
        one.kind == other.kind and len({size_key(each.unit, each.value) for each in (one, other)} & right) == 1
        for one, other in listed
    )


def _stale(case: Case, text: str, named: Sequence[Citation]) -> list[Place]:
    """Where an answer states sections or terms that the document replaced."""
    tag = case.tags.get("stale")
    if not tag:
        return []
    replaced = parse_expected(tuple(tag.split(" + ")))
    reading = read(text)
    sections = [(c.start, c.end) for c in named if c.sections in replaced.sections]
    return sections + [place for fact in replaced.facts for place in places(fact, reading)]


def _spans(
    text: str,
    named: Sequence[Citation],
    expected: ExpectedCitation,
    own: Sequence[Citation],
    stale: Sequence[Place],
    abstention: Place | None,
) -> list[Span]:
    spans = [make_span(text, *place, "stale", "stale", "the document replaced it") for place in stale]
    for c in named:
        verdict, reason = (
            ("right", "") if c.sections in expected.sections else ("wrong", f"{c.label} was not asked for")
        )
        if c not in own:
            verdict, reason = "repeated", "the answer says that the document does not have it"
        if verdict == "repeated" or (c.start, c.end) not in stale:
            spans.append(make_span(text, c.start, c.end, "citation", verdict, reason))
    if abstention:
        verdict = "wrong" if expected.answerable or own else "right"
        spans.append(make_span(text, *abstention, "abstention", verdict))
    return sorted(spans, key=lambda span: span.start)
