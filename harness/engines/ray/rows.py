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
"""Most rows of a batch, which comes back as a whole and is what a worker that dies loses."""


class Shape(Struct, frozen=True, kw_only=True):
    """How rows are dealt to engines."""

    engines: int
    """Engines that start: no more than there are batches."""
    rows: int
    """Rows of a batch."""
    at_once: int
    """Batches that an engine computes together."""
    dealt: int
    """Batches that an engine is given at a time, so that the first one ready does not take the share of others."""


def fitting(requests: Sequence[Request], kv_cache_bytes: int, bytes_per_token: int) -> int:
    """How many of these requests, of mean length, fit into an engine's KV cache at the same time."""
    mean = sum(len(r.ids) + r.sampling.max_tokens for r in requests) / len(requests)
    return int(kv_cache_bytes / (bytes_per_token * mean)) + 1


def shape(n_rows: int, engines: int, on_cpu: bool, most: int) -> Shape:
    """Batches for so many rows and engines, of which each computes at most so many requests together.

    No more wait at an engine than keep it busy: those of one that is lost, or that is slow at the end, are few.
    """
    rows = min(ROWS_CPU if on_cpu else ROWS_CUDA, -(-n_rows // engines))
    batches = -(-n_rows // rows)
    engines = min(engines, batches)
    share = -(-batches // engines)
    full = -(-min(most, MAX_SEQS_CPU if on_cpu else MAX_SEQS_CUDA) // rows)
    return Shape(engines=engines, rows=rows, at_once=min(full, share), dealt=min(2 * full, share))


def row_of(request: Request, model: str) -> dict[str, Any]:
    """A flat row: token ids of four bytes, vLLM's sampling arguments as JSON; `model` names base or adapter."""
    return {
        "key": request.key,
        "model": model,
        "tokenized_prompt": array("i", request.ids).tobytes(),
        "sampling_params": json.dumps(sampling_arguments(request.sampling)),
    }


def tables(requests: Sequence[Request], models: Mapping[str, str], rows: int) -> Iterator[Any]:
    """Arrow tables of one batch each, in the requests' order; `models` by variant."""
    import pyarrow

    for start in range(0, len(requests), rows):
        yield pyarrow.Table.from_pylist([row_of(r, models[r.variant]) for r in requests[start : start + rows]])


def completion_of(request: Request, answer: str, error: str, decode: Callable[[list[int]], str]) -> Completion:
    """What a worker answered, as a completion of the request. One that ends for no reason asked for has failed."""
    if error:
        return failed(request, f"vllm: {error}")
    found = json.loads(answer)
    ids, sampling = found["ids"], request.sampling
    may_end = bool(sampling.structure) or len(answer_ids(ids, sampling.stop_ids)) < len(ids)
    if len(ids) < sampling.max_tokens and not may_end:
        return failed(request, f"vllm ended the answer after {len(ids)} of {sampling.max_tokens} tokens")
    return finished(
        request,
        ids,
        decode,
        logprobs=tuple(found.get("logprobs", ())),
        option_logprobs=tuple(found.get("options", ())),
    )
