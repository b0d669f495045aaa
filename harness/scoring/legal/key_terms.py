"""Scores a summary by the key terms it carries. Knows no instrument and no contract: each case lists its clauses.

A case's `expected` has one line for each clause, `name: term + term`, and `!name: ...` where the clause is critical. A
term is one or more alternatives, `deposit|earnest money`. An alternative that is a figure (`$25,000`, `30 days`) is
found wherever the same value is written, in words or digits; any other is found as whole words in any case. The first
term is the clause's anchor: a term counts only near it, and two figures of one kind that stand with each other's clause
count for neither. The tag `stale` gives terms, in the same form, that the source replaced or struck.

Knows words, not meaning: a clause that is carried in words nobody listed is missed, and a denied one is found.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, islice
from typing import NamedTuple

from harness.errors import refuse_all
from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import DocumentCache, scorer, unbroken
from harness.scoring.text.normalize import normalise
from harness.scoring.text.phrases import lower
from harness.scoring.text.quantities import SizeKey, figures_in, size_key

BREAK_COST = 80
"""Characters that the end of a sentence counts as."""
MOST_PLACES = 50
"""Places of one term that are looked at; an answer with more of them is no summary."""
BREAK = re.compile(r"[.;!?\n](?:(?<=\n)|(?=\s))")
GAPS = re.compile(r"\s\s")
SAME_LENGTH = str.maketrans({"’": "'", "‘": "'", "\u2010": "-", "\u2011": "-", "\u2013": "-", "\n": " ", "\t": " "})

Place = tuple[int, int]
"""Where a term stands: first character and one past the last."""


class Term(NamedTuple):
    """One key term in its alternatives."""

    says: str
    words: tuple[str, ...]
    """Lower-case alternatives in words."""
    figures: frozenset[SizeKey]
    """Alternatives that are figures, by unit and value."""
    kinds: frozenset[str]
    """Kinds of those figures."""


class TermPlace(NamedTuple):
    """A place with the ends of sentences before it added on, so that distances grow over them."""

    start: int
    end: int
    place: Place


class TermReading(NamedTuple):
    """An answer made ready for look-ups; places are offsets into the original."""

    text: str
    """Lower case, single spaces."""
    origin: Sequence[int] | None
    """Offset of each of its characters in the original, None where equal."""
    figures: Mapping[SizeKey, list[Place]]
    """Places of its figures by unit and value."""
    breaks: Sequence[int]
    """Ends of its sentences."""

    def standing(self, place: Place) -> TermPlace:
        start, end = place
        breaks = self.breaks
        return TermPlace(
            start + BREAK_COST * bisect_left(breaks, start), end + BREAK_COST * bisect_left(breaks, end), place
        )


@lru_cache(maxsize=4096)
def term_of(written: str) -> Term:
    """The term that `a|b` stands for."""
    words, figures, kinds = [], set(), set()
    for alternative in (part.strip() for part in written.split("|")):
        whole = [f for f in figures_in(alternative) if (f.start, f.end) == (0, len(alternative))]
        if whole:
            figures.add(size_key(whole[0].unit, whole[0].value))
            kinds.add(whole[0].kind)
        elif alternative:
            words.append(" ".join(alternative.lower().translate(SAME_LENGTH).split()))
    return Term(written.strip(), tuple(words), frozenset(figures), frozenset(kinds))


def read(text: str, whole: int | None = None) -> TermReading:
    """An answer, up to the offset `whole`, made ready for look-ups."""
    cut = text if whole is None else text[:whole]
    normal = normalise(cut)
    low = lower(normal.text.translate(SAME_LENGTH))
    origin: Sequence[int] | None = normal.starts
    if GAPS.search(low):
        kept = [i for i, c in enumerate(low) if not (c.isspace() and low[i - 1 : i].isspace())]
        low = "".join(" " if low[i].isspace() else low[i] for i in kept)
        origin = [origin[i] for i in kept] if origin is not None else kept
    figures: dict[SizeKey, list[Place]] = {}
    for figure in figures_in(text):
        if figure.end <= len(cut):
            figures.setdefault(size_key(figure.unit, figure.value), []).append((figure.start, figure.end))
    return TermReading(low, origin, figures, [m.start() for m in BREAK.finditer(cut)])


def places(term: Term, reading: TermReading) -> list[Place]:
    """Where a term stands in an answer."""
    found = [place for value in term.figures for place in reading.figures.get(value, ())]
    for words in term.words:
        found.extend(islice(_whole_words(words, reading), MOST_PLACES))
    return found[:MOST_PLACES]


def _whole_words(words: str, reading: TermReading) -> Iterator[Place]:
    text, at = reading.text, reading.text.find(words)
    while at >= 0:
        end = at + len(words)
        starts_inside = at > 0 and words[0].isalnum() and text[at - 1].isalnum()
        ends_inside = end < len(text) and words[-1].isalnum() and text[end].isalnum()
        if not starts_inside and not ends_inside:
            yield (at, end) if reading.origin is None else (reading.origin[at], reading.origin[end - 1] + 1)
        at = text.find(words, at + 1)


REACH = 200
"""Characters between an anchor and a term that still belongs to it, about thirty words."""
METRICS = [
    Metric(
        name="term_recall",
        scorer="terms",
        numerator="found_terms",
        denominator="terms",
        says="Share of the key terms (names, amounts, dates, periods, clauses) that the summaries carry.",
    ),
    Metric(
        name="critical_term_recall",
        scorer="terms",
        numerator="found_critical",
        denominator="critical",
        says="Share of the critical clauses that the summaries carry with all of their key terms.",
    ),
    Metric(
        name="complete_summary_rate",
        scorer="terms",
        numerator="complete",
        says="Share of summaries that carry every critical clause with its terms, and nothing that was replaced.",
    ),
    Metric(
        name="stale_term_rate",
        scorer="terms",
        numerator="stale",
        denominator="has_stale",
        higher_is_better=False,
        says="Share of the sources with a replaced or struck term whose summary states it.",
    ),
    Metric(
        name="compression",
        scorer="terms",
        numerator="words",
        denominator="source_words",
        higher_is_better=False,
        unbounded=True,
        says="Words of the summaries for each word of their sources.",
    ),
]


class Clause(NamedTuple):
    """One clause that a summary must carry."""

    name: str
    critical: bool
    terms: tuple[Term, ...]


@lru_cache(maxsize=4096)
def clauses_of(expected: tuple[str, ...]) -> tuple[Clause, ...]:
    """The clauses that a case expects; lines that cannot be read are refused together."""
    refuse_all(_unreadable(expected), "key terms")
    return tuple(_clause(line) for line in expected)


def _clause(line: str) -> Clause:
    name, _, rest = line.partition(":")
    terms = dict.fromkeys(term_of(part) for part in rest.split(" + "))
    return Clause(name.strip("! "), name.lstrip().startswith("!"), tuple(terms))


def _unreadable(expected: Sequence[str]) -> list[str]:
    """What is wrong with lines that cannot be read, or that name one clause twice."""
    clauses = [(line, _clause(line)) for line in expected]
    names = [clause.name for _, clause in clauses]
    return [
        f"expected {line!r} is no clause, or a second one of its name; write 'name: term + term|alternative'"
        for line, (name, _, terms) in clauses
        if not name or not all(term.words or term.figures for term in terms) or names.count(name) > 1
    ]


class Carried(NamedTuple):
    """What an answer carries of one clause: its anchor and, by term, the nearest place within reach."""

    clause: Clause
    anchors: Sequence[TermPlace]
    near: dict[Term, TermPlace]


Held = tuple[Carried, Term]


def carried(clause: Clause, reading: TermReading) -> Carried:
    """The clause's terms within reach of the anchor that has most of them."""
    standing = [(term, [*map(reading.standing, places(term, reading))]) for term in clause.terms]
    _, anchors = standing[0]
    best: dict[Term, TermPlace] = {}
    for anchor in anchors:
        near = {clause.terms[0]: anchor}
        for term, others in standing[1:]:
            gaps = [_gap(anchor, other) for other in others]
            if gaps and min(gaps) <= REACH:
                near[term] = others[gaps.index(min(gaps))]
        if len(near) > len(best):
            best = near
    return Carried(clause, anchors, best)


