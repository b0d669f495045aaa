"""Tensors that FSDP keeps in parts, one on each device: made whole to be kept, and cut up again. Knows no model.

FSDP of version 2 leaves every parameter its name and gradient; version 1 welds them together and is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from training.config import Config, asked_tables


def asked() -> bool:
    """Whether the launcher was told to shard."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true")


def problems(config: Config) -> list[str]:
    """What of a configuration, of the launcher and of this machine does not go with FSDP."""
    if not asked():
        return []
    import torch

    found = []
    if not torch.accelerator.is_available():
        found.append("FSDP is asked for, and accelerate shards on accelerators alone. Leave it out on processors")
    if os.environ.get("FSDP_VERSION", "1") != "2":
        found.append("FSDP of version 1 is asked for. Add --fsdp_version 2 to accelerate launch")
    if config.model.quantise != "none" and config.model.quant_storage != "bfloat16":
        found.append(
            f"'model.quant_storage' is {config.model.quant_storage}; FSDP shares out 4-bit weights in the number "
            "format of the others. Set it to bfloat16"
        )
    found += [
        f"'{name}.suite' has the model answer while it trains, which takes all of its weights on each device; FSDP "
        f"keeps a part on each. Leave [{name}] out, or train without FSDP"
        for name, table in asked_tables(config).items()
        if table.suite
    ]
    return found


def whole(value: Any) -> Any:
    """The same with every tensor in it whole; all processes must ask at the same point."""
    if isinstance(value, Mapping):
        return {key: whole(part) for key, part in value.items()}
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def like(tensor: Any, other: Any) -> Any:
    """The tensor, cut up as `other` is, where it is."""
    if not hasattr(other, "full_tensor") or hasattr(tensor, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements)


def optimizer_state(state: Mapping[str, Any], parameters: Sequence[Any]) -> dict[str, Any]:
    """A whole optimizer state, with what has the shape of its parameter cut up as the parameter is."""
    cut = {
        number: {
            key: like(value, parameters[number]) if getattr(value, "shape", None) == parameters[number].shape else value
            for key, value in entries.items()
        }
        for number, entries in state["state"].items()
    }
    return {**state, "state": cut}
