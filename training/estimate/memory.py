"""Estimated peak memory of training, from shapes and settings alone.

Activations are the tensors that the training loop's forward pass keeps for the backward pass, counted per layer with
torch's saved-tensor hooks on Llama-like decoders. `benchmarks/memory_estimate.py` compares the estimate with measured
peaks. Mixtures of experts and other architectures use the same rules and were not measured.
"""

from __future__ import annotations

import re

from msgspec import Struct

from training.config import Lora
from training.estimate.flops import adapter_parameters
from training.estimate.shapes import Linear, Shapes
from training.lora import OUTPUT_HEADS

BYTES = {"float32": 4, "bfloat16": 2}
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes per weight in NF4: 4 bits, a scale of 8 bits per 64 weights, and a scale of 32 bits per 256 of those (QLoRA,
arXiv 2305.14314)."""
HIDDEN_BYTES = {"float32": 20, "bfloat16": 14}
"""Bytes kept per element of a hidden state and layer: inputs of both norms (float32), of the layers after them, and of
the residual."""
CAST_BYTES = 5
"""Bytes kept per input of an adapted layer on PEFT's own path: its float32 copy and dropout's mask."""
DORA_TIMES = 1.4
"""Elements that DoRA keeps per token and per input and output of an adapted layer, besides a copy of the layer."""
HEAD_BYTES = {"float32": 12, "bfloat16": 14}
"""Bytes per answer token and vocabulary entry: logits, their logarithms, and the gradients of both."""
OPTIMIZER_BYTES = 8
"""AdamW: two moments in float32."""
COPIES_BYTES = 8
"""The best adapter and the last saved one, on a CPU."""
CUDA_BYTES = 1 << 30
"""Context, kernels and workspaces on a CUDA device. Assumed: no device was measured."""
SHARD_BYTES = 5 * 10**9
"""Maximum size of a file of weights, by transformers' default."""
CACHED_TOKENS = 8192
"""Tokens of a full batch of the transformers engine in an evaluation. vLLM uses the remaining memory."""


class Pass(Struct, frozen=True, kw_only=True):
    """Size of a forward and backward pass."""

    tokens: int
    """Tokens of the largest micro-batch."""
    answers: int
    """Largest number of learnt tokens of a micro-batch; those whose probabilities are learnt count twice."""
    shortest: int = 0
    """Smallest data.max_length that training accepts for the rows."""


class Memory(Struct, frozen=True, kw_only=True):
    """Bytes at the peak of training; on a CPU, without the interpreter and its libraries."""

    weights: int
    """The base, in its number format."""
    adapter: int
    """The adapter, float32."""
    gradients: int
    """Gradients of the adapter, float32."""
    optimizer: int
    """Optimizer moments of the adapter."""
    activations: int
    """Tensors that the backward pass needs, for the largest micro-batch."""
    head: int
    """Logits and their gradients, for answer tokens only."""
    overhead: int
    """Copies for saving, buffers, and the device's own needs."""
    loading: int = 0
    """Weights and the file that they are read from, before training; 0 on a GPU."""

    @property
    def total(self) -> int:
        """Peak of all parts."""
        return max(self.loading, sum(int(getattr(self, name)) for name in PARTS))


PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "head", "overhead")
"""Fields of Memory that are held at the same time."""


