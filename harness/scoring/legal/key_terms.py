"""Score a summary by its key terms; each case lists its clauses.

A case's `expected` has one line per clause, `name: term + term`, and `!name: ...` for a critical clause. A term is one
or more alternatives, `deposit|earnest money`. An alternative that is a figure (`$25,000`, `30 days`) matches the same
value in words or digits; any other matches as whole words in any letter case and inflection ("closes" for "closing"),
and a name also without a middle initial or the company's form. The first term is the clause's anchor: a term counts
only near it, and two figures of one kind that are with each other's clause count for neither. The tag `stale` has
terms, in the same form, that the source replaced or struck.

Words are compared, not meaning: a clause in words that are not listed is missed, and a denied one is found.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, islice
from typing import NamedTuple

from harness.errors import refuse_all
from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import make_span, ratios, scorer, whole_length
from harness.scoring.text.normalize import Normal, lower, normalise
from harness.scoring.text.phrases import even, key
from harness.scoring.text.quantities import SizeKey, figures_in, size_key

BREAK_COST = 80
"""Characters of distance that the end of a sentence adds; an initial ends none."""
BREAK = re.compile(r"[.;!?\n](?<!\b[A-Z]\.)(?:(?<=\n)|(?=\s))")
ENDING = re.compile(r"(?<=[a-z]{4})(?:ing|ed|es|e)$|(?:(?<=[a-z]{2}[a-rt-z])(?:'s|s'|s))$")
INFLECTED = "(?:e|e?s|ed|ings?|'s|s')?"
FORM = re.compile(r"[,\s]+(?:llc|lllp|inc\.?|ltd\.?|corp\.?|co\.|l\.?p\.?|p\.?c\.?)$")
"""The form of a company at the end of its name."""
INITIAL = re.compile(r"[a-z]\.")
MAX_PLACES = 50
"""Places of one term that are examined; an answer with more is not a summary."""

Place = tuple[int, int]
"""Range of a term: first character and one past the last."""


class Term(NamedTuple):
    """One key term in its alternatives."""

    label: str
    words: tuple[str, ...]
    """Lower-case alternatives in words."""
    figures: frozenset[SizeKey]
    """Alternatives that are figures, by unit and value."""
    kinds: frozenset[str]
    """Kinds of those figures."""


class TermReading(NamedTuple):
    """An answer prepared for look-ups; places are offsets into the original."""

    text: str
    """The normal form in lower case."""
    normal: Normal
    figures: Mapping[SizeKey, list[Place]]
    """Places of its figures by unit and value."""
    breaks: Sequence[int]
    """Ends of its sentences."""

    def gap(self, one: Place, other: Place) -> int:
        """Return the characters between two places; the end of a sentence between them counts as BREAK_COST more."""
        first, second = sorted((one, other))
        ends = bisect_left(self.breaks, second[0]) - bisect_left(self.breaks, first[1])
        return max(0, second[0] - first[1]) + BREAK_COST * max(0, ends)


@lru_cache(maxsize=4096)
def term_of(written: str) -> Term:
    """Parse a term, `a|b`."""
    words, figures, kinds = [], set(), set()
    for alternative in (part.strip() for part in written.split("|")):
        whole = [f for f in figures_in(alternative) if (f.start, f.end) == (0, len(alternative))]
        if whole:
            figures.add(size_key(whole[0].unit, whole[0].value))
            kinds.add(whole[0].kind)
        elif alternative:
            words.append(key(alternative))
    return Term(written.strip(), tuple(words), frozenset(figures), frozenset(kinds))


def read(text: str, whole: int | None = None) -> TermReading:
    """Prepare an answer, up to the offset `whole`, for look-ups."""
    cut = text[:whole]
    normal = normalise(cut)
    figures: dict[SizeKey, list[Place]] = {}
    for figure in figures_in(text):
        if figure.end <= len(cut):
            figures.setdefault(size_key(figure.unit, figure.value), []).append((figure.start, figure.end))
    even_text = lower(even(normal.text)).replace("_", " ")  # keys of JSON are words
    return TermReading(even_text, normal, figures, [match.start() for match in BREAK.finditer(cut)])


@lru_cache(maxsize=4096)
def _phrase(words: str) -> re.Pattern[str]:
    """A pattern of whole words, each in any inflection; a name may lack a middle initial or the company's form."""
    pattern = ""
    for word in FORM.sub("", words).split():
        stem, space = ENDING.sub("", word.rstrip(",")), r",?\s+" if pattern else ""
        if pattern and INITIAL.fullmatch(word):
            pattern += rf"(?:\s+{word[0]}\.?)?"
        else:
            pattern += space + re.escape(stem) + (INFLECTED if stem.isalpha() else "")
    return re.compile(r"(?<!\w)(?<!\d[.,])" + pattern + r"(?!\w)(?![.,]\d)")


