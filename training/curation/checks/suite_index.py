"""An index of the texts of suites' cases by runs of words.

A case's text is its input and its longer expected answers, without the prompt template, so a training row may use a
suite's own prompt. Runs of 13 words that are in many documents of a suite (clusters of its cases: at least five, and a
tenth of all) are boilerplate: closed lists of names, recurring tasks and questions, legal formulas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import Unavailable, UserError
from harness.files import files_below
from harness.runs.project import suites_of
from harness.suites.discovery import SHIPPED, find_suites
from training.curation.text import hashed_words, runs, without_markup, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.schema import Case
    from harness.suites.suite import Suite

RUN = 13
"""Words per run (13 in Brown et al. 2020, appendix C)."""
PIECE = 5
"""Words per run in the full comparison of a row and a case."""
MIN_WORDS = 4
"""Cases with fewer words are not searched for."""
LONGEST_WORD = 40
"""Characters; a prompt with more than this per word of the longest short case is not searched for one."""
FEWEST_DOCUMENTS = 5
SHARE_OF_DOCUMENTS = 0.1
SHIPPED_ONLY = (
    "Rows were compared with tunegate's own suites only: no evalsuites is here or above. Set yours with --suite."
)

Piece = tuple[str, ...]


class CasePart(NamedTuple):
    """A part of a case that a row may contain: its input, or one expected answer."""

    suite: str
    case_id: str
    document: str
    texts: tuple[int, ...]
    """Indices of its texts."""
    answer: bool


class SuiteIndex(NamedTuple):
    """The texts of all cases of all suites."""

    suites: dict[str, int]
    """Number of compared cases by suite."""
    uncompared: dict[str, int]
    """Number of cases by suite that are too short, or too common in their suite, to be compared."""
    missing: list[str]
    """Why suites are missing here, one sentence each."""
    texts: list[str]
    """The distinct texts of each suite."""
    parts: list[CasePart]
    holders: list[list[int]]
    """Indices of the parts with each text."""
    hashes: NDArray[np.uint64]
    """(runs,): hash of every run, sorted."""
    owners: NDArray[np.int32]
    """(runs,): index of the run's text."""
    boilerplate: NDArray[np.bool_]
    """(runs,): whether the run is in many documents of its suite."""
    boilerplate_starts: dict[int, list[int]]
    """Indices of the words at which boilerplate runs begin, by text."""
    brief: dict[tuple[str, ...], int]
    """Parts without a run of their own, by the words to search for; none that is in many documents."""

    def pieces(self, number: int) -> tuple[int, set[Piece], set[Piece]]:
        """Return the number of words of a part that its own five-word runs cover, these, and those of boilerplate."""
        size = 0
        own: set[Piece] = set()
        boilerplate: set[Piece] = set()
        for text in self.parts[number].texts:
            text_words = words(self.texts[text])
            is_boilerplate = bytearray(len(text_words))
            for start in self.boilerplate_starts.get(text, ()):
                is_boilerplate[start : start + RUN] = b"\1" * RUN
            end = 0
            for start, piece in enumerate(pieces_of(text_words)):
                marks = is_boilerplate[start : start + PIECE]
                if not any(marks):
                    own.add(piece)
                    size += start + PIECE - max(start, end)
                    end = start + PIECE
                elif all(marks):
                    boilerplate.add(piece)
        return size, own, boilerplate


def pieces_of(text_words: Sequence[str]) -> Iterator[Piece]:
    """Return the runs of five words, in order."""
    return zip(*(text_words[start:] for start in range(PIECE)), strict=False)


def project_suites(folders: Sequence[str]) -> list[str]:
    """Return `folders`, or else the nearest `evalsuites` from the working directory upwards."""
    suites = suites_of(Path.cwd())
    return list(folders) or ([str(suites)] if suites else [])


def has_suite(folders: Sequence[str]) -> bool:
    """Whether one of the folders holds a suite."""
    with_tests = [f for f in folders if not Path(f).is_dir() or files_below(Path(f), "test_*.py")]
    return any(True for _ in find_suites(with_tests))


def load_any(folders: Sequence[str]) -> SuiteIndex | None:
    """Return the index of `folders`, else of the project's suites, else of tunegate's own, which it then says.

    Raises UserError where no suite is found in a folder.
    """
    if own := project_suites(folders):
        return load(own)
    if not SHIPPED.is_dir():
        return None
    index = load([str(SHIPPED)])
    return index._replace(missing=[SHIPPED_ONLY, *index.missing])


def load(folders: Sequence[str]) -> SuiteIndex:
    """Return the index of all suites below the folders as they are now; two folders may have suites of one name.

    Raises UserError where no suite is found in a folder.
    """
    suites: dict[tuple[str, str], Suite] = {}
    missing: dict[str, None] = {}
    for folder in folders:
        found = list(find_suites([folder]))
        if not found:
            raise UserError(f"{folder}: no suite was found. Name a folder with a test_*.py that declares one")
        for suite in found:
            try:
                suites.setdefault((suite.name, suite.cases_hash), suite)
            except Unavailable as error:
                missing[f"{suite.name} was not compared: {error}"] = None
    return _index(list(suites.values()), list(missing))


