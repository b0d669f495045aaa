"""What running out of memory looks like, and half as much at once for the next try. Starts no engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import EngineFailed

# vLLM's smallest defaults on any device, for an engine that did not live to say its own.
LEAST_SEQS = 256
LEAST_BATCHED_TOKENS = 2048
# Fewer tokens in one step save no memory that counts beside weights and cache.
FLOOR_BATCHED_TOKENS = 256
EXHAUSTED = re.compile(
    r"out of memory|OutOfMemory|can(?:no|')t allocate memory|bad_alloc|MemoryError|ALLOC_FAILED"
    r"|no available memory for the cache blocks",
    re.IGNORECASE,
)
KILLS = Path("/proc/vmstat")


class OutOfMemory(EngineFailed):
    """The engine ran out of memory; with less at once it may not."""


def is_out_of_memory(text: str) -> bool:
    """Does an error or a traceback say that memory was not enough, on whatever device?"""
    return EXHAUSTED.search(text) is not None


def killed_for_memory() -> int:
    """How many processes the system has killed so far because memory ran out; 0 where it does not say."""
    try:
        found = re.search(r"^oom_kill (\d+)$", KILLS.read_text("ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


class AtOnce(Struct, frozen=True, kw_only=True):
    """How much an engine computes at once, and the cache it has for that."""

    requests: int
    """vLLM's max_num_seqs."""
    tokens: int
    """vLLM's max_num_batched_tokens."""
    kv_cache_bytes: int
    """vLLM's kv_cache_memory_bytes."""

    def halved(self) -> AtOnce | None:
        """Half of it; None where requests are computed one at a time already."""
        if self.requests == 1:
            return None
        requests = self.requests // 2
        return AtOnce(
            requests=requests,
            tokens=max(requests, min(self.tokens, max(self.tokens // 2, FLOOR_BATCHED_TOKENS))),
            kv_cache_bytes=self.kv_cache_bytes // 2,
        )

    def limits(self, arguments: Mapping[str, Any], least_kv_cache_bytes: int) -> dict[str, Any]:
        """Arguments of vLLM's LLM held to this; the cache keeps room for the longest request."""
        asked = asked_at_once(arguments)
        return dict(arguments) | {
            "max_num_seqs": min(self.requests, asked.requests),
            "max_num_batched_tokens": min(self.tokens, asked.tokens),
            "kv_cache_memory_bytes": max(least_kv_cache_bytes, min(self.kv_cache_bytes, asked.kv_cache_bytes)),
        }


def asked_at_once(arguments: Mapping[str, Any]) -> AtOnce:
    """What arguments of vLLM's LLM say; its smallest defaults where they leave it to vLLM."""
    return AtOnce(
        requests=arguments.get("max_num_seqs", LEAST_SEQS),
        tokens=arguments.get("max_num_batched_tokens", LEAST_BATCHED_TOKENS),
        kv_cache_bytes=arguments["kv_cache_memory_bytes"],
    )
