"""How a run uses its engine: built once where options are read, and passed whole to the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct, field

from harness.schema import Request

LORA_CHOICES = ("auto", "force", "merge")


class Servers(Struct, frozen=True, kw_only=True):
    """OpenAI-compatible servers that answer in place of a model loaded here."""

    urls: tuple[str, ...]
    """Base URLs without `/v1`."""
    model: str | None = None
    """What the servers call the judged model; None: the checkpoint's name as it is written."""
    baseline: str | None = None
    """What they call the baseline; None: the baseline's name as it is written."""
    trust: bool = False
    """The user states that the servers have the weights of the checkpoints that are named."""


class EngineConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller may set on any engine; engines ignore what they have no use for."""

    name: str | None = None
    """Name in ENGINES; None takes the default engine."""
    lora: str = "auto"
    """How adapters are served: auto, force (as LoRA) or merge."""
    dtype: str = "auto"
    """auto (as the model's config says), bfloat16, float16 or float32; the same for every variant."""
    kv_cache_bytes: int | None = None
    """Size of vLLM's KV cache; None computes it from model, lengths and free memory."""
    batch: int | None = None
    """Maximum batch size; None leaves it to the engine."""
    engines: int | None = None
    """vLLM engines that an engine with the trait `starts_engines` starts; None: one per GPU, or one without GPUs."""
    tensor_parallel: int = 1
    """Devices that an engine with the trait `splits_models` splits each model over."""
    servers: Servers | None = None
    """The servers that an engine with the trait `needs_url` queries."""
    use_cache: bool = True
    """Whether completions are cached and read from the cache."""
    script: Path | None = None
    """Completions of a scripted engine, as JSON: variant -> case id -> text."""
    replies: Callable[[Request], str] | Mapping[str, str] | None = None
    """The same as a rule, or as texts by request key."""
    timeout_s: float = 600.0
    """Longest wait for one completion of a server."""
    patience_s: float = 300.0
    """Longest time without a token of vLLM, or without any completion of any server, before the engine gives up."""
    say: Callable[[str], None] = field(default=lambda text: None)
    """Receives one line about each long step: a merge, a model that loads."""
