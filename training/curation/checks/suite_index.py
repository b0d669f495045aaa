"""The texts of suites' cases, ready to be searched for runs of words. Knows no training row.

A case's text is what its input and its longer expected answers say. The prompt template around them is not in it, so a
training row may use a suite's own prompt. Runs of 13 words that stand in many documents of a suite (clusters of its
cases: at least five, and a tenth of all) are boilerplate: closed lists of names, standing tasks and questions,
statements that are asked of every contract, legal formulas.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import Unavailable, UserError
from training.curation.text import Vocabulary, runs, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.schema import Case
    from harness.suites.suite import Suite

RUN = 13
"""Words of a run (13 in Brown et al. 2020, appendix C)."""
PIECE = 5
"""Words of the runs by which a row and a case are compared in full."""
BRIEFEST = 4
"""Fewest words by which a short case is known."""
LONGEST_WORD = 40
"""Characters; a part with more than 13 times as many is not short."""
FEWEST_DOCUMENTS = 5
SHARE_OF_DOCUMENTS = 0.1

Piece = tuple[str, ...]


class CasePart(NamedTuple):
    """What a row may hold of a case: its input, or one expected answer."""

    suite: str
    case_id: str
    document: str
    texts: tuple[int, ...]
    """Indices of its texts."""
    answer: bool


class SuiteIndex(NamedTuple):
    """All cases of all suites."""

    suites: dict[str, int]
    """Number of cases by suite."""
    missing: list[str]
    """Why other suites are not here, one sentence each."""
    vocabulary: Vocabulary
    texts: list[str]
    """Every text once a suite."""
    parts: list[CasePart]
    holders: list[list[int]]
    """Indices of the parts that hold a text."""
    hashes: NDArray[np.uint64]
    """Hash of every run, sorted."""
    owners: NDArray[np.int32]
    """Text of each."""
    boilerplate: NDArray[np.bool_]
    """Whether each stands in many documents of its text's suite."""
    stock: dict[int, list[int]]
    """Where boilerplate runs begin in a text, by words, for texts that hold any."""
    brief: dict[tuple[str, ...], int]
    """Parts by their words, where they have too few for a run; none that stands in many documents."""

    def pieces(self, number: int) -> tuple[int, set[Piece], set[Piece]]:
        """How many words of a part are no boilerplate, their runs of five, and the runs of five of its boilerplate."""
        size = 0
        own: set[Piece] = set()
        stock: set[Piece] = set()
        for text in self.parts[number].texts:
            said = words(self.texts[text])
            standing = bytearray(len(said))
            for at in self.stock.get(text, ()):
                standing[at : at + RUN] = b"\1" * RUN
            size += len(said) - sum(standing)
            for at, piece in enumerate(pieces_of(said)):
                inside = standing[at : at + PIECE]
                if not any(inside):
                    own.add(piece)
                elif all(inside):
                    stock.add(piece)
        return size, own, stock


def pieces_of(said: Sequence[str]) -> Iterator[Piece]:
    """Runs of five words, in order."""
    return zip(*(said[at:] for at in range(PIECE)), strict=False)


def project_suites(folders: Sequence[str], shipped: bool = True) -> list[str]:
    """The folders named; or `evalsuites` here; or the `shipped` suites of tunegate. None where there are none."""
    if folders:
        return list(folders)
    if Path("evalsuites").is_dir():
        return ["evalsuites"]
    if not shipped:
        return []
    spec = importlib.util.find_spec("evalsuites")
    return list(spec.submodule_search_locations or []) if spec else []


def load(folders: Sequence[str]) -> SuiteIndex:
    """The index of all suites below the folders; made once a process. A folder without a suite is a UserError."""
    return _load(tuple(str(Path(folder).resolve()) for folder in folders))


@lru_cache(maxsize=4)
def _load(folders: tuple[str, ...]) -> SuiteIndex:
    from harness.evaluation.run import find_suites

    builder = _Builder()
    missing = []
    for suite in find_suites(folders):
        try:
            builder.add(suite)
        except Unavailable as error:
            missing.append(f"{suite.name} was not compared: {error}")
    if not builder.suites and not missing:
        raise UserError(f"{', '.join(folders)}: no suite was found. Name a folder with a test_*.py that declares one")
    return builder.index(missing)