def places(term: Term, reading: TermReading) -> list[Place]:
    """List the ranges of a term in an answer."""
    ranges = [place for value in term.figures for place in reading.figures.get(value, ())]
    for words in term.words:
        matches = islice(_phrase(words).finditer(reading.text), MAX_PLACES)
        ranges += [reading.normal.original(*match.span()) for match in matches]
    return ranges[:MAX_PLACES]


REACH = 200
"""Most characters between an anchor and its term, about thirty words."""
METRICS = ratios(
    "terms",
    {
        "term_recall = found_terms / terms": "Share of the key terms (names, amounts, dates, periods, clauses) that "
        "the summaries contain.",
        "critical_term_recall = found_critical / critical": "Share of the critical clauses that the summaries contain "
        "with all of their key terms.",
        "complete_summary_rate = complete": "Share of summaries that contain every critical clause with its terms, and "
        "nothing that was replaced.",
    },
    fewer={
        "stale_term_rate = stale / has_stale": "Share of the sources with a replaced or struck term whose summary "
        "states it.",
        "compression = words / source_words": "Words of the summaries per word of their sources.",
    },
    unbounded=["compression"],
)


class Clause(NamedTuple):
    """One clause that a summary must contain."""

    name: str
    critical: bool
    terms: tuple[Term, ...]


@lru_cache(maxsize=4096)
def clauses_of(expected: tuple[str, ...]) -> tuple[Clause, ...]:
    """Parse the clauses that a case expects. Raises one UserError for all lines that cannot be read."""
    refuse_all(_unreadable(expected), "key terms")
    return tuple(_clause(line) for line in expected)


def _clause(line: str) -> Clause:
    name, _, rest = line.partition(":")
    terms = dict.fromkeys(term_of(part) for part in rest.split(" + "))
    return Clause(name.strip("! "), name.lstrip().startswith("!"), tuple(terms))


def _unreadable(expected: Sequence[str]) -> list[str]:
    """Problems of lines that cannot be read, or that name one clause twice."""
    clauses = [(line, _clause(line)) for line in expected]
    names = [clause.name for _, clause in clauses]
    return [
        f"expected {line!r} is not a clause, or its name occurs twice; write 'name: term + term|alternative'"
        for line, (name, _, terms) in clauses
        if not name or not all(term.words or term.figures for term in terms) or names.count(name) > 1
    ]


class Carried(NamedTuple):
    """What an answer contains of one clause: its anchors and, by term, the nearest place within REACH."""

    clause: Clause
    anchors: Sequence[Place]
    near: dict[Term, Place]


CarriedTerm = tuple[Carried, Term]


def carried(clause: Clause, reading: TermReading) -> Carried:
    """Return the clause's terms within REACH of the anchor that has most of them."""
    located = [(term, places(term, reading)) for term in clause.terms]
    _, anchors = located[0]
    best: dict[Term, Place] = {}
    for anchor in anchors:
        near = {clause.terms[0]: anchor}
        for term, others in located[1:]:
            gaps = [reading.gap(anchor, other) for other in others]
            if gaps and min(gaps) <= REACH:
                near[term] = others[gaps.index(min(gaps))]
        if len(near) > len(best):
            best = near
    return Carried(clause, anchors, best)


