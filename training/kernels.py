"""Faster attention for packed documents, and a LoRA layer with fewer operations than PEFT's.

The attention runs per document instead of once over all with most of it masked: on CUDA in 16 bits in one kernel for
sequences of variable length, elsewhere one document after the other. The result equals transformers' own attention with
the block-diagonal mask. Models whose layers do not pass `document_lengths` use transformers' own.
"""

from __future__ import annotations

import types
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from harness.errors import UserError

NAME = "tunegate_documents"
FLOAT32_TOKENS = 256
"""On a CPU, documents of at most as many attend in float32: the backward pass of torch's bfloat16 attention starts many
small products, and takes twice as long at 140 tokens (docs/notebook.md, section 22)."""

NOT_PLAIN = {"softcap": "a soft cap (attn_logit_softcapping)", "s_aux": "sinks"}
"""Arguments by which transformers' layers ask for more than softmax, and what they are."""


def register() -> str:
    """Register the attention in transformers, and return the name to load a model with."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    document_lengths: list[int] | None = None,
    shared_prefix: int = 0,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Compute causal attention per document.

    `query` has shape (1, heads, tokens, width), `key` and `value` (1, key heads, tokens, width), the result (1, tokens,
    heads, width). A mask must be block-diagonal over documents; only its blocks are used. With a shared prefix it is
    ignored: every document sees the prefix and itself, causally.

    Raises UserError for attention that is no plain softmax.
    """
    special = [kind for name, kind in NOT_PLAIN.items() if more.get(name) is not None]
    if special:
        raise UserError(f"'base' has attention with {special[0]}; training computes plain softmax. Choose another base")
    if document_lengths and _has_kernel(module, query, dropout, max(document_lengths)):
        return _varlen(query, key, value, shared_prefix, tuple(document_lengths), scaling), None
    if shared_prefix and document_lengths:
        return _after_prefix(query, key, value, shared_prefix, document_lengths, dropout, scaling), None
    if not document_lengths or sum(document_lengths) != query.shape[2]:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        done: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return done
    parts = []
    start = 0
    queries, keys, values = (each.split(document_lengths, dim=2) for each in (query, key, value))
    for own, own_key, own_value in zip(queries, keys, values, strict=True):
        inside = slice(start, start + own.shape[2])
        block = None if attention_mask is None else attention_mask[:, :, inside, inside]
        parts.append(_attend(own, own_key, own_value, block, dropout, scaling))
        start = inside.stop
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Compute attention of one document, causal without a mask; the result has the shape of `query`."""
    dtype = torch.float32 if query.device.type == "cpu" and key.shape[2] <= FLOAT32_TOKENS else query.dtype
    output = functional.scaled_dot_product_attention(
        query.to(dtype),
        key.to(dtype),
        value.to(dtype),
        attn_mask=mask if mask is None or mask.dtype == torch.bool else mask.to(dtype),
        dropout_p=dropout,
        scale=scaling,
        is_causal=mask is None,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output.to(query.dtype)


def _has_kernel(module: torch.nn.Module, query: torch.Tensor, dropout: float, longest: int) -> bool:
    """Whether torch's kernel for sequences of variable length supports this layer: CUDA, 16 bits, plainly causal.

    Many layers with a sliding window, such as Mistral's, state it in their configuration alone.
    """
    stated = getattr(getattr(module, "config", None), "sliding_window", None)
    window: int = getattr(module, "sliding_window", stated) or longest
    plain = not dropout and longest <= window
    return plain and query.is_cuda and query.dtype in (torch.bfloat16, torch.float16)


def _varlen(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: int,
    lengths: tuple[int, ...],
    scaling: float | None,
) -> torch.Tensor:
    """Compute all documents in one call. Shapes as in `attention`.

    A shared prefix is a sequence of its own, and its keys are repeated before those of every document. Causality counts
    from the end of the keys, so each token sees the prefix and the preceding tokens of its own document.
    """
    from torch.nn.attention.varlen import varlen_attn

    cuts = _cuts(lengths, prefix, query.device)
    queries, keys, values = (x[0].transpose(0, 1) for x in (query, key, value))
    if prefix:
        keys, values = keys[cuts.keys], values[cuts.keys]
    output = varlen_attn(
        queries,
        keys,
        values,
        cuts.queries_at,
        cuts.keys_at,
        cuts.longest,
        prefix + cuts.longest,
        scale=scaling,
        window_size=(-1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(output, torch.Tensor)
    return output[None]


class _Cuts(NamedTuple):
    """The boundaries of sequences, as tensors on the device."""

    queries_at: torch.Tensor
    """(sequences + 1,), int32: cumulative numbers of queries."""
    keys_at: torch.Tensor
    """(sequences + 1,), int32: cumulative numbers of keys."""
    keys: torch.Tensor
    """(keys,): index of every key, with the prefix repeated per document."""
    longest: int
    """Largest number of queries of one sequence."""


@lru_cache(maxsize=8)
def _cuts(lengths: tuple[int, ...], prefix: int, device: torch.device) -> _Cuts:
    """Compute the boundaries, once for all layers of a pass."""
    sequences = [(prefix, 0)] if prefix else []
    sequences += [(length, prefix) for length in lengths]
    counts = torch.tensor(sequences).T
    ends = torch.cat((torch.zeros(2, 1, dtype=torch.long), torch.stack((counts[0], counts.sum(0))).cumsum(1)), dim=1)
    keys: list[int] = list(range(prefix))
    start = prefix
    for length in lengths:
        keys += [*range(prefix), *range(start, start + length)]
        start += length
    queries_at, keys_at = ends.to(device=device, dtype=torch.int32)
    return _Cuts(queries_at, keys_at, torch.tensor(keys, device=device), int(counts[0].max()))


def _after_prefix(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: int,
    lengths: list[int],
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Let the prefix attend to itself, and each document to the prefix and itself. Shapes as in `attention`."""
    (query, *queries), (key, *keys), (value, *values) = (
        each.split([prefix, *lengths], dim=2) for each in (query, key, value)
    )
    parts = [_attend(query, key, value, None, dropout, scaling)]
    for own, own_key, own_value in zip(queries, keys, values, strict=True):
        mask = torch.ones(own.shape[2], prefix + own.shape[2], dtype=torch.bool, device=own.device).tril(prefix)
        seen = torch.cat((key, own_key), dim=2), torch.cat((value, own_value), dim=2)
        parts.append(_attend(own, seen[0], seen[1], mask, dropout, scaling))
    return torch.cat(parts, dim=2).transpose(1, 2)


