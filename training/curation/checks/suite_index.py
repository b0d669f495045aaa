"""An index of the texts of suites' cases by runs of words.

A case's text is its input and its longer expected answers, without the prompt template, so a training row may use a
suite's own prompt. Runs of 13 words that are in many documents of a suite (clusters of its cases: at least five, and a
tenth of all) are boilerplate: closed lists of names, recurring tasks and questions, legal formulas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import Unavailable, UserError
from harness.runs.project import suites_of
from harness.suites.discovery import SHIPPED, find_suites
from training.curation.text import hashed_words, runs, words

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
    builder = _Builder()
    missing: dict[str, None] = {}
    added = set()
    for suite in chain.from_iterable(find_suites([folder]) for folder in folders):
        try:
            if (cases := (suite.name, suite.cases_hash)) not in added:
                builder.add(suite)
                added.add(cases)
        except Unavailable as error:
            missing[f"{suite.name} was not compared: {error}"] = None
    if not builder.suites and not missing:
        raise UserError(f"{', '.join(folders)}: no suite was found. Name a folder with a test_*.py that declares one")
    return builder.index(list(missing))


class _Builder:
    def __init__(self) -> None:
        self.suites: dict[str, int] = {}
        self.texts: list[str] = []
        self.parts: list[CasePart] = []
        self.spans: list[tuple[int, int, dict[str, int]]] = []
        """First and last text of each suite, and its documents by name."""
        self.documents: list[tuple[int, ...]] = []
        """The documents with each text."""

    def add(self, suite: Suite) -> None:
        cases = suite.cases
        self.suites[suite.name] = self.suites.get(suite.name, 0) + len(cases)
        start = len(self.texts)
        known: dict[str, int] = {}
        names: dict[str, int] = {}
        first: dict[str, str] = {}
        documents_of_text: list[set[int]] = []
        for case in cases:
            cluster = first.setdefault(case.document, case.cluster) if case.document else case.cluster
            document = names.setdefault(cluster, len(names))
            for answer, texts in _parts(case):
                indices = []
                for text in texts:
                    index = known.setdefault(text, start + len(known))
                    if index == len(self.texts):
                        self.texts.append(text)
                        documents_of_text.append(set())
                    documents_of_text[index - start].add(document)
                    indices.append(index)
                self.parts.append(CasePart(suite.name, case.id, case.cluster, tuple(indices), answer))
        self.documents += [tuple(sorted(documents)) for documents in documents_of_text]
        self.spans.append((start, len(self.texts), names))

    def index(self, missing: list[str]) -> SuiteIndex:
        import numpy as np

        suite_runs = runs(hashed_words(self.texts), RUN)
        boilerplate = np.zeros(len(suite_runs.hashes), bool)
        for start, end, names in self.spans:
            first, last = np.searchsorted(suite_runs.owners, [start, end])
            min_documents = max(FEWEST_DOCUMENTS, SHARE_OF_DOCUMENTS * len(names))
            mine = suite_runs.owners[first:last]
            boilerplate[first:last] = _frequent(suite_runs.hashes[first:last], mine, self.documents, min_documents)
        order = np.argsort(suite_runs.hashes, kind="stable")
        holders: list[list[int]] = [[] for _ in self.texts]
        for number, part in enumerate(self.parts):
            for text in part.texts:
                holders[text].append(number)
        firsts = np.searchsorted(suite_runs.owners, np.arange(len(self.texts)))
        boilerplate_starts: dict[int, list[int]] = {}
        for at in np.flatnonzero(boilerplate).tolist():
            owner = int(suite_runs.owners[at])
            boilerplate_starts.setdefault(owner, []).append(at - int(firsts[owner]))
        brief, uncompared = self._brief(set(suite_runs.owners[~boilerplate].tolist()))
        return SuiteIndex(
            boilerplate_starts=boilerplate_starts,
            brief=brief,
            suites={name: cases - uncompared[name] for name, cases in self.suites.items()},
            uncompared=dict(uncompared),
            missing=missing,
            texts=self.texts,
            parts=self.parts,
            holders=holders,
            hashes=suite_runs.hashes[order],
            owners=suite_runs.owners[order],
            boilerplate=boilerplate[order],
        )

    def _brief(self, with_runs: Set[int]) -> tuple[dict[tuple[str, ...], int], Counter[str]]:
        """Return the parts to search for by all their words, or by a short text; and the number of cases without."""
        by_words: dict[tuple[str, ...], dict[str, int]] = {}
        short = {
            number: self._short(part.texts)
            for number, part in enumerate(self.parts)
            if not part.answer and with_runs.isdisjoint(part.texts)
        }
        for number, part_words in short.items():
            if len(part_words) >= MIN_WORDS:
                by_words.setdefault(part_words, {}).setdefault(self.parts[number].document, number)
        brief = {part_words: min(by.values()) for part_words, by in by_words.items() if len(by) < FEWEST_DOCUMENTS}
        return brief, Counter(
            self.parts[number].suite for number, part_words in short.items() if part_words not in brief
        )

    def _short(self, texts: Sequence[int]) -> tuple[str, ...]:
        """Return all words of the texts if they are too few for a run, or else those of the longest such text."""
        each = [tuple(words(self.texts[text])) for text in texts]
        everything = tuple(chain.from_iterable(each))
        if len(everything) < RUN:
            return everything
        return max((text_words for text_words in each if len(text_words) < RUN), key=len, default=())


def _parts(case: Case) -> list[tuple[bool, list[str]]]:
    """Return a case's input, and each expected answer that is long enough to be recognised."""
    answers = [(True, [text]) for text in case.expected if len(words(text)) >= RUN]
    return [(False, list(case.input.values())), *answers]


def _frequent(
    hashes: NDArray[np.uint64], owners: NDArray[np.int32], documents: Sequence[tuple[int, ...]], minimum: float
) -> NDArray[np.bool_]:
    """Return which runs are in at least `minimum` documents; `hashes`, `owners` and the result have shape (runs,)."""
    import numpy as np

    counts = np.array([len(documents[owner]) for owner in owners.tolist()], np.int64)
    where = np.repeat(np.arange(len(hashes)), counts)
    document_of = np.array([d for owner in owners.tolist() for d in documents[owner]], np.int64)
    order = np.lexsort((document_of, hashes[where]))
    run, document = hashes[where][order], document_of[order]
    new_run = np.ones(len(run), bool)
    new_run[1:] = run[1:] != run[:-1]
    distinct = new_run.copy()
    distinct[1:] |= document[1:] != document[:-1]
    kind = np.cumsum(new_run) - 1
    is_frequent = np.bincount(kind, weights=distinct) >= minimum
    result = np.zeros(len(hashes), bool)
    result[where[order]] = is_frequent[kind]
    return result
