"""The cores of this process, and settings of OpenMP threads, to be made before torch loads."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

WAIT_POLICY = "OMP_WAIT_POLICY"
SPIN_COUNT = "GOMP_SPINCOUNT"
SHORT_SPIN = "20000"
"""About a millisecond: the pause between two layers is shorter, the wait for a busy processor longer."""


def cores() -> int:
    """Return the number of cores that this process may use, where the system says so, else that of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16() -> bool:
    """Whether x86 processors of this kind have instructions for bfloat16: AMX or AVX512-BF16."""
    import torch

    names = "_is_amx_tile_supported", "_is_avx512_bf16_supported"
    return any(getattr(torch.cpu, name, bool)() for name in names)


def before_torch() -> None:
    """Let OpenMP threads spin briefly and then sleep; call it before torch loads and reads the setting.

    Threads that spin on slow a shared machine tenfold, threads that never spin slow an idle one by half. The user's
    own settings stay.
    """
    if "torch" not in sys.modules:
        for_children()


def for_children(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the same for future child processes, whatever this process has loaded."""
    if WAIT_POLICY not in environment:
        environment.setdefault(SPIN_COUNT, SHORT_SPIN)
        environment[WAIT_POLICY] = "PASSIVE"
    environment.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
