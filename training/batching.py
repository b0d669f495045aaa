"""Decides which rows each step sees, in which order and in which micro-batches. A pure function of its arguments."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from training.data.tokenize import Document

SHORTEST_PREFIX = 16
"""A shared beginning of fewer tokens is not worth its own attention."""
PASS_TOKENS = 64
"""Tokens that must be saved for rows of another beginning to get a pass of their own."""


class Micro(Struct, frozen=True, kw_only=True):
    """Documents that share one forward pass, each blind to the others: a common prefix once, then what differs."""

    ids: list[int]
    """Token ids of all documents."""
    positions: list[int]
    """Position of each token in its own document."""
    answers: list[int]
    """Indices of the tokens that are learnt."""
    lengths: list[int]
    """Tokens of each document, without the shared prefix."""
    prefix: int = 0
    """Tokens at the start that every document here begins with; computed once, seen by all."""
    weight: float = 1.0
    """0 for a filler that keeps all devices in step."""


def total_steps(rows: int, rows_per_step: int, epochs: float, max_steps: int | None) -> int:
    """Weight updates of the whole training; the last one may see fewer rows."""
    return max_steps or max(1, math.ceil(rows * epochs / rows_per_step))


def order(rows: int, rows_per_step: int, steps: int, seed: int, epochs: float | None) -> list[list[int]]:
    """Row indices of every step: each pass over the rows has its own order, drawn from the seed.

    `epochs` ends the order in the middle of a step; None fills every step.
    """
    wanted = steps * rows_per_step if epochs is None else min(steps * rows_per_step, round(rows * epochs))
    stream: list[int] = []
    for turn in range(math.ceil(wanted / rows)):
        once = list(range(rows))
        random.Random(f"{seed}/{turn}").shuffle(once)
        stream += once
    stream = stream[: max(wanted, 1)]
    return [stream[at : at + rows_per_step] for at in range(0, len(stream), rows_per_step)]


def pack(documents: Sequence[Document], pack_tokens: int, share_prefix: bool = False) -> list[Micro]:
    """Join documents, longest first, into micro-batches of at most `pack_tokens` tokens.

    A longer document, or any where `pack_tokens` is 0, goes alone. Each document goes into the fullest micro-batch
    that still has room (best fit decreasing). With `share_prefix`, tokens that all documents of a micro-batch begin
    with (system message, instructions) stand once in it; documents that begin otherwise go elsewhere.
    """
    if not share_prefix or not pack_tokens:
        return _fill(documents, 0, pack_tokens)
    groups = _by_beginning(sorted(documents, key=lambda d: d.ids))
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


def _by_beginning(ordered: Sequence[Document]) -> list[Sequence[Document]]:
    """Documents, sorted by their ids, in groups that are worth a pass of their own."""
    done: list[Sequence[Document]] = []
    waiting = [ordered]
    while waiting:
        group = waiting.pop()
        parts = _cut(group)
        if len(parts) > 1:
            waiting += parts
        else:
            done.append(group)
    return done


def _cut(group: Sequence[Document]) -> list[Sequence[Document]]:
    """Cut a group wherever neighbours have least in common, where that saves tokens; what saves few stays together."""
    shared = [_alike(a.ids, b.ids) for a, b in itertools.pairwise(group)]
    if not shared or min(shared) == max(shared):
        return [group]
    ends = [i + 1 for i, alike in enumerate(shared) if alike == min(shared)]
    parts = [group[start:end] for start, end in itertools.pairwise([0, *ends, len(group)])]
    apart = [part for part in parts if _saved(part) > PASS_TOKENS]
    rest = [document for part in parts if _saved(part) <= PASS_TOKENS for document in part]
    found: list[Sequence[Document]] = [*apart, rest] if rest else [*apart]
    return found if sum(map(_saved, found)) - PASS_TOKENS * (len(found) - 1) > _saved(group) else [group]


def _saved(documents: Sequence[Document]) -> int:
    """Tokens that need not be computed where the documents share a pass."""
    return (len(documents) - 1) * common_prefix(documents) if documents else 0


def _alike(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens that both begin with."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def common_prefix(documents: Sequence[Document]) -> int:
    """Tokens that all documents begin with; the token before the first learnt one is never among them. 0 if few."""
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
    return Micro(ids=ids, positions=positions, answers=answers, lengths=lengths, prefix=prefix)


def share(micros: Sequence[Micro], rank: int, ranks: int) -> list[Micro]:
    """One device's part of a step. Every device gets equally many; fillers repeat the shortest with weight 0."""
    most = math.ceil(len(micros) / ranks)
    mine = list(micros[rank::ranks])
    shortest = min(micros, key=lambda m: len(m.ids))
    filler = msgspec.structs.replace(shortest, weight=0.0)
    return mine + [filler] * (most - len(mine))
