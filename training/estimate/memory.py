"""Says what memory a training will hold at its peak, from shapes and settings alone. Loads nothing.

Activations are what this loop's forward pass keeps for the backward pass, layer by layer, counted with torch's
saved-tensor hooks on Llama-like decoders; `benchmarks/memory_estimate.py` sets the whole against measured peaks.
Experts of a mixture and models of another build are estimated by the same rules and were not measured.
"""

from __future__ import annotations

import re

from msgspec import Struct

from training.config import Lora
from training.estimate.flops import adapter_parameters
from training.estimate.shapes import Linear, Shapes

BYTES = {"float32": 4, "bfloat16": 2}
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""A weight in 4 bits, a scale of 8 bits for 64 weights, and one of 32 bits for 256 of those (arXiv 2305.14314)."""
HIDDEN_BYTES = {"float32": 20, "bfloat16": 14}
"""Kept for each number of a hidden state and layer: inputs of both norms, of what they feed, of the residual. Norms
compute in float32."""
CAST_BYTES = 5
"""Kept for each input of an adapted layer where PEFT's own path is taken: its float32 copy, and dropout's mask."""
DORA_TIMES = 1.4
"""Numbers that DoRA keeps for each input and output of an adapted layer and token, beside a copy of the layer."""
HEAD_BYTES = {"float32": 12, "bfloat16": 14}
"""For each answer token and row of the vocabulary: logits, their logarithms, and the gradients of both."""
OPTIMIZER_BYTES = 8
"""AdamW: two moments in float32."""
COPIES_BYTES = 8
"""The best adapter and the last saved one, on the processor."""
CUDA_BYTES = 1 << 30
"""Context, kernels and workspaces on a CUDA device. An assumption: no device was measured."""
SHARD_BYTES = 5 * 10**9
"""Most that one file of weights holds, by transformers' default."""
CACHED_TOKENS = 8192
"""Tokens that an evaluation holds at once: a full batch of the transformers engine. vLLM takes what is left."""


class Pass(Struct, frozen=True, kw_only=True):
    tokens: int
    """Tokens of the largest micro-batch."""
    answers: int
    """Learnt tokens of the micro-batch that learns most."""


class Memory(Struct, frozen=True, kw_only=True):
    """Bytes at the peak of a training; on a processor, beyond what the interpreter and its libraries take."""

    weights: int
    """The base, in the number format it is held in."""
    adapter: int
    """The adapter, float32."""
    gradients: int
    """Of the adapter, float32."""
    optimizer: int
    """Moments of the adapter."""
    activations: int
    """What the backward pass needs of the forward pass, for the largest micro-batch."""
    head: int
    """Logits and their gradients, answer tokens only."""
    overhead: int
    """Copies for saving, buffers, and the device's own needs."""
    loading: int = 0
    """The weights and the part of their file that they are read from, before any of the rest is there; 0 on a card."""

    @property
    def total(self) -> int:
        """The most that is there at once."""
        return max(self.loading, sum(int(getattr(self, name)) for name in PARTS))


PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "head", "overhead")
"""Fields of Memory that are there together."""


def estimate(
    shapes: Shapes, lora: Lora, dtype: str, quantise: str, size: Pass, on_cpu: bool, checkpointing: bool = False
) -> Memory:
    """Peak of a training with one adapter. `dtype`: what the base computes in; `quantise`: `none` or `nf4`.

    With `checkpointing` the input of every layer is kept, and the rest of one layer at a time.
    """
    adapted = adapter_size(shapes, lora)
    largest = max((x.inputs * x.outputs for x in shapes.linears if x.own), default=0)
    dequantised = BYTES[dtype] * largest if quantise == "nf4" else 0
    buffers = BYTES[dtype] * size.tokens * 4 * shapes.inner
    if lora.dora:
        buffers += BYTES[dtype] * sum(x.inputs * x.outputs for x in shapes.targets(lora.target_modules))
    held = weights(shapes, dtype, quantise)
    kept = activations(shapes, lora, dtype, quantise)
    if checkpointing:
        kept = kept // shapes.layers + BYTES[dtype] * shapes.layers * shapes.width
    return Memory(
        weights=held,
        adapter=4 * adapted,
        gradients=4 * adapted,
        optimizer=OPTIMIZER_BYTES * adapted,
        activations=size.tokens * kept,
        head=size.answers * shapes.vocabulary * HEAD_BYTES[dtype],
        overhead=dequantised + buffers + (COPIES_BYTES * adapted if on_cpu else CUDA_BYTES),
        loading=held + min(weights(shapes, "bfloat16"), SHARD_BYTES) if on_cpu else 0,
    )


def weights(shapes: Shapes, dtype: str, quantise: str = "none") -> int:
    """Bytes of the base. In NF4 only layers of their own are: embeddings, head, norms and experts stay 16-bit."""
    if quantise == "none":
        return BYTES[dtype] * shapes.parameters
    small = sum(x.inputs * x.outputs for x in shapes.linears if x.own)
    return round(NF4_BYTES * small) + BYTES[dtype] * (shapes.parameters - small)


def adapter_size(shapes: Shapes, lora: Lora) -> int:
    """Trained parameters: the adapter's, and those of modules that are trained whole."""
    experts = [x for x in shapes.linears if not x.own and _named(x, lora.target_parameters)]
    size = len(lora.modules_to_save) * shapes.vocabulary * shapes.width
    for layer in (*shapes.targets(lora.target_modules), *experts):
        size += layer.copies * adapter_parameters([layer], _rank(layer, lora)) + (layer.outputs if lora.dora else 0)
    return size


def _rank(layer: Linear, lora: Lora) -> int:
    """PEFT's rule: the first key of rank_pattern that matches the end of the name, else the common rank."""
    patterns = lora.rank_pattern.items()
    return next((rank for key, rank in patterns if re.match(rf"(.*\.)?({key})$", layer.name)), lora.r)


def activations(shapes: Shapes, lora: Lora, dtype: str, quantise: str) -> int:
    """Bytes that all layers keep for one token."""
    unit = BYTES[dtype]
    layers = shapes.targets(lora.target_modules)
    experts = [x for x in shapes.linears if x.copies > 1]
    passed = 3 * experts[0].active if experts else 4
    kept = shapes.layers * (
        HIDDEN_BYTES[dtype] * shapes.width
        + 2 * unit * (shapes.attention_width + shapes.key_width)
        + passed * unit * shapes.inner
        + (4 * (shapes.attention_width + shapes.key_width) if shapes.query_norm else 0)
    )
    kept += unit * sum(_rank(x, lora) for x in layers)
    if lora.dora:
        return kept + round(DORA_TIMES * unit * sum(x.inputs + x.outputs for x in layers))
    if lora.dropout or quantise != "none":
        kept += CAST_BYTES * sum(x.inputs for x in layers)
    return kept


def serving(shapes: Shapes, tokens: int = CACHED_TOKENS) -> tuple[int, int]:
    """Bytes of weights and of the cache of keys and values, both bfloat16, to answer with `tokens` tokens at once."""
    unit = BYTES["bfloat16"]
    return weights(shapes, "bfloat16"), 2 * unit * shapes.layers * shapes.key_width * tokens


def _named(linear: Linear, ends: list[str]) -> bool:
    return any(linear.name.endswith(f".{end}") for end in ends)
