"""Finds rows that nearly repeat an earlier one, exactly: no pair above the threshold is missed or guessed.

Two rows are compared by the Jaccard similarity of their runs of five words, the stock lines of their prompts aside.
Only rows that share one of their rarest runs can reach the threshold t: of n runs in order of rarity, the first
n - ceil(t n) + 1 are enough to look at (prefix filter: Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma, Srikant 2007).
A run that stands in one row alone finds nothing, so most rows are done after counting.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from training.curation.check import Check, CheckResult, CheckSettings, RowFinding, Sample, short
from training.curation.text import Vocabulary, runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def folded(text: str) -> str:
    """Equal for texts that differ in letter case, white space and compatibility forms alone."""
    even = text if text.isascii() else unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(even.casefold().split())


def key(*texts: str) -> bytes:
    """Digest of texts, folded."""
    return hashlib.sha256("\0".join(map(folded, texts)).encode()).digest()


def find_exact(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row whose prompt and answer an earlier row has too."""
    first: dict[bytes, int] = {}
    findings = []
    for index, (prompt, answer) in enumerate(zip(sample.prompts, sample.answers, strict=True)):
        earlier = first.setdefault(key(prompt, answer), index)
        if earlier != index:
            findings.append(
                RowFinding(
                    row=index,
                    reason=f"repeats {sample.where(earlier)}",
                    quote=sample.quote(index),
                    other=sample.where(earlier),
                    other_quote=sample.quote(earlier),
                )
            )
    return CheckResult(findings=findings)


EXACT = Check(
    name="exact_duplicates", says="Rows that repeat an earlier row word for word.", action="drop", find=find_exact
)


RUN = 5
ROUNDING = 1e-9
"""What a threshold may be too high by in floating point."""
WORDS_BEFORE = 6
LABEL_WORDS = 12
"""Answers of at most so many words must be equal: one other word is another answer."""


class Link(NamedTuple):
    """A row, the earlier row that it nearly repeats, and their similarity."""

    row: int
    other: int
    similarity: float


def links(
    texts: Sequence[Sequence[str]], threshold: float, together: Callable[[int, int], bool] | None = None
) -> Iterator[Link]:
    """For each row, given as its texts, the most similar earlier row, if any reaches the threshold.

    Rows that were linked are not compared with later ones. With `together` all are, and every link is given but those
    between rows that it says belong together already.
    """
    import numpy as np

    threshold -= ROUNDING
    sets = _sets(texts)
    postings: dict[int, list[int]] = defaultdict(list)
    marked = np.zeros(sets.kinds, bool)
    for row in np.flatnonzero(sets.sizes):
        size, shared = int(sets.sizes[row]), sets.shared(row)
        prefix = size - math.ceil(threshold * size) + 1 - (size - len(shared))
        if prefix <= 0:
            continue
        rarest = shared[:prefix].tolist()
        found: list[Link] = []
        marked[shared] = True
        for other in sorted({o for run in rarest for o in postings[run]}):
            if together and together(int(row), other):
                continue
            smaller, larger = sorted((size, int(sets.sizes[other])))
            if smaller >= threshold * larger:
                common = int(marked[sets.shared(other)].sum())
                similarity = common / (size + int(sets.sizes[other]) - common)
                if similarity >= threshold:
                    found.append(Link(int(row), other, similarity))
                    if together:
                        yield found[-1]
        marked[shared] = False
        if found and not together:
            yield max(found, key=lambda link: (link.similarity, -link.other))
        if together or not found:
            for run in rarest:
                postings[run].append(int(row))


