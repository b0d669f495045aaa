"""Scores answers that are a section of the Georgia Code, or that the document does not say. Knows no law.

A case expects sections, and facts beside them (`30 days`, `an officer|one officer`), or that the answer is not in the
document: `expected` is then empty or says so. The tag `stale` gives what the document replaced. Right is: every
expected section and fact, no other section, nothing stale; or an abstention and no section beside it. An abstention may
repeat sections of the question. An answer that neither cites nor abstains, and one that is cut, empty or failed, is
unreadable: one wrong section where precision is counted, and an answer where none should have been given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import scorer
from harness.scoring.grounding.citation_parser import Citation, citations_in
from harness.scoring.legal.key_terms import Place, Term, places, read, term_of
from harness.scoring.text.normalize import normalise
from harness.scoring.text.refusals import refuses

SOURCE = r"(?:the|this)\s+(?:document|memo(?:randum)?|text|excerpt|letter|note|checklist|source|e-?mail|file)\b(?!['’])"
TOLD = r"(?:stated|named|given|mentioned|found|present|cited|covered|contained|listed|addressed|specified|provided)"
ABSTENTION = re.compile(
    rf"\b(?:not|nowhere)\s+(?:{TOLD}\s+)?(?:anywhere\s+)?(?:in|by|within)\s+{SOURCE}"
    rf"|\b{SOURCE}\s+(?:does\s+not|doesn['’]?t|did\s+not)\s+"
    r"(?:say|state|name|mention|give|cite|cover|contain|address|list|specify|provide|include|answer|refer)\b"
    rf"|\bno\s+(?:such\s+)?(?:section|answer|reference)\s+(?:is\s+)?(?:{TOLD}\s+)?(?:in|by)\s+{SOURCE}"
    rf"|\A\W*(?:none|n/a|not\s+{TOLD})\W*\Z",
    re.I,
)

METRICS = [
    Metric(
        name="accuracy",
        scorer="grounded",
        numerator="correct",
        says="Share of questions answered right: the section asked for, or that the document does not say.",
    ),
    Metric(
        name="citation_recall",
        scorer="grounded",
        numerator="hits",
        denominator="gold",
        says="Share of the sections asked for that the answers cite.",
    ),
    Metric(
        name="citation_precision",
        scorer="grounded",
        numerator="hits",
        denominator="predicted",
        says="Share of the sections cited that were asked for; an unreadable answer counts as one wrong section.",
    ),
    Metric(
        name="answered_unanswerable_rate",
        scorer="grounded",
        numerator="answered_unanswerable",
        denominator="unanswerable",
        higher_is_better=False,
        says="Share of the questions that the document does not answer which were answered, or unreadably.",
    ),
    Metric(
        name="refused_answerable_rate",
        scorer="grounded",
        numerator="refused_answerable",
        denominator="answerable",
        higher_is_better=False,
        says="Share of the questions that the document answers for which the answer was that it does not.",
    ),
    Metric(
        name="stale_answer_rate",
        scorer="grounded",
        numerator="stale",
        denominator="has_stale",
        higher_is_better=False,
        says="Share of the questions on a replaced rule whose answer gives the old one.",
    ),
    Metric(
        name="parse_rate",
        scorer="grounded",
        numerator="parsed",
        says="Share of answers that cite a section or say that the document does not answer.",
    ),
]


class ExpectedCitation(NamedTuple):
    """What a case expects."""

    sections: frozenset[tuple[str, ...]]
    """Sections, or ends of a range."""
    facts: tuple[Term, ...]
    """What must stand beside them."""

    @property
    def answerable(self) -> bool:
        return bool(self.sections or self.facts)


def abstention_in(text: str) -> Place | None:
    """Where an answer says that the document does not answer; its opening words where it declines to answer."""
    normal = normalise(text)
    found = ABSTENTION.search(normal.text)
    if found:
        return normal.original(*found.span())
    return (0, len(text)) if refuses(text) else None


@lru_cache(maxsize=4096)
def wanted_by(expected: tuple[str, ...]) -> ExpectedCitation:
    """Sections and facts of the lines of `expected`; a line that says the document does not answer is neither."""
    lines = [line for line in expected if abstention_in(line) is None]
    sections = frozenset(c.sections for line in lines for c in citations_in(line, True))
    return ExpectedCitation(sections, tuple(term_of(line) for line in lines if not citations_in(line, True)))


@lru_cache(maxsize=4096)
def _asked(question: str) -> frozenset[tuple[str, ...]]:
    return frozenset(c.sections for c in citations_in(question, True))


@scorer(metrics=METRICS, name="grounded")
def cited(case: Case, completion: Completion) -> Score:
    """The section asked for, or an abstention where the document does not answer."""
    wanted, text = wanted_by(tuple(case.expected)), completion.text
    complete = completion.finish_reason == "stop" and bool(text.strip())
    named = citations_in(text, case.tags.get("state") == "Georgia") if complete else ()
    says_not = abstention_in(text) if complete else None
    asked = _asked(case.input.get("question", "")) - wanted.sections
    own = [c for c in named if not (says_not and c.sections in asked)]
    abstained = says_not is not None and not own
    old = _stale(case, text, named) if complete else []
    cites = {c.sections for c in own}
    hits = 0 if not complete else len(cites & wanted.sections)
    facts = complete and _states(wanted.facts, text)
    right = says_not is None and cites == wanted.sections and facts and not old
    correct = right if wanted.answerable else abstained
    parsed = abstained or bool(own) or (bool(wanted.facts) and facts and not wanted.sections)
    return Score(
        name="grounded",
        value=float(correct),
        extracted={
            "cited": [" through ".join(s) for s in sorted(cites)],
            "missing": [" through ".join(s) for s in sorted(wanted.sections - cites)],
            "wrong": [" through ".join(s) for s in sorted(cites - wanted.sections)],
            "stale": [text[start:end] for start, end in old],
        },
        counts={
            "correct": int(correct),
            "gold": len(wanted.sections),
            "hits": hits,
            "predicted": len(cites) if parsed else 1,
            "answerable": int(wanted.answerable),
            "unanswerable": int(not wanted.answerable),
            "refused_answerable": int(wanted.answerable and abstained),
            "answered_unanswerable": int(not wanted.answerable and not abstained),
            "has_stale": int("stale" in case.tags),
            "stale": int(bool(old)),
            "parsed": int(parsed),
        },
        spans=_spans(text, named, wanted, own, old, says_not if complete else None),
    )


def _states(facts: Sequence[Term], text: str) -> bool:
    if not facts:
        return True
    reading = read(text)
    return all(places(fact, reading) for fact in facts)


def _stale(case: Case, text: str, named: Sequence[Citation]) -> list[Place]:
    """Where an answer gives what the document replaced: sections or terms."""
    written = case.tags.get("stale")
    if not written:
        return []
    replaced = wanted_by((written,))
    reading = read(text)
    found = [(c.start, c.end) for c in named if c.sections in replaced.sections]
    return found + [place for fact in replaced.facts for place in places(fact, reading)]


def _spans(
    text: str,
    named: Sequence[Citation],
    wanted: ExpectedCitation,
    own: Sequence[Citation],
    old: Sequence[Place],
    says_not: Place | None,
) -> list[Span]:
    def span(place: Place, kind: str, verdict: str, reason: str = "") -> Span:
        return Span(start=place[0], end=place[1], quote=text[slice(*place)], kind=kind, verdict=verdict, reason=reason)

    found = []
    for c in named:
        place = (c.start, c.end)
        if c not in own:
            found.append(span(place, "citation", "repeated", "the question names it"))
        elif place not in old:
            verdict = "right" if c.sections in wanted.sections else "wrong"
            found.append(span(place, "citation", verdict, "" if verdict == "right" else f"{c.says} was not asked for"))
    found += [span(place, "stale", "stale", "the document replaced it") for place in old]
    if says_not:
        found.append(span(says_not, "abstention", "wrong" if wanted.answerable or own else "right"))
    return sorted(found, key=lambda s: s.start)
