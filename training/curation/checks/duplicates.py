"""Exact duplicates, near duplicates and conflicting answers.

The near-duplicate search is exact: it finds every pair above the threshold and no other. Similarity is the Jaccard
index of the rows' five-word runs, without the boilerplate lines of their prompts. Only rows that share one of their
rarest runs can reach the threshold t: of n runs in order of rarity, the first n - ceil(t n) + 1 are enough to look up
(prefix filter: Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma, Srikant 2007). A run of one row alone matches nothing, so
most rows are done after counting.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from training.curation.check import Check, CheckResult, CheckSettings, Sample, short
from training.curation.text import hashed_words, latin, runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def folded(text: str) -> str:
    """Normalise letter case, white space and Unicode compatibility forms (NFKC)."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(plain.casefold().split())


def comparable(text: str) -> str:
    """Return the folded text with Latin letters in place of those that look like them."""
    return latin(folded(text))


def key(*texts: str) -> bytes:
    """Return a digest of the comparable texts."""
    return hashlib.sha256("\0".join(map(comparable, texts)).encode()).digest()


def repeats(keys: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the index of each key that occurred before, with the index of its first occurrence."""
    first: dict[bytes, int] = {}
    for index, row_key in enumerate(keys):
        earlier = first.setdefault(row_key, index)
        if earlier != index:
            yield index, earlier


def _row_keys(sample: Sample) -> Iterator[bytes]:
    return map(key, sample.prompts, sample.answers)


def find_exact(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row with the prompt and answer of an earlier row."""
    copies = repeats(_row_keys(sample))
    return CheckResult(findings=[sample.pair(a, b, f"repeats {sample.where(b)}", sample.quote) for a, b in copies])


EXACT = Check(
    name="exact_duplicates",
    description="Rows that repeat an earlier row word for word.",
    action="drop",
    find=find_exact,
)


RUN = 5
ROUNDING = 1e-9
"""Tolerance for thresholds that floating point makes too high."""
WORDS_BEFORE = 6
LABEL_WORDS = 12
"""Answers of at most this many words must be equal, because one different word is another answer. Longer ones must be
near copies themselves, because a long prompt hides that they differ."""


class Link(NamedTuple):
    """A row, the earlier row that it nearly repeats, and their similarity."""

    row: int
    other: int
    similarity: float


class RunIndex:
    """Rows, given as their texts, by their rarest runs; links are those whose similarity reaches the threshold."""

    def __init__(self, texts: Sequence[Sequence[str]], threshold: float) -> None:
        import numpy as np

        self.threshold = threshold - ROUNDING
        self.sets = _shared_runs(texts)
        self.rows = [row for row in np.flatnonzero(self.sets.sizes).tolist() if self._prefix(row) > 0]
        self.marked = np.zeros(self.sets.distinct, bool)

    def nearest(self, answers: _Answers | None = None) -> Iterator[Link]:
        """Yield each row with its most similar earlier row that was not linked, with `answers` of the same answer."""
        rows_with = _RowsWith()
        for row in self.rows:
            keys = self._keys(row, answers.groups[row] if answers else 0)
            nearby = {other for others in self._within_reach(row, keys, rows_with) for other in others}
            candidates = [other for other in sorted(nearby) if not (answers and answers.differ(row, other))]
            if row_links := list(self._links(row, candidates)):
                yield max(row_links, key=lambda link: (link.similarity, -link.other))
            else:
                rows_with.add(row, keys, self._shape(row))

    def all(self, component: Callable[[int], Any]) -> Iterator[Link]:
        """Yield the link of every pair of rows, without pairs of one component, which the caller may join meanwhile."""
        rows_with = _RowsWith()
        for row in self.rows:
            keys = self._keys(row, 0)
            reached = self._within_reach(row, keys, rows_with)
            yield from self._links(row, _apart(row, reached, component))
            rows_with.add(row, keys, self._shape(row), component(row))

    def _prefix(self, row: int) -> int:
        """Return how many of the row's shared runs to look up."""
        size, shared = self._shape(row)
        return shared - math.ceil(self.threshold * size) + 1

    def _keys(self, row: int, group: int) -> list[int]:
        """Return the numbers of the row's rarest runs, which differ in each group."""
        return [group * self.sets.distinct + run for run in self.sets.shared(row)[: self._prefix(row)].tolist()]

    def _shape(self, row: int) -> tuple[int, int]:
        """Return the numbers of all runs and of the shared runs of a row."""
        return int(self.sets.sizes[row]), len(self.sets.shared(row))

    def _within_reach(self, row: int, keys: Sequence[int], rows_with: _RowsWith) -> Iterator[list[int]]:
        """Yield lists of rows that have one of the keys and enough shared runs to reach the threshold with this row."""
        size, shared = self._shape(row)
        for run in keys:
            for (other_size, other_shared), lists in rows_with.by_shape.get(run, {}).items():
                if min(shared, other_shared) * (1 + self.threshold) >= self.threshold * (size + other_size):
                    yield from lists.values()

    def _links(self, row: int, others: Iterable[int]) -> Iterator[Link]:
        """Yield the links from a row to those of the other rows that are near."""
        shared, size = self.sets.shared(row), int(self.sets.sizes[row])
        self.marked[shared] = True
        for other in others:
            common = int(self.marked[self.sets.shared(other)].sum())
            similarity = common / (size + int(self.sets.sizes[other]) - common)
            if similarity >= self.threshold:
                yield Link(row, other, similarity)
        self.marked[shared] = False

    def are_near(self, one: int, other: int) -> bool:
        """Whether two rows reach the threshold."""
        import numpy as np

        common = len(np.intersect1d(self.sets.shared(one), self.sets.shared(other), assume_unique=True))
        return common >= self.threshold * (int(self.sets.sizes[one]) + int(self.sets.sizes[other]) - common) > 0


class _RowsWith:
    """The rows with each run, by their shape, in lists of rows of one component."""

    def __init__(self) -> None:
        self.by_shape: dict[int, dict[tuple[int, int], dict[Any, list[int]]]] = {}

    def add(self, row: int, keys: Iterable[int], shape: tuple[int, int], component: Any = None) -> None:
        """Let later rows with one of the keys find this one."""
        for run in keys:
            self.by_shape.setdefault(run, {}).setdefault(shape, {}).setdefault(component, []).append(row)


def _apart(row: int, lists: Iterable[list[int]], component: Callable[[int], Any]) -> Iterator[int]:
    """Yield the rows of the lists that are in another component; those of one list are in the same, or each alone."""
    tried = set()
    for others in lists:
        for other in others:
            if component(other) == component(row):
                break
            if other not in tried:
                tried.add(other)
                yield other


class _Answers:
    """Which rows have the same answer: an equal one, or a near copy of one of more than LABEL_WORDS words.

    Rows with other boilerplate around their texts, such as another question on one document, have another answer.
    """

    def __init__(self, texts: Sequence[str], threshold: float, tasks: Sequence[str] = ()) -> None:
        from scipy.cluster.hierarchy import DisjointSet

        number_of: dict[str, int] = {}
        self.numbers = [number_of.setdefault(comparable(text), len(number_of)) for text in texts]
        self.index = RunIndex([[text] * (len(text.split()) > LABEL_WORDS) for text in number_of], threshold)
        joined = DisjointSet(range(len(number_of)))
        for link in self.index.all(joined.__getitem__):
            joined.merge(link.row, link.other)
        self.groups = [joined[number] for number in self.numbers]
        """A number for each row; rows with the same answer have the same."""
        self.tasks = tasks or [""] * len(texts)

    def differ(self, row: int, other: int) -> bool:
        """Whether two rows of one group have different answers, which a third joins, or other boilerplate."""
        one, two = self.numbers[row], self.numbers[other]
        tasks = {self.tasks[row], self.tasks[other]} - {""}
        return len(tasks) > 1 or (one != two and not self.index.are_near(one, two))


class _SharedRuns(NamedTuple):
    """The runs of every row that occur in another row too, rarest first."""

    runs: NDArray[np.int32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    """Number of all runs of each row."""
    distinct: int

    def shared(self, row: int) -> NDArray[np.int32]:
        return self.runs[self.starts[row] : self.starts[row + 1]]


def _shared_runs(texts: Sequence[Sequence[str]]) -> _SharedRuns:
    import numpy as np

    count = len(texts)
    flat = [text for row in texts for text in row]
    rows_of = np.repeat(np.arange(count, dtype=np.int32), [len(row) for row in texts])
    all_runs = runs(hashed_words(flat), RUN, short=True)
    order = np.argsort(all_runs.hashes, kind="stable")
    hashes, rows = all_runs.hashes[order], rows_of[all_runs.owners][order]
    del all_runs, order
    new_run = np.ones(len(hashes), bool)
    new_run[1:] = hashes[1:] != hashes[:-1]
    repeated = np.zeros(len(hashes), bool)
    repeated[1:] = ~new_run[1:] & (rows[1:] == rows[:-1])
    kind = (np.cumsum(new_run) - 1).astype(np.int32)
    kind, rows = kind[~repeated], rows[~repeated]
    del hashes, new_run, repeated
    sizes = np.bincount(rows, minlength=count).astype(np.int64)
    frequency = np.bincount(kind)
    common = frequency[kind] > 1
    kind, rows = kind[common], rows[common]
    rarity = np.empty(len(frequency), np.int32)
    rarity[np.argsort(frequency, kind="stable")] = np.arange(len(frequency), dtype=np.int32)
    ranked = rarity[kind]
    order = np.lexsort((ranked, rows))
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count))))
    return _SharedRuns(ranked[order], starts, sizes, len(frequency))


