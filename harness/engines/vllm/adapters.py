"""Decide before any engine starts how vLLM can serve an adapter: as LoRA, merged into its base, or not at all.

Reads only adapter_config.json and tensor shapes. The reasons mirror the checks that vLLM 0.32 makes in its worker, late
and one at a time (lora/peft_helper.py, lora/lora_model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from harness.checkpoints.merge import PACKED_BASE
from harness.checkpoints.model_files import ADAPTER_CONFIG, BASE_QUANTISATION, CheckpointFolder
from harness.checkpoints.quantization import NF4, REASON, of_adapter
from harness.checkpoints.resolve import brings_tokenizer
from harness.errors import refuse_all
from harness.schema import Checkpoint

Way = Literal["plain", "lora", "merged"]
Config = Mapping[str, Any]

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
SPECIAL_INITS = ("pissa", "olora", "corda", "loftq")
SERVED_WHOLE = {"classifier", "score"}
REQUIRED = ("r", "lora_alpha", "target_modules")
OTHER_TOKENIZER = "it has another tokenizer or chat template than its base, and a base serves with its own"
EMBEDDINGS = ("embed_tokens", "lm_head", "wte", "word_embeddings", "embed_out")


class AdapterFinding(Struct, frozen=True, kw_only=True):
    """Result of the check of one adapter."""

    way: Literal["lora", "merge", "refuse"]
    """`merge` if vLLM cannot serve it as LoRA; `refuse` if it cannot be served at all."""
    reasons: list[str]
    """Why it is not `lora`."""
    max_lora_rank: int
    """Smallest sufficient value of vLLM's max_lora_rank; 0 without a rank."""


class AdapterPlan(Struct, frozen=True, kw_only=True):
    """How all variants are served."""

    ways: dict[str, Way]
    """How each variant is served."""
    reasons: dict[str, list[str]]
    """Why an adapter is merged, by variant."""
    max_lora_rank: int
    """vLLM's max_lora_rank for the engine that serves LoRA."""


def changes_base(adapter: CheckpointFolder) -> bool:
    """Whether PEFT changes the base's own weights or biases for it, which switching it off does not restore."""
    config = adapter.adapter_config
    copied = config.get("modules_to_save") or ()
    replaces = any(name.split(".")[-2] not in copied for name in _whole(adapter.adapter_shapes))
    return replaces or _rewrites_weights(config) or _trains_biases(config)


def _rewrites_weights(config: Config) -> bool:
    return str(config.get("init_lora_weights", "")).lower().startswith(SPECIAL_INITS)


def _trains_biases(config: Config) -> bool:
    return bool(config.get("bias", "none") != "none")


CHANGES_BASE = "it changes biases or weights of the base, which then answers differently as the baseline"
MERGE_RULES: list[tuple[Callable[[Config], Any], str]] = [
    (lambda c: c.get(BASE_QUANTISATION), REASON),
    (
        lambda c: set(c.get("modules_to_save") or ()) - SERVED_WHOLE,
        "it saves whole modules (modules_to_save), and vLLM serves only classifier and score",
    ),
    (lambda c: c.get("use_dora"), "it uses DoRA, which vLLM does not serve"),
    (_rewrites_weights, "its init_lora_weights changes the base weights, which vLLM does not support"),
    (lambda c: c.get("lora_bias") or _trains_biases(c), "it trains biases, which vLLM does not serve"),
    (lambda c: c.get("target_parameters"), "it targets bare parameters, which vLLM does not serve"),
    (lambda c: c.get("trainable_token_indices"), "it trains single token embeddings, which vLLM does not serve"),
]

REFUSE_RULES: list[tuple[Callable[[Config], Any], str]] = [
    (
        lambda c: str(c.get("peft_type", "LORA")).upper() != "LORA",
        "it is not a LoRA adapter (peft_type). Expected peft_type LORA",
    ),
    (lambda c: c.get("alora_invocation_tokens"), "Activated LoRA (aLoRA) is not supported. Train a plain LoRA"),
    (lambda c: c.get("layer_replication"), "layer_replication is not supported. Train a plain LoRA"),
    (lambda c: c.get("use_bdlora"), "block-diagonal LoRA (BD-LoRA) is not supported. Train a plain LoRA"),
    (lambda c: c.get("use_qalora"), "QALoRA is not supported. Train a plain LoRA"),
    (
        lambda c: c.get(BASE_QUANTISATION) not in (None, NF4),
        f"it was trained on a base in an unknown form ({BASE_QUANTISATION}). Expected {NF4}",
    ),
]


def examine(adapter: CheckpointFolder, base: CheckpointFolder) -> AdapterFinding:
    """Check one adapter against its base, with every reason, not only the first."""
    config = adapter.adapter_config
    refused = [text for applies, text in REFUSE_RULES if applies(config)]
    lacking = [name for name in REQUIRED if config.get(name) is None and not config.get("target_parameters")]
    if lacking:
        refused.append(f"{ADAPTER_CONFIG} lacks {', '.join(lacking)}. Save the adapter again with save_pretrained")
    shapes, of_base = adapter.adapter_shapes, base.shapes
    refused += _unknown_modules(shapes, of_base)
    merged = why_merged(config) + _odd_tensors(shapes, of_base)
    rank = max_lora_rank(config)
    if refused:
        return AdapterFinding(way="refuse", reasons=refused, max_lora_rank=rank)
    return AdapterFinding(way="merge" if merged else "lora", reasons=merged, max_lora_rank=rank)


def why_merged(config: Config) -> list[str]:
    """List every reason in adapter_config.json why vLLM cannot serve an adapter as LoRA."""
    reasons = [text for applies, text in MERGE_RULES if applies(config)]
    rank = max_lora_rank(config)
    if rank > RANKS[-1]:
        reasons.append(f"its rank {rank} is above vLLM's {RANKS[-1]}")
    return reasons


