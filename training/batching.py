"""The rows of every step, their order, and how they are packed into micro-batches.

Packing follows best fit decreasing (BFD), as "Fewer truncations improve language modeling" (arXiv 2404.10830) does for
pre-training.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Hashable, Sequence

import msgspec
from msgspec import Struct

from training.config import Train
from training.data.tokenize import Document

SHORTEST_PREFIX = 16
"""Shorter shared prefixes are not worth a separate attention."""
GROUP_TOKENS = 32
"""Rows whose first tokens are the same count as one group: the system message of a task is longer."""
SPREAD = "spread"
"""Group of documents whose gradient belongs into every step."""
PASS_TOKENS = 64
"""Documents with another prefix get a pass of their own if it saves this many tokens."""


class Micro(Struct, frozen=True, kw_only=True):
    """A micro-batch: documents that share one forward pass without seeing each other.

    A prefix that all of them share comes first, once, then the rest of each document.
    """

    ids: list[int]
    """(tokens,): token IDs."""
    positions: list[int]
    """(tokens,): position of each token in its own document."""
    answers: list[int]
    """(answer tokens,): indices of the learnt tokens."""
    lengths: list[int]
    """(documents,): tokens of each document, without the shared prefix."""
    prefix: int = 0
    """Tokens of the shared prefix."""
    is_distilled: bool = False
    """Whether the base model's probabilities are learnt in place of the tokens."""
    in_context: Micro | None = None
    """What the base model reads, if it is something else: as many learnt tokens in the same order."""
    weight: float = 1.0
    """0 for a filler that gives all devices the same number of micro-batches."""


def planned(rows: int, train: Train) -> tuple[int, int]:
    """Return the number of weight updates, and of training rows in all of them; the last one may have fewer rows."""
    size = train.rows_per_step
    total = train.max_steps * size if train.max_steps else max(1, round(rows * train.epochs))
    return math.ceil(total / size), total


def order(rows: int, train: Train, groups: Sequence[Hashable] = ()) -> list[list[int]]:
    """Return the row indices of every step; every epoch has its own order, drawn from the seed.

    With `groups`, one per row, the rows of a step are of the same group where there are enough of them; those of the
    group SPREAD are spread over all steps.
    """
    size, (_, total) = train.rows_per_step, planned(rows, train)
    stream: list[int] = []
    pending: list[int] = []
    for epoch in range(math.ceil(total / rows)):
        rng = random.Random(f"{train.seed}/{epoch}")
        indices = list(range(rows))
        rng.shuffle(indices)
        if groups:
            indices, pending = _grouped(pending + indices, groups, size, rng)
        stream += indices
    stream = (stream + pending)[:total]
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def groups_of(documents: Sequence[Document], train: Train) -> list[Hashable]:
    """Return the group of every document, by its first tokens; nothing where the configuration asks for no groups."""
    if not train.group_prefix:
        return []
    return [SPREAD if document.is_distilled else tuple(document.ids[:GROUP_TOKENS]) for document in documents]


def _grouped(
    indices: Sequence[int], groups: Sequence[Hashable], size: int, rng: random.Random
) -> tuple[list[int], list[int]]:
    """Return the indices in steps of `size`, most of one group beside those of SPREAD, and those that fill no step."""
    members: dict[Hashable, list[int]] = {}
    for index in indices:
        members.setdefault(groups[index], []).append(index)
    spread = members.pop(SPREAD, [])
    number = len(indices) // size
    steps = [spread[at::number] for at in range(number)] if number else []
    if any(len(step) > size for step in steps):
        return list(indices), []
    rng.shuffle(steps)
    rest = [] if number else spread
    filled = 0
    for group in [*members.values(), rest]:
        while filled < number and len(group) >= (room := size - len(steps[filled])):
            steps[filled] += group[:room]
            del group[:room]
            filled += 1
        if group is not rest:
            rest += group
    rng.shuffle(steps)
    return list(itertools.chain.from_iterable(steps)), rest


def pack(documents: Sequence[Document], pack_tokens: int, share_prefix: bool = False) -> list[Micro]:
    """Pack documents, longest first, into micro-batches of at most `pack_tokens` tokens.

    Each document goes into the fullest micro-batch with room for it (best fit decreasing). A longer document, or any if
    `pack_tokens` is 0, gets its own. With `share_prefix`, a prefix that all documents of a micro-batch share (system
    message, instructions) occurs once, and documents with another prefix go to other micro-batches. So do those with
    another kind of loss.
    """
    by_loss: dict[tuple[bool, bool], list[Document]] = {}
    for document in documents:
        by_loss.setdefault((document.is_distilled, document.in_context is not None), []).append(document)
    return [micro for _, part in sorted(by_loss.items()) for micro in _pack(part, pack_tokens, share_prefix)]