class _LoraLinear(torch.autograd.Function):
    """y = x W^T + bias + scale (x A^T) B^T, with the gradients of x, A and B (LoRA, arXiv 2106.09685, equation 3)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """Compute in the weight's number format. x: (..., in); weight: (out, in); a: (r, in); b: (out, r)."""
        flat = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        a_low, b_low = a.to(weight.dtype), b.to(weight.dtype)
        narrow = flat @ a_low.t()
        y = functional.linear(flat, weight, bias)
        y.addmm_(narrow, b_low.t(), alpha=scale)
        ctx.save_for_backward(flat, narrow, weight, a_low, b_low)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        flat, narrow, weight, a_low, b_low = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1])
        grad_narrow = (grad @ b_low).mul_(ctx.scale)
        grad_a = (grad_narrow.t() @ flat).float()
        grad_b = (grad.t() @ narrow).float().mul_(ctx.scale)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(grad_narrow, a_low).view(ctx.shape).to(ctx.dtype)
        return grad_x, None, None, grad_a, grad_b, None


def apply(model: Any) -> int:
    """Replace the forward of every plain LoRA layer, and return their number.

    Layers with dropout, another base layer than torch's Linear, or a variant of LoRA keep PEFT's forward.
    """
    from peft.tuners.lora import Linear

    changed = 0
    for module in model.modules():
        if isinstance(module, Linear) and _plain(module):
            module.forward = types.MethodType(_forward, module)
            changed += 1
    return changed


def _plain(module: Any) -> bool:
    return (
        type(module.base_layer) is torch.nn.Linear
        and list(module.lora_A) == ["default"]
        and isinstance(module.lora_dropout["default"], torch.nn.Identity)
        and not module.lora_variant
        and module.lora_B["default"].bias is None
    )


def _forward(module: Any, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    base = module.base_layer
    if module.disable_adapters:
        return functional.linear(x, base.weight, base.bias)
    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
    result: torch.Tensor = _LoraLinear.apply(x, base.weight, base.bias, a, b, module.scaling["default"])
    return result