def max_lora_rank(config: Config) -> int:
    """Return the smallest max_lora_rank that vLLM allows for `r` and `rank_pattern`; the rank itself above all."""
    needed = max([int(config.get("r") or 0), *(int(r) for r in (config.get("rank_pattern") or {}).values())])
    return next((allowed for allowed in RANKS if allowed >= needed), needed)


def _module_of(name: str) -> str | None:
    """Return the last part of a LoRA tensor's module, such as q_proj; None for other tensors."""
    for mark in (".lora_A", ".lora_B", ".lora_embedding_A", ".lora_embedding_B", ".lora_magnitude_vector"):
        if mark in name:
            return name.partition(mark)[0].rpartition(".")[2]
    return None


def _unknown_modules(shapes: Mapping[str, Any], of_base: Mapping[str, Any]) -> list[str]:
    base_modules = {name.rpartition(".")[0].rpartition(".")[2] for name in of_base}  # Packed weights are no `.weight`.
    # Tied output layers are not stored, and loaders rename fused expert weights.
    base_modules |= {"lm_head", "experts", "base_layer"}
    unknown = sorted({m for m in map(_module_of, shapes) if m is not None} - base_modules)
    return [f"it targets modules that the base does not have: {', '.join(unknown)}"] if unknown else []


def _odd_tensors(shapes: Mapping[str, tuple[int, ...]], of_base: Mapping[str, tuple[int, ...]]) -> list[str]:
    """List reasons to merge that only tensors show: whole weights, or embeddings of another vocabulary size."""
    reasons = []
    vocabularies = {s[0] for n, s in of_base.items() if n.split(".")[-2:-1] and n.split(".")[-2] in EMBEDDINGS}
    sizes = {s[1] for n, s in shapes.items() if n.endswith("lora_embedding_A") and len(s) == 2}
    if sizes - vocabularies:
        reasons.append(
            f"its embedding LoRA has {sizes.pop():,} tokens, the base {', '.join(f'{v:,}' for v in vocabularies)}"
        )
    if whole := _whole(shapes):
        reasons.append(f"it has whole weights in addition to LoRA ({len(whole)}, the first {whole[0]})")
    return reasons


def _whole(shapes: Mapping[str, Any]) -> list[str]:
    return sorted(n for n in shapes if _module_of(n) is None and n.rpartition(".")[2] in ("weight", "bias"))


def plan(
    checkpoints: Mapping[str, Checkpoint], folders: Mapping[str, CheckpointFolder], lora: str, on_cpu: bool
) -> AdapterPlan:
    """Choose how every variant is served. Raises one UserError with every adapter that cannot be served.

    `auto` serves LoRA on CUDA and merges on a CPU, where LoRA is several times slower; `force` always serves LoRA;
    `merge` always merges.
    """
    ways: dict[str, Way] = {}
    reasons: dict[str, list[str]] = {}
    problems: list[str] = []
    rank = 1
    for variant, checkpoint in checkpoints.items():
        if checkpoint.kind != "adapter" or checkpoint.adapter_path is None:
            ways[variant] = "plain"
            continue
        base = folders[variant]
        finding = examine(CheckpointFolder(checkpoint.adapter_path), base)
        why = list(finding.reasons)
        if finding.way == "lora" and brings_tokenizer(checkpoint):
            why.append(OTHER_TOKENIZER)
        as_lora = finding.way == "lora" and not why and (lora == "force" or (lora == "auto" and not on_cpu))
        if finding.way == "refuse":
            problems += [f"{checkpoint.name} ({variant}): {reason}" for reason in why]
        elif lora == "force" and not as_lora:
            problems += [f"{checkpoint.name} ({variant}): cannot be served as LoRA: {reason}" for reason in why]
        elif not as_lora and base.quantization_file:
            problems.append(f"{checkpoint.name} ({variant}): {PACKED_BASE.format(base.quantization_file)}")
        ways[variant] = "lora" if as_lora else "merged"
        if as_lora:
            rank = max(rank, finding.max_lora_rank)
        else:
            reasons[variant] = why or ["LoRA is slower than merged weights on a CPU" if on_cpu else "--lora merge"]
    refuse_all(problems, "adapters that cannot be served")
    return AdapterPlan(ways=ways, reasons=reasons, max_lora_rank=rank)


def peft_ways(checkpoints: Mapping[str, Checkpoint], lora: str, say: Callable[[str], None]) -> dict[str, Way]:
    """Choose how every variant is served by an engine that uses PEFT.

    `auto` merges adapters that were trained on an NF4 base, have their own tokenizer or change the base, and reports
    it. Raises UserError for them with `force`.
    """
    ways: dict[str, Way] = {}
    problems: list[str] = []
    for variant, checkpoint in checkpoints.items():
        if checkpoint.kind != "adapter" or checkpoint.adapter_path is None:
            ways[variant] = "plain"
            continue
        folder = CheckpointFolder(checkpoint.adapter_path)
        reasons = {
            REASON: of_adapter(folder) is not None,
            OTHER_TOKENIZER: brings_tokenizer(checkpoint),
            CHANGES_BASE: changes_base(folder),
        }
        why = next((reason for reason, applies in reasons.items() if applies), "")
        ways[variant] = "merged" if why or lora == "merge" else "lora"
        if why and lora == "force":
            problems.append(f"{checkpoint.name} ({variant}): cannot be served as LoRA: {why}")
        elif why and lora == "auto":
            say(f"{checkpoint.name} is merged: {why}")
    refuse_all(problems, "adapters that cannot be served")
    return ways