def estimate(
    shapes: Shapes, lora: Lora, dtype: str, quantise: str, size: Pass, on_cpu: bool, checkpointing: bool = False
) -> Memory:
    """Estimate the peak of training one adapter. `dtype`: compute format of the base; `quantise`: `none` or `nf4`.

    With `checkpointing`, the input of every layer is kept and all activations of one layer at a time.
    """
    adapted = adapter_size(shapes, lora)
    largest = max((x.inputs * x.outputs for x in shapes.linears if x.own), default=0)
    dequantised = BYTES[dtype] * largest if quantise == "nf4" else 0
    buffers = BYTES[dtype] * size.tokens * 4 * shapes.inner
    if lora.dora:
        buffers += BYTES[dtype] * sum(x.inputs * x.outputs for x in shapes.targets(lora.target_modules))
    base_bytes = weights(shapes, dtype, quantise)
    per_token = activations(shapes, lora, dtype, quantise)
    if checkpointing:
        per_token = per_token // shapes.layers + BYTES[dtype] * shapes.layers * shapes.width
    return Memory(
        weights=base_bytes,
        adapter=4 * adapted,
        gradients=4 * adapted,
        optimizer=OPTIMIZER_BYTES * adapted,
        activations=size.tokens * per_token,
        head=size.answers * shapes.vocabulary * HEAD_BYTES[dtype],
        overhead=dequantised + buffers + (COPIES_BYTES * adapted if on_cpu else CUDA_BYTES),
        loading=base_bytes + min(weights(shapes, "bfloat16"), SHARD_BYTES) if on_cpu else 0,
    )


def weights(shapes: Shapes, dtype: str, quantise: str = "none") -> int:
    """Return the bytes of the base. In NF4, embeddings, head, norms and experts stay 16-bit."""
    if quantise == "none":
        return BYTES[dtype] * shapes.parameters
    small = sum(x.inputs * x.outputs for x in shapes.linears if x.own)
    return round(NF4_BYTES * small) + BYTES[dtype] * (shapes.parameters - small)


def adapter_size(shapes: Shapes, lora: Lora) -> int:
    """Count the trained parameters: the adapter's, and those of modules that are trained in full."""
    experts = [x for x in shapes.linears if not x.own and _named(x, lora.target_parameters)]
    heads = [
        Linear(name=name, inputs=shapes.width, outputs=shapes.vocabulary)
        for name in lora.target_modules
        if name.rpartition(".")[2] in OUTPUT_HEADS
    ]
    size = len(lora.modules_to_save) * shapes.vocabulary * shapes.width
    for layer in (*shapes.targets(lora.target_modules), *experts, *heads):
        size += layer.copies * adapter_parameters([layer], _rank(layer, lora)) + (layer.outputs if lora.dora else 0)
    return size


def _rank(layer: Linear, lora: Lora) -> int:
    """Return a layer's rank by PEFT's rule: the first rank_pattern key that matches the end of its name, else `r`."""
    patterns = lora.rank_pattern.items()
    return next((rank for key, rank in patterns if re.match(rf"(.*\.)?({key})$", layer.name)), lora.r)


def activations(shapes: Shapes, lora: Lora, dtype: str, quantise: str) -> int:
    """Return the bytes that all layers keep per token."""
    unit = BYTES[dtype]
    layers = shapes.targets(lora.target_modules)
    experts = [x for x in shapes.linears if x.copies > 1]
    inner_tensors = 3 * experts[0].active if experts else 4
    size = shapes.layers * (
        HIDDEN_BYTES[dtype] * shapes.width
        + 2 * unit * (shapes.attention_width + shapes.key_width)
        + inner_tensors * unit * shapes.inner
        + (4 * (shapes.attention_width + shapes.key_width) if shapes.query_norm else 0)
    )
    size += unit * sum(_rank(x, lora) for x in layers)
    if lora.dora:
        return size + round(DORA_TIMES * unit * sum(x.inputs + x.outputs for x in layers))
    if lora.dropout or quantise != "none":
        size += CAST_BYTES * sum(x.inputs for x in layers)
    return size


def serving(shapes: Shapes) -> tuple[int, int]:
    """Return the bytes of weights and of a key-value cache of CACHED_TOKENS tokens, both bfloat16."""
    return weights(shapes, "bfloat16"), 2 * BYTES["bfloat16"] * shapes.layers * shapes.key_width * CACHED_TOKENS


def _named(linear: Linear, ends: list[str]) -> bool:
    return any(linear.name.endswith(f".{end}") for end in ends)