class _Sets(NamedTuple):
    """Runs of every row that another row has too, the rarest first, and the number of all its runs."""

    runs: NDArray[np.int32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    kinds: int

    def shared(self, row: int) -> NDArray[np.int32]:
        return self.runs[self.starts[row] : self.starts[row + 1]]


def _sets(texts: Sequence[Sequence[str]]) -> _Sets:
    import numpy as np

    count = len(texts)
    flat = [text for row in texts for text in row]
    rows_of = np.repeat(np.arange(count, dtype=np.int32), [len(row) for row in texts])
    made = runs(Vocabulary().number(flat), RUN, short=True)
    order = np.argsort(made.hashes, kind="stable")
    hashes, rows = made.hashes[order], rows_of[made.owners][order]
    del made, order
    new_run = np.ones(len(hashes), bool)
    new_run[1:] = hashes[1:] != hashes[:-1]
    again = np.zeros(len(hashes), bool)
    again[1:] = ~new_run[1:] & (rows[1:] == rows[:-1])
    kind = (np.cumsum(new_run) - 1).astype(np.int32)
    kind, rows = kind[~again], rows[~again]
    del hashes, new_run, again
    sizes = np.bincount(rows, minlength=count).astype(np.int64)
    frequency = np.bincount(kind)
    common = frequency[kind] > 1
    kind, rows = kind[common], rows[common]
    rarity = np.empty(len(frequency), np.int32)
    rarity[np.argsort(frequency, kind="stable")] = np.arange(len(frequency), dtype=np.int32)
    ranked = rarity[kind]
    order = np.lexsort((ranked, rows))
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count))))
    return _Sets(ranked[order], starts, sizes, len(frequency))


def find_near(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row that nearly repeats an earlier one; exact copies belong to another check."""
    seen: dict[bytes, int] = {}
    for index, (prompt, answer) in enumerate(zip(sample.prompts, sample.answers, strict=True)):
        seen.setdefault(key(prompt, answer), index)
    rows = sorted(seen.values())
    texts = [(sample.contents[row], sample.answers[row]) for row in rows]
    linked = [(rows[a], rows[b], similarity) for a, b, similarity in links(texts, settings.near)]
    same = [link for link in linked if _same_answer(sample.answers[link[0]], sample.answers[link[1]])]
    findings = [
        RowFinding(
            row=row,
            reason=f"{similarity:.0%} of the runs of {RUN} words in it and {sample.where(other)} are in both",
            quote=_from(sample, row, start),
            other=sample.where(other),
            other_quote=_from(sample, other, start),
        )
        for row, other, similarity in same
        for start in [_difference(sample, row, other)]
    ]
    return CheckResult(findings=findings, notes=_notes(same, len(linked) - len(same), sample))


def _texts(sample: Sample, row: int) -> list[str]:
    return [*sample.contents[row].split(), *sample.answers[row].split()]


def _difference(sample: Sample, one: int, other: int) -> int:
    """A few words before the first that two rows do not share."""
    pairs = zip(_texts(sample, one), _texts(sample, other), strict=False)
    return max(0, next((at for at, (a, b) in enumerate(pairs) if a != b), 0) - WORDS_BEFORE)


def _from(sample: Sample, row: int, start: int) -> str:
    """A row from its word `start` on."""
    return ("… " if start else "") + short(" ".join(_texts(sample, row)[start:]))


def _same_answer(one: str, other: str) -> bool:
    """Whether answers are equal, or so long that the similarity of the whole rows speaks for them too."""
    long = min(len(one.split()), len(other.split())) > LABEL_WORDS
    return long or folded(one) == folded(other)


def _notes(same: Sequence[tuple[int, int, float]], other_answer: int, sample: Sample) -> list[str]:
    notes = []
    if other_answer:
        notes.append(f"Rows that nearly repeat a row's prompt with another answer are not counted: {other_answer:,}.")
    if same:
        other, size = Counter(other for _, other, _ in same).most_common(1)[0]
        if size > 1:
            notes.append(f"Most copies: {size:,} rows nearly repeat {sample.where(other)}.")
    return notes


NEAR = Check(name="near_duplicates", says="Rows that nearly repeat an earlier row.", action="drop", find=find_near)


def find_conflicts(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row whose prompt an earlier row has too, with another answer."""
    first: dict[bytes, int] = {}
    findings = []
    for index, prompt in enumerate(sample.prompts):
        earlier = first.setdefault(key(prompt), index)
        if folded(sample.answers[index]) != folded(sample.answers[earlier]):
            findings.append(
                RowFinding(
                    row=index,
                    reason=f"the prompt of {sample.where(earlier)} with another answer",
                    quote=short(sample.answers[index]),
                    other=sample.where(earlier),
                    other_quote=short(sample.answers[earlier]),
                )
            )
    return CheckResult(findings=findings)


CONFLICTS = Check(
    name="conflicting_answers",
    says="Rows with the prompt of an earlier row and another answer.",
    action="flag",
    find=find_conflicts,
)