def find_near(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row that nearly repeats an earlier one; another check reports exact copies."""
    copies = {row for row, _ in repeats(_row_keys(sample))}
    rows = [row for row in range(len(sample.rows)) if row not in copies]
    index = RunIndex([(sample.contents[row], sample.answers[row]) for row in rows], settings.near)
    tasks = [sample.parts[row].boilerplate for row in rows]
    answers = _Answers([sample.answers[row] for row in rows], settings.near, tasks)
    same = [(rows[a], rows[b], similarity) for a, b, similarity in index.nearest(answers)]
    other_answer = {rows[link.row] for link in index.nearest()}.difference(row for row, *_ in same)
    findings = [
        sample.pair(
            row,
            other,
            f"shares {similarity:.0%} of its runs of {RUN} words with {sample.where(other)}",
            partial(_from, sample, _difference(sample, row, other)),
        )
        for row, other, similarity in same
    ]
    return CheckResult(findings=findings, notes=_near_notes(same, len(other_answer), sample))


def _texts(sample: Sample, row: int) -> list[str]:
    return [*sample.contents[row].split(), *sample.answers[row].split()]


def _difference(sample: Sample, one: int, other: int) -> int:
    """Return the index of a word shortly before the first difference of two rows."""
    pairs = zip(_texts(sample, one), _texts(sample, other), strict=False)
    return max(0, next((at for at, (a, b) in enumerate(pairs) if a != b), 0) - WORDS_BEFORE)


def _from(sample: Sample, start: int, row: int) -> str:
    """Quote a row from its word `start` on."""
    return ("… " if start else "") + short(" ".join(_texts(sample, row)[start:]))


def _near_notes(same: Sequence[tuple[int, int, float]], other_answer: int, sample: Sample) -> list[str]:
    notes = []
    if other_answer:
        notes.append(f"Near copies with another question or answer are not counted: {other_answer:,}.")
    if same:
        other, size = Counter(other for _, other, _ in same).most_common(1)[0]
        if size > 1:
            notes.append(f"Most copies: {size:,} rows nearly repeat {sample.where(other)}.")
    return notes


NEAR = Check(
    name="near_duplicates", description="Rows that nearly repeat an earlier row.", action="drop", find=find_near
)


def find_conflicts(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row with the prompt of an earlier row and another answer."""
    findings = [
        sample.pair(row, other, f"the prompt of {sample.where(other)} with another answer", sample.quote_answer)
        for row, other in repeats(map(key, sample.prompts))
        if comparable(sample.answers[row]) != comparable(sample.answers[other])
    ]
    return CheckResult(findings=findings)


CONFLICTS = Check(
    name="conflicting_answers",
    description="Rows with the prompt of an earlier row and another answer.",
    action="flag",
    find=find_conflicts,
)