def _gap(one: TermPlace, other: TermPlace) -> int:
    gap = other.start - one.end if one <= other else one.start - other.end
    return max(0, gap)


def mispaired(found: Sequence[Carried]) -> list[Held]:
    """Figures of one kind that stand with each other's clause: changing them over would bring both nearer."""

    def nearest(clause: Carried, place: TermPlace) -> int:
        return min([_gap(anchor, place) for anchor in clause.anchors])

    held = [(c, t, c.near[t]) for c in found for t in c.clause.terms if t.kinds and t in c.near]
    wrong: dict[tuple[str, Term], Held] = {}
    for (one, term, place), (two, rival, other) in combinations(held, 2):
        if one is two or term.figures & rival.figures or not term.kinds & rival.kinds:
            continue
        straight = nearest(one, place) + nearest(two, other)
        if straight > nearest(one, other) + nearest(two, place):
            wrong[one.clause.name, term] = (one, term)
            wrong[two.clause.name, rival] = (two, rival)
    return list(wrong.values())


@scorer(metrics=METRICS, name="terms", check=lambda case: _unreadable(case.expected))
def covered(case: Case, completion: Completion) -> Score:
    """Key terms that a summary carries, of those the case lists. A failed or empty summary carries none."""
    clauses = clauses_of(tuple(case.expected))
    if not clauses:
        return Score(name="terms", value=None, reason="the case lists no key terms")
    reading = read(completion.text, 0 if completion.finish_reason == "error" else unbroken(completion))
    found = [carried(clause, reading) for clause in clauses]
    swapped = mispaired(found)
    for one, term in swapped:
        one.near.pop(term)
    replaced = [part for part in case.tags.get("stale", "").split(" + ") if part.strip()]
    stale = [place for part in replaced for place in places(term_of(part), reading)]
    return _score(case, completion, found, swapped, stale)


