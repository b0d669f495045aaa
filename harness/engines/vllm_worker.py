"""Runs inside vLLM's worker, beside its own methods: says how much memory of the device it took. Imports nothing."""

from __future__ import annotations


class DeviceMemory:
    """Extends vLLM's worker class (its `worker_extension_cls`)."""

    def reserved_device_bytes(self) -> int | None:
        """Most memory that torch has held on the worker's CUDA device so far; None without one."""
        import torch

        return int(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else None