def mispaired(clauses: Sequence[Carried], reading: TermReading) -> list[CarriedTerm]:
    """List figures of one kind that are with each other's clause: swapping them would bring both nearer."""

    def nearest(clause: Carried, place: Place) -> int:
        return min([reading.gap(anchor, place) for anchor in clause.anchors])

    figures = [(c, t, c.near[t]) for c in clauses for t in c.clause.terms if t.kinds and t in c.near]
    wrong: dict[tuple[str, Term], CarriedTerm] = {}
    for (one, term, place), (two, rival, other) in combinations(figures, 2):
        if one is two or term.figures & rival.figures or not term.kinds & rival.kinds:
            continue
        straight = nearest(one, place) + nearest(two, other)
        if straight > nearest(one, other) + nearest(two, place):
            wrong[one.clause.name, term] = (one, term)
            wrong[two.clause.name, rival] = (two, rival)
    return list(wrong.values())


@scorer(metrics=METRICS, name="terms", check=lambda case: _unreadable(case.expected))
def covered(case: Case, completion: Completion) -> Score:
    """Count the case's key terms that a summary contains. A failed or empty summary contains none."""
    clauses = clauses_of(tuple(case.expected))
    if not clauses:
        return Score(name="terms", value=None, reason="the case lists no key terms")
    reading = read(completion.text, 0 if completion.finish_reason == "error" else whole_length(completion))
    contained = [carried(clause, reading) for clause in clauses]
    swapped = mispaired(contained, reading)
    for one, term in swapped:
        one.near.pop(term)
    replaced = [part for part in case.tags.get("stale", "").split(" + ") if part.strip()]
    stale = [place for part in replaced for place in places(term_of(part), reading)]
    return _score(case, completion, contained, swapped, stale)


def _score(
    case: Case, completion: Completion, clauses: list[Carried], swapped: list[CarriedTerm], stale: list[Place]
) -> Score:
    whole = {c.clause.name for c in clauses if len(c.near) == len(c.clause.terms)}
    critical = [c.clause.name for c in clauses if c.clause.critical]
    terms, hits = sum(len(c.clause.terms) for c in clauses), sum(len(c.near) for c in clauses)
    missing = [f"{c.clause.name}: {t.label}" for c in clauses for t in c.clause.terms if t not in c.near]
    complete = completion.finish_reason == "stop" and whole.issuperset(critical) and not stale
    counts = {
        "terms": terms,
        "found_terms": hits,
        "critical": len(critical),
        "found_critical": sum(name in whole for name in critical),
        "complete": int(complete),
        "mispaired": len(swapped),
        "stale": int(bool(stale)),
        "has_stale": int("stale" in case.tags),
        "words": 0 if completion.finish_reason == "error" else len(completion.text.split()),
        "source_words": len(case.document.split()),
    }
    return Score(
        name="terms",
        value=hits / terms,
        extracted={
            "found": [c.clause.name for c in clauses if c.clause.name in whole],
            "missing": missing,
            "mispaired": [f"{c.clause.name}: {term.label}" for c, term in swapped],
            "stale": [completion.text[start:end] for start, end in stale],
        },
        counts=counts,
        spans=_spans(completion.text, clauses, stale),
    )


def _spans(text: str, clauses: Iterable[Carried], stale: Sequence[Place]) -> list[Span]:
    verdicts: Mapping[Place, tuple[str, str]] = {
        **{near: ("carried", c.clause.name) for c in clauses for near in c.near.values()},
        **dict.fromkeys(stale, ("stale", "the source replaced or struck it")),
    }
    return [make_span(text, *place, "term", verdict, reason) for place, (verdict, reason) in sorted(verdicts.items())]
