"""The canary of every engine on Ray: its calls are sent to the workers, and the answers are checked here.

An engine runs it when it starts, before its first row, and again after a restart.
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
"""Queries an engine and returns the result, or raises CanaryFailed."""


class CanaryResult(Struct, frozen=True, kw_only=True):
    """Result of the canary on one engine."""

    shared: dict[str, Any] | None
    """Result for base and adapters in one call, for the manifest; None without adapters."""
    own: canary.Reference
    """The engine's own rows without an adapter."""
    adapted: dict[str, list[Completion]]
    """Its rows with each adapter, by variant."""


def examination(
    texts: Sequence[tuple[int, ...]], base: str, adapters: Mapping[str, Checkpoint], exact: bool
) -> Examine[CanaryResult]:
    """Return the whole canary of an engine with these weights."""

    def examine(ask: canary.Ask) -> CanaryResult:
        adapted: dict[str, list[Completion]] = {variant: [] for variant in adapters}

        def ask_and_keep(rows: Sequence[canary.Row]) -> list[Completion]:
            completions = ask(rows)
            for (variant, _), completion in zip(rows, completions, strict=True):
                if variant in adapted:
                    adapted[variant].append(completion)
            return completions

        shared = canary.check_shared(ask_and_keep, texts, base, adapters, exact=exact) if adapters else None
        return CanaryResult(shared=shared, own=canary.take(ask, texts, base, exact), adapted=adapted)

    return examine


def calls_of(examine: Examine[Any], models: Mapping[str, str]) -> list[list[dict[str, Any]]]:
    """Return the rows of each call that the canary makes, from a rehearsal with made-up completions."""
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
    """Check an engine's answers. Raises CanaryFailed, or EngineFailed for another version of vLLM."""
    record = json.loads(proof)
    if record["vllm"] != vllm:
        raise EngineFailed(
            f"{engine}: has vLLM {record['vllm']}, and the other answers are from {vllm}. Install one version on "
            "all workers"
        )
    calls = iter(record["calls"])

    def ask(rows: Sequence[canary.Row]) -> list[Completion]:
        requests = [canary.request(row, i) for i, row in enumerate(rows)]
        answers = zip(requests, next(calls), strict=True)
        return [completion_of(request, answer, error, lambda ids: "") for request, (answer, error) in answers]

    return examine(ask)