@DocumentCache
def source_words(document: str) -> int:
    """Words of a source."""
    return len(document.split())


def _score(case: Case, done: Completion, found: list[Carried], swapped: list[Held], stale: list[Place]) -> Score:
    whole = {c.clause.name for c in found if len(c.near) == len(c.clause.terms)}
    critical = [c.clause.name for c in found if c.clause.critical]
    terms, hits = sum(len(c.clause.terms) for c in found), sum(len(c.near) for c in found)
    missing = [f"{c.clause.name}: {t.says}" for c in found for t in c.clause.terms if t not in c.near]
    complete = done.finish_reason == "stop" and whole.issuperset(critical) and not stale
    counts = {
        "terms": terms,
        "found_terms": hits,
        "critical": len(critical),
        "found_critical": sum(name in whole for name in critical),
        "complete": int(complete),
        "mispaired": len(swapped),
        "stale": int(bool(stale)),
        "has_stale": int("stale" in case.tags),
        "words": 0 if done.finish_reason == "error" else len(done.text.split()),
        "source_words": source_words(case.document),
    }
    return Score(
        name="terms",
        value=hits / terms,
        extracted={
            "found": [c.clause.name for c in found if c.clause.name in whole],
            "missing": missing,
            "mispaired": [f"{c.clause.name}: {term.says}" for c, term in swapped],
            "stale": [done.text[start:end] for start, end in stale],
        },
        counts=counts,
        spans=_spans(done.text, found, stale),
    )


def _spans(text: str, found: Iterable[Carried], stale: Sequence[Place]) -> list[Span]:
    why: Mapping[Place, tuple[str, str]] = {
        **{standing.place: ("carried", c.clause.name) for c in found for standing in c.near.values()},
        **dict.fromkeys(stale, ("stale", "the source replaced or struck it")),
    }
    return [
        Span(start=a, end=b, quote=text[a:b], kind="term", verdict=verdict, reason=reason)
        for (a, b), (verdict, reason) in sorted(why.items())
    ]
