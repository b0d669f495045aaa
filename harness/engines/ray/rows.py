"""Convert requests to rows of Ray Data, and result rows to completions."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.engines.base import answer_ids, failed, finished
from harness.engines.vllm.memory import MAX_SEQS_CPU, MAX_SEQS_CUDA
from harness.engines.vllm.model import sampling_arguments
from harness.schema import Completion, Request

ROWS_CPU = 8
ROWS_CUDA = 32
"""Largest number of rows in a batch, which is returned as a whole and is lost if its worker dies."""


class Shape(Struct, frozen=True, kw_only=True):
    """How rows are batched and distributed to engines."""

    engines: int
    """Number of engines that start, at most one per batch."""
    rows: int
    """Rows per batch."""
    concurrent_batches: int
    """Batches that an engine computes at the same time."""
    queued_batches: int
    """Batches in progress or queued at an engine, limited so that the first engine does not take the others' share."""


def fitting(requests: Sequence[Request], kv_cache_bytes: int, bytes_per_token: int) -> int:
    """Return how many requests of the mean length fit into an engine's KV cache together, at least one."""
    mean = sum(len(r.ids) + r.sampling.max_tokens for r in requests) / len(requests)
    return int(kv_cache_bytes / (bytes_per_token * mean)) + 1


def shape(n_rows: int, engines: int, on_cpu: bool, max_requests: int) -> Shape:
    """Choose batches for `n_rows` on `engines`, each of which computes at most `max_requests` together.

    Few batches wait at an engine, so that little is lost if it dies and little waits if it is slow.
    """
    rows = min(ROWS_CPU if on_cpu else ROWS_CUDA, -(-n_rows // engines))
    batches = -(-n_rows // rows)
    engines = min(engines, batches)
    share = -(-batches // engines)
    full = -(-min(max_requests, MAX_SEQS_CPU if on_cpu else MAX_SEQS_CUDA) // rows)
    return Shape(engines=engines, rows=rows, concurrent_batches=min(full, share), queued_batches=min(2 * full, share))


def row_of(request: Request, model: str) -> dict[str, Any]:
    """Build a flat row: token ids as 4-byte integers, sampling arguments as JSON; `model` names base or adapter."""
    return {
        "key": request.key,
        "model": model,
        "tokenized_prompt": array("i", request.ids).tobytes(),
        "sampling_params": json.dumps(sampling_arguments(request.sampling)),
    }


def tables(requests: Sequence[Request], models: Mapping[str, str], rows: int) -> Iterator[Any]:
    """Yield Arrow tables of one batch each, in the requests' order; `models` maps variants to names."""
    import pyarrow

    for start in range(0, len(requests), rows):
        yield pyarrow.Table.from_pylist([row_of(r, models[r.variant]) for r in requests[start : start + rows]])


def completion_of(request: Request, answer: str, error: str, decode: Callable[[list[int]], str]) -> Completion:
    """Convert a worker's answer to a completion. One that ends early without an end token has failed."""
    if error:
        return failed(request, f"vllm: {error}")
    generated = json.loads(answer)
    ids, sampling = generated["ids"], request.sampling
    may_end = bool(sampling.structure) or len(answer_ids(ids, sampling.stop_ids)) < len(ids)
    if len(ids) < sampling.max_tokens and not may_end:
        return failed(request, f"vllm ended the answer after {len(ids)} of {sampling.max_tokens} tokens")
    return finished(
        request,
        ids,
        decode,
        logprobs=tuple(generated.get("logprobs", ())),
        option_logprobs=tuple(generated.get("options", ())),
    )
