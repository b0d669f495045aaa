"""Find figures and parties of a source that an answer puts in another place: another period, row, item or party.

A figure or a party of the answer is compared with every place of the source where one of its kind is. It is `mispaired`
if the words around it belong to a place that has another one, and hardly to any place that has it. In a table the
labels of row and column decide, together with the figures beside it. Where several places fit, there is no finding.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

from harness.schema import Case, Completion, Span
from harness.scoring.base import DocumentCache, make_span, whole_length
from harness.scoring.grounding.contexts import source_of, text_of
from harness.scoring.grounding.passages import AXES, NAMED, Item, Key, Passages, parties_of
from harness.scoring.text.layout import Range

VERDICT = "mispaired"
MARGIN = 0.25
"""By which share of the words around it another place must fit a figure or a party better."""
LEAST = 5.0
"""Least weight of the words shared with that place: about two rare words next to the figure."""
TAKEN = 0.5
"""By which share of that weight the place must fit another mention in the answer to be that one's place."""
UNKNOWN = 2.0
"""Weight of a word that the source does not have."""
SHORT = 60
"""Passages of a source that is so short that a word is rare by chance."""
TOGETHER = 2
"""Other figures of a sentence in one row or column, by which the sentence is about that one."""
HYPOTHETICAL = re.compile(r"\b(?:example|instance|suppose|assum\w+|imagine|e\.g\.)", re.I)
CALCULATED = re.compile(r"\s[+=\u00d7]\s")
"""In a sentence with a written sum, whose figures are operands."""
IN_ALL = re.compile(r"\s+(?:in\s+(?:all|total)|altogether)\b(?!\s+of\b)", re.I)
CHANGE = re.compile(r"\bby\s+(?:about\s+)?$")
OWN_DATE = re.compile(r"\b(?:dated|made|signed|executed|issued|prepared)\b[^.;]{0,24}$", re.I)
"""Before the date of the document itself, which is next to all that its title names."""
SIGNED = re.compile(r"\(SEAL\)|\bL\.S\.|\bwitness\b|commission expires|\bBy:|/s/", re.I)
"""In a line of signatures, whose dates are next to every name."""
PERIOD = re.compile(r"[qy]\d+|#:(?:19|20)\d\d|#period:.*")
LABEL = re.compile(r"[*_]*\s*[:|]")
"""After a role that labels a line, as in a list of the parties; `roles` compares those."""
NEARBY = 2
"""Passages on either side of a figure whose figures are looked at for the same row or column."""
PRONOUN = re.compile(r"\s*(?:she|he|it|they)\b", re.I)


class _Places(Passages):
    """The figures and parties of a source, with an index by their terms."""

    def __init__(self, document: str) -> None:
        super().__init__(source_of(document))
        self.named = parties_of(document)
        self.items = [*self.figures(), *self.parties(self.named)]
        passages = [set(self.text.terms(*bounds)) for bounds in pairwise(self.bounds)]
        counts = Counter(term for terms in passages for term in terms)
        size = max(len(passages), SHORT) + 2
        self.rarity = {term: max(0.0, math.log(size / (count + 0.5))) for term, count in counts.items()}
        self.by_term: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.by_key: dict[Key, list[int]] = defaultdict(list)
        for number, item in enumerate(self.items):
            for term, weight in item.terms.items():
                self.by_term[term].append((number, weight))
            for key in item.keys:
                self.by_key[key].append(number)

    @cached_property
    def lines(self) -> dict[tuple[str, Range], list[Item]]:
        """Cells of each row and of each column."""
        lines: dict[tuple[str, Range], list[Item]] = defaultdict(list)
        for item in self.items:
            for axis in AXES if item.is_cell else ():
                lines[axis, item.line(axis)].append(item)
        return lines

    def labels(self, item: Item, axis: str) -> set[str]:
        """Return the terms of the labels of a cell's row or of its column."""
        start = self.written.rfind("\n", 0, item.start)
        ranges = self.text.label_ranges(item.fact.figure) if item.fact else ()
        return {term for each in ranges if (each[0] > start) == (axis == "row") for term in self.words(*each)}

    def likeness(self, terms: dict[str, float]) -> tuple[dict[int, float], float]:
        """Return the weight of the terms that each item shares, by its number, and the weight of all."""
        shared: dict[int, float] = defaultdict(float)
        total = 1.0
        for term, weight in terms.items():
            rarity = self.rarity.get(term, UNKNOWN)
            total += weight * rarity
            for number, other in self.by_term.get(term, ()):
                shared[number] += min(weight, other) * rarity
        return shared, total


