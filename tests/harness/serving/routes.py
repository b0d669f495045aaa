"""Routes and accesses for the tests beside it, made without a model."""

from pathlib import Path
from typing import Any

from harness.schema import Checkpoint
from harness.serving.routing import Access, Route

MODEL = Checkpoint(name="models/clauses", kind="model", path="/models/clauses", digest="d" * 64, base_digest="b" * 64)


def route(**changes: Any) -> Route:
    """A whole model on a CPU, but for what is changed."""
    plain: dict[str, Any] = {
        "checkpoint": MODEL,
        "name": "clauses",
        "way": "plain",
        "reasons": [],
        "folder": Path("/models/clauses"),
        "adapter": None,
        "max_lora_rank": 1,
        "on_cpu": True,
        "dtype": "bfloat16",
        "max_model_len": 512,
        "kv_cache_bytes": 1 << 28,
    }
    return Route(**plain | changes)


def as_lora(**changes: Any) -> Route:
    """An adapter of rank 16 beside its base."""
    return route(way="lora", folder=Path("/models/base"), adapter=Path("/a/clauses"), max_lora_rank=16, **changes)


def access(**changes: Any) -> Access:
    """This machine alone, no key."""
    return Access(**{"host": "127.0.0.1", "port": 8000, "key_from": None} | changes)