def any_available(folders: Sequence[str]) -> bool:
    """Whether the cases of a suite below the folders are here."""
    for suite in find_suites(folders):
        with suppress(Unavailable):
            return bool(suite.cases)
    return False


def _index(suites: Sequence[Suite], missing: list[str]) -> SuiteIndex:
    import numpy as np

    texts: list[str] = []
    documents: list[set[int]] = []  # Of its suite's documents, those with each text.
    parts: list[CasePart] = []
    spans: list[tuple[int, int, int]] = []  # First and last text of each suite, and the number of its documents.
    counts: Counter[str] = Counter()
    for suite in suites:
        counts[suite.name] += len(suite.cases)
        start = len(texts)
        known: dict[str, int] = {}
        names: dict[str, int] = {}
        first: dict[str, str] = {}
        for case in suite.cases:
            cluster = first.setdefault(case.document, case.cluster) if case.document else case.cluster
            document = names.setdefault(cluster, len(names))
            for answer, part_texts in _parts(case):
                indices = []
                for text in part_texts:
                    index = known.setdefault(text, len(texts))
                    if index == len(texts):
                        texts.append(text)
                        documents.append(set())
                    documents[index].add(document)
                    indices.append(index)
                parts.append(CasePart(suite.name, case.id, case.cluster, tuple(indices), answer))
        spans.append((start, len(texts), len(names)))
    suite_runs = runs(hashed_words(texts), RUN)
    boilerplate = np.zeros(len(suite_runs.hashes), bool)
    for start, end, count in spans:
        begin, stop = np.searchsorted(suite_runs.owners, [start, end])
        min_documents = max(FEWEST_DOCUMENTS, SHARE_OF_DOCUMENTS * count)
        mine = suite_runs.owners[begin:stop]
        boilerplate[begin:stop] = _frequent(suite_runs.hashes[begin:stop], mine, documents, min_documents)
    order = np.argsort(suite_runs.hashes, kind="stable")
    holders: list[list[int]] = [[] for _ in texts]
    for number, part in enumerate(parts):
        for index in part.texts:
            holders[index].append(number)
    firsts = np.searchsorted(suite_runs.owners, np.arange(len(texts)))
    boilerplate_starts: dict[int, list[int]] = {}
    for at in np.flatnonzero(boilerplate).tolist():
        owner = int(suite_runs.owners[at])
        boilerplate_starts.setdefault(owner, []).append(at - int(firsts[owner]))
    brief, uncompared = _brief(parts, texts, set(suite_runs.owners[~boilerplate].tolist()))
    return SuiteIndex(
        boilerplate_starts=boilerplate_starts,
        brief=brief,
        suites={name: cases - uncompared[name] for name, cases in counts.items()},
        uncompared=dict(uncompared),
        missing=missing,
        texts=texts,
        parts=parts,
        holders=holders,
        hashes=suite_runs.hashes[order],
        owners=suite_runs.owners[order],
        boilerplate=boilerplate[order],
    )


def _brief(
    parts: Sequence[CasePart], texts: Sequence[str], with_runs: Set[int]
) -> tuple[dict[tuple[str, ...], int], Counter[str]]:
    """Return the parts to search for by all their words, or by a short text; and the number of cases without."""
    by_words: dict[tuple[str, ...], dict[str, int]] = {}
    short = {
        number: _short([tuple(words(texts[text])) for text in part.texts])
        for number, part in enumerate(parts)
        if not part.answer and with_runs.isdisjoint(part.texts)
    }
    for number, part_words in short.items():
        if len(part_words) >= MIN_WORDS:
            by_words.setdefault(part_words, {}).setdefault(parts[number].document, number)
    brief = {part_words: min(by.values()) for part_words, by in by_words.items() if len(by) < FEWEST_DOCUMENTS}
    return brief, Counter(parts[number].suite for number, part_words in short.items() if part_words not in brief)


def _short(texts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return all words of the texts if they are too few for a run, or else those of the longest such text."""
    everything = tuple(chain.from_iterable(texts))
    if len(everything) < RUN:
        return everything
    return max((text_words for text_words in texts if len(text_words) < RUN), key=len, default=())


def _parts(case: Case) -> list[tuple[bool, list[str]]]:
    """Return a case's input, and each expected answer that is long enough to be recognised."""
    answers = [(True, [text]) for text in map(without_markup, case.expected) if len(words(text)) >= RUN]
    return [(False, list(map(without_markup, case.input.values()))), *answers]


def _frequent(
    hashes: NDArray[np.uint64], owners: NDArray[np.int32], documents: Sequence[Set[int]], minimum: float
) -> NDArray[np.bool_]:
    """Return which runs are in at least `minimum` documents; `hashes`, `owners` and the result have shape (runs,)."""
    import numpy as np

    counts = np.array([len(documents[owner]) for owner in owners.tolist()], np.int64)
    document_of = np.array([d for owner in owners.tolist() for d in documents[owner]], np.int64)
    _, run = np.unique(hashes, return_inverse=True)
    size = document_of.max(initial=0) + 1
    pairs = np.unique(np.repeat(run, counts) * size + document_of)
    is_frequent: NDArray[np.bool_] = (np.bincount(pairs // size) >= minimum)[run]
    return is_frequent
