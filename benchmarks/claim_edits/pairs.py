"""Pairs made by edits: each statement with an error, and a control that words, length and overlap do not tell from it.

An edit gives two versions of a passage. A statement of one version is supported by that version and not by the other
one, in whichever wording. So both versions, and every wording, occur equally often with either label. The control of
a pair has as much in it that its source words differently as the error has: of several wordings, the nearest is taken.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from benchmarks.claim_edits.edits import Edit, Passage, Row, Sentence, edits, exchange_rows
from benchmarks.claim_edits.overlap import overlap
from benchmarks.claim_edits.restating import Choices, altered, draw, lowered, split_off
from benchmarks.claim_edits.sources import SOURCES, Document, documents
from evalsuites.general.claims.pairs import NOT_SUPPORTED, SUPPORTED, Pair

PER_KIND = {"cuad": 4, "provisions": 4, "instruments": 4, "handbooks": 8, "hr pages": 8, "sheets": 8, "infotabs": 1}
"""Most edits of one kind in one document, by source."""
TRIES = 4
"""Wordings of an error for which a control is sought."""
ERROR_CHANGED, JOIN_CHANGED = (0, 0, 1, 2), (1, 1, 2, 3)
"""Choices that differ between an error and its source; an exchange alone has no new word, which no control has."""
CHANGED = (0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5)
"""Choices that differ between a statement and its source in the wordings of a control that are looked at."""
MOST_APART, HINGED_APART = 0.15, 0.4
"""Most difference between the measures of overlap of an error and its control."""
HINGED = ("meaning-exception", "meaning-condition")
"""Kinds whose words move to another sentence: their sources also join or split sentences."""
BOTH_SHARE, BOTH_WORDS = 0.9, 72
"""How often a statement also tells the one that it exchanged words with, where both have at most so many words.

