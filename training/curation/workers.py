"""Spreads work on many items over the processor's cores. Knows no work."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
FEWEST = 20_000
"""Items from which new processes, which import all anew, cost less than they save."""
CHUNK = 2_000


def spread(work: Callable[..., list[T]], items: Sequence[Any], *more: Any) -> list[T]:
    """`work(items, *more)`, a list with one result an item, done in chunks on all cores where there are many items.

    `work` is a function at the top of a module.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(items) < FEWEST or cores < 2:
        return work(items, *more)
    chunks = [(items[at : at + CHUNK], *more) for at in range(0, len(items), CHUNK)]
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return [result for done in pool.starmap(work, chunks, chunksize=1) for result in done]
