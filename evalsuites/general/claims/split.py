"""Which documents are for evaluation, for validation and for training, across all sets together.

Documents with a text in common, or about which the same sentence is judged, are one group and stay on one side,
whatever sets they are from. The hash of a group decides its side.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations
from typing import Any

from msgspec import Struct

from evalsuites.general.claims.pairs import Pair

SIDES = ("evaluation", "validation", "train")
EVALUATION, VALIDATION, TRAIN = SIDES
TRAINED = ("completions", "conjnli", "med_monotonicity", "mnli_small", "vitaminc_small")
"""Sets without a share for evaluation: that of the completions is settled, and the others' sources are too short."""
CHECKING = ("control_nli", "faithbench", "storysumm")
"""Sets that are never trained on: their licence forbids it, or they have few documents."""
HALVED = ("begin", "dialogue_audit", "frank", "summedits", "wice", "xsum_hallucination")
"""Sets that docs/scorer-validity.md reports on, and those that share documents with them."""
HALF, SHARE, VALIDATION_SHARE = 0.5, 0.25, 0.08
"""Shares of the groups for evaluation, in HALVED and in other sets, and for validation."""
RUN = 5
OVERLAP = 0.5
"""Share of the smaller document's runs of RUN words that joins two documents."""
COMMON = 20
"""A run of words in more documents than this joins none."""
LEAST_WORDS = 6
"""A shorter sentence joins no documents: many are generic."""
APART = ("contractnli", "faithbench")
"""Sets with the same sentences about many documents: statements, refusals."""


class Split(Struct, frozen=True, kw_only=True):
    """The side of every document."""

    group: dict[str, str]
    """Name of each document's group, by key."""
    side_by_group: dict[str, str]

    def side(self, document: str) -> str:
        """Return the side of a document; one that is in no set is for training or validation."""
        group = self.group.get(document, document)
        return self.side_by_group.get(group) or _drawn(group, 0.0)


@lru_cache(maxsize=256)
def document_key(text: str) -> str:
    """Return the key of a source text: a hash of its letters and digits, without case, spaces and punctuation."""
    return hashlib.sha256("".join(re.findall(r"[^\W_]+", text.lower())).encode()).hexdigest()[:16]


def split(pairs: Iterable[Pair], settled: Mapping[str, str]) -> Split:
    """Split the documents of all sets; `settled` gives documents whose side is decided elsewhere.

    A group with documents of several sides is for evaluation before validation, and for validation before training.
    """
    texts: dict[str, str] = {}
    origins: dict[str, set[str]] = defaultdict(set)
    judged: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        texts.setdefault(pair.document, pair.source)
        origins[pair.document].add(pair.origin)
        if pair.origin not in APART and len(words := pair.sentence.lower().split()) >= LEAST_WORDS:
            judged[" ".join(words)].add(pair.document)
    links = [sorted(documents) for documents in judged.values() if len(documents) > 1]
    group = joined(texts, [*links, *near_duplicates(texts)])
    members: dict[str, list[str]] = defaultdict(list)
    for document, name in group.items():
        members[name].append(document)
    sides = {
        name: min((_side(name, document, origins[document], settled) for document in documents), key=SIDES.index)
        for name, documents in members.items()
    }
    return Split(group=group, side_by_group=sides)


def _side(group: str, document: str, origins: set[str], settled: Mapping[str, str]) -> str:
    if document in settled:
        return settled[document]
    if origins & set(CHECKING):
        return EVALUATION
    return _drawn(group, 0.0 if origins <= set(TRAINED) else HALF if origins & set(HALVED) else SHARE)


def _drawn(group: str, evaluated: float) -> str:
    """The side by the hash of a group, with this share for evaluation."""
    place = int(hashlib.sha256(f"claims {group}".encode()).hexdigest()[:12], 16) / 16**12
    return EVALUATION if place < evaluated else VALIDATION if place >= 1 - VALIDATION_SHARE else TRAIN


def joined(documents: Iterable[str], links: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return the group of each document, named by its smallest key; each link joins its documents."""
    parent = {document: document for document in documents}

    def root(document: str) -> str:
        while parent[document] != document:
            parent[document] = document = parent[parent[document]]
        return document

    for link in links:
        first, *others = (root(document) for document in link)
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = first = low
    return {document: root(document) for document in parent}


def near_duplicates(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the pairs of documents that share OVERLAP of the smaller one's runs of words."""
    import numpy as np

    if len(texts) < 2:
        return []
    keys = list(texts)
    vocabulary: dict[str, int] = {}
    runs = [_runs(text, vocabulary) for text in texts.values()]
    sizes = [len(each) for each in runs]
    flat, owners = np.concatenate(runs), np.repeat(np.arange(len(keys)), sizes)
    order = np.argsort(flat, kind="stable")
    flat, owners = flat[order], owners[order]
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, len(flat)])
    shared: Counter[tuple[int, int]] = Counter()
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if 1 < length <= COMMON:
            shared.update(combinations(owners[start : start + length].tolist(), 2))
    pairs = [pair for pair, count in shared.items() if count >= OVERLAP * min(sizes[pair[0]], sizes[pair[1]])]
    return [(keys[one], keys[other]) for one, other in pairs]


def _runs(text: str, vocabulary: dict[str, int]) -> Any:
    """A hash of each run of RUN words, each run once, shape (runs,); a shorter text is one run."""
    import numpy as np

    words = re.findall(r"[^\W_]+", text.lower())
    ids = np.array([vocabulary.setdefault(word, len(vocabulary) + 1) for word in words] or [0], dtype=np.uint64)
    size = min(RUN, len(ids))
    total = np.zeros(len(ids) - size + 1, dtype=np.uint64)
    for at in range(size):
        total = total * np.uint64(0x9E3779B97F4A7C15) + ids[at : len(ids) - size + at + 1]
    return np.unique(total)