Alone, a word of another sentence of the source gives the error away.
"""
WEIGHTS = (3, 2, 1, -0.7, -1, -1)
"""Weights of MEASURES; those that fall with what is new in a statement are negative."""
LEADS = {
    "legal": ("The document states that ", "According to the document, ", "Under its terms, "),
    "policy": ("The handbook says that ", "According to the handbook, ", "Under the policy, "),
    "finance": ("According to the fact sheet, ", "The sheet shows that ", "As reported, "),
    "tables": ("According to the table, ", "The table shows that ", "As listed, "),
}
LEAD_SHARE = 0.15
SAME_STATEMENT_SHARE = 0.5
"""Share of the edits that give one statement with two sources; the others give two statements with one source."""


def edited_pairs(
    rows: int, seed: int, usable: Callable[[str], bool], sources: Sequence[str] = tuple(SOURCES)
) -> list[Pair]:
    """Return at most `rows` pairs, half of them supported, drawn evenly over sources and kinds of error.

    `usable` tells of the key of a document whether it may be used; an error and its control follow each other. Raises
    Unavailable for a source whose data is not there.
    """
    made: dict[tuple[str, str], list[tuple[Pair, Pair]]] = defaultdict(list)
    for source in sources:
        for document in documents(source):
            if usable(document.key):
                for error, control in pairs_of(document, seed):
                    made[source, error.kind].append((error, control))
    rng = random.Random(f"edits {seed}")
    for twins in made.values():
        rng.shuffle(twins)
    drawn: list[tuple[Pair, Pair]] = []
    while len(drawn) < rows // 2 and any(made.values()):
        drawn += [made[cell].pop() for cell in sorted(made) if made[cell]]
    drawn = drawn[: rows // 2]
    rng.shuffle(drawn)
    return [pair for twins in drawn for pair in twins]


def pairs_of(document: Document, seed: int) -> Iterator[tuple[Pair, Pair]]:
    """Yield the errors that can be put into a document, each with its control."""
    rng = random.Random(f"{seed} {document.key}")
    order = list(range(len(document.passages)))
    rng.shuffle(order)
    count: dict[str, int] = defaultdict(int)
    for number in order:
        passage, at = document.passages[number]
        for n, edit in enumerate(_edits(passage, at, rng)):
            if count[edit.kind] < PER_KIND[document.source]:
                twins = twins_of(edit, document, f"edits-{document.key}-{number}-{n}", rng)
                if twins:
                    count[edit.kind] += 1
                    yield twins


def twins_of(edit: Edit, document: Document, name: str, rng: random.Random) -> tuple[Pair, Pair] | None:
    """Return an error and its control, or None where no wording of the control is as far from its source."""
    one, other = (edit.first, edit.second) if rng.random() < 0.5 else (edit.second, edit.first)
    told = _told(edit, rng)
    if not told:
        return None
    counts = {key: n for version in (one, other) for at in told for key, n in version[at].keys().items()}
    if len(told) > 1:
        counts["turned"] = 2
    if edit.kind in HINGED:
        counts |= {"split": 2} | ({"joined": 2} if edit.at + 1 < len(one) else {})
    table, same_statement = draw(counts, rng), rng.random() < SAME_STATEMENT_SHARE
    lead = rng.choice(LEADS[document.domain]) if rng.random() < LEAD_SHARE else ""

    def worded(version: Passage, changed: int) -> tuple[str, str]:
        """A source and a statement, one of `one` and one of `version`, with so many choices changed between them."""
        again = altered(table, counts, changed, rng)
        if same_statement:
            return _source(version, told, again), _statement(one, told, table, lead)
        return _source(one, told, table), _statement(version, told, again, lead)

    for _ in range(TRIES):
        error = worded(other, rng.choice(JOIN_CHANGED if edit.kind.startswith("join") else ERROR_CHANGED))
        options = [worded(one, changed) for changed in CHANGED]
        control = matched(error, options, HINGED_APART if edit.kind in HINGED else MOST_APART, rng)
        if control:
            break
    else:
        return None
    kind = "control" if control[1] in control[0] else "restated"
    shared = {"origin": f"edits of {document.source}", "document": document.key, "domain": document.domain}
    sets = ((f"{name}-e", edit.kind, *error, NOT_SUPPORTED), (f"{name}-c", kind, *control, SUPPORTED))
    return tuple(
        Pair(id=each, **shared, kind=kind, source=source, sentence=statement, label=label)
        for each, kind, source, statement, label in sets
    )


def matched(
    error: tuple[str, str], options: list[tuple[str, str]], most_apart: float, rng: random.Random
) -> tuple[str, str] | None:
    """Return the control that is nearest to an error: half of the time among those that overlap less, or more.

    Where one of the two is missing, or too far, there is none: a choice between them would give the label away.
    """
    target, sides = overlap(*error), ([], [])
    for option in options:
        found = overlap(*option)
        apart = max(abs(WEIGHTS[n] * (a - b)) for n, (a, b) in enumerate(zip(found, target, strict=True)))
        less = sum(WEIGHTS[n] * (a - b) for n, (a, b) in enumerate(zip(found, target, strict=True)))
        if apart <= most_apart:
            for side in (0, 1):
                if less == 0 or (less > 0) == side:
                    sides[side].append((apart, option))
    if not all(sides):
        return None
    return min(rng.choice(sides))[1]


def _edits(passage: Passage, at: int, rng: random.Random) -> Iterator[Edit]:
    if isinstance(passage[at], Row):
        yield from exchange_rows(passage, at)
    else:
        yield from edits([each.text for each in passage if isinstance(each, Sentence)], at, rng)


def _told(edit: Edit, rng: random.Random) -> tuple[int, ...]:
    """The places of the statements that are told: that of the edit, and mostly the one it exchanged words with.

    None are told where both would be too long.
    """
    places = tuple(sorted({edit.at, edit.other}))
    if len(places) == 1 or rng.random() >= BOTH_SHARE:
        return (edit.at,)
    return places if sum(len(edit.first[at].said({}).split()) for at in places) <= BOTH_WORDS else ()


def _source(passage: Passage, told: tuple[int, ...], choices: Choices) -> str:
    """The text of a passage, with the statements that are told by choices and the others in their own words."""
    said = [statement.said(choices if n in told else {}) for n, statement in enumerate(passage)]
    if choices.get("split"):
        said = [split_off(each) or each for each in said]
    if choices.get("joined"):
        said[told[0] : told[0] + 2] = [f"{said[told[0]].removesuffix('.')}; {lowered(said[told[0] + 1])}"]
    return " ".join(said)


def _statement(passage: Passage, told: tuple[int, ...], choices: Choices, lead: str) -> str:
    first, *rest = (passage[at].said(choices) for at in (told[::-1] if choices.get("turned") else told))
    first = lead + lowered(first) if lead else first
    return f"{first.removesuffix('.')}, and {lowered(rest[0])}" if rest else first
