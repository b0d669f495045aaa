"""The canary of every engine on Ray: its calls travel to the workers, and their answers are checked here.

An engine runs it when it starts, before its first row, and again after it was lost and restarted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from harness.engines import canary
from harness.engines.ray.rows import completion_of, row_of
from harness.errors import EngineFailed
from harness.schema import Checkpoint, Completion

T = TypeVar("T")
Examine = Callable[[canary.Ask], T]
"""An examination: asks what it needs, and says what it found or raises CanaryFailed."""


class CanaryResult(Struct, frozen=True, kw_only=True):
    """What the canary found on one engine."""

    shared: dict[str, Any] | None
    """Of base and adapters in one call, for the manifest; None without adapters."""
    own: canary.Reference
    """The engine's own rows without an adapter."""


def examination(
    texts: Sequence[tuple[int, ...]], base: str, adapters: Mapping[str, Checkpoint], exact: bool
) -> Examine[CanaryResult]:
    """All that is asked of an engine with these weights."""

    def examine(ask: canary.Ask) -> CanaryResult:
        shared = canary.check_shared(ask, texts, base, adapters, exact=exact) if adapters else None
        return CanaryResult(shared=shared, own=canary.take(ask, texts, base, exact, lambda: None))

    return examine


def calls_of(examine: Examine[Any], models: Mapping[str, str]) -> list[list[dict[str, Any]]]:
    """The rows of each call that an examination makes, found by a rehearsal in which only the variant shows."""
    calls: list[list[dict[str, Any]]] = []

    def ask(rows: Sequence[canary.Row]) -> list[Completion]:
        calls.append([row_of(canary.request(row, i), models[row[0]]) for i, row in enumerate(rows)])
        return [_rehearsed(float(list(models).index(row[0]))) for row in rows]

    examine(ask)
    return calls


def _rehearsed(logprob: float) -> Completion:
    return Completion(
        key="", text="", finish_reason="length", prompt_tokens=1, output_tokens=1, output_ids=(0,), logprobs=(-logprob,)
    )


def check(examine: Examine[T], proof: str, engine: str, vllm: str) -> T:
    """Hold an engine's answers against the examination; CanaryFailed, or EngineFailed where it is another vLLM."""
    told = json.loads(proof)
    if told["vllm"] != vllm:
        raise EngineFailed(
            f"{engine}: has vLLM {told['vllm']}, and the other answers are of {vllm}. Install one on all workers"
        )
    calls = iter(told["calls"])

    def ask(rows: Sequence[canary.Row]) -> list[Completion]:
        requests = [canary.request(row, i) for i, row in enumerate(rows)]
        answers = zip(requests, next(calls), strict=True)
        return [completion_of(request, answer, error, lambda ids: "") for request, (answer, error) in answers]

    return examine(ask)