def _pack(documents: Sequence[Document], pack_tokens: int, share_prefix: bool) -> list[Micro]:
    if not share_prefix or not pack_tokens:
        return _fill(documents, 0, pack_tokens)
    groups = _by_prefix(sorted(documents, key=lambda d: d.ids))
    return [micro for group in groups for micro in _fill(group, common_prefix(group), pack_tokens)]


def _fill(documents: Sequence[Document], prefix: int, pack_tokens: int) -> list[Micro]:
    bins: list[list[Document]] = []
    filled: list[int] = []
    for document in sorted(documents, key=lambda d: -len(d.ids)):
        size = len(document.ids) - prefix
        open_bins = [i for i, used in enumerate(filled) if used + size <= pack_tokens]
        if open_bins:
            best = max(open_bins, key=filled.__getitem__)
            bins[best].append(document)
            filled[best] += size
        else:
            bins.append([document])
            filled.append(prefix + size)
    return [_join(together, prefix) for together in bins]


def _by_prefix(ordered: Sequence[Document]) -> list[Sequence[Document]]:
    """Split documents, sorted by their IDs, into groups that are worth a pass of their own."""
    groups: list[Sequence[Document]] = []
    pending = [ordered]
    while pending:
        group = pending.pop()
        parts = _cut(group)
        if len(parts) > 1:
            pending += parts
        else:
            groups.append(group)
    return groups


def _cut(group: Sequence[Document]) -> list[Sequence[Document]]:
    """Split a group where neighbours have the shortest common prefix, if that saves tokens; merge small savings."""
    shared = [_common_length(a.ids, b.ids) for a, b in itertools.pairwise(group)]
    if not shared or min(shared) == max(shared):
        return [group]
    ends = [i + 1 for i, alike in enumerate(shared) if alike == min(shared)]
    parts = [group[start:end] for start, end in itertools.pairwise([0, *ends, len(group)])]
    large = [part for part in parts if _saved(part) > PASS_TOKENS]
    rest = [document for part in parts if _saved(part) <= PASS_TOKENS for document in part]
    groups: list[Sequence[Document]] = [*large, rest] if rest else [*large]
    return groups if sum(map(_saved, groups)) - PASS_TOKENS * (len(groups) - 1) > _saved(group) else [group]


def _saved(documents: Sequence[Document]) -> int:
    """Return the tokens that a shared prefix saves if the documents share a pass."""
    return (len(documents) - 1) * common_prefix(documents) if documents else 0


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of tokens that both begin with."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def common_prefix(documents: Sequence[Document]) -> int:
    """Return the length of the prefix that all documents share, or 0 if it is short.

    It ends before the token that precedes the first learnt one.
    """
    if len(documents) < 2:
        return 0
    first = documents[0].ids
    length = min(d.mask.index(1) - 1 for d in documents)
    for document in documents[1:]:
        length = next((i for i in range(length) if first[i] != document.ids[i]), length)
    return length if length >= SHORTEST_PREFIX else 0


def _join(documents: Sequence[Document], prefix: int) -> Micro:
    ids: list[int] = list(documents[0].ids[:prefix])
    positions: list[int] = list(range(prefix))
    answers: list[int] = []
    for document in documents:
        offset = len(ids) - prefix
        answers += [offset + at for at, learnt in enumerate(document.mask) if learnt]
        ids += document.ids[prefix:]
        positions += range(prefix, len(document.ids))
    lengths = [len(d.ids) - prefix for d in documents]
    in_context = [document.in_context for document in documents if document.in_context]
    return Micro(
        ids=ids,
        positions=positions,
        answers=answers,
        lengths=lengths,
        prefix=prefix,
        is_distilled=documents[0].is_distilled,
        in_context=_join(in_context, common_prefix(in_context) if prefix else 0) if in_context else None,
    )


def share(micros: Sequence[Micro], rank: int, ranks: int) -> list[Micro]:
    """Return the micro-batches of one device: equally many per device, with fillers of weight 0."""
    count = math.ceil(len(micros) / ranks)
    own = list(micros[rank::ranks])
    shortest = min(micros, key=lambda m: len(m.ids))
    filler = msgspec.structs.replace(shortest, weight=0.0)
    return own + [filler] * (count - len(own))