class _Builder:
    def __init__(self) -> None:
        self.suites: dict[str, int] = {}
        self.texts: list[str] = []
        self.parts: list[CasePart] = []
        self.spans: list[tuple[int, int, dict[str, int]]] = []
        """Texts of each suite, from and to, and its documents by name."""
        self.documents: list[tuple[int, ...]] = []
        """Documents that a text stands in."""

    def add(self, suite: Suite) -> None:
        cases = suite.cases
        self.suites[suite.name] = len(cases)
        start = len(self.texts)
        known: dict[str, int] = {}
        names: dict[str, int] = {}
        standing: list[set[int]] = []
        for case in cases:
            document = names.setdefault(case.cluster, len(names))
            for answer, texts in _parts(case):
                indices = []
                for text in texts:
                    index = known.setdefault(text, start + len(known))
                    if index == len(self.texts):
                        self.texts.append(text)
                        standing.append(set())
                    standing[index - start].add(document)
                    indices.append(index)
                self.parts.append(CasePart(suite.name, case.id, case.cluster, tuple(indices), answer))
        self.documents += [tuple(sorted(some)) for some in standing]
        self.spans.append((start, len(self.texts), names))

    def index(self, missing: list[str]) -> SuiteIndex:
        import numpy as np

        vocabulary = Vocabulary()
        made = runs(vocabulary.number(self.texts), RUN)
        boilerplate = np.zeros(len(made.hashes), bool)
        for start, end, names in self.spans:
            first, last = np.searchsorted(made.owners, [start, end])
            most = max(FEWEST_DOCUMENTS, SHARE_OF_DOCUMENTS * len(names))
            mine = made.owners[first:last]
            boilerplate[first:last] = _frequent(made.hashes[first:last], mine, self.documents, most)
        order = np.argsort(made.hashes, kind="stable")
        holders: list[list[int]] = [[] for _ in self.texts]
        for number, part in enumerate(self.parts):
            for text in part.texts:
                holders[text].append(number)
        firsts = np.searchsorted(made.owners, np.arange(len(self.texts)))
        stock: dict[int, list[int]] = {}
        for at in np.flatnonzero(boilerplate).tolist():
            owner = int(made.owners[at])
            stock.setdefault(owner, []).append(at - int(firsts[owner]))
        return SuiteIndex(
            stock=stock,
            brief=self._brief(),
            suites=self.suites,
            missing=missing,
            vocabulary=vocabulary,
            texts=self.texts,
            parts=self.parts,
            holders=holders,
            hashes=made.hashes[order],
            owners=made.owners[order],
            boilerplate=boilerplate[order],
        )

    def _brief(self) -> dict[tuple[str, ...], int]:
        held: dict[tuple[str, ...], dict[str, int]] = {}
        for number, part in enumerate(self.parts):
            if sum(len(self.texts[text]) for text in part.texts) < RUN * LONGEST_WORD:
                said = tuple(word for text in part.texts for word in words(self.texts[text]))
                if BRIEFEST <= len(said) < RUN:
                    held.setdefault(said, {}).setdefault(part.document, number)
        return {said: min(by.values()) for said, by in held.items() if len(by) < FEWEST_DOCUMENTS}


def _parts(case: Case) -> list[tuple[bool, list[str]]]:
    """A case's input, and each expected answer that is long enough to be known again."""
    answers = [(True, [text]) for text in case.expected if len(text.split()) >= RUN]
    return [(False, list(case.input.values())), *answers]


def _frequent(
    hashes: NDArray[np.uint64], owners: NDArray[np.int32], documents: Sequence[tuple[int, ...]], most: float
) -> NDArray[np.bool_]:
    """Which runs stand in `most` documents or more."""
    import numpy as np

    counts = np.array([len(documents[owner]) for owner in owners.tolist()], np.int64)
    where = np.repeat(np.arange(len(hashes)), counts)
    held = np.array([d for owner in owners.tolist() for d in documents[owner]], np.int64)
    order = np.lexsort((held, hashes[where]))
    run, document = hashes[where][order], held[order]
    new_run = np.ones(len(run), bool)
    new_run[1:] = run[1:] != run[:-1]
    distinct = new_run.copy()
    distinct[1:] |= document[1:] != document[:-1]
    kind = np.cumsum(new_run) - 1
    often = np.bincount(kind, weights=distinct) >= most
    result = np.zeros(len(hashes), bool)
    result[where[order]] = often[kind]
    return result
