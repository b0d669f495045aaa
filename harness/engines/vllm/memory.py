"""Fit models to devices: which models can be split over them, and the sizes of vLLM's KV cache and batches.

The size of the KV cache is always set: without it vLLM claims 92% of the machine, and on a CPU it refuses to start if
less is free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.checkpoints.model_files import CheckpointFolder, text_settings
from harness.engines.usage import free_memory_bytes
from harness.errors import EngineFailed, refuse_all
from harness.threads import cores

# Prefixes are shared in whole blocks. This is the smallest size that vLLM accepts on a CPU: prompts of a suite often
# share only an instruction of about a hundred tokens. On CUDA vLLM chooses; 128 is an upper bound.
BLOCK_TOKENS_CPU = 32
BLOCK_TOKENS = 128
# On a CPU a larger batch is no faster, and the first answers come later.
MAX_SEQS_CPU = 64
MAX_SEQS_CUDA = 1024
CPU_SHARE = 0.4
CUDA_SHARE = 0.88
# Activations, CUDA graphs and the CUDA context, in addition to weights and cache.
CUDA_RESERVE_BYTES = 3 << 30
BYTES_OF = {"float32": 4, "bfloat16": 2, "float16": 2}


def bytes_per_token(config: dict[str, Any], dtype: str, parallel: int = 1) -> int:
    """Return the KV cache bytes of one token on one device: keys and values of every layer.

    `config` is config.json, which may nest a text model. Each of `parallel` devices has its share of the key-value
    heads, and at least one.
    """
    own = text_settings(config)
    heads = int(own["num_attention_heads"])
    head_dim = int(own.get("head_dim") or own["hidden_size"] // heads)
    kv_heads = int(own.get("num_key_value_heads") or heads)
    kv_heads = max(1, kv_heads // parallel)
    return 2 * int(own["num_hidden_layers"]) * kv_heads * head_dim * BYTES_OF[dtype]


def kv_cache_bytes(
    folder: CheckpointFolder,
    dtype: str,
    max_model_len: int,
    on_cpu: bool,
    sharing: int = 1,
    device_bytes: int | None = None,
    parallel: int = 1,
) -> int:
    """Return the KV cache bytes on one device for a full batch of the longest requests, or what memory allows.

    The weights are split over `parallel` devices. `sharing` engines share the memory of one machine without a GPU.
    `device_bytes` is the free memory of another machine, or the size of its GPU; None: of this machine. Raises
    EngineFailed if one request does not fit.
    """
    least = least_kv_cache_bytes(folder, dtype, max_model_len, parallel)
    full_batch = least // 2 * (MAX_SEQS_CPU if on_cpu else MAX_SEQS_CUDA)
    if on_cpu:
        room = int((free_memory_bytes() if device_bytes is None else device_bytes) * CPU_SHARE) // (sharing * parallel)
    else:
        room = _cuda_room(folder, _device_bytes() if device_bytes is None else device_bytes, parallel)
    if room < least:
        raise EngineFailed(
            f"{folder.path}: a prompt and answer of {max_model_len:,} tokens needs {least / 2**30:.1f} GiB of KV "
            f"cache, and {max(room, 0) / 2**30:.1f} GiB are available. Free memory, or shorten prompts"
        )
    return min(full_batch, room)


def least_kv_cache_bytes(folder: CheckpointFolder, dtype: str, max_model_len: int, parallel: int = 1) -> int:
    """Return the KV cache bytes on one device for two of the longest requests."""
    blocks = -(-max_model_len // BLOCK_TOKENS) + 1
    return 2 * bytes_per_token(folder.config, dtype, parallel) * blocks * BLOCK_TOKENS


def _cuda_room(folder: CheckpointFolder, total: int, parallel: int) -> int:
    """Return the bytes that a device of `total` bytes has left next to the weights."""
    weights = sum(file.stat().st_size for file in folder.weight_files)
    return int(total * CUDA_SHARE) - weights // parallel - CUDA_RESERVE_BYTES


def _device_bytes() -> int:
    """Return the memory of the first device, without initializing CUDA in this process."""
    from vllm.platforms import current_platform

    return int(current_platform.get_device_total_memory())


# vLLM's smallest defaults on any device, for an engine that failed before it reported its own.
LEAST_SEQS = 256
LEAST_BATCHED_TOKENS = 2048
# With fewer tokens per step the saved memory is negligible next to weights and cache.
FLOOR_BATCHED_TOKENS = 256
EXHAUSTED = re.compile(
    r"out of memory|OutOfMemory|can(?:no|')t allocate memory|bad_alloc|MemoryError|ALLOC_FAILED"
    r"|no available memory for the cache blocks",
    re.IGNORECASE,
)
KILLS = Path("/proc/vmstat")


class OutOfMemory(EngineFailed):
    """The engine ran out of memory; lower batch limits may help."""


def is_out_of_memory(text: str) -> bool:
    """Whether an error with its type, or a traceback, reports that a device or the machine is out of memory."""
    return EXHAUSTED.search(text) is not None


def killed_for_memory() -> int:
    """Return how many processes the system has killed because memory ran out; 0 if it does not report it."""
    try:
        match = re.search(r"^oom_kill (\d+)$", KILLS.read_text("ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) if match else 0


class BatchLimits(Struct, frozen=True, kw_only=True):
    """Limits of one engine's batch, and its KV cache."""

    requests: int
    """vLLM's max_num_seqs."""
    tokens: int
    """vLLM's max_num_batched_tokens."""
    kv_cache_bytes: int
    """vLLM's kv_cache_memory_bytes."""

    def halved(self) -> BatchLimits | None:
        """Return half the limits; None if requests are already computed one at a time."""
        if self.requests == 1:
            return None
        requests = self.requests // 2
        return BatchLimits(
            requests=requests,
            tokens=max(requests, min(self.tokens, max(self.tokens // 2, FLOOR_BATCHED_TOKENS))),
            kv_cache_bytes=self.kv_cache_bytes // 2,
        )

    def lower(self, arguments: Mapping[str, Any], least_kv_cache_bytes: int) -> dict[str, Any]:
        """Lower the arguments of vLLM's LLM to these limits; the cache still fits the longest request."""
        requested = requested_limits(arguments)
        return dict(arguments) | {
            "max_num_seqs": min(self.requests, requested.requests),
            "max_num_batched_tokens": min(self.tokens, requested.tokens),
            "kv_cache_memory_bytes": max(least_kv_cache_bytes, min(self.kv_cache_bytes, requested.kv_cache_bytes)),
        }


def requested_limits(arguments: Mapping[str, Any]) -> BatchLimits:
    """Return the limits in the arguments of vLLM's LLM; vLLM's smallest defaults for missing ones."""
    return BatchLimits(
        requests=arguments.get("max_num_seqs", LEAST_SEQS),
        tokens=arguments.get("max_num_batched_tokens", LEAST_BATCHED_TOKENS),
        kv_cache_bytes=arguments["kv_cache_memory_bytes"],
    )


def check_parallel(size: int, folders: Iterable[CheckpointFolder], on_cpu: bool) -> None:
    """Check that the machine has `size` devices and that every model can be split over them.

    The rules are those of vLLM 0.32, which checks them late, in its workers. Raises one UserError with all problems.
    """
    if size == 1:
        return
    problems = []
    available, unit = (cores(), "CPU cores") if on_cpu else (_gpus(), "GPUs")
    if available < size:
        problems.append(f"this machine has {available} {unit}. Use at most as many")
    for folder in dict.fromkeys(folders):
        problems += [f"{folder.path}: {problem}" for problem in _uneven(folder, size)]
    refuse_all(
        [f"--tensor-parallel-size {size}: {problem}" for problem in problems], "devices that cannot be used together"
    )


def _uneven(folder: CheckpointFolder, size: int) -> list[str]:
    """List the sizes of a model that cannot be divided by the number of devices."""
    own = folder.text_config
    heads = int(own.get("num_attention_heads") or 0)
    kv_heads = int(own.get("num_key_value_heads") or heads)
    width = int(own.get("intermediate_size") or 0)
    problems = []
    if heads % size:
        problems.append(f"its {heads} attention heads cannot be divided by {size}")
    if kv_heads and kv_heads % size and size % kv_heads:
        problems.append(f"its {kv_heads} key-value heads and {size} devices: neither divides the other")
    if width % size:
        problems.append(f"its layers of width {width:,} cannot be divided by {size}")
    return problems


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())
