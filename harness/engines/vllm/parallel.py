"""Check whether vLLM can split a model over several devices of this machine (tensor parallelism)."""

from __future__ import annotations

import os
from collections.abc import Iterable

from harness.checkpoints.model_files import CheckpointFolder
from harness.errors import refuse_all

OPTION = "--tensor-parallel-size"


def check_parallel(size: int, folders: Iterable[CheckpointFolder], on_cpu: bool) -> None:
    """Check that the machine has `size` devices and that every model can be split over them.

    The rules are those of vLLM 0.32, which checks them late, in its workers. Raises one UserError with all problems.
    """
    if size == 1:
        return
    problems = []
    available, unit = (_cores(), "CPU cores") if on_cpu else (_cards(), "GPUs")
    if available < size:
        problems.append(f"this machine has {available} {unit}. Use at most as many")
    for folder in dict.fromkeys(folders):
        problems += [f"{folder.path}: {problem}" for problem in _uneven(folder, size)]
    refuse_all([f"{OPTION} {size}: {problem}" for problem in problems], "devices that cannot be used together")


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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cards() -> int:
    import torch

    return int(torch.cuda.device_count())