places_of = DocumentCache(_Places)


def judge(case: Case, completion: Completion) -> list[Span]:
    """Find the figures and parties of an answer that the source has in another place."""
    source, text = places_of(case.document), completion.text
    answer = _Answer(text, source, whole_length(completion))
    spans = []
    for item in answer.items:
        found = answer.rival(item)
        if found:
            what, rival = found
            place = (rival.start, rival.end)
            here = " ".join(source.written[rival.start : rival.end].split())
            reason = f"wrong {what}: the source has it for another one, and “{here}” for this one"
            kind = item.fact.figure.kind if item.fact else "party"
            spans.append(make_span(text, item.start, item.end, kind, VERDICT, reason, place, case.cluster))
    return spans


Found = tuple[str, Item]
"""What is wrong (a period, a row, a party), and what the source has in the place."""


class _Answer(Passages):
    """An answer whose figures and parties are compared with the places of a source."""

    def __init__(self, text: str, source: _Places, whole: int) -> None:
        super().__init__(text_of(text))
        self.source = source
        self.items = [item for item in (*self.figures(), *self.parties(source.named)) if item.end <= whole]
        self.by_key: dict[Key, list[Item]] = defaultdict(list)
        for item in self.items:
            for key in item.keys:
                self.by_key[key].append(item)
        self._likeness: dict[int, tuple[dict[int, float], float]] = {}

    def likeness(self, item: Item) -> tuple[dict[int, float], float]:
        """Return the weight of the words that each place shares with an item, and the weight of all."""
        if item.start not in self._likeness:
            self._likeness[item.start] = self.source.likeness(item.terms)
        return self._likeness[item.start]

    def rival(self, item: Item) -> Found | None:
        """Return what the source has in the place that an item is put in, if it has the item in another one."""
        own = sorted({number for key in item.keys for number in self.source.by_key.get(key, ())})
        if not own or (self._is_worked_out(item) if item.fact else LABEL.match(self.written, item.end)):
            return None
        cells = [self.source.items[number] for number in own]
        if not any(cell.is_cell for cell in cells):
            return None if item.is_count else self._elsewhere(item, own)
        if all(cell.is_cell for cell in cells):
            together = {axis: self._together(item, axis) for axis in AXES}
            for axis in sorted(AXES, key=lambda axis: -max(together[axis].values(), default=0)):
                found = [self._in_line(item, cell, axis, together[axis]) for cell in cells]
                if all(found):
                    return found[0]
        return None

    def _is_worked_out(self, item: Item) -> bool:
        """Whether a figure may equal one of the source by chance: of an example, a change, or a calculation."""
        first, last = self.passage(item.start)
        if HYPOTHETICAL.search(self.written, first, item.start) or CHANGE.search(self.written, first, item.start):
            return True
        if not item.is_cell and CALCULATED.search(self.written, first, last):
            return True
        beside = [each for each in self.items if first <= each.start < last and each.fact and not each.is_count]
        return bool(IN_ALL.match(self.written, item.end)) or any(
            not each.keys & self.source.by_key.keys() for each in beside
        )

    def _elsewhere(self, item: Item, own: list[int]) -> Found | None:
        """The place in sentences of the source that an item's words belong to, if another item is there."""
        shared, total = self.likeness(item)
        items, rivals = self.source.items, self._rivals(item, own)
        best = max(rivals, key=lambda number: shared[number], default=None)
        if best is None:
            return None
        clause, rival = self.clause(item), items[best]
        named = {number: self._named(items[number], rival, clause) for number in own}
        ours = max((shared.get(number, 0.0) for number in own if not named[number]), default=0.0)
        is_period = any(PERIOD.fullmatch(term) for terms in named.values() for term in terms)
        is_nearer = is_period or shared[best] >= max(shared.get(number, 0.0) for number in own)
        if not is_nearer or (shared[best] - ours) / total < MARGIN:
            return None
        if item.fact:
            return "period" if is_period else "item", rival
        return None if any(self._is_subject(items[number], rival) for number in own) else ("party", rival)

    def _is_subject(self, own: Item, rival: Item) -> bool:
        """Whether a party is named before another in the same sentence, or in the one before a pronoun."""
        start = self.source.passage(rival.start)[0]
        if PRONOUN.match(self.source.written, start):
            start = self.source.passage(rival.start, 1)[0]
        return start <= own.start < rival.start

    def _rivals(self, item: Item, own: list[int]) -> Iterator[int]:
        """Places in sentences that have another item of the same kind, and whose words an item shares."""
        source, unit = self.source, self.unit(item)
        kinds = {source.items[number].kind for number in own}
        for number, weight in self.likeness(item)[0].items():
            other = source.items[number]
            if weight < LEAST or other.kind not in kinds or other.keys & item.keys or other.is_cell or other.is_count:
                continue
            if (
                not (other.kind == "date" and self._is_of_document(other))
                and source.unit(other) == unit
                and not self._is_taken(item, number, weight)
            ):
                yield number

    def _is_of_document(self, date: Item) -> bool:
        """Whether a date of the source is that of the document itself, or of a signature."""
        written, start = self.source.written, date.start
        line = written[written.rfind("\n", 0, start) + 1 :].partition("\n")[0]
        return bool(SIGNED.search(line) or OWN_DATE.search(written, max(0, start - 40), start))

    def _is_taken(self, item: Item, number: int, weight: float) -> bool:
        """Whether the answer also has the item of a place: a party in the same line, a figure that fits the place."""
        others = [each for key in self.source.items[number].keys for each in self.by_key.get(key, ())]
        if item.fact:
            return any(self.likeness(each)[0].get(number, 0.0) >= weight * TAKEN for each in others)
        first, last = self.passage(item.start, 1)
        at = bisect_right(self.text.paragraphs, item.start)
        first, last = max(first, self.text.paragraphs[at - 1]), min(last, [*self.text.paragraphs, last][at])
        return any(first <= each.start < last for each in others)

    def _named(self, own: Item, rival: Item, clause: set[str]) -> set[str]:
        """The terms of a clause that say what a rival in the sentence of `own` is for; none if some say it of `own`."""
        if self.source.passage(own.start) != self.source.passage(rival.start):
            return set()
        first, last = sorted((own, rival), key=lambda each: each.start)
        ours, theirs = self.source.clause(own), self.source.clause(rival)
        ours |= self.source.words(first.end, last.start) if own.fact else set()
        named, other = clause & (theirs - ours), clause & (ours - theirs)
        periods = set(filter(PERIOD.fullmatch, named))
        if periods:
            return set() if any(map(PERIOD.fullmatch, other)) else periods
        return set() if other else named

    def _in_line(self, item: Item, cell: Item, axis: str, together: Counter[Range]) -> Found | None:
        """The cell of another row, or of another column, that the words and the figures beside an item belong to."""
        source, across = self.source, next(each for each in AXES if each != axis)
        if together[cell.line(axis)]:
            return None
        units = {key[0] for key in item.keys & cell.keys}
        clause, ours = self.clause(item), source.labels(cell, axis)
        near = clause | {term for term, weight in item.terms.items() if weight >= NAMED}
        for other in sorted(source.lines[across, cell.line(across)], key=lambda each: -together[each.line(axis)]):
            if other.line(axis) == cell.line(axis) or not units & {key[0] for key in other.keys}:
                continue
            theirs, rest = source.labels(other, axis), source.labels(other, across)
            count = together[other.line(axis)]
            is_named = bool(theirs - ours) and theirs - ours <= near and not (ours - theirs) & near
            is_whole = is_named and bool(rest) and theirs | rest <= clause
            is_stated = bool(other.keys & self.by_key.keys())
            if (is_whole and item.is_cell) or (not is_stated and (is_whole or count >= (1 if is_named else TOGETHER))):
                return "period" if any(map(PERIOD.fullmatch, theirs - ours)) else axis, other
        return None

    def _together(self, item: Item, axis: str) -> Counter[Range]:
        """How many other figures of an item's passage each row or column has."""
        first, last = self.passage(item.start, NEARBY)
        places, by_key = self.source.items, self.source.by_key
        beside = [each for each in self.items if first <= each.start < last and each is not item]
        found = (
            {places[n].line(axis) for key in each.keys for n in by_key.get(key, ()) if places[n].is_cell}
            for each in beside
        )
        return Counter(line for lines in found for line in lines)
